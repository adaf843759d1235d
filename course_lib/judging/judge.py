"""The judge: a separate network that names kind and colour of a fruit, so that nobody has to take our word.

It is trained on drawings of all 64 pairs, with seeds of their own, which the denoiser never sees. Alone it is lenient:
what the denoiser makes is counted by a `panel`.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.fruit.pictures import draw_bytes, draw_many, random_fruits
from course_lib.fruit.words import ALL_PAIRS, COLOURS, KINDS, SIZE, check_choice
from course_lib.judging.counts import Score, by_pair
from course_lib.judging.eyes import BUILDS, SEEN
from course_lib.judging.measure import clipped
from course_lib.noise import Pictures, check_number
from course_lib.tools.bars import Bar, no_bar
from course_lib.tools.pixels import Bytes

JUDGE_SEED, TEST_SEED = 1_000_001, 1_000_002  # of the judge's drawings; the training pictures have seed 0


class Judge(nn.Module):
    """A small classifier of square pictures: it names a fruit's kind and its colour.

    build: what it sees with, see `eyes`; width: how many channels that begins with; side: of the pictures, in pixels,
    32 or a multiple. Raises ValueError for any other.
    """

    def __init__(
        self,
        width: int = 32,
        kinds: Sequence[str] = KINDS,
        colours: Sequence[str] = COLOURS,
        build: str = "plain",
        side: int = SIZE,
    ):
        super().__init__()
        check_choice("build", build, [*BUILDS])
        check_number("width", width)
        check_number("side", side, SIZE)
        if side % SIZE:
            raise ValueError(f"A judge looks at squares of {SIZE} pixels or a multiple, not side={side}.")
        self.config = dict(width=width, kinds=list(kinds), colours=list(colours), build=build, side=side)
        self.look = BUILDS[build](width, side)
        self.kind = nn.Linear(SEEN, len(kinds))
        self.colour = nn.Linear(SEEN, len(colours))

    def features(self, x: Pictures) -> Tensor:
        """What the judge sees in pictures (B, 3, side, side), clipped to [-1, 1]: (B, 128). Raises as `clipped`."""
        return self.look(clipped(x, self.config["side"]))

    def forward(self, x: Pictures) -> tuple[Tensor, Tensor]:
        """Pictures to (B, kinds) logits and (B, colours) logits."""
        seen = self.features(x)
        return self.kind(seen), self.colour(seen)

    @torch.no_grad()
    def name(self, x: Pictures) -> list[tuple[str, str]]:
        """The most likely (kind, colour) of each picture."""
        kind, colour = self(x)
        kinds, colours = self.config["kinds"], self.config["colours"]
        return [(kinds[k], colours[c]) for k, c in zip(kind.argmax(1), colour.argmax(1), strict=True)]


def blur_and_noise(x: Pictures, blurred: Tensor, generator: torch.Generator) -> Pictures:
    """Blur those pictures where `blurred`, (B, 1, 1, 1) bool, is true; add a little noise to all."""
    x = torch.where(blurred, F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1), x)
    return x + 0.1 * torch.rand(len(x), 1, 1, 1, generator=generator) * torch.randn(x.shape, generator=generator)


def fit(judge: nn.Module, loss: Callable, count: int, steps: int, seed: int) -> Iterator[float]:
    """Make a loss small by AdamW, with a learning rate that rises and falls once; yields the loss of each step.

    The loss is asked for 64 of `count` drawings at a time, as loss(their places, generator).
    """
    g = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
    for _ in range(steps):
        error = loss(torch.randint(count, (64,), generator=g), g)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        schedule.step()
        yield error.item()


def train_judge(
    judge: Judge,
    *,
    steps: int = 3000,
    per_pair: int = 300,
    seed: int = 0,
    drawings: int = JUDGE_SEED,
    bar: Bar = no_bar,
) -> Iterator[float]:
    """Train a judge in place on drawings of its own, with that seed, blurred, noised and mirrored at random.

    The blur and the noise keep it from going by details that a generated picture may lack. Yields as `fit`.
    """
    fruits = random_fruits(ALL_PAIRS, per_pair, drawings)
    pictures = Bytes(draw_bytes(fruits, judge.config["side"], bar))
    kinds = torch.tensor([judge.config["kinds"].index(f.kind) for f in fruits])
    colours = torch.tensor([judge.config["colours"].index(f.colour) for f in fruits])

    def loss(pick: Tensor, g: torch.Generator) -> Tensor:
        x = pictures[pick]
        mirrored, blurred = torch.rand(2, 64, 1, 1, 1, generator=g) < 0.5
        kind, colour = judge(blur_and_noise(torch.where(mirrored, x.flip(-1), x), blurred, g))
        return F.cross_entropy(kind, kinds[pick]) + F.cross_entropy(colour, colours[pick])

    yield from fit(judge, loss, len(pictures), steps, seed)


def score(judge: Judge, pictures: Pictures, pairs: Sequence[tuple[str, str]]) -> Score:
    """Count the pictures in which the judge, or a whole panel, finds both the kind and the colour asked for.

    pairs: (kind, colour) for each. Raises ValueError if there are not as many as pictures, and as `name` of the judge.
    """
    if len(pictures) != len(pairs):
        raise ValueError(f"Every picture needs its pair: there are {len(pictures)} pictures and {len(pairs)} pairs.")
    named = judge.name(pictures)
    return Score(sum(a == tuple(b) for a, b in zip(named, pairs, strict=True)), len(named))


def score_pairs(judge: Judge, pictures: Pictures, pairs: Sequence[tuple[str, str]]) -> dict[str, Score]:
    """`score` for the pictures of each pair by themselves, named like "green banana"."""
    named = judge.name(pictures)
    return by_pair([a == tuple(b) for a, b in zip(named, pairs, strict=True)], pairs)


def score_drawings(judge: Judge, count: int = 2000, bar: Bar = no_bar) -> Score:
    """How often the judge is right about fresh drawings of all 64 pairs, which it has not seen."""
    fruits = random_fruits(ALL_PAIRS, -(-count // len(ALL_PAIRS)), TEST_SEED)[:count]
    return score(judge, draw_many(fruits, bar=bar), [(f.kind, f.colour) for f in fruits])
