"""The exercises of lesson 06: guidance read backwards, counting what all judges agree on, too much guidance."""

import math
from numbers import Real
from types import SimpleNamespace

import torch
from torch import Tensor

from course_lib.captions import encode
from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.classroom.wording import shown
from course_lib.fruit.prompts import phrasings
from course_lib.fruit.words import HELD_OUT_PAIRS, VOCABULARY
from course_lib.judging.judge import score
from course_lib.judging.panel import Panel
from course_lib.sample import generate
from course_lib.weights import load_denoiser, load_panel

g = torch.Generator().manual_seed(6)
U = torch.randint(-4, 5, (1, 3, 4, 4), generator=g) / 4  # quarters, so that nothing is rounded
WAY = torch.randint(1, 9, (1, 3, 4, 4), generator=g) / 4
WAY[..., :2] *= -0.5
WAY[..., 0, :] = 0  # here the words change nothing
LEVEL = (WAY - WAY.flip(-1)) / 2  # as much up as down
ONE = torch.zeros_like(U)
ONE[0, 1, 2, 1] = 0.5
GUIDED = {
    **{f"a guess guided with w = {w:g}": (U, U + WAY, U + w * WAY) for w in (2.0, 0.5, 0.0, 1.0, -2.0)},
    "words that change a single number": (U, U + ONE, U + 2 * ONE),
    "words that only take away": (U, U - WAY.abs(), U - 2 * WAY.abs()),
    "words that add to some pixels what they take from others": (U, U + LEVEL, U + 2 * LEVEL),
}


def _scale(u: Tensor, c: Tensor, guess: Tensor) -> float:
    way = c - u
    return float(((guess - u) * way).sum() / (way * way).sum())


@exercise(_scale, GUIDED)
def scale_of(u, c, guess):
    """Lesson 06: the guidance scale w that led from u and c to a guess, u + w (c - u)."""
    w, way = _scale(u, c, guess), c - u
    return {
        "that is w for each pixel alone, and nan, 0 / 0, where the words change nothing. Return one number.": (
            (guess - u) / way
        ),
        "that gives nan: where the words change nothing you divide 0 by 0. Leave those pixels out.": (
            ((guess - u) / way).mean()
        ),
        "where ups and downs cancel, both sums are 0, and 0 / 0 is nan: multiply by c - u first, then sum.": (
            (guess - u).sum() / way.sum()
        ),
        "a length has no sign: for a guess that turns away from the words, w is below 0.": abs(w),
        "that is w - 1: you measured from c. Guidance starts at u.": w - 1,
        "that is 1 - w: u and c have changed places.": 1 - w,
        "the sign is wrong: how far is it from u to the guess, guess - u, and from u to c, c - u?": -w,
        "your fraction is upside down.": torch.ones(()) / w,
        "that is how far the guess lies from u. How often does c - u go into it?": (guess - u).abs().max(),
    }


ASKED = [("banana", "green"), ("apple", "blue"), ("orange", "green"), ("pear", "red"), ("lemon", "pink")]
YELLOW, PEAR, PLUM = (
    [("banana", "yellow"), *ASKED[1:]],
    [*ASKED[:2], ("pear", "green"), *ASKED[3:]],
    ("apple", "purple"),
)
OPINIONS = {
    "three judges who find all five right": ([ASKED] * 3, ASKED),
    "one of three judges who sees a yellow banana": ([ASKED, YELLOW, ASKED], ASKED),
    "two of three judges who see one": ([YELLOW, YELLOW, ASKED], ASKED),
    "three judges who all see a yellow banana": ([YELLOW] * 3, ASKED),
    "judges who refuse a picture each": ([YELLOW, PEAR, [ASKED[0], PLUM, *ASKED[2:]]], ASKED),
    "two judges who see nothing but green bananas": ([ASKED[:1] * 5] * 2, ASKED),
    "one judge alone": ([PEAR], ASKED),
}


def _agreed(opinions: list, asked: list) -> int:
    """What the library counts, with judges that have looked already."""
    panel = SimpleNamespace(each=lambda pictures: dict(enumerate(opinions)))
    judge = SimpleNamespace(name=lambda pictures: Panel.name(panel, pictures))
    return score(judge, torch.zeros(len(asked), 3, 32, 32), asked).right


@exercise(_agreed, OPINIONS)
def agreed(opinions, asked):
    """Lesson 06: in how many pictures all judges find both the kind and the colour that were asked for."""
    said = list(zip(*opinions, strict=True))
    content = [[one == wanted for one in ones] for ones, wanted in zip(said, asked, strict=True)]
    right, judges = sum(map(all, content)), range(len(opinions))
    kinds = sum(all(one[0] == wanted[0] for one in ones) for ones, wanted in zip(said, asked, strict=True))
    return {
        "one judge who is content is enough for you. All must be: `all`, not `any`.": sum(map(any, content)),
        "you let the majority decide. All must agree.": sum(2 * sum(votes) > len(votes) for votes in content),
        "the judges agree with each other there, but is it what was asked for?": sum(
            len(set(ones)) == 1 for ones in said
        ),
        "you ask the first judge only.": sum(votes[0] for votes in content),
        "that is the strictest judge's count. Another may refuse other pictures: go picture by picture.": (
            min(sum(votes[j] for votes in content) for j in judges)
        ),
        "that adds up the counts of the judges: a picture counts once, if all are content.": sum(map(sum, content)),
        "the colour is not compared: a yellow banana counts as a green one.": kinds,
        "that counts the pictures that are not right.": len(asked) - right,
        "that is a share: give the count.": right / len(asked),
    }


STEPS, EACH = 10, 2  # of a guided generation, and pictures of each held-out pair
PAIRS = [pair for pair in HELD_OUT_PAIRS for _ in range(EACH)]


def count_at(guidance_scale: float) -> int:
    """How many of 16 pictures of held-out pairs the panel finds right, at this scale at all levels, from seed 0."""
    tokens = encode([phrasings(*pair)[1] for pair in PAIRS], VOCABULARY)
    options = dict(generator=torch.Generator().manual_seed(0), steps=STEPS, guidance_scale=guidance_scale)
    return score(load_panel(), generate(load_denoiser(), tokens, **options), PAIRS).right


@check(Exercise(24))
def breaking_scale(attempt):
    """Lesson 06: a guidance scale that spoils more than half of the pictures, while half of that scale does not."""
    if attempt is ...:
        return UNTOUCHED
    if isinstance(attempt, bool) or not isinstance(attempt, Real) or not math.isfinite(attempt):
        return f"Not yet: give the scale itself, a number such as 6, not {shown(attempt, 60)}."
    if not 2 <= attempt <= 1000:
        return "Not yet: this is about too much guidance. Give a scale from 2 to 1000."
    w, of = float(attempt), len(PAIRS)
    if 2 * (here := count_at(w)) >= of:
        return f"Not yet: at w = {w:g}, {here} of {of} are still right. That is half or more: go up."
    if 2 * (below := count_at(w / 2)) < of:
        return f"Not yet: at w = {w:g} only {here} of {of} are right, but at half of that only {below}, too: come down."
    return RIGHT
