"""Distillation: one step that lands where two steps of the teacher land. Not needed to understand the course.

A denoiser that walks in many steps teaches a copy of itself to walk in half as many; then the copy becomes the
teacher, and so on. The first teacher walks with guidance, which takes two guesses a step, its student without: what
guidance does becomes part of the weights. So 16 guided steps, which are 32 guesses, shrink to 4.
"""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_lib.noise import Model, Pictures, Tokens, add_noise, check_number, expand_level, noise_levels
from course_lib.sample import Sampling, denoise_step, guided, sampling_of
from course_lib.train import Run

EVERYWHERE = Sampling().guidance_interval
HALVINGS = (8, 4, 2, 1)  # steps of the students, one after another; the first teacher takes 16


def scale_at(t: Tensor, guidance_scale: float, guidance_interval: tuple[float, float]) -> Tensor:
    """The guidance scale at each of some levels, (B,): 1 outside the interval."""
    low, high = guidance_interval
    return torch.where((low < t) & (t <= high), guidance_scale, 1.0)


@torch.no_grad()
def two_step_target(
    teacher: Model,
    x_t: Pictures,
    t: Tensor,
    tokens: Tokens,
    *,
    steps: int,
    guidance_scale: float = 1.0,
    guidance_interval: tuple[float, float] = EVERYWHERE,
) -> Pictures:
    """The guess with which one step lands where the teacher lands in two: x0_target = (x_s - (s/t) x_t) / (1 - s/t).

    The teacher goes from t to m = t - 1 / (2 steps) and on to s = t - 1 / steps; the formula is `denoise_step` from
    t to s, solved for its guess. At s = 0 the target is the teacher's last guess.

    Args:
        t: (B,), in [1 / steps, 1]; ValueError for other levels.
        steps: how many the student takes from noise to picture; the teacher takes twice as many.
        guidance_scale, guidance_interval: of the teacher, see `sample`.

    Source: Salimans and Ho 2022, Progressive Distillation (arXiv:2202.00512), algorithm 2; the guided teacher
    from Meng et al. 2023 (arXiv:2210.03142), section 3, their two kinds of stages in one.
    """
    m, s = t - 0.5 / steps, t - 1 / steps
    w_t, w_m = (scale_at(level, guidance_scale, guidance_interval) for level in (t, m))
    x_m = denoise_step(x_t, guided(teacher, x_t, t, tokens, w_t), t, m)
    x_s = denoise_step(x_m, guided(teacher, x_m, m, tokens, w_m), m, s)
    kept = expand_level(s / t, x_t)  # how much of x_t a step from t to s keeps
    return (x_s - kept * x_t) / (1 - kept)


def dealt_levels(count: int, generator: torch.Generator, *, steps: int) -> Tensor:
    """Levels for `train`: only those that a student of so many steps will meet, dealt out in turn, pure noise first.

    Returns t, (count,) float32; the generator is not asked. Raises ValueError if so few cannot hold every level.
    """
    if count < steps:
        raise ValueError(f"{count} pictures cannot hold {steps} noise levels. Take batches of {steps} or more.")
    return noise_levels(steps)[torch.arange(count) % steps]


def distillation_loss(
    teacher: Model, steps: int, guidance_scale: float = 1.0, guidance_interval: tuple[float, float] = EVERYWHERE
) -> Callable:
    """A loss for `train` that makes a student of so many steps: mean of |x0_hat - x0_target|^2 / t^2.

    What counts is where a step lands. An error of the guess goes over into x_s with the factor 1 - s/t = 1 / (steps t),
    so this is steps^2 times the squared error of x_s.

    It has the arguments and the answer of `denoising_loss`. steps: 8, 4, 2 or 1; the rest is as for `two_step_target`.
    Raises ValueError if steps or guidance_scale is out of range.
    """
    if steps not in HALVINGS:
        raise ValueError(f"A student takes 8, 4, 2 or 1 steps, half as many at each stage, not {steps!r}.")
    check_number("guidance_scale", guidance_scale, -1000, 1000, "finite")

    def loss(model: Model, x0: Pictures, t: Tensor, eps: Pictures, tokens: Tokens) -> Tensor:
        x_t = add_noise(x0, t, eps)
        how = dict(steps=steps, guidance_scale=guidance_scale, guidance_interval=guidance_interval)
        x0_target = two_step_target(teacher, x_t, t, tokens, **how)
        return ((model(x_t, t, tokens) - x0_target) ** 2 / expand_level(t, x0) ** 2).mean()

    return loss


class Stage(NamedTuple):
    """One halving: train(stage.run, batches, steps=1000, levels=stage.levels, loss=stage.loss)."""

    steps: int  # how many its student takes from noise to picture
    run: Run  # of the student, which starts with the teacher's weights
    levels: Callable
    loss: Callable


def stages(
    teacher: nn.Module, *, steps: int = 4, guidance_scale: float = 2.0, learning_rate: float = 2e-3, seed: int = 0
) -> Iterator[Stage]:
    """The stages from 16 guided steps down to a few. Train each one's run before you ask for the next.

    The teacher, a denoiser, stays as it is. stage.run.ema is the result of a stage, and teaches the next; its `config`
    says how many steps it was made for. Learning rate and seed are those of each `Run`.

    Args:
        steps: when to stop halving: 8, 4, 2 or 1.
        guidance_scale: of the first teacher, used in its own interval; students are called without guidance, as
            teachers too.

    Raises ValueError as `distillation_loss`, and for a teacher that was distilled already.
    """
    if (made_for := sampling_of(teacher).steps) <= HALVINGS[0]:
        raise ValueError(f"This network is distilled already, to {made_for} steps. Give its teacher.")
    distillation_loss(teacher, steps, guidance_scale)  # refuses what is out of range
    interval = sampling_of(teacher).guidance_interval
    for halved in HALVINGS[: HALVINGS.index(steps) + 1]:
        student = copy.deepcopy(teacher).requires_grad_(True)
        student.config = student.config | dict(steps=halved, guidance_scale=1.0, guidance_interval=list(EVERYWHERE))
        run = Run(student, learning_rate=learning_rate, seed=seed)
        loss = distillation_loss(teacher, halved, guidance_scale, interval)
        yield Stage(halved, run, partial(dealt_levels, steps=halved), loss)
        teacher, guidance_scale = run.ema, 1.0
