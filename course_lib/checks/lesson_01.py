"""The exercises of lesson 01: adding noise."""

import torch

from course_lib import noise
from course_lib.checks.engine import exercise

g = torch.Generator().manual_seed(1)
X0, EPS = torch.rand(3, 3, 4, 4, generator=g) * 2 - 1, torch.randn(3, 3, 4, 4, generator=g)
NOISY = {
    "t = 0, the clean picture": (X0, torch.zeros(3), EPS),
    "t = 1, pure noise": (X0, torch.ones(3), EPS),
    "three pictures with levels 0.1, 0.5 and 0.9": (X0, torch.tensor([0.1, 0.5, 0.9]), EPS),
}
RATIOS = {f"t = {t}": (torch.tensor(t),) for t in (0.5, 0.25, 0.75, 0.9, 1.0)}


@exercise(noise.add_noise, NOISY)
def add_noise(x0, t, eps):
    """Lesson 01: x_t from clean pictures, one noise level for each, and noise."""
    by_colour, t = t[:, None, None], t[:, None, None, None]
    left, roots = (1 - t) * x0, (1 - t).sqrt() * x0 + t.sqrt() * eps
    return {
        "at t = 1 the apple is still in your x_t: did you scale the picture by 1 - t?": x0 + t * eps,
        "your road runs backwards: t = 0 must give the clean picture, t = 1 the noise.": t * x0 + (1 - t) * eps,
        "at t = 0 there is noise in your x_t: did you scale the noise by t?": left + eps,
        "that is another road, with square roots. Ours is a straight line: (1 - t) and t themselves.": roots,
        "your t lines up with the colours, not with the pictures: it needs three new axes.": (
            (1 - by_colour) * x0 + by_colour * eps
        ),
        "every picture got the first picture's level.": (1 - t[0]) * x0 + t[0] * eps,
        "the noise is missing from your x_t: where is eps?": left,
    }


@exercise(noise.signal_to_noise, RATIOS)
def signal_to_noise(t):
    """Lesson 01: how much picture is left at a noise level."""
    return {
        "that compares the scales. The ratio of variances is its square.": (1 - t) / t,
        "that is noise over picture: it must fall as t grows, to 0 at t = 1.": (t / (1 - t)) ** 2,
        "that is noise over picture, and without the square.": t / (1 - t),
        "that is how much picture there is; divide by how much noise there is.": (1 - t) ** 2,
        "that is its logarithm. Leave the ratio as it is.": torch.log(((1 - t) / t) ** 2),
    }
