"""Who counts in benchmarks: the panel, whose own error stands beside each count. The single judge gives features."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from course_lib.judging.counts import Score, together, worst
from course_lib.judging.fruit_exam import HELD_OUT, by_group
from course_lib.judging.panel import Panel
from course_lib.weights import shipped


class Jury(NamedTuple):
    """A panel, and how often it is right about fresh drawings: "held_out", "seen", and each held-out pair."""

    panel: Panel
    fresh: Mapping[str, Score]

    def beside(self, group: str) -> dict:
        """What stands beside the count of a group or a pair: the panel's own, on fresh drawings."""
        right, of = self.fresh[group]
        return dict(panel_on_fresh_drawings=f"{right} of {of} right")


def shipped_jury() -> Jury:
    """The panel that the course ships, with what its file says of it."""
    return Jury(shipped.load_panel(), by_group(shipped.panel_error()))


def worst_pair(each: Sequence[Mapping[str, Score]], names: Sequence[str] = HELD_OUT) -> dict:
    """The held-out pair with the least share right, all of several counts together, for a record's settings."""
    counts = {name: together(scores[name] for scores in each if name in scores) for name in names}
    if not (asked := {name: score for name, score in counts.items() if score.of}):
        return {}
    name = worst(asked)
    return dict(worst_pair=f"{name}, {asked[name].right} of {asked[name].of} right")
