"""The exercises of lesson 02: neighbours on a road, what a step does to the loss, and how many steps are enough."""

import contextlib
from collections.abc import Callable

import torch

from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.classroom import plane
from course_lib.noise import add_noise

g = torch.Generator().manual_seed(2)
X0, EPS = torch.rand(2, 3, 4, 4, generator=g) * 2 - 1, torch.randn(2, 3, 4, 4, generator=g)
NEIGHBOURS = {
    f"two pictures at the levels {t} and {u}": (X0, EPS, torch.tensor([t, u]))
    for t, u in ((1.0, 0.5), (0.75, 0.06), (0.3, 0.1), (0.02, 0.0))
}
LEVELS = {
    f"t = {t} and s = {s}": (torch.tensor(t), torch.tensor(s))
    for t, s in ((1.0, 0.9), (0.5, 0.4), (1.0, 0.5), (0.8, 0.2), (0.3, 0.0))
}

ROADS = {
    f"a pair at t = {t} and s = {s}, wanted at r = {r}": (r, add_noise(X0, t, EPS), add_noise(X0, s, EPS), t, s)
    for t, s, r in ((0.5, 0.4, 0.0), (1.0, 0.9, 0.3), (0.75, 0.25, 0.5), (0.3, 0.0, 1.0))
}
ENOUGH = 0.95  # of the points are to land on a fruit


def _stacked(both):
    """Two tensors of one shape as one; anything else as it is."""
    if isinstance(both, list | tuple):
        with contextlib.suppress(RuntimeError, TypeError):
            return torch.stack(tuple(both))
    return both


def _no_neighbours(both, again: Callable) -> str | None:
    if getattr(both, "shape", None) != (2, *X0.shape):
        return "two tensors are wanted, `return input, target`, both of the shape of x0."
    if not both.isnan().any() and not torch.equal(both, again()):
        return "each call gives other noise. Neighbours lie on one road: use the eps you are given."
    return None


def _pair_at(x0, eps, t, s):
    """Two pictures on one road, by the formula alone: s may be below 0."""
    s = s[:, None, None, None]
    return add_noise(x0, t, eps), (1 - s) * x0 + s * eps


@exercise(
    lambda x0, eps, t: _pair_at(x0, eps, t, (t - 0.1).clamp(min=0)), NEIGHBOURS, read=_stacked, odd=_no_neighbours
)
def pair(x0, eps, t):
    """Lesson 02: inputs, each at a level of its own, and their targets, 0.1 below but never below 0."""
    x_t, x_s = _pair_at(x0, eps, t, (t - 0.1).clamp(min=0))
    s = (t - 0.1).clamp(min=0)[:, None, None, None]
    lowest = (t.min() - 0.1).clamp(min=0).expand_as(t)
    return {
        "the two are swapped. First the input, at the higher level t; then the target, 0.1 below.": (x_s, x_t),
        "your target is the clean picture. That is the giant step; ask only for slightly less noise.": (x_t, x0),
        "both have level t, so there is nothing to learn. The target lies 0.1 below.": (x_t, x_t),
        "your target adds noise to the noisy picture. Make it from the clean one, x0, like its neighbour.": (
            (x_t, (1 - s) * x_t + s * eps)
        ),
        "where t is below 0.1, your target has a level below 0, and there is none. It ends at 0.": (
            _pair_at(x0, eps, t, t - 0.1)
        ),
        "where t is below 0.1, your target is at the level 0.1 - t. It ends at 0, the clean picture.": (
            _pair_at(x0, eps, t, (t - 0.1).abs())
        ),
        "no target of yours lies below 0.1. The lowest level is 0, the clean picture.": (
            _pair_at(x0, eps, t, (t - 0.1).clamp(min=0.1))
        ),
        "your target's level is nine tenths of t. It should lie 0.1 below t.": _pair_at(x0, eps, t, 0.9 * t),
        "all your targets have one level. Each lies 0.1 below its own input.": _pair_at(x0, eps, t, lowest),
    }


@exercise(lambda t, s: (1 - s / t) ** 2, LEVELS)
def step_factor(t, s):
    """Lesson 02: how many times smaller the loss on x_s is than the loss on x0."""
    return {
        "that is the factor of the error. The loss is the error squared.": 1 - s / t,
        "s / t is what stays of the noise. What counts is the share of the way you go.": (s / t) ** 2,
        "s / t is what stays of the noise. What counts is the rest of it, squared.": s / t,
        "first subtract, then square: the error itself shrinks by 1 - s / t.": 1 - (s / t) ** 2,
        "a step from t to s goes (t - s) / t of the way to the guess, not t - s.": (t - s) ** 2,
        "a fraction is upside down: s / t, the lower level over the higher.": (1 - t / s) ** 2,
        "upside down: a small step must make the loss smaller.": 1 / (1 - s / t) ** 2,
    }


@exercise(lambda r, x_t, x_s, t, s: x_t + (t - r) / (t - s) * (x_s - x_t), ROADS)
def anywhere_on_the_road(r, x_t, x_s, t, s):
    """Lesson 02: the picture at level r of the road that leads from x_t over x_s."""
    way = x_s - x_t
    return {
        "that is the clean picture, the end of the road. Stop at level r.": x_t + t / (t - s) * way,
        "that is one step of the same length more. How many such steps are there from level t to level r?": x_s + way,
        "you go (t - r) / (t - s) times the step, but from x_s. Begin at x_t: from there it is t - r levels.": (
            x_s + (t - r) / (t - s) * way
        ),
        "you go the wrong way: down the road the way is x_s - x_t, and it goes down t - r levels.": (
            x_t - (t - r) / (t - s) * way
        ),
        "from x_t it is t - r levels to the picture, not s - r: those begin at x_s.": x_t + (s - r) / (t - s) * way,
        "you go r / (t - s) times the step. Level r is not r levels away from x_t, but t - r.": x_t + r / (t - s) * way,
        "the step is t - s levels long: divide by that.": x_t + (t - r) * way,
        "that is the slightly less noisy picture itself. Follow the road to level r.": x_s,
    }


def share_landed(steps: int) -> float:
    """Of 2,000 points of noise, the share that the best guess brings to a fruit in so many steps."""
    x0, g = plane.two_fruits(), torch.Generator().manual_seed(1)
    x_1 = torch.randn(2000, 2, 1, 1, generator=g)
    return plane.landed(plane.road(plane.best_guess(x0), x_1, steps)[-1].x_t, x0)


@check(Exercise(6))
def fewest_steps(attempt):
    """Lesson 02: the fewest steps with which at least 95 % of the points land on a fruit."""
    if attempt is ...:
        return UNTOUCHED
    if isinstance(attempt, bool) or not isinstance(attempt, int) or not 1 <= attempt <= 100:
        return "Not yet: give the number of steps itself, a whole number from 1 to 100."
    share = share_landed(attempt)
    if share < ENOUGH:
        return f"Not yet: with {attempt} step{'s' * (attempt > 1)} {share:.1%} of the points land. Take more."
    if attempt > 1 and (fewer := share_landed(attempt - 1)) >= ENOUGH:
        return f"Not yet: {share:.1%} land, which is enough. But so is {fewer:.1%}, with one step less: try fewer."
    return RIGHT
