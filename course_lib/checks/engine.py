"""Exercises: each is tried on several cases, and a sentence says what is wrong.

An exercise is data: the library's answer, cases by name, and a function that gives the foreseen wrong results of a case
by what to say about them. Its check prints one sentence, gives a `Result` back, and never stops the notebook: an
untouched stub is "not attempted yet". What was passed is remembered in a small file beside the course, which git
ignores; `board` shows it.
"""

import contextlib
import copy
import functools
import importlib
import inspect
import json
import warnings
from collections.abc import Callable, Iterator
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from IPython.display import Markdown
from torch import Tensor

from course_lib.classroom.wording import one_line, shown, stops_with
from course_lib.tools.files import RUNS, whole_file

RIGHT, UNTOUCHED = "Right!", "not attempted yet"
CHANGED = " But your function changed its input, which may still be needed: it is safer to compute something new."
CLAMPED = "you clamped the result, which may leave [-1, 1]. Give it as it is."
SLIPS = {  # what a beginner meant by what Python or PyTorch complains about
    "bitwise_xor": "to square in Python, write ** 2",
    "unsupported operand type(s) for ^": "to square in Python, write ** 2",
    "Boolean value of Tensor": "max, min and if look at one number; x.clamp(min=5) lifts each number of x below 5 to 5",
    "A clean picture lies in": "did you give add_noise a noisy picture? It wants the clean one",
    "ZeroDivisionError": "is a fraction upside down, or does what stands below it cancel to 0?",
    "non-singleton dimension": "which axes should line up? t[:, None, None, None] has shape (B, 1, 1, 1)",
}
WARNED = r"(std|var).*degrees of freedom"  # of the width of one number: what is wrong is told by the check, not in red
PLACES, COUNTS = ("first", "second", "third", "fourth"), ("no", "one", "two", "three", "four")
PROGRESS = RUNS.parent / ".progress.json"  # the exercises passed


class Exercise(NamedTuple):
    """What a check knows of its exercise; one that needs no cases has a function that looks at attempts instead."""

    answer: object  # the library's own
    cases: dict[str, tuple] = {}  # what a case is called, and the arguments
    mistakes: Callable = dict  # the arguments of a case to the wrong results, by what to say about them
    read: Callable = lambda result: result  # a result to what is compared
    odd: Callable = lambda result, again: None  # a result, and a function that makes it again, to what is odd, or None


class Result(NamedTuple):
    """What a check gives back beside printing its sentence: a mark, for who grades a class."""

    passed: bool
    sentence: str

    def _ipython_display_(self) -> None:
        """As the value of a cell it shows nothing: the sentence stands there already."""


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
    """Make a check of a function that takes an attempt and returns a sentence.

    The check prints the sentence, remembers what is right, and gives a `Result` back.
    """

    def register(look: Callable) -> Callable:
        lesson, name = look.__module__[-2:], look.__name__  # a lesson's file ends in its number

        def tell(attempt) -> Result:
            sentence = judged(look, attempt)
            right = sentence.startswith(RIGHT)
            if right and name not in (done := passed()):
                with contextlib.suppress(OSError), whole_file(PROGRESS) as temporary:  # a folder may be read-only
                    temporary.write_text(json.dumps({"passed": [*done, name]}), encoding="utf-8")
            print(one_line(sentence))
            return Result(right, one_line(sentence))

        tell.__name__ = tell.__qualname__ = name  # `functools.wraps` would make help show the arguments of a case
        tell.__doc__, tell.__module__ = look.__doc__, look.__module__
        EXERCISES.setdefault(lesson, {})[name] = known
        return tell

    return register


class _Stopped(Exception):
    """A learner's function stopped with an error; it holds the sentence that says so."""


def judged(look: Callable, attempt) -> str:
    """The sentence of a check, whatever is given to it: what is odd enough fails wherever it is touched.

    The learner's own interruption goes through.
    """
    try:
        return look(attempt)
    except _Stopped as stopped:
        return str(stopped)
    except KeyboardInterrupt:
        raise
    except BaseException:  # SystemExit too
        return (
            "Not yet: this is of a kind that cannot be compared with what is wanted. "
            "Give plain numbers, text, tensors, or lists of them."
        )


def exercise(answer: Callable, cases: dict[str, tuple], **options: Callable) -> Callable:
    """Make a check of a function that gives the foreseen wrong results of a case; the options are `read` and `odd`."""

    def register(mistakes: Callable) -> Callable:
        known = Exercise(answer, cases, mistakes, **options)
        return check(known)(functools.update_wrapper(functools.partial(compare, known=known), mistakes))

    return register


def _stub(): ...


def untouched(attempt: Callable, result) -> bool:
    """A function that does nothing, or gives `...` back."""
    code = getattr(attempt, "__code__", None)
    return result is ... or (result is None and code and len(code.co_code) == len(_stub.__code__.co_code))


