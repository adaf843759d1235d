"""The exercises of lesson 04: one step, and the whole loop."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_lib import noise, sample
from course_lib.checks.engine import compare, exercise


@exercise("04")
def denoise_step(attempt: Callable) -> str:
    """Lesson 04: the slightly less noisy picture x_s, from x_t and the guess."""
    g = torch.Generator().manual_seed(4)
    x_t, x0_hat = torch.randn(2, 2, 3, 4, 4, generator=g)
    cases = [
        ("a step from t = 1 to s = 0.75", (x_t, x0_hat, 1.0, 0.75)),
        ("a step from t = 0.8 to s = 0.2", (x_t, x0_hat, 0.8, 0.2)),
        ("the last step, from t = 0.5 to s = 0", (x_t, x0_hat, 0.5, 0.0)),
    ]
    mistakes = [
        (lambda x_t, x0_hat, t, s: x0_hat, "that is the guess: one giant step, whatever s is. Keep s / t of the rest."),
        (lambda x_t, x0_hat, t, s: (s / t) * (x_t - x0_hat), "that is what is left of the noise: add it to the guess."),
        (lambda x_t, x0_hat, t, s: x0_hat + (s / t) * x_t - x0_hat, "brackets: s / t multiplies all of x_t - x0_hat."),
        (lambda x_t, x0_hat, t, s: x0_hat + 0.75 * (x_t - x0_hat), "the levels are the function's t and s, not fixed."),
        (
            lambda x_t, x0_hat, t, s: x0_hat + s * (x_t - x0_hat),
            "you multiply by s. At level t only t of the noise is there, so what is left of it is s / t.",
        ),
        (
            lambda x_t, x0_hat, t, s: x_t + (s / t) * (x0_hat - x_t),
            "your step goes s / t of the way. That is the share to keep: at s = 0 it must land on the guess.",
        ),
        (
            lambda x_t, x0_hat, t, s: x_t + (t - s) * (x0_hat - x_t),
            "you go t - s of the way to the guess. The way left from t is t long, so it is (t - s) / t of it.",
        ),
        (
            lambda x_t, x0_hat, t, s: x0_hat + (s / t) * x_t,
            "you added s / t of the whole noisy picture. Only what is not the guess shrinks: x_t - x0_hat.",
        ),
        (
            lambda x_t, x0_hat, t, s: x0_hat + (s / t) * (x0_hat - x_t),
            "what is left of the noise has the wrong sign: x_t - x0_hat, not the other way round.",
        ),
        (
            lambda x_t, x0_hat, t, s: (1 - s) * x0_hat + (s / t) * x_t,
            "s / t of x_t holds some of the picture already, so 1 - s of the guess is too much: it is 1 - s / t.",
        ),
    ]
    return compare(attempt, sample.denoise_step, cases, mistakes)


@exercise("04")
def generate(attempt: Callable) -> str:
    """Lesson 04: the whole loop, from pure noise to the pictures."""
    fruits = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(5)) * 2 - 1

    def model(x_t: Tensor, t: float, tokens: Tensor | None = None) -> Tensor:  # a mean of the pictures that fit
        distance = ((x_t.flatten(1)[:, None] - (1.2 - float(t)) * fruits.flatten(1)) ** 2).sum(-1)
        return torch.einsum("bn,nchw->bchw", (-distance / 10).softmax(1), fruits)

    def answer(model: Callable, x_1: Tensor, levels: Tensor) -> Tensor:
        tokens, steps = torch.zeros(len(x_1), 1, dtype=torch.int64), len(levels) - 1
        g, options = torch.Generator().manual_seed(6), dict(guidance_scale=1.0, shape=(3, 4, 4))
        return sample.generate(lambda x_t, t, _: model(x_t, t[0]), tokens, generator=g, steps=steps, **options)

    def loop(guess: Callable, end: int | None = None) -> Callable:
        """A loop in which `guess(model, x_1, x_t, t, s)` gives the next picture."""

        def run(model: Callable, x_1: Tensor, levels: Tensor) -> Tensor:
            x_t = x_1
            for t, s in list(zip(levels[:-1], levels[1:], strict=True))[:end]:
                x_t = guess(model, x_1, x_t, t, s)
            return x_t

        return run

    step = sample.denoise_step
    x_1 = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(6))
    cases = [(f"{n} step{'s' * (n > 1)}", (model, x_1, noise.noise_levels(n))) for n in (1, 2, 5)]
    mistakes = [
        (lambda model, x_1, levels: x_1, "that is the noise you started from: is the new x_t kept for the next step?"),
        (
            lambda model, x_1, levels: model(x_1, 1.0),
            "that is one guess from pure noise. The next guess must look at the slightly less noisy picture.",
        ),
        (
            loop(lambda model, x_1, x_t, t, s: step(x_t, model(x_1, t), t, s)),
            "every guess looks at x_1 again. Give the model the picture of this moment, x_t.",
        ),
        (
            loop(lambda model, x_1, x_t, t, s: model(x_t, t)),
            "each step lands on the guess itself. Use `denoise_step`, which goes only from t to s.",
        ),
        (
            loop(lambda model, x_1, x_t, t, s: step(x_t, model(x_t, s), t, s)),
            "the model is told the level s, but the picture it looks at still has level t.",
        ),
        (
            loop(lambda model, x_1, x_t, t, s: step(x_t, model(x_t, 1.0), t, s)),
            "the model is told t = 1 every time. Tell it the level of this moment.",
        ),
        (
            loop(lambda model, x_1, x_t, t, s: step(x_t, model(x_t, t), t, s), end=-1),
            "your loop stops one step early: the last level, 0, must be reached.",
        ),
        (
            loop(lambda model, x_1, x_t, t, s: step(x_t, model(x_t, t), t, s), end=1),
            "your loop takes one step only. Is the `return` inside the loop?",
        ),
    ]
    return compare(attempt, answer, cases, mistakes)
