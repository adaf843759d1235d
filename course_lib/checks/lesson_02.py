"""The exercises of lesson 02: neighbours on a road, and what a step does to the loss."""

import contextlib
from collections.abc import Callable

import torch

from course_lib.checks.engine import exercise
from course_lib.noise import add_noise

g = torch.Generator().manual_seed(2)
X0, EPS = torch.rand(2, 3, 4, 4, generator=g) * 2 - 1, torch.randn(2, 3, 4, 4, generator=g)
NEIGHBOURS = {f"t = {t} and s = {s}": (X0, EPS, t, s) for t, s in ((0.5, 0.4), (1.0, 0.9), (0.75, 0.5), (0.1, 0.0))}
LEVELS = {
    f"t = {t} and s = {s}": (torch.tensor(t), torch.tensor(s))
    for t, s in ((1.0, 0.9), (0.5, 0.4), (1.0, 0.5), (0.8, 0.2), (0.3, 0.0))
}


def _stacked(both):
    """Two tensors of one shape as one; anything else as it is."""
    if isinstance(both, list | tuple):
        with contextlib.suppress(RuntimeError, TypeError):
            return torch.stack(tuple(both))
    return both


def _no_neighbours(both, again: Callable) -> str | None:
    if getattr(both, "shape", None) != (2, *X0.shape):
        return "two tensors are wanted, `return input, target`, both of the shape of x0."
    if not both.isnan().any() and not torch.equal(both, again()):
        return "each call gives other noise. Neighbours lie on one road: use the eps you are given."
    return None


@exercise(
    lambda x0, eps, t, s: (add_noise(x0, t, eps), add_noise(x0, s, eps)), NEIGHBOURS, read=_stacked, odd=_no_neighbours
)
def pair(x0, eps, t, s):
    """Lesson 02: two neighbours on one road, the noisier picture and the slightly less noisy one."""
    x_t, x_s = add_noise(x0, t, eps), add_noise(x0, s, eps)
    giant, noisier = (x_t, x0), (x_t, (1 - s) * x_t + s * eps)
    return {
        "the two are swapped. First the input, at the higher level t; then the target, at s.": (x_s, x_t),
        "your target is the clean picture. That is the giant step; ask only for slightly less noise, level s.": giant,
        "both have level t, so there is nothing to learn. The second one has level s.": (x_t, x_t),
        "your target adds noise to the noisy picture. Make it from the clean one, x0, like its neighbour.": noisier,
        "your target has level t - s. It should have level s.": (x_t, add_noise(x0, t - s, eps)),
    }


@exercise(lambda t, s: (1 - s / t) ** 2, LEVELS)
def step_factor(t, s):
    """Lesson 02: how many times smaller the loss on x_s is than the loss on x0."""
    return {
        "that is the factor of the error. The loss is the error squared.": 1 - s / t,
        "s / t is what stays of the noise. What counts is the share of the way you go.": (s / t) ** 2,
        "s / t is what stays of the noise. What counts is the rest of it, squared.": s / t,
        "first subtract, then square: the error itself shrinks by 1 - s / t.": 1 - (s / t) ** 2,
        "a step from t to s goes (t - s) / t of the way to the guess, not t - s.": (t - s) ** 2,
        "a fraction is upside down: s / t, the lower level over the higher.": (1 - t / s) ** 2,
        "upside down: a small step must make the loss smaller.": 1 / (1 - s / t) ** 2,
    }
