"""Exercises: each is tried on several cases, and a sentence says what is wrong.

An exercise is data: the library's answer, cases by name, and a function that gives the foreseen wrong results of a case
by what to say about them. Its check prints one sentence and never stops the notebook: an untouched stub is "not
attempted yet". What was passed is remembered in a small file beside the course, which git ignores; `board` shows it.
"""

import contextlib
import copy
import functools
import importlib
import json
from collections.abc import Callable
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import torch
from IPython.display import Markdown
from torch import Tensor

from course_lib.tools.files import RUNS, whole_file

RIGHT, UNTOUCHED = "Right!", "not attempted yet"
SLIPS = {  # what a beginner meant by what Python or PyTorch complains about
    "bitwise_xor": "to square in Python, write ** 2",
    "unsupported operand type(s) for ^": "to square in Python, write ** 2",
    "ZeroDivisionError": "is a fraction upside down?",
    "non-singleton dimension": "which axes should line up? t[:, None, None, None] has shape (B, 1, 1, 1)",
}
PROGRESS = RUNS.parent / ".progress.json"  # the exercises passed


class Exercise(NamedTuple):
    """What a check knows of its exercise; one that needs no cases has a function that looks at attempts instead."""

    answer: object  # the library's own
    cases: dict[str, tuple] = {}  # what a case is called, and the arguments
    mistakes: Callable = dict  # the arguments of a case to the wrong results, by what to say about them
    read: Callable = lambda result: result  # a result to what is compared
    odd: Callable = lambda result, again: None  # a result, and a function that makes it again, to what is odd, or None


EXERCISES: dict[str, dict[str, Exercise]] = {}  # lesson number to its exercises by name, in order


def passed() -> list[str]:
    """The names of the exercises passed so far; an unreadable file counts as none."""
    try:
        names = json.loads(PROGRESS.read_text(encoding="utf-8"))["passed"]
        return [name for name in names if isinstance(name, str)]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def every_exercise() -> dict[str, dict[str, Exercise]]:
    """The exercises of all lessons by lesson and name; elsewhere a lesson loads its own only."""
    for path in sorted(Path(__file__).parent.glob("lesson_*.py")):
        importlib.import_module(f"{__package__}.{path.stem}")
    return dict(sorted(EXERCISES.items()))


def board() -> Markdown:
    """Which exercises of which lesson are passed, as a table."""
    done = passed()
    lines = ["| lesson | exercises | passed |", "| --- | --- | --- |"]
    for lesson, names in every_exercise().items():
        marks = ", ".join(f"**{name}** ✓" if name in done else name for name in names)
        lines.append(f"| {lesson} | {marks} | {sum(name in done for name in names)} of {len(names)} |")
    return Markdown("\n".join(lines))


def check(known: Exercise) -> Callable:
    """Make a check of a function that takes an attempt and returns a sentence: print it, remember what is right."""

    def register(look: Callable) -> Callable:
        lesson, name = look.__module__[-2:], look.__name__  # a lesson's file ends in its number

        def tell(attempt) -> None:
            sentence = look(attempt)
            if sentence == RIGHT and name not in (done := passed()):
                with contextlib.suppress(OSError), whole_file(PROGRESS) as temporary:  # a folder may be read-only
                    temporary.write_text(json.dumps({"passed": [*done, name]}), encoding="utf-8")
            print(sentence)

        tell.__name__ = tell.__qualname__ = name  # `functools.wraps` would make help show the arguments of a case
        tell.__doc__, tell.__module__ = look.__doc__, look.__module__
        EXERCISES.setdefault(lesson, {})[name] = known
        return tell

    return register


def exercise(answer: Callable, cases: dict[str, tuple], **options: Callable) -> Callable:
    """Make a check of a function that gives the foreseen wrong results of a case; the options are `read` and `odd`."""

    def register(mistakes: Callable) -> Callable:
        known = Exercise(answer, cases, mistakes, **options)
        return check(known)(functools.update_wrapper(functools.partial(compare, known=known), mistakes))

    return register


def _stub(): ...


def _untouched(attempt: Callable, result) -> bool:
    """A function that does nothing, or gives `...` back."""
    code = getattr(attempt, "__code__", None)
    return result is ... or (result is None and code and len(code.co_code) == len(_stub.__code__.co_code))


