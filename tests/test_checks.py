import importlib
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_lib import noise, sample
from course_lib.beyond import convert, solvers
from course_lib.captions import split_words
from course_lib.checks import engine
from course_lib.checks.engine import every_exercise
from course_lib.checks.lesson_00 import practice
from course_lib.classroom import broken
from course_lib.fruit.words import VOCABULARY
from course_lib.judging import measure
from course_lib.own import folder
from course_lib.tools import pixels

EXERCISES = {(lesson, name): exercise for lesson, named in every_exercise().items() for name, exercise in named.items()}
LESSONS = {lesson: importlib.import_module(f"course_lib.checks.lesson_{lesson}") for lesson, _ in EXERCISES}
checks = SimpleNamespace(**{name: getattr(LESSONS[lesson], name) for lesson, name in EXERCISES})


def said(capsys, check, attempt):
    check(attempt)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return out.strip()


def four(t):
    return t[:, None, None, None]


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (checks.add_noise, noise.add_noise),
        (checks.add_noise, lambda x0, t, eps: x0 + t.view(-1, 1, 1, 1) * (eps - x0)),
        (checks.signal_to_noise, noise.signal_to_noise),
        (checks.signal_to_noise, lambda t: (1 / t - 1) ** 2),
        (checks.pair, lambda x0, eps, t, s: (noise.add_noise(x0, t, eps), noise.add_noise(x0, s, eps))),
        (checks.pair, lambda x0, eps, t, s: torch.stack([x0 + t * (eps - x0), x0 + s * (eps - x0)])),
        (checks.step_factor, lambda t, s: (1 - s / t) ** 2),
        (checks.step_factor, lambda t, s: ((t - s) / t).square()),
        (checks.weighted_loss, lambda x0_hat, x0, t: ((x0_hat - x0) ** 2 / four(t).clamp(min=0.3) ** 2).mean()),
        (
            checks.weighted_loss,
            lambda a, b, t: ((a - b).square().mean((1, 2, 3)) / torch.where(t < 0.3, 0.3, t).square()).mean(),
        ),
        (checks.ema_update, lambda ema, value, new: ema.lerp(value, new)),
        (checks.ema_update, lambda ema, value, new: (1 - new) * ema + new * value),
    ],
)
def test_a_right_answer_is_right_in_any_form(capsys, check, answer):
    assert said(capsys, check, answer) == "Right!"


@pytest.mark.parametrize("check", [checks.add_noise, checks.signal_to_noise])
def test_an_untouched_stub_is_not_attempted_yet(capsys, check):
    def stub(*arguments):
        """What is asked for."""
        ...  # your line goes here

    assert said(capsys, check, stub) == said(capsys, check, ...) == "not attempted yet"
    assert said(capsys, check, lambda *arguments: ...) == "not attempted yet"


