"""The exercises of lesson 02: neighbours on a road, and what a step does to the loss."""

import contextlib
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib import noise
from course_lib.checks.engine import compare, exercise, untouched


@exercise("02")
def pair(attempt: Callable) -> str:
    """Lesson 02: two neighbours on one road, the noisier picture and the slightly less noisy one."""
    g = torch.Generator().manual_seed(2)
    x0 = torch.rand(2, 3, 4, 4, generator=g) * 2 - 1
    eps = torch.randn(x0.shape, generator=g)
    cases = [(f"t = {t} and s = {s}", (x0, eps, t, s)) for t, s in ((0.5, 0.4), (1.0, 0.9), (0.75, 0.5), (0.1, 0.0))]

    def stacked(*arguments):
        result = attempt(*arguments)
        if untouched(attempt, result):
            return ...
        if isinstance(result, tuple | list) and len(result) == 2 and all(isinstance(x, Tensor) for x in result):
            return torch.stack(tuple(result)) if result[0].shape == result[1].shape else result
        return result

    def both(make: Callable) -> Callable:  # from a pair of pictures to a tensor of shape (2, B, 3, H, W)
        return lambda *arguments: torch.stack(make(*arguments))

    if callable(attempt):
        with contextlib.suppress(Exception):  # `compare` explains an error
            first, second = stacked(*cases[0][1]), stacked(*cases[0][1])
            alone = isinstance(first, Tensor) and first.ndim == 4  # one of the two only
            if alone or (first is not None and first is not ... and not isinstance(first, Tensor)):
                return "Not yet: two tensors are wanted, `return input, target`, both of the shape of x0."
            if isinstance(first, Tensor) and isinstance(second, Tensor) and not torch.equal(first, second):
                return "Not yet: each call gives other noise. Neighbours lie on one road: use the eps you are given."
    mix = noise.add_noise
    mistakes = [
        (
            both(lambda x0, eps, t, s: (mix(x0, s, eps), mix(x0, t, eps))),
            "the two are swapped. First the input, at the higher level t; then the target, at s.",
        ),
        (
            both(lambda x0, eps, t, s: (mix(x0, t, eps), x0)),
            "your target is the clean picture. That is the giant step; ask only for slightly less noise, level s.",
        ),
        (
            both(lambda x0, eps, t, s: (mix(x0, t, eps), mix(x0, t, eps))),
            "both have level t, so there is nothing to learn. The second one has level s.",
        ),
        (
            both(lambda x0, eps, t, s: (mix(x0, t, eps), (1 - s) * mix(x0, t, eps) + s * eps)),
            "your target adds noise to the noisy picture. Make it from the clean one, x0, like its neighbour.",
        ),
        (
            both(lambda x0, eps, t, s: (mix(x0, t, eps), mix(x0, t - s, eps))),
            "your target has level t - s. It should have level s.",
        ),
    ]
    answer = both(lambda x0, eps, t, s: (mix(x0, t, eps), mix(x0, s, eps)))
    return compare(stacked if callable(attempt) else attempt, answer, cases, mistakes)


@exercise("02")
def step_factor(attempt: Callable) -> str:
    """Lesson 02: how many times smaller the loss on x_s is than the loss on x0."""
    levels = ((1.0, 0.9), (0.5, 0.4), (1.0, 0.5), (0.8, 0.2), (0.3, 0.0))
    cases = [(f"t = {t} and s = {s}", (torch.tensor(t), torch.tensor(s))) for t, s in levels]
    mistakes = [
        (lambda t, s: 1 - s / t, "that is the factor of the error. The loss is the error squared."),
        (lambda t, s: (s / t) ** 2, "s / t is what stays of the noise. What counts is the share of the way you go."),
        (lambda t, s: s / t, "s / t is what stays of the noise. What counts is the rest of it, squared."),
        (lambda t, s: 1 - (s / t) ** 2, "first subtract, then square: the error itself shrinks by 1 - s / t."),
        (lambda t, s: (t - s) ** 2, "a step from t to s goes (t - s) / t of the way to the guess, not t - s."),
        (
            lambda t, s: (1 - t / s) ** 2,
            "a fraction is upside down: s / t, the lower level over the higher.",
        ),
        (lambda t, s: 1 / (1 - s / t) ** 2, "upside down: a small step must make the loss smaller."),
    ]
    return compare(attempt, lambda t, s: (1 - s / t) ** 2, cases, mistakes)
