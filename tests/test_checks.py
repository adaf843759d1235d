import asyncio
import copy
import importlib
import inspect
import itertools
import warnings
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_lib import noise, sample
from course_lib.beyond import convert
from course_lib.captions import split_words
from course_lib.checks import engine
from course_lib.checks.engine import every_exercise
from course_lib.checks.lesson_00 import practice
from course_lib.classroom import broken
from course_lib.fruit.words import VOCABULARY

EXERCISES = {name: exercise for named in every_exercise().values() for name, exercise in named.items()}
CHECKS = {  # found as the notebooks find them
    name: getattr(importlib.import_module(f"course_lib.checks.lesson_{lesson}"), name)
    for lesson, named in every_exercise().items()
    for name in named
}
checks = SimpleNamespace(**CHECKS)


def said(capsys, check, attempt):
    check(attempt)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return out.strip()


def four(t):
    return t[:, None, None, None]


# What holds of every exercise


def sentences(exercise):
    return list(exercise.mistakes(*next(iter(exercise.cases.values())))) if exercise.cases else []


MISTAKES = [(name, sentence) for name, exercise in EXERCISES.items() for sentence in sentences(exercise)]


@pytest.mark.parametrize("name", EXERCISES)
def test_the_librarys_own_answer_is_right(capsys, name):
    assert said(capsys, CHECKS[name], EXERCISES[name].answer) == "Right!"


@pytest.mark.parametrize("name", EXERCISES)
def test_an_untouched_stub_is_not_attempted_yet(capsys, name):
    def stub(*arguments):
        """What is asked for."""
        ...  # your line goes here

    stubs = [..., stub, lambda *arguments: ...] if EXERCISES[name].cases else [...]
    assert {said(capsys, CHECKS[name], attempt) for attempt in stubs} == {"not attempted yet"}


@pytest.mark.parametrize(("name", "sentence"), MISTAKES)
def test_a_foreseen_mistake_is_told_by_its_own_sentence(capsys, name, sentence):
    """It hides behind no earlier one, and some case tells it from the right answer."""
    line = said(capsys, CHECKS[name], lambda *case: EXERCISES[name].mistakes(*case)[sentence])
    assert line == f"Not yet: {sentence}"


def test_what_is_said_of_a_mistake_is_short_and_ends():
    assert [sentence for _, sentence in MISTAKES if len(sentence) > 200 or sentence[-1] not in ".?!"] == []


@pytest.mark.parametrize("name", CHECKS)
def test_help_says_what_a_check_asks_for_and_takes(name):
    check = CHECKS[name]
    assert check.__name__ == name and check.__doc__.startswith(f"Lesson {check.__module__[-2:]}: ")
    assert list(inspect.signature(check).parameters) == ["attempt"]


# What the engine makes of an attempt, whatever the exercise


def test_a_forgotten_return_is_no_stub(capsys):
    def forgotten(t):
        ((1 - t) / t) ** 2

    assert "is there a `return`?" in said(capsys, checks.signal_to_noise, forgotten)
    assert "without calling it" in said(capsys, checks.signal_to_noise, 0.5)
    assert "without calling it" in said(capsys, checks.add_noise, torch.ones(3, 3, 4, 4))  # on one line


def test_common_slips_of_python_are_explained(capsys):
    assert "write ** 2" in said(capsys, checks.signal_to_noise, lambda t: ((1 - t) / t) ^ 2)
    assert "upside down" in said(capsys, checks.denoise_step, lambda x_t, x0_hat, t, s: x0_hat + t / s * (x_t - x0_hat))
    assert "which axes should line up?" in said(capsys, checks.add_noise, lambda x0, t, eps: (1 - t) * x0 + t * eps)


def test_an_error_of_several_lines_is_told_on_one(capsys):
    def complain(t):
        raise ValueError("first this,\n\nthen that")

    assert "stops with ValueError: first this, then that" in said(capsys, checks.signal_to_noise, complain)


