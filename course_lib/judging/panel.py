"""The panel: judges of different build, each trained on drawings of its own. A picture is right if all say so.

One judge alone is lenient: it has only ever seen good drawings, and a bad picture of a green banana is still more like
a banana than like anything else it knows. What one build overlooks another sees. No weights are trained or chosen
by the panel: it reports. (The levels at which the shipped network is guided were, see data/benchmarks/recipe.md.)
"""

from collections.abc import Iterator, Mapping, Sequence

import torch.nn.functional as F
from torch import nn

from course_lib.fruit.pictures import draw_many, random_fruits
from course_lib.fruit.words import ALL_PAIRS, COLOURS, KINDS, SIZE
from course_lib.judging.counts import Score, by_pair
from course_lib.judging.judge import JUDGE_SEED, TEST_SEED, Judge, train_judge
from course_lib.judging.measure import clipped
from course_lib.noise import Pictures
from course_lib.tools.bars import Bar, no_bar

CRISP = 128  # side of the pictures that one of them looks at, where there are any
SEATS = {  # how the judges are built, see `eyes`
    "broad": dict(build="broad", width=32),
    "apart": dict(build="apart", width=48),
    "squares": dict(build="squares", width=96),
    "crisp": dict(build="apart", width=48, side=CRISP),
}
DISAGREE = ""  # what the panel calls kind or colour where its judges differ


class Panel(nn.Module):
    """Judges by name, who look at the same pictures; `SEATS` says how each is built, unless `seats` does.

    It is ready to be asked: naming changes nothing about it. Raises ValueError as `Judge`, and where none of the judges
    looks at pictures of 32 pixels.
    """

    def __init__(
        self,
        seats: Mapping[str, Mapping] = SEATS,
        kinds: Sequence[str] = KINDS,
        colours: Sequence[str] = COLOURS,
    ):
        super().__init__()
        seats = {name: dict(seat) for name, seat in dict(seats).items()}
        self.config = dict(seats=seats, kinds=list(kinds), colours=list(colours))
        self.judges = nn.ModuleDict({name: Judge(kinds=kinds, colours=colours, **seat) for name, seat in seats.items()})
        if all(judge.config["side"] > SIZE for judge in self.judges.values()):
            raise ValueError(f"A panel needs a judge of pictures of {SIZE} pixels, and none of {[*seats]} is one.")
        self.eval()

    def each(self, x: Pictures) -> dict[str, list[tuple[str, str]]]:
        """What each judge that can see pictures of this size names: (kind, colour) of each picture.

        Pictures (B, 3, side, side) of 32 pixels or a multiple; a judge of smaller ones sees them averaged down. Raises
        ValueError as `clipped`, and for other sizes.
        """
        x = clipped(x)
        side = x.shape[-1]
        if x.shape[-2] != side or side % SIZE:
            raise ValueError(f"The panel looks at squares of {SIZE} pixels or a multiple, not {tuple(x.shape[-2:])}.")
        named = {}
        for name, judge in self.judges.items():
            if (own := judge.config["side"]) <= side:
                parts = (part if own == side else F.interpolate(part, size=own, mode="area") for part in x.split(256))
                named[name] = [pair for part in parts for pair in judge.name(part)]
        return named

    def name(self, x: Pictures) -> list[tuple[str, str]]:
        """The (kind, colour) that all see in each picture, "" for what they do not agree on. Raises as `each`."""
        every = zip(*self.each(x).values(), strict=True)
        return [tuple(said[0] if len(set(said)) == 1 else DISAGREE for said in zip(*one, strict=True)) for one in every]


def train_panel(
    panel: Panel, *, steps: int = 3000, per_pair: int = 300, seed: int = 0, bar: Bar = no_bar
) -> Iterator[float]:
    """Train the judges of a panel in place, one after another, each on drawings and chance of its own.

    As `train_judge`; yields the loss of each of len(panel.judges) x steps steps.
    """
    for i, judge in enumerate(panel.judges.values(), start=1):
        own = dict(seed=seed + i, drawings=JUDGE_SEED + 100 * i)
        yield from train_judge(judge.train(), steps=steps, per_pair=per_pair, bar=bar, **own)
        judge.eval()


def panel_on_drawings(panel: Panel, count: int = 2000, size: int = SIZE, bar: Bar = no_bar) -> dict[str, Score]:
    """How often each judge, and all together, are right about fresh drawings of this size of all 64 pairs.

    Returns a `Score` for each judge by name, for "all", and, by all, for each pair, such as "green banana".
    """
    fruits = random_fruits(ALL_PAIRS, -(-count // len(ALL_PAIRS)), TEST_SEED)[:count]
    pairs = [(f.kind, f.colour) for f in fruits]
    each = panel.each(draw_many(fruits, size, bar))
    right = {name: [a == b for a, b in zip(named, pairs, strict=True)] for name, named in each.items()}
    right["all"] = [all(one) for one in zip(*right.values(), strict=True)]
    return {name: Score(sum(oks), len(oks)) for name, oks in right.items()} | by_pair(right["all"], pairs)