@pytest.mark.parametrize(
    ("check", "attempt", "explanation"),
    [
        (checks.add_noise, lambda x0, t, eps: x0 + four(t) * eps, "did you scale the picture by 1 - t?"),
        (checks.add_noise, lambda x0, t, eps: four(t) * x0 + (1 - four(t)) * eps, "backwards"),
        (checks.add_noise, lambda x0, t, eps: (1 - four(t)) * x0 + eps, "did you scale the noise by t?"),
        (checks.add_noise, lambda x0, t, eps: (1 - four(t)).sqrt() * x0 + four(t).sqrt() * eps, "square roots"),
        (checks.add_noise, lambda x0, t, eps: (1 - four(t)) * x0, "where is eps?"),
        (checks.add_noise, lambda x0, t, eps: (1 - t) * x0 + t * eps, "stops with RuntimeError"),
        (checks.add_noise, lambda x0, t, eps: x0.mul_(1 - four(t)) + four(t) * eps, "changed its input"),
        (checks.add_noise, lambda x0, t, eps: x0 + t[:, None, None] * (eps - x0), "lines up with the colours"),
        (checks.add_noise, lambda x0, t, eps: x0 + t[0] * (eps - x0), "the first picture's level"),
        (checks.add_noise, lambda x0, t, eps: x0[0], "returns shape (3, 4, 4)"),
        (checks.add_noise, lambda x0, t, eps: "apple", "no tensor"),
        (checks.signal_to_noise, lambda t: (1 - t) / t, "its square"),
        (checks.signal_to_noise, lambda t: (t / (1 - t)) ** 2, "noise over picture"),
        (checks.signal_to_noise, lambda t: t / (1 - t), "without the square"),
        (checks.signal_to_noise, lambda t: (1 - t) ** 2, "how much noise there is"),
        (checks.signal_to_noise, lambda t: ((1 - t) / t) ** 2 * 10, "for t = 0.5"),
        (checks.pair, lambda x0, eps, t, s: (x0 + s * (eps - x0), x0 + t * (eps - x0)), "swapped"),
        (checks.pair, lambda x0, eps, t, s: (x0 + t * (eps - x0), x0), "the giant step"),
        (checks.pair, lambda x0, eps, t, s: (x0 + t * (eps - x0), x0 + t * (eps - x0)), "nothing to learn"),
        (
            checks.pair,
            lambda x0, eps, t, s: (x0 + t * (eps - x0), (1 - s) * x0 + s * torch.randn(x0.shape)),
            "one road",
        ),
        (
            checks.pair,
            lambda x0, eps, t, s: (x0 + t * (eps - x0), (1 - s) * (x0 + t * (eps - x0)) + s * eps),
            "adds noise to the noisy picture",
        ),
        (checks.pair, lambda x0, eps, t, s: (x0 + t * (eps - x0), x0 + (t - s) * (eps - x0)), "level t - s"),
        (checks.pair, lambda x0, eps, t, s: x0 + t * (eps - x0), "two tensors are wanted"),
        (checks.pair, lambda x0, eps, t, s: (x0 + t * (eps - x0), s), "two tensors are wanted"),
        (checks.pair, lambda x0, eps, t, s: x0 + four(t), "stops with TypeError"),
        (checks.step_factor, lambda t, s: 1 - s / t, "the error squared"),
        (checks.step_factor, lambda t, s: (s / t) ** 2, "what stays of the noise"),
        (checks.step_factor, lambda t, s: 1 - (s / t) ** 2, "first subtract, then square"),
        (checks.step_factor, lambda t, s: (t - s) ** 2, "(t - s) / t of the way"),
        (checks.step_factor, lambda t, s: (1 - t / s) ** 2, "s / t, the lower level over the higher"),
        (checks.step_factor, lambda t, s: (t / (t - s)) ** 2, "upside down"),
        (checks.weighted_loss, lambda a, b, t: ((a - b) ** 2).mean(), "where is the weight?"),
        (checks.weighted_loss, lambda a, b, t: ((a - b) ** 2 / four(t).clamp(min=0.3)).mean(), "not squared"),
        (checks.weighted_loss, lambda a, b, t: ((a - b) ** 2 * four(t).clamp(min=0.3) ** 2).mean(), "should divide"),
        (checks.weighted_loss, lambda a, b, t: ((a - b) ** 2 / four(t) ** 2).mean(), "no floor"),
        (checks.weighted_loss, lambda a, b, t: ((a - b) ** 2 / four(t).clamp(min=0.3) ** 2).sum(), "Take the mean"),
        (checks.weighted_loss, lambda a, b, t: ((a - b).abs() / four(t).clamp(min=0.3) ** 2).mean(), "made positive"),
        (checks.ema_update, lambda ema, value, new: new * ema + (1 - new) * value, "swapped"),
        (checks.ema_update, lambda ema, value, new: ema.lerp_(value, new), "changed its input"),
        (checks.ema_update, lambda ema, value, new: value, "no average"),
        (checks.ema_update, lambda ema, value, new: (ema + value) / 2, "half and half"),
        (checks.ema_update, lambda ema, value, new: ema + new * value, "grows at every step"),
        (checks.ema_update, lambda ema, value, new: ema - new * (value - ema), "the sign is wrong"),
    ],
)
def test_a_foreseen_mistake_is_explained(capsys, check, attempt, explanation):
    line = said(capsys, check, attempt)
    assert line.startswith("Not yet: ") and explanation in line


def test_a_forgotten_return_is_no_stub(capsys):
    def forgotten(t):
        ((1 - t) / t) ** 2

    assert "is there a `return`?" in said(capsys, checks.signal_to_noise, forgotten)
    assert "without calling it" in said(capsys, checks.signal_to_noise, 0.5)


def test_common_slips_of_python_are_explained(capsys):
    assert "write ** 2" in said(capsys, checks.signal_to_noise, lambda t: ((1 - t) / t) ^ 2)
    assert "upside down" in said(capsys, checks.denoise_step, lambda x_t, x0_hat, t, s: x0_hat + t / s * (x_t - x0_hat))
    assert "which axes should line up?" in said(capsys, checks.add_noise, lambda x0, t, eps: (1 - t) * x0 + t * eps)


