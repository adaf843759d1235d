"""The exercises of lesson 07: a distance, a better step, a diagnosis."""

from collections.abc import Sequence

import numpy as np
import torch

from course_lib.beyond import solvers
from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.classroom import broken
from course_lib.classroom.wording import shown
from course_lib.judging import measure
from course_lib.sample import denoise_step

CURVES = {
    "the same curve twice": (1.0, 2.0, 1.0, 2.0),
    "curves of one width, 3 apart": (0.0, 1.0, 3.0, 1.0),
    "curves with one middle, of widths 1 and 4": (2.0, 1.0, 2.0, 4.0),
    "curves that differ in both": (-1.0, 2.0, 1.5, 0.5),
}
X_T, X0_HAT, X0_BEFORE = torch.randn(3, 2, 3, 4, 4, generator=torch.Generator().manual_seed(7))
ROADS = {
    "a guess that has not changed": (X_T, X0_HAT, X0_HAT, 0.9, 0.7, 0.6),
    "the road from 0.75 over 0.5 to 0.25": (X_T, X0_HAT, X0_BEFORE, 0.75, 0.5, 0.25),
    "the road from 1 over 0.7 to 0.6": (X_T, X0_HAT, X0_BEFORE, 1.0, 0.7, 0.6),
}


@exercise(measure.frechet_distance_1d, CURVES)
def frechet_distance_1d(mean_a, std_a, mean_b, std_b):
    """Lesson 07: how far two bell curves are apart, from their means and standard deviations."""
    apart, wider = mean_a - mean_b, std_a - std_b
    variances = std_a**2 - std_b**2
    return {
        "your widths are variances: compare the standard deviations themselves, (std_a - std_b) squared.": (
            apart**2 + variances**2
        ),
        "that is the difference of the variances. Take the difference of the standard deviations, then square it.": (
            apart**2 + abs(variances)
        ),
        "the same curve twice is at distance 0, but yours is not: subtract the widths before you square.": (
            apart**2 + std_a**2 + std_b**2
        ),
        "two curves with one middle can still differ: where are the widths?": apart**2,
        "curves of one width can still lie apart: where are the means?": wider**2,
        "the differences are not squared.": abs(apart) + abs(wider),
        "that is its square root. By custom the number is left squared.": (apart**2 + wider**2) ** 0.5,
        "square each difference for itself, then add: as it is, a mean too high makes up for a width too small.": (
            (apart + wider) ** 2
        ),
    }


@exercise(solvers.look_back_step, ROADS)
def look_back_step(x_t, x0_hat, x0_before, r, t, s):
    """Lesson 07: the step that looks back at the last guess."""
    plain, change, squares = denoise_step(x_t, x0_hat, t, s), x0_hat - x0_before, r**2 - t**2
    new = (t - s) ** 2 / squares * change
    return {
        "that is the plain step: the guess before makes no difference yet.": plain,
        "you go back to where the guess came from: go on in the direction x0_hat - x0_before.": plain - new,
        "the length of the step, t - s, is not squared.": plain + (t - s) / squares * change,
        "below the line stands r^2 - t^2, the difference of the squares, not the square of the difference.": (
            plain + (t - s) ** 2 / (r - t) ** 2 * change
        ),
        "above the line stands (t - s)^2, the square of the difference, not the difference of the squares.": (
            plain + (t**2 - s**2) / squares * change
        ),
        "you add the whole change of the guess. How much of it depends on r, t and s.": plain + change,
        "that is the new part alone. Add it to the plain step.": new,
    }


def _name(guess):
    """A guess as the causes are written, whatever its capitals and blanks."""
    if not isinstance(guess, str):
        return guess
    return next((cause for cause in broken.FAULTS if cause.casefold().split() == guess.casefold().split()), guess)


@check(Exercise([*broken.in_order().values()]))
def diagnosis(attempt: Sequence) -> str:
    """Lesson 07: the causes of the broken runs A to G, in this order."""
    causes = broken.in_order()
    attempt = attempt.tolist() if isinstance(attempt, np.ndarray) else attempt
    if attempt is ... or (isinstance(attempt, Sequence) and attempt and all(guess is ... for guess in attempt)):
        return UNTOUCHED
    if isinstance(attempt, str) or not isinstance(attempt, Sequence) or len(attempt) != len(causes):
        return f"Not yet: give a list of {len(causes)} causes, for runs {' to '.join([*causes][:: len(causes) - 1])}."
    guesses = dict(zip(causes, map(_name, attempt), strict=True))
    named = {run: guess for run, guess in guesses.items() if guess is not ...}
    for guess in named.values():
        if not isinstance(guess, str) or guess not in broken.FAULTS:  # a guess can be anything
            return f"Not yet: {shown(guess, 60)} is none of the seven causes. They are: {', '.join(broken.FAULTS)}."
    for run, guess in named.items():
        if guess != causes[run]:
            return f"Not yet: run {run} is not {guess!r}. {broken.FAULTS[causes[run]].look}"
    if len(named) < len(causes):
        return f"Not yet: {len(named)} right so far, and {len(causes) - len(named)} still open."
    return RIGHT
