"""Counts with an interval: so many right, of so many."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Z = 1.959963984540054  # a normal variable lies between -Z and Z in 95 of 100 cases


class Score(NamedTuple):
    """How many pictures were right, of how many."""

    right: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the share that is right, Wilson 1927, eq. on page 211."""
        share, slack = self.right / self.of, Z**2 / self.of
        middle = share + slack / 2
        reach = Z * math.sqrt(share * (1 - share) / self.of + slack / (4 * self.of))
        return max(0.0, (middle - reach) / (1 + slack)), min(1.0, (middle + reach) / (1 + slack))

    def as_dict(self) -> dict:
        """For JSON: {"right": n, "of": n, "interval": [low, high]}."""
        return {"right": self.right, "of": self.of, "interval": [round(bound, 4) for bound in self.interval]}


def as_dicts(scores: Mapping[str, Score]) -> dict[str, dict]:
    """Counts by name, for JSON."""
    return {name: score.as_dict() for name, score in scores.items()}


def by_pair(right: Sequence[bool], pairs: Sequence[tuple[str, str]]) -> dict[str, Score]:
    """Counts of each (kind, colour), named like "green banana", from what is right and of which pair each is."""
    of = {pair: [] for pair in pairs}
    for ok, pair in zip(right, pairs, strict=True):
        of[pair].append(ok)
    return {f"{colour} {kind}": Score(sum(oks), len(oks)) for (kind, colour), oks in of.items()}


def together(scores: Iterable[Score]) -> Score:
    """Several counts as one."""
    counts = [*scores]
    return Score(sum(score.right for score in counts), sum(score.of for score in counts))


def worst(scores: Mapping[str, Score]) -> str:
    """The name of the count with the least share right, the first of several. A mean hides it."""
    return min(scores, key=lambda name: scores[name].right / scores[name].of)