def test_a_number_will_do_for_a_tensor_without_axes(capsys):
    assert said(capsys, checks.signal_to_noise, lambda t: float((1 - t) / t) ** 2) == "Right!"
    assert "gives 3, but 1 is wanted" in said(capsys, checks.signal_to_noise, lambda t: 3.0)
    assert (
        said(capsys, checks.frechet_distance_1d, lambda a, c, b, d: np.float32((a - b) ** 2 + (c - d) ** 2)) == "Right!"
    )


def test_tensors_and_arrays_in_odd_places_are_refused_like_other_mistakes(capsys):
    line = said(capsys, checks.tokens, lambda words: [torch.zeros(2)] * 12)  # neither equal nor unequal to a number
    assert line.startswith('Not yet: for "red apple", your function gives [tensor([0., 0.])')
    for given, shape in ((np.ones(2), "(2,)"), (torch.ones(1), "(1,)"), (torch.ones(1, 1), "(1, 1)")):
        line = said(capsys, checks.frechet_distance_1d, lambda *curves, given=given: given)
        assert f"returns shape {shape}, but a single number is wanted." in line
    assert "returns no tensor, but array([None]" in said(capsys, checks.add_noise, lambda *case: np.array([None]))


def spoil(case):
    """Change all arguments that can be changed."""
    for argument in case:
        if isinstance(argument, torch.Tensor):
            argument.data = torch.full((2, 2), torch.nan, dtype=torch.float64)
        elif isinstance(argument, list):
            argument.clear()


@pytest.mark.parametrize("name", [name for name, exercise in EXERCISES.items() if exercise.cases])
def test_what_an_attempt_does_to_its_arguments_changes_no_verdict(capsys, progress, name):
    def spoiling(answer):
        def attempt(*case):
            result = copy.deepcopy(answer(*case))
            spoil(case)
            return result

        return attempt

    changes = any(isinstance(argument, torch.Tensor | list) for argument in next(iter(EXERCISES[name].cases.values())))
    for _ in range(2):
        line = said(capsys, CHECKS[name], spoiling(EXERCISES[name].answer))
        assert line == "Right!" + engine.CHANGED * changes and engine.passed() == [name]
    for sentence in sentences(EXERCISES[name]):
        attempt = spoiling(lambda *case, told=sentence: EXERCISES[name].mistakes(*case)[told])
        assert said(capsys, CHECKS[name], attempt) == f"Not yet: {sentence}"


def test_a_result_counts_as_it_was_given_back(capsys):
    row = [0] * 12

    def one_list_for_all(words):
        row[:] = filled(words)
        return row

    assert said(capsys, checks.tokens, one_list_for_all) == "Right!"


def test_an_attempt_that_fails_the_second_time_does_not_stop_the_notebook(capsys):
    calls = itertools.count()

    def moody(x0, eps, t, s):
        return (x0, x0) if next(calls) == 0 else 1 / 0

    assert "stops with ZeroDivisionError" in said(capsys, checks.pair, moody)


def test_what_is_passed_is_remembered_once_and_shown(capsys, progress):
    assert engine.passed() == [] and "0 of 2" in engine.board().data
    said(capsys, checks.signal_to_noise, lambda t: (1 - t) / t)
    assert not progress.exists()
    for _ in range(2):
        said(capsys, checks.signal_to_noise, noise.signal_to_noise)
    assert engine.passed() == ["signal_to_noise"] and "**signal_to_noise** ✓" in engine.board().data
    progress.write_text("[damaged", encoding="utf-8")
    assert engine.passed() == []
    said(capsys, checks.add_noise, noise.add_noise)
    assert engine.passed() == ["add_noise"]


def test_practice_counts_nowhere(capsys, progress):
    assert said(capsys, practice, lambda x: x + x) == "Right!"
    assert said(capsys, practice, ...) == "not attempted yet"
    assert "times itself" in said(capsys, practice, lambda x: x * x)
    assert "for x = 5, your function gives 7" in said(capsys, practice, lambda x: x + 2)
    assert not progress.exists() and "practice" not in EXERCISES


# Whatever an attempt is, gives back or raises, a check answers in a sentence


class Mute(Exception):
    def __str__(self):
        raise ValueError("nothing can be said")


