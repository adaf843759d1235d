"""The exercises of lesson 01: taking known noise away, how much picture is left, and where it is lost."""

from numbers import Real

import torch

from course_lib import noise
from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.fruit.drawing import Fruit, draw

g = torch.Generator().manual_seed(1)
X0, EPS = torch.rand(3, 3, 4, 4, generator=g) * 2 - 1, torch.randn(3, 3, 4, 4, generator=g)


def _four(t):
    """Levels (B,) with the axes of pictures, (B, 1, 1, 1)."""
    return t[:, None, None, None]


NOISY = {
    name: (noise.add_noise(X0, torch.tensor(t), EPS), torch.tensor(t), EPS)
    for name, t in {
        "three pictures with levels 0.1, 0.5 and 0.9": [0.1, 0.5, 0.9],
        "t = 0, the clean picture": [0.0, 0.0, 0.0],
        "three pictures at t = 0.75": [0.75, 0.75, 0.75],
    }.items()
}
RATIOS = {f"t = {t}": (torch.tensor(t),) for t in (0.5, 0.25, 0.75, 0.9, 1.0)}
VARIANCES = {f"a picture of variance {v}": (torch.tensor(v),) for v in (0.25, 1.0, 4.0, 0.04)}
SURE = 0.75  # of the answers right, below which the picture counts as hidden


@exercise(lambda x_t, t, eps: (x_t - _four(t) * eps) / (1 - _four(t)), NOISY)
def take_noise_away(x_t, t, eps):
    """Lesson 01: the clean pictures, from noisy ones, a level for each, and the noise that is in them."""
    by_colour, t = t[:, None, None], _four(t)
    return {
        "you took the noise away, but what is left is the picture times 1 - t. Divide by that.": x_t - t * eps,
        "only t times eps is in x_t. You took away all of eps.": (x_t - eps) / (1 - t),
        "Python divides before it subtracts. Put the difference in brackets.": x_t - t * eps / (1 - t),
        "the picture was multiplied by 1 - t, so divide by it. You multiply once more.": (x_t - t * eps) * (1 - t),
        "the picture was multiplied by 1 - t, not by t. By which of the two must you divide?": (x_t - t * eps) / t,
        "your road runs backwards: t is the share of the noise, 1 - t that of the picture.": (x_t - (1 - t) * eps) / t,
        "that adds noise once more. Solve the formula for x0 instead.": (1 - t) * x_t + t * eps,
        "your t lines up with the colours, not with the pictures: it needs three new axes.": (
            (x_t - by_colour * eps) / (1 - by_colour)
        ),
        "every picture got the first picture's level.": (x_t - t[0] * eps) / (1 - t[0]),
        "the noise is still in your pictures: where is eps?": x_t / (1 - t),
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
