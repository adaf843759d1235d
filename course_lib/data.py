"""The training pictures: 56 of the 64 pairs of kind and colour, drawn once and kept in a file.

Eight pairs, one of each kind, are held out of training in every form: no picture of them, no caption for them.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib import fruit, shapes
from course_lib.captions import encode, phrasings
from course_lib.files import DATA, read_tensors, write_tensors
from course_lib.fruit import COLOURS, KINDS, Fruit, draw, random_fruit

HELD_OUT = {
    "apple": "blue",
    "banana": "green",
    "watermelon": "purple",
    "orange": "green",
    "lemon": "pink",
    "pear": "red",
    "strawberry": "yellow",
    "grapes": "brown",
}
ALL_PAIRS = tuple((kind, colour) for kind in KINDS for colour in COLOURS)
HELD_OUT_PAIRS = tuple(HELD_OUT.items())
TRAINING_PAIRS = tuple(pair for pair in ALL_PAIRS if pair not in HELD_OUT_PAIRS)
PER_PAIR = 256  # 56 x 256 = 14,336 pictures
TRAINING_SEED = 0
SIZE = 32

Bar = Callable[[Iterable], Iterable]  # what shows progress, such as tqdm


def no_bar(items: Iterable) -> Iterable:
    """The progress bar that shows nothing."""
    return items


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


def caption_tokens(fruits: Sequence[Fruit]) -> Tensor:
    """The tokens of all phrasings for each fruit: (N, 8, MAX_WORDS) int64."""
    said = [(f.kind, f.colour, f.size_word, f.background) for f in fruits]
    known = {words: encode(phrasings(*words)) for words in set(said)}
    return torch.stack([known[words] for words in said])


def training_pictures(path: str | Path = DATA / "pictures.safetensors", bar: Bar = no_bar) -> Pictures:
    """Open the training pictures; the first time, draw them.

    They are drawn anew when the file is missing or the renderer has changed since.

    Args:
        path: where they are kept, as bytes.
        bar: shows progress while they are drawn, such as `tqdm`.

    Returns:
        `Pictures` with N = 14,336, H = W = 32, every training pair 256 times.

    Raises:
        ValueError: the file is damaged; the message says what to do.
    """
    recipe = [Path(module.__file__).read_text() for module in (shapes, fruit)]
    recipe += [repr((TRAINING_PAIRS, PER_PAIR, TRAINING_SEED, SIZE))]
    drawn_by = hashlib.sha256("".join(recipe).encode()).hexdigest()
    if Path(path).is_file():
        tensors, about = read_tensors(path)
        if about.get("drawn_by") == drawn_by:
            fruits = [Fruit(**factors) for factors in about["fruits"]]
            return Pictures(tensors["x0"].float() / 127.5 - 1, caption_tokens(fruits), fruits)
    fruits = random_fruits(TRAINING_PAIRS, PER_PAIR, TRAINING_SEED)
    x0 = ((draw_many(fruits, bar=bar) + 1) * 127.5).round().to(torch.uint8)
    write_tensors(path, {"x0": x0}, {"drawn_by": drawn_by, "fruits": [asdict(f) for f in fruits]})
    return Pictures(x0.float() / 127.5 - 1, caption_tokens(fruits), fruits)