class Odd:
    """An object that can neither be shown nor compared."""

    def __repr__(self):
        raise ValueError("it cannot be shown")

    __eq__ = __len__ = __repr__
    __hash__ = None


class Elusive:
    """An object that cannot be asked for anything."""

    def __getattr__(self, name):
        raise ValueError(f"there is no {name}")


class NoNumber(float):
    def __float__(self):
        raise ValueError("no number")

    __abs__ = __bool__ = __eq__ = __float__
    __hash__ = None


class NoLength(list):
    def __len__(self):
        raise ValueError("no length")


class NoItems(NoLength):
    def __iter__(self):
        raise SystemExit


class Masked:
    @property
    def __class__(self):
        raise ValueError("it has no class")


with warnings.catch_warnings(action="ignore"):  # they are on their way out
    QUANTIZED = torch.quantize_per_tensor(torch.full((3, 3, 4, 4), 0.5), 0.25, 0, torch.qint8)
NESTED = torch.nested.nested_tensor([torch.zeros(1), torch.zeros(2)], layout=torch.jagged)


def endless(*case):
    return endless(*case)


def raising(error):
    def attempt(*case):
        raise error

    return attempt


ITSELF = []
ITSELF.append(ITSELF)
ODD = [
    # fmt: off
    None,
    True,
    10**400,
    -1.0,
    torch.inf,
    torch.nan,
    1j,
    "text",
    "\ud800 a lemon\n\x07",
    b"bytes",
    {},
    {"x": 1},
    set(),
    [],
    (),
    [[1], [2, 3]],
    [None] * 12,
    ["text"] * 2,
    [Odd()] * 12,
    ITSELF,
    range(12),
    iter([1, 2]),
    Odd(),
    Odd,
    int,
    np,
    NotImplemented,
    Fraction(1, 3),
    np.array(None),
    np.ones((2, 2)),
    np.array(["text"]),
    np.float16(7),
    np.complex64(1j),
    [np.array([1, 2])] * 12,
    [torch.zeros(2)] * 12,
    [torch.zeros(())] * 3,
    torch.zeros(0),
    torch.full((3, 3, 4, 4), 1j),
    torch.full((3, 3, 4, 4), 0.5, requires_grad=True),
    torch.ones(3, 3, 4, 4).to_sparse(),
    torch.ones(2, device="meta"),
    torch.ones(3, 3, 4, 4, dtype=torch.bool),
    torch.Generator(),
    QUANTIZED,
    QUANTIZED[0, 0, 0, :1],
    NESTED,
    [NESTED] * 2,
    Elusive(),
    [Elusive()] * 12,
    NoNumber(3),
    [NoNumber(3)] * 12,
    NoLength([1]),
    NoItems([1]),
    Masked(),
    # fmt: on
]
ERRORS = [
    # fmt: off
    Mute(),
    SystemExit(),
    SystemExit("bye"),
    GeneratorExit(),
    StopIteration(3),
    asyncio.CancelledError(),
    Exception(),
    RecursionError("deep"),
    ValueError("\ud800\x07\n"),
    ExceptionGroup("several", [ValueError(1)]),
    Warning("mind"),
    # fmt: on
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", CHECKS)
def test_no_attempt_stops_a_check_or_passes_by_being_odd(capsys, progress, name):
    functions = [
        *(lambda *case, odd=odd: odd for odd in ODD),
        *map(raising, ERRORS),
        endless,
        lambda: 1,
        lambda *c: c[0],
    ]
    if EXERCISES[name].cases:
        right = EXERCISES[name].answer
        wraps = (lambda x: {"x": x}, lambda x: [[x]], str, lambda x: iter([x]))
        functions += [lambda *case, wrap=wrap: wrap(right(*case)) for wrap in wraps]
    for attempt in [*ODD, *functions]:
        line = said(capsys, CHECKS[name], attempt)
        assert line.startswith("Not yet: ") or line == "not attempted yet", attempt
        assert line.isprintable()
    assert not engine.passed()


async def promised(*case):
    return 1


async def promised_one_by_one(*case):
    yield 1


def one_by_one_later(*case):
    yield 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [name for name, exercise in EXERCISES.items() if exercise.cases])