def _copied(arguments: tuple) -> tuple:
    """Each argument for itself, so that two that are one object do not change together."""
    return tuple(map(copy.deepcopy, arguments))


def _same(result, wanted) -> bool:
    """Equal; for numbers and tensors up to rounding."""
    if isinstance(wanted, Tensor | Real) and isinstance(result, Tensor | Real):
        a, b = torch.as_tensor(result).double(), torch.as_tensor(wanted).double()
        return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)
    if isinstance(wanted, Tensor) or (isinstance(wanted, list | tuple) and not isinstance(result, list | tuple)):
        return False
    try:
        return bool((tuple(result) if isinstance(wanted, tuple) else result) == wanted)
    except (RuntimeError, TypeError, ValueError):  # arrays compare place by place, and are neither true nor false
        return False


def _shown(value, length: int = 80) -> str:
    """A value on one line, cut."""
    return " ".join(repr(value).split())[:length]


def _describe(result, wanted) -> str:
    """What is given and what is wanted, at the first place where they differ."""
    wanted, result = (v.item() if isinstance(v, Tensor) and not v.ndim else v for v in (wanted, result))
    if isinstance(wanted, float) and isinstance(result, float):
        return f"gives {result:.4g}, but {wanted:.4g} is wanted."
    if not isinstance(wanted, Tensor):
        return f"gives {_shown(result)}, but {_shown(wanted)} is wanted."
    if not isinstance(result, Tensor):
        return f"returns no tensor, but {_shown(result, 60)}."
    if result.shape != wanted.shape:
        return f"returns shape {tuple(result.shape)}, but {tuple(wanted.shape)} is wanted."
    alike = torch.isclose(result.double(), wanted.double(), rtol=1e-4, atol=1e-5, equal_nan=True)
    place = tuple((~alike).nonzero()[0].tolist())
    return f"gives {result[place]:.4g} at place {place}, but {wanted[place]:.4g} is wanted."


def compare(attempt: Callable, known: Exercise) -> str:
    """Try an attempt on every case; name a foreseen mistake where it matches one on all cases, else the case."""
    if attempt is ...:
        return UNTOUCHED
    if not callable(attempt):
        return f"Not yet: give the function itself, without calling it, not {_shown(attempt, 60)}."
    results = []
    for name, arguments in known.cases.items():
        copies = _copied(arguments)
        try:
            given = attempt(*copies)
            result = known.read(given)
            problem = known.odd(result, lambda tried=arguments: known.read(attempt(*_copied(tried))))
        except Exception as error:  # whatever a learner's function raises is an answer to be explained
            slip = next((f" ({hint})" for part, hint in SLIPS.items() if part in repr(error)), "")
            said = " ".join(f"{type(error).__name__}: {error}".split())
            return f"Not yet: for {name}, your function stops with {said}{slip}"
        if _untouched(attempt, given):
            return UNTOUCHED
        if given is None:
            return f"Not yet: for {name}, your function gives nothing back: is there a `return`?"
        if any(isinstance(a, Tensor) and not torch.equal(a, b) for a, b in zip(arguments, copies, strict=True)):
            return f"Not yet: for {name}, your function changed its input. Compute a new tensor instead."
        if problem:
            return f"Not yet: {problem}"
        wanted = known.read(known.answer(*arguments))
        if isinstance(wanted, Tensor) and wanted.ndim and getattr(result, "shape", None) != wanted.shape:
            return f"Not yet: for {name}, your function {_describe(result, wanted)}"
        results.append((name, result, wanted))
    wrong = [(name, result, wanted) for name, result, wanted in results if not _same(result, wanted)]
    if not wrong:
        return RIGHT
    foreseen = [known.mistakes(*arguments) for arguments in known.cases.values()]
    for explanation in foreseen[0]:
        alike = (_same(case[1], known.read(of[explanation])) for case, of in zip(results, foreseen, strict=True))
        if all(alike):
            return f"Not yet: {explanation}"
    name, result, wanted = wrong[0]
    return f"Not yet: for {name}, your function {_describe(result, wanted)}"
