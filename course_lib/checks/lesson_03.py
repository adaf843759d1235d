"""The exercises of lesson 03: the loss and the average."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib import train
from course_lib.checks.engine import compare, exercise


@exercise("03")
def weighted_loss(attempt: Callable) -> str:
    """Lesson 03: the loss of the course, from the guess, the clean picture and the level."""
    g = torch.Generator().manual_seed(3)
    x0, x0_hat = torch.rand(2, 3, 3, 4, 4, generator=g) * 2 - 1
    cases = [
        (f"the levels {levels}", (x0_hat, x0, torch.tensor(levels)))
        for levels in ([0.1, 0.5, 0.9], [1.0, 1.0, 1.0], [0.05, 0.2, 0.3])
    ]

    def weight(t: Tensor) -> Tensor:
        return 1 / t.clamp(min=0.3)[:, None, None, None] ** 2

    def answer(x0_hat: Tensor, x0: Tensor, t: Tensor) -> Tensor:
        return train.denoising_loss(lambda *_: x0_hat, x0, t, torch.zeros_like(x0), None)

    mistakes = [
        (lambda x0_hat, x0, t: ((x0_hat - x0) ** 2).mean(), "where is the weight? Divide by max(t, 0.3) squared."),
        (
            lambda x0_hat, x0, t: ((x0_hat - x0) ** 2 * weight(t).sqrt()).mean(),
            "the weight is not squared: it is 1 / max(t, 0.3)^2.",
        ),
        (
            lambda x0_hat, x0, t: ((x0_hat - x0) ** 2 / weight(t)).mean(),
            "you multiply by max(t, 0.3)^2 where you should divide: little noise must count more, not less.",
        ),
        (
            lambda x0_hat, x0, t: ((x0_hat - x0) ** 2 / t[:, None, None, None] ** 2).mean(),
            "your weight has no floor: near t = 0 it would grow without end. Use max(t, 0.3).",
        ),
        (
            lambda x0_hat, x0, t: ((x0_hat - x0) ** 2 * weight(t)).sum(),
            "that is the sum over all numbers. Take the mean, so that it does not grow with the batch.",
        ),
        (
            lambda x0_hat, x0, t: ((x0_hat - x0).abs() * weight(t)).mean(),
            "the error is not squared, only made positive.",
        ),
    ]
    return compare(attempt, answer, cases, mistakes)


@exercise("03")
def ema_update(attempt: Callable) -> str:
    """Lesson 03: move the average a small share of the way towards the network."""
    g = torch.Generator().manual_seed(4)
    ema, value = torch.randn(2, 4, 5, generator=g)
    cases = [(f"new = {new}", (ema, value, new)) for new in (0.1, 0.01, 0.5, 1.0)]
    mistakes = [
        (
            lambda ema, value, new: new * ema + (1 - new) * value,
            "the weights are swapped: with new = 0.01 your average forgets nearly all of its past at every step.",
        ),
        (lambda ema, value, new: value, "that is the network itself, and no average."),
        (lambda ema, value, new: ema, "your average never moves."),
        (lambda ema, value, new: (ema + value) / 2, "half and half whatever `new` says. Move by the share `new`."),
        (
            lambda ema, value, new: ema + new * value,
            "your average grows at every step: what comes in must be taken off the old, or ema drawn towards value.",
        ),
        (
            lambda ema, value, new: ema - new * (value - ema),
            "your average runs away from the network: the sign is wrong.",
        ),
    ]
    return compare(attempt, torch.lerp, cases, mistakes)
