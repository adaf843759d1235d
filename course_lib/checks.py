"""Exercises: one function each, which tries a learner's answer on several cases and says what is wrong.

A check prints one sentence. It never stops the notebook: an untouched stub is "not attempted yet". What was passed
is remembered in a small file beside the course, which git ignores; `board` shows it.
"""

import contextlib
import functools
import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import torch
from IPython.display import Markdown
from torch import Tensor

from course_lib import broken, convert, data, folder, measure, noise, sample, solvers, train
from course_lib.captions import MAX_WORDS, VOCABULARY, encode, split_words
from course_lib.files import RUNS, whole_file
from course_lib.judge import score

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
EXERCISES: dict[str, list[str]] = {}  # lesson number to the names of its checks, in order


def passed() -> list[str]:
    """The names of the exercises passed so far; an unreadable file counts as none."""
    try:
        names = json.loads(PROGRESS.read_text())["passed"]
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
            slip = next((f" ({hint})" for part, hint in SLIPS.items() if part in repr(error)), "")
            return f"Not yet: for {name}, your function stops with {type(error).__name__}: {error}{slip}"
        if _untouched(attempt, result):
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


# Lesson 00


def practice(attempt: Callable) -> None:
    """Lesson 00: twice a number. It shows what checks say, and counts nowhere."""
    mistakes = [(lambda x: x * x, "that is the number times itself. Twice means: times two.")]
    print(_compare(attempt, lambda x: 2 * x, [("x = 2", (2,)), ("x = 5", (5,))], mistakes))


@exercise("00")
def caption(attempt: str) -> str:
    """Lesson 00: a caption that asks for a small yellow lemon on a black background."""
    wanted = {"kind": "lemon", "colour": "yellow", "size_word": "small", "background": "black"}
    called = {"kind": "kind of fruit", "colour": "colour", "size_word": "size", "background": "background"}
    if attempt is ...:
        return UNTOUCHED
    if not isinstance(attempt, str):
        return f"Not yet: a caption is text, between quotes, not {attempt!r:.60}."
    try:
        asked = data.understand(attempt)
    except ValueError as error:
        return f"Not yet: {error}"
    for name, word in wanted.items():
        if asked[name] is None:
            return f"Not yet: your caption leaves the {called[name]} open, so the network would choose one."
        if asked[name] != word:
            return f"Not yet: the {called[name]} that your caption asks for is {asked[name]}, not {word}."
    return RIGHT


@exercise("00")
def from_bytes(attempt: Callable) -> str:
    """Lesson 00: bytes from 0 to 255 to numbers from -1 to 1."""
    g = torch.Generator().manual_seed(0)
    cases = [
        ("the byte 0, none of the colour", (torch.tensor([0], dtype=torch.uint8),)),
        ("the byte 255, all of the colour", (torch.tensor([255], dtype=torch.uint8),)),
        ("the bytes 51, 102, 153 and 204", (torch.tensor([51, 102, 153, 204], dtype=torch.uint8),)),
        ("a small picture", (torch.randint(256, (1, 3, 4, 4), generator=g, dtype=torch.uint8),)),
    ]
    mistakes = [
        (lambda x: x / 255, "that goes from 0 to 1. Stretch it to twice the length, then move it down by 1."),
        (lambda x: x / 127.5, "that goes from 0 to 2: the right length, in the wrong place. Move it down by 1."),
        (lambda x: x / 255 - 1, "that goes from -1 to 0, half the length. Divide by half of 255."),
        (lambda x: x / 128 - 1, "255 must become 1 exactly, and 255 / 128 - 1 falls short. Divide by half of 255."),
        (lambda x: x - 127.5, "0 is in the middle now, but the numbers still go from -127.5 to 127.5."),
        (lambda x: 1 - x / 127.5, "your picture is a negative: black became white. 0 must give -1."),
        (
            lambda x: 2 * x / 255 - 1,
            "a byte cannot hold more than 255, so 2 * x starts again at 0 where it is larger. Divide first.",
        ),
    ]
    return _compare(attempt, data.from_bytes, cases, mistakes)


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


