"""Editing: from where one starts is what is kept; what is known stays; two captions count as two."""

import pytest
import torch

from course_lib.beyond.edit import back_up, both, edit, edited, greenish, overlap, put_back, repaint
from course_lib.fruit.drawing import Fruit, draw
from course_lib.noise import add_noise
from course_lib.sample import generate

TOKENS = torch.ones(2, 3, dtype=torch.int64)
OLD = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
KNOWN = (torch.arange(8) < 4).expand(1, 1, 8, 8)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def grey(x_t, t, tokens):
    """A model that always guesses the same picture."""
    return torch.full_like(x_t, 0.25)


def shrinking(x_t, t, tokens):
    return 0.5 * x_t


def test_an_edit_begins_with_the_old_picture_at_its_level_and_ends_at_zero():
    frames = list(edit(shrinking, OLD, TOKENS, 0.6, generator=seeded(), steps=10, guidance_scale=1.0))
    assert [round(frame.t, 6) for frame in frames] == [0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
    torch.testing.assert_close(frames[0].x_t, add_noise(OLD, 0.6, torch.randn(OLD.shape, generator=seeded())))
    how = dict(generator=seeded(), steps=10, guidance_scale=1.0)
    assert torch.equal(edited(shrinking, OLD, TOKENS, 0.6, **how), frames[-1].x_t)


def test_an_edit_from_pure_noise_is_sampling():
    how = dict(steps=5, guidance_scale=1.0)
    made = generate(shrinking, TOKENS, generator=seeded(), shape=(3, 8, 8), **how)
    torch.testing.assert_close(edited(shrinking, OLD, TOKENS, 1.0, generator=seeded(), **how), made)


@pytest.mark.parametrize("start", [0, -0.5, 1.1, float("nan"), "half"])
def test_a_start_off_the_road_is_refused(start):
    with pytest.raises(ValueError, match="start must be"):
        next(edit(grey, OLD, TOKENS, start, generator=seeded()))


def test_at_least_one_step_is_gone():
    assert len(list(edit(grey, OLD, TOKENS, 0.02, generator=seeded(), steps=10))) == 2


def test_what_is_known_has_the_noise_of_its_level_and_no_other():
    x_s, eps = torch.randn(2, 2, 3, 8, 8, generator=seeded(2))
    x = put_back(x_s, OLD, eps, 0.3, KNOWN)
    torch.testing.assert_close(x[..., :4], (0.7 * OLD + 0.3 * eps)[..., :4])
    assert torch.equal(x[..., 4:], x_s[..., 4:])
    assert torch.equal(put_back(x_s, OLD, eps, 0.0, KNOWN)[..., :4], OLD[..., :4])


@pytest.mark.parametrize("times", [1, 3])
def test_a_repainted_picture_is_the_old_one_where_it_is_known(times):
    x = repaint(grey, OLD, KNOWN, TOKENS, generator=seeded(), steps=4, times=times)
    assert torch.equal(x[..., :4], OLD[..., :4])
    torch.testing.assert_close(x[..., 4:], torch.full((2, 3, 8, 4), 0.25))


def test_a_repeated_step_asks_the_model_again_except_the_last():
    levels = []

    def asked(x_t, t, tokens):
        levels.append(float(torch.as_tensor(t).flatten()[0]))
        return grey(x_t, t, tokens)

    repaint(asked, OLD, KNOWN, TOKENS, generator=seeded(), steps=2, times=3, guidance_scale=1.0)
    assert levels == [1.0, 1.0, 1.0, 0.5]


def test_backing_up_gives_the_pictures_of_the_higher_level():
    x0, eps, z = torch.full((1, 3, 200, 200), 0.5), *torch.randn(2, 1, 3, 200, 200, generator=seeded())
    x_t = back_up(add_noise(x0, 0.3, eps), 0.3, 0.8, z)
    assert x_t.mean().item() == pytest.approx(0.2 * 0.5, abs=0.01)
    assert x_t.std().item() == pytest.approx(0.8, abs=0.01)
    with pytest.raises(ValueError, match="goes up"):
        back_up(x_t, 0.5, 0.5, z)


def test_a_caption_that_says_nothing_leaves_the_other_as_it_is():
    u, a, b = torch.randn(3, 2, 3, 4, 4, generator=seeded())
    torch.testing.assert_close(both(u, a, u, 2.0), u + 2 * (a - u))
    torch.testing.assert_close(both(u, a, b, 2.0), both(u, b, a, 2.0))


def test_the_same_banana_twice_overlaps_and_another_place_less():
    x = draw([Fruit("banana", "green", size=0.6), Fruit("banana", "green", size=0.6, x=0.15)])
    here, there = greenish(x)[:1], greenish(x)[1:]
    assert overlap(here, here).item() == 1 and 0.1 < overlap(here, there).item() < 0.9
    assert overlap(here, ~here).item() == 0
    assert overlap(here & ~here, here & ~here).item() == 1  # both empty
    assert not greenish(draw([Fruit("banana", "yellow"), Fruit("banana", "blue")])).any()
