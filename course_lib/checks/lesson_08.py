"""The exercises of lesson 08: the order of a sampler, the guess that lands in a given place, eight good levels."""

import functools
import math
from collections.abc import Sequence
from itertools import pairwise
from numbers import Real

import numpy as np
import torch
from torch import Tensor

from course_lib.beyond import solvers
from course_lib.captions import encode
from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.classroom.wording import shown
from course_lib.fruit.prompts import phrasings
from course_lib.fruit.words import TRAINING_PAIRS, VOCABULARY
from course_lib.noise import noise_levels
from course_lib.sample import denoise_step, generate
from course_lib.weights import load_denoiser

ERRORS = {
    "10 and 20 steps, with half the error": (10, 0.08, 20, 0.04),
    "8 and 24 steps, with a ninth of the error": (8, 0.09, 24, 0.01),
    "4 and 64 steps, with the same error": (4, 0.1, 64, 0.1),
    "20 and 5 steps, the larger number first": (20, 0.01, 5, 0.08),
    "4 and 8 steps, with a larger error": (4, 0.1, 8, 0.2),
}


def _order(n: int, error_n: float, m: int, error_m: float) -> float:
    return math.log(error_n / error_m) / math.log(m / n)


@exercise(_order, ERRORS)
def order_of(n, error_n, m, error_m):
    """Lesson 08: the order p of a sampler, whose error goes as 1 / steps ** p, from two step counts."""
    p, errors, steps = _order(n, error_n, m, error_m), error_n / error_m, m / n
    return {
        "you take twice as many steps for granted: divide by the logarithm of m / n.": math.log2(errors),
        "the logarithm of m / n is missing below the line.": math.log(errors),
        "the sign is wrong: where more steps make the error smaller, p is more than 0.": -p,
        "that compares the two ratios themselves. p is an exponent: take their logarithms.": errors / steps,
        "that is a slope. The error does not go down in a straight line: take logarithms of the ratios.": (
            (error_n - error_m) / (m - n)
        ),
        "a quotient of logarithms is no logarithm of a quotient: log(a) / log(b), not log(a / b).": (
            math.log(errors / steps)
        ),
    }


g = torch.Generator().manual_seed(8)
X_T, X_S = torch.randn(2, 2, 3, 4, 4, generator=g)
LANDINGS = {
    "a step from t = 0.75 to s = 0.5": (X_T, X_S, 0.75, 0.5),
    "the first step, from t = 1 to s = 0.75": (X_T, X_S, 1.0, 0.75),
    "the last step, from t = 0.5 to s = 0": (X_T, X_S, 0.5, 0.0),
}


def _landing(x_t: Tensor, x_s: Tensor, t: float, s: float) -> Tensor:
    return (x_s - s / t * x_t) / (1 - s / t)


@exercise(_landing, LANDINGS)
def landing_guess(x_t, x_s, t, s):
    """Lesson 08: the guess with which the plain step from x_t, at level t, lands on x_s, at level s."""
    kept = s / t
    return {
        "that is where the step lands. The guess lies further on, but for s = 0.": x_s,
        "you take a step towards x_s. The question is which guess would take you there: solve for it.": (
            x_s + kept * (x_t - x_s)
        ),
        "that is 1 - s / t of the guess: divide by it.": x_s - kept * x_t,
        "only s / t of x_t is left in x_s: take that away, not all of it.": (x_s - x_t) / (1 - kept),
        "the two shares have changed places: s / t is that of x_t, 1 - s / t that of the guess.": (
            (x_s - (1 - kept) * x_t) / kept if s else x_s * torch.nan
        ),
        "you keep s of x_t. A step from level t keeps s / t of it.": (x_s - s * x_t) / (1 - s),
        "the sign is wrong: what is left of x_t has to be taken away from x_s.": (x_s + kept * x_t) / (1 - kept),
    }


EVEN = 12  # even steps, which eight of one's own are to surpass


@functools.cache
def _asked() -> tuple:
    """The denoiser, the tokens of sixteen captions, and the end of their roads, those of the lesson."""
    denoiser = load_denoiser()
    tokens = encode([phrasings(*pair)[1] for pair in TRAINING_PAIRS[::3][:16]], VOCABULARY)
    options = dict(generator=torch.Generator().manual_seed(0), steps=128, guidance_scale=1)
    return denoiser, tokens, generate(denoiser, tokens, step=solvers.second_order_step(), **options)


@functools.cache
@torch.no_grad()
def distance_with(levels: tuple[float, ...]) -> float:
    """How far from the end of the road plain steps over these levels land: the median of sixteen pictures."""
    denoiser, tokens, end = _asked()
    x_t = torch.randn(end.shape, generator=torch.Generator().manual_seed(0))
    for t, s in pairwise(levels):
        x_t = denoise_step(x_t, denoiser(x_t, torch.full((len(x_t),), t), tokens), t, s)
    return (x_t - end).square().mean((1, 2, 3)).sqrt().median().item()


@check(Exercise([1, 0.96, 0.92, 0.86, 0.78, 0.66, 0.5, 0.25, 0]))
def eight_levels(attempt):
    """Lesson 08: nine levels, of eight plain steps, that come nearer to the end of the road than twelve even ones."""
    if attempt is ...:
        return UNTOUCHED
    attempt = attempt.tolist() if isinstance(attempt, Tensor | np.ndarray) else attempt
    plain = isinstance(attempt, Sequence) and not isinstance(attempt, str | bytes | range)
    if not plain or not all(isinstance(t, Real) and not isinstance(t, bool) for t in attempt):
        return f"Not yet: give a list of nine numbers, from 1 down to 0, not {shown(attempt, 60)}."
    levels = tuple(map(float, attempt))
    if len(levels) != 9:
        return f"Not yet: eight steps have nine levels, and yours are {len(levels)}."
    if levels[0] != 1 or levels[-1] != 0:
        return "Not yet: the first level is 1, pure noise, and the last 0, the picture."
    if not all(t > s for t, s in pairwise(levels)):
        return "Not yet: each level is lower than the one before it."
    own, even = distance_with(levels), distance_with(tuple(noise_levels(EVEN).tolist()))
    if own >= even:
        return f"Not yet: your eight steps end {own:.3f} from the end of the road, twelve even ones {even:.3f}."
    return RIGHT
