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
from IPython.core.formatters import DisplayFormatter

from course_lib import noise
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


def clean_again(x_t, t, eps):
    return (x_t - four(t) * eps) / (1 - four(t))


def below(t):
    """The level of a pair's target."""
    return (t - 0.1).clamp(min=0)


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
    assert "without calling it" in said(capsys, checks.take_noise_away, torch.ones(3, 3, 4, 4))  # on one line


def test_common_slips_of_python_are_explained(capsys):
    assert "write ** 2" in said(capsys, checks.signal_to_noise, lambda t: ((1 - t) / t) ^ 2)
    assert "upside down" in said(capsys, checks.guess_behind, lambda x_t, x_s, t, s: x_t + t / s * (x_s - x_t))
    assert "clamp" in said(capsys, checks.weighted_loss, lambda a, b, t: ((a - b) ** 2 / max(t, 0.3) ** 2).mean())
    assert "which axes should line up?" in said(capsys, checks.take_noise_away, lambda x_t, t, eps: x_t - t * eps)


def test_an_error_of_several_lines_is_told_on_one(capsys):
    def complain(t):
        raise ValueError("first this,\n\nthen that")

    assert "stops with ValueError: first this, then that" in said(capsys, checks.signal_to_noise, complain)


def test_a_number_will_do_for_a_tensor_without_axes(capsys):
    assert said(capsys, checks.signal_to_noise, lambda t: float((1 - t) / t) ** 2) == "Right!"
    assert "gives 3, but 1 is wanted" in said(capsys, checks.signal_to_noise, lambda t: 3.0)
    logs = lambda n, a, m, b: np.float32(np.log(a / b) / np.log(m / n))  # noqa: E731
    assert said(capsys, checks.order_of, logs) == "Right!"


def test_tensors_and_arrays_in_odd_places_are_refused_like_other_mistakes(capsys):
    line = said(capsys, checks.tokens, lambda words: [torch.zeros(2)] * 12)  # neither equal nor unequal to a number
    assert line.startswith('Not yet: for "red apple", your function gives [tensor([0., 0.])')
    for given, shape in ((np.ones(2), "(2,)"), (torch.ones(1), "(1,)"), (torch.ones(1, 1), "(1, 1)")):
        line = said(capsys, checks.order_of, lambda *errors, given=given: given)
        assert f"returns shape {shape}, but a single number is wanted." in line
    assert "returns array([None], dtype=object), which is no tensor" in said(
        capsys, checks.take_noise_away, lambda *case: np.array([None])
    )


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

    def moody(x0, eps, t):
        return (x0, x0) if next(calls) == 0 else 1 / 0

    assert "stops with ZeroDivisionError" in said(capsys, checks.pair, moody)


def test_what_is_passed_is_remembered_once_and_shown(capsys, progress):
    assert engine.passed() == [] and "| 01 | take_noise_away, signal_to_noise" in engine.board().data
    said(capsys, checks.signal_to_noise, lambda t: (1 - t) / t)
    assert not progress.exists()
    for _ in range(2):
        said(capsys, checks.signal_to_noise, noise.signal_to_noise)
    assert engine.passed() == ["signal_to_noise"] and "**signal_to_noise** ✓" in engine.board().data
    progress.write_text("[damaged", encoding="utf-8")
    assert engine.passed() == []
    said(capsys, checks.take_noise_away, clean_again)
    assert engine.passed() == ["take_noise_away"]


def test_a_check_gives_its_mark_back_and_shows_it_only_once(capsys):
    right, wrong = checks.signal_to_noise(noise.signal_to_noise), checks.signal_to_noise(lambda t: t)
    assert right == (True, "Right!") and not wrong.passed and wrong.sentence.startswith("Not yet: ")
    assert capsys.readouterr().out == f"{right.sentence}\n{wrong.sentence}\n"
    assert checks.signal_to_noise(...) == (False, engine.UNTOUCHED)
    assert DisplayFormatter().format(right) == ({}, {})


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
    def attempt(x_t, t, eps):
        x0 = clean_again(x_t, t, eps)
        change()
        return x0 if not fails else 1 / 0

    before = setting()
    assert said(capsys, checks.take_noise_away, attempt).startswith("Not yet" if fails else "Right!")
    assert setting() == before


