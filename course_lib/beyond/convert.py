"""The same guess in the words of other papers: eps, velocity, score, v, alpha-bar and sigma.

A network may answer with the clean picture, as ours does, with the noise, or with a mixture of the two. Since
x_t = (1 - t) x0 + t eps is known, each of these answers holds the others; this module turns one into another. At one
end of the road some of them say nothing about the others (at t = 0 there is no noise left to guess), and the functions
that would divide by zero there refuse, with a ValueError, as all do for levels outside [0, 1].
"""

import torch
from torch import Tensor

from course_lib.noise import Levels, Pictures, as_levels, expand_level


def scale(t: Levels) -> Tensor:
    """The length of the two factors together: scale = sqrt((1 - t)^2 + t^2), from sqrt(1/2) in the middle to 1.

    x_t / scale has variance 1 if the pictures have (it is "variance preserving"), as DDPM and DDIM want it. Here and in
    the next four t, alpha-bar or sigma may have any shape, and the answer has the same.
    """
    t = as_levels(t)
    return ((1 - t) ** 2 + t**2).sqrt()


def alpha_bar(t: Levels) -> Tensor:
    """How much of the variance is the picture's: alpha_bar = (1 - t)^2 / ((1 - t)^2 + t^2), exactly 0 at t = 1.

    With it, x_t / scale = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps.

    Source: DDPM, Ho et al. 2020 (arXiv:2006.11239), eq. 4.
    """
    return ((1 - as_levels(t)) / scale(t)) ** 2


def level_from_alpha_bar(alpha_bar: float | Tensor) -> Tensor:
    """Which noise level a paper's alpha-bar is: t = sqrt(1 - alpha_bar) / (sqrt(alpha_bar) + sqrt(1 - alpha_bar)).

    Raises ValueError if alpha_bar lies outside [0, 1].
    """
    alpha_bar = torch.as_tensor(alpha_bar)
    if not bool(((alpha_bar >= 0) & (alpha_bar <= 1)).all()):
        raise ValueError(f"alpha_bar must lie in [0, 1], but it goes from {alpha_bar.min():g} to {alpha_bar.max():g}.")
    return (1 - alpha_bar).sqrt() / (alpha_bar.sqrt() + (1 - alpha_bar).sqrt())


def sigma(t: Levels) -> Tensor:
    """The noise beside a picture that is not dimmed, x_t / (1 - t) = x0 + sigma eps: sigma = t / (1 - t).

    Source: EDM, Karras et al. 2022 (arXiv:2206.00364), section 2. Ours is infinite at t = 1; EDM stops at, say, 80.
    """
    t = as_levels(t)
    return t / (1 - t)


def level_from_sigma(sigma: float | Tensor) -> Tensor:
    """Which noise level EDM's sigma is: t = sigma / (1 + sigma), and 1 for an infinite sigma.

    Raises ValueError if sigma is negative.
    """
    sigma = torch.as_tensor(sigma)
    if not bool((sigma >= 0).all()):
        raise ValueError(f"sigma is how much noise there is, 0 or more, not {sigma.min():g}.")
    return torch.where(sigma.isinf(), 1.0, sigma / (1 + sigma))


def _level(t: Levels, x: Tensor, *, never: float | None = None) -> Tensor:
    """t ready to multiply x; refuses the end of the road where the conversion divides by zero."""
    t = expand_level(t, x)
    if never is not None and bool((t == never).any()):
        why = "x_t is the clean picture and holds no noise" if never == 0 else "x_t is pure noise and holds no picture"
        raise ValueError(f"At t = {never:g} {why}: this conversion would divide by zero. Ask for a level beside it.")
    return t


def eps_from_x0(x_t: Pictures, x0_hat: Pictures, t: Levels) -> Pictures:
    """What is left of x_t when the guessed picture is taken away: eps_hat = (x_t - (1 - t) x0_hat) / t.

    Raises ValueError where t is 0, as there is no noise to guess, or outside [0, 1].

    Source: what DDPM's network answers with (arXiv:2006.11239, eq. 11 and 14).
    """
    t = _level(t, x_t, never=0)
    return (x_t - (1 - t) * x0_hat) / t


def x0_from_eps(x_t: Pictures, eps_hat: Pictures, t: Levels) -> Pictures:
    """The clean picture under the guessed noise: x0_hat = (x_t - t eps_hat) / (1 - t).

    Close to t = 1 a small error of eps_hat becomes a large one. Raises ValueError at t = 1, where x_t is the noise.
    """
    t = _level(t, x_t, never=1)
    return (x_t - t * eps_hat) / (1 - t)


def velocity_from_x0(x_t: Pictures, x0_hat: Pictures, t: Levels) -> Pictures:
    """How x_t changes along its road, dx/dt = eps - x0, by the guess: velocity = (x_t - x0_hat) / t.

    It points from the picture towards the noise. The step of the course is x_s = x_t + (s - t) velocity.

    Raises ValueError where t is 0 or outside [0, 1].

    Source: what the networks of rectified flow and flow matching answer with (arXiv:2209.03003, eq. 1;
    arXiv:2210.02747), there often with the road's ends exchanged, and so with the other sign.
    """
    t = _level(t, x_t, never=0)
    return (x_t - x0_hat) / t


def x0_from_velocity(x_t: Pictures, velocity: Pictures, t: Levels) -> Pictures:
    """The clean picture, by walking back the whole way t: x0_hat = x_t - t velocity. Good at every level."""
    return x_t - _level(t, x_t) * velocity


def score_from_x0(x_t: Pictures, x0_hat: Pictures, t: Levels) -> Pictures:
    """Where noisy pictures become likelier, the gradient of log p(x_t): score = ((1 - t) x0_hat - x_t) / t^2.

    That is -eps_hat / t: away from the noise. It is exact if x0_hat is the average of all clean pictures that x_t can
    come from. Raises ValueError at t = 0.

    Source: denoising score matching, Vincent 2011; Song et al. 2021 (arXiv:2011.13456).
    """
    t = _level(t, x_t, never=0)
    return ((1 - t) * x0_hat - x_t) / t**2


def x0_from_score(x_t: Pictures, score: Pictures, t: Levels) -> Pictures:
    """The clean picture from the score (Tweedie's formula): x0_hat = (x_t + t^2 score) / (1 - t), but not at t = 1."""
    t = _level(t, x_t, never=1)
    return (x_t + t**2 * score) / (1 - t)


def v_from_x0(x_t: Pictures, x0_hat: Pictures, t: Levels) -> Pictures:
    """A quarter turn from x_t, between picture and noise: v = ((1 - t) x_t / scale - scale x0_hat) / t.

    In terms of both ends, v = ((1 - t) eps - t x0) / scale, with the scale of `scale`. Raises ValueError at t = 0.

    Source: Salimans and Ho 2022 (arXiv:2202.00512), appendix D, in this notation.
    """
    t = _level(t, x_t, never=0)
    return ((1 - t) * x_t / scale(t) - scale(t) * x0_hat) / t


def x0_from_v(x_t: Pictures, v: Pictures, t: Levels) -> Pictures:
    """The clean picture from v: x0_hat = ((1 - t) x_t / scale - t v) / scale. Good at every level."""
    t = _level(t, x_t)
    return ((1 - t) * x_t / scale(t) - t * v) / scale(t)
