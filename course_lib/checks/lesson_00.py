"""The exercises of lesson 00: a caption, bytes, and words that contradict each other."""

from collections.abc import Callable
from functools import partial

import torch

from course_lib.captions import MAX_WORDS
from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, compare, exercise, judged
from course_lib.classroom.wording import shown
from course_lib.fruit.reader import Unread, printable, split
from course_lib.fruit.words import BACKGROUNDS, COLOURS, KINDS, SIZES, VOCABULARY
from course_lib.fruit.worlds import FRUIT, read_for
from course_lib.tools import pixels

WANTED = {  # what a caption says, and how it is spoken of
    "kind": ("lemon", "kind of fruit"),
    "colour": ("yellow", "colour"),
    "size_word": ("small", "size"),
    "background": ("black", "background"),
}
BYTES = {
    "the byte 0, none of the colour": (torch.tensor([0], dtype=torch.uint8),),
    "the byte 255, all of the colour": (torch.tensor([255], dtype=torch.uint8),),
    "the bytes 51, 102, 153 and 204": (torch.tensor([51, 102, 153, 204], dtype=torch.uint8),),
    "a small picture": (torch.arange(0, 240, 5, dtype=torch.uint8).view(1, 3, 4, 4),),
}


def practice(attempt: Callable) -> None:
    """Lesson 00: twice a number. It shows what checks say, and counts nowhere."""
    square = "that is the number times itself. Twice means: times two."
    known = Exercise(lambda x: 2 * x, {"x = 2": (2,), "x = 5": (5,)}, lambda x: {square: x * x})
    print(judged(partial(compare, known=known), attempt))


def _lacks(caption: str, it: str) -> str | None:
    """What is missing or wrong in a caption that can be read."""
    asked = FRUIT.understand(caption)
    for name, (word, called) in WANTED.items():
        if asked[name] is None:
            return f"{it} leaves the {called} open, so the network would choose one."
        if asked[name] != word:
            return f"the {called} that {it.lower()} asks for is {asked[name]}, not {word}."
    return None


@check(Exercise("a small yellow lemon on a black background"))
def caption(attempt: str) -> str:
    """Lesson 00: a caption that asks for a small yellow lemon on a black background."""
    if attempt is ...:
        return UNTOUCHED
    if not isinstance(attempt, str):
        return f"Not yet: a caption is text, between quotes, not {shown(attempt, 60)}."
    try:
        reading = read_for(FRUIT, attempt)
    except Unread as error:
        lacks = error.suggestion and _lacks(error.suggestion, "That")
        return f"Not yet: {error} {lacks}" if lacks else f"Not yet: {error}"
    if lacks := _lacks(reading.caption, "your caption"):
        return f"Not yet: {lacks}"
    return f"{RIGHT} It is {reading.note}." if reading.differs else RIGHT


@exercise(pixels.from_bytes, BYTES)
def from_bytes(x):
    """Lesson 00: bytes from 0 to 255 to numbers from -1 to 1."""
    return {
        "that goes from 0 to 1. Stretch it to twice the length, then move it down by 1.": x / 255,
        "that goes from 0 to 2: the right length, in the wrong place. Move it down by 1.": x / 127.5,
        "that goes from -1 to 0, half the length. Divide by half of 255.": x / 255 - 1,
        "255 must become 1 exactly, and 255 / 128 - 1 falls short. Divide by half of 255.": x / 128 - 1,
        "0 is in the middle now, but the numbers still go from -127.5 to 127.5.": x - 127.5,
        "your picture is a negative: black became white. 0 must give -1.": 1 - x / 127.5,
        "a byte cannot hold more than 255, so 2 * x starts again at 0 where it is larger. Divide first.": (
            2 * x / 255 - 1
        ),
        "a byte cannot go below 0, so x - 128 starts again at 255: divide first.": (x - 128) / 128,
        "a byte cannot go below 0, so x - 127 starts again at 255: divide first, by half of 255.": (x - 127) / 128,
        "a byte cannot go below 0, so 0 - 127 starts again at 255. Divide x by half of 255 first.": (x - 127) / 127,
        "a byte cannot go below 0, so 0 - 128 starts again at 255. Divide x by half of 255 first.": (x - 128) / 127,
        "a byte can be neither above 255 nor below 0: 2 * x - 255 starts again at both ends. Divide first.": (
            (2 * x - 255) / 255
        ),
        "that takes 1 away, and stretches nothing; and a byte cannot go below 0: 0 - 1 is 255. Divide first.": x - 1,
        "x // 127 is a whole number, still a byte, and a byte cannot go below 0. Divide with /, by half of 255.": (
            x // 127 - 1
        ),
        "// leaves whole numbers only, so all shades in between are lost. Divide with /.": x // 127.5 - 1,
    }


@check(Exercise("a red green apple"))
def refused(attempt: str) -> str:
    """Lesson 00: a caption that is refused, though it names a fruit and every word of it is known."""
    if attempt is ...:
        return UNTOUCHED
    if not isinstance(attempt, str):
        return f"Not yet: a caption is text, between quotes, not {shown(attempt, 60)}."
    words = [word for word in split(attempt) if word != ","]
    if strange := [word for word in words if word not in VOCABULARY]:
        return f'Not yet: "{printable(strange[0][:40])}" is not in the list of known words. Use only words from it.'
    if not {*words} & {*KINDS}:
        return "Not yet: name a fruit too. Words that ask for none do not contradict each other."
    if len(words) > MAX_WORDS:
        return f"Not yet: so many words are refused for their number. Find one with at most {MAX_WORDS}."
    try:
        reading = read_for(FRUIT, attempt)
    except ValueError as error:
        double = any(len({*words} & {*group}) > 1 for group in (KINDS, COLOURS, BACKGROUNDS, filter(None, SIZES)))
        reason = str(error).split(" Did you mean")[0]
        return RIGHT if double else f"{RIGHT} It is refused: {reason}"  # of two colours one sees why
    return f'Not yet: this one is drawn. It is read as "{reading.caption}", in which nothing contradicts anything.'