@pytest.mark.parametrize(
    ("attempt", "told"),
    [
        (promised, "write `def` alone"),
        (promised_one_by_one, "not `yield`"),
        (one_by_one_later, "use `return`, not `yield`"),
    ],
)
def test_a_function_that_does_not_run_when_it_is_called_is_named(capsys, name, attempt, told):
    assert told in said(capsys, CHECKS[name], attempt)


def test_a_right_answer_may_be_quantized(capsys):
    known = engine.Exercise(lambda x: x / 2, {"x": (torch.ones(3, 3, 4, 4),)})
    assert engine.compare(lambda x: QUANTIZED, known) == "Right!"


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        (lambda: torch.set_default_dtype(torch.float64), torch.get_default_dtype),
        (lambda: torch.set_default_device("meta"), torch.get_default_device),
        (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    ],
)
@pytest.mark.parametrize("fails", [False, True])
def test_what_an_attempt_sets_in_torch_stays_in_the_attempt(capsys, change, setting, fails):
    def attempt(x0, t, eps):
        x_t = noise.add_noise(x0, t, eps)
        change()
        return x_t if not fails else 1 / 0

    before = setting()
    assert said(capsys, checks.add_noise, attempt).startswith("Not yet" if fails else "Right!")
    assert setting() == before


def test_the_learners_own_interruption_goes_through():
    with pytest.raises(KeyboardInterrupt):
        checks.add_noise(raising(KeyboardInterrupt()))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_an_attempt_raises_is_told_by_name(capsys, error):
    assert f"your function stops with {type(error).__name__}" in said(capsys, checks.add_noise, raising(error))


def test_complex_numbers_and_near_misses_are_told(capsys):
    assert "complex numbers" in said(capsys, checks.add_noise, lambda *case: noise.add_noise(*case) + 5j)
    line = said(capsys, checks.signal_to_noise, lambda t: np.float32(noise.signal_to_noise(t) * 1.0002))
    assert line == "Not yet: for t = 0.5, your function gives 1.0002, but 1 is wanted."


@pytest.mark.parametrize("name", CHECKS)
def test_checks_leave_torchs_random_numbers_alone(capsys, name):
    before = torch.get_rng_state()
    said(capsys, CHECKS[name], lambda *case: torch.manual_seed(7) and torch.randn(3))
    said(capsys, CHECKS[name], EXERCISES[name].answer)
    assert torch.equal(torch.get_rng_state(), before)


# Attempts written in other ways than in the library


def filled(words):
    return [VOCABULARY.index(word) for word in words] + [0] * (12 - len(words))


def filled_by_a_loop(words):
    row = [0] * 12
    for place, word in enumerate(words):
        row[place] = VOCABULARY.index(word)
    return row


def one_by_one(tokens, u, rate):
    return torch.stack(
        [row if number >= rate else torch.zeros_like(row) for row, number in zip(tokens, u, strict=True)]
    )


def how_many(named, asked):
    count = 0
    for (kind, colour), pair in zip(named, asked, strict=True):
        count += kind == pair[0] and colour == pair[1]
    return count


def loop(guess):
    """A loop in which `guess(model, x, t, s)` gives the next picture."""

    def run(model, x_1, levels):
        x = x_1
        for t, s in itertools.pairwise(levels.tolist()):
            x = guess(model, x, t, s)
        return x

    return run


def loop_by_index(model, x_1, levels):
    x = x_1
    for i in range(len(levels) - 1):
        x = sample.denoise_step(x, model(x, levels[i]), levels[i], levels[i + 1])
    return x


