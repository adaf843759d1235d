import pytest
import torch

from course_lib.beyond.solvers import look_back_step, second_order_step
from course_lib.captions import null_tokens
from course_lib.sample import denoise_step, generate

SMALL = (3, 4, 4)
MEAN, WIDTH = 0.3, 0.5  # pictures whose pixels come from N(MEAN, WIDTH^2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def ideal(x_t, t, tokens):
    """The exact mean of the Gaussian pictures that x_t can come from."""
    t = t.reshape(-1, 1, 1, 1).double()
    gain = (1 - t) * WIDTH**2 / ((1 - t) ** 2 * WIDTH**2 + t**2)
    return MEAN + gain * (x_t.double() - (1 - t) * MEAN)


def error(step, steps):
    """How far a generation lands from where the road truly leads: x_1 = z goes to MEAN + WIDTH z."""
    options = {"generator": generator(), "guidance_scale": 1, "shape": SMALL}
    made = generate(ideal, null_tokens(2), steps=steps, step=step, **options)
    truth = MEAN + WIDTH * torch.randn(2, *SMALL, generator=generator())
    return (made - truth).abs().max().item()


@pytest.mark.parametrize("steps", [32, 64, 128])
def test_half_the_step_leaves_a_quarter_of_the_error_and_half_of_eulers(steps):
    ratio = error(second_order_step(), steps) / error(second_order_step(), 2 * steps)
    assert ratio == pytest.approx(4, rel=0.15)
    assert error(denoise_step, steps) / error(denoise_step, 2 * steps) == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("steps", [4, 8, 16])
def test_it_is_nearer_to_the_truth_at_few_steps_too(steps):
    assert error(second_order_step(), steps) < error(denoise_step, steps)


def test_a_guess_on_a_straight_line_over_t_squared_is_followed_exactly():
    x, start, slope = torch.randn(3, 2, *SMALL, generator=generator()).double()
    r, t, s = 0.9, 0.7, 0.4
    guess = [start + level**2 * slope for level in (r, t)]
    fine = x  # the same road in many tiny steps, each with the guess of its place
    levels = torch.linspace(t, s, 4001, dtype=torch.float64).tolist()
    for here, there in zip(levels[:-1], levels[1:], strict=True):
        fine = denoise_step(fine, start + ((here + there) / 2) ** 2 * slope, here, there)
    torch.testing.assert_close(look_back_step(x, guess[1], guess[0], r, t, s), fine, atol=1e-6, rtol=0)


def test_a_guess_that_stays_makes_it_the_plain_step():
    x, x0_hat = torch.randn(2, 2, *SMALL, generator=generator())
    step = second_order_step()
    for t, s in ((1.0, 0.6), (0.6, 0.5), (0.5, 0.0)):
        torch.testing.assert_close(step(x, x0_hat, t, s), denoise_step(x, x0_hat, t, s))


def test_the_first_step_is_plain_and_the_last_lands_on_the_guess():
    x_t, first, second, third = torch.randn(4, 2, *SMALL, generator=generator())
    step = second_order_step()
    assert torch.equal(step(x_t, first, 1.0, 0.5), denoise_step(x_t, first, 1.0, 0.5))
    assert not torch.equal(step(x_t, second, 0.5, 0.25), denoise_step(x_t, second, 0.5, 0.25))
    assert torch.equal(step(x_t, third, 0.25, 0.0), third)


def test_one_step_serves_one_generation_after_another():
    step = second_order_step()
    options = {"steps": 5, "guidance_scale": 1, "shape": SMALL}
    a, b = (generate(ideal, null_tokens(2), generator=generator(), step=step, **options) for _ in range(2))
    assert torch.equal(a, b)
    step(a, b, 1.0, 0.5)  # a generation that is left halfway
    assert torch.equal(step(b, a, 1.0, 0.5), denoise_step(b, a, 1.0, 0.5))


def test_levels_that_do_not_go_down_are_refused():
    with pytest.raises(ValueError, match="is not below t"):
        second_order_step()(torch.zeros(1, *SMALL), torch.zeros(1, *SMALL), 0.5, 0.5)
