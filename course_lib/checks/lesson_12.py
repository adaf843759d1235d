"""The exercises of lesson 12: pictures and words of one's own."""

import torch

from course_lib.captions import build_vocabulary as vocabulary_of
from course_lib.captions import split_words
from course_lib.checks.engine import exercise
from course_lib.own.folder import crop_and_scale as cropped_and_scaled

g = torch.Generator().manual_seed(8)
PHOTOGRAPHS = {
    f"a {shape} picture": (torch.randint(0, 256, (3, *size), generator=g, dtype=torch.uint8),)
    for shape, size in {"square": (7, 7), "wide": (6, 10), "tall": (11, 5)}.items()
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
    middle = (cropped_and_scaled(pixels) + 1) * 127.5  # still bytes
    return {
        "your square is cut from the top left corner. Leave the same margin on both sides.": top_left / 127.5 - 1,
        "your square is cut from the bottom right corner.": bottom_right / 127.5 - 1,
        "your picture lies in [0, 1]. Black must become -1: double it, minus 1.": middle / 255,
        "your picture lies in [0, 2]: take 1 away at the end.": middle / 127.5,
        "the middle is right, but the values are still bytes, from 0 to 255.": middle,
        "your picture lies in [-1, 0]: divide by half of 255.": middle / 255 - 1,
    }


@exercise(vocabulary_of, CAPTIONS)
def build_vocabulary(captions):
    """Lesson 12: all words of some captions, each once, sorted, with the empty word in front."""
    words = [word for caption in captions for word in split_words(caption)]
    raw = ("", *sorted({word for caption in captions for word in caption.split()}))
    return {
        'token 0 is taken: put the empty word "" in front.': tuple(sorted(set(words))),
        "a word that occurs twice has two tokens. Use a set.": ("", *sorted(words)),
        "your words are in the order they came. Sort them.": ("", *dict.fromkeys(words)),
        '"Red" and "red", "house," and "house" are the same word: cut captions up with `split_words`.': raw,
        'the empty word "" belongs in front, at place 0.': (*sorted(set(words)), ""),
        "those are whole captions: cut each into words first.": ("", *sorted(set(captions))),
        "those are letters: cut captions into words.": ("", *sorted(set("".join(captions)))),
    }