@exercise("02")
def pair(attempt: Callable) -> str:
    """Lesson 02: two neighbours on one road, the noisier picture and the slightly less noisy one."""
    g = torch.Generator().manual_seed(2)
    x0 = torch.rand(2, 3, 4, 4, generator=g) * 2 - 1
    eps = torch.randn(x0.shape, generator=g)
    cases = [(f"t = {t} and s = {s}", (x0, eps, t, s)) for t, s in ((0.5, 0.4), (1.0, 0.9), (0.75, 0.5), (0.1, 0.0))]

    def stacked(*arguments):
        result = attempt(*arguments)
        if _untouched(attempt, result):
            return ...
        if isinstance(result, tuple | list) and len(result) == 2 and all(isinstance(x, Tensor) for x in result):
            return torch.stack(tuple(result)) if result[0].shape == result[1].shape else result
        return result

    def both(make: Callable) -> Callable:  # from a pair of pictures to a tensor of shape (2, B, 3, H, W)
        return lambda *arguments: torch.stack(make(*arguments))

    if callable(attempt):
        with contextlib.suppress(Exception):  # `_compare` explains an error
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
    return _compare(stacked if callable(attempt) else attempt, answer, cases, mistakes)


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
    return _compare(attempt, lambda t, s: (1 - s / t) ** 2, cases, mistakes)


# Lesson 03


@exercise("03")
def weighted_loss(attempt: Callable) -> str:
    """Lesson 03: the loss of the course, from the guess, the clean picture and the level."""
    g = torch.Generator().manual_seed(3)
    x0, x0_hat = torch.rand(2, 3, 3, 4, 4, generator=g) * 2 - 1
    cases = [
        (f"the levels {levels}", (x0_hat, x0, torch.tensor(levels)))
        for levels in ([0.1, 0.5, 0.9], [1.0, 1.0, 1.0], [0.05, 0.2, 0.3])
    ]

    def weight(t: Tensor) -> Tensor:
        return 1 / t.clamp(min=0.3)[:, None, None, None] ** 2

    def answer(x0_hat: Tensor, x0: Tensor, t: Tensor) -> Tensor:
        return train.denoising_loss(lambda *_: x0_hat, x0, t, torch.zeros_like(x0), None)

    mistakes = [
        (lambda x0_hat, x0, t: ((x0_hat - x0) ** 2).mean(), "where is the weight? Divide by max(t, 0.3) squared."),
        (
            lambda x0_hat, x0, t: ((x0_hat - x0) ** 2 * weight(t).sqrt()).mean(),
            "the weight is not squared: it is 1 / max(t, 0.3)^2.",
        ),
        (
            lambda x0_hat, x0, t: ((x0_hat - x0) ** 2 / weight(t)).mean(),
            "you multiply by max(t, 0.3)^2 where you should divide: little noise must count more, not less.",
        ),
        (
            lambda x0_hat, x0, t: ((x0_hat - x0) ** 2 / t[:, None, None, None] ** 2).mean(),
            "your weight has no floor: near t = 0 it would grow without end. Use max(t, 0.3).",
        ),
        (
            lambda x0_hat, x0, t: ((x0_hat - x0) ** 2 * weight(t)).sum(),
            "that is the sum over all numbers. Take the mean, so that it does not grow with the batch.",
        ),
        (
            lambda x0_hat, x0, t: ((x0_hat - x0).abs() * weight(t)).mean(),
            "the error is not squared, only made positive.",
        ),
    ]
    return _compare(attempt, answer, cases, mistakes)


@exercise("03")
def ema_update(attempt: Callable) -> str:
    """Lesson 03: move the average a small share of the way towards the network."""
    g = torch.Generator().manual_seed(4)
    ema, value = torch.randn(2, 4, 5, generator=g)
    cases = [(f"new = {new}", (ema, value, new)) for new in (0.1, 0.01, 0.5, 1.0)]
    mistakes = [
        (
            lambda ema, value, new: new * ema + (1 - new) * value,
            "the weights are swapped: with new = 0.01 your average forgets nearly all of its past at every step.",
        ),
        (lambda ema, value, new: value, "that is the network itself, and no average."),
        (lambda ema, value, new: ema, "your average never moves."),
        (lambda ema, value, new: (ema + value) / 2, "half and half whatever `new` says. Move by the share `new`."),
        (
            lambda ema, value, new: ema + new * value,
            "your average grows at every step: what comes in must be taken off the old, or ema drawn towards value.",
        ),
        (
            lambda ema, value, new: ema - new * (value - ema),
            "your average runs away from the network: the sign is wrong.",
        ),
    ]
    return _compare(attempt, torch.lerp, cases, mistakes)


