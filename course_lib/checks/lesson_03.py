"""The exercises of lesson 03: the loss, the average, and a learning rate that is too large."""

from itertools import islice
from math import inf, log10
from numbers import Real

import torch

from course_lib.captions import null_tokens
from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.classroom import plane
from course_lib.train import Run, denoising_loss, random_batches, train

g = torch.Generator().manual_seed(3)
X0, X0_HAT = torch.rand(2, 3, 3, 4, 4, generator=g) * 2 - 1
EMA, VALUE = torch.randn(2, 4, 5, generator=g)
GUESSES = {
    f"the levels {levels}": (X0_HAT, X0, torch.tensor(levels))
    for levels in ([0.1, 0.5, 0.9], [1.0, 1.0, 1.0], [0.05, 0.2, 0.3])
}
SHARES = {f"new = {new}": (EMA, VALUE, new) for new in (0.1, 0.01, 0.5, 1.0)}


@exercise(lambda x0_hat, x0, t: denoising_loss(lambda *_: x0_hat, x0, t, torch.zeros_like(x0), None), GUESSES)
def weighted_loss(x0_hat, x0, t):
    """Lesson 03: the loss of the course, from the guess, the clean picture and the level."""
    error, t = x0_hat - x0, t[:, None, None, None]
    floor = t.clamp(min=0.3)
    weighted, upside_down = error**2 / floor**2, (error**2 * floor**2).mean()
    return {
        "where is the weight? Divide by max(t, 0.3) squared.": (error**2).mean(),
        "the weight is not squared: it is 1 / max(t, 0.3)^2.": (error**2 / floor).mean(),
        "you multiply by max(t, 0.3)^2 where you should divide: little noise must count more, not less.": upside_down,
        "your weight has no floor: near t = 0 it would grow without end. Use max(t, 0.3).": (error**2 / t**2).mean(),
        "that is the sum over all numbers. Take the mean, so that it does not grow with the batch.": weighted.sum(),
        "the error is not squared, only made positive.": (error.abs() / floor**2).mean(),
    }


@exercise(torch.lerp, SHARES)
def ema_update(ema, value, new):
    """Lesson 03: move the average a small share of the way towards the network."""
    swapped, grown = new * ema + (1 - new) * value, ema + new * value
    return {
        "the weights are swapped: with new = 0.01 your average forgets nearly all of its past at every step.": swapped,
        "that is the network itself, and no average.": value,
        "your average never moves.": ema,
        "half and half whatever `new` says. Move by the share `new`.": (ema + value) / 2,
        "your average grows at every step: what comes in must be taken off the old, or ema drawn towards value.": grown,
        "your average runs away from the network: the sign is wrong.": ema - new * (value - ema),
    }


def losses_at(learning_rate: float, steps: int = 60) -> list[float]:
    """The loss of each step of a short training of lesson 2's small network for points, from the same start each time.

    Fewer where the loss leaves all bounds. Raises ValueError as `Run` does.
    """
    x0 = plane.two_fruits()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        run = Run(plane.PlaneNet(64), learning_rate=learning_rate)
        batches = random_batches(x0, null_tokens(len(x0)), run.generator)
        losses = []
        try:
            for report in islice(train(run, batches, steps=1000), steps):  # far from its end, so the rate does not fall
                losses.append(report.loss)
        except ValueError:  # no longer finite
            losses.append(inf)
    return losses


def first_and_last(losses: list[float]) -> tuple[float, float]:
    """The first loss, and the mean of the last ten."""
    return losses[0], sum(losses[-10:]) / len(losses[-10:])


@check(Exercise(1.0))
def too_large(attempt):
    """Lesson 03: the lowest power of ten that, as a learning rate, lets the loss end above its start."""
    if attempt is ...:
        return UNTOUCHED
    if isinstance(attempt, bool) or not isinstance(attempt, Real) or not 1e-6 <= attempt <= 100:
        return "Not yet: give the learning rate itself, a number from 0.000001 to 100, such as 0.001."
    if abs(log10(attempt) - round(log10(attempt))) > 1e-6:
        return "Not yet: give a power of ten, such as 0.001 or 0.01."
    began, ended = first_and_last(losses_at(float(attempt)))
    told = f"the loss began at {began:.1f} and ended at {ended:,.1f}" if ended < 1e6 else "the loss left all bounds"
    if ended <= began:
        return f"Not yet: at {float(attempt):g} {told}. It learned: go higher."
    began, ended = first_and_last(losses_at(float(attempt) / 10))
    if ended > began:
        return f"Not yet: at {float(attempt):g} {told}. But a tenth of that rate is too large as well: go lower."
    return RIGHT