def test_a_number_will_do_for_a_tensor_without_axes(capsys):
    assert said(capsys, checks.signal_to_noise, lambda t: float((1 - t) / t) ** 2) == "Right!"
    assert "gives 3, but 1 is wanted" in said(capsys, checks.signal_to_noise, lambda t: 3.0)


def test_what_is_passed_is_remembered_once_and_shown(capsys, progress):
    assert engine.passed() == [] and "0 of 2" in engine.board().data
    said(capsys, checks.signal_to_noise, lambda t: (1 - t) / t)
    assert not progress.exists()
    for _ in range(2):
        said(capsys, checks.signal_to_noise, noise.signal_to_noise)
    assert engine.passed() == ["signal_to_noise"] and "**signal_to_noise** ✓" in engine.board().data
    progress.write_text("[damaged")
    assert engine.passed() == []
    said(capsys, checks.add_noise, noise.add_noise)
    assert engine.passed() == ["add_noise"]


def test_a_mistake_that_nobody_foresaw_is_refused_with_its_case(capsys):
    line = said(capsys, checks.add_noise, lambda x0, t, eps: (1 - four(t) ** 2) * x0 + four(t) ** 2 * eps)
    assert line.startswith("Not yet: for three pictures with levels 0.1, 0.5 and 0.9")
    line = said(capsys, checks.signal_to_noise, lambda t: torch.where(t < 0.8, ((1 - t) / t) ** 2, 7.0))
    assert line.startswith("Not yet: for t = 0.9") and "7" in line


# Lessons 05 and 06


def places(words):
    return [VOCABULARY.index(word) for word in words]


def filled(words, *, with_=0):
    return places(words) + [with_] * (12 - len(words))


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


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (checks.tokens, filled),
        (checks.tokens, filled_by_a_loop),
        (checks.drop_captions, lambda tokens, u, rate: torch.where((u >= rate)[:, None], tokens, 0)),
        (checks.drop_captions, lambda tokens, u, rate: tokens * (u >= rate).unsqueeze(1)),
        (checks.drop_captions, one_by_one),
        (checks.guided, lambda u, c, w: u + w * (c - u)),
        (checks.guided, lambda u, c, w: w * c + (1 - w) * u),
        (checks.count_right, lambda named, asked: sum(a == b for a, b in zip(named, asked, strict=True))),
        (checks.count_right, how_many),
    ],
)
def test_lessons_05_and_06_accept_the_right_answers(capsys, check, answer):
    assert said(capsys, check, answer) == "Right!"


@pytest.mark.parametrize("check", [checks.tokens, checks.drop_captions, checks.guided, checks.count_right])
def test_lessons_05_and_06_wait_for_an_attempt(capsys, check):
    test_an_untouched_stub_is_not_attempted_yet(capsys, check)


