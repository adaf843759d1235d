"""Guess before you look: what a learner expects, kept under a name, and shown beside what happened."""

import html

import ipywidgets as ui
from IPython.display import Markdown

from course_lib.fruit.reader import printable
from course_lib.widgets.panel import LONG, WIDE, WRAP, Panel

CHOICES: dict[str, list[str]] = {}  # what could be guessed, by the name of the guess
MADE: dict[str, str] = {}  # what was guessed in this kernel
HAPPENED: dict[str, str] = {}  # what was told of it

NONE_MADE = (
    "You made no guesses this time. You can go back and make some: "
    "what you guessed first, right or wrong, you remember better."
)
NO_SCORE = "This is no score: a guess that went wrong shows where there was something to learn."
ACTED_ON = str.maketrans({c: "\\" + c for c in "\\`*_[]|~$"})  # by Markdown, in the middle of a line


def guess(name: str, *choices: str) -> "Guess":
    """Buttons, one a choice, and a line for one's own words; the guess is kept under `name`, until the kernel ends.

    Raises ValueError without a name, or for less than two choices or equal ones; TypeError for what is no text.
    """
    name, *choices = (_text(given) for given in (name, *choices))
    if len(choices) < 2 or len({*map(_plain, choices)}) < len(choices) or "" in (name, *choices):
        raise ValueError(
            "A guess needs a name and at least two different choices, "
            f'as in guess("giant step", "a blur", "grey"), not guess{(name, *choices)!r}.'
        )
    CHOICES[name] = choices
    return Guess(name)


def told(name: str, right: str) -> Markdown:
    """What was guessed under this name, beside what happened; a guess in one's own words is not judged.

    It need not have been asked. Raises ValueError where it was, and `right` is none of the choices.
    """
    name, right = _text(name), _text(right)
    choices = CHOICES.get(name, [right])
    if _plain(right) not in map(_plain, choices):
        raise ValueError(f'"{right}" was no choice of the guess "{name}". The choices are: {", ".join(choices)}.')
    HAPPENED[name] = right
    made = MADE.get(name)
    if made is None:
        return Markdown(f"You made no guess. It was **{_shown(right)}**.")
    if _came_true(name):
        return Markdown(f"You guessed **{_shown(made)}**, and so it was.")
    wrote = f"You guessed **{_shown(made)}**." if _is_choice(name) else f"You wrote: {_shown(made)}."
    mind = "" if _is_choice(name) else " You decide whether that is what you meant."
    return Markdown(f"{wrote} It was **{_shown(right)}**.{mind}")


def guesses() -> Markdown:
    """A table of the guesses made in this kernel, and how many came true."""
    if not MADE:
        return Markdown(NONE_MADE)
    lines = ["| about | you guessed | it was |", "| --- | --- | --- |"]
    for name, made in MADE.items():
        lines.append(f"| {_shown(name)} | {_shown(made)} | {_shown(HAPPENED.get(name, 'not seen yet'))} |")
    told_of = [name for name in MADE if name in HAPPENED]
    judged = [name for name in told_of if _is_choice(name)]
    said = [f"{_how_many(sum(map(_came_true, judged)), len(judged))} {NO_SCORE}"] if judged else []
    said += ["What you wrote in your own words, only you can judge."] if len(judged) < len(told_of) else []
    return Markdown("\n".join([*lines, "", " ".join(said)]).rstrip())


def _how_many(came_true: int, judged: int) -> str:
    """How often one was right, in a sentence."""
    if judged == 1:
        return f"Your guess {'came' if came_true else 'did not come'} true."
    count = {0: "none", judged: "all"}.get(came_true, came_true)
    return f"Of your {judged} guesses, {count} came true."


def _text(given: str | float) -> str:
    """A name or a choice as one line of text."""
    if not isinstance(given, str | int | float):
        raise TypeError(f"Names and choices of a guess are text, not {type(given).__name__}.")
    return " ".join(str(given).split())


def _plain(text: str) -> str:
    """Text as it is compared: neither capitals nor a full stop matter."""
    return text.rstrip(" .!?").casefold()


def _shown(text: str) -> str:
    """Text that Markdown shows as it stands; no formula begins at a $ that is alone in its tag."""
    return html.escape(printable(text), quote=False).translate(ACTED_ON).replace(r"\$", r"<span>\$</span>")


def _is_choice(name: str) -> bool:
    """Whether the guess is one of the choices, pressed or written."""
    return _plain(MADE[name]) in map(_plain, CHOICES[name])


def _came_true(name: str) -> bool:
    return _plain(MADE[name]) == _plain(HAPPENED[name])


class Guess(Panel):
    """The controls of one guess. It may be changed; what was guessed before the cell was run again is kept."""

    def __init__(self, name: str):
        self.name = name
        fits = {"width": "auto", "max_width": "100%"}
        self.buttons = [ui.Button(description=printable(choice), layout=fits) for choice in CHOICES[name]]
        self.words = ui.Text(description="or in your own words:", style=WIDE, layout=LONG, continuous_update=False)
        super().__init__(ui.Label("Your guess:"), ui.HBox(self.buttons, layout=WRAP), self.words)
        self.show()
        for button, choice in zip(self.buttons, CHOICES[name], strict=True):
            button.on_click(self.hear(lambda event, choice=choice: self.press(choice)))
        self.words.observe(self.hear(lambda change: self.keep(change.new)), "value")

    def press(self, choice: str) -> None:
        """Guess one of the choices, and no words of one's own."""
        self.words.value = ""
        self.keep(choice)

    def keep(self, made: str) -> None:
        """Keep this guess in place of an earlier one; empty words are none."""
        if _text(made):
            MADE[self.name] = _text(made)
        self.show()

    def show(self) -> None:
        """Mark what is guessed, if anything is, for the eye and for a screen reader."""
        made = MADE.get(self.name)
        for button, choice in zip(self.buttons, CHOICES[self.name], strict=True):
            chosen = made is not None and _plain(choice) == _plain(made)
            button.icon, button.style.font_weight = ("check", "bold") if chosen else ("", "normal")
        if made is not None:
            self.say(f"Your guess: {made}. You can change it until you look.")

    def still(self) -> tuple[dict, dict]:
        return {"text/plain": "<guess: run the cell to use it>"}, {}
