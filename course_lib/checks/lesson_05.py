"""The exercises of lesson 05: tokens, captions dropped whole, and two captions with one vector."""

from collections import Counter
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import train
from course_lib.captions import MAX_WORDS, encode, split_words
from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.fruit.words import COLOURS, KINDS, VOCABULARY
from course_lib.weights import load_denoiser

CAPTIONS = ["red apple", "an apple that is red", "orange banana", "a small green pear on a grey background"]
SPLIT = {f'"{caption}"': (caption.split(),) for caption in CAPTIONS}
TWELVE = encode(["red apple", "a small yellow lemon", "blue grapes", "an orange"] * 3, VOCABULARY)
U = torch.rand(12, generator=torch.Generator().manual_seed(5))
RATES = {f"twelve captions and rate = {rate}": (TWELVE, U, rate) for rate in (0.5, 0.2, 0.0, 1.0)}
RATES["a rate that one of the numbers equals"] = TWELVE, U, U[3].item()


def _row(result):
    """A tensor of one row as that row, which is what `encode` gives of a single caption."""
    return result.squeeze(0) if isinstance(result, Tensor) else result


@exercise(lambda words: encode(" ".join(words), VOCABULARY)[0].tolist(), SPLIT, read=_row)
def tokens(words):
    """Lesson 05: the words of one caption to a list of MAX_WORDS numbers."""
    numbers, rest = [VOCABULARY.index(word) for word in words], MAX_WORDS - len(words)
    zeros, plus, order = [0] * rest, [n + 1 for n in numbers], [*range(1, len(words) + 1)]
    lengths = [len(word) for word in words]
    return {
        f"the numbers are right, but there are not {MAX_WORDS} of them: add zeros after the last word.": numbers,
        "your zeros come first. The words begin at the first place, and the zeros follow them.": zeros + numbers,
        'your numbers are one too high: the vocabulary counts from 0, and place 0 is taken by "no word".': plus + zeros,
        "that numbers the words by their place in the caption. A token is a word's place in VOCABULARY.": order + zeros,
        "these are still words: VOCABULARY.index(word) gives the number of one.": [*words, *[""] * rest],
        "that counts the letters of each word. A token is a word's place in VOCABULARY.": lengths + zeros,
        'the empty places hold -1. "No word" has place 0 in the vocabulary, so fill up with 0.': numbers + [-1] * rest,
        "the numbers are right; return a list of them, not a tensor or an array.": torch.tensor(numbers + zeros),
    }


def _rows_gone(kept, again: Callable) -> str | None:
    several = isinstance(kept, list) or (isinstance(kept, Tensor) and kept.ndim)
    if several and len(kept) == int((U >= 0.5).sum()):  # what the first case keeps
        return "the dropped captions are gone altogether. Their pictures still need a row each, of zeros."
    return None


def _drop(tokens: Tensor, u: Tensor, rate: float) -> Tensor:
    return train.drop_captions(tokens, rate, torch.Generator().manual_seed(5))  # draws the very numbers of U


@exercise(_drop, RATES, odd=_rows_gone)
def drop_captions(tokens, u, rate):
    """Lesson 05: tokens whose random number lies below the rate become the null caption, whole."""
    stays, first = u >= rate, tokens * (torch.arange(tokens.shape[1]) == 0)
    return {
        "you dropped the captions that should stay, and kept the others: a caption goes if u is below rate.": (
            tokens * ~stays[:, None]
        ),
        "single words are dropped: your u lines up with the words. Give it a new axis: u[:, None].": tokens * stays,
        "the first caption's number decided for the whole batch. Every caption has a number of its own.": (
            tokens * stays[0]
        ),
        "the whole batch is dropped as soon as one caption is. Every caption has a number of its own.": (
            tokens * stays.all()
        ),
        "only the first word goes. The null caption has no word left at all.": tokens - first * ~stays[:, None],
        "nothing was dropped: where u is below rate, the whole row becomes 0.": tokens,
        "everything was dropped: where u is not below rate, keep it.": 0 * tokens,
        "that multiplies tokens by random numbers. Compare u with rate first: a caption stays or goes.": (
            tokens * u[:, None]
        ),
    }


_denoiser = cache(load_denoiser)
ROUNDING = 1e-4  # two sums of the same vectors in another order differ by less
CONFUSED = ("a red apple on a green apple", "a green apple on a red apple")


@torch.no_grad()
def alike(captions: list[str]) -> tuple[bool, float]:
    """Whether the shipped network makes the same vector of two captions, up to rounding, and their cosine."""
    one, other = _denoiser().caption(encode(captions, VOCABULARY))
    return bool((one - other).abs().max() < ROUNDING), F.cosine_similarity(one, other, dim=0).item()


def _pairs(words: list[str]) -> Counter:
    """How often each word stands before each other; the last one stands before "", no word."""
    return Counter(zip(words, [*words[1:], ""], strict=True))


@check(Exercise(CONFUSED))
def same_vector(attempt) -> str:
    """Lesson 05: two captions with the same words in another order, of which the encoder makes the same vector."""
    if attempt is ... or (isinstance(attempt, list | tuple) and [*attempt] == [...] * len(attempt) != []):
        return UNTOUCHED
    if not isinstance(attempt, list | tuple) or len(attempt) != 2 or not all(isinstance(one, str) for one in attempt):
        return 'Not yet: give two captions, such as ("a red apple", "an apple that is red").'
    words = [*map(split_words, attempt)]
    unknown = [word for caption in words for word in caption if word not in VOCABULARY[1:]]
    if unknown:
        return f'Not yet: the network knows no "{unknown[0]}". The list of its words stands under "Tokens" above.'
    if not all(0 < len(caption) <= MAX_WORDS for caption in words):
        return f"Not yet: a caption has from 1 to {MAX_WORDS} words."
    if words[0] == words[1]:
        return "Not yet: that is one caption, twice. Put its words in another order."
    if sorted(words[0]) != sorted(words[1]):
        return "Not yet: both captions must have the very same words, in another order."
    if not {*words[0]} & {*COLOURS, *KINDS}:
        return "Not yet: these ask for nothing. Take a colour or a fruit into them."
    same, cosine = alike([*attempt])
    if not same:
        word, after = next(iter(_pairs(words[0]) - _pairs(words[1])))
        pair = f'"{word} {after}"' if after else f'"{word}" at the end'
        hint = f"The encoder notes each word with the one after it, and {pair} is in your first caption only."
        return f"Not yet: these are two vectors, of cosine {min(cosine, 0.9999):.4f}. {hint}"
    return RIGHT
