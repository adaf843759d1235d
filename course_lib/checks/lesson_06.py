"""The exercises of lesson 06: guidance, and counting what is right."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import torch
from torch import Tensor

from course_lib import sample
from course_lib.checks.engine import compare, exercise
from course_lib.judging.judge import score


@exercise("06")
def guided(attempt: Callable) -> str:
    """Lesson 06: the guided guess from u, the guess without words, c, the guess with them, and the scale w."""
    u, c = torch.randn(2, 2, 3, 4, 4, generator=torch.Generator().manual_seed(6))
    cases = [(f"w = {w}", (u, c, w)) for w in (0.0, 1.0, 2.0, 7.5, -2.0)]

    def answer(u: Tensor, c: Tensor, w: float) -> Tensor:
        def model(x_t: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
            return torch.cat([c, u])[: len(x_t)]  # `guided` asks for c alone, or for c and u

        return sample.guided(model, c, 0.5, torch.ones(len(c), 1, dtype=torch.int64), w)

    mistakes = [
        (
            lambda u, c, w: c + w * (u - c),
            "u and c have changed places: at w = 0 the guess must be u, without words, and at w = 1 it must be c.",
        ),
        (lambda u, c, w: w * c - u, "at w = 1 that is c - u, a difference and no picture. Where does u + ... begin?"),
        (
            lambda u, c, w: c + w * (c - u),
            "your w is counted from another zero: at w = 0 you already follow the words. Start from u, not from c.",
        ),
        (lambda u, c, w: w * (c - u), "that is only what the words change. Add it to u."),
        (
            lambda u, c, w: u + w * c,
            "at w = 1 you get u and c on top of each other. Add only what the words change, c - u.",
        ),
        (
            lambda u, c, w: u - w * (c - u),
            "your guess turns away from the words where it should go towards them: u - c or c - u?",
        ),
        (
            lambda u, c, w: (u + w * (c - u)).clamp(-1, 1),
            "the values are clipped to [-1, 1]. A guess may leave that range; only the display clips.",
        ),
        (lambda u, c, w: c, "that is the guess at w = 1. What does w do?"),
    ]
    return compare(attempt, answer, cases, mistakes)


@exercise("06")
def count_right(attempt: Callable) -> str:
    """Lesson 06: in how many pictures the judge found both the kind and the colour that were asked for."""
    asked = [("banana", "green"), ("apple", "blue"), ("orange", "green"), ("pear", "red"), ("lemon", "pink")]
    cases = [
        ("five pictures, all right", (asked, asked)),
        ("a yellow banana for a green one", ([("banana", "yellow"), *asked[1:]], asked)),
        (
            "two of five right",
            ([asked[0], ("apple", "purple"), ("pear", "green"), asked[3], ("orange", "orange")], asked),
        ),
        ("the right fruits in the wrong order", (asked[::-1], asked)),
        ("no picture right", ([("grapes", "brown")] * 5, asked)),
    ]

    def answer(named: Sequence, asked: Sequence) -> int:
        judge = SimpleNamespace(name=lambda pictures: named)  # a judge that has looked already
        return score(judge, torch.zeros(len(named), 3, 32, 32), asked).right

    def count(right: Callable) -> Callable:
        return lambda named, asked: sum(right(*pair) for pair in zip(named, asked, strict=True))

    mistakes = [
        (
            count(lambda a, b: a[0] == b[0]),
            "the colour is not compared: a yellow banana counts as a green one. Kind and colour must both be right.",
        ),
        (
            count(lambda a, b: a[1] == b[1]),
            "the kind is not compared: a green pear counts as a green orange. Kind and colour must both be right.",
        ),
        (
            count(lambda a, b: a[0] == b[0] or a[1] == b[1]),
            "half right counts as right. Kind and colour must both be right: `and`, not `or`.",
        ),
        (
            lambda named, asked: sum(a in asked for a in named),
            "you look for each picture's answer anywhere in what was asked. Picture 1 must match request 1: use zip.",
        ),
        (lambda named, asked: len(set(named) & set(asked)), "sets forget which picture was asked for what: use zip."),
        (count(lambda a, b: a != b), "that counts the wrong ones."),
        (
            lambda named, asked: count(lambda a, b: a == b)(named, asked) / len(asked),
            "that is a share: give the count.",
        ),
        (lambda named, asked: named == asked, "that says whether all are right. Count how many are."),
    ]
    return compare(attempt, answer, cases, mistakes)
