"""The exercises of lesson 01: adding noise."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib import noise
from course_lib.checks.engine import compare, exercise


@exercise("01")
def add_noise(attempt: Callable) -> str:
    """Lesson 01: x_t from clean pictures, one noise level for each, and noise."""
    g = torch.Generator().manual_seed(1)
    x0 = torch.rand(3, 3, 4, 4, generator=g) * 2 - 1
    eps = torch.randn(x0.shape, generator=g)
    cases = [
        ("t = 0, the clean picture", (x0, torch.zeros(3), eps)),
        ("t = 1, pure noise", (x0, torch.ones(3), eps)),
        ("three pictures with levels 0.1, 0.5 and 0.9", (x0, torch.tensor([0.1, 0.5, 0.9]), eps)),
    ]

    def spread(t: Tensor) -> Tensor:
        return t[:, None, None, None]

    mistakes = [
        (
            lambda x0, t, eps: x0 + spread(t) * eps,
            "at t = 1 the apple is still in your x_t: did you scale the picture by 1 - t?",
        ),
        (
            lambda x0, t, eps: spread(t) * x0 + (1 - spread(t)) * eps,
            "your road runs backwards: t = 0 must give the clean picture, t = 1 the noise.",
        ),
        (
            lambda x0, t, eps: (1 - spread(t)) * x0 + eps,
            "at t = 0 there is noise in your x_t: did you scale the noise by t?",
        ),
        (
            lambda x0, t, eps: (1 - spread(t)).sqrt() * x0 + spread(t).sqrt() * eps,
            "that is another road, with square roots. Ours is a straight line: (1 - t) and t themselves.",
        ),
        (
            lambda x0, t, eps: (1 - t[:, None, None]) * x0 + t[:, None, None] * eps,
            "your t lines up with the colours, not with the pictures: it needs three new axes.",
        ),
        (
            lambda x0, t, eps: (1 - t[0]) * x0 + t[0] * eps,
            "every picture got the first picture's level.",
        ),
        (
            lambda x0, t, eps: (1 - spread(t)) * x0 + spread(t) * torch.zeros_like(eps),
            "the noise is missing from your x_t: where is eps?",
        ),
    ]
    return compare(attempt, noise.add_noise, cases, mistakes)


@exercise("01")
def signal_to_noise(attempt: Callable) -> str:
    """Lesson 01: how much picture is left at a noise level."""
    cases = [(f"t = {t}", (torch.tensor(t),)) for t in (0.5, 0.25, 0.75, 0.9, 1.0)]
    mistakes = [
        (lambda t: (1 - t) / t, "that compares the scales. The ratio of variances is its square."),
        (lambda t: (t / (1 - t)) ** 2, "that is noise over picture: it must fall as t grows, to 0 at t = 1."),
        (lambda t: t / (1 - t), "that is noise over picture, and without the square."),
        (lambda t: (1 - t) ** 2, "that is how much picture there is; divide by how much noise there is."),
        (lambda t: torch.log(((1 - t) / t) ** 2), "that is its logarithm. Leave the ratio as it is."),
    ]
    return compare(attempt, noise.signal_to_noise, cases, mistakes)
