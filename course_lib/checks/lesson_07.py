"""The exercises of lesson 07: a distance, a better step, a diagnosis."""

from collections.abc import Callable, Sequence

import torch

from course_lib import sample
from course_lib.beyond import solvers
from course_lib.checks.engine import RIGHT, UNTOUCHED, compare, exercise
from course_lib.classroom import broken
from course_lib.judging import measure


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
    return compare(attempt, measure.frechet_distance_1d, cases, mistakes)


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
    return compare(attempt, solvers.look_back_step, cases, mistakes)


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
