"""The same guess in the words of other papers: eps, velocity, score, v, alpha-bar and sigma.

A network may answer with the clean picture, as ours does, with the noise, or with a mixture of the two. Since
x_t = (1 - t) x0 + t eps is known, each of these answers holds the others; this module turns one into another. At one
end of the road some of them say nothing about the others (at t = 0 there is no noise left to guess), and the functions
that would divide by zero there refuse.
"""

import torch
from torch import Tensor

from course_lib.noise import expand_level


def _level(t: float | Tensor, x: Tensor, *, never: float | None = None) -> Tensor:
    """t ready to multiply x; refuses the end of the road where the conversion divides by zero."""
    t = expand_level(t, x)
    if never is not None and bool((t == never).any()):
        why = "x_t is the clean picture and holds no noise" if never == 0 else "x_t is pure noise and holds no picture"
        raise ValueError(f"At t = {never:g} {why}: this conversion would divide by zero. Ask for a level beside it.")
    return t


def scale(t: float | Tensor) -> Tensor:
    """The length of the two factors together: scale = sqrt((1 - t)^2 + t^2).

    x_t / scale has variance 1 if the pictures have (it is "variance preserving"), as DDPM and DDIM want it.

    Args:
        t: noise level in [0, 1], a number or a tensor of any shape.

    Returns:
        Tensor of the same shape, 1 at both ends, sqrt(1/2) in the middle.
    """
    t = torch.as_tensor(t)
    expand_level(t.flatten().double(), t.flatten().double())  # refuses levels outside [0, 1]
    return ((1 - t) ** 2 + t**2).sqrt()


def alpha_bar(t: float | Tensor) -> Tensor:
    """How much of the variance is the picture's: alpha_bar = (1 - t)^2 / ((1 - t)^2 + t^2).

    With it, x_t / scale = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps.

    Args:
        t: noise level in [0, 1], a number or a tensor of any shape.

    Returns:
        Tensor of the same shape, from 1 at t = 0 to exactly 0 at t = 1.

    Source: DDPM, Ho et al. 2020 (arXiv:2006.11239), eq. 4.
    """
    return ((1 - torch.as_tensor(t)) / scale(t)) ** 2


def level_from_alpha_bar(alpha_bar: float | Tensor) -> Tensor:
    """Which noise level a paper's alpha-bar is: t = sqrt(1 - alpha_bar) / (sqrt(alpha_bar) + sqrt(1 - alpha_bar)).

    Args:
        alpha_bar: in [0, 1], a number or a tensor of any shape.

    Returns:
        t, of the same shape, in [0, 1].

    Raises:
        ValueError: alpha_bar lies outside [0, 1].
    """
    alpha_bar = torch.as_tensor(alpha_bar)
    if not bool(((alpha_bar >= 0) & (alpha_bar <= 1)).all()):
        raise ValueError(f"alpha_bar must lie in [0, 1], but it goes from {alpha_bar.min():g} to {alpha_bar.max():g}.")
    return (1 - alpha_bar).sqrt() / (alpha_bar.sqrt() + (1 - alpha_bar).sqrt())


def sigma(t: float | Tensor) -> Tensor:
    """The noise beside a picture that is not dimmed: sigma = t / (1 - t), infinite at t = 1.

    With it, x_t / (1 - t) = x0 + sigma eps.

    Args:
        t: noise level in [0, 1], a number or a tensor of any shape.

    Returns:
        Tensor of the same shape, from 0 to infinity.

    Source: EDM, Karras et al. 2022 (arXiv:2206.00364), section 2. EDM itself stops at a large sigma, such as 80.
    """
    scale(t)  # refuses levels outside [0, 1]
    t = torch.as_tensor(t)
    return t / (1 - t)


def level_from_sigma(sigma: float | Tensor) -> Tensor:
    """Which noise level EDM's sigma is: t = sigma / (1 + sigma), and 1 for an infinite sigma.

    Args:
        sigma: 0 or more, a number or a tensor of any shape.

    Returns:
        t, of the same shape, in [0, 1].

    Raises:
        ValueError: sigma is negative.
    """
    sigma = torch.as_tensor(sigma)
    if not bool((sigma >= 0).all()):
        raise ValueError(f"sigma is how much noise there is, 0 or more, not {sigma.min():g}.")
    return torch.where(sigma.isinf(), 1.0, sigma / (1 + sigma))


