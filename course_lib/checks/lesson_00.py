"""The exercises of lesson 00: a caption, and bytes."""

from collections.abc import Callable

import torch

from course_lib.checks.engine import RIGHT, UNTOUCHED, compare, exercise
from course_lib.fruit import prompts
from course_lib.tools import pixels


def practice(attempt: Callable) -> None:
    """Lesson 00: twice a number. It shows what checks say, and counts nowhere."""
    mistakes = [(lambda x: x * x, "that is the number times itself. Twice means: times two.")]
    print(compare(attempt, lambda x: 2 * x, [("x = 2", (2,)), ("x = 5", (5,))], mistakes))


@exercise("00")
def caption(attempt: str) -> str:
    """Lesson 00: a caption that asks for a small yellow lemon on a black background."""
    wanted = {"kind": "lemon", "colour": "yellow", "size_word": "small", "background": "black"}
    called = {"kind": "kind of fruit", "colour": "colour", "size_word": "size", "background": "background"}
    if attempt is ...:
        return UNTOUCHED
    if not isinstance(attempt, str):
        return f"Not yet: a caption is text, between quotes, not {attempt!r:.60}."
    try:
        asked = prompts.understand(attempt)
    except ValueError as error:
        return f"Not yet: {error}"
    for name, word in wanted.items():
        if asked[name] is None:
            return f"Not yet: your caption leaves the {called[name]} open, so the network would choose one."
        if asked[name] != word:
            return f"Not yet: the {called[name]} that your caption asks for is {asked[name]}, not {word}."
    return RIGHT


@exercise("00")
def from_bytes(attempt: Callable) -> str:
    """Lesson 00: bytes from 0 to 255 to numbers from -1 to 1."""
    g = torch.Generator().manual_seed(0)
    cases = [
        ("the byte 0, none of the colour", (torch.tensor([0], dtype=torch.uint8),)),
        ("the byte 255, all of the colour", (torch.tensor([255], dtype=torch.uint8),)),
        ("the bytes 51, 102, 153 and 204", (torch.tensor([51, 102, 153, 204], dtype=torch.uint8),)),
        ("a small picture", (torch.randint(256, (1, 3, 4, 4), generator=g, dtype=torch.uint8),)),
    ]
    mistakes = [
        (lambda x: x / 255, "that goes from 0 to 1. Stretch it to twice the length, then move it down by 1."),
        (lambda x: x / 127.5, "that goes from 0 to 2: the right length, in the wrong place. Move it down by 1."),
        (lambda x: x / 255 - 1, "that goes from -1 to 0, half the length. Divide by half of 255."),
        (lambda x: x / 128 - 1, "255 must become 1 exactly, and 255 / 128 - 1 falls short. Divide by half of 255."),
        (lambda x: x - 127.5, "0 is in the middle now, but the numbers still go from -127.5 to 127.5."),
        (lambda x: 1 - x / 127.5, "your picture is a negative: black became white. 0 must give -1."),
        (
            lambda x: 2 * x / 255 - 1,
            "a byte cannot hold more than 255, so 2 * x starts again at 0 where it is larger. Divide first.",
        ),
    ]
    return compare(attempt, pixels.from_bytes, cases, mistakes)
