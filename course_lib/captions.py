"""Captions: from words to tokens. Second in the reading order.

A caption is cut into words, every word has a number (its token), and a row of tokens is what the network sees.
Token 0 means "no word"; a row of zeros is the null caption, which stands for no words at all. What the numbers
mean, the network learns by itself in an embedding (see `model`).
"""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch takes two seconds to import; words can be read, and refused, without it
    from torch import Tensor

NO_WORD = ""
MAX_WORDS = 12  # longer captions are refused
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


def build_vocabulary(captions: Iterable[str]) -> tuple[str, ...]:
    """All words of some captions, each once, sorted, with the empty "no word" in front: a word's place is its token."""
    return (NO_WORD, *sorted({word for caption in captions for word in split_words(caption)}))


def known_words(caption: str, vocabulary: Sequence[str], max_words: int = MAX_WORDS) -> list[str]:
    """The words of a caption, all of them in the vocabulary.

    Raises as `split_words`, and a ValueError for a word outside the vocabulary, with the nearest known one.
    """
    words, known = split_words(caption, max_words), [word for word in vocabulary if word != NO_WORD]
    for word in words:
        if word not in vocabulary:
            hint = "".join(f' Did you mean "{near}"?' for near in difflib.get_close_matches(word, known, 1, 0.5))
            shown, listed = word if len(word) <= 40 else word[:40] + "…", ", ".join(known)
            listed = listed if len(listed) <= 1000 else listed[:1000].rpartition(",")[0] + " and more"
            raise ValueError(f'The model never learned the word "{shown}".{hint} It knows: {listed}.')
    return words


def encode(captions: str | Sequence[str], vocabulary: Sequence[str], max_words: int = MAX_WORDS) -> Tensor:
    """Turn one caption or several into tokens, (B, max_words) int64; after the last word come zeros.

    A word's place in the vocabulary is its token; place 0 is "no word". Raises as `known_words`.
    """
    import torch

    captions = list(captions) if isinstance(captions, Iterable) and not isinstance(captions, str) else [captions]
    number = {word: token for token, word in enumerate(vocabulary)}
    tokens = torch.zeros(len(captions), max_words, dtype=torch.int64)
    for row, caption in zip(tokens, captions, strict=True):
        for place, word in enumerate(known_words(caption, vocabulary, max_words)):
            row[place] = number[word]
    return tokens


def decode(tokens: Tensor, vocabulary: Sequence[str]) -> list[str]:
    """Turn (B, L) tokens back into words; a null caption gives the empty text."""
    return [" ".join(vocabulary[token] for token in row if token) for row in tokens.tolist()]


def null_tokens(count: int, max_words: int = MAX_WORDS) -> Tensor:
    """The null caption `count` times: (count, max_words) int64 zeros."""
    import torch

    return torch.zeros(count, max_words, dtype=torch.int64)
