"""Exercises: one function each, which tries a learner's answer on several cases and says what is wrong.

A check prints one sentence. It never stops the notebook: an untouched stub is "not attempted yet". What was passed
is remembered in a small file beside the course, which git ignores; `board` shows it.
"""

import contextlib
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from IPython.display import Markdown
from torch import Tensor

from course_lib import noise
from course_lib.files import DATA, whole_file

Case = tuple[str, tuple]  # what the case is called, and the arguments
Mistake = tuple[Callable, str]  # a foreseen wrong answer, and what to say about it

RIGHT, UNTOUCHED = "Right!", "not attempted yet"
PROGRESS = DATA.parent / ".progress.json"  # the exercises passed
EXERCISES: dict[str, list[str]] = {}  # lesson number to the names of its checks, in order


def passed(path: Path | None = None) -> list[str]:
    """The names of the exercises passed so far; an unreadable file counts as none."""
    try:
        names = json.loads((path or PROGRESS).read_text())["passed"]
        return [name for name in names if isinstance(name, str)]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def board() -> Markdown:
    """Which exercises of which lesson are passed, as a table."""
    done = passed()
    lines = ["| lesson | exercises | passed |", "| --- | --- | --- |"]
    for lesson, names in sorted(EXERCISES.items()):
        marks = ", ".join(f"**{name}** ✓" if name in done else name for name in names)
        lines.append(f"| {lesson} | {marks} | {sum(name in done for name in names)} of {len(names)} |")
    return Markdown("\n".join(lines))


def exercise(lesson: str) -> Callable:
    """Make a check of a function that takes an attempt and returns a sentence: print it, remember what is right."""

    def register(check: Callable) -> Callable:
        EXERCISES.setdefault(lesson, []).append(check.__name__)

        @functools.wraps(check)
        def tell(attempt) -> None:
            sentence = check(attempt)
            if sentence == RIGHT and check.__name__ not in (done := passed()):
                with contextlib.suppress(OSError), whole_file(PROGRESS) as temporary:  # a folder may be read-only
                    temporary.write_text(json.dumps({"passed": [*done, check.__name__]}))
            print(sentence)

        return tell

    return register


def _stub(): ...


def _untouched(attempt: Callable, result) -> bool:
    """A function that does nothing, or gives `...` back."""
    code = getattr(attempt, "__code__", None)
    return result is ... or (result is None and code and len(code.co_code) == len(_stub.__code__.co_code))


def _same(result, wanted) -> bool:
    """Equal; for numbers and tensors up to rounding."""
    if isinstance(wanted, Tensor | float | int) and isinstance(result, Tensor | float | int):
        a, b = torch.as_tensor(result).double(), torch.as_tensor(wanted).double()
        return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)
    return result == wanted


def _describe(result, wanted) -> str:
    """What is given and what is wanted, at the first place where they differ."""
    if not isinstance(wanted, Tensor):
        return f"gives {result!r:.80}, but {wanted!r:.80} is wanted."
    if not isinstance(result, Tensor):
        return f"returns no tensor, but {result!r:.60}."
    if result.shape != wanted.shape:
        return f"returns shape {tuple(result.shape)}, but {tuple(wanted.shape)} is wanted."
    place = tuple((~torch.isclose(result.double(), wanted.double(), rtol=1e-4, atol=1e-5)).nonzero()[0].tolist())
    return f"gives {result[place]:.4g} at place {place}, but {wanted[place]:.4g} is wanted."


def _compare(attempt: Callable, answer: Callable, cases: Sequence[Case], mistakes: Sequence[Mistake]) -> str:
    """Try an attempt on every case; name a foreseen mistake where it matches one on all cases, else the case."""
    if attempt is ...:
        return UNTOUCHED
    if not callable(attempt):
        return f"Not yet: give the function itself, without calling it, not {attempt!r:.60}."
    given = []
    for name, arguments in cases:
        copies = tuple(a.clone() if isinstance(a, Tensor) else a for a in arguments)
        try:
            result = attempt(*copies)
        except Exception as error:  # whatever a learner's function raises is an answer to be explained
            return f"Not yet: for {name}, your function stops with {type(error).__name__}: {error}"
        if _untouched(attempt, result):
            return UNTOUCHED
        if result is None:
            return f"Not yet: for {name}, your function gives nothing back: is there a `return`?"
        if any(isinstance(a, Tensor) and not torch.equal(a, b) for a, b in zip(arguments, copies, strict=True)):
            return f"Not yet: for {name}, your function changed its input. Compute a new tensor instead."
        wanted = answer(*arguments)
        if isinstance(wanted, Tensor) and not (isinstance(result, Tensor) and result.shape == wanted.shape):
            return f"Not yet: for {name}, your function {_describe(result, wanted)}"
        given.append((name, result, wanted))
    wrong = [(name, result, wanted) for name, result, wanted in given if not _same(result, wanted)]
    if not wrong:
        return RIGHT
    for mistake, explanation in mistakes:
        if all(_same(result, mistake(*case[1])) for (_, result, _), case in zip(given, cases, strict=True)):
            return f"Not yet: {explanation}"
    name, result, wanted = wrong[0]
    return f"Not yet: for {name}, your function {_describe(result, wanted)}"


# Lesson 00


# Lesson 01


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
    return _compare(attempt, noise.add_noise, cases, mistakes)


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
    return _compare(attempt, noise.signal_to_noise, cases, mistakes)


# Lesson 02


# Lesson 03


# Lesson 04


# Lesson 05


# Lesson 06


# Lesson 07


# Lesson 08


# Lesson 09