def middle(pixels):
    side = min(pixels.shape[1:])
    return pixels[:, (pixels.shape[1] - side) // 2 :, (pixels.shape[2] - side) // 2 :][:, :side, :side]


def bag(captions):
    return {word for caption in captions for word in split_words(caption)}


def plain(x_t, x0_hat, t, s):
    return x0_hat + s / t * (x_t - x0_hat)


def numbers(result, form):
    """A right answer in which tensors, or numbers, have another form."""
    if isinstance(result, tuple) and isinstance(result[0], torch.Tensor):
        return tuple(map(form, result))
    return form(torch.as_tensor(result)) if isinstance(result, torch.Tensor | float | int) else result


FORMS = {
    "float64": lambda x: x.double(),
    "an array": lambda x: x.numpy(),
    "an array of float64, backwards and back": lambda x: x.double().numpy()[..., ::-1][..., ::-1] if x.ndim else x,
    "a number of NumPy": lambda x: x if x.ndim else np.float32(x.item()),
    "a number of Python": lambda x: x if x.ndim else float(x),
    "a fraction": lambda x: x if x.ndim or not x.isfinite() else Fraction(x.item()),
    "with a gradient": lambda x: x.double().requires_grad_(),
    "a parameter": lambda x: torch.nn.Parameter(x.double()),
    "sparse": lambda x: x.to_sparse() if x.ndim else x,
    "of other strides": lambda x: x.mT.contiguous().mT if x.ndim > 1 else x,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [name for name, exercise in EXERCISES.items() if exercise.cases])
def test_a_right_answer_is_right_in_any_type(capsys, name, form):
    assert said(capsys, CHECKS[name], lambda *case: numbers(EXERCISES[name].answer(*case), FORMS[form])) == "Right!"


@pytest.mark.parametrize("other", [tuple, list, lambda row: [np.int64(n) for n in row], lambda row: [*map(float, row)]])
def test_a_row_of_tokens_is_right_in_any_type(capsys, other):
    assert said(capsys, checks.tokens, lambda words: other(filled(words))) == "Right!"


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (checks.from_bytes, lambda x: 2 * (x.float() / 255) - 1),
        (checks.add_noise, lambda x0, t, eps: x0 + t.view(-1, 1, 1, 1) * (eps - x0)),
        (checks.signal_to_noise, lambda t: (1 / t - 1) ** 2),
        (checks.pair, lambda x0, eps, t, s: torch.stack([x0 + t * (eps - x0), x0 + s * (eps - x0)])),
        (checks.pair, lambda x0, eps, t, s: [x0 + t * (eps - x0), x0 + s * (eps - x0)]),
        (checks.step_factor, lambda t, s: ((t - s) / t).square()),
        (checks.weighted_loss, lambda x0_hat, x0, t: ((x0_hat - x0) ** 2 / four(t).clamp(min=0.3) ** 2).mean()),
        (
            checks.weighted_loss,
            lambda a, b, t: ((a - b).square().mean((1, 2, 3)) / torch.where(t < 0.3, 0.3, t).square()).mean(),
        ),
        (checks.ema_update, lambda ema, value, new: (1 - new) * ema + new * value),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: (1 - s / t) * x0_hat + x_t * s / t),
        (checks.generate, loop_by_index),
        (checks.generate, loop(lambda model, x, t, s: plain(x, model(x, torch.full((len(x),), t)), t, s))),
        (checks.generate, loop(lambda model, x, t, s: (1 - s / t) * model(x, torch.tensor(t), None) + s / t * x)),
        (checks.tokens, filled),
        (checks.tokens, filled_by_a_loop),
        (checks.drop_captions, lambda tokens, u, rate: torch.where((u >= rate)[:, None], tokens, 0)),
        (checks.drop_captions, lambda tokens, u, rate: tokens * (u >= rate).unsqueeze(1)),
        (checks.drop_captions, one_by_one),
        (checks.guided, lambda u, c, w: u + w * (c - u)),
        (checks.guided, lambda u, c, w: w * c + (1 - w) * u),
        (checks.count_right, lambda named, asked: sum(a == b for a, b in zip(named, asked, strict=True))),
        (checks.count_right, how_many),
        (checks.frechet_distance_1d, lambda a, c, b, d: a * a + b * b - 2 * a * b + c * c + d * d - 2 * c * d),
        (checks.frechet_distance_1d, lambda a, c, b, d: torch.tensor([a - b, c - d]).norm().item() ** 2),
        (
            checks.look_back_step,
            lambda x, g, f, r, t, s: s / t * x + (1 - s / t) * g - (t - s) ** 2 * (g - f) / (t - r) / (t + r),
        ),
        (checks.diagnosis, tuple(broken.in_order()[letter] for letter in "ABCDEFG")),
        (checks.crop_and_scale, lambda pixels: middle(pixels) / 255 * 2 - 1),
        (checks.build_vocabulary, lambda captions: [""] + sorted(bag(captions))),
        (checks.eps_from_x0, lambda x_t, x0_hat, t: x0_hat + (x_t - x0_hat) / t),
        (checks.velocity_from_x0, lambda x_t, x0_hat, t: convert.eps_from_x0(x_t, x0_hat, t) - x0_hat),
    ],
)
def test_a_right_answer_is_right_in_any_form(capsys, check, answer):
    assert said(capsys, check, answer) == "Right!"


