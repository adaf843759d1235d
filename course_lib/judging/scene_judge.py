"""The judge of scenes: how many fruits it sees, kind, colour and size of each from left to right, and the background.

As `judge`, it is a separate network, trained on drawings of all 64 pairs with seeds of their own, three fruits side by
side among them.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.beyond.attention import Attention
from course_lib.fruit.scenes import SIZE, Scene, Thing, draw_many, random_scene
from course_lib.fruit.words import COLOURS, KINDS, SCENE_BACKGROUNDS, SIZES
from course_lib.judging.eyes import convolutions
from course_lib.judging.judge import blur_and_noise, fit
from course_lib.judging.measure import clipped
from course_lib.noise import Pictures
from course_lib.tools.bars import Bar, no_bar
from course_lib.tools.pixels import from_bytes

JUDGE_SEED, TEST_SEED = 2_000_001, 2_000_002  # of the judge's drawings; the training scenes have seed 2,000,000
MOST = 3  # fruits in a scene
SIZE_WORDS = tuple(SIZES)  # "small", "" and "large"
SLOTS = [slice(n * (n - 1) // 2, n * (n + 1) // 2) for n in range(1, MOST + 1)]  # of 1 fruit; of 2 fruits; of 3


class Seen(NamedTuple):
    """What the judge sees in a picture."""

    things: tuple[Thing, ...]  # (kind, colour) from left to right
    sizes: tuple[str, ...]  # of each, from `SIZE_WORDS`
    background: str


class SceneJudge(nn.Module):
    """A small convolutional network for 64 x 64 pictures; one reader for each place in a row of one, two or three.

    All readers share what tells kinds and colours apart, so a pair that is rare in one place is known from the others.
    It has `width` channels after the first convolution.
    """

    def __init__(
        self,
        width: int = 32,
        kinds: Sequence[str] = KINDS,
        colours: Sequence[str] = COLOURS,
        backgrounds: Sequence[str] = SCENE_BACKGROUNDS,
    ):
        super().__init__()
        self.config = dict(width=width, kinds=list(kinds), colours=list(colours), backgrounds=list(backgrounds))
        self.look, before = convolutions(width, (2, 1, 2, 1, 2)), 4 * width
        self.places = nn.Parameter(0.1 * torch.randn(64, before))  # 8 x 8 places
        self.readers = nn.Parameter(torch.randn(SLOTS[-1].stop, before))
        self.read = Attention(before, before)
        self.name_it = nn.Sequential(nn.LayerNorm(before), nn.Linear(before, 128), nn.SiLU())
        self.kind, self.colour, self.size = (nn.Linear(128, len(words)) for words in (kinds, colours, SIZE_WORDS))
        self.count, self.background = nn.Linear(64 * before, MOST), nn.Linear(before, len(backgrounds))

    def look_at(self, x: Pictures) -> Tensor:
        """What it sees at each of 8 x 8 places of pictures (B, 3, 64, 64): (B, 64, C). Raises as `clipped`."""
        return self.look(clipped(x, SIZE)).flatten(2).transpose(1, 2)

    def features(self, x: Pictures) -> Tensor:
        """What it sees in pictures, over all places: (B, C). Raises as `look_at`."""
        return self.look_at(x).mean(dim=1)

    def forward(self, x: Pictures) -> tuple[Tensor, ...]:
        """Look at pictures, clipped to [-1, 1]. Raises as `look_at`.

        Returns logits: kinds (B, 6, 8), colours (B, 6, 8) and sizes (B, 6, 3), for the one of a row of one, the two of
        a row of two, the three of a row of three (see `SLOTS`); count (B, 3); background (B, 6).
        """
        h = self.look_at(x)
        readers = self.readers.expand(len(x), -1, -1)
        known = torch.ones(h.shape[:2], dtype=torch.bool, device=x.device)
        read, _ = self.read(readers, h + self.places, known)
        named = self.name_it(read)
        each = (self.kind(named), self.colour(named), self.size(named))
        return *each, self.count(h.flatten(1)), self.background(h.mean(dim=1))

    @torch.no_grad()
    def see(self, x: Pictures) -> list[Seen]:
        """What is most likely in each picture."""
        seen, words = [], self.config
        for *each, count, background in zip(*(logits.argmax(dim=-1).tolist() for logits in self(x)), strict=True):
            kinds, colours, sizes = (part[SLOTS[count]] for part in each)
            things = tuple((words["kinds"][k], words["colours"][c]) for k, c in zip(kinds, colours, strict=True))
            seen.append(Seen(things, tuple(SIZE_WORDS[s] for s in sizes), words["backgrounds"][background]))
        return seen


def judged_scenes(count: int, seed: int) -> list[Scene]:
    """Scenes of one, two, two or three fruits in turn, things and all else at random from the seed."""
    generator = torch.Generator().manual_seed(seed)
    return [random_scene(generator, [(None, None)] * (1, 2, 2, 3)[i % 4]) for i in range(count)]


def judge_loss(judge: SceneJudge, x: Pictures, scenes: Sequence[Scene]) -> Tensor:
    """The sum of the cross-entropies of count, background, kinds, colours and sizes: a scalar.

    Only the readers for as many fruits as there are count; the others may say what they like.
    """
    named = torch.full((3, len(scenes), SLOTS[-1].stop), -100)  # -100: not asked
    kinds, colours, backgrounds = (judge.config[name].index for name in ("kinds", "colours", "backgrounds"))
    for i, scene in enumerate(scenes):
        words = [(kinds(f.kind), colours(f.colour), SIZE_WORDS.index(f.size_word)) for f in scene.fruits]
        named[:, i, SLOTS[len(words) - 1]] = torch.tensor(words).T
    counts = torch.tensor([len(scene.fruits) - 1 for scene in scenes])
    grounds = torch.tensor([backgrounds(scene.background) for scene in scenes])
    *each, count, background = judge(x)
    of_things = sum(F.cross_entropy(a.flatten(0, 1), b.flatten()) for a, b in zip(each, named, strict=True))
    return of_things + F.cross_entropy(count, counts) + F.cross_entropy(background, grounds)


def train_judge(
    judge: SceneJudge, *, steps: int = 3000, drawings: int = 12_000, seed: int = 0, bar: Bar = no_bar
) -> Iterator[float]:
    """Train a judge in place on its own drawings, slightly blurred and noised at random. Yields as `fit`."""
    scenes = judged_scenes(drawings, JUDGE_SEED)
    pictures = draw_many(scenes, bar=bar)

    def loss(pick: Tensor, g: torch.Generator) -> Tensor:
        x = blur_and_noise(from_bytes(pictures[pick]), torch.rand(64, 1, 1, 1, generator=g) < 0.5, g)
        return judge_loss(judge, x, [scenes[i] for i in pick.tolist()])

    yield from fit(judge, loss, len(scenes), steps, seed)
