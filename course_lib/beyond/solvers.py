"""A better step for the same network: look back at the last guess, and see where the guesses are heading.

The road to be walked is dx/dt = (x - x0_hat) / t. `denoise_step` takes x0_hat for constant from t to s. It is not: it
sharpens on the way. Two guesses show where it is heading, and the older one comes for nothing, since it was made
for the step before.
"""

from collections.abc import Callable

from course_lib.noise import Pictures
from course_lib.sample import denoise_step


def look_back_step(x_t: Pictures, x0_hat: Pictures, x0_before: Pictures, r: float, t: float, s: float) -> Pictures:
    """A step that counts on the guess to go on changing as it did since the last one.

    x_s = x0_hat + (s / t) (x_t - x0_hat) + (t - s)^2 / (r^2 - t^2) (x0_hat - x0_before).

    With u = 1 / t the road is d(x / t) / du = x0_hat, so that x_s = (s / t) x_t + s times the integral of x0_hat over
    u from 1 / t to 1 / s. Let the guess follow a straight line over t^2 through its last two values (towards t = 0 a
    guess flattens out like t^2): the integral then has the closed form above.

    x0_hat is the guess made at t, x0_before the one made a step earlier, at r; the levels are numbers with
    1 >= r > t > s >= 0. Raises ValueError as `denoise_step`.

    Source: the idea of DPM-Solver++(2M), Lu et al. 2022 (arXiv:2211.01095), algorithm 2, with the line drawn over t^2
    in place of log((1 - t) / t), which has no end at t = 1.
    """
    return denoise_step(x_t, x0_hat, t, s) + (t - s) ** 2 / (r**2 - t**2) * (x0_hat - x0_before)


def second_order_step() -> Callable[[Pictures, Pictures, float, float], Pictures]:
    """Make a step for `sample(step=...)` that remembers the last guess and takes `look_back_step`.

    It costs no extra call of the network. With twice as many steps its error falls to a quarter, that of
    `denoise_step` to a half. The first step has no guess before it, and is a `denoise_step`; so is the last, to
    s = 0, which lands on x0_hat.

    The step starts afresh whenever t is not the level to which it went last, so one of them can serve one generation
    after another.
    """
    last: list = [None, None, None]  # r, the guess made there, and the level that step went to

    def step(x_t: Pictures, x0_hat: Pictures, t: float, s: float) -> Pictures:
        r, x0_before, reached = last
        last[:] = t, x0_hat, s
        if reached != t or s == 0:
            return denoise_step(x_t, x0_hat, t, s)
        return look_back_step(x_t, x0_hat, x0_before, r, t, s)

    return step
