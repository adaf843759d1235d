"""The exercises of lesson 08: the order of a sampler, what a walk costs, the steps worth four of a student."""

import functools
import math
from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor

from course_lib.captions import encode
from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.classroom.wording import shown
from course_lib.fruit.prompts import phrasings
from course_lib.fruit.words import HELD_OUT_PAIRS, VOCABULARY
from course_lib.sample import generate
from course_lib.tools.files import DATA
from course_lib.weights import load_denoiser

ERRORS = {
    "10 and 20 steps, with half the error": (10, 0.08, 20, 0.04),
    "8 and 24 steps, with a ninth of the error": (8, 0.09, 24, 0.01),
    "4 and 64 steps, with the same error": (4, 0.1, 64, 0.1),
    "20 and 5 steps, the larger number first": (20, 0.01, 5, 0.08),
    "4 and 8 steps, with a larger error": (4, 0.1, 8, 0.2),
}


def _order(n: int, error_n: float, m: int, error_m: float) -> float:
    return math.log(error_n / error_m) / math.log(m / n)


@exercise(_order, ERRORS)
def order_of(n, error_n, m, error_m):
    """Lesson 08: the order p of a sampler, whose error goes as 1 / steps ** p, from two step counts."""
    p, errors, steps = _order(n, error_n, m, error_m), error_n / error_m, m / n
    return {
        "you take twice as many steps for granted: divide by the logarithm of m / n.": math.log2(errors),
        "the logarithm of m / n is missing below the line.": math.log(errors),
        "the sign is wrong: where more steps make the error smaller, p is more than 0.": -p,
        "that compares the two ratios themselves. p is an exponent: take their logarithms.": errors / steps,
        "that is a slope. The error does not go down in a straight line: take logarithms of the ratios.": (
            (error_n - error_m) / (m - n)
        ),
        "a quotient of logarithms is no logarithm of a quotient: log(a) / log(b), not log(a / b).": (
            math.log(errors / steps)
        ),
    }


FOUR = [1.0, 0.75, 0.5, 0.25, 0.0]  # the levels of four steps
WALKS = {
    "4 plain steps, guided for 0.25 < t <= 0.75": (FOUR, 0.25, 0.75, False),
    "4 of Heun's steps, guided for 0.5 < t <= 1": (FOUR, 0.5, 1.0, True),
    "4 plain steps, never guided": (FOUR, 0.0, 0.0, False),
    "18 of Heun's steps, never guided": ([1 - i / 18 for i in range(19)], 0.0, 0.0, True),
    "3 of Heun's steps, always guided": ([1.0, 0.5, 0.125, 0.0], 0.0, 1.0, True),
    "a single one of Heun's steps, always guided": ([1.0, 0.0], 0.0, 1.0, True),
}


def _cost(levels: Sequence[float], low: float, high: float, heun: bool) -> int:
    asked = [*levels[:-1], *(levels[1:-1] if heun else [])]
    return sum(2 if low < t <= high else 1 for t in asked)


@exercise(_cost, WALKS)
def cost_of_walk(levels, low, high, heun):
    """Lesson 08: how many guesses a walk over some levels costs, with guidance in between and Heun's steps or not."""
    begun, ended = levels[:-1], levels[1:-1] if heun else []
    asked = [*begun, *ended]

    def total(asked, guided=lambda t: low < t <= high, others=1):
        return sum(2 if guided(t) else others for t in asked)

    return {
        "you count the levels. At the last of them, 0, the picture is finished, and there is nothing to guess.": (
            total([*levels, *ended])
        ),
        "Heun's last step ends at level 0. No noise is left there, so it is asked only where it begins.": (
            total([*begun, *(levels[1:] if heun else [])])
        ),
        "you double the count for Heun's steps. Look where each second guess is made: some are unlike the first.": (
            total(begun) * (1 + heun)
        ),
        "a second guess of Heun's is made at s: whether it is guided depends on s, not on t.": (
            total([*begun, *(begun[:-1] if heun else [])])
        ),
        "at t = low itself the guidance rests already: it is on where low < t <= high.": (
            total(asked, lambda t: low <= t <= high)
        ),
        "at t = high itself the guidance is on: low < t <= high.": total(asked, lambda t: low < t < high),
        "guidance does not cost two guesses everywhere: outside its levels one is enough.": (
            total(asked, lambda t: high > low)
        ),
        "outside the levels of guidance the network is asked too, once.": total(asked, others=0),
        "the second guess that guidance needs is missing.": len(asked),
        "the second guess of Heun's steps is missing.": total(begun),
        "you count Heun's second guess where the steps are plain, too.": total([*begun, *levels[1:-1]]),
    }


MANY, FEW, ABOUT = 50, 4, 0.25  # the teacher's whole walk, the student's, and how nearly as far is as far


@functools.cache
def _networks() -> tuple:
    """Teacher, student, and the tokens of the eight held-out pairs, those of the lesson."""
    tokens = encode([phrasings(*pair)[1] for pair in HELD_OUT_PAIRS], VOCABULARY)
    return load_denoiser(), load_denoiser(DATA / "few_steps.safetensors"), tokens


@functools.cache
def _drawn(steps: int, by_student: bool = False) -> Tensor:
    teacher, student, tokens = _networks()
    network = student if by_student else teacher
    return generate(network, tokens, generator=torch.Generator().manual_seed(0), steps=steps)


def far_from_fifty(steps: int, by_student: bool = False) -> float:
    """How far from the teacher's fifty steps so many of one network land: the median of eight pictures."""
    return (_drawn(steps, by_student) - _drawn(MANY)).square().mean((1, 2, 3)).sqrt().median().item()


@check(Exercise(6))
def worth_four(attempt):
    """Lesson 08: the number of the teacher's steps that land about as far from its fifty as four of the student."""
    if attempt is ...:
        return UNTOUCHED
    if isinstance(attempt, bool) or not isinstance(attempt, Integral):
        return f"Not yet: give the number of steps, such as my_steps = 30, not {shown(attempt, 60)}."
    if not 1 <= attempt <= MANY:
        return f"Not yet: the number of steps is from 1 to {MANY}."
    teacher, student = far_from_fifty(int(attempt)), far_from_fifty(FEW, by_student=True)
    if abs(teacher / student - 1) <= ABOUT:
        return RIGHT
    found = f"with {attempt} of its steps the teacher lands {teacher:.2f} away, the student {student:.2f}."
    return f"Not yet: {found} " + ("Take more." if teacher > student else "Fewer will do.")