@pytest.mark.parametrize(
    ("check", "attempt", "explanation"),
    [
        (checks.caption, "a small yellow lemon", "leaves the background open"),
        (checks.caption, "a yellow lemon on a black background", "leaves the size open"),
        (checks.caption, "a small lemon on a black background", "leaves the colour open"),
        (checks.caption, "a small yellow fruit on a black background", "leaves the kind of fruit open"),
        (checks.caption, "a small yellow lemon on a grey background", "is grey, not black"),
        (checks.caption, "a huge yellow lemon on a black background", "is large, not small"),
        (checks.caption, "please", "no word that says what to draw"),
        (checks.caption, "two small yellow lemons on a black background", "one fruit, not two"),
        (checks.caption, "a small yellow lime on a black background", '"lime"'),
        (checks.caption, 7, "between quotes"),
        (checks.add_noise, lambda x0, t, eps: x0 + t[:, None, None] * (eps - x0), "lines up with the colours"),
        (checks.add_noise, lambda x0, t, eps: x0 + t[0] * (eps - x0), "the first picture's level"),
        (checks.add_noise, lambda x0, t, eps: (1 - t) * x0 + t * eps, "stops with RuntimeError"),
        (checks.add_noise, lambda x0, t, eps: x0[0], "returns shape (3, 4, 4)"),
        (checks.add_noise, lambda x0, t, eps: "apple", "no tensor"),
        (checks.pair, lambda x0, eps, t, s: (x0 + s * (eps - x0), x0 + t * (eps - x0)), "swapped"),
        (checks.pair, lambda x0, eps, t, s: (x0 + t * (eps - x0), x0), "the giant step"),
        (checks.pair, lambda x0, eps, t, s: (x0 + t * (eps - x0), x0 + t * (eps - x0)), "nothing to learn"),
        (
            checks.pair,
            lambda x0, eps, t, s: (x0 + t * (eps - x0), (1 - s) * (x0 + t * (eps - x0)) + s * eps),
            "adds noise to the noisy picture",
        ),
        (checks.pair, lambda x0, eps, t, s: (x0 + t * (eps - x0), x0 + (t - s) * (eps - x0)), "level t - s"),
        (
            checks.pair,
            lambda x0, eps, t, s: (x0 + t * (eps - x0), (1 - s) * x0 + s * torch.randn(x0.shape)),
            "one road",
        ),
        (checks.pair, lambda x0, eps, t, s: (x0 * torch.nan, x0), "gives nan at place (0, 0, 0, 0, 0), but"),
        (checks.pair, lambda x0, eps, t, s: x0 + t * (eps - x0), "two tensors are wanted"),
        (checks.pair, lambda x0, eps, t, s: (x0 + t * (eps - x0), s), "two tensors are wanted"),
        (checks.pair, lambda x0, eps, t, s: (x0, eps, eps), "two tensors are wanted"),
        (checks.pair, lambda x0, eps, t, s: x0 + four(t), "stops with TypeError"),
        (checks.step_factor, lambda t, s: (t / (t - s)) ** 2, "upside down"),
        (checks.ema_update, lambda ema, value, new: value.lerp(ema, new), "swapped"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: s / t * (x_t - x0_hat), "add it to the guess"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: x0_hat + 0.75 * (x_t - x0_hat), "not fixed"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: x0_hat + s * (x_t - x0_hat), "you multiply by s"),
        (checks.generate, loop(lambda model, x, t, s: model(x, t)), "lands on the guess itself"),
        (checks.generate, lambda m, x, levels: plain(x, m(x, 1), 1, levels[1]), "one step only"),
        (checks.generate, lambda m, x, levels: sample.denoise_step(x, m(x, 0), 0, 1), "stops with ValueError"),
        (checks.tokens, lambda words: [n + (n > 0) for n in filled(words)], "one too high"),
        (checks.tokens, lambda words: torch.tensor(filled(words)), "not a tensor"),
        (checks.tokens, lambda words: torch.tensor([filled(words)]), "not a tensor"),
        (checks.tokens, lambda words: VOCABULARY.index(" ".join(words)), "stops with ValueError"),
        (checks.tokens, lambda words: np.array(filled(words)), "or an array"),
        (checks.drop_captions, lambda tokens, u, rate: torch.where((u < rate)[:, None], tokens, 0), "should stay"),
        (checks.drop_captions, lambda tokens, u, rate: tokens[u >= rate], "still need a row each"),
        (checks.drop_captions, lambda tokens, u, rate: [*tokens[u >= rate]], "still need a row each"),
        (checks.drop_captions, lambda tokens, u, rate: tokens[0], "returns shape (12,)"),
        (checks.guided, lambda u, c, w: (1 - w) * c + w * u, "changed places"),
        (checks.guided, lambda u, c, w: (1 + w) * c - w * u, "another zero"),
        (checks.guided, lambda u, c, w: u + w * (u - c), "u - c or c - u?"),
        (checks.guided, lambda u, c, w: torch.clip(u + w * (c - u), -1, 1), "clipped"),
        (checks.guided, lambda u, c, w: c.clone(), "What does w do?"),
        (checks.count_right, lambda named, asked: len([pair for pair in named if pair in asked]), "use zip"),
        (checks.count_right, lambda named, asked: how_many(named, asked) / len(named), "that is a share"),
        (checks.count_right, lambda named, asked: len(named) - how_many(named, asked), "the wrong ones"),
        (
            checks.look_back_step,
            lambda x, g, f, r, t, s: plain(x, g, t, s) + (t - s) ** 2 / (r**2 - t**2) * (f - g),
            "where the guess came",
        ),
        (checks.crop_and_scale, middle, "still bytes"),
        (checks.crop_and_scale, lambda p: middle(p) / 255, "your picture lies in [0, 1]"),
        (checks.build_vocabulary, lambda c: sorted(bag(c)), "token 0 is taken"),
    ],
)
def test_a_mistake_is_explained_in_any_form(capsys, check, attempt, explanation):
    line = said(capsys, check, attempt)
    assert line.startswith("Not yet: ") and explanation in line


