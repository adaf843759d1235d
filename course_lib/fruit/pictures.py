"""The training pictures and their captions: 56 of the 64 pairs of kind and colour, drawn once and kept in a file."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.captions import encode
from course_lib.fruit import drawing, shapes, words
from course_lib.fruit.drawing import Fruit, draw, random_fruit
from course_lib.fruit.prompts import phrasings
from course_lib.fruit.words import SIZE, TRAINING_PAIRS, VOCABULARY
from course_lib.tools.bars import Bar, no_bar
from course_lib.tools.files import DRAWN
from course_lib.tools.kept import drawn_once, named_for
from course_lib.tools.pixels import from_bytes, to_bytes

PER_PAIR = 256  # 56 x 256 = 14,336 pictures
TRAINING_SEED = 0


class Pictures(NamedTuple):
    """Captioned pictures and what was recorded when they were drawn."""

    x0: Tensor  # (N, 3, H, W) float32 in [-1, 1]
    tokens: Tensor  # (N, 8, MAX_WORDS) int64: eight phrasings of each caption
    fruits: list[Fruit]  # N recorded factors


def random_fruits(pairs: Sequence[tuple[str, str]], per_pair: int, seed: int) -> list[Fruit]:
    """Factors of `per_pair` pictures of each (kind, colour), all else at random from the seed."""
    generator = torch.Generator().manual_seed(seed)
    return [random_fruit(generator, kind, colour) for _ in range(per_pair) for kind, colour in pairs]


def draw_many(fruits: Sequence[Fruit], size: int = SIZE, bar: Bar = no_bar) -> Tensor:
    """Draw pictures in portions, with a progress bar: (N, 3, size, size) float32 in [-1, 1]."""
    return torch.cat([draw(fruits[i : i + 256], size) for i in bar(range(0, len(fruits), 256))])


def draw_bytes(fruits: Sequence[Fruit], size: int = SIZE, bar: Bar = no_bar) -> Tensor:
    """The same, (N, 3, size, size) uint8, in little more memory than that: for many and large ones."""
    return torch.cat([to_bytes(draw(fruits[i : i + 256], size)) for i in bar(range(0, len(fruits), 256))])


def draw_asked(asked: Sequence[dict], generator: torch.Generator, size: int = SIZE) -> Tensor:
    """Draw what prompts ask for, all else at random: (N, 3, size, size) float32 in [-1, 1]."""
    return draw([random_fruit(generator, **factors) for factors in asked], size)


def caption_tokens(fruits: Sequence[Fruit]) -> Tensor:
    """The tokens of all phrasings for each fruit: (N, 8, MAX_WORDS) int64."""
    said = [(f.kind, f.colour, f.size_word, f.background) for f in fruits]
    known = {factors: encode(phrasings(*factors), VOCABULARY) for factors in set(said)}
    return torch.stack([known[factors] for factors in said])


def training_pictures(path: str | Path = DRAWN / "pictures.safetensors", bar: Bar = no_bar, times: int = 1) -> Pictures:
    """Open the training pictures; draw them anew, with a bar, where there is no file or the renderer has changed since.

    times: so many times as many, in a file of their own beside the usual one; they begin with the usual ones. Raises
    ValueError if the file is damaged; the message says what to do.
    """
    per_pair, path = times * PER_PAIR, named_for(path, times)

    def make() -> tuple[Tensor, list[dict]]:
        fruits = random_fruits(TRAINING_PAIRS, per_pair, TRAINING_SEED)
        return to_bytes(draw_many(fruits, bar=bar)), [asdict(f) for f in fruits]

    values = TRAINING_PAIRS, per_pair, TRAINING_SEED, SIZE
    x0, factors = drawn_once(path, [words, shapes, drawing, random_fruits, draw_many, to_bytes, values], make)
    fruits = [Fruit(**factor) for factor in factors]
    return Pictures(from_bytes(x0), caption_tokens(fruits), fruits)