def test_the_learners_own_interruption_goes_through():
    with pytest.raises(KeyboardInterrupt):
        checks.take_noise_away(raising(KeyboardInterrupt()))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_an_attempt_raises_is_told_by_name(capsys, error):
    assert f"your function stops with {type(error).__name__}" in said(capsys, checks.take_noise_away, raising(error))


def test_complex_numbers_and_near_misses_are_told(capsys):
    assert "complex numbers" in said(capsys, checks.take_noise_away, lambda *case: clean_again(*case) + 5j)
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


def by_turns(first, second, x_t, levels, change):
    for i in range(len(levels) - 1):
        t, s = levels[i], levels[i + 1]
        net = second if t <= change else first
        x_t = plain(x_t, net(x_t, t), t, s)
    return x_t


def swapped_by_less(first, second, x_t, levels, change):
    for t, s in itertools.pairwise(levels):
        x_t = plain(x_t, (first if t < change else second)(x_t, t), t, s)
    return x_t


def without_steps(first, second, x_t, levels, change):
    for t in levels[:-1]:
        x_t = first(x_t, t) if t > change else second(x_t, t)
    return x_t


def turn(u, c, guess):
    """1 where a guess goes from u towards c, -1 where it goes away."""
    return ((guess - u) * (c - u)).sum().sign()


def votes(opinions, asked):
    return [[opinion[i] == pair for opinion in opinions] for i, pair in enumerate(asked)]


def off_centre(pixels):
    """The middle square by equal cuts on both sides, which are one too few where a side is odd."""
    high, wide = pixels.shape[1:]
    side = min(high, wide)
    up, left = (high - side) // 2, (wide - side) // 2
    return pixels[:, up : high - up, left : wide - left] / 127.5 - 1


