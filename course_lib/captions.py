"""Captions: from words to tokens. Second in the reading order.

A caption is cut into words, every word has a number (its token), and a row of tokens is what the network sees.
Token 0 means "no word"; a row of zeros is the null caption, which stands for no words at all. What the numbers
mean, the network learns by itself in an embedding (see `model`).
"""

import difflib
import string
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from course_lib.fruit.words import BACKGROUNDS, COLOURS, KINDS

MAX_WORDS = 12  # longer captions are refused
SIZES = ("small", "large")
NO_WORD = ""
# "orange" stands here once: one word, one token, a fruit or a colour by its place in the caption.
VOCABULARY = tuple(
    dict.fromkeys(
        (
            NO_WORD,
            "a",
            "an",
            "that",
            "is",
            "are",
            "on",
            "background",
            "fruit",
            *SIZES,
            *BACKGROUNDS,
            *COLOURS,
            *KINDS,
        )
    )
)
EXAMPLE = '"a red apple" or "a small green banana on a grey background"'


def split_words(caption: str, max_words: int = MAX_WORDS) -> list[str]:
    """Cut a caption into words: lower case, punctuation is space. "Green Banana!" gives ["green", "banana"].

    Raises:
        TypeError: the caption is no text.
        ValueError: it holds no word, or more than `max_words`.
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


def encode(captions: str | Sequence[str], vocabulary: Sequence[str] = VOCABULARY, max_words: int = MAX_WORDS) -> Tensor:
    """Turn captions into tokens.

    Args:
        captions: one caption or several.
        vocabulary: the known words; a word's place in it is its token. Place 0 is "no word".
        max_words: longer captions are refused.

    Returns:
        tokens, (B, max_words) int64; after the last word come zeros.

    Raises:
        TypeError: a caption is no text.
        ValueError: a caption is empty, too long, or holds a word outside the vocabulary; the message names the
            word, suggests the nearest known one and lists the vocabulary.
    """
    captions = list(captions) if isinstance(captions, Iterable) and not isinstance(captions, str) else [captions]
    number = {word: token for token, word in enumerate(vocabulary)}
    tokens = torch.zeros(len(captions), max_words, dtype=torch.int64)
    for row, caption in zip(tokens, captions, strict=True):
        for place, word in enumerate(split_words(caption, max_words)):
            if word not in number:
                raise ValueError(_unknown_word(word, vocabulary))
            row[place] = number[word]
    return tokens


def _unknown_word(word: str, vocabulary: Sequence[str]) -> str:
    known = [w for w in vocabulary if w != NO_WORD]
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    suggestion = f' Did you mean "{near[0]}"?' if near else ""
    shown = word if len(word) <= 40 else word[:40] + "…"
    return f'The model never learned the word "{shown}".{suggestion} It knows: {", ".join(known)}.'


def decode(tokens: Tensor, vocabulary: Sequence[str] = VOCABULARY) -> list[str]:
    """Turn (B, L) tokens back into words; a null caption gives the empty text."""
    return [" ".join(vocabulary[token] for token in row if token) for row in tokens.tolist()]


def null_tokens(count: int) -> Tensor:
    """The null caption `count` times: (count, MAX_WORDS) int64 zeros."""
    return torch.zeros(count, MAX_WORDS, dtype=torch.int64)
