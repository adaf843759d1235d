import pytest
import torch

from course_lib import broken, checks, measure, noise, solvers
from course_lib.captions import VOCABULARY


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


def test_what_is_passed_is_remembered_once_and_shown(capsys, progress):
    assert checks.passed() == [] and "0 of 2" in checks.board().data
    said(capsys, checks.signal_to_noise, lambda t: (1 - t) / t)
    assert not progress.exists()
    for _ in range(2):
        said(capsys, checks.signal_to_noise, noise.signal_to_noise)
    assert checks.passed() == ["signal_to_noise"] and "**signal_to_noise** ✓" in checks.board().data
    progress.write_text("[damaged")
    assert checks.passed() == []
    said(capsys, checks.add_noise, noise.add_noise)
    assert checks.passed() == ["add_noise"]


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
    for attempt in (right[:6], "no EMA", 7):
        assert "give a list of 7 causes, for runs A to G" in said(capsys, checks.diagnosis, attempt)