def _copied(arguments: tuple) -> tuple:
    """Each argument for itself, so that two that are one object do not change together."""
    return tuple(map(copy.deepcopy, arguments))


def _changed(copied, original) -> bool:
    """Whether an argument is no longer what it was."""
    if isinstance(original, Tensor):
        return copied.dtype != original.dtype or not torch.equal(copied, original)
    return isinstance(original, list) and copied != original


def _plain(value):
    """A result as it is now, whatever a learner's function does to it later; NumPy's numbers as tensors."""
    if isinstance(value, list | tuple):
        return (list if isinstance(value, list) else tuple)(map(_single, value))
    return _single(value)


def _single(value):
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc":
        return torch.as_tensor(np.array(value, dtype=complex if value.dtype.kind == "c" else float))
    if not isinstance(value, Tensor):
        return value
    value = value.detach().cpu()
    return (value.dequantize() if value.is_quantized else value.to_dense()).clone().as_subclass(Tensor)


def _numbers(value) -> Tensor | None:
    """A number or a tensor as float64, to be compared; None for what holds no real numbers."""
    if isinstance(value, Tensor):
        return None if value.is_complex() else value.double()
    if not isinstance(value, Real):
        return None
    try:
        return torch.tensor(float(value), dtype=torch.float64)
    except OverflowError:  # a whole number of hundreds of digits
        return torch.tensor(torch.inf, dtype=torch.float64)


def _alike(a: Tensor, b: Tensor) -> Tensor:
    """Where two float64 tensors are equal up to rounding."""
    return torch.isclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)


def _same(result, wanted) -> bool:
    """Equal; for numbers and tensors up to rounding, of whatever type, and a tuple will do for a list."""
    if isinstance(wanted, list | tuple):
        fits = isinstance(result, list | tuple) and len(result) == len(wanted)
        return fits and all(map(_same, result, wanted))
    if isinstance(wanted, str):
        return isinstance(result, str) and str.__eq__(result, wanted)
    a, b = _numbers(result), _numbers(wanted)
    return a is not None and a.shape == b.shape and bool(_alike(a, b).all())


def _word(words: tuple[str, ...], number: int) -> str:
    return words[number] if number < len(words) else str(number)


def _describe_parts(result: list | tuple, wanted: list | tuple) -> str:
    """The first of several parts that differs, and whether the others are right."""
    count = _word(COUNTS, len(wanted))
    if len(result) != len(wanted):
        return f"returns {_word(COUNTS, len(result))} in a {type(result).__name__}, but {count} are wanted."
    right = [_same(*both) for both in zip(result, wanted, strict=True)]
    at = right.index(False)
    told = _describe(result[at], wanted[at], f" in the {_word(PLACES, at)} of the {count}")
    return f"{told} The {_word(PLACES, 1 - at)} is right." if len(right) == 2 and any(right) else told


def _describe(result, wanted, part: str = "") -> str:
    """What is given and what is wanted, at the first place where they differ; the part is of several results."""
    place = part
    if isinstance(wanted, list | tuple) and any(isinstance(one, Tensor) for one in wanted):
        if not isinstance(result, list | tuple):
            return f"returns a single thing, but {_word(COUNTS, len(wanted))} are wanted."
        return _describe_parts(result, wanted)
    if isinstance(wanted, Real | Tensor) and not getattr(wanted, "ndim", 0) and getattr(result, "shape", ()):
        return f"returns shape {tuple(result.shape)}{part}, but a single number is wanted."
    if isinstance(wanted, Tensor) and wanted.ndim:
        if not isinstance(result, Tensor):
            return _no_tensor(result, wanted, part)
        if result.shape != wanted.shape:
            return f"returns shape {tuple(result.shape)}{part}, but {tuple(wanted.shape)} is wanted."
        if result.is_complex():
            return f"returns complex numbers{part}, but real ones are wanted."
        at = tuple((~_alike(result.double(), wanted.double())).nonzero()[0].tolist())
        result, wanted, place = result[at], wanted[at], f"{part}{',' * bool(part)} at place {at}"
    wanted, result = (v.item() if isinstance(v, Tensor) and not v.ndim else v for v in (wanted, result))
    if float in (type(wanted), type(result)) and isinstance(wanted, Real) and isinstance(result, Real):
        a, b = _numbers(result).item(), _numbers(wanted).item()
        digits = next((n for n in (4, 6, 8) if f"{a:.{n}g}" != f"{b:.{n}g}"), 17)
        return f"gives {a:.{digits}g}{place}, but {b:.{digits}g} is wanted."
    return _describe_text(result, wanted, place)


