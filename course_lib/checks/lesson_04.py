"""The exercises of lesson 04: the guess behind a step, a loop with two networks; and levels for eight steps."""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from numbers import Real

import numpy as np
import torch
from torch import Tensor

from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.noise import Levels, Model, Pictures, expand_level, noise_levels
from course_lib.sample import denoise_step
from course_lib.weights import load_denoiser

g = torch.Generator().manual_seed(4)
X_T, X_S = torch.randn(2, 2, 3, 4, 4, generator=g)
FRUITS = torch.rand(3, 3, 4, 4, generator=g) * 2 - 1
X_1 = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(6))


def guess_of_step(x_t: Pictures, x_s: Pictures, t: float, s: float) -> Pictures:
    """The guess that `denoise_step` went towards: x0_hat = (t x_s - s x_t) / (t - s)."""
    return (t * x_s - s * x_t) / (t - s)


PAIRS = {
    "a step from t = 1 to s = 0.75": (X_T, X_S, 1.0, 0.75),
    "a step from t = 0.8 to s = 0.2": (X_T, X_S, 0.8, 0.2),
    "the last step, from t = 0.5 to s = 0": (X_T, X_S, 0.5, 0.0),
}


@exercise(guess_of_step, PAIRS)
def guess_behind(x_t, x_s, t, s):
    """Lesson 04: the guess that a step from x_t to x_s went towards."""
    kept, way = s / t, x_s - x_t
    return {
        "that is one more step on, towards x_s. Which x0_hat, put into the step, gives this x_s?": x_s - kept * way,
        "that is the whole way that was gone, x_s - x_t. The guess lies on that road, counted from x_t.": way,
        "x_s - (s / t) x_t is right as a start, but it is only 1 - s / t of the guess: divide by that.": (
            x_s - kept * x_t
        ),
        "t x_s - s x_t is right as a start, but it is only t - s of the guess: divide by that.": t * x_s - s * x_t,
        "you went back, to a picture with more noise. From x_t the guess lies on the side of x_s.": (
            x_t - t / (t - s) * way
        ),
        "t and s have changed places: at s = 0 the step lands on the guess, so there x_s must come out.": (
            (t * x_t - s * x_s) / (t - s)
        ),
        "you kept a share s of x_t. The step keeps s / t of it.": (x_s - s * x_t) / (1 - s),
        "from x_t to the guess it is t, not 1: the step went t - s of it, so go on by t / (t - s).": (
            x_t + way / (t - s)
        ),
        "that is x_s. Only the last step, to s = 0, lands on the guess.": x_s,
    }


def _model(x_t: Tensor, t: Levels, tokens: Tensor | None = None) -> Tensor:
    """A mean of the pictures that fit."""
    x = x_t.flatten(1)[:, None]
    distance = ((x - (1.2 - expand_level(t, x)) * FRUITS.flatten(1)) ** 2).sum(-1)
    return torch.einsum("bn,nchw->bchw", (-distance / 10).softmax(1), FRUITS)


def _other(x_t: Tensor, t: Levels, tokens: Tensor | None = None) -> Tensor:
    """Another network, that knows the same pictures upside down."""
    return _model(x_t.flip(2), t).flip(2) * 0.5


def _two(first: Model, second: Model, x_1: Pictures, levels: Tensor, change: float, step=denoise_step) -> Pictures:
    """Sample with one network while t > change, and with another from there on."""
    x_t = x_1
    for t, s in pairwise(levels):
        x_t = step(x_t, (first if t > change else second)(x_t, t), t, s)
    return x_t


WALKS = {
    "4 steps, change at 0.5": (_model, _other, X_1, noise_levels(4), 0.5),
    "4 steps, change at 0.6": (_model, _other, X_1, noise_levels(4), 0.6),
    "5 steps, change at 0.1": (_model, _other, X_1, noise_levels(5), 0.1),
    "2 steps, change at 1": (_model, _other, X_1, noise_levels(2), 1.0),
}


