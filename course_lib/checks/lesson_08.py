"""The exercises of lesson 08: pictures and words of one's own."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_lib import captions as library
from course_lib.captions import split_words
from course_lib.checks.engine import compare, exercise
from course_lib.own import folder


@exercise("08")
def crop_and_scale(attempt: Callable) -> str:
    """Lesson 08: the middle square of a photograph in bytes, scaled to [-1, 1]."""
    g = torch.Generator().manual_seed(8)
    wide, tall, square = (
        torch.randint(0, 256, (3, *size), generator=g, dtype=torch.uint8) for size in ((6, 10), (11, 5), (7, 7))
    )
    cases = [("a square picture", (square,)), ("a wide picture", (wide,)), ("a tall picture", (tall,))]

    def middle(pixels: Tensor) -> Tensor:
        return (folder.crop_and_scale(pixels) + 1) * 127.5

    def corner(pixels: Tensor) -> Tensor:
        side = min(pixels.shape[1:])
        return pixels[:, :side, :side].float() / 127.5 - 1

    mistakes = [
        (corner, "your square is cut from the top left corner. Leave the same margin on both sides."),
        (lambda pixels: corner(pixels.flip(1, 2)).flip(1, 2), "your square is cut from the bottom right corner."),
        (lambda pixels: middle(pixels) / 255, "your picture lies in [0, 1]. Black must become -1: double it, minus 1."),
        (lambda pixels: middle(pixels) / 127.5, "your picture lies in [0, 2]: take 1 away at the end."),
        (lambda pixels: middle(pixels), "the middle is right, but the values are still bytes, from 0 to 255."),
        (lambda pixels: middle(pixels) / 255 - 1, "your picture lies in [-1, 0]: divide by half of 255."),
    ]
    return compare(attempt, folder.crop_and_scale, cases, mistakes)


@exercise("08")
def build_vocabulary(attempt: Callable) -> str:
    """Lesson 08: all words of some captions, each once, sorted, with the empty word in front."""
    cases = [
        ("a single caption", (["a red boat"],)),
        ("two captions that share words", (["a yellow boat at night", "a blue house at night"],)),
        ("captions with capitals and a comma", (["A red house, by day", "a Red boat"],)),
    ]

    def words(captions: Sequence[str]) -> list[str]:
        return [word for caption in captions for word in split_words(caption)]

    mistakes = [
        (lambda captions: tuple(sorted(set(words(captions)))), 'token 0 is taken: put the empty word "" in front.'),
        (lambda captions: ("", *sorted(words(captions))), "a word that occurs twice has two tokens. Use a set."),
        (lambda captions: ("", *dict.fromkeys(words(captions))), "your words are in the order they came. Sort them."),
        (
            lambda captions: ("", *sorted({word for caption in captions for word in caption.split()})),
            '"Red" and "red", "house," and "house" are the same word: cut captions up with `split_words`.',
        ),
        (lambda captions: (*sorted(set(words(captions))), ""), 'the empty word "" belongs in front, at place 0.'),
        (lambda captions: ("", *sorted(set(captions))), "those are whole captions: cut each into words first."),
        (lambda captions: ("", *sorted(set("".join(captions)))), "those are letters: cut captions into words."),
    ]
    return compare(attempt, library.build_vocabulary, cases, mistakes)
