"""Counts with an interval: so many right, of so many."""

import math
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
