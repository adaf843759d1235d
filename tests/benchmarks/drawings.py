"""Real pictures to hold generated ones against: drawings that no network was trained on, and their captions."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from results import bar
from torch import Tensor

from course_lib.fruit.drawing import random_fruit
from course_lib.fruit.pictures import caption_tokens, draw_many
from course_lib.judging.exam import generate_many
from course_lib.judging.measure import frechet_distance

FRESH_SEED = 1_000_003  # of drawings that neither the denoiser nor the judge was trained or tested on
FULLEST = 5  # the place in `phrasings` of "a small green banana on a grey background"


@torch.no_grad()
def features(judge, x: Tensor) -> Tensor:
    """What a judge sees in pictures, however many: (N, 3, H, W) to (N, F)."""
    return torch.cat([judge.features(part) for part in bar(x.split(512), desc="looking")])


class Drawings(NamedTuple):
    """What generated pictures are compared with: drawings of all 64 pairs at random, and their captions."""

    pairs: list[tuple[str, str]]
    tokens: Tensor  # (N, MAX_WORDS) int64, captions like "a small green banana on a grey background"
    others: Tensor  # (N, 3, 32, 32), other drawings of these captions
    seen: Tensor  # (N, F), what the judge sees in the drawings
    floor: float  # Fréchet distance of the others: as near as pictures that are right can be


def fresh_drawings(judge, count: int, seed: int) -> Drawings:
    """Draw fruits that no network was trained on, and others with the same captions."""
    g = torch.Generator().manual_seed(FRESH_SEED + seed)
    fruits = [random_fruit(g) for _ in range(count)]
    others = [random_fruit(g, f.kind, f.colour, f.size_word, f.background) for f in fruits]
    drawn, others = (draw_many(some, bar=partial(bar, desc="drawing")) for some in (fruits, others))
    seen = features(judge, drawn)
    floor = frechet_distance(features(judge, others), seen)
    return Drawings([(f.kind, f.colour) for f in fruits], caption_tokens(fruits)[:, FULLEST], others, seen, floor)


def over_floor(judge, pictures: Tensor, drawings: Drawings) -> float:
    """How much further pictures of the drawings' captions are from them than other drawings are."""
    return frechet_distance(features(judge, pictures), drawings.seen) / drawings.floor


def distance_over_floor(model: Callable, judge, drawings: Drawings, who: str, **options) -> float:
    """The same for pictures that a model is yet to generate, with the options of `generate`."""
    made = generate_many(model, drawings.tokens, partial(bar, desc=f"{who}: likeness"), **options)
    return over_floor(judge, made, drawings)