@pytest.mark.parametrize(
    ("check", "attempt", "explanation"),
    [
        (checks.tokens, places, "add zeros after the last word"),
        (checks.tokens, lambda words: [0] * (12 - len(words)) + places(words), "zeros come first"),
        (checks.tokens, lambda words: [n + (n > 0) for n in filled(words)], "one too high"),
        (checks.tokens, lambda words: [*range(1, len(words) + 1)] + [0] * (12 - len(words)), "place in the caption"),
        (checks.tokens, lambda words: words + [""] * (12 - len(words)), "still words"),
        (checks.tokens, lambda words: filled(words, with_=-1), "fill up with 0"),
        (checks.tokens, lambda words: torch.tensor(filled(words)), "not a tensor"),
        (checks.tokens, lambda words: torch.tensor([filled(words)]), "not a tensor"),
        (checks.tokens, lambda words: VOCABULARY.index(" ".join(words)), "stops with ValueError"),
        (checks.tokens, lambda words: sorted(filled(words)), 'for "red apple"'),  # nobody foresaw it
        (checks.tokens, lambda words: np.array(filled(words)), "gives array("),
        (checks.drop_captions, lambda tokens, u, rate: torch.where((u < rate)[:, None], tokens, 0), "should stay"),
        (checks.drop_captions, lambda tokens, u, rate: tokens * (u >= rate), "single words are dropped"),
        (checks.drop_captions, lambda tokens, u, rate: tokens * (u[0] >= rate), "first caption's number decided"),
        (checks.drop_captions, lambda tokens, u, rate: tokens * (u >= rate).all(), "the whole batch is dropped"),
        (checks.drop_captions, lambda tokens, u, rate: tokens[u >= rate], "still need a row each"),
        (checks.drop_captions, lambda tokens, u, rate: tokens, "nothing was dropped"),
        (checks.drop_captions, lambda tokens, u, rate: 0 * tokens, "everything was dropped"),
        (checks.drop_captions, lambda tokens, u, rate: u[:, None] * tokens, "random numbers"),
        (checks.drop_captions, lambda tokens, u, rate: tokens.mul_((u >= rate)[:, None]), "changed its input"),
        (checks.drop_captions, lambda tokens, u, rate: tokens[0], "returns shape (12,)"),
        (checks.drop_captions, lambda tokens, u, rate: tokens * (u >= rate**2)[:, None], "rate = 0.2"),
        (checks.guided, lambda u, c, w: c + w * (u - c), "changed places"),
        (checks.guided, lambda u, c, w: (1 - w) * c + w * u, "changed places"),
        (checks.guided, lambda u, c, w: w * c - u, "no picture"),
        (checks.guided, lambda u, c, w: (1 + w) * c - w * u, "another zero"),
        (checks.guided, lambda u, c, w: w * (c - u), "Add it to u"),
        (checks.guided, lambda u, c, w: u + w * c, "on top of each other"),
        (checks.guided, lambda u, c, w: u + w * (u - c), "u - c or c - u?"),
        (checks.guided, lambda u, c, w: torch.clip(u + w * (c - u), -1, 1), "clipped"),
        (checks.guided, lambda u, c, w: c.clone(), "What does w do?"),
        (checks.guided, lambda u, c, w: u + abs(w) * (c - u), "for w = -2.0"),  # nobody foresaw it
        (checks.count_right, lambda *both: sum(a[0] == b[0] for a, b in zip(*both, strict=True)), "colour is not"),
        (checks.count_right, lambda *both: sum(a[1] == b[1] for a, b in zip(*both, strict=True)), "kind is not"),
        (
            checks.count_right,
            lambda *both: sum(a[0] == b[0] or a[1] == b[1] for a, b in zip(*both, strict=True)),
            "`and`, not `or`",
        ),
        (checks.count_right, lambda named, asked: len([pair for pair in named if pair in asked]), "use zip"),
        (checks.count_right, lambda named, asked: how_many(named, asked) / len(named), "that is a share"),
        (checks.count_right, lambda named, asked: len(named) - how_many(named, asked), "the wrong ones"),
        (checks.count_right, lambda named, asked: named == asked, "Count how many are"),
        (checks.count_right, lambda named, asked: how_many(named[1:], asked[1:]), "for five pictures, all right"),
    ],
)
def test_mistakes_in_lessons_05_and_06_are_explained(capsys, check, attempt, explanation):
    line = said(capsys, check, attempt)
    assert line.startswith("Not yet: ") and explanation in line


# Lesson 07: the list of causes is compared by a check of its own


def plain(x_t, x0_hat, t, s):
    return x0_hat + s / t * (x_t - x0_hat)


RIGHT_07 = [
    (checks.frechet_distance_1d, measure.frechet_distance_1d),
    (checks.frechet_distance_1d, lambda a, c, b, d: a * a + b * b - 2 * a * b + c * c + d * d - 2 * c * d),
    (checks.frechet_distance_1d, lambda a, c, b, d: torch.tensor([a - b, c - d]).norm().item() ** 2),
    (checks.look_back_step, solvers.look_back_step),
    (
        checks.look_back_step,
        lambda x, g, f, r, t, s: s / t * x + (1 - s / t) * g - (t - s) ** 2 * (g - f) / (t - r) / (t + r),
    ),
    (checks.diagnosis, list(broken.in_order().values())),
    (checks.diagnosis, tuple(broken.in_order()[letter] for letter in "ABCDEFG")),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT_07)
def test_07_a_right_answer_is_right_in_any_form(capsys, check, answer):
    assert said(capsys, check, answer) == "Right!"


