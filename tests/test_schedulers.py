import pytest
import torch

from course_lib.captions import null_tokens
from course_lib.classroom.schedulers import agreement, deterministic_schedulers, drive, equal_levels
from course_lib.noise import expand_level
from course_lib.sample import generate

STEPS = 10


def shrinking(x_t, t, tokens):
    """A smooth guess that stays in reach of the picture."""
    return x_t * (1 - expand_level(t, x_t)) / 2


@pytest.fixture(scope="module")
def found():
    return agreement(shrinking, null_tokens(2), steps=STEPS, shape=(3, 8, 8))


def test_equal_levels_are_those_of_our_loop():
    assert equal_levels(4) == [1, 0.75, 0.5, 0.25]


@pytest.mark.parametrize(
    "name",
    ["FlowMatchEuler, our levels", "DPMSolverMultistep, first order", "DPMSolverSinglestep, first order"],
)
def test_first_order_at_our_levels_is_our_step(found, name):
    assert found[name].agrees and found[name].mean < 0.002


def test_what_stops_before_the_picture_is_seen_at_its_last_level(found):
    early = {name: a.last for name, a in found.items() if a.last > 0}
    assert list(early) == ["DEISMultistep, second order"] and not found["DEISMultistep, second order"].agrees
    assert early["DEISMultistep, second order"] == pytest.approx(1 / STEPS, abs=0.001)


def test_as_it_comes_a_scheduler_takes_one_real_step_less():
    named = deterministic_schedulers(STEPS)
    assert len(named["FlowMatchEuler, as it comes"].timesteps) == STEPS
    assert float(named["FlowMatchEuler, as it comes"].sigmas[-2]) == pytest.approx(0.001)
    assert float(named["FlowMatchEuler, our levels"].sigmas[-2]) == pytest.approx(1 / STEPS)


def test_driving_makes_the_picture_of_our_loop():
    noise = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    theirs = drive(deterministic_schedulers(4)["FlowMatchEuler, our levels"], shrinking, noise, null_tokens(2))
    seed = torch.Generator().manual_seed(3)
    ours = generate(shrinking, null_tokens(2), generator=seed, steps=4, guidance_scale=2.0, shape=(3, 8, 8))
    torch.testing.assert_close(theirs, ours)
