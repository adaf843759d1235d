"""The exercises of lesson 09: one guess in several notations."""

from collections.abc import Callable

import torch

from course_lib.beyond import convert
from course_lib.checks.engine import Case, compare, exercise


def _guesses() -> list[Case]:
    """Noisy pictures, guesses and a level for each, as the conversions take them."""
    g = torch.Generator().manual_seed(9)
    x_t, x0_hat = torch.randn(2, 3, 4, 4, generator=g), torch.rand(2, 3, 4, 4, generator=g) * 2 - 1
    return [(f"t = {t}", (x_t, x0_hat, t)) for t in (1.0, 0.5, 0.2)]


@exercise("09")
def eps_from_x0(attempt: Callable) -> str:
    """Lesson 09: the guessed noise from the guessed picture."""
    mistakes = [
        (
            lambda x_t, x0_hat, t: x_t - (1 - t) * x0_hat,
            "what is left is t eps_hat, noise that is dimmed by t. Divide by t.",
        ),
        (
            lambda x_t, x0_hat, t: ((1 - t) * x0_hat - x_t) / t,
            "your sign is turned round: take the picture away from x_t, not x_t from the picture.",
        ),
        (
            lambda x_t, x0_hat, t: (x_t - t * x0_hat) / (1 - t),
            "t and 1 - t are swapped: in x_t it is the picture that is scaled by 1 - t.",
        ),
        (
            lambda x_t, x0_hat, t: (x_t - x0_hat) / t,
            "that is the velocity. x_t holds only 1 - t of the picture: take away no more than that.",
        ),
        (lambda x_t, x0_hat, t: x_t - x0_hat, "scale the picture by 1 - t before you take it away, then divide by t."),
        (lambda x_t, x0_hat, t: (x_t + (1 - t) * x0_hat) / t, "the picture must be taken away, not added."),
        (lambda x_t, x0_hat, t: x_t - (1 - t) * x0_hat / t, "divide everything by t: brackets are missing."),
    ]
    return compare(attempt, convert.eps_from_x0, _guesses(), mistakes)


@exercise("09")
def velocity_from_x0(attempt: Callable) -> str:
    """Lesson 09: how x_t changes along its road, by the guess."""
    mistakes = [
        (
            lambda x_t, x0_hat, t: (x0_hat - x_t) / t,
            "your sign is turned round: as t grows, the road leads away from the picture.",
        ),
        (lambda x_t, x0_hat, t: x_t - x0_hat, "that is how far it is. Divide by t, which is how long it took."),
        (
            lambda x_t, x0_hat, t: (x_t - x0_hat) / (1 - t),
            "t and 1 - t are swapped: from the picture to x_t the road is t long.",
        ),
        (
            convert.eps_from_x0,
            "that is eps_hat. The velocity is eps_hat - x0_hat: the picture fades as the noise grows.",
        ),
        (
            lambda x_t, x0_hat, t: x_t - convert.eps_from_x0(x_t, x0_hat, t),
            "start from dx/dt = eps - x0, and write eps in terms of x_t and x0_hat.",
        ),
        (lambda x_t, x0_hat, t: x_t - x0_hat / t, "divide everything by t: brackets are missing."),
    ]
    return compare(attempt, convert.velocity_from_x0, _guesses(), mistakes)