@pytest.mark.parametrize(
    ("check", "attempt", "told"),
    [
        (checks.from_bytes, lambda x: x // 127 - 1, "the byte 0"),
        (checks.from_bytes, lambda x: (x / 127.5 - 1) ** 3, "the bytes 51, 102, 153 and 204"),
        (
            checks.add_noise,
            lambda x0, t, eps: (1 - four(t) ** 2) * x0 + four(t) ** 2 * eps,
            "three pictures with levels 0.1, 0.5 and 0.9",
        ),
        (
            checks.signal_to_noise,
            lambda t: torch.where(t < 0.8, ((1 - t) / t) ** 2, 7.0),
            "t = 0.9, your function gives 7",
        ),
        (checks.signal_to_noise, lambda t: ((1 - t) / t) ** 2 * 10, "t = 0.5"),
        (
            checks.pair,
            lambda x0, eps, t, s: (x0 + t * (eps - x0), x0 + s**2 * (eps - x0)),
            "t = 0.5 and s = 0.4, your function gives",
        ),
        (
            checks.step_factor,
            lambda t, s: (1 - s / t) ** 2 if s > 0 else torch.tensor(0.5),
            "t = 0.3 and s = 0.0, your function gives 0.5",
        ),
        (
            checks.weighted_loss,
            lambda a, b, t: ((a - b) ** 2 / four(t).clamp(min=0.2) ** 2).mean(),
            "the levels [0.1, 0.5, 0.9]",
        ),
        (checks.ema_update, lambda ema, value, new: ema.lerp(value, new**2), "new = 0.1"),
        (
            checks.denoise_step,
            lambda x_t, x0_hat, t, s: plain(x_t, x0_hat, t**2, s**2),
            "a step from t = 1 to s = 0.75",
        ),
        (checks.generate, loop(lambda model, x, t, s: plain(x, model(x, t) * (1 - s / 9), t, s)), "2 steps"),
        (checks.tokens, lambda words: sorted(filled(words)), '"red apple"'),
        (checks.drop_captions, lambda tokens, u, rate: tokens * (u >= rate**2)[:, None], "twelve captions and rate"),
        (checks.guided, lambda u, c, w: u + abs(w) * (c - u), "w = -2.0"),
        (checks.count_right, lambda named, asked: how_many(named[1:], asked[1:]), "five pictures, all right"),
        (
            checks.frechet_distance_1d,
            lambda a, c, b, d: (a - b) ** 2 + 3 * (c - d) ** 2,
            "curves with one middle, of widths 1 and 4",
        ),
        (
            checks.look_back_step,
            lambda x, g, f, r, t, s: plain(x, g, t, s) + 0.1 * (g - f),
            "the road from 0.75 over 0.5 to 0.25",
        ),
        (checks.crop_and_scale, lambda p: p / 127.5 - 1, "a wide picture, your function returns shape (3, 6, 10)"),
        (checks.crop_and_scale, lambda p: (middle(p) / 127.5 - 1) ** 3, "a square picture, your function gives"),
        (checks.build_vocabulary, lambda c: ["", *sorted(bag(c), key=len)], "a single caption"),
        (checks.eps_from_x0, lambda x_t, x0, t: (x_t - (1 - t) * x0) / t**2, "t = 0.5, your function gives"),
        (checks.velocity_from_x0, lambda x_t, x0, t: (x_t - x0) / t**0.5, "t = 0.5, your function gives"),
    ],
)
def test_a_mistake_that_nobody_foresaw_is_refused_with_its_case(capsys, check, attempt, told):
    assert said(capsys, check, attempt).startswith(f"Not yet: for {told}")


@pytest.mark.parametrize(
    "typed",
    [
        "Please draw a tiny lemon, yellow, against a black background!",
        "Small lemon that is yellow, on a black background!",
        "a lemon small yellow on black background a",
    ],
)
def test_a_caption_is_judged_as_what_it_is_read_as(capsys, progress, typed):
    understood = "Right! It is understood as: a small yellow lemon on a black background."
    assert said(capsys, checks.caption, typed) == understood and engine.passed() == ["caption"]
    assert said(capsys, checks.caption, "A small yellow lemon on a black background") == "Right!"


@pytest.mark.parametrize("form", [np.array, lambda right: [f" {cause.upper()} " for cause in right]])
def test_a_diagnosis_is_right_in_any_letters_and_as_an_array(capsys, form):
    assert said(capsys, checks.diagnosis, form([*broken.in_order().values()])) == "Right!"


def test_a_diagnosis_is_told_run_by_run_what_to_look_at(capsys):
    causes = broken.in_order()
    right = list(causes.values())
    for place, (letter, cause) in enumerate(causes.items()):
        wrong = [...] * 7
        wrong[place] = right[place - 1]
        line = said(capsys, checks.diagnosis, wrong)
        assert f"run {letter} is not {right[place - 1]!r}" in line and broken.FAULTS[cause].look in line
        assert cause not in line
    assert said(capsys, checks.diagnosis, [...] * 7) == "not attempted yet"
    assert "3 right so far, and 4 still open" in said(capsys, checks.diagnosis, [*right[:3], ..., ..., ..., ...])
    assert "'bad luck' is none of the seven causes" in said(capsys, checks.diagnosis, ["bad luck", *right[1:]])
    assert "['no EMA'] is none of the seven causes" in said(capsys, checks.diagnosis, [["no EMA"], *right[1:]])
    for attempt in (right[:6], "no EMA", 7):
        assert "give a list of 7 causes, for runs A to G" in said(capsys, checks.diagnosis, attempt)
