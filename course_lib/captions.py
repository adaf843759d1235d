"""Captions: from words to tokens. Second in the reading order.

A caption is cut into words, every word has a number (its token), and a row of tokens is what the network sees.
Token 0 means "no word"; a row of zeros is the null caption, which stands for no words at all. What the numbers
mean, the network learns by itself in an embedding (see `model`).
"""

from __future__ import annotations

import difflib
import string
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch takes two seconds to import; words can be read, and refused, without it
    from torch import Tensor

NO_WORD = ""
MAX_WORDS = 12  # unless a caller allows more, longer captions are refused
EXAMPLE = '"a red apple" or "a small green banana on a grey background"'


def split_words(caption: str, max_words: int = MAX_WORDS) -> list[str]:
    """Cut a caption into words: lower case, punctuation is space. "Green Banana!" gives ["green", "banana"].

    Raises TypeError if the caption is no text, ValueError if it holds no word or more than `max_words`.
    """
    if not isinstance(caption, str):
        raise TypeError(f"A caption is text, such as {EXAMPLE}, not {type(caption).__name__}.")
    words = caption.casefold().translate(str.maketrans(dict.fromkeys(string.punctuation, " "))).split()
    if not words:
        raise ValueError(f"The caption holds no word. Write for example {EXAMPLE}.")
    if len(words) > max_words or len(caption) > 40 * max_words:
        raise ValueError(
            f"The caption is too long: {len(words)} words, {len(caption)} characters. "
            f"Say it in at most {max_words} words, for example {EXAMPLE}."
        )
    return words


def build_vocabulary(captions: Iterable[str], max_words: int = MAX_WORDS) -> tuple[str, ...]:
    """All words of some captions, each once, sorted, with the empty "no word" in front: a word's place is its token."""
    return (NO_WORD, *sorted({word for caption in captions for word in split_words(caption, max_words)}))


def known_words(caption: str, vocabulary: Collection[str], max_words: int = MAX_WORDS) -> list[str]:
    """The words of a caption. Raises as `split_words`, and ValueError for a word that the vocabulary lacks."""
    words = split_words(caption, max_words)
    for word in words:
        if word not in vocabulary:
            known = [other for other in vocabulary if other != NO_WORD]
            few = len(listed := ", ".join(known)) <= 1_000  # then all are told, else the nearest
            near = difflib.get_close_matches(word, known, n=1 if few else 3, cutoff=0.5)
            suggestion = " Did you mean " + " or ".join(f'"{other:.40}"' for other in near) + "?" if near else ""
            shown = repr(word[:40])[1:-1] + "…" * (len(word) > 40)  # what a screen would act on is escaped
            knows = f": {listed}" if few else f" the {len(known)} words of its captions, its `vocabulary`"
            raise ValueError(f'The model never learned the word "{shown}".{suggestion} It knows{knows}.')
    return words


def encode(captions: str | Sequence[str], vocabulary: Sequence[str], max_words: int = MAX_WORDS) -> Tensor:
    """Turn one caption or several into tokens, (B, max_words) int64; after the last word come zeros.

    A word's place in the vocabulary is its token; place 0 is "no word". Raises as `known_words`.
    """
    import torch

    captions = list(captions) if isinstance(captions, Iterable) and not isinstance(captions, str) else [captions]
    if not captions:
        raise ValueError(f"There is no caption here. Write for example {EXAMPLE}.")
    number = {word: token for token, word in enumerate(vocabulary)}
    tokens = torch.zeros(len(captions), max_words, dtype=torch.int64)
    for row, caption in zip(tokens, captions, strict=True):
        for place, word in enumerate(known_words(caption, number, max_words)):
            row[place] = number[word]
    return tokens


def decode(tokens: Tensor, vocabulary: Sequence[str]) -> list[str]:
    """Turn (B, L) tokens back into words; a null caption gives the empty text. ValueError for what has no rows."""
    if getattr(tokens, "ndim", 0) != 2:
        raise ValueError("tokens are rows of numbers, (B, L), as `encode` gives them.")
    return [" ".join(vocabulary[token] for token in row if token) for row in tokens.tolist()]


def null_tokens(count: int, max_words: int = MAX_WORDS) -> Tensor:
    """The null caption `count` times: (count, max_words) int64 zeros."""
    import torch

    return torch.zeros(count, max_words, dtype=torch.int64)
