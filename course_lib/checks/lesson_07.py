"""The exercises of lesson 07: a distance of two sets, a floor that is low enough, a crowd that fools the panel."""

import functools
from numbers import Integral

import torch
from torch import Tensor

from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, call, check, exercise, not_run, untouched
from course_lib.classroom.wording import shown
from course_lib.fruit.pictures import draw_many, random_fruits
from course_lib.fruit.words import ALL_PAIRS
from course_lib.judging import measure
from course_lib.judging.judge import score
from course_lib.weights import load_judge, load_panel

g = torch.Generator().manual_seed(7)
A, B = 2 * torch.randn(9, generator=g) + 1, torch.randn(5, generator=g)
SETS = {
    "two sets of 9 and 5 numbers": (A, B),
    "a set of one number and a set of 5": (A[:1], B),
    "a set of 9 numbers and a set of one": (A, B[:1]),
    "two sets of one number each": (A[:1], B[:1]),
    "a set and itself, 3 higher": (A, A + 3),
    "a set and itself, twice as wide": (A - A.mean(), 2 * (A - A.mean())),
}


def _width(x: Tensor) -> Tensor:
    return x.std() if len(x) > 1 else torch.zeros(())


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return measure.frechet_distance_1d(a.mean(), _width(a), b.mean(), _width(b))


@exercise(_distance, SETS)
def distance_of_sets(a, b):
    """Lesson 07: how far two sets of numbers are apart, from their own means and widths."""
    apart, one, other = (a.mean() - b.mean()) ** 2, _width(a), _width(b)
    bare = [x.std() if len(x) > 1 else torch.tensor(torch.nan) for x in (a, b)]  # as `std` gives it, but for a warning
    by_n = [x.std(correction=0) for x in (a, b)]
    return {
        "a set of one number has no width, and `std` gives nan for it. Let its width be 0 there.": (
            apart + (bare[0] - bare[1]) ** 2
        ),
        "if one set has a single number, you leave out the width of the other too.": (
            apart + (one - other) ** 2 * (min(len(a), len(b)) > 1)
        ),
        "your widths are not those of `x.std()`, which divides by n - 1: leave its other settings alone.": (
            apart + (by_n[0] - by_n[1]) ** 2
        ),
        "your widths are variances: compare the standard deviations themselves.": apart + (one**2 - other**2) ** 2,
        "that is the difference of the variances. Take that of the standard deviations, then square it.": (
            apart + (one**2 - other**2).abs()
        ),
        "two sets with one middle can still differ: where are the widths?": apart,
        "sets of one width can still lie apart: where are the means?": (one - other) ** 2,
        "the differences are not squared.": apart.sqrt() + (one - other).abs(),
        "that is its square root. By custom the number is left squared.": (apart + (one - other) ** 2).sqrt(),
        "a set and itself are at distance 0: subtract the widths before you square.": apart + one**2 + other**2,
    }


BELOW, BY = 70, 16  # the floor that is wanted, and the steps in which sizes go


@functools.cache
def _drawn() -> tuple[Tensor, Tensor, Tensor]:
    """256 drawings, and the features of them and of 256 others, those of the lesson."""
    halves, judge = draw_many(random_fruits(ALL_PAIRS, 8, seed=70)).chunk(2), load_judge()
    with torch.no_grad():
        return halves[0], *(judge.features(x) for x in halves)


@functools.cache
def floor_at(size: int) -> float:
    """The floor of two sets of so many drawings, the lesson's own, in the lesson's order."""
    order = torch.randperm(256, generator=torch.Generator().manual_seed(2))[:size]
    return measure.frechet_distance(*(features[order] for features in _drawn()[1:]))


@check(Exercise(144))
def smallest_size(attempt):
    """Lesson 07: the smallest multiple of 16 pictures in each set with which the floor is below 70."""
    if attempt is ...:
        return UNTOUCHED
    if isinstance(attempt, bool) or not isinstance(attempt, Integral):
        return f"Not yet: give the number of pictures, such as my_size = 64, not {shown(attempt, 60)}."
    if attempt % BY or not 2 * BY <= attempt <= 256:
        return f"Not yet: the size is a multiple of {BY} from {2 * BY} to 256."
    if (floor := floor_at(int(attempt))) >= BELOW:
        return f"Not yet: with {attempt} pictures in each set the floor is {floor:.0f}. More of them make it lower."
    if floor_at(int(attempt) - BY) < BELOW:
        return f"Not yet: the floor is {floor:.0f} there, and still below {BELOW} with fewer pictures."
    return RIGHT


ENOUGH, TIMES = 0.95, 2  # the share that the panel passes, and how many floors away the crowd lies at least


def _forged(x: Tensor) -> Tensor:
    return x[:64].repeat(4, 1, 1, 1)


@check(Exercise(_forged))
def fools_the_panel(attempt):
    """Lesson 07: pictures that the panel passes, one by one, and that are a bad crowd by their Fréchet distance."""
    if attempt is ...:
        return UNTOUCHED
    if not callable(attempt):
        return f"Not yet: give the function itself, without calling it, not {shown(attempt, 60)}."
    real, _, others = _drawn()
    with torch.random.fork_rng(devices=[]):
        forged = call(attempt, (real.clone(),), "256 drawings")
    if untouched(attempt, forged):
        return UNTOUCHED
    if problem := not_run(forged):
        return f"Not yet: {problem}"
    if not isinstance(forged, Tensor) or forged.shape != real.shape or not forged.is_floating_point():
        return f"Not yet: your function must return pictures of shape {tuple(real.shape)}, in [-1, 1]."
    forged = forged.detach().float()
    if not bool((forged.abs() <= 1 + 1e-5).all()):  # written so that nan is refused too
        return "Not yet: pictures lie in [-1, 1], and yours do not."
    found = score(load_panel(), forged, ALL_PAIRS * 4)
    with torch.no_grad():
        far = measure.frechet_distance(load_judge().features(forged), others) / floor_at(256)
    said = f"the panel passes {found.right} of {found.of}, and the distance is {far:.1f} times the floor (n = 256)."
    if found.right < ENOUGH * found.of:
        return f"Not yet: {said} The panel is not fooled: fewer than 95 % are right."
    if far < TIMES:
        return f"Not yet: {said} So it is still a good crowd."
    return RIGHT
