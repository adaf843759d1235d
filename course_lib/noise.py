"""Adding noise: x_t = (1 - t) x0 + t eps. First in the reading order.

A picture x0 and pure noise eps are the two ends of a straight road; the noise level t in [0, 1] says how far
along it we are. t = 0 is the clean picture, t = 1 is nothing but noise.
"""

from collections.abc import Callable
from numbers import Integral, Real

import torch
from torch import Tensor

# What the names of this course stand for, said once:
Pictures = Tensor  # (B, 3, H, W) float32. A clean picture x0 lies in [-1, 1]; x_t, eps and x0_hat may leave that range
Levels = float | Tensor  # noise levels t in [0, 1]: a number for all pictures, or (B,), one for each
Tokens = Tensor  # (B, L) int64, a caption for each picture; zeros stand for no words
Model = Callable  # (x_t, t, tokens) -> x0_hat, the guess of the clean pictures


def told(x: object) -> str:
    """What was given, for an error: shape and dtype of a tensor, the type of anything else."""
    return f"a tensor of shape {tuple(x.shape)}, {x.dtype}" if isinstance(x, Tensor) else f"of type {type(x).__name__}"


def check_number(name: str, x: object, low: float = 1, high: float = 10**6, kind: str = "whole") -> None:
    """Refuse what is no whole number from low to high, or no "finite" one, with a ValueError."""
    if isinstance(x, bool) or not isinstance(x, Integral if kind == "whole" else Real) or not low <= x <= high:
        raise ValueError(f"{name} must be a {kind} number from {low} to {high}, not {x!r}.")


def check_tokens(tokens: Tokens, generator: torch.Generator, axes: tuple[int, ...] = (2,)) -> None:
    """Refuse what is no tensor of tokens, or no source of chance for them, with a ValueError."""
    if not isinstance(tokens, Tensor) or tokens.ndim not in axes or not len(tokens) or tokens.is_floating_point():
        raise ValueError(f"tokens must be (B, L) integers, as `encode` gives them, not {told(tokens)}.")
    if not isinstance(generator, torch.Generator):
        raise ValueError(f"generator must be like torch.Generator().manual_seed(0), not {generator!r}.")


def as_levels(t: Levels, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Tensor:
    """Noise levels of any shape as a tensor. Raises ValueError for what is no number, and outside [0, 1]."""
    if not isinstance(t, Tensor | Real):
        raise ValueError(f"The noise level t must be a number or a tensor of numbers, not {t!r}.")
    t = torch.as_tensor(t, dtype=dtype, device=device)
    if t.numel() and not bool(((t >= 0) & (t <= 1)).all()):
        raise ValueError(
            f"The noise level t must lie in [0, 1], but it goes from {t.min():.3g} to {t.max():.3g}. "
            "0 is the clean picture, 1 is pure noise."
        )
    return t


def expand_level(t: Levels, x: Tensor) -> Tensor:
    """Give noise levels the shape they need to multiply pictures (B, ...): the one place where t is broadcast.

    Returns (1, 1, ...) or (B, 1, ...), with axes, dtype and device of x. Raises as `as_levels`, and for other shapes.
    """
    t = as_levels(t, x.dtype, x.device)
    if t.ndim > 1 or (t.ndim == 1 and t.shape[0] not in (1, x.shape[0])):  # `len` would fix the batch of an export
        raise ValueError(f"t has shape {tuple(t.shape)} for {len(x)} pictures. Give one noise level, or {len(x)}.")
    return t.reshape(-1, *[1] * (x.ndim - 1))


def check_clean(x0: Pictures) -> None:
    """Refuse what is no batch of clean pictures: ValueError for a wrong shape, dtype or range, with what to do."""
    if not isinstance(x0, Tensor) or x0.ndim != 4:
        raise ValueError(f"Pictures have shape (B, 3, H, W), not {told(x0)}. For a single picture write x0[None].")
    if not x0.is_floating_point():
        raise ValueError(f"Pictures are float32 in [-1, 1], not {x0.dtype}. For bytes write x / 127.5 - 1.")
    if x0.numel() and not bool((x0.abs() <= 1 + 1e-5).all()):  # written so that nan is refused too
        raise ValueError(
            f"A clean picture lies in [-1, 1], but this one goes from {x0.min():.3g} to {x0.max():.3g}. "
            "For values in [0, 255] write x / 127.5 - 1; for values in [0, 1] write 2 * x - 1."
        )


def add_noise(x0: Pictures, t: Levels, eps: Pictures) -> Pictures:
    """Mix a clean picture with noise: x_t = (1 - t) x0 + t eps.

    Args:
        x0: clean pictures in [-1, 1].
        t: how much noise. Both ends are exact: t = 0 returns x0, t = 1 returns eps.
        eps: noise from N(0, I), such as `torch.randn(x0.shape, generator=generator)`.

    Raises ValueError where a shape, a range or a dtype is wrong.

    Source: the straight path of rectified flow (Liu et al. 2022, arXiv:2209.03003, eq. 1), with its two ends
    named in the order of diffusion models.
    """
    check_clean(x0)
    if told(eps) != told(x0):
        raise ValueError(f"eps is {told(eps)}, but every pixel of x0, {told(x0)}, needs noise of its own.")
    t = expand_level(t, x0)
    return (1 - t) * x0 + t * eps


def noise_levels(steps: int) -> Tensor:
    """The levels of a road of so many steps: (steps + 1,) float32, evenly spaced, from exactly 1 down to exactly 0.

    Raises ValueError unless steps is a whole number from 1 to 1000.
    """
    check_number("steps", steps, 1, 1000)
    return torch.linspace(1, 0, steps + 1)


def signal_to_noise(t: Levels) -> Tensor:
    """How much picture is left at a noise level: ((1 - t) / t)^2, the ratio of the two variances' factors.

    Infinite at t = 0, one at t = 1/2, exactly zero at t = 1; t may have any shape. Raises ValueError outside [0, 1].

    Source: Kingma et al. 2021, Variational Diffusion Models (arXiv:2107.00630), eq. 2, for this noising.
    """
    t = as_levels(t, torch.float32)
    return ((1 - t) / t) ** 2
