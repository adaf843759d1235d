"""Exercises: one function each, which tries a learner's answer on several cases and says what is wrong.

A check prints one sentence. It never stops the notebook: an untouched stub is "not attempted yet". What was passed
is remembered in a small file beside the course, which git ignores; `board` shows it.
"""

import contextlib
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import torch
from IPython.display import Markdown
from torch import Tensor

from course_lib import broken, measure, noise, sample, solvers, train
from course_lib.captions import MAX_WORDS, VOCABULARY, encode
from course_lib.files import DATA, whole_file
from course_lib.judge import score

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
    for run, guess in named.items():
        if guess not in broken.FAULTS:
            return f"Not yet: {guess!r:.60} is none of the seven causes. They are: {', '.join(broken.FAULTS)}."
    for run, guess in named.items():
        if guess != causes[run]:
            return f"Not yet: run {run} is not {guess!r}. {broken.FAULTS[causes[run]].look}"
    if len(named) < len(causes):
        return f"Not yet: {len(named)} right so far, and {len(causes) - len(named)} still open."
    return RIGHT


# Lesson 08


# Lesson 09
