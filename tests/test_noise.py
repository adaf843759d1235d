import math
import re

import numpy as np
import pytest
import torch

from course_lib.beyond.convert import alpha_bar, scale, sigma
from course_lib.noise import add_noise, check_number, expand_level, noise_levels, signal_to_noise


def pictures(count=4, size=16, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, size, size, generator=g) * 2 - 1, torch.randn(count, 3, size, size, generator=g)


def test_both_ends_of_the_road_are_exact():
    x0, eps = pictures()
    assert torch.equal(add_noise(x0, 0, eps), x0)
    assert torch.equal(add_noise(x0, 1.0, eps), eps)
    mixed = add_noise(x0, torch.tensor([0.0, 1.0, 0.0, 1.0]), eps)
    assert torch.equal(mixed, torch.stack([x0[0], eps[1], x0[2], eps[3]]))


@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_variances_of_picture_and_noise_add_up(t):
    x0, eps = pictures(64, 32)
    expected = (1 - t) ** 2 * x0.var() + t**2
    assert add_noise(x0, t, eps).var() == pytest.approx(expected.item(), rel=0.02)


def test_one_level_for_all_is_that_level_for_each():
    x0, eps = pictures()
    assert torch.equal(add_noise(x0, 0.3, eps), add_noise(x0, torch.full((4,), 0.3), eps))


def test_each_picture_gets_its_own_level():
    x0, eps = pictures()
    t = torch.tensor([0.1, 0.4, 0.7, 0.9])
    alone = torch.cat([add_noise(x0[i : i + 1], t[i].item(), eps[i : i + 1]) for i in range(4)])
    assert torch.equal(add_noise(x0, t, eps), alone)


def test_a_level_takes_dtype_and_axes_of_the_pictures():
    assert expand_level(0.5, torch.zeros(2, 3, 8, 8, dtype=torch.float64)).shape == (1, 1, 1, 1)
    t = expand_level(torch.tensor([0.25, 0.5]), torch.zeros(2, 7, dtype=torch.float64))
    assert t.shape == (2, 1) and t.dtype == torch.float64


@pytest.mark.parametrize(
    ("x0", "message"),
    [
        (torch.zeros(3, 8, 8), r"shape \(3, 8, 8\).*x0\[None\]"),
        (torch.zeros(1, 3, 8, 8).numpy(), "not of type ndarray"),
        (torch.full((1, 3, 8, 8), 1.2), r"lies in \[-1, 1\].*goes from 1.2 to 1.2.*2 \* x - 1"),
        (torch.full((1, 3, 8, 8), -255.0), "write x / 127.5 - 1"),
        (torch.full((1, 3, 8, 8), float("nan")), r"lies in \[-1, 1\].*nan"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "not torch.uint8.*write x / 127.5 - 1"),
        (torch.ones(1, 3, 8, 8, dtype=torch.int64), "not torch.int64"),
    ],
)
def test_what_is_no_clean_picture_is_refused(x0, message):
    with pytest.raises(ValueError, match=message):
        add_noise(x0, 0.5, torch.zeros(x0.shape))


@pytest.mark.parametrize(
    ("t", "message"),
    [
        (-0.01, r"must lie in \[0, 1\].*0 is the clean picture, 1 is pure noise"),
        (1.5, r"from 1.5 to 1.5"),
        (float("nan"), r"must lie in \[0, 1\].*nan"),
        (torch.tensor([0.0, 0.5, 1.0, 2.0]), "from 0 to 2"),
        (torch.full((3,), 0.5), r"shape \(3,\) for 4 pictures.*one noise level, or 4"),
        (torch.full((4, 1, 1, 1), 0.5), r"shape \(4, 1, 1, 1\) for 4 pictures"),
        *((t, "must be a number or a tensor of numbers, not") for t in ("a", None, {"t": 0.5}, [0.5], 0.5j)),
    ],
)
def test_what_is_no_noise_level_is_refused(t, message):
    x0, eps = pictures()
    with pytest.raises(ValueError, match=message):
        add_noise(x0, t, eps)


@pytest.mark.parametrize(
    ("eps", "said"),
    [
        *(
            (torch.zeros(shape), f"a tensor of shape {shape}")
            for shape in ((1, 3, 16, 16), (4, 1, 16, 16), (3, 16, 16))
        ),
        (torch.zeros(4, 3, 16, 16).double(), "a tensor of shape (4, 3, 16, 16), torch.float64"),
        (torch.zeros(4, 3, 16, 16).half(), "a tensor of shape (4, 3, 16, 16), torch.float16"),
        ([1], "of type list"),
        (torch.zeros(4, 3, 16, 16).numpy(), "of type ndarray"),
    ],
)
def test_noise_unlike_the_pictures_is_refused(eps, said):
    with pytest.raises(ValueError, match=rf"eps is {re.escape(said)}.* but every pixel of x0, .*\(4, 3, 16, 16\)"):
        add_noise(pictures()[0], 0.5, eps)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 50, 100, 999, 1000])
def test_noise_levels_go_evenly_from_exactly_one_to_exactly_zero(steps):
    levels = noise_levels(steps)
    assert levels.shape == (steps + 1,) and levels.dtype == torch.float32
    assert levels[0].item() == 1.0 and levels[-1].item() == 0.0
    assert (-levels.diff()).tolist() == pytest.approx([1 / steps] * steps, abs=1e-6)


@pytest.mark.parametrize("steps", [0, -1, 1001, 2.5, 50.0, True, "50", None])
def test_what_is_no_number_of_steps_is_refused(steps):
    with pytest.raises(ValueError, match="whole number from 1 to 1000, not"):
        noise_levels(steps)


def test_signal_to_noise_falls_from_infinity_to_zero():
    ratio = signal_to_noise(torch.linspace(0, 1, 101))
    assert ratio[0] == float("inf") and ratio[-1] == 0
    assert ratio[50].item() == pytest.approx(1)
    assert (ratio.diff() < 0).all()


def test_signal_to_noise_keeps_the_shape_and_refuses_other_levels():
    assert signal_to_noise(torch.full((2, 3), 0.5)).shape == (2, 3)
    assert signal_to_noise(0.25).item() == pytest.approx(9)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        signal_to_noise(torch.tensor([[0.5, 1.1]]))


@pytest.mark.parametrize("ask", [signal_to_noise, scale, alpha_bar, sigma])
@pytest.mark.parametrize("t", ["a", None, [0.5], {"t": 0.5}])
def test_what_is_no_number_is_no_level_wherever_one_is_asked_for(ask, t):
    with pytest.raises(ValueError, match="The noise level t must be a number or a tensor of numbers, not"):
        ask(t)


@pytest.mark.parametrize("x", [2.5, 4.0, True, "4", None, [4], 0, -1, 11])
def test_what_is_no_whole_number_in_its_range_is_refused(x):
    with pytest.raises(ValueError, match="^batch_size must be a whole number from 1 to 10, not "):
        check_number("batch_size", x, 1, 10)


@pytest.mark.parametrize("x", [math.nan, math.inf, True, "1e-3", None, [2], 1j, torch.ones(1), 0, -1])
def test_what_is_no_finite_number_in_its_range_is_refused(x):
    with pytest.raises(ValueError, match="^learning_rate must be a finite number from 0.1 to 10, not "):
        check_number("learning_rate", x, 0.1, 10, "finite")


def test_numbers_of_numpy_are_numbers():
    check_number("seed", np.int64(3))
    check_number("learning_rate", np.float32(0.5), 0, 1, "finite")
