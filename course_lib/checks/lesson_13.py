"""The exercises of lesson 13: one guess in several notations, and the levels that a scheduler visits."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from numbers import Real

import torch
from torch import Tensor

from course_lib.captions import encode
from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.classroom.schedulers import drive, equal_levels
from course_lib.classroom.wording import shown
from course_lib.sample import generate
from course_lib.weights import load_denoiser

STEPS = 4


def noise_from_velocity(x_t: Tensor, velocity: Tensor, t: float) -> Tensor:
    """The noise at the end of the road: eps_hat = x_t + (1 - t) velocity. Good at every level."""
    return x_t + (1 - t) * velocity


def as_ours(x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """A mixture x = a x0 + b eps as our own, x_t = (1 - t) x0 + t eps: x / (a + b), and t = b / (a + b)."""
    return x / (a + b), b / (a + b)


g = torch.Generator().manual_seed(9)
X_T, VELOCITY = torch.randn(2, 2, 3, 4, 4, generator=g)
ROADS = {f"t = {t}": (X_T, VELOCITY, t) for t in (0.5, 1.0, 0.2, 0.0)}
MIXTURES = {
    name: (X_T, torch.tensor(a), torch.tensor(b))
    for name, a, b in (
        ("a = 0.8 and b = 0.6", 0.8, 0.6),
        ("a = 1 and b = 3", 1.0, 3.0),
        ("noise alone, a = 0 and b = 80", 0.0, 80.0),
        ("our own a = 0.3 and b = 0.7", 0.3, 0.7),
    )
}


@exercise(noise_from_velocity, ROADS)
def eps_from_velocity(x_t, velocity, t):
    """Lesson 13: the noise at the end of the road, from the velocity."""
    x0_hat = x_t - t * velocity
    return {
        "that is the clean picture, at the other end of the road.": x0_hat,
        "your sign is turned round: the velocity points towards the noise.": x_t - (1 - t) * velocity,
        "t is how far you have come from the picture. How far is it still to the noise?": x_t + t * velocity,
        "that goes a whole road on from x_t, past the noise. How far is it still?": x_t + velocity,
        "at t = 0 you divide by zero. Walk to the noise instead: no division is needed.": (
            (x_t - (1 - t) * x0_hat) / torch.tensor(t)
        ),
        "that is the velocity. Where does it lead from x_t?": velocity,
    }


def _not_two(result, again: Callable) -> str | None:
    if not isinstance(result, list | tuple) or len(result) != 2:
        return "return two things: x_t and t."
    return None


@exercise(as_ours, MIXTURES, odd=_not_two)
def ours_from_any(x, a, b):
    """Lesson 13: any mixture of picture and noise as one of ours, with its level."""
    length = (a**2 + b**2).sqrt()
    return {
        "your level is that of the picture: t is the share of the noise.": (x / (a + b), a / (a + b)),
        "x is not scaled yet: in our mixture the two factors sum to one.": (x, b / (a + b)),
        "b is a share only where a and b sum to one. Here, what is b of the whole?": (x / (a + b), b),
        "b is a share only where a and b sum to one, and x is not scaled yet: both need a + b.": (x, b),
        "b / a compares the noise with the picture, and has no end. What is b of the whole, a + b?": (
            x / (a + b),
            b / a,
        ),
        "b / a compares the noise with the picture. Divide by the whole, a + b, and x as well.": (x, b / a),
        "x / a leaves 1 of the picture, and b / a of the noise. Our factors sum to one: divide by a + b.": (
            x / a,
            b / a,
        ),
        "the squares of our factors do not sum to one, the factors do. Divide by a + b.": (x / length, b / length),
        "your level is right, but x must be divided by the same number, a + b.": (x / length, b / (a + b)),
        "divide x by a + b, not multiply.": (x * (a + b), b / (a + b)),
        "give x first, then the level.": (b / (a + b), x / (a + b)),
    }


def _problem(levels: Sequence) -> str | None:
    """What is odd about levels, before they are tried."""
    if not isinstance(levels, list | tuple) or not all(isinstance(level, Real) for level in levels):
        return f"levels are a list of numbers, such as [1.0, 0.5], not {shown(levels, 60)}."
    if len(levels) != STEPS:
        return f"{STEPS} levels are wanted, one for each call of the network, not {len(levels)}."
    if levels[-1] == 0:
        return "the scheduler puts the 0 behind your levels by itself. Your last one is where its last step begins."
    if not all(0 < level <= 1 for level in levels) or any(s >= t for t, s in pairwise(levels)):
        return "levels lie between 0 and 1, and each is lower than the one before it."
    return None


@check(Exercise(equal_levels(STEPS)))
def four_levels(attempt: Sequence) -> str:
    """Lesson 13: the levels with which a scheduler of diffusers makes our picture of four steps."""
    if attempt is ...:
        return UNTOUCHED
    if problem := _problem(attempt):
        return f"Not yet: {problem}"
    from diffusers import FlowMatchEulerDiscreteScheduler

    model = load_denoiser()
    tokens = encode(["purple grapes"], model.vocabulary)
    noise = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ours = generate(model, tokens, generator=torch.Generator().manual_seed(0), steps=STEPS, guidance_scale=2.0)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    scheduler.set_timesteps(sigmas=[float(level) for level in attempt])
    off = float((drive(scheduler, model, noise, tokens) - ours).abs().max())
    if off < 0.01:
        return RIGHT
    return f"Not yet: with these levels, a pixel of its picture is off by {off:.2f}. Which levels does our loop visit?"
