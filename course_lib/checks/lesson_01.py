"""The exercises of lesson 01: adding noise, how much is left, and where a picture is lost."""

from numbers import Real

import torch

from course_lib import noise
from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.fruit.drawing import Fruit, draw

g = torch.Generator().manual_seed(1)
X0, EPS = torch.rand(3, 3, 4, 4, generator=g) * 2 - 1, torch.randn(3, 3, 4, 4, generator=g)
NOISY = {
    "t = 0, the clean picture": (X0, torch.zeros(3), EPS),
    "t = 1, pure noise": (X0, torch.ones(3), EPS),
    "three pictures with levels 0.1, 0.5 and 0.9": (X0, torch.tensor([0.1, 0.5, 0.9]), EPS),
}
RATIOS = {f"t = {t}": (torch.tensor(t),) for t in (0.5, 0.25, 0.75, 0.9, 1.0)}
VARIANCES = {f"a picture of variance {v}": (torch.tensor(v),) for v in (0.25, 1.0, 4.0, 0.04)}
SURE = 0.75  # of the answers right, below which the picture counts as hidden


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
        "the noise is clamped: it may leave [-1, 1]. Only clean pictures stay inside.": left + t * eps.clamp(-1, 1),
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


@exercise(lambda variance: variance**0.5 / (1 + variance**0.5), VARIANCES)
def equally_strong(variance):
    """Lesson 01: the noise level at which a picture of this variance and the noise in it are equally strong."""
    root = variance**0.5
    return {
        "that is right for a picture of variance 1 only. A fainter one is drowned earlier.": 0.5 + 0 * variance,
        "the variance of the scaled picture is (1 - t)^2 times its own. Take the root before you solve for t.": (
            variance / (1 + variance)
        ),
        "that is 1 - t, how much of the picture is left.": 1 / (1 + root),
        "that is t / (1 - t). Solve for t itself.": root,
        "that is (1 - t) / t. Solve for t itself.": 1 / root,
    }


def share_right(t: float, count: int = 1000) -> float:
    """How often a sum can tell whether a small apple at level t is in the noise: the share of right answers.

    It is given `count` pictures of pure noise and as many of the apple at level t. It multiplies each with the apple,
    number by number, adds up, and says "apple" above half of what the apple alone would give: a matched filter.
    """
    x0 = draw([Fruit("apple", "red")], size=32)
    eps = torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    sums = [(x * x0).sum((1, 2, 3)) for x in (noise.add_noise(x0.expand_as(eps), t, eps), t * eps)]
    limit = (1 - t) * (x0**2).sum() / 2
    return ((sums[0] > limit).float().mean() + (sums[1] <= limit).float().mean()).item() / 2


@check(Exercise(0.96))
def hidden_from(attempt):
    """Lesson 01: the lowest noise level, in hundredths, at which even a sum over all pixels misses the apple often."""
    if attempt is ...:
        return UNTOUCHED
    if isinstance(attempt, bool) or not isinstance(attempt, Real) or not 0 <= attempt <= 1:
        return "Not yet: give the noise level itself, a number from 0 to 1, such as 0.5."
    level = round(float(attempt), 2)
    if abs(level - float(attempt)) > 1e-6:
        return "Not yet: two digits after the point are enough, such as 0.51."
    share = share_right(level)
    if share >= SURE:
        return f"Not yet: at t = {level:.2f} the sum is right {share:.0%} of the time. The apple is still there."
    if share_right(level - 0.01) < SURE:
        return f"Not yet: at t = {level:.2f} the sum is right only {share:.0%} of the time. So it is a little lower."
    return RIGHT
