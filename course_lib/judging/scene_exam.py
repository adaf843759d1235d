"""What is right about a picture of a scene, and what a denoiser of scenes is asked for.

From what the judge sees and what was asked for, `score` counts what is right, and what was swapped: the right kinds and
the right colours, but bound to the wrong things.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import permutations, product
from typing import NamedTuple

import torch

from course_lib.fruit.scene_pictures import TRAINING_COMBINATIONS, WITHHELD, scene_tokens
from course_lib.fruit.scene_prompts import Asked, two, understand
from course_lib.fruit.scenes import draw_many
from course_lib.fruit.words import HELD_OUT_PAIRS, SCENE_BACKGROUNDS, TRAINING_PAIRS, article
from course_lib.fruit.words import SCENE_SIZE as SIZE
from course_lib.judging.counts import Score
from course_lib.judging.exam import examine
from course_lib.judging.scene_judge import TEST_SEED, SceneJudge, Seen, judged_scenes
from course_lib.noise import Model, Pictures
from course_lib.tools.bars import Bar, no_bar
from course_lib.tools.pixels import from_bytes


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


def judge_pictures(judge: SceneJudge, pictures: Pictures, captions: Sequence[str]) -> list[Verdict]:
    """Have the judge look at pictures of 64 x 64 pixels, and compare them with their captions.

    Raises ValueError if there are not as many captions as pictures, or one leaves a kind or a colour open.
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
    """What to ask a denoiser for, in groups of `count` captions, the same for the same seed; see `rows` below.

    Two things are joined by "and", "to the left of" and "to the right of" in turn, but for "either order" by "beside".
    Every second caption names a background.
    """
    g = torch.Generator().manual_seed(seed)

    def chosen(options: Sequence, number: int = count) -> list:
        order = torch.cat([torch.randperm(len(options), generator=g) for _ in range(-(-number // len(options)))])
        return [options[i] for i in order[:number].tolist()]

    rare = list(HELD_OUT_PAIRS)  # of kind and colour, eight
    unlike = [(a, b) for a, b in TRAINING_COMBINATIONS if a != b]
    rows = {
        "seen": chosen(TRAINING_COMBINATIONS),  # two things that stood side by side in training
        "unseen": chosen(WITHHELD),  # two things that never did, though each was seen with others
        "one held out": chosen(list(product(rare, TRAINING_PAIRS))),  # with a thing that was trained on
        "two held out": chosen([(a, b) for a, b in product(rare, rare) if a != b]),
        "held out alone": [(thing,) for thing in chosen(rare)],
        "three": [chosen(TRAINING_PAIRS, max(count, 3))[:3] for _ in range(count)],  # never in training
        "either order": chosen(unlike),  # either may be on the left
        "sizes": [((*a, "small"), (*b, "large")) for a, b in chosen(unlike)],
    }
    asked = {}
    for group, wishes in rows.items():
        asked[group] = []
        for i, things in enumerate(wishes):
            turned = things[::-1] if torch.rand((), generator=g) < 0.5 else things
            background = SCENE_BACKGROUNDS[i // 2 % len(SCENE_BACKGROUNDS)] if i % 2 else None
            form = 3 if group == "either order" else i // 2 % 3 if len(things) == 2 else 0
            asked[group].append(sentence(turned, form, background))
    return asked


class Answer(NamedTuple):
    """What a denoiser made of a group of questions."""

    captions: list[str]
    pictures: Pictures
    verdicts: list[Verdict]


def evaluate(
    model: Model, judge: SceneJudge, *, count: int = 192, seed: int = 0, bar: Bar = no_bar, **options
) -> dict[str, Answer]:
    """Ask a denoiser for scenes of every sort, `count` of each, and have the judge look at what it makes.

    An `Answer` for each group of `questions`; score(answer.verdicts) counts what is right. The seed is that of the
    questions and of the noise; options are steps and guidance_scale, see `sample`.
    """
    asked = questions(count, seed)
    tokens = {group: scene_tokens(captions) for group, captions in asked.items()}
    made = examine(model, tokens, seed=seed, bar=bar, shape=(3, SIZE, SIZE), **options)
    return {
        group: Answer(captions, made[group], judge_pictures(judge, made[group], captions))
        for group, captions in asked.items()
    }