def test_07_untouched_stubs_are_not_attempted_yet(capsys):
    def stub(*arguments):
        """What is asked for."""
        ...  # your line goes here

    for check, attempt in (
        (checks.frechet_distance_1d, stub),
        (checks.look_back_step, stub),
        (checks.diagnosis, [...] * 7),
        (checks.diagnosis, ...),
    ):
        assert said(capsys, check, attempt) == "not attempted yet"


@pytest.mark.parametrize(
    ("attempt", "explanation"),
    [
        (lambda a, c, b, d: (a - b) ** 2 + (c**2 - d**2) ** 2, "your widths are variances"),
        (lambda a, c, b, d: (a - b) ** 2 + abs(c**2 - d**2), "difference of the variances"),
        (lambda a, c, b, d: (a - b) ** 2 + c**2 + d**2, "subtract the widths"),
        (lambda a, c, b, d: (a - b) ** 2, "where are the widths"),
        (lambda a, c, b, d: (c - d) ** 2, "where are the means"),
        (lambda a, c, b, d: abs(a - b) + abs(c - d), "not squared"),
        (lambda a, c, b, d: ((a - b) ** 2 + (c - d) ** 2) ** 0.5, "square root"),
        (lambda a, c, b, d: (a - b + c - d) ** 2, "each difference for itself"),
        (lambda a, c, b, d: (a - b) ** 2 + 3 * (c - d) ** 2, "for curves with one middle, of widths 1 and 4"),
    ],
)
def test_07_mistakes_about_the_frechet_distance(capsys, attempt, explanation):
    line = said(capsys, checks.frechet_distance_1d, attempt)
    assert line.startswith("Not yet: ") and explanation in line


@pytest.mark.parametrize(
    ("attempt", "explanation"),
    [
        (lambda x, g, f, r, t, s: plain(x, g, t, s), "that is the plain step"),
        (lambda x, g, f, r, t, s: plain(x, g, t, s) + (t - s) ** 2 / (r**2 - t**2) * (f - g), "where the guess came"),
        (lambda x, g, f, r, t, s: plain(x, g, t, s) + (t - s) / (r**2 - t**2) * (g - f), "is not squared"),
        (lambda x, g, f, r, t, s: plain(x, g, t, s) + (t - s) ** 2 / (r - t) ** 2 * (g - f), "below the line"),
        (lambda x, g, f, r, t, s: plain(x, g, t, s) + (t**2 - s**2) / (r**2 - t**2) * (g - f), "above the line"),
        (lambda x, g, f, r, t, s: plain(x, g, t, s) + g - f, "the whole change"),
        (lambda x, g, f, r, t, s: (t - s) ** 2 / (r**2 - t**2) * (g - f), "the new part alone"),
        (lambda x, g, f, r, t, s: plain(x, g, t, s) + 0.1 * (g - f), "for the road from 0.75 over 0.5 to 0.25"),
    ],
)
def test_07_mistakes_about_the_step_that_looks_back(capsys, attempt, explanation):
    line = said(capsys, checks.look_back_step, attempt)
    assert line.startswith("Not yet: ") and explanation in line


def test_07_a_diagnosis_is_told_run_by_run_what_to_look_at(capsys):
    causes = broken.in_order()
    right = list(causes.values())
    for place, (letter, cause) in enumerate(causes.items()):
        wrong = [...] * 7
        wrong[place] = right[place - 1]
        line = said(capsys, checks.diagnosis, wrong)
        assert f"run {letter} is not {right[place - 1]!r}" in line and broken.FAULTS[cause].look in line
        assert cause not in line
    assert "3 right so far, and 4 still open" in said(capsys, checks.diagnosis, [*right[:3], ..., ..., ..., ...])
    assert "'bad luck' is none of the seven causes" in said(capsys, checks.diagnosis, ["bad luck", *right[1:]])
    assert "['no EMA'] is none of the seven causes" in said(capsys, checks.diagnosis, [["no EMA"], *right[1:]])
    for attempt in (right[:6], "no EMA", 7):
        assert "give a list of 7 causes, for runs A to G" in said(capsys, checks.diagnosis, attempt)


@pytest.mark.parametrize("check", [checks.pair, checks.step_factor, checks.weighted_loss, checks.ema_update])
def test_an_untouched_stub_of_the_lessons_on_training_is_not_attempted_yet(capsys, check):
    def stub(*arguments):
        """What is asked for."""
        ...  # your line goes here

    assert said(capsys, check, stub) == said(capsys, check, ...) == "not attempted yet"


