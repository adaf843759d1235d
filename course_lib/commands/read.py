"""`read`: what prompts are understood as, before anything is drawn."""

import json
import sys

from course_lib.commands.options import Args, Parser, flag, list_words, say

HELP = "Read prompts from standard input, one a line, and say what each is understood as."


def options(command: Parser) -> None:
    """What `read` can be told."""
    list_words(command)
    flag(command, "--json", "one object a line: the prompt, and its caption or the error and what is suggested")


def run(args: Args) -> None:
    """Read line by line; a prompt that is refused is answered like the others, and the next one is read."""
    from course_lib.fruit.reader import Unread, read

    typed = sys.stdin or ()  # closed, as `<&-` does
    for line in getattr(typed, "buffer", typed):
        line = line.decode("utf-8", errors="replace") if isinstance(line, bytes) else line
        prompt = line.removesuffix("\n").removesuffix("\r")
        try:
            caption = read(prompt).caption
            answer, said = {"caption": caption}, caption
        except Unread as error:
            answer, said = {"error": str(error), "suggestion": error.suggestion}, f"not understood: {error}"
        say(json.dumps({"prompt": prompt} | answer) if args.json else said)
        sys.stdout.flush()
