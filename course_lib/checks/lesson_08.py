"""The exercises of lesson 08: a better step."""

import torch

from course_lib.beyond import solvers
from course_lib.checks.engine import exercise
from course_lib.sample import denoise_step

X_T, X0_HAT, X0_BEFORE = torch.randn(3, 2, 3, 4, 4, generator=torch.Generator().manual_seed(7))
ROADS = {
    "a guess that has not changed": (X_T, X0_HAT, X0_HAT, 0.9, 0.7, 0.6),
    "the road from 0.75 over 0.5 to 0.25": (X_T, X0_HAT, X0_BEFORE, 0.75, 0.5, 0.25),
    "the road from 1 over 0.7 to 0.6": (X_T, X0_HAT, X0_BEFORE, 1.0, 0.7, 0.6),
}


@exercise(solvers.look_back_step, ROADS)
def look_back_step(x_t, x0_hat, x0_before, r, t, s):
    """Lesson 08: the step that looks back at the last guess."""
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
