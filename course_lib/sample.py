"""Sampling: x_s = x0_hat + (s / t) (x_t - x0_hat), again and again. Fifth in the reading order.

Start where every pixel is random. Guess the clean picture, walk a little of the way towards the guess, and guess
again from there: each guess is made of a slightly less noisy picture than the one before.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.noise import expand_level, noise_levels


class Frame(NamedTuple):
    """One moment of a generation."""

    t: float  # the noise level, from 1 down to 0
    x_t: Tensor  # (B, 3, H, W), the noisy pictures at that level
    x0_hat: Tensor  # (B, 3, H, W), what the model takes the clean pictures to be


def _expand_levels(x_t: Tensor, t: float | Tensor, s: float | Tensor) -> tuple[Tensor, Tensor]:
    t, s = expand_level(t, x_t), expand_level(s, x_t)
    if not bool((s < t).all()):
        raise ValueError(
            f"A step goes from noise level t to a lower one s, but s = {s.max():.3g} is not below t = {t.min():.3g}."
        )
    return t, s


def denoise_step(x_t: Tensor, x0_hat: Tensor, t: float | Tensor, s: float | Tensor) -> Tensor:
    """Go from noise level t to a lower one: x_s = x0_hat + (s / t) (x_t - x0_hat).

    The part of x_t that is not the guess shrinks by s / t. At s = 0 nothing is left of it: the step lands on x0_hat.
    Of an error in the guess a part goes over: x_s_hat - x_s = (1 - s/t) (x0_hat - x0), so the loss on x_s is
    (1 - s/t)^2 times the loss on x0.

    Args:
        x_t: (B, 3, H, W) float, noisy pictures.
        x0_hat: (B, 3, H, W) float, the guess of the clean ones.
        t, s: noise levels with 0 <= s < t <= 1, numbers or (B,).

    Returns:
        x_s, (B, 3, H, W), the slightly less noisy pictures.

    Raises:
        ValueError: s is not below t, or a level lies outside [0, 1].

    Source: the Euler step of rectified flow (arXiv:2209.03003); DDIM's step (Song et al. 2021, arXiv:2010.02502,
    eq. 12 with sigma = 0) once x_t is divided by sqrt((1 - t)^2 + t^2).
    """
    t, s = _expand_levels(x_t, t, s)
    return x0_hat + (s / t) * (x_t - x0_hat)


def ancestral_step(
    x_t: Tensor,
    x0_hat: Tensor,
    t: float | Tensor,
    s: float | Tensor,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Go from noise level t to a lower one and put fresh noise back.

    x_s = (1 - s) x0_hat + sqrt(s^2 - sigma^2) eps_hat + sigma z,  with  eps_hat = (x_t - (1 - t) x0_hat) / t,
    sigma^2 = (s^2 / t^2) (t^2 - ((1 - t) / (1 - s))^2 s^2)  and  z ~ N(0, I).

    Args:
        x_t, x0_hat, t, s: as for `denoise_step`.
        generator: where z comes from.

    Returns:
        x_s, (B, 3, H, W).

    Raises:
        ValueError: as `denoise_step`.

    Source: DDPM's posterior, Ho et al. 2020 (arXiv:2006.11239), eq. 6 and 7, in this notation.
    """
    t, s = _expand_levels(x_t, t, s)
    eps_hat = (x_t - (1 - t) * x0_hat) / t
    variance = (s / t) ** 2 * (t**2 - ((1 - t) / (1 - s)) ** 2 * s**2)
    z = torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype, device=x_t.device)
    return (1 - s) * x0_hat + (s**2 - variance).clamp(min=0).sqrt() * eps_hat + variance.sqrt() * z


def guided(model: Callable, x_t: Tensor, t: float | Tensor, tokens: Tensor, guidance_scale: float) -> Tensor:
    """Guess the clean picture and lean towards the caption: x0_hat = u + w (c - u).

    c is the guess with the caption, u the guess with the null caption, w the guidance scale: 0 ignores the
    caption, 1 is the plain conditional guess (and asks the model only once), more exaggerates what the words
    change, less than 0 turns away from them.

    Args:
        model: any callable (x_t, t, tokens) -> x0_hat.
        x_t: (B, 3, H, W) float32, noisy pictures.
        t: noise level in [0, 1], a number or (B,).
        tokens: (B, MAX_WORDS) int64.
        guidance_scale: w, any finite number.

    Returns:
        x0_hat, (B, 3, H, W).

    Source: classifier-free guidance, Ho and Salimans 2022 (arXiv:2207.12598), eq. 6, with w counted from 0.
    """
    if guidance_scale == 1:
        return model(x_t, t, tokens)
    t = torch.as_tensor(t, dtype=x_t.dtype, device=x_t.device).expand(len(x_t))
    c, u = model(x_t.repeat(2, 1, 1, 1), t.repeat(2), torch.cat([tokens, torch.zeros_like(tokens)])).chunk(2)
    return u + guidance_scale * (c - u)


@torch.no_grad()
def sample(
    model: Callable,
    tokens: Tensor,
    *,
    generator: torch.Generator,
    steps: int = 50,
    guidance_scale: float = 2.0,
    step: Callable = denoise_step,
    shape: tuple[int, int, int] = (3, 32, 32),
) -> Iterator[Frame]:
    """Turn pure noise into pictures, and show every moment on the way.

    Args:
        model: any callable (x_t, t, tokens) -> x0_hat; t comes as a (B,) tensor.
        tokens: (B, L) int64, one caption for each picture wanted; zeros ask for any picture.
        generator: where the noise comes from; the same state gives the same pictures.
        steps: from 1 to 1000, evenly spaced from t = 1 to t = 0.
        guidance_scale: see `guided`.
        step: `denoise_step`, or anything else with its arguments (x_t, x0_hat, t, s), such as
            `functools.partial(ancestral_step, generator=generator)`.
        shape: (3, H, W) of one picture.

    Yields:
        steps + 1 frames. The first holds x_1, pure noise of unit variance. The last holds the pictures, at t = 0,
        where a picture is its own guess.

    Raises:
        ValueError: tokens are no (B, L) integers, steps or guidance_scale is out of range.
    """
    if tokens.ndim != 2 or tokens.is_floating_point():
        raise ValueError(f"tokens must be (B, L) integers, as `encode` gives them, not {tuple(tokens.shape)}.")
    if not abs(guidance_scale) < float("inf"):
        raise ValueError(f"The guidance scale must be a finite number, not {guidance_scale}.")
    levels = noise_levels(steps).tolist()
    x_t = torch.randn(len(tokens), *shape, generator=generator, device=tokens.device)
    for t, s in zip(levels[:-1], levels[1:], strict=True):
        x0_hat = guided(model, x_t, torch.full((len(x_t),), t, device=x_t.device), tokens, guidance_scale)
        yield Frame(t, x_t, x0_hat)
        x_t = step(x_t, x0_hat, t, s)
    yield Frame(0.0, x_t, x_t)


def generate(model: Callable, tokens: Tensor, **options) -> Tensor:
    """The last pictures of `sample`, (B, 3, H, W), for those who do not want to watch. Options as there."""
    return deque(sample(model, tokens, **options), maxlen=1).pop().x_t
