"""The exercises of lesson 09: a diagnosis."""

from collections.abc import Sequence

import numpy as np

from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check
from course_lib.classroom import broken
from course_lib.classroom.wording import shown


def _name(guess):
    """A guess as the causes are written, whatever its capitals and blanks."""
    if not isinstance(guess, str):
        return guess
    return next((cause for cause in broken.FAULTS if cause.casefold().split() == guess.casefold().split()), guess)


@check(Exercise([*broken.in_order().values()]))
def diagnosis(attempt: Sequence) -> str:
    """Lesson 09: the causes of the broken runs A to G, in this order."""
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
