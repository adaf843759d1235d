"""The exercises of lesson 04: one step, and the whole loop."""

from itertools import pairwise

import torch
from torch import Tensor

from course_lib import sample
from course_lib.checks.engine import exercise
from course_lib.noise import Levels, expand_level, noise_levels

g = torch.Generator().manual_seed(4)
X_T, X0_HAT = torch.randn(2, 2, 3, 4, 4, generator=g)
FRUITS = torch.rand(3, 3, 4, 4, generator=g) * 2 - 1
X_1 = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(6))


def _model(x_t: Tensor, t: Levels, tokens: Tensor | None = None) -> Tensor:
    """A mean of the pictures that fit."""
    x = x_t.flatten(1)[:, None]
    distance = ((x - (1.2 - expand_level(t, x)) * FRUITS.flatten(1)) ** 2).sum(-1)
    return torch.einsum("bn,nchw->bchw", (-distance / 10).softmax(1), FRUITS)


def _generate(model, x_1: Tensor, levels: Tensor) -> Tensor:
    tokens, g = torch.zeros(len(x_1), 1, dtype=torch.int64), torch.Generator().manual_seed(6)  # draws X_1
    options = dict(generator=g, steps=len(levels) - 1, guidance_scale=1.0, shape=(3, 4, 4))
    return sample.generate(lambda x_t, t, _: model(x_t, t[0]), tokens, **options)


STEPS = {
    "a step from t = 1 to s = 0.75": (X_T, X0_HAT, 1.0, 0.75),
    "a step from t = 0.8 to s = 0.2": (X_T, X0_HAT, 0.8, 0.2),
    "the last step, from t = 0.5 to s = 0": (X_T, X0_HAT, 0.5, 0.0),
}
LOOPS = {f"{n} step{'s' * (n > 1)}": (_model, X_1, noise_levels(n)) for n in (1, 2, 5)}


@exercise(sample.denoise_step, STEPS)
def denoise_step(x_t, x0_hat, t, s):
    """Lesson 04: the slightly less noisy picture x_s, from x_t and the guess."""
    kept, way = s / t, x0_hat - x_t
    return {
        "that is the guess: one giant step, whatever s is. Keep s / t of the rest.": x0_hat,
        "that is what is left of the noise: add it to the guess.": -kept * way,
        "brackets: s / t multiplies all of x_t - x0_hat.": x0_hat + kept * x_t - x0_hat,
        "the levels are the function's t and s, not fixed.": x0_hat - 0.75 * way,
        "you multiply by s. At level t only t of the noise is there, so what is left of it is s / t.": x0_hat - s * way,
        "your step goes s / t of the way. That is the share to keep: at s = 0 it must land on the guess.": (
            x_t + kept * way
        ),
        "you go t - s of the way to the guess. The way left from t is t long, so it is (t - s) / t of it.": (
            x_t + (t - s) * way
        ),
        "you added s / t of the whole noisy picture. Only what is not the guess shrinks: x_t - x0_hat.": (
            x0_hat + kept * x_t
        ),
        "what is left of the noise has the wrong sign: x_t - x0_hat, not the other way round.": x0_hat + kept * way,
        "s / t of x_t holds some of the picture already, so 1 - s of the guess is too much: it is 1 - s / t.": (
            (1 - s) * x0_hat + kept * x_t
        ),
    }


@exercise(_generate, LOOPS)
def generate(model, x_1, levels):
    """Lesson 04: the whole loop, from pure noise to the pictures."""

    def loop(guess=lambda x_t, t, s: model(x_t, t), step=sample.denoise_step, levels=levels):
        x_t = x_1
        for t, s in pairwise(levels):
            x_t = step(x_t, guess(x_t, t, s), t, s)
        return x_t

    return {
        "that is the noise you started from: is the new x_t kept for the next step?": x_1,
        "that is one guess from pure noise. The next guess must look at the slightly less noisy picture.": (
            model(x_1, 1.0)
        ),
        "every guess looks at x_1 again. Give the model the picture of this moment, x_t.": (
            loop(lambda x_t, t, s: model(x_1, t))
        ),
        "each step lands on the guess itself. Use `denoise_step`, which goes only from t to s.": (
            loop(step=lambda x_t, x0_hat, t, s: x0_hat)
        ),
        "the model is told the level s, but the picture it looks at still has level t.": (
            loop(lambda x_t, t, s: model(x_t, s))
        ),
        "the model is told t = 1 every time. Tell it the level of this moment.": loop(lambda x_t, t, s: model(x_t, 1)),
        "your loop stops one step early: the last level, 0, must be reached.": loop(levels=levels[:-1]),
        "your loop takes one step only. Is the `return` inside the loop?": loop(levels=levels[:2]),
    }