# Lesson 04


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
    return _compare(attempt, sample.denoise_step, cases, mistakes)


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
    return _compare(attempt, answer, cases, mistakes)


# Lesson 05


@exercise("05")
def tokens(attempt: Callable) -> str:
    """Lesson 05: the words of one caption to a list of MAX_WORDS numbers."""
    captions = ["red apple", "an apple that is red", "orange banana", "a small green pear on a grey background"]
    cases = [(f'"{caption}"', (caption.split(),)) for caption in captions]

    def numbers(words: Sequence[str]) -> list[int]:
        return [VOCABULARY.index(word) for word in words]

    def answer(words: Sequence[str]) -> list[int]:
        return encode(" ".join(words))[0].tolist()

    mistakes = [
        (numbers, f"the numbers are right, but there are not {MAX_WORDS} of them: add zeros after the last word."),
        (
            lambda words: [0] * (MAX_WORDS - len(words)) + numbers(words),
            "your zeros come first. The words begin at the first place, and the zeros follow them.",
        ),
        (
            lambda words: [n + 1 for n in numbers(words)] + [0] * (MAX_WORDS - len(words)),
            'your numbers are one too high: the vocabulary counts from 0, and place 0 is taken by "no word".',
        ),
        (
            lambda words: [*range(1, len(words) + 1)] + [0] * (MAX_WORDS - len(words)),
            "that numbers the words by their place in the caption. A token is a word's place in VOCABULARY.",
        ),
        (
            lambda words: [*words] + [""] * (MAX_WORDS - len(words)),
            "these are still words: VOCABULARY.index(word) gives the number of one.",
        ),
        (
            lambda words: [len(word) for word in words] + [0] * (MAX_WORDS - len(words)),
            "that counts the letters of each word. A token is a word's place in VOCABULARY.",
        ),
        (
            lambda words: numbers(words) + [-1] * (MAX_WORDS - len(words)),
            'the empty places hold -1. "No word" has place 0 in the vocabulary, so fill up with 0.',
        ),
        (lambda words: encode(" ".join(words))[0], "the numbers are right; return a list of them, not a tensor."),
        (lambda words: encode(" ".join(words)), "the numbers are right; return a list of them, not a tensor."),
    ]
    return _compare(attempt, answer, cases, mistakes)


@exercise("05")
def drop_captions(attempt: Callable) -> str:
    """Lesson 05: tokens whose random number lies below the rate become the null caption, whole."""
    captions = ["red apple", "a small yellow lemon", "blue grapes", "an orange"] * 3
    given, u = encode(captions), torch.rand(12, generator=torch.Generator().manual_seed(5))
    cases = [(f"twelve captions and rate = {rate}", (given, u, rate)) for rate in (0.5, 0.2, 0.0, 1.0)]

    def answer(tokens: Tensor, u: Tensor, rate: float) -> Tensor:
        return train.drop_captions(tokens, rate, torch.Generator().manual_seed(5))  # draws these very numbers

    mistakes = [
        (
            lambda tokens, u, rate: torch.where((u < rate)[:, None], tokens, 0),
            "you dropped the captions that should stay, and kept the others: a caption goes if u is below rate.",
        ),
        (
            lambda tokens, u, rate: torch.where(u >= rate, tokens, 0),
            "single words are dropped: your u lines up with the words. Give it a new axis: u[:, None].",
        ),
        (
            lambda tokens, u, rate: torch.where(u[0] >= rate, tokens, 0),
            "the first caption's number decided for the whole batch. Every caption has a number of its own.",
        ),
        (
            lambda tokens, u, rate: torch.where(u.min() >= rate, tokens, 0),
            "the whole batch is dropped as soon as one caption is. Every caption has a number of its own.",
        ),
        (
            lambda tokens, u, rate: torch.cat([tokens[:, :1] * (u >= rate)[:, None], tokens[:, 1:]], dim=1),
            "only the first word goes. The null caption has no word left at all.",
        ),
        (lambda tokens, u, rate: tokens, "nothing was dropped: where u is below rate, the whole row becomes 0."),
        (
            lambda tokens, u, rate: torch.zeros_like(tokens),
            "everything was dropped: where u is not below rate, keep it.",
        ),
        (
            lambda tokens, u, rate: tokens * u[:, None],
            "that multiplies tokens by random numbers. Compare u with rate first: a caption stays or goes.",
        ),
    ]
    try:
        left = len(attempt(given.clone(), u.clone(), 0.5)) if callable(attempt) else 12
    except Exception:  # `_compare` says what is wrong
        left = 12
    if left == int((u >= 0.5).sum()):
        return "Not yet: the dropped captions are gone altogether. Their pictures still need a row each, of zeros."
    return _compare(attempt, answer, cases, mistakes)


