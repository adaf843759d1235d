"""The words of the fruit, and what a colour looks like. A leaf of the library: it imports nothing.

A new kind is a row of `NAMES` here and a function in `shapes`; a new colour is a row of `PALETTE`, a new background one
of `BACKDROPS`. Everything else follows.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Name(NamedTuple):
    """How a kind is spoken of, and the one colour that training never shows it in."""

    plural: str
    held_out: str
    many: str = ""  # what one of them is counted in, where the name itself means many: "bunch" of grapes


NAMES = {
    "apple": Name("apples", "blue"),
    "banana": Name("bananas", "green"),
    "watermelon": Name("watermelons", "purple"),
    "orange": Name("oranges", "green"),
    "lemon": Name("lemons", "pink"),
    "pear": Name("pears", "red"),
    "strawberry": Name("strawberries", "yellow"),
    "grapes": Name("grapes", "brown", many="bunch"),
}
PALETTE = {  # sRGB in [0, 1]
    "red": (0.86, 0.09, 0.11),
    "green": (0.30, 0.68, 0.16),
    "yellow": (0.99, 0.85, 0.12),
    "orange": (0.98, 0.53, 0.06),
    "purple": (0.47, 0.17, 0.66),
    "blue": (0.13, 0.38, 0.88),
    "pink": (0.98, 0.55, 0.72),
    "brown": (0.42, 0.25, 0.14),
}
BACKDROPS = {
    "white": (0.96, 0.96, 0.96),
    "grey": (0.62, 0.64, 0.67),
    "black": (0.10, 0.10, 0.11),
    "cream": (0.97, 0.91, 0.78),
}
SCENE_BACKDROPS = BACKDROPS | {"green": (0.66, 0.80, 0.60), "blue": (0.62, 0.78, 0.94)}  # behind two fruits
SIZES = {"small": (0.60, 0.67), "": (0.72, 0.80), "large": (0.86, 0.92)}  # share of the picture; gaps keep words apart

SIZE, SCENE_SIZE = 32, 64  # side of a training picture in pixels, with one fruit and with two
KINDS: tuple[str, ...] = tuple(NAMES)
COLOURS: tuple[str, ...] = tuple(PALETTE)
BACKGROUNDS: tuple[str, ...] = tuple(BACKDROPS)
SCENE_BACKGROUNDS: tuple[str, ...] = tuple(SCENE_BACKDROPS)

# Eight pairs, one of each kind, are held out of training in every form: no picture of them, no caption for them.
ALL_PAIRS = tuple((kind, colour) for kind in KINDS for colour in COLOURS)
HELD_OUT_PAIRS = tuple((kind, name.held_out) for kind, name in NAMES.items())
TRAINING_PAIRS = tuple(pair for pair in ALL_PAIRS if pair not in HELD_OUT_PAIRS)

# "orange" stands here once: one word, one token, a fruit or a colour by its place in the caption. Place 0 is "no word".
_SAID = ("a", "an", "that", "is", "are", "on", "background", "fruit")
VOCABULARY = tuple(dict.fromkeys(("", *_SAID, *filter(None, SIZES), *BACKGROUNDS, *COLOURS, *KINDS)))
_SAID_OF_TWO = ("and", "beside", "to", "the", "left", "right", "of", "two", "bunches")
SCENE_VOCABULARY = tuple(dict.fromkeys((*VOCABULARY, *_SAID_OF_TWO, *(name.plural for name in NAMES.values()))))


def check_choice(name: str, value, allowed: Sequence[str]) -> None:
    """Refuse a value that is not among those allowed: a ValueError that names it and lists them."""
    if value not in allowed:
        raise ValueError(f"{name}={value!r} is unknown; choose one of {', '.join(map(repr, allowed))}.")


def article(words: str) -> str:
    """Put "a" or "an" before words, and nothing before those that mean many, such as grapes."""
    *_, last = words.split()
    if last in NAMES and NAMES[last].many:
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
