"""The exercises of lesson 06: guidance, and counting what is right."""

from types import SimpleNamespace

import torch
from torch import Tensor

from course_lib import sample
from course_lib.checks.engine import exercise
from course_lib.judging.judge import score

U, C = torch.randn(2, 2, 3, 4, 4, generator=torch.Generator().manual_seed(6))
SCALES = {f"w = {w}": (U, C, w) for w in (0.0, 1.0, 2.0, 7.5, -2.0)}
ASKED = [("banana", "green"), ("apple", "blue"), ("orange", "green"), ("pear", "red"), ("lemon", "pink")]
TWO_RIGHT = [ASKED[0], ("apple", "purple"), ("pear", "green"), ASKED[3], ("orange", "orange")]
NAMED = {
    "five pictures, all right": (ASKED, ASKED),
    "a yellow banana for a green one": ([("banana", "yellow"), *ASKED[1:]], ASKED),
    "two of five right": (TWO_RIGHT, ASKED),
    "the right fruits in the wrong order": (ASKED[::-1], ASKED),
    "five green bananas": (ASKED[:1] * 5, ASKED),
    "no picture right": ([("grapes", "brown")] * 5, ASKED),
}


def _guided(u: Tensor, c: Tensor, w: float) -> Tensor:
    def model(x_t: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
        return torch.cat([c, u])[: len(x_t)]  # `guided` asks for c alone, or for c and u

    return sample.guided(model, c, 0.5, torch.ones(len(c), 1, dtype=torch.int64), w)


def _score(named: list, asked: list) -> int:
    judge = SimpleNamespace(name=lambda pictures: named)  # a judge that has looked already
    return score(judge, torch.zeros(len(named), 3, 32, 32), asked).right


@exercise(_guided, SCALES)
def guided(u, c, w):
    """Lesson 06: the guided guess from u, the guess without words, c, the guess with them, and the scale w."""
    swapped, late, clipped = c + w * (u - c), c + w * (c - u), (u + w * (c - u)).clamp(-1, 1)
    return {
        "u and c have changed places: at w = 0 the guess must be u, without words, and at w = 1 it must be c.": swapped,
        "at w = 1 that is c - u, a difference and no picture. Where does u + ... begin?": w * c - u,
        "your w is counted from another zero: at w = 0 you already follow the words. Start from u, not from c.": late,
        "that is only what the words change. Add it to u.": w * (c - u),
        "at w = 1 you get u and c on top of each other. Add only what the words change, c - u.": u + w * c,
        "your guess turns away from the words where it should go towards them: u - c or c - u?": u - w * (c - u),
        "the values are clipped to [-1, 1]. A guess may leave that range; only the display clips.": clipped,
        "that is the guess at w = 1. What does w do?": c,
    }


@exercise(_score, NAMED)
def count_right(named, asked):
    """Lesson 06: in how many pictures the judge found both the kind and the colour that were asked for."""
    pairs = list(zip(named, asked, strict=True))
    kinds, colours = (sum(a[part] == b[part] for a, b in pairs) for part in (0, 1))
    either, seen = sum(a[0] == b[0] or a[1] == b[1] for a, b in pairs), sum(a in asked for a in named)
    return {
        "the colour is not compared: a yellow banana counts as a green one. Kind and colour must both be right.": kinds,
        "the kind is not compared: a green pear counts as a green orange. Kind and colour must both be right.": colours,
        "half right counts as right. Kind and colour must both be right: `and`, not `or`.": either,
        "you look for each picture's answer anywhere in what was asked. Picture 1 must match request 1: use zip.": seen,
        "sets forget which picture was asked for what: use zip.": len(set(named) & set(asked)),
        "that counts the wrong ones.": sum(a != b for a, b in pairs),
        "that is a share: give the count.": sum(a == b for a, b in pairs) / len(asked),
        "that says whether all are right. Count how many are.": named == asked,
    }