def eps_from_x0(x_t: Tensor, x0_hat: Tensor, t: float | Tensor) -> Tensor:
    """What is left of x_t when the guessed picture is taken away: eps_hat = (x_t - (1 - t) x0_hat) / t.

    Args:
        x_t: (B, 3, H, W) float, noisy pictures.
        x0_hat: (B, 3, H, W) float, the guess of the clean ones.
        t: their noise levels in (0, 1], a number or (B,).

    Returns:
        eps_hat, (B, 3, H, W), the guess of the noise.

    Raises:
        ValueError: a level is 0, where there is no noise to guess, or outside [0, 1].

    Source: what DDPM's network answers with (arXiv:2006.11239, eq. 11 and 14).
    """
    t = _level(t, x_t, never=0)
    return (x_t - (1 - t) * x0_hat) / t


def x0_from_eps(x_t: Tensor, eps_hat: Tensor, t: float | Tensor) -> Tensor:
    """The clean picture under the guessed noise: x0_hat = (x_t - t eps_hat) / (1 - t).

    Arguments as for `eps_from_x0`, with t in [0, 1). Close to t = 1 a small error of eps_hat becomes a large one.

    Raises:
        ValueError: a level is 1, where x_t is the noise and says nothing about the picture, or outside [0, 1].
    """
    t = _level(t, x_t, never=1)
    return (x_t - t * eps_hat) / (1 - t)


def velocity_from_x0(x_t: Tensor, x0_hat: Tensor, t: float | Tensor) -> Tensor:
    """How x_t changes along its road, dx/dt = eps - x0, by the guess: velocity = (x_t - x0_hat) / t.

    Arguments as for `eps_from_x0`. The step of the course is x_s = x_t + (s - t) velocity.

    Returns:
        velocity, (B, 3, H, W), from the picture towards the noise.

    Raises:
        ValueError: a level is 0, or outside [0, 1].

    Source: what the networks of rectified flow and flow matching answer with (arXiv:2209.03003, eq. 1;
    arXiv:2210.02747), there often with the road's ends exchanged, and so with the other sign.
    """
    t = _level(t, x_t, never=0)
    return (x_t - x0_hat) / t


def x0_from_velocity(x_t: Tensor, velocity: Tensor, t: float | Tensor) -> Tensor:
    """The clean picture, by walking back the whole way t: x0_hat = x_t - t velocity. Good at every level."""
    return x_t - _level(t, x_t) * velocity


def score_from_x0(x_t: Tensor, x0_hat: Tensor, t: float | Tensor) -> Tensor:
    """Where noisy pictures become likelier, the gradient of log p(x_t): score = ((1 - t) x0_hat - x_t) / t^2.

    That is -eps_hat / t: away from the noise. It is exact if x0_hat is the average of all clean pictures that
    x_t can come from.

    Arguments as for `eps_from_x0`.

    Raises:
        ValueError: a level is 0, or outside [0, 1].

    Source: denoising score matching, Vincent 2011; Song et al. 2021 (arXiv:2011.13456).
    """
    t = _level(t, x_t, never=0)
    return ((1 - t) * x0_hat - x_t) / t**2


def x0_from_score(x_t: Tensor, score: Tensor, t: float | Tensor) -> Tensor:
    """The clean picture from the score (Tweedie's formula): x0_hat = (x_t + t^2 score) / (1 - t).

    Raises:
        ValueError: a level is 1, or outside [0, 1].
    """
    t = _level(t, x_t, never=1)
    return (x_t + t**2 * score) / (1 - t)


def v_from_x0(x_t: Tensor, x0_hat: Tensor, t: float | Tensor) -> Tensor:
    """A quarter turn from x_t, between picture and noise: v = ((1 - t) x_t / scale - scale x0_hat) / t.

    In terms of both ends, v = ((1 - t) eps - t x0) / scale, with the scale of `scale`.

    Arguments as for `eps_from_x0`.

    Raises:
        ValueError: a level is 0, or outside [0, 1].

    Source: Salimans and Ho 2022 (arXiv:2202.00512), appendix D, in this notation.
    """
    t = _level(t, x_t, never=0)
    return ((1 - t) * x_t / scale(t) - scale(t) * x0_hat) / t


def x0_from_v(x_t: Tensor, v: Tensor, t: float | Tensor) -> Tensor:
    """The clean picture from v: x0_hat = ((1 - t) x_t / scale - t v) / scale. Good at every level."""
    t = _level(t, x_t)
    return ((1 - t) * x_t / scale(t) - t * v) / scale(t)
