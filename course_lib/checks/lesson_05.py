"""The exercises of lesson 05: tokens, and captions dropped whole."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_lib import train
from course_lib.captions import MAX_WORDS, encode
from course_lib.checks.engine import compare, exercise
from course_lib.fruit.words import VOCABULARY


@exercise("05")
def tokens(attempt: Callable) -> str:
    """Lesson 05: the words of one caption to a list of MAX_WORDS numbers."""
    captions = ["red apple", "an apple that is red", "orange banana", "a small green pear on a grey background"]
    cases = [(f'"{caption}"', (caption.split(),)) for caption in captions]

    def numbers_of(words: Sequence[str]) -> Tensor:
        return encode(" ".join(words), VOCABULARY)

    def numbers(words: Sequence[str]) -> list[int]:
        return [VOCABULARY.index(word) for word in words]

    def answer(words: Sequence[str]) -> list[int]:
        return numbers_of(words)[0].tolist()

    mistakes = [
        (numbers, f"the numbers are right, but there are not {MAX_WORDS} of them: add zeros after the last word."),
        (
            lambda words: [0] * (MAX_WORDS - len(words)) + numbers(words),
            "your zeros come first. The words begin at the first place, and the zeros follow them.",
        ),
        (
            lambda words: [n + 1 for n in numbers(words)] + [0] * (MAX_WORDS - len(words)),
            'your numbers are one too high: the vocabulary counts from 0, and place 0 is taken by "no word".',
        ),
        (
            lambda words: [*range(1, len(words) + 1)] + [0] * (MAX_WORDS - len(words)),
            "that numbers the words by their place in the caption. A token is a word's place in VOCABULARY.",
        ),
        (
            lambda words: [*words] + [""] * (MAX_WORDS - len(words)),
            "these are still words: VOCABULARY.index(word) gives the number of one.",
        ),
        (
            lambda words: [len(word) for word in words] + [0] * (MAX_WORDS - len(words)),
            "that counts the letters of each word. A token is a word's place in VOCABULARY.",
        ),
        (
            lambda words: numbers(words) + [-1] * (MAX_WORDS - len(words)),
            'the empty places hold -1. "No word" has place 0 in the vocabulary, so fill up with 0.',
        ),
        (
            lambda words: encode(" ".join(words), VOCABULARY)[0],
            "the numbers are right; return a list of them, not a tensor.",
        ),
        (
            lambda words: encode(" ".join(words), VOCABULARY),
            "the numbers are right; return a list of them, not a tensor.",
        ),
    ]
    return compare(attempt, answer, cases, mistakes)


@exercise("05")
def drop_captions(attempt: Callable) -> str:
    """Lesson 05: tokens whose random number lies below the rate become the null caption, whole."""
    captions = ["red apple", "a small yellow lemon", "blue grapes", "an orange"] * 3
    given, u = encode(captions, VOCABULARY), torch.rand(12, generator=torch.Generator().manual_seed(5))
    cases = [(f"twelve captions and rate = {rate}", (given, u, rate)) for rate in (0.5, 0.2, 0.0, 1.0)]

    def answer(tokens: Tensor, u: Tensor, rate: float) -> Tensor:
        return train.drop_captions(tokens, rate, torch.Generator().manual_seed(5))  # draws these very numbers

    mistakes = [
        (
            lambda tokens, u, rate: torch.where((u < rate)[:, None], tokens, 0),
            "you dropped the captions that should stay, and kept the others: a caption goes if u is below rate.",
        ),
        (
            lambda tokens, u, rate: torch.where(u >= rate, tokens, 0),
            "single words are dropped: your u lines up with the words. Give it a new axis: u[:, None].",
        ),
        (
            lambda tokens, u, rate: torch.where(u[0] >= rate, tokens, 0),
            "the first caption's number decided for the whole batch. Every caption has a number of its own.",
        ),
        (
            lambda tokens, u, rate: torch.where(u.min() >= rate, tokens, 0),
            "the whole batch is dropped as soon as one caption is. Every caption has a number of its own.",
        ),
        (
            lambda tokens, u, rate: torch.cat([tokens[:, :1] * (u >= rate)[:, None], tokens[:, 1:]], dim=1),
            "only the first word goes. The null caption has no word left at all.",
        ),
        (lambda tokens, u, rate: tokens, "nothing was dropped: where u is below rate, the whole row becomes 0."),
        (
            lambda tokens, u, rate: torch.zeros_like(tokens),
            "everything was dropped: where u is not below rate, keep it.",
        ),
        (
            lambda tokens, u, rate: tokens * u[:, None],
            "that multiplies tokens by random numbers. Compare u with rate first: a caption stays or goes.",
        ),
    ]
    try:
        left = len(attempt(given.clone(), u.clone(), 0.5)) if callable(attempt) else 12
    except Exception:  # `compare` says what is wrong
        left = 12
    if left == int((u >= 0.5).sum()):
        return "Not yet: the dropped captions are gone altogether. Their pictures still need a row each, of zeros."
    return compare(attempt, answer, cases, mistakes)
