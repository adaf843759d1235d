"""The rules of the race: the marks, what is run next, what counts as an entry's time. `race` runs it."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from course_lib.fruit.words import HELD_OUT_PAIRS

RIGHT, FAR = 0.95, 5.0  # the marks: share that the whole panel calls right, and distance over the floor
SEEDS, MOST = 9, 5  # seeds of an entry, and how many of them have to reach both marks
CURVE_SEEDS = 3  # seeds at lengths that are run for the figure only
LENGTHS = (15, 30, 60, 120, 240)  # in seconds of training
HELD_OUT_NAMES = [f"{colour} {kind}" for kind, colour in HELD_OUT_PAIRS]
FULL = dict(per_pair=64, drawings=512)
QUICK = dict(per_pair=1, drawings=64)

RULES = f"""\
A recipe makes a network from random weights on two cores. It has reached both marks if

- the whole panel calls at least {100 * RIGHT:g} % of {FULL["per_pair"] * len(HELD_OUT_PAIRS)} pictures right,
  {FULL["per_pair"]} of each of the {len(HELD_OUT_PAIRS)} held-out pairs, and
- the Fréchet distance of {FULL["drawings"]} pictures, whose captions tell everything, is at most {FAR:g} times that
  of drawings.

{MOST} of {SEEDS} seeds have to. The shortest length at which they do is the entry's time, and the shortest time wins.

1. **An entry states its recipe and its lengths before it runs,** in a few lines of `tests/benchmarks/race_recipes.py`.
   Each length is a training run of its own, since the learning rate falls towards the end of a run. The usual lengths
   are {", ".join(map(str, LENGTHS))} seconds; an entry may add its own.
2. **Every length that was run stands below, those that fail too.** Lengths are run from the shortest on, each with the
   seeds 0 to {SEEDS - 1}. A length is left when so many seeds have failed that {MOST} can no longer reach; beyond the
   first that is enough, {CURVE_SEEDS} seeds are run for the figure.
3. **The clock runs while the network trains:** choosing pictures and captions, drawing noise, every step, the average
   of the weights. It rests before and after: drawing the training pictures, starting Python, generating, judging.
4. **The panel is asked once about each run, when that has ended.** Nobody chooses a moment, a seed or a setting by what
   it says of seeds 0 to {SEEDS - 1}. To try things out, take other seeds.
5. **Network, loss, optimiser, guidance and sampling are free. Not free:** training sees the course's 14,336 pictures
   and their captions, so no held-out pair, and nothing that a judge says or another network has learned; it has two
   threads; and the same guidance and steps make the pictures that are counted and those of the distance.
6. **Machines differ,** so beside the seconds stand matmul-seconds: the seconds trained, times the machine's peak, the
   median of products of two 2048 x 2048 float32 matrices just before and just after the run. They are in TFLOP. On
   another machine, an entry is verified over as many matmul-seconds.
"""


def reaches(found: dict) -> bool:
    """Whether what came of one attempt is on the right side of both marks."""
    return found["right"] >= RIGHT * found["of"] and found["distance"] <= FAR


def of_length(attempts: Sequence[dict], length: float) -> list[dict]:
    """Those of some attempts that trained so long."""
    return [found for found in attempts if found["length"] == length]


def due(lengths: Sequence[float], seeds: int, attempts: Sequence[dict]) -> tuple[float, int] | None:
    """The length and the seed that an entry has to run next by rule 2; None where it has run all of its own."""
    enough = False
    for length in sorted(lengths):
        here = of_length(attempts, length)
        reached = sum(map(reaches, here))
        usual, lost = length in LENGTHS, len(here) - reached > SEEDS - MOST
        wanted = (CURVE_SEEDS if usual else 0) if enough else 0 if lost else SEEDS
        if left := sorted({*range(min(wanted, seeds))} - {found["seed"] for found in here}):
            return length, left[0]
        enough = enough or reached >= MOST
    return None


class Spread(NamedTuple):
    """The middle of some numbers, and how far they lie apart."""

    median: float
    least: float
    most: float

    def told(self, how: str, unit: str = "") -> str:
        """In words, each number as the format `how` has it."""
        middle, *ends = (f"{value:{how}}" for value in self)
        return f"{middle}{unit} ({' to '.join(ends)})"


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


class Outcome(NamedTuple):
    """What came of an entry at one length."""

    length: float
    seeds: int
    reached: int  # how many seeds reached both marks
    right: Spread  # in per cent
    distance: Spread
    matmul: Spread  # in TFLOP
    worst: str  # the pair that fewest pictures were right of, in the median, and how many


def outcome(here: Sequence[dict]) -> Outcome:
    """The attempts of an entry at one length, together."""
    of_pairs = {pair: statistics.median(f["right_of_each_pair"][pair] for f in here) for pair in HELD_OUT_NAMES}
    worst = min(of_pairs, key=of_pairs.get)
    return Outcome(
        length=here[0]["length"],
        seeds=len(here),
        reached=sum(map(reaches, here)),
        right=spread([100 * found["right"] / found["of"] for found in here]),
        distance=spread([found["distance"] for found in here]),
        matmul=spread([found["matmul_tflop"] for found in here]),
        worst=f"{worst}, {of_pairs[worst]:g} of {here[0]['per_pair']}",
    )


def outcomes(attempts: Sequence[dict]) -> list[Outcome]:
    """What came of an entry at each length, from the shortest on."""
    return [outcome(of_length(attempts, length)) for length in sorted({found["length"] for found in attempts})]


def shortest(found: Sequence[Outcome]) -> Outcome | None:
    """The time of an entry: the shortest length at which enough of all its seeds reached both marks."""
    return next((o for o in found if o.seeds >= SEEDS and o.reached >= MOST), None)


def attempts_of(rows: Sequence[dict], name: str) -> list[dict]:
    """What was measured of an entry: the settings of its rows."""
    return [row["settings"] for row in rows if row["settings"]["entry"] == name]