def test_an_unforeseen_mistake_in_the_lessons_on_training_is_refused_with_its_case(capsys):
    line = said(capsys, checks.pair, lambda x0, eps, t, s: (x0 + t * (eps - x0), x0 + s**2 * (eps - x0)))
    assert line.startswith("Not yet: for t = 0.5 and s = 0.4") and "gives" in line
    line = said(capsys, checks.step_factor, lambda t, s: (1 - s / t) ** 2 if s > 0 else torch.tensor(0.5))
    assert line.startswith("Not yet: for t = 0.3 and s = 0.0") and "0.5" in line
    line = said(capsys, checks.weighted_loss, lambda a, b, t: ((a - b) ** 2 / four(t).clamp(min=0.2) ** 2).mean())
    assert line.startswith("Not yet: for the levels [0.1, 0.5, 0.9]")
    line = said(capsys, checks.ema_update, lambda ema, value, new: ema.lerp(value, new**2))
    assert line.startswith("Not yet: for new = 0.1")


# Lessons 00 and 04


def my_loop(model, x_1, levels):
    x = x_1
    for i in range(len(levels) - 1):
        x = sample.denoise_step(x, model(x, levels[i]), levels[i], levels[i + 1])
    return x


def my_other_loop(model, x_1, levels):
    x, numbers = x_1, levels.tolist()
    for t, s in itertools.pairwise(numbers):
        x = (1 - s / t) * model(x, torch.full((len(x),), t)[0], None) + s / t * x
    return x


def wrong_loop(guess, levels_used=slice(None)):
    """A loop that takes `guess(model, x_1, x, t, s)` for its next picture."""

    def loop(model, x_1, levels):
        x = x_1
        for t, s in itertools.pairwise(levels[levels_used]):
            x = guess(model, x_1, x, t, s)
        return x

    return loop


step = sample.denoise_step


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (checks.caption, "a small yellow lemon on a black background"),
        (checks.caption, "Small lemon that is yellow, on a black background!"),
        (checks.from_bytes, pixels.from_bytes),
        (checks.from_bytes, lambda x: 2 * (x.float() / 255) - 1),
        (checks.denoise_step, sample.denoise_step),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: (1 - s / t) * x0_hat + x_t * s / t),
        (checks.generate, my_loop),
        (checks.generate, my_other_loop),
    ],
)
def test_right_answers_of_lessons_00_and_04(capsys, check, answer):
    assert said(capsys, check, answer) == "Right!"


@pytest.mark.parametrize("check", [practice, checks.from_bytes, checks.denoise_step, checks.generate])
def test_untouched_stubs_of_lessons_00_and_04(capsys, check):
    def stub(*arguments):
        """What is asked for."""
        ...  # your line goes here

    assert said(capsys, check, stub) == said(capsys, check, ...) == "not attempted yet"
    assert said(capsys, checks.caption, ...) == "not attempted yet"