@exercise(_two, WALKS)
def generate_with_two(first, second, x_1, levels, change):
    """Lesson 04: the loop with two networks, one for much noise and one for little."""

    def loop(
        choose=lambda t, s: t > change, guess=lambda net, x_t, t, s: net(x_t, t), levels=levels, step=denoise_step
    ):
        x_t = x_1
        for t, s in pairwise(levels):
            x_t = step(x_t, guess(first if choose(t, s) else second, x_t, t, s), t, s)
        return x_t

    return {
        "at t = change itself it is the second network's turn: the first works only while t is above it.": (
            loop(lambda t, s: t >= change)
        ),
        "you chose by s, where the step goes. The network looks at the picture of level t.": loop(
            lambda t, s: s > change
        ),
        "the two networks have changed places: the first is for much noise, t above change.": (
            loop(lambda t, s: t <= change)
        ),
        "the two networks have changed places: while t is above change, not below it, the first is asked.": (
            loop(lambda t, s: t < change)
        ),
        "you take the whole guess as the next picture. Only a step towards it is wanted, to the level s.": (
            loop(step=lambda x_t, x0_hat, t, s: x0_hat)
        ),
        "only the first network is asked. From t = change down, ask the second.": loop(lambda t, s: True),
        "only the second network is asked. While t is above change, ask the first.": loop(lambda t, s: False),
        "that is the noise you started from: is the new x_t kept for the next step?": x_1,
        "every guess looks at x_1 again. Give the network the picture of this moment, x_t.": (
            loop(guess=lambda net, x_t, t, s: net(x_1, t))
        ),
        "the network is told the level s, but the picture it looks at still has level t.": (
            loop(guess=lambda net, x_t, t, s: net(x_t, s))
        ),
        "your loop stops one step early: the last level, 0, must be reached.": loop(levels=levels[:-1]),
        "your loop takes one step only. Is the `return` inside the loop?": loop(levels=levels[:2]),
    }


@torch.no_grad()
def _walk(levels: Sequence[float]) -> Pictures:
    """Twelve pictures without words from one seed, by these levels."""
    denoiser, x_t = _denoiser(), torch.randn(12, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for t, s in pairwise(levels):
        x_t = denoise_step(x_t, denoiser(x_t, t), t, s)
    return x_t


_denoiser = cache(load_denoiser)


@cache
def _even(steps: int) -> Pictures:
    return _walk(noise_levels(steps).tolist())


def away(levels: Sequence[float]) -> float:
    """How far pictures made by these levels are from those of a hundred even steps: root of the mean square."""
    return (_walk(levels) - _even(100)).square().mean().sqrt().item()


@cache
def _goal() -> float:
    return away(noise_levels(20).tolist())


@check(Exercise((noise_levels(8) ** 0.3).tolist()))
def eight_steps(attempt) -> str:
    """Lesson 04: nine levels that bring eight steps as near to a hundred as twenty even steps come."""
    if attempt is ...:
        return UNTOUCHED
    if isinstance(attempt, Tensor | np.ndarray):
        attempt = attempt.tolist()
    numbers = isinstance(attempt, list | tuple) and all(
        isinstance(level, Real) and not isinstance(level, bool) for level in attempt
    )
    if not numbers or len(attempt) != 9:
        return "Not yet: eight steps need nine levels: give a list of nine numbers, from 1 down to 0."
    levels = [float(level) for level in attempt]
    if levels[0] != 1 or levels[-1] != 0:
        return "Not yet: the first level must be 1, where every pixel is random, and the last one 0."
    if not all(t > s for t, s in pairwise(levels)):
        return "Not yet: every level must be lower than the one before it."
    mine, goal = away(levels), _goal()
    if mine <= goal:
        return RIGHT
    return (
        f"Not yet: your eight steps end {mine:.2f} away from the pictures of a hundred steps; twenty even steps end "
        f"{goal:.2f} away. Where on the road is most decided? Take small steps there, and large ones elsewhere."
    )
