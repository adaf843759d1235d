"""The exam of single fruits: a denoiser is asked for every pair of kind and colour, and the panel counts by pairs."""

from collections.abc import Mapping
from typing import NamedTuple

from course_lib.captions import encode
from course_lib.fruit.prompts import phrasings
from course_lib.fruit.words import HELD_OUT_PAIRS, TRAINING_PAIRS, VOCABULARY
from course_lib.judging.counts import Score, together
from course_lib.judging.exam import examine
from course_lib.judging.judge import Judge, score_pairs
from course_lib.judging.panel import Panel
from course_lib.noise import Model, Pictures
from course_lib.tools.bars import Bar, no_bar

HELD_OUT = tuple(f"{colour} {kind}" for kind, colour in HELD_OUT_PAIRS)  # "green banana", as counts are named
SEEN = tuple(f"{colour} {kind}" for kind, colour in TRAINING_PAIRS)


class Answers(NamedTuple):
    """What a denoiser made of a group of pairs."""

    pairs: list[tuple[str, str]]  # (kind, colour), what was asked for
    pictures: Pictures


def ask_for_pairs(
    model: Model, *, per_pair: int = 32, per_seen_pair: int = 8, seed: int = 0, bar: Bar = no_bar, **how
) -> dict[str, Answers]:
    """Ask a denoiser for the pairs that training never showed, "held_out", and for those that it did, "seen".

    per_pair, per_seen_pair: pictures for each held-out and for each training pair. The seed is that of the noise; `how`
    may be steps and guidance_scale, see `sample`.
    """
    groups = {"held_out": (HELD_OUT_PAIRS, per_pair), "seen": (TRAINING_PAIRS, per_seen_pair)}
    pairs = {group: [pair for pair in named for _ in range(count)] for group, (named, count) in groups.items()}
    asked = {group: [phrasings(*pair)[1] for pair in wanted] for group, wanted in pairs.items()}  # "a green banana"
    tokens = {group: encode(captions, VOCABULARY) for group, captions in asked.items()}
    made = examine(model, tokens, seed=seed, bar=bar, **how)
    return {group: Answers(wanted, made[group]) for group, wanted in pairs.items()}


def count_right(judge: Panel | Judge, answers: Mapping[str, Answers]) -> dict[str, Score]:
    """How many are right: all "held_out", all "seen", and each held-out pair, such as "green banana"."""
    each = {group: score_pairs(judge, made.pictures, made.pairs) for group, made in answers.items()}
    return {group: together(scores.values()) for group, scores in each.items()} | each["held_out"]


def evaluate(model: Model, judge: Panel | Judge, **options) -> dict[str, Score]:
    """`ask_for_pairs` with its options, and `count_right`."""
    return count_right(judge, ask_for_pairs(model, **options))


def by_group(scores: Mapping[str, Score]) -> dict[str, Score]:
    """The counts of all 64 pairs, as `panel_on_drawings` has them, under the names of `count_right`."""
    groups = {"held_out": HELD_OUT, "seen": SEEN}
    found = {group: together(scores[name] for name in names if name in scores) for group, names in groups.items()}
    return found | {name: scores[name] for name in HELD_OUT if name in scores}
