"""The exercises of lesson 13: one guess in several notations."""

import torch

from course_lib.beyond import convert
from course_lib.checks.engine import exercise

g = torch.Generator().manual_seed(9)
X_T, X0_HAT = torch.randn(2, 3, 4, 4, generator=g), torch.rand(2, 3, 4, 4, generator=g) * 2 - 1
GUESSES = {f"t = {t}": (X_T, X0_HAT, t) for t in (1.0, 0.5, 0.2)}


@exercise(convert.eps_from_x0, GUESSES)
def eps_from_x0(x_t, x0_hat, t):
    """Lesson 13: the guessed noise from the guessed picture."""
    picture, too_much = (1 - t) * x0_hat, x_t - x0_hat
    return {
        "what is left is t eps_hat, noise that is dimmed by t. Divide by t.": x_t - picture,
        "your sign is turned round: take the picture away from x_t, not x_t from the picture.": (picture - x_t) / t,
        "t and 1 - t are swapped: in x_t it is the picture that is scaled by 1 - t.": (x_t - t * x0_hat) / (1 - t),
        "that is the velocity. x_t holds only 1 - t of the picture: take away no more than that.": too_much / t,
        "scale the picture by 1 - t before you take it away, then divide by t.": too_much,
        "the picture must be taken away, not added.": (x_t + picture) / t,
        "divide everything by t: brackets are missing.": x_t - picture / t,
    }


@exercise(convert.velocity_from_x0, GUESSES)
def velocity_from_x0(x_t, x0_hat, t):
    """Lesson 13: how x_t changes along its road, by the guess."""
    eps_hat = convert.eps_from_x0(x_t, x0_hat, t)
    return {
        "your sign is turned round: as t grows, the road leads away from the picture.": (x0_hat - x_t) / t,
        "that is how far it is. Divide by t, which is how long it took.": x_t - x0_hat,
        "t and 1 - t are swapped: from the picture to x_t the road is t long.": (x_t - x0_hat) / (1 - t),
        "that is eps_hat. The velocity is eps_hat - x0_hat: the picture fades as the noise grows.": eps_hat,
        "start from dx/dt = eps - x0, and write eps in terms of x_t and x0_hat.": x_t - eps_hat,
        "divide everything by t: brackets are missing.": x_t - x0_hat / t,
    }
