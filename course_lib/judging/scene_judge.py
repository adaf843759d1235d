"""The judge of scenes: how many fruits it sees, kind, colour and size of each from left to right, and the background.

As `judge`, it is a separate network, trained on drawings of all 64 pairs with seeds of their own, three fruits side by
side among them. From what it sees and what was asked for, `score` counts what is right, and what was swapped: the right
kinds and the right colours, but bound to the wrong things.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations, product
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.beyond.attention import Attention
from course_lib.fruit.scene_pictures import TRAINING_COMBINATIONS, WITHHELD
from course_lib.fruit.scene_prompts import Asked, encode, two, understand
from course_lib.fruit.scenes import SIZE, Scene, Thing, draw_many, random_scene
from course_lib.fruit.words import COLOURS, HELD_OUT_PAIRS, KINDS, SIZES, TRAINING_PAIRS, article
from course_lib.fruit.words import SCENE_BACKGROUNDS as BACKGROUNDS
from course_lib.judging.judge import Score, blur_and_noise, fit, generate_many
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

    Args:
        width: channels after the first convolution.
    """

    def __init__(self, width: int = 32):
        super().__init__()
        self.config = dict(width=width)
        layers, before = [], 3
        for here, stride in ((width, 2), (2 * width, 1), (2 * width, 2), (4 * width, 1), (4 * width, 2)):
            layers += [nn.Conv2d(before, here, 3, stride=stride, padding=1), nn.GroupNorm(8, here), nn.SiLU()]
            before = here
        self.look = nn.Sequential(*layers)
        self.places = nn.Parameter(0.1 * torch.randn(64, before))  # 8 x 8 places
        self.readers = nn.Parameter(torch.randn(SLOTS[-1].stop, before))
        self.read = Attention(before, before)
        self.name_it = nn.Sequential(nn.LayerNorm(before), nn.Linear(before, 128), nn.SiLU())
        self.kind, self.colour, self.size = (nn.Linear(128, len(words)) for words in (KINDS, COLOURS, SIZE_WORDS))
        self.count, self.background = nn.Linear(64 * before, MOST), nn.Linear(before, len(BACKGROUNDS))

    def look_at(self, x: Tensor) -> Tensor:
        """What it sees at each of 8 x 8 places in (B, 3, 64, 64) pictures: (B, 64, C) float32.

        Raises:
            ValueError: the pictures have another shape.
        """
        if x.shape[1:] != (3, SIZE, SIZE):
            raise ValueError(f"This judge looks at pictures of shape (B, 3, {SIZE}, {SIZE}), not {tuple(x.shape)}.")
        return self.look(x.clamp(-1, 1)).flatten(2).transpose(1, 2)

    def features(self, x: Tensor) -> Tensor:
        """What it sees in (B, 3, 64, 64) pictures, over all places: (B, C) float32. Raises as `look_at`."""
        return self.look_at(x).mean(dim=1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Look at (B, 3, 64, 64) pictures. Values beyond [-1, 1] are clipped.

        Returns:
            Logits: kinds (B, 6, 8), colours (B, 6, 8) and sizes (B, 6, 3), for the one of a row of one, the two of a
            row of two, the three of a row of three (see `SLOTS`); count (B, 3); background (B, 6).

        Raises:
            ValueError: the pictures have another shape.
        """
        h = self.look_at(x)
        readers = self.readers.expand(len(x), -1, -1)
        known = torch.ones(h.shape[:2], dtype=torch.bool, device=x.device)
        read, _ = self.read(readers, h + self.places, known)
        named = self.name_it(read)
        each = (self.kind(named), self.colour(named), self.size(named))
        return *each, self.count(h.flatten(1)), self.background(h.mean(dim=1))

    @torch.no_grad()
    def see(self, x: Tensor) -> list[Seen]:
        """What is most likely in each of (B, 3, 64, 64) pictures."""
        seen = []
        for *each, count, background in zip(*(logits.argmax(dim=-1).tolist() for logits in self(x)), strict=True):
            kinds, colours, sizes = (part[SLOTS[count]] for part in each)
            things = tuple((KINDS[k], COLOURS[c]) for k, c in zip(kinds, colours, strict=True))
            seen.append(Seen(things, tuple(SIZE_WORDS[s] for s in sizes), BACKGROUNDS[background]))
        return seen


def judged_scenes(count: int, seed: int) -> list[Scene]:
    """Scenes of one, two, two or three fruits in turn, things and all else at random from the seed."""
    generator = torch.Generator().manual_seed(seed)
    return [random_scene(generator, [(None, None)] * (1, 2, 2, 3)[i % 4]) for i in range(count)]


def judge_loss(judge: SceneJudge, x: Tensor, scenes: Sequence[Scene]) -> Tensor:
    """The sum of the cross-entropies of count, background, kinds, colours and sizes: a scalar.

    Only the readers for as many fruits as there are count; the others may say what they like.
    """
    named = torch.full((3, len(scenes), SLOTS[-1].stop), -100)  # -100: not asked
    for i, scene in enumerate(scenes):
        words = [(KINDS.index(f.kind), COLOURS.index(f.colour), SIZE_WORDS.index(f.size_word)) for f in scene.fruits]
        named[:, i, SLOTS[len(words) - 1]] = torch.tensor(words).T
    counts = torch.tensor([len(scene.fruits) - 1 for scene in scenes])
    grounds = torch.tensor([BACKGROUNDS.index(scene.background) for scene in scenes])
    *each, count, background = judge(x)
    of_things = sum(F.cross_entropy(a.flatten(0, 1), b.flatten()) for a, b in zip(each, named, strict=True))
    return of_things + F.cross_entropy(count, counts) + F.cross_entropy(background, grounds)


def train_judge(
    judge: SceneJudge, *, steps: int = 3000, drawings: int = 12_000, seed: int = 0, bar: Bar = no_bar
) -> Iterator[float]:
    """Train a judge in place on its own drawings, slightly blurred and noised at random, as `judge.train_judge` does.

    Yields:
        The loss after each step.
    """
    scenes = judged_scenes(drawings, JUDGE_SEED)
    pictures = draw_many(scenes, bar=bar)
    g = torch.Generator().manual_seed(seed)

    def loss() -> Tensor:
        pick = torch.randint(len(scenes), (64,), generator=g)
        x = blur_and_noise(from_bytes(pictures[pick]), torch.rand(64, 1, 1, 1, generator=g) < 0.5, g)
        return judge_loss(judge, x, [scenes[i] for i in pick.tolist()])

    yield from fit(judge, loss, steps)


class Verdict(NamedTuple):
    """What is right about one picture; `None` where nothing was asked."""

    count: bool  # as many fruits as asked for
    kinds: bool  # the kinds asked for, whatever their colours
    colours: bool  # the colours asked for, whatever wears them
    things: bool  # each colour on its own kind
    sizes: bool | None  # and each "small" and "large" said of it is true
    order: bool | None  # the things stand from left to right as asked for
    background: bool | None

    @property
    def all_right(self) -> bool:
        """Everything that was asked for is there."""
        return all(right is not False for right in self)

    @property
    def swapped(self) -> bool:
        """The right kinds and the right colours, bound to the wrong things: a red banana and a green apple."""
        return self.kinds and self.colours and not self.things


def compare(asked: Asked, seen: Seen) -> Verdict:
    """Compare what was asked for, each thing with kind and colour, with what the judge sees."""
    sizes = [thing["size_word"] for thing in asked.things]
    wanted = tuple((thing["kind"], thing["colour"]) for thing in asked.things)
    wanted_kinds, wanted_colours = (Counter(part) for part in zip(*wanted, strict=True))
    kinds, colours = (Counter(part) for part in zip(*seen.things, strict=True))
    rows = list(zip(seen.things, seen.sizes, strict=True))
    sized = any(
        tuple(thing for thing, _ in row) == wanted
        and all(word in (None, there) for word, (_, there) in zip(sizes, row, strict=True))
        for row in ([rows] if asked.in_order else permutations(rows))
    )
    return Verdict(
        count=len(seen.things) == len(wanted),
        kinds=kinds == wanted_kinds,
        colours=colours == wanted_colours,
        things=Counter(seen.things) == Counter(wanted),
        sizes=sized if any(sizes) else None,
        order=seen.things == wanted if asked.in_order else None,
        background=seen.background == asked.background if asked.background else None,
    )


def judge_pictures(judge: SceneJudge, pictures: Tensor, captions: Sequence[str]) -> list[Verdict]:
    """Have the judge look at pictures, (B, 3, 64, 64), and compare them with their captions.

    Raises:
        ValueError: there are not as many captions as pictures; or one leaves a kind or a colour open.
    """
    if len(pictures) != len(captions):
        raise ValueError(
            f"Every picture needs its caption: there are {len(pictures)} pictures and {len(captions)} captions."
        )
    asked = [understand(caption) for caption in captions]
    for caption, wish in zip(captions, asked, strict=True):
        if not all(thing["kind"] and thing["colour"] for thing in wish.things):
            raise ValueError(f'"{caption}" leaves open what would be right: name kind and colour of each fruit.')
    seen = [one for part in pictures.split(256) for one in judge.see(part)]
    return [compare(wish, one) for wish, one in zip(asked, seen, strict=True)]


def score(verdicts: Sequence[Verdict]) -> dict[str, Score]:
    """Count what is right: a `Score` for each attribute, for "all right", and how many are "swapped".

    An attribute that no caption asked for has no score.
    """
    told = {name: [getattr(verdict, name) for verdict in verdicts] for name in Verdict._fields}
    told |= {"all right": [v.all_right for v in verdicts], "swapped": [v.swapped for v in verdicts]}
    asked = {name: [right for right in values if right is not None] for name, values in told.items()}
    return {name: Score(sum(values), len(values)) for name, values in asked.items() if values}


def score_drawings(judge: SceneJudge, count: int = 2000, bar: Bar = no_bar) -> dict[str, Score]:
    """How often the judge is right about fresh drawings, which it has not seen; "one", "two", "three": of so many."""
    scenes = judged_scenes(count, TEST_SEED)
    seen = [one for part in draw_many(scenes, bar=bar).split(256) for one in judge.see(from_bytes(part))]
    verdicts = [
        compare(Asked(tuple(vars(f) | {"size_word": f.size_word} for f in s.fruits), True, s.background), one)
        for s, one in zip(scenes, seen, strict=True)
    ]
    of = {
        name: [v.all_right for v, s in zip(verdicts, scenes, strict=True) if len(s.fruits) == number]
        for number, name in enumerate(("one", "two", "three"), start=1)
    }
    return score(verdicts) | {name: Score(sum(right), len(right)) for name, right in of.items()}


# What a denoiser is asked for

JOINTS = (" and ", " to the left of ", " to the right of ", " beside ")


def sentence(things: Sequence[Sequence[str]], form: int, background: str | None = None) -> str:
    """A caption for things, from left to right. form: which of `JOINTS` stands between them; two alike are "two …".

    things: (kind, colour), or (kind, colour, size_word), of each.
    """
    names = [article(" ".join((*size_word, colour, kind))) for kind, colour, *size_word in things]
    if len(things) == 2 and things[0] == things[1]:
        kind, colour = things[0]
        said = two(kind, f"{colour} ")
    else:
        said = JOINTS[form].join(reversed(names) if form == 2 else names)
    return f"{said} on {article(background)} background" if background else said


def questions(count: int = 192, seed: int = 0) -> dict[str, list[str]]:
    """What to ask a denoiser for, in groups of `count` captions, the same for the same seed.

    - "seen": two things that stood side by side in training;
    - "unseen": two things that never did, though each was seen with others (`WITHHELD`);
    - "one held out": one of the eight held-out pairs of kind and colour, with a thing that was trained on;
    - "two held out": two of the eight;
    - "held out alone": one of the eight, and nothing else;
    - "three": three things, of which training has no picture and no caption;
    - "either order": two things that stood side by side in training, and "beside", so that either may be on the left;
    - "sizes": two things that stood side by side in training, one "small", the other "large".

    In the other groups two things are joined by "and", "to the left of" and "to the right of" in turn. In all, every
    second caption names a background.
    """
    g = torch.Generator().manual_seed(seed)

    def chosen(options: Sequence, number: int = count) -> list:
        order = torch.cat([torch.randperm(len(options), generator=g) for _ in range(-(-number // len(options)))])
        return [options[i] for i in order[:number].tolist()]

    rare = list(HELD_OUT_PAIRS)
    rows = {
        "seen": chosen(TRAINING_COMBINATIONS),
        "unseen": chosen(WITHHELD),
        "one held out": chosen(list(product(rare, TRAINING_PAIRS))),
        "two held out": chosen([(a, b) for a, b in product(rare, rare) if a != b]),
        "held out alone": [(thing,) for thing in chosen(rare)],
        "three": [chosen(TRAINING_PAIRS, max(count, 3))[:3] for _ in range(count)],
        "either order": chosen([(a, b) for a, b in TRAINING_COMBINATIONS if a != b]),
        "sizes": [
            ((*a, "small"), (*b, "large")) for a, b in chosen([c for c in TRAINING_COMBINATIONS if len({*c}) == 2])
        ],
    }
    asked = {}
    for group, wishes in rows.items():
        asked[group] = []
        for i, things in enumerate(wishes):
            turned = things[::-1] if torch.rand((), generator=g) < 0.5 else things
            background = BACKGROUNDS[i // 2 % len(BACKGROUNDS)] if i % 2 else None
            form = 3 if group == "either order" else i // 2 % 3 if len(things) == 2 else 0
            asked[group].append(sentence(turned, form, background))
    return asked


class Answer(NamedTuple):
    """What a denoiser made of a group of questions."""

    captions: list[str]
    pictures: Tensor  # (B, 3, 64, 64)
    verdicts: list[Verdict]


def evaluate(
    model: Callable,
    judge: SceneJudge,
    *,
    count: int = 192,
    steps: int = 50,
    guidance_scale: float = 2.0,
    seed: int = 0,
    bar: Bar = no_bar,
) -> dict[str, Answer]:
    """Ask a denoiser for scenes of every sort, and have the judge look at what it makes.

    Args:
        model: any callable (x_t, t, tokens) -> x0_hat.
        count: captions of each of the groups that `questions` lists.
        steps, guidance_scale, seed: of the sampling.

    Returns:
        An `Answer` for each group; score(answer.verdicts) counts what is right.
    """
    asked = questions(count, seed)
    tokens = encode([caption for captions in asked.values() for caption in captions])
    g = torch.Generator().manual_seed(seed)
    options = dict(generator=g, steps=steps, guidance_scale=guidance_scale, shape=(3, SIZE, SIZE))
    pictures = generate_many(model, tokens, bar, **options)
    return {
        group: Answer(captions, made, judge_pictures(judge, made, captions))
        for (group, captions), made in zip(asked.items(), pictures.split(count), strict=True)
    }
