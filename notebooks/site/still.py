"""What a page, on which nothing runs, shows of what only a running lesson can do: for the book and the handout."""

import ast
import re
from html import escape

BAR = re.compile(r"\d+%\|█*\|[^\n]*\Z")
WIDGET = re.compile(r"\A<(.+): run the cell to use it>\Z")  # what a saved widget leaves as text
SAID = {  # what a lesson says to whom made no guess, and what it says here, where no guess is kept
    re.compile(r"\AYou made no guess\. "): "",
    re.compile(r"\AYou made no guesses this time\..*", re.DOTALL): "In the notebook, your guesses stand here.",
}


def choices(source: str) -> list[str]:
    """What the call of `guess` in this code offers; nothing if one may write what one likes."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    (call,) = [call for call in calls if getattr(call.func, "id", "") == "guess"]
    return [ast.literal_eval(argument) for argument in call.args[1:]]


def question(source: str, name: str) -> str:
    """A guess that can be made on the page: it is nobody's business but the reader's, and nothing keeps it."""
    lines = [
        f'<label><input type="radio" name="{name}" autocomplete="off"> {escape(choice)}</label>'
        for choice in choices(source)
    ]
    return f'<fieldset class="guess"><legend>Your guess</legend>{"".join(lines)}</fieldset>' if lines else ""