def _no_tensor(result, wanted: Tensor, part: str) -> str:
    if isinstance(result, list | tuple) and len(result):
        make = "torch.stack" if any(isinstance(one, Tensor) for one in result) else "torch.tensor"
        return f"returns a {type(result).__name__}{part}, but a tensor is wanted: make a tensor of it with {make}."
    return f"returns {shown(result, 60)}{part}, which is no tensor; one of shape {tuple(wanted.shape)} is wanted."


def _describe_text(result, wanted, place: str) -> str:
    """What is given and what is wanted as Python writes them; where those look alike, at the first that differs."""
    several = isinstance(wanted, list | tuple) and isinstance(result, list | tuple)
    if several:
        wanted = type(result)(wanted) if type(result) in (list, tuple) else wanted  # either will do, so as it is given
    if isinstance(wanted, float):
        return f"gives {shown(result)}{place}, but {wanted:.4g} is wanted."
    if shown(result) != shown(wanted):
        return f"gives {shown(result)}{place}, but {shown(wanted)} is wanted."
    if several and len(result) != len(wanted):
        return f"gives {len(result)} in a {type(result).__name__}{place}, but {len(wanted)} are wanted."
    if several:
        at = [_same(*both) for both in zip(result, wanted, strict=True)].index(False)
        return _describe(result[at], wanted[at], f"{place} at place {at}")
    return f"gives a {type(result).__name__}{place} that looks like what is wanted, and is something else."


def compare(attempt: Callable, known: Exercise) -> str:
    """Try an attempt on every case; name a foreseen mistake where it matches one on all cases, else the case.

    Whatever an attempt raises is an answer to be explained, so this is called by `judged`. What it does to its
    arguments, and to PyTorch's random numbers and settings, stays in the attempt.
    """
    if attempt is ...:
        return UNTOUCHED
    if not callable(attempt):
        return f"Not yet: give the function itself, without calling it, not {shown(attempt, 60)}."
    with torch.random.fork_rng(devices=[]):
        return _tried(attempt, known)


@contextlib.contextmanager
def _settings_kept() -> Iterator[None]:
    """Leave PyTorch's settings as they are."""
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    try:
        with torch.set_grad_enabled(torch.is_grad_enabled()):
            yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(None if device.type == "cpu" else device)


def call(attempt: Callable, arguments: tuple, name: str):
    """What an attempt gives back for these arguments of a case; raises _Stopped, whatever it raises."""
    try:
        with _settings_kept(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", WARNED)
            return attempt(*arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too
        said = stops_with(error)
        slip = next((f" ({hint})" for part, hint in SLIPS.items() if part in said), "")
        raise _Stopped(f"Not yet: for {name}, your function stops with {said}{slip}") from error


def not_run(given) -> str | None:
    """What to say of a function that has not run when it is called, for it holds `async` or `yield`."""
    if inspect.iscoroutine(given):
        given.close()  # else Python warns
        return "`async def` gives a promise instead of a value: write `def` alone."
    if inspect.isgenerator(given) or inspect.isasyncgen(given):
        return "your function gives a generator, which has not computed anything yet: use `return`, not `yield`."
    return None


def _tried(attempt: Callable, known: Exercise) -> str:
    results, changed = [], False
    for name, arguments in known.cases.items():
        copies = _copied(arguments)
        given = call(attempt, copies, name)
        if untouched(attempt, given):
            return UNTOUCHED
        if given is None:
            return f"Not yet: for {name}, your function gives nothing back: is there a `return`?"
        result = known.read(_plain(given))
        again = functools.partial(call, attempt, _copied(arguments), name)
        if problem := not_run(given) or known.odd(result, lambda again=again: known.read(_plain(again()))):
            return f"Not yet: {problem}"
        changed = changed or any(map(_changed, copies, arguments))
        answer = known.answer(*arguments)
        wanted = known.read(answer)
        if isinstance(wanted, Tensor) and wanted.ndim and getattr(result, "shape", None) != wanted.shape:
            return f"Not yet: for {name}, your function {_describe(result, wanted)}"
        results.append((name, result, wanted, isinstance(answer, tuple) and isinstance(wanted, Tensor)))
    wrong = [case for case in results if not _same(case[1], case[2])]
    if not wrong:
        return RIGHT + CHANGED * changed
    foreseen = [known.mistakes(*arguments) for arguments in known.cases.values()]
    for explanation in foreseen[0]:
        alike = (_same(case[1], known.read(of[explanation])) for case, of in zip(results, foreseen, strict=True))
        if all(alike):
            return f"Not yet: {explanation}"
    if all(isinstance(case[2], Tensor) and _same(case[1], case[2].clamp(-1, 1)) for case in results):
        return f"Not yet: {CLAMPED}"
    name, result, wanted, stacked = wrong[0]
    if stacked:  # told part by part
        result, wanted = tuple(result), tuple(wanted)
    return f"Not yet: for {name}, your function {_describe(result, wanted)}"
