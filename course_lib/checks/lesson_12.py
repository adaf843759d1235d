"""The exercises of lesson 12: pictures and words of one's own."""

import functools
from collections.abc import Callable

import torch

from course_lib.captions import build_vocabulary as vocabulary_of
from course_lib.captions import split_words
from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.classroom.wording import shown
from course_lib.judging.measure import nearest
from course_lib.own import houses
from course_lib.own.folder import crop_and_scale as cropped_and_scaled
from course_lib.own.folder import prepare

g = torch.Generator().manual_seed(8)
PHOTOGRAPHS = {
    f"a {shape} picture": (torch.randint(0, 256, (3, *size), generator=g, dtype=torch.uint8),)
    for shape, size in {"square": (7, 7), "wide": (6, 10), "tall": (11, 5)}.items()
} | {
    f"a {shape} picture of an odd rest": (torch.randint(0, 256, (3, *size), generator=g, dtype=torch.uint8),)
    for shape, size in {"wide": (6, 9), "tall": (10, 7)}.items()
}
CAPTIONS = {
    "a single caption": (["a red boat"],),
    "two captions that share words": (["a yellow boat at night", "a blue house at night"],),
    "captions with capitals and a comma": (["A red house, by day", "a Red boat"],),
}


@exercise(cropped_and_scaled, PHOTOGRAPHS)
def crop_and_scale(pixels):
    """Lesson 12: the middle square of a photograph in bytes, scaled to [-1, 1]."""
    side = min(pixels.shape[1:])
    top_left, bottom_right = pixels[:, :side, :side], pixels[:, -side:, -side:]
    top, left = ((length - side + 1) // 2 for length in pixels.shape[1:])
    late = pixels[:, top : top + side, left : left + side]
    middle = (cropped_and_scaled(pixels) + 1) * 127.5  # still bytes
    whole = middle.round().to(torch.uint8)
    return {
        "your square is cut from the top left corner. Leave the same margin on both sides.": top_left / 127.5 - 1,
        "your square is cut from the bottom right corner.": bottom_right / 127.5 - 1,
        "of an odd rest, the pixel left over goes on the right or below: round down.": late / 127.5 - 1,
        "your picture lies in [0, 1]. Black must become -1: double it, minus 1.": middle / 255,
        "your picture lies in [0, 2]: take 1 away at the end.": middle / 127.5,
        "the middle is right, but the values are still bytes, from 0 to 255.": middle,
        "a byte cannot go below 0, so pixels - 128 starts again at 255: divide first.": (whole - 128) / 128,
        "a byte cannot hold more than 255, so 2 * pixels starts again at 0. Divide first.": 2 * whole / 255 - 1,
        "your picture lies in [-1, 0]: divide by half of 255.": middle / 255 - 1,
    }


def _unsorted(result, again: Callable) -> str | None:
    if isinstance(result, set | frozenset):
        return "a set has no order, so no word has a place. Give a list."
    if isinstance(result, list | tuple) and all(isinstance(word, str) for word in result):
        words = [word for word in result if word]
        if words != sorted(words):
            return "your words are not sorted, and a set gives them in any order. Sort them."
    return None


@exercise(vocabulary_of, CAPTIONS, odd=_unsorted)
def build_vocabulary(captions):
    """Lesson 12: all words of some captions, each once, sorted, with the empty word in front."""
    words = [word for caption in captions for word in split_words(caption)]
    raw = ("", *sorted({word for caption in captions for word in caption.split()}))
    return {
        'token 0 is taken: put the empty word "" in front.': tuple(sorted(set(words))),
        "a word that occurs twice has two tokens. Use a set.": ("", *sorted(words)),
        '"Red" and "red", "house," and "house" are the same word: cut captions up with `split_words`.': raw,
        'the empty word "" belongs in front, at place 0.': (*sorted(set(words)), ""),
        "those are whole captions: cut each into words first.": ("", *sorted(set(captions))),
        "those are letters: cut captions into words.": ("", *sorted(set("".join(captions)))),
    }


SHOWN = 200  # pictures, as many as are compared with one another


@functools.cache
def _pictures() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    scenes = [(thing, colour, time) for thing in houses.THINGS for colour in houses.PAINTS for time in houses.SKIES]
    return torch.stack([prepare(houses.scene(*scenes[i % len(scenes)], generator), 32) for i in range(SHOWN)])


@functools.cache
def found_again(shift: int) -> int:
    """Of how many of 200 pictures, shifted to the right, the nearest of all is still the picture itself."""
    nearest_one = nearest(_pictures().roll(shift, -1), _pictures())[1][:, 0]
    return int((nearest_one == torch.arange(SHOWN)).sum())


@check(Exercise(2))
def hidden_copy(attempt) -> str:
    """Lesson 12: the smallest shift that hides more than half of the copies from a comparison of pixels."""
    if attempt is ...:
        return UNTOUCHED
    if not isinstance(attempt, int) or isinstance(attempt, bool) or not 0 <= attempt <= 31:
        return f"Not yet: give a whole number of pixels from 1 to 31, not {shown(attempt, 60)}."
    said = f"shifted by {attempt}, {found_again(attempt)} of {SHOWN} copies are still found."
    if 2 * found_again(attempt) >= SHOWN:
        return f"Not yet: {said} That is half or more: shift further."
    if 2 * found_again(attempt - 1) < SHOWN:
        return f"Not yet: {said} But {attempt - 1} would do as well, with {found_again(attempt - 1)}."
    return RIGHT