@pytest.mark.parametrize(
    ("check", "attempt", "explanation"),
    [
        (practice, lambda x: x * x, "times itself"),
        (practice, lambda x: x + 2, "for x = 5, your function gives 7"),
        (checks.caption, "a small yellow lemon", "leaves the background open"),
        (checks.caption, "a yellow lemon on a black background", "leaves the size open"),
        (checks.caption, "a small lemon on a black background", "leaves the colour open"),
        (checks.caption, "a small yellow fruit on a black background", "leaves the kind of fruit open"),
        (checks.caption, "a small yellow lemon on a grey background", "is grey, not black"),
        (checks.caption, "a tiny yellow lemon on a black background", '"tiny"'),
        (checks.caption, "a small yellow lime on a black background", '"lime"'),
        (checks.caption, "a lemon small yellow on black background a", "not in an order"),
        (checks.caption, 7, "between quotes"),
        (checks.from_bytes, lambda x: x / 255, "from 0 to 1"),
        (checks.from_bytes, lambda x: x / 127.5, "from 0 to 2"),
        (checks.from_bytes, lambda x: x / 255 - 1, "from -1 to 0"),
        (checks.from_bytes, lambda x: x / 128 - 1, "falls short"),
        (checks.from_bytes, lambda x: x - 127.5, "from -127.5 to 127.5"),
        (checks.from_bytes, lambda x: 1 - x / 127.5, "negative"),
        (checks.from_bytes, lambda x: 2 * x / 255 - 1, "Divide first"),
        (checks.from_bytes, lambda x: x // 127 - 1, "for the byte 0"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: x0_hat, "one giant step"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: s / t * (x_t - x0_hat), "add it to the guess"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: x0_hat + s / t * x_t - x0_hat, "brackets"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: x0_hat + 0.75 * (x_t - x0_hat), "not fixed"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: x0_hat + s * (x_t - x0_hat), "you multiply by s"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: x_t + s / t * (x0_hat - x_t), "the share to keep"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: x_t + (t - s) * (x0_hat - x_t), "(t - s) / t of it"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: x0_hat + s / t * x_t, "whole noisy picture"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: x0_hat + s / t * (x0_hat - x_t), "wrong sign"),
        (checks.denoise_step, lambda x_t, x0_hat, t, s: (1 - s) * x0_hat + s / t * x_t, "is too much"),
        (checks.generate, lambda model, x_1, levels: x_1, "kept for the next step"),
        (checks.generate, lambda model, x_1, levels: model(x_1, 1), "one guess from pure noise"),
        (checks.generate, wrong_loop(lambda m, x_1, x, t, s: step(x, m(x_1, t), t, s)), "looks at x_1 again"),
        (checks.generate, wrong_loop(lambda m, x_1, x, t, s: m(x, t)), "lands on the guess itself"),
        (checks.generate, wrong_loop(lambda m, x_1, x, t, s: step(x, m(x, s), t, s)), "is told the level s"),
        (checks.generate, wrong_loop(lambda m, x_1, x, t, s: step(x, m(x, 1.0), t, s)), "t = 1 every time"),
        (checks.generate, wrong_loop(lambda m, x_1, x, t, s: step(x, m(x, t), t, s), slice(-1)), "one step early"),
        (checks.generate, wrong_loop(lambda m, x_1, x, t, s: step(x, m(x, t), t, s), slice(2)), "one step only"),
        (checks.generate, lambda model, x_1, levels: step(x_1, model(x_1, 0), 0, 1), "stops with ValueError"),
    ],
)
def test_foreseen_mistakes_of_lessons_00_and_04(capsys, check, attempt, explanation):
    line = said(capsys, check, attempt)
    assert line.startswith("Not yet: ") and explanation in line


def test_unforeseen_mistakes_of_lessons_00_and_04_are_refused_with_their_case(capsys):
    line = said(capsys, checks.from_bytes, lambda x: (x / 127.5 - 1) ** 3)
    assert line.startswith("Not yet: for the bytes 51, 102, 153 and 204")
    line = said(capsys, checks.denoise_step, lambda x_t, x0_hat, t, s: x0_hat + (s / t) ** 2 * (x_t - x0_hat))
    assert line.startswith("Not yet: for a step from t = 1 to s = 0.75")
    line = said(capsys, checks.generate, wrong_loop(lambda m, x_1, x, t, s: step(x, m(x, t) * (1 - s / 9), t, s)))
    assert line.startswith("Not yet: for 2 steps")


def test_practice_counts_nowhere(capsys, progress):
    assert said(capsys, practice, lambda x: x + x) == "Right!"
    assert not progress.exists() and not any("practice" in names for names in every_exercise().values())


# Lessons 08 and 09


def middle(pixels):
    side = min(pixels.shape[1:])
    return pixels[:, (pixels.shape[1] - side) // 2 :, (pixels.shape[2] - side) // 2 :][:, :side, :side]


def corner(pixels):
    side = min(pixels.shape[1:])
    return pixels[:, :side, :side]


def bag(captions):
    return {word for caption in captions for word in split_words(caption)}


RIGHT_08_09 = [
    (checks.crop_and_scale, folder.crop_and_scale),
    (checks.crop_and_scale, lambda pixels: middle(pixels) / 255 * 2 - 1),
    (checks.build_vocabulary, folder.build_vocabulary),
    (checks.build_vocabulary, lambda captions: [""] + sorted(bag(captions))),
    (checks.eps_from_x0, convert.eps_from_x0),
    (checks.eps_from_x0, lambda x_t, x0_hat, t: x0_hat + (x_t - x0_hat) / t),
    (checks.velocity_from_x0, convert.velocity_from_x0),
    (checks.velocity_from_x0, lambda x_t, x0_hat, t: convert.eps_from_x0(x_t, x0_hat, t) - x0_hat),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT_08_09)
def test_a_right_answer_of_lessons_08_and_09_is_right_in_any_form(capsys, check, answer):
    assert said(capsys, check, answer) == "Right!"


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _ in RIGHT_08_09))
def test_an_untouched_stub_of_lessons_08_and_09_is_not_attempted_yet(capsys, check):
    def stub(*arguments):
        """What is asked for."""
        ...  # your line goes here

    assert said(capsys, check, stub) == said(capsys, check, ...) == "not attempted yet"


