"""Exercises: one function each, which tries a learner's answer on several cases and says what is wrong.

A check prints one sentence. It never stops the notebook: an untouched stub is "not attempted yet". What was passed
is remembered in a small file beside the course, which git ignores; `board` shows it.
"""

import contextlib
import functools
import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from IPython.display import Markdown
from torch import Tensor

from course_lib.tools.files import RUNS, whole_file

Case = tuple[str, tuple]  # what the case is called, and the arguments
Mistake = tuple[Callable, str]  # a foreseen wrong answer, and what to say about it

RIGHT, UNTOUCHED = "Right!", "not attempted yet"
SLIPS = {  # what a beginner meant by what Python or PyTorch complains about
    "bitwise_xor": "to square in Python, write ** 2",
    "unsupported operand type(s) for ^": "to square in Python, write ** 2",
    "ZeroDivisionError": "is a fraction upside down?",
    "non-singleton dimension": "which axes should line up? t[:, None, None, None] has shape (B, 1, 1, 1)",
}
PROGRESS = RUNS.parent / ".progress.json"  # the exercises passed
EXERCISES: dict[str, dict[str, Callable]] = {}  # lesson number to its checks by name, in order


def passed() -> list[str]:
    """The names of the exercises passed so far; an unreadable file counts as none."""
    try:
        names = json.loads(PROGRESS.read_text())["passed"]
        return [name for name in names if isinstance(name, str)]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def every_check() -> dict[str, dict[str, Callable]]:
    """The checks of all lessons by lesson and name; elsewhere a lesson loads its own only."""
    for path in sorted(Path(__file__).parent.glob("lesson_*.py")):
        importlib.import_module(f"{__package__}.{path.stem}")
    return dict(sorted(EXERCISES.items()))


def board() -> Markdown:
    """Which exercises of which lesson are passed, as a table."""
    done = passed()
    lines = ["| lesson | exercises | passed |", "| --- | --- | --- |"]
    for lesson, names in every_check().items():
        marks = ", ".join(f"**{name}** ✓" if name in done else name for name in names)
        lines.append(f"| {lesson} | {marks} | {sum(name in done for name in names)} of {len(names)} |")
    return Markdown("\n".join(lines))


def exercise(lesson: str) -> Callable:
    """Make a check of a function that takes an attempt and returns a sentence: print it, remember what is right."""

    def register(check: Callable) -> Callable:
        @functools.wraps(check)
        def tell(attempt) -> None:
            sentence = check(attempt)
            if sentence == RIGHT and check.__name__ not in (done := passed()):
                with contextlib.suppress(OSError), whole_file(PROGRESS) as temporary:  # a folder may be read-only
                    temporary.write_text(json.dumps({"passed": [*done, check.__name__]}))
            print(sentence)

        EXERCISES.setdefault(lesson, {})[check.__name__] = tell
        return tell

    return register


def _stub(): ...


def untouched(attempt: Callable, result) -> bool:
    """A function that does nothing, or gives `...` back."""
    code = getattr(attempt, "__code__", None)
    return result is ... or (result is None and code and len(code.co_code) == len(_stub.__code__.co_code))


def _same(result, wanted) -> bool:
    """Equal; for numbers and tensors up to rounding."""
    if isinstance(wanted, Tensor | float | int) and isinstance(result, Tensor | float | int):
        a, b = torch.as_tensor(result).double(), torch.as_tensor(wanted).double()
        return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)
    if isinstance(wanted, Tensor) or (isinstance(wanted, list | tuple) and not isinstance(result, list | tuple)):
        return False  # an array of NumPy would compare place by place
    return (tuple(result) if isinstance(wanted, tuple) else result) == wanted


def _describe(result, wanted) -> str:
    """What is given and what is wanted, at the first place where they differ."""
    wanted, result = (v.item() if isinstance(v, Tensor) and not v.ndim else v for v in (wanted, result))
    if isinstance(wanted, float) and isinstance(result, float):
        return f"gives {result:.4g}, but {wanted:.4g} is wanted."
    if not isinstance(wanted, Tensor):
        return f"gives {result!r:.80}, but {wanted!r:.80} is wanted."
    if not isinstance(result, Tensor):
        return f"returns no tensor, but {result!r:.60}."
    if result.shape != wanted.shape:
        return f"returns shape {tuple(result.shape)}, but {tuple(wanted.shape)} is wanted."
    place = tuple((~torch.isclose(result.double(), wanted.double(), rtol=1e-4, atol=1e-5)).nonzero()[0].tolist())
    return f"gives {result[place]:.4g} at place {place}, but {wanted[place]:.4g} is wanted."


def compare(attempt: Callable, answer: Callable, cases: Sequence[Case], mistakes: Sequence[Mistake]) -> str:
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
            slip = next((f" ({hint})" for part, hint in SLIPS.items() if part in repr(error)), "")
            return f"Not yet: for {name}, your function stops with {type(error).__name__}: {error}{slip}"
        if untouched(attempt, result):
            return UNTOUCHED
        if result is None:
            return f"Not yet: for {name}, your function gives nothing back: is there a `return`?"
        if any(isinstance(a, Tensor) and not torch.equal(a, b) for a, b in zip(arguments, copies, strict=True)):
            return f"Not yet: for {name}, your function changed its input. Compute a new tensor instead."
        wanted = answer(*arguments)
        if isinstance(wanted, Tensor) and wanted.ndim and getattr(result, "shape", None) != wanted.shape:
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
