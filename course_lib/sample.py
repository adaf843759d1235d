"""Sampling: x_s = x0_hat + (s / t) (x_t - x0_hat), again and again. Fifth in the reading order.

Start where every pixel is random. Guess the clean picture, walk a little of the way towards the guess, and guess
again from there: each guess is made of a slightly less noisy picture than the one before.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.noise import Levels, Model, Pictures, Tokens, check_number, check_tokens, expand_level, noise_levels


class Frame(NamedTuple):
    """One moment of a generation."""

    t: float  # the noise level, from 1 down to 0
    x_t: Pictures  # the noisy pictures at that level
    x0_hat: Pictures  # what the model takes the clean pictures to be


class Sampling(NamedTuple):
    """How a network is asked for pictures, unless one says otherwise."""

    size: int = 32  # side of a picture in pixels
    steps: int = 50  # from pure noise to the picture
    guidance_scale: float = 2.0
    guidance_interval: tuple[float, float] = (0.0, 1.0)  # the noise levels that it is used at


def sampling_of(model: Model) -> Sampling:
    """How a network was made to be asked, by its `config`; a plain function, which has none, is asked as usual."""
    config = getattr(model, "config", {})
    return Sampling(**{name: config[name] for name in Sampling._fields if name in config})


def _expand_levels(x_t: Pictures, t: Levels, s: Levels) -> tuple[Tensor, Tensor]:
    t, s = expand_level(t, x_t), expand_level(s, x_t)
    if not bool((s < t).all()):
        raise ValueError(f"A step goes down from t to s, but s = {s.max():.3g} is not below t = {t.min():.3g}.")
    return t, s


def denoise_step(x_t: Pictures, x0_hat: Pictures, t: Levels, s: Levels) -> Pictures:
    """Go from noise level t to a lower one: x_s = x0_hat + (s / t) (x_t - x0_hat).

    The part of x_t that is not the guess shrinks by s / t. At s = 0 nothing is left of it: the step lands on x0_hat.
    Of an error in the guess a part goes over: x_s_hat - x_s = (1 - s/t) (x0_hat - x0), so the loss on x_s is
    (1 - s/t)^2 times the loss on x0.

    Raises ValueError where s is not below t, or a level lies outside [0, 1].

    Source: the Euler step of rectified flow (arXiv:2209.03003); DDIM's step (Song et al. 2021, arXiv:2010.02502,
    eq. 12 with sigma = 0) once x_t is divided by sqrt((1 - t)^2 + t^2).
    """
    t, s = _expand_levels(x_t, t, s)
    return x0_hat + (s / t) * (x_t - x0_hat)


def ancestral_step(
    x_t: Pictures, x0_hat: Pictures, t: Levels, s: Levels, generator: torch.Generator | None = None
) -> Pictures:
    """Go from noise level t to a lower one and put fresh noise z, from the generator, back.

    x_s = (1 - s) x0_hat + sqrt(s^2 - sigma^2) eps_hat + sigma z,  with  eps_hat = (x_t - (1 - t) x0_hat) / t,
    sigma^2 = (s^2 / t^2) (t^2 - ((1 - t) / (1 - s))^2 s^2) = s^2 (1 - SNR(t) / SNR(s))  and  z ~ N(0, I).

    Raises as `denoise_step`.

    Source: DDPM's posterior, Ho et al. 2020 (arXiv:2006.11239), eq. 6 and 7, in this notation.
    """
    t, s = _expand_levels(x_t, t, s)
    eps_hat = (x_t - (1 - t) * x0_hat) / t
    variance = (s / t) ** 2 * (t**2 - ((1 - t) / (1 - s)) ** 2 * s**2)
    z = torch.randn(x_t.shape, generator=generator, dtype=x_t.dtype, device=x_t.device)
    return (1 - s) * x0_hat + (s**2 - variance).clamp(min=0).sqrt() * eps_hat + variance.sqrt() * z


def guided(model: Model, x_t: Pictures, t: Levels, tokens: Tokens, guidance_scale: float | Tensor) -> Pictures:
    """Guess the clean picture and lean towards the caption: x0_hat = u + w (c - u).

    c is the guess with the caption, u the guess with the null caption, w the guidance scale: 0 ignores the
    caption, 1 is the plain conditional guess (and asks the model only once), more exaggerates what the words
    change, less than 0 turns away from them. It is one number, or (B,).

    Source: classifier-free guidance, Ho and Salimans 2022 (arXiv:2207.12598), eq. 6, with w counted from 0.
    """
    w = torch.as_tensor(guidance_scale, dtype=x_t.dtype, device=x_t.device).reshape(-1, 1, 1, 1)
    if bool((w == 1).all()):
        return model(x_t, t, tokens)
    t = torch.as_tensor(t, dtype=x_t.dtype, device=x_t.device).expand(len(x_t))
    c, u = model(x_t.repeat(2, 1, 1, 1), t.repeat(2), torch.cat([tokens, torch.zeros_like(tokens)])).chunk(2)
    return u + w * (c - u)


@torch.no_grad()
def sample(
    model: Model,
    tokens: Tokens,
    *,
    generator: torch.Generator,
    steps: int | None = None,
    guidance_scale: float | None = None,
    guidance_interval: tuple[float, float] | None = None,
    step: Callable = denoise_step,
    shape: tuple[int, int, int] | None = None,
) -> Iterator[Frame]:
    """Turn pure noise into pictures, and show every moment on the way.

    Args:
        model: gets t as a (B,) tensor.
        tokens: one caption for each picture wanted; zeros ask for any picture.
        generator: where the noise comes from; the same state gives the same pictures.
        steps: from 1 to 1000, evenly spaced from t = 1 to t = 0. As with the next two, None: as the model was made for.
        guidance_scale: see `guided`; it rests outside the guidance_interval, low < t <= high (arXiv:2404.07724, eq. 5).
            A scale that is given without an interval holds at all levels.
        step: `denoise_step`, or anything else with its arguments (x_t, x0_hat, t, s), such as
            `functools.partial(ancestral_step, generator=generator)`.
        shape: (3, H, W) of one picture.

    Yields steps + 1 frames. The first holds x_1, pure noise of unit variance; the last the pictures, at t = 0.

    Raises ValueError where tokens are no (B, L) integers, steps or guidance_scale is out of range, generator is none.
    """
    usual = sampling_of(model)
    low, high = guidance_interval or (usual if guidance_scale is None else Sampling()).guidance_interval
    guidance_scale = usual.guidance_scale if guidance_scale is None else guidance_scale
    check_tokens(tokens, generator)
    check_number("guidance_scale", guidance_scale, -1000, 1000, "finite")
    check_number("guidance_interval's upper end", high, 0, 1, "finite")
    check_number("guidance_interval's lower end", low, 0, high, "finite")
    levels = noise_levels(usual.steps if steps is None else steps).tolist()
    x_t = torch.randn(len(tokens), *(shape or (3, usual.size, usual.size)), generator=generator, device=tokens.device)
    for t, s in zip(levels[:-1], levels[1:], strict=True):
        w = guidance_scale if low < t <= high else 1
        x0_hat = guided(model, x_t, torch.full((len(x_t),), t, device=x_t.device), tokens, w)
        yield Frame(t, x_t, x0_hat)
        x_t = step(x_t, x0_hat, t, s)
    yield Frame(0.0, x_t, x_t)


def generate(model: Model, tokens: Tokens, **options) -> Pictures:
    """The last pictures of `sample`, for those who do not want to watch. Options as there."""
    return deque(sample(model, tokens, **options), maxlen=1).pop().x_t