@pytest.mark.parametrize(
    ("check", "attempt", "explanation"),
    [
        (checks.crop_and_scale, lambda p: corner(p) / 127.5 - 1, "cut from the top left corner"),
        (checks.crop_and_scale, lambda p: corner(p.flip(1, 2)).flip(1, 2) / 127.5 - 1, "the bottom right corner"),
        (checks.crop_and_scale, lambda p: middle(p) / 255, "your picture lies in [0, 1]"),
        (checks.crop_and_scale, lambda p: middle(p) / 127.5, "your picture lies in [0, 2]"),
        (checks.crop_and_scale, lambda p: middle(p) / 255 - 1, "your picture lies in [-1, 0]"),
        (checks.crop_and_scale, middle, "still bytes"),
        (checks.crop_and_scale, lambda p: p / 127.5 - 1, "for a wide picture, your function returns shape (3, 6, 10)"),
        (checks.crop_and_scale, lambda p: (middle(p) / 127.5 - 1) ** 3, "for a square picture, your function gives"),
        (checks.build_vocabulary, lambda c: sorted(bag(c)), "token 0 is taken"),
        (checks.build_vocabulary, lambda c: ["", *sorted(w for x in c for w in split_words(x))], "Use a set"),
        (checks.build_vocabulary, lambda c: ["", *dict.fromkeys(w for x in c for w in split_words(x))], "Sort them"),
        (checks.build_vocabulary, lambda c: ("", *sorted({w for x in c for w in x.split()})), "are the same word"),
        (checks.build_vocabulary, lambda c: [*sorted(bag(c)), ""], "belongs in front"),
        (checks.build_vocabulary, lambda c: ["", *sorted(set(c))], "whole captions"),
        (checks.build_vocabulary, lambda c: ["", *sorted(set("".join(c)))], "those are letters"),
        (checks.build_vocabulary, lambda c: ["", *sorted(bag(c), key=len)], "for a single caption"),
        (checks.eps_from_x0, lambda x_t, x0, t: x_t - (1 - t) * x0, "Divide by t"),
        (checks.eps_from_x0, lambda x_t, x0, t: ((1 - t) * x0 - x_t) / t, "sign is turned round"),
        (checks.eps_from_x0, lambda x_t, x0, t: (x_t - t * x0) / (1 - t), "t and 1 - t are swapped"),
        (checks.eps_from_x0, lambda x_t, x0, t: (x_t - x0) / t, "that is the velocity"),
        (checks.eps_from_x0, lambda x_t, x0, t: x_t - x0, "scale the picture by 1 - t before"),
        (checks.eps_from_x0, lambda x_t, x0, t: (x_t + (1 - t) * x0) / t, "taken away, not added"),
        (checks.eps_from_x0, lambda x_t, x0, t: x_t - (1 - t) * x0 / t, "brackets are missing"),
        (checks.eps_from_x0, lambda x_t, x0, t: (x_t - (1 - t) * x0) / t**2, "for t = 0.5, your function gives"),
        (checks.velocity_from_x0, lambda x_t, x0, t: (x0 - x_t) / t, "away from the picture"),
        (checks.velocity_from_x0, lambda x_t, x0, t: x_t - x0, "Divide by t"),
        (checks.velocity_from_x0, lambda x_t, x0, t: (x_t - x0) / (1 - t), "t and 1 - t are swapped"),
        (checks.velocity_from_x0, convert.eps_from_x0, "that is eps_hat"),
        (checks.velocity_from_x0, lambda x_t, x0, t: x_t - convert.eps_from_x0(x_t, x0, t), "start from dx/dt"),
        (checks.velocity_from_x0, lambda x_t, x0, t: x_t - x0 / t, "brackets are missing"),
        (checks.velocity_from_x0, lambda x_t, x0, t: (x_t - x0) / t**0.5, "for t = 0.5, your function gives"),
    ],
)
def test_a_mistake_of_lessons_08_and_09_is_explained(capsys, check, attempt, explanation):
    line = said(capsys, check, attempt)
    assert line.startswith("Not yet: ") and explanation in line