def middle(pixels):
    side = min(pixels.shape[1:])
    return pixels[:, (pixels.shape[1] - side) // 2 :, (pixels.shape[2] - side) // 2 :][:, :side, :side]


def wide(x):
    return x.std() if len(x) > 1 else 0


def by_sums(losses, over):
    total = torch.cat([torch.zeros(1), losses]).cumsum(0)
    ends = torch.arange(1, len(total))
    begins = (ends - over).clamp(min=0)
    return (total[ends] - total[begins]) / (ends - begins)


def backwards(curve, healthy):
    step = len(curve)
    while step > 0 and abs(curve[step - 1] - healthy[step - 1]) > 0.1 * healthy[step - 1]:
        step -= 1
    return step


def parts(curve, healthy, measure):
    """Where two curves part, as far as 10 % of this measure tell."""
    together = ((curve - healthy).abs() <= 0.1 * measure).nonzero()
    return int(together[-1]) + 1 if len(together) else 0


def bag(captions):
    return {word for caption in captions for word in split_words(caption)}


def with_an_empty_word(q, k, v):
    return q, torch.cat([torch.zeros_like(k[:1]), k]), torch.cat([torch.zeros_like(v[:1]), v])


def by_powers(q, k, v):
    powers = torch.exp(q @ k.T / q.shape[1] ** 0.5)
    return powers / (1 + powers.sum(dim=1, keepdim=True)) @ v


def plain(x_t, x0_hat, t, s):
    return x0_hat + s / t * (x_t - x0_hat)


def one_after_another(levels, low, high, heun):
    """Guesses counted step by step."""
    guesses = 0
    for t, s in itertools.pairwise(levels):
        guesses += 1 + (low < t <= high)
        guesses += (1 + (low < s <= high)) * (heun and s > 0)
    return guesses


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
        (checks.take_noise_away, lambda x_t, t, eps: eps + (x_t - eps) / (1 - t.view(-1, 1, 1, 1))),
        (checks.take_noise_away, lambda *case: clean_again(*case).clamp(min=-1, max=1)),
        (checks.signal_to_noise, lambda t: (1 / t - 1) ** 2),
        (checks.pair, lambda x0, eps, t: torch.stack([noise.add_noise(x0, s, eps) for s in (t, below(t))])),
        (checks.pair, lambda x0, eps, t: [x0 + four(s) * (eps - x0) for s in (t, t.clamp(min=0.1) - 0.1)]),
        (checks.step_factor, lambda t, s: ((t - s) / t).square()),
        (checks.weighted_loss, lambda x0_hat, x0, t: ((x0_hat - x0) ** 2 / four(t).clamp(min=0.3) ** 2).mean()),
        (
            checks.weighted_loss,
            lambda a, b, t: ((a - b).square().mean((1, 2, 3)) / torch.where(t < 0.3, 0.3, t).square()).mean(),
        ),
        (checks.ema_update, lambda ema, value, new: (1 - new) * ema + new * value),
        (checks.guess_behind, lambda x_t, x_s, t, s: x_t + (x_s - x_t) * t / (t - s)),
        (checks.guess_behind, lambda x_t, x_s, t, s: (x_s - s / t * x_t) / (1 - s / t)),
        (checks.generate_with_two, by_turns),
        (checks.scale_of, lambda u, c, guess: ((guess - u) / (c - u))[c != u].mean()),
        (
            checks.scale_of,
            lambda u, c, guess: ((guess - u).square().sum() / (c - u).square().sum()).sqrt() * turn(u, c, guess),
        ),
        (checks.agreed, lambda opinions, asked: sum(map(all, votes(opinions, asked)))),
        (checks.equally_strong, lambda variance: 1 / (1 + variance**-0.5)),
        (checks.hidden_from, np.float64(0.96)),
        (checks.too_large, 1),
        (checks.eight_steps, [1, 0.96, 0.92, 0.87, 0.81, 0.75, 0.66, 0.54, 0]),
        (checks.same_vector, ["a red a green a red apple", "a green a red a red apple"]),
        (checks.breaking_scale, 20.0),
        (checks.tokens, filled),
        (checks.tokens, filled_by_a_loop),
        (checks.drop_captions, lambda tokens, u, rate: torch.where((u >= rate)[:, None], tokens, 0)),
        (checks.drop_captions, lambda tokens, u, rate: tokens * (u >= rate).unsqueeze(1)),
        (checks.drop_captions, one_by_one),
        (checks.distance_of_sets, lambda a, b: (a.mean() - b.mean()) ** 2 + (wide(a) - wide(b)) ** 2),
        (checks.smallest_size, np.int64(144)),
        (checks.fools_the_panel, lambda x: x.flip(-1)),
        (checks.order_of, lambda n, a, m, b: np.log2(a / b) / np.log2(m / n)),
        (checks.cost_of_walk, one_after_another),
        (checks.worth_four, np.int64(5)),
        (checks.smooth_behind, by_sums),
        (checks.parting, backwards),
        (checks.broken_run, (broken.HEALTHY._replace(guidance_scale=15.0), " Same ")),
        (checks.broken_run, (broken.HEALTHY._replace(learning_rate=1e-5), "above")),
        (checks.diagnosis, tuple(broken.in_order()[letter] for letter in "ABCDEFG")),
        (checks.put_back, lambda x_s, x0, eps, s, known: x_s * ~known + (x0 + s * (eps - x0)) * known),
        (checks.both, lambda u, a, b, w: (1 - 2 * w) * u + w * (a + b)),
        (checks.crop_and_scale, lambda pixels: middle(pixels) / 255 * 2 - 1),
        (checks.build_vocabulary, lambda captions: [""] + sorted(bag(captions))),
        (checks.attention, lambda *qkv: torch.nn.functional.scaled_dot_product_attention(*with_an_empty_word(*qkv))),
        (checks.attention, by_powers),
        (checks.shares_of_those_there, lambda s, there: s.exp() * there / (s.exp() * there).sum(1, keepdim=True)),
        (checks.eps_from_velocity, lambda x_t, velocity, t: convert.x0_from_velocity(x_t, velocity, t) + velocity),
        (checks.ours_from_any, lambda x, a, b: [x / (a + b), 1 - a / (a + b)]),
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
        (
            checks.take_noise_away,
            lambda x_t, t, eps: eps + (x_t - eps) / (1 - t[:, None, None]),
            "lines up with the colours",
        ),
        (checks.take_noise_away, lambda x_t, t, eps: eps + (x_t - eps) / (1 - t[0]), "the first picture's level"),
        (checks.take_noise_away, lambda x_t, t, eps: x_t - four(t) * eps, "the picture times 1 - t"),
        (checks.take_noise_away, lambda x_t, t, eps: x_t - four(t / (1 - t)) * eps, "in brackets"),
        (checks.take_noise_away, noise.add_noise, "(did you give add_noise a noisy picture?"),
        (checks.take_noise_away, lambda x_t, t, eps: (x_t - t * eps) / (1 - t), "stops with RuntimeError"),
        (checks.take_noise_away, lambda x_t, t, eps: x_t[0], "returns shape (3, 4, 4)"),
        (checks.take_noise_away, lambda x_t, t, eps: "apple", "returns 'apple', which is no tensor"),
        (
            checks.take_noise_away,
            lambda x_t, t, eps: -1,
            "returns -1, which is no tensor; one of shape (3, 3, 4, 4) is wanted.",
        ),
        (
            checks.pair,
            lambda x0, eps, t: [x0 + four(s) * (eps - x0) for s in (t, below(t) ** 2)],
            "in the second of the two, at place (0, 0, 0, 0), but",
        ),
        (checks.from_bytes, lambda x: (x - 128) / 128.0, "so x - 128 starts again at 255: divide first"),
        (checks.from_bytes, lambda x: x // 127 - 1, "a byte cannot go below 0"),
        (checks.from_bytes, lambda x: x - 1, "0 - 1 is 255"),
        (checks.caption, "lemon yellow small black", "That leaves the background open"),
        (checks.pair, lambda x0, eps, t: [noise.add_noise(x0, s, eps) for s in (below(t), t)], "swapped"),
        (checks.pair, lambda x0, eps, t: (x0 + four(t) * (eps - x0), x0), "the giant step"),
        (checks.pair, lambda x0, eps, t: [noise.add_noise(x0, s, eps) for s in (t, t)], "nothing to learn"),
        (
            checks.pair,
            lambda x0, eps, t: (y := x0 + four(t) * (eps - x0), y + four(below(t)) * (eps - y)),
            "adds noise to the noisy picture",
        ),
        (checks.pair, lambda x0, eps, t: [x0 + four(s) * (eps - x0) for s in (t, t - 0.1)], "a level below 0"),
        (checks.pair, lambda x0, eps, t: [noise.add_noise(x0, s, eps) for s in (t, (t - 0.1).abs())], "0.1 - t"),
        (checks.pair, lambda x0, eps, t: [noise.add_noise(x0, s, eps) for s in (t, 0.9 * t)], "nine tenths of t"),
        (
            checks.pair,
            lambda x0, eps, t: (x0, noise.add_noise(x0, t - 0.1, eps)),
            "The noise level t must lie in [0, 1]",
        ),
        (checks.pair, lambda x0, eps, t: (x0, noise.add_noise(x0, max(t - 0.1, 0), eps)), "look at one number"),
        (
            checks.pair,
            lambda x0, eps, t: (x0, x0 + four(below(t)) * (torch.randn(x0.shape) - x0)),
            "one road",
        ),
        (
            checks.pair,
            lambda x0, eps, t: (x0 * torch.nan, x0),
            "gives nan in the first of the two, at place (0, 0, 0, 0), but",
        ),
        (checks.pair, lambda x0, eps, t: x0 + four(t) * (eps - x0), "two tensors are wanted"),
        (checks.pair, lambda x0, eps, t: (x0 + four(t) * (eps - x0), t), "two tensors are wanted"),
        (checks.pair, lambda x0, eps, t: (x0, eps, eps), "two tensors are wanted"),
        (checks.pair, lambda x0, eps, t, s: (x0, x0), "stops with TypeError"),
        (checks.step_factor, lambda t, s: (t / (t - s)) ** 2, "upside down"),
        (checks.ema_update, lambda ema, value, new: value.lerp(ema, new), "swapped"),
        (checks.guess_behind, lambda x_t, x_s, t, s: x_s - x_t, "counted from x_t"),
        (checks.guess_behind, lambda x_t, x_s, t, s: x_s, "Only the last step"),
        (checks.generate_with_two, lambda a, b, x, levels, change: by_turns(a, a, x, levels, change), "only the first"),
        (checks.generate_with_two, lambda a, b, x, levels, change: by_turns(b, a, x, levels, change), "changed places"),
        (
            checks.smooth_behind,
            lambda x, over: torch.stack(
                [x[max(0, i - over // 2) : i - over // 2 + over].mean() for i in range(len(x))]
            ),
            "looks ahead",
        ),
        (checks.scale_of, lambda u, c, guess: ((guess - u) / (c - u)).mean(), "gives nan"),
        (checks.scale_of, lambda u, c, guess: ((guess - u) / (c - u)).flatten()[-1].item(), "a single number"),
        (checks.scale_of, lambda u, c, guess: (guess - u).mean() / (c - u).mean(), "both sums are 0"),
        (checks.generate_with_two, swapped_by_less, "changed places"),
        (checks.generate_with_two, without_steps, "the whole guess as the next picture"),
        (checks.agreed, lambda opinions, asked: sum(map(any, votes(opinions, asked))), "`all`, not `any`"),
        (checks.agreed, lambda opinions, asked: len(asked) - sum(map(all, votes(opinions, asked))), "not right"),
        (checks.refused, "a gren apple", "not in the list"),
        (checks.refused, "black", "name a fruit too"),
        (checks.refused, "a red apple", "is drawn"),
        (checks.refused, "a red apple " * 9, "at most 12"),
        (checks.equally_strong, lambda variance: variance / (1 + variance), "Take the root"),
        (checks.hidden_from, 0.5, "still there"),
        (checks.hidden_from, 1.0, "a little lower"),
        (checks.hidden_from, 0.955, "two digits"),
        (checks.hidden_from, 96, "from 0 to 1"),
        (checks.too_large, 0.01, "go higher"),
        (checks.too_large, 100, "go lower"),
        (checks.too_large, 0.02, "a power of ten"),
        (checks.too_large, "1", "the learning rate itself"),
        (checks.eight_steps, [1 - i / 8 for i in range(9)], "Where on the road is most decided?"),
        (checks.eight_steps, [1.0, 0.5, 0.0], "nine levels"),
        (checks.eight_steps, [i / 8 for i in range(9)], "the first level must be 1"),
        (checks.eight_steps, torch.tensor([1, 0.9, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0]), "lower than the one before"),
        (checks.same_vector, ("orange banana", "banana orange"), "each word with the one after it"),
        (checks.same_vector, ("a small red apple", "a red small apple"), "0.9998. The encoder notes"),
        (checks.same_vector, ("a small red apple", "a red small apple"), '"a small" is in your first caption only'),
        (
            checks.same_vector,
            ("a small red apple on a green background", "a small green apple on a red background"),
            "these are two vectors, of cosine 0.9999.",
        ),
        (checks.same_vector, ("a red apple", "A red apple!"), "that is one caption, twice"),
        (checks.same_vector, ("a red apple", "a green apple"), "the very same words"),
        (checks.same_vector, ("a red lime", "red a lime"), 'knows no "lime"'),
        (checks.same_vector, "a red apple", "give two captions"),
        (checks.breaking_scale, 3, "go up"),
        (checks.breaking_scale, 300, "come down"),
        (checks.breaking_scale, 0.5, "from 2 to 1000"),
        (checks.breaking_scale, "24", "the scale itself"),
        (checks.tokens, lambda words: [n + (n > 0) for n in filled(words)], "one too high"),
        (checks.tokens, lambda words: torch.tensor(filled(words)), "not a tensor"),
        (checks.tokens, lambda words: torch.tensor([filled(words)]), "not a tensor"),
        (checks.tokens, lambda words: VOCABULARY.index(" ".join(words)), "stops with ValueError"),
        (checks.tokens, lambda words: np.array(filled(words)), "or an array"),
        (checks.drop_captions, lambda tokens, u, rate: torch.where((u < rate)[:, None], tokens, 0), "should stay"),
        (checks.drop_captions, lambda tokens, u, rate: tokens[u >= rate], "still need a row each"),
        (checks.drop_captions, lambda tokens, u, rate: [*tokens[u >= rate]], "still need a row each"),
        (checks.drop_captions, lambda tokens, u, rate: tokens[0], "returns shape (12,)"),
        (checks.smallest_size, 160, "still below 70 with fewer"),
        (checks.smallest_size, 128, "More of them make it lower"),
        (checks.smallest_size, 150, "a multiple of 16"),
        (checks.fools_the_panel, lambda x: x, "still a good crowd"),
        (checks.fools_the_panel, lambda x: x.roll(1, 0), "The panel is not fooled"),
        (checks.fools_the_panel, lambda x: 2 * x, "pictures lie in [-1, 1]"),
        (checks.fools_the_panel, lambda x: x[:64], "must return pictures of shape"),
        (checks.order_of, lambda n, a, m, b: np.log2(a / b), "twice as many steps for granted"),
        (checks.order_of, lambda n, a, m, b: np.log(a / b) / np.log(n / m), "the sign is wrong"),
        (checks.cost_of_walk, lambda levels, low, high, heun: len(levels) - 1 + heun * (len(levels) - 2), "is missing"),
        (checks.worth_four, 4, "Take more"),
        (checks.worth_four, 50, "Fewer will do"),
        (checks.worth_four, 51, "from 1 to 50"),
        (checks.worth_four, 12.0, "the number of steps"),
        (checks.smooth_behind, lambda x, over: by_sums(x.flip(0), over).flip(0), "begins at its step"),
        (checks.smooth_behind, lambda x, over: [*by_sums(x, over)], "make a tensor of it with torch.stack."),
        (checks.smooth_behind, lambda x, over: by_sums(x, over).tolist(), "make a tensor of it with torch.tensor."),
        (checks.parting, lambda a, b: backwards(a.clamp(min=b), b), "may also lie too low"),
        (checks.parting, lambda a, b: parts(a, b, a), "take 10 % of the healthy loss"),
        (
            checks.put_back,
            lambda x_s, x0, eps, s, known: torch.lerp(torch.where(known, x0, x_s), eps, s),
            "x_s got noise too",
        ),
        (checks.broken_run, [broken.HEALTHY, "same"], "the healthy run"),
        (checks.broken_run, [broken.HEALTHY._replace(loss=broken.plain_loss), "above"], '"below". Can you say why?'),
        (checks.broken_run, [broken.HEALTHY._replace(loss=broken.plain_loss), ...], "predict first"),
        (checks.broken_run, [broken.HEALTHY._replace(loss=lambda *batch: 1 / 0), "above"], "ZeroDivisionError"),
        (checks.crop_and_scale, middle, "still bytes"),
        (checks.crop_and_scale, lambda p: middle(p) / 255, "your picture lies in [0, 1]"),
        (checks.both, lambda u, a, b, w: (u + w * (a - u) + w * (b - u)).clamp(-1, 1), "you clamped the result"),
        (checks.crop_and_scale, lambda p: (middle(p) - 128) / 128, "a byte cannot go below 0"),
        (checks.build_vocabulary, lambda c: sorted(bag(c)), "token 0 is taken"),
        (checks.build_vocabulary, lambda c: ["", *sorted(bag(c), key=len)], "your words are not sorted"),
        (checks.build_vocabulary, lambda c: ["", *sorted(bag(c), reverse=True)], "your words are not sorted"),
        (checks.build_vocabulary, lambda c: {"", *bag(c)}, "a set has no order"),
        (checks.attention, lambda q, k, v: (q @ k.T).softmax(dim=1) @ v, "the code from above"),
        (checks.attention, torch.nn.functional.scaled_dot_product_attention, "there is no way out yet"),
        (checks.shares_of_those_there, lambda s, there: s.softmax(dim=1) * there, "no longer sum to one"),
        (
            checks.shares_of_those_there,
            lambda s, there: s.masked_fill(there, -torch.inf).softmax(dim=1),
            "`there` is turned round",
        ),
        (checks.hard_sentence, 7, "between quotes"),
        (checks.hard_sentence, "a black apple and a red pear", "black is a background, and no colour of a fruit"),
        (checks.hard_sentence, "a red pear beside an apple that is white", "white is a background"),
        (checks.hard_sentence, "three red apples", 'it never learned "three": it counts to two'),
        (checks.hard_sentence, "apple red", "one to three fruits, each as size, colour, kind"),
        (checks.hard_sentence, "a red apple on a pink background", "pink is no background"),
        (checks.hard_sentence, " and ".join(["a red apple"] * 4), "more than three fruits"),
        (checks.hard_sentence, "a red apple and a banana", "name the kind and the colour"),
        (checks.hard_sentence, "a red apple and a lime", '"lime"'),
        (checks.hard_sentence, "a red apple", "harder to draw"),
        (checks.eps_from_velocity, lambda x, v, t: (x - (1 - t) * (x - t * v)) / torch.tensor(t), "divide by zero"),
        (checks.ours_from_any, lambda x, a, b: (x / (a + b), b), "what is b of the whole?"),
        (checks.ours_from_any, lambda x, a, b: (x / (a + b), b / a), "b / a compares the noise with the picture"),
        (checks.ours_from_any, lambda x, a, b: (x, b / a), "b / a compares the noise with the picture"),
        (checks.ours_from_any, lambda x, a, b: x / (a + b), "return two things: x_t and t"),
        (
            checks.ours_from_any,
            lambda x, a, b: (x / (a + b), a * b),
            "second of the two, but 0.4286 is wanted. The first",
        ),
        (checks.ours_from_any, lambda x, a, b: (x, b / (a + b) ** 2), "in the first of the two, at place (0, 0, 0, 0)"),
        (checks.four_levels, [1, 0.75, 0.5, 0], "puts the 0 behind your levels"),
        (checks.four_levels, [1.0, 0.5], "4 levels are wanted"),
        (checks.four_levels, [0.25, 0.5, 0.75, 1.0], "lower than the one before"),
        (checks.four_levels, [1.0, 0.667, 0.334, 0.001], "is off by"),
        (checks.four_levels, torch.ones(4), "a list of numbers"),
    ],
)
def test_a_mistake_is_explained_in_any_form(capsys, check, attempt, explanation):
    line = said(capsys, check, attempt)
    assert line.startswith("Not yet: ") and explanation in line


@pytest.mark.parametrize(
    ("check", "attempt", "told"),
    [
        (checks.from_bytes, lambda x: x // 100 - 1, "the byte 0"),
        (
            checks.pair,
            lambda x0, eps, t: [x0 + four(s) * (eps - x0) for s in (t, below(t) ** 3)],
            "two pictures at the levels 1.0 and 0.5, your function gives",
        ),
        (checks.parting, lambda a, b: parts(a, b, torch.maximum(a, b)), "a curve that is 10.5 % too high"),
        (checks.parting, lambda a, b: parts(a, b, torch.minimum(a, b)), "a curve that is 9.5 % too low"),
        (checks.from_bytes, lambda x: (x / 127.5 - 1) ** 3, "the bytes 51, 102, 153 and 204"),
        (
            checks.take_noise_away,
            lambda x_t, t, eps: clean_again(x_t, t**2, eps),
            "three pictures with levels 0.1, 0.5 and 0.9",
        ),
        (
            checks.signal_to_noise,
            lambda t: torch.where(t < 0.8, ((1 - t) / t) ** 2, 7.0),
            "t = 0.9, your function gives 7",
        ),
        (checks.signal_to_noise, lambda t: ((1 - t) / t) ** 2 * 10, "t = 0.5"),
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
            checks.guess_behind,
            lambda x_t, x_s, t, s: x_t + (x_s - x_t) * t**2 / (t - s),
            "a step from t = 0.8 to s = 0.2, your function",
        ),
        (
            checks.scale_of,
            lambda u, c, guess: ((guess - u) / (c - u))[c != u].mean() ** 2,
            "a guess guided with w = 2, your function gives 4",
        ),
        (checks.tokens, lambda words: sorted(filled(words)), '"red apple"'),
        (checks.drop_captions, lambda tokens, u, rate: tokens * (u >= rate**2)[:, None], "twelve captions and rate"),
        (
            checks.distance_of_sets,
            lambda a, b: (a.mean() - b.mean()) ** 2 + 3 * (wide(a) - wide(b)) ** 2,
            "two sets of 9",
        ),
        (checks.order_of, lambda n, a, m, b: round(np.log(a / b) / np.log(m / n)), "20 and 5 steps"),
        (checks.cost_of_walk, lambda levels, low, high, heun: 7 + 5 * heun, "4 plain steps, guided for 0.25 < t"),
        (checks.smooth_behind, lambda x, over: torch.cummin(x, 0).values, "seven losses, the mean over 3"),
        (checks.parting, lambda a, b: 3, "a curve that is too low from step 2 on"),
        (checks.crop_and_scale, off_centre, "a wide picture of an odd rest, your function returns shape (3, 6, 7)"),
        (checks.crop_and_scale, lambda p: p / 127.5 - 1, "a wide picture, your function returns shape (3, 6, 10)"),
        (checks.crop_and_scale, lambda p: (middle(p) / 127.5 - 1) ** 3, "a square picture, your function gives"),
        (checks.build_vocabulary, lambda c: ["", *sorted(bag(c))[1:]], "a single caption, your function gives ['', "),
        (checks.attention, lambda q, k, v: v[:1].expand(len(q), -1), "four places and two words, your function gives"),
        (checks.eps_from_velocity, lambda x_t, velocity, t: x_t + (1 - t) ** 2 * velocity, "t = 0.5, your function"),
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


def test_a_caption_refused_for_another_reason_than_two_words_of_a_kind_is_right_with_what_was_said(capsys, progress):
    assert said(capsys, checks.refused, "a small large apple") == "Right!"
    assert said(capsys, checks.refused, "a apple on").startswith('Right! It is refused: The model never learned "on"')
    assert engine.passed() == ["refused"]


@pytest.mark.filterwarnings("error")
def test_the_width_of_one_number_is_told_by_the_check_and_by_no_warning(capsys):
    bare = lambda a, b: (a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2  # noqa: E731
    assert "`std` gives nan for it" in said(capsys, checks.distance_of_sets, bare)


def test_texts_that_look_alike_are_not_both_shown(capsys):
    long = [f"word {i}" for i in range(40)]
    known = engine.Exercise(lambda x: long, {"x": (1,)}, lambda x: {})
    assert engine.compare(lambda x: [*long[:-1], "other"], known) == (
        "Not yet: for x, your function gives 'other' at place 39, but 'word 39' is wanted."
    )
    assert "gives 39 in a list, but 40 are wanted" in engine.compare(lambda x: long[:-1], known)
    known = engine.Exercise(lambda x: "a" * 90 + "b", {"x": (1,)}, lambda x: {})
    assert "looks like what is wanted" in engine.compare(lambda x: "a" * 91, known)


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
