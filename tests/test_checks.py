import pytest
import torch

from course_lib import checks, noise


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