# Lesson 06


@exercise("06")
def guided(attempt: Callable) -> str:
    """Lesson 06: the guided guess from u, the guess without words, c, the guess with them, and the scale w."""
    u, c = torch.randn(2, 2, 3, 4, 4, generator=torch.Generator().manual_seed(6))
    cases = [(f"w = {w}", (u, c, w)) for w in (0.0, 1.0, 2.0, 7.5, -2.0)]

    def answer(u: Tensor, c: Tensor, w: float) -> Tensor:
        def model(x_t: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
            return torch.cat([c, u])[: len(x_t)]  # `guided` asks for c alone, or for c and u

        return sample.guided(model, c, 0.5, torch.ones(len(c), 1, dtype=torch.int64), w)

    mistakes = [
        (
            lambda u, c, w: c + w * (u - c),
            "u and c have changed places: at w = 0 the guess must be u, without words, and at w = 1 it must be c.",
        ),
        (lambda u, c, w: w * c - u, "at w = 1 that is c - u, a difference and no picture. Where does u + ... begin?"),
        (
            lambda u, c, w: c + w * (c - u),
            "your w is counted from another zero: at w = 0 you already follow the words. Start from u, not from c.",
        ),
        (lambda u, c, w: w * (c - u), "that is only what the words change. Add it to u."),
        (
            lambda u, c, w: u + w * c,
            "at w = 1 you get u and c on top of each other. Add only what the words change, c - u.",
        ),
        (
            lambda u, c, w: u - w * (c - u),
            "your guess turns away from the words where it should go towards them: u - c or c - u?",
        ),
        (
            lambda u, c, w: (u + w * (c - u)).clamp(-1, 1),
            "the values are clipped to [-1, 1]. A guess may leave that range; only the display clips.",
        ),
        (lambda u, c, w: c, "that is the guess at w = 1. What does w do?"),
    ]
    return _compare(attempt, answer, cases, mistakes)


@exercise("06")
def count_right(attempt: Callable) -> str:
    """Lesson 06: in how many pictures the judge found both the kind and the colour that were asked for."""
    asked = [("banana", "green"), ("apple", "blue"), ("orange", "green"), ("pear", "red"), ("lemon", "pink")]
    cases = [
        ("five pictures, all right", (asked, asked)),
        ("a yellow banana for a green one", ([("banana", "yellow"), *asked[1:]], asked)),
        (
            "two of five right",
            ([asked[0], ("apple", "purple"), ("pear", "green"), asked[3], ("orange", "orange")], asked),
        ),
        ("the right fruits in the wrong order", (asked[::-1], asked)),
        ("no picture right", ([("grapes", "brown")] * 5, asked)),
    ]

    def answer(named: Sequence, asked: Sequence) -> int:
        judge = SimpleNamespace(name=lambda pictures: named)  # a judge that has looked already
        return score(judge, torch.zeros(len(named), 3, 32, 32), asked).right

    def count(right: Callable) -> Callable:
        return lambda named, asked: sum(right(*pair) for pair in zip(named, asked, strict=True))

    mistakes = [
        (
            count(lambda a, b: a[0] == b[0]),
            "the colour is not compared: a yellow banana counts as a green one. Kind and colour must both be right.",
        ),
        (
            count(lambda a, b: a[1] == b[1]),
            "the kind is not compared: a green pear counts as a green orange. Kind and colour must both be right.",
        ),
        (
            count(lambda a, b: a[0] == b[0] or a[1] == b[1]),
            "half right counts as right. Kind and colour must both be right: `and`, not `or`.",
        ),
        (
            lambda named, asked: sum(a in asked for a in named),
            "you look for each picture's answer anywhere in what was asked. Picture 1 must match request 1: use zip.",
        ),
        (lambda named, asked: len(set(named) & set(asked)), "sets forget which picture was asked for what: use zip."),
        (count(lambda a, b: a != b), "that counts the wrong ones."),
        (
            lambda named, asked: count(lambda a, b: a == b)(named, asked) / len(asked),
            "that is a share: give the count.",
        ),
        (lambda named, asked: named == asked, "that says whether all are right. Count how many are."),
    ]
    return _compare(attempt, answer, cases, mistakes)


# Lesson 07


@exercise("07")
def frechet_distance_1d(attempt: Callable) -> str:
    """Lesson 07: how far two bell curves are apart, from their means and standard deviations."""
    cases = [
        ("the same curve twice", (1.0, 2.0, 1.0, 2.0)),
        ("curves of one width, 3 apart", (0.0, 1.0, 3.0, 1.0)),
        ("curves with one middle, of widths 1 and 4", (2.0, 1.0, 2.0, 4.0)),
        ("curves that differ in both", (-1.0, 2.0, 1.5, 0.5)),
    ]
    mistakes = [
        (
            lambda ma, sa, mb, sb: (ma - mb) ** 2 + (sa**2 - sb**2) ** 2,
            "your widths are variances: compare the standard deviations themselves, (std_a - std_b) squared.",
        ),
        (
            lambda ma, sa, mb, sb: (ma - mb) ** 2 + abs(sa**2 - sb**2),
            "that is the difference of the variances. Take the difference of the standard deviations, then square it.",
        ),
        (
            lambda ma, sa, mb, sb: (ma - mb) ** 2 + sa**2 + sb**2,
            "the same curve twice is at distance 0, but yours is not: subtract the widths before you square.",
        ),
        (lambda ma, sa, mb, sb: (ma - mb) ** 2, "two curves with one middle can still differ: where are the widths?"),
        (lambda ma, sa, mb, sb: (sa - sb) ** 2, "curves of one width can still lie apart: where are the means?"),
        (lambda ma, sa, mb, sb: abs(ma - mb) + abs(sa - sb), "the differences are not squared."),
        (
            lambda ma, sa, mb, sb: ((ma - mb) ** 2 + (sa - sb) ** 2) ** 0.5,
            "that is its square root. By custom the number is left squared.",
        ),
        (
            lambda ma, sa, mb, sb: (ma - mb + sa - sb) ** 2,
            "square each difference for itself, then add: as it is, a mean too high makes up for a width too small.",
        ),
    ]
    return _compare(attempt, measure.frechet_distance_1d, cases, mistakes)


@exercise("07")
def look_back_step(attempt: Callable) -> str:
    """Lesson 07: the step that looks back at the last guess."""
    g = torch.Generator().manual_seed(7)
    x_t, x0_hat, x0_before = torch.randn(3, 2, 3, 4, 4, generator=g)
    cases = [
        ("a guess that has not changed", (x_t, x0_hat, x0_hat, 0.9, 0.7, 0.6)),
        ("the road from 0.75 over 0.5 to 0.25", (x_t, x0_hat, x0_before, 0.75, 0.5, 0.25)),
        ("the road from 1 over 0.7 to 0.6", (x_t, x0_hat, x0_before, 1.0, 0.7, 0.6)),
    ]

    def slip(term: Callable) -> Callable:
        return lambda x_t, x0_hat, before, r, t, s: (
            sample.denoise_step(x_t, x0_hat, t, s) + term(x0_hat - before, r, t, s)
        )

    mistakes = [
        (slip(lambda d, r, t, s: 0 * d), "that is the plain step: the guess before makes no difference yet."),
        (
            slip(lambda d, r, t, s: -((t - s) ** 2) / (r**2 - t**2) * d),
            "you go back to where the guess came from: go on in the direction x0_hat - x0_before.",
        ),
        (
            slip(lambda d, r, t, s: (t - s) / (r**2 - t**2) * d),
            "the length of the step, t - s, is not squared.",
        ),
        (
            slip(lambda d, r, t, s: (t - s) ** 2 / (r - t) ** 2 * d),
            "below the line stands r^2 - t^2, the difference of the squares, not the square of the difference.",
        ),
        (
            slip(lambda d, r, t, s: (t**2 - s**2) / (r**2 - t**2) * d),
            "above the line stands (t - s)^2, the square of the difference, not the difference of the squares.",
        ),
        (slip(lambda d, r, t, s: d), "you add the whole change of the guess. How much of it depends on r, t and s."),
        (
            lambda x_t, x0_hat, before, r, t, s: (t - s) ** 2 / (r**2 - t**2) * (x0_hat - before),
            "that is the new part alone. Add it to the plain step.",
        ),
    ]
    return _compare(attempt, solvers.look_back_step, cases, mistakes)


@exercise("07")
def diagnosis(attempt: Sequence) -> str:
    """Lesson 07: the causes of the broken runs A to G, in this order."""
    causes = broken.in_order()
    if attempt is ... or (isinstance(attempt, Sequence) and attempt and all(guess is ... for guess in attempt)):
        return UNTOUCHED
    if isinstance(attempt, str) or not isinstance(attempt, Sequence) or len(attempt) != len(causes):
        return f"Not yet: give a list of {len(causes)} causes, for runs {' to '.join([*causes][:: len(causes) - 1])}."
    guesses = dict(zip(causes, attempt, strict=True))
    named = {run: guess for run, guess in guesses.items() if guess is not ...}
    for guess in named.values():
        if guess not in list(broken.FAULTS):  # a guess can be anything, a list too
            return f"Not yet: {guess!r:.60} is none of the seven causes. They are: {', '.join(broken.FAULTS)}."
    for run, guess in named.items():
        if guess != causes[run]:
            return f"Not yet: run {run} is not {guess!r}. {broken.FAULTS[causes[run]].look}"
    if len(named) < len(causes):
        return f"Not yet: {len(named)} right so far, and {len(causes) - len(named)} still open."
    return RIGHT


# Lesson 08


@exercise("08")
def crop_and_scale(attempt: Callable) -> str:
    """Lesson 08: the middle square of a photograph in bytes, scaled to [-1, 1]."""
    g = torch.Generator().manual_seed(8)
    wide, tall, square = (
        torch.randint(0, 256, (3, *size), generator=g, dtype=torch.uint8) for size in ((6, 10), (11, 5), (7, 7))
    )
    cases = [("a square picture", (square,)), ("a wide picture", (wide,)), ("a tall picture", (tall,))]

    def middle(pixels: Tensor) -> Tensor:
        return (folder.crop_and_scale(pixels) + 1) * 127.5

    def corner(pixels: Tensor) -> Tensor:
        side = min(pixels.shape[1:])
        return pixels[:, :side, :side].float() / 127.5 - 1

    mistakes = [
        (corner, "your square is cut from the top left corner. Leave the same margin on both sides."),
        (lambda pixels: corner(pixels.flip(1, 2)).flip(1, 2), "your square is cut from the bottom right corner."),
        (lambda pixels: middle(pixels) / 255, "your picture lies in [0, 1]. Black must become -1: double it, minus 1."),
        (lambda pixels: middle(pixels) / 127.5, "your picture lies in [0, 2]: take 1 away at the end."),
        (lambda pixels: middle(pixels), "the middle is right, but the values are still bytes, from 0 to 255."),
        (lambda pixels: middle(pixels) / 255 - 1, "your picture lies in [-1, 0]: divide by half of 255."),
    ]
    return _compare(attempt, folder.crop_and_scale, cases, mistakes)


@exercise("08")
def build_vocabulary(attempt: Callable) -> str:
    """Lesson 08: all words of some captions, each once, sorted, with the empty word in front."""
    cases = [
        ("a single caption", (["a red boat"],)),
        ("two captions that share words", (["a yellow boat at night", "a blue house at night"],)),
        ("captions with capitals and a comma", (["A red house, by day", "a Red boat"],)),
    ]

    def words(captions: Sequence[str]) -> list[str]:
        return [word for caption in captions for word in split_words(caption)]

    mistakes = [
        (lambda captions: tuple(sorted(set(words(captions)))), 'token 0 is taken: put the empty word "" in front.'),
        (lambda captions: ("", *sorted(words(captions))), "a word that occurs twice has two tokens. Use a set."),
        (lambda captions: ("", *dict.fromkeys(words(captions))), "your words are in the order they came. Sort them."),
        (
            lambda captions: ("", *sorted({word for caption in captions for word in caption.split()})),
            '"Red" and "red", "house," and "house" are the same word: cut captions up with `split_words`.',
        ),
        (lambda captions: (*sorted(set(words(captions))), ""), 'the empty word "" belongs in front, at place 0.'),
        (lambda captions: ("", *sorted(set(captions))), "those are whole captions: cut each into words first."),
        (lambda captions: ("", *sorted(set("".join(captions)))), "those are letters: cut captions into words."),
    ]
    return _compare(attempt, folder.build_vocabulary, cases, mistakes)


# Lesson 09


def _guesses() -> list[Case]:
    """Noisy pictures, guesses and a level for each, as the conversions take them."""
    g = torch.Generator().manual_seed(9)
    x_t, x0_hat = torch.randn(2, 3, 4, 4, generator=g), torch.rand(2, 3, 4, 4, generator=g) * 2 - 1
    return [(f"t = {t}", (x_t, x0_hat, t)) for t in (1.0, 0.5, 0.2)]


@exercise("09")
def eps_from_x0(attempt: Callable) -> str:
    """Lesson 09: the guessed noise from the guessed picture."""
    mistakes = [
        (
            lambda x_t, x0_hat, t: x_t - (1 - t) * x0_hat,
            "what is left is t eps_hat, noise that is dimmed by t. Divide by t.",
        ),
        (
            lambda x_t, x0_hat, t: ((1 - t) * x0_hat - x_t) / t,
            "your sign is turned round: take the picture away from x_t, not x_t from the picture.",
        ),
        (
            lambda x_t, x0_hat, t: (x_t - t * x0_hat) / (1 - t),
            "t and 1 - t are swapped: in x_t it is the picture that is scaled by 1 - t.",
        ),
        (
            lambda x_t, x0_hat, t: (x_t - x0_hat) / t,
            "that is the velocity. x_t holds only 1 - t of the picture: take away no more than that.",
        ),
        (lambda x_t, x0_hat, t: x_t - x0_hat, "scale the picture by 1 - t before you take it away, then divide by t."),
        (lambda x_t, x0_hat, t: (x_t + (1 - t) * x0_hat) / t, "the picture must be taken away, not added."),
        (lambda x_t, x0_hat, t: x_t - (1 - t) * x0_hat / t, "divide everything by t: brackets are missing."),
    ]
    return _compare(attempt, convert.eps_from_x0, _guesses(), mistakes)


@exercise("09")
def velocity_from_x0(attempt: Callable) -> str:
    """Lesson 09: how x_t changes along its road, by the guess."""
    mistakes = [
        (
            lambda x_t, x0_hat, t: (x0_hat - x_t) / t,
            "your sign is turned round: as t grows, the road leads away from the picture.",
        ),
        (lambda x_t, x0_hat, t: x_t - x0_hat, "that is how far it is. Divide by t, which is how long it took."),
        (
            lambda x_t, x0_hat, t: (x_t - x0_hat) / (1 - t),
            "t and 1 - t are swapped: from the picture to x_t the road is t long.",
        ),
        (
            convert.eps_from_x0,
            "that is eps_hat. The velocity is eps_hat - x0_hat: the picture fades as the noise grows.",
        ),
        (
            lambda x_t, x0_hat, t: x_t - convert.eps_from_x0(x_t, x0_hat, t),
            "start from dx/dt = eps - x0, and write eps in terms of x_t and x0_hat.",
        ),
        (lambda x_t, x0_hat, t: x_t - x0_hat / t, "divide everything by t: brackets are missing."),
    ]
    return _compare(attempt, convert.velocity_from_x0, _guesses(), mistakes)
