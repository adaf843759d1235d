"""Adding noise: x_t = (1 - t) x0 + t eps. First in the reading order.

A picture x0 and pure noise eps are the two ends of a straight road; the noise level t in [0, 1] says how far
along it we are. t = 0 is the clean picture, t = 1 is nothing but noise.
"""

import torch
from torch import Tensor


def expand_level(t: float | Tensor, x: Tensor) -> Tensor:
    """Give a noise level the shape it needs to multiply pictures: the one place where t is broadcast.

    Args:
        t: noise level in [0, 1]; one number for all pictures, or a tensor of shape (B,), one for each.
        x: (B, ...) pictures, for their shape, dtype and device.

    Returns:
        Tensor of shape (1, 1, ...) or (B, 1, ...), with as many axes as x.

    Raises:
        ValueError: t lies outside [0, 1], or has another shape.
    """
    t = torch.as_tensor(t, dtype=x.dtype, device=x.device)
    if t.ndim > 1 or (t.ndim == 1 and len(t) not in (1, len(x))):
        raise ValueError(
            f"t has shape {tuple(t.shape)} for {len(x)} pictures. "
            f"Give one number, or a tensor of shape ({len(x)},) with one noise level for each picture."
        )
    if t.numel() and not bool(((t >= 0) & (t <= 1)).all()):
        raise ValueError(
            f"The noise level t must lie in [0, 1], but it goes from {t.min():.3g} to {t.max():.3g}. "
            "0 is the clean picture, 1 is pure noise."
        )
    return t.reshape(-1, *[1] * (x.ndim - 1))


def check_pictures(x0: Tensor) -> None:
    """Refuse what is no batch of clean pictures: (B, C, H, W), floating point, values in [-1, 1].

    Raises:
        ValueError: wrong shape, dtype or range; the message says what to do.
    """
    if x0.ndim != 4:
        raise ValueError(
            f"Pictures have shape (B, 3, H, W), but this tensor has shape {tuple(x0.shape)}. "
            "For a single picture write x0[None]."
        )
    if not x0.is_floating_point():
        raise ValueError(f"Pictures are float32 in [-1, 1], not {x0.dtype}. For bytes write x / 127.5 - 1.")
    if x0.numel() and not bool((x0.abs() <= 1 + 1e-5).all()):  # written so that nan is refused too
        raise ValueError(
            f"A clean picture lies in [-1, 1], but this one goes from {x0.min():.3g} to {x0.max():.3g}. "
            "For values in [0, 255] write x / 127.5 - 1; for values in [0, 1] write 2 * x - 1."
        )


def add_noise(x0: Tensor, t: float | Tensor, eps: Tensor) -> Tensor:
    """Mix a clean picture with noise: x_t = (1 - t) x0 + t eps.

    Args:
        x0: (B, 3, H, W) float, clean pictures in [-1, 1].
        t: noise level in [0, 1], a number or a tensor of shape (B,). Both ends are exact: t = 0 returns x0,
            t = 1 returns eps.
        eps: (B, 3, H, W) float, noise from N(0, I), such as `torch.randn(x0.shape, generator=generator)`.

    Returns:
        x_t, (B, 3, H, W), the noisy pictures; they may leave [-1, 1].

    Raises:
        ValueError: a shape, a range or a dtype is wrong.

    Source: the straight path of rectified flow (Liu et al. 2022, arXiv:2209.03003, eq. 1), with its two ends
    named in the order of diffusion models.
    """
    check_pictures(x0)
    if eps.shape != x0.shape:
        raise ValueError(
            f"eps has shape {tuple(eps.shape)}, the pictures {tuple(x0.shape)}. "
            "Every pixel needs noise of its own: torch.randn(x0.shape)."
        )
    t = expand_level(t, x0)
    return (1 - t) * x0 + t * eps


def noise_levels(steps: int) -> Tensor:
    """The noise levels of a road with a given number of steps, from pure noise to the clean picture.

    Args:
        steps: how many steps, from 1 to 1000.

    Returns:
        Tensor of shape (steps + 1,), float32, evenly spaced, from exactly 1 down to exactly 0.

    Raises:
        ValueError: steps is no whole number from 1 to 1000.
    """
    if type(steps) is not int or not 1 <= steps <= 1000:
        raise ValueError(f"steps must be a whole number from 1 to 1000, not {steps!r}.")
    return torch.linspace(1, 0, steps + 1)


def signal_to_noise(t: float | Tensor) -> Tensor:
    """How much picture is left at a noise level: ((1 - t) / t)^2, the ratio of the two variances' factors.

    Args:
        t: noise level in [0, 1], a number or a tensor of any shape.

    Returns:
        Tensor of the same shape: infinite at t = 0, one at t = 1/2, exactly zero at t = 1.

    Raises:
        ValueError: t lies outside [0, 1].

    Source: Kingma et al. 2021, Variational Diffusion Models (arXiv:2107.00630), eq. 2, for this noising.
    """
    t = torch.as_tensor(t, dtype=torch.float32)
    expand_level(t.flatten(), t.flatten())  # refuses levels outside [0, 1]
    return ((1 - t) / t) ** 2
