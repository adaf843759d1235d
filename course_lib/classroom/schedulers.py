"""Our denoiser, driven by the schedulers of `diffusers`, and how near they come to our own step.

Like `convert`, this is for comparing: the course's own loop is `sample`. `diffusers` is loaded only when it is asked
for, since the library itself does without.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from course_lib.beyond.convert import velocity_from_x0
from course_lib.noise import Model, Pictures, Tokens
from course_lib.sample import generate, guided

FLOW = dict(prediction_type="flow_prediction", use_flow_sigmas=True)  # x_t = (1 - sigma) x0 + sigma eps, as ours


def equal_levels(steps: int) -> list[float]:
    """The noise levels of so many equal steps, from 1 down to 1 / steps: what a scheduler takes as its `sigmas`."""
    return [1 - i / steps for i in range(steps)]


@torch.no_grad()
def drive(scheduler, model: Model, noise: Pictures, tokens: Tokens, guidance_scale: float = 2.0) -> Pictures:
    """From noise to pictures by a flow-matching scheduler whose levels are set (`set_timesteps`).

    It is asked for its levels by its `sigmas`: some cut their `timesteps` to whole numbers.
    """
    x = noise
    for i, timestep in enumerate(scheduler.timesteps):
        t = scheduler.sigmas[i]
        velocity = velocity_from_x0(x, guided(model, x, t, tokens, guidance_scale), t)
        x = scheduler.step(velocity, timestep, x).prev_sample
    return x


class Agreement(NamedTuple):
    """How near a scheduler comes to our own step, with as many calls of the network."""

    last: float  # the level at which it stops; a picture has none left, 0
    mean: float  # how far its pictures are from ours, on average over the pixels
    largest: float  # and at most

    @property
    def agrees(self) -> bool:
        """Whether it is our step: no pixel off by more than 1 / 40 of the range, and no noise left."""
        return self.last == 0 and self.largest < 0.05


def deterministic_schedulers(steps: int) -> dict[str, object]:
    """Schedulers of `diffusers` that put no noise back, by name, ready for so many calls of the network."""
    from diffusers import (
        DEISMultistepScheduler,
        DPMSolverMultistepScheduler,
        DPMSolverSinglestepScheduler,
        FlowMatchEulerDiscreteScheduler,
        UniPCMultistepScheduler,
    )

    named = {
        "FlowMatchEuler, our levels": FlowMatchEulerDiscreteScheduler(shift=1.0),
        "FlowMatchEuler, as it comes": FlowMatchEulerDiscreteScheduler(shift=1.0),
        "DPMSolverMultistep, first order": DPMSolverMultistepScheduler(solver_order=1, **FLOW),
        "DPMSolverSinglestep, first order": DPMSolverSinglestepScheduler(
            solver_order=1, lower_order_final=True, **FLOW
        ),
        "DPMSolverMultistep, second order": DPMSolverMultistepScheduler(solver_order=2, **FLOW),
        "UniPCMultistep, second order": UniPCMultistepScheduler(solver_order=2, **FLOW),
        "DEISMultistep, second order": DEISMultistepScheduler(solver_order=2, **FLOW),
    }
    for name, scheduler in named.items():
        if name.endswith("our levels"):
            scheduler.set_timesteps(sigmas=equal_levels(steps))
        else:
            scheduler.set_timesteps(steps)
    return named


def agreement(
    model: Model, tokens: Tokens, *, seed: int = 0, steps: int = 20, shape: Sequence[int] = (3, 32, 32)
) -> dict[str, Agreement]:
    """Have each of `deterministic_schedulers` make the same pictures as `generate`, from the same noise."""
    ours = generate(
        model, tokens, generator=torch.Generator().manual_seed(seed), steps=steps, guidance_scale=2.0, shape=shape
    )
    noise = torch.randn(len(tokens), *shape, generator=torch.Generator().manual_seed(seed))
    found = {}
    for name, scheduler in deterministic_schedulers(steps).items():
        off = (drive(scheduler, model, noise, tokens) - ours).abs()
        found[name] = Agreement(float(scheduler.sigmas[-1]), float(off.mean()), float(off.max()))
    return found
