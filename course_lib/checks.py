"""Exercises: one function each, which tries a learner's function on several cases and says what is wrong.

A check prints one sentence. It never stops the notebook: an untouched stub is "not attempted yet".
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_lib import noise

Case = tuple[str, tuple]  # what the case is called, and the arguments
Mistake = tuple[Callable, str]  # a foreseen wrong answer, and what to say about it


def _compare(attempt: Callable, answer: Callable, cases: Sequence[Case], mistakes: Sequence[Mistake]) -> str:
    """Try an attempt on every case; name a foreseen mistake where it matches one on all cases, else the case."""
    given = []
    for name, arguments in cases:
        copies = tuple(a.clone() if isinstance(a, Tensor) else a for a in arguments)
        try:
            result = attempt(*copies)
        except Exception as error:  # whatever a learner's function raises is an answer to be explained
            return f"Not yet: for {name}, your function stops with {type(error).__name__}: {error}"
        if result is None or result is ...:
            return "not attempted yet"
        if any(isinstance(a, Tensor) and not torch.equal(a, b) for a, b in zip(arguments, copies, strict=True)):
            return f"Not yet: for {name}, your function changed its input. Compute a new tensor instead."
        if not isinstance(result, Tensor):
            return f"Not yet: for {name}, your function returns no tensor, but {result!r:.60}."
        wanted = answer(*arguments)
        if result.shape != wanted.shape:
            return (
                f"Not yet: for {name}, your function returns shape {tuple(result.shape)}, "
                f"but {tuple(wanted.shape)} is wanted."
            )
        given.append(result)

    def matches(function: Callable) -> bool:
        results = [torch.as_tensor(function(*arguments)) for _, arguments in cases]
        return all(torch.allclose(a.double(), b.double(), atol=1e-5) for a, b in zip(given, results, strict=True))

    if matches(answer):
        return "Right!"
    for mistake, explanation in mistakes:
        if matches(mistake):
            return f"Not yet: {explanation}"
    for result, (name, arguments) in zip(given, cases, strict=True):
        wanted = answer(*arguments)
        differs = ~torch.isclose(result.double(), wanted.double(), atol=1e-5)
        if differs.any():
            place = tuple(differs.nonzero()[0].tolist())
            return (
                f"Not yet: for {name}, your function gives {result[place]:.4g} at place {place}, "
                f"but {wanted[place]:.4g} is wanted."
            )
    raise AssertionError("an attempt that matches every case is right")


def add_noise(attempt: Callable) -> None:
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
    print(_compare(attempt, noise.add_noise, cases, mistakes))


def signal_to_noise(attempt: Callable) -> None:
    """Lesson 01: how much picture is left at a noise level."""
    cases = [(f"t = {t}", (torch.tensor(t),)) for t in (0.5, 0.25, 0.75, 0.9, 1.0)]
    mistakes = [
        (lambda t: (1 - t) / t, "that compares the scales. The ratio of variances is its square."),
        (lambda t: (t / (1 - t)) ** 2, "that is noise over picture: it must fall as t grows, to 0 at t = 1."),
        (lambda t: t / (1 - t), "that is noise over picture, and without the square."),
        (lambda t: (1 - t) ** 2, "that is how much picture there is; divide by how much noise there is."),
        (lambda t: torch.log(((1 - t) / t) ** 2), "that is its logarithm. Leave the ratio as it is."),
    ]
    print(_compare(attempt, noise.signal_to_noise, cases, mistakes))
