"""The exercises of lesson 03: the loss and the average."""

import torch

from course_lib.checks.engine import exercise
from course_lib.train import denoising_loss

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
