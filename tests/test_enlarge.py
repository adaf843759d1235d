"""The network that enlarges: what it is told, what it makes, what it learns from."""

from functools import partial
from itertools import islice

import pytest
import torch
import torch.nn.functional as F

from course_lib import weights
from course_lib.beyond import enlarge as room
from course_lib.beyond.distill import dealt_levels
from course_lib.beyond.enlarge import Enlarger, enlarge, enlarging, enlarging_batches, large_pictures, noise_beside
from course_lib.fruit.words import HELD_OUT_PAIRS, TRAINING_PAIRS
from course_lib.model import Denoiser
from course_lib.noise import add_noise
from course_lib.tools.files import DATA
from course_lib.tools.pixels import Bytes, from_bytes
from course_lib.train import Run, train

SHIPPED = DATA / "enlarger.safetensors"
SMALL = torch.rand(5, 3, 8, 12, generator=torch.Generator().manual_seed(0)) * 2 - 1


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def squares(small):
    """Every pixel a square of four by four."""
    return small.repeat_interleave(4, dim=-1).repeat_interleave(4, dim=-2)


def awake(**options):
    """A small network that answers with something of its own; a fresh one adds nothing to what it is told."""
    torch.manual_seed(0)
    network = Enlarger(channels=(8, 16), width=16, **options).requires_grad_(False)
    for parameter in network.parameters():
        parameter.add_(0.05 * torch.randn(parameter.shape))
    return network


class Ideal(Enlarger):
    """A network that knows the answer for pictures of squares, and forgets it where too many are asked for at once."""

    def __init__(self, most=99, error=MemoryError, fails_at=1.0):
        super().__init__(channels=(8,), width=16)
        self.most, self.error, self.fails_at, self.asked = most, error, fails_at, []

    def forward(self, x_t, t, small):
        self.asked.append(len(x_t))
        if len(x_t) > self.most and t[0] <= self.fails_at:
            raise self.error
        return squares(small)


class Honest(Ideal):
    """One whose answer depends on the noise too, so that other noise makes another picture."""

    def forward(self, x_t, t, small):
        return super().forward(x_t, t, small) / 2 + x_t.clamp(-1, 1) / 4


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """One drawing of 128 pixels of each training pair."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(room, "PER_PAIR", 1)
        return large_pictures(tmp_path_factory.mktemp("drawings") / "large.safetensors")


# The network


@pytest.mark.parametrize(
    "settings",
    [
        *(dict(factor=wrong) for wrong in (1, 17, 2.5, "4", None)),
        *(dict(steps=wrong) for wrong in (0, 1001, 1.5, None)),
        *(dict(channels=wrong) for wrong in ((), (12,), (0,), (8, 8.0), (8,) * 7)),
        *(dict(width=wrong) for wrong in (0, 6, -4, 8.0)),
    ],
    ids=str,
)
def test_settings_that_make_no_network_are_refused(settings):
    with pytest.raises(ValueError, match=r"\.$"):
        Enlarger(**settings)


@pytest.mark.parametrize("factor", [2, 4])
def test_its_first_guess_is_the_small_picture_enlarged_smoothly(factor):
    x_t = torch.randn(5, 3, 8 * factor, 12 * factor, generator=chance())
    network = Enlarger(factor, channels=(8,), width=16)
    bias = F.pixel_shuffle(network.leave[-1].bias[None, :, None, None], factor).repeat(1, 1, 8, 12)
    smooth = F.interpolate(SMALL, scale_factor=float(factor), mode="bicubic")
    torch.testing.assert_close(network(x_t, 0.7, SMALL), smooth + bias)


@pytest.mark.parametrize(
    "small",
    [
        SMALL[0],
        SMALL[:, :1],
        SMALL[:0],
        SMALL[..., :7],
        SMALL[..., :0],
        SMALL.double(),
        SMALL.to(torch.uint8),
        None,
        [],
    ],
    ids=lambda x: str(getattr(x, "shape", x)),
)
def test_small_pictures_that_it_cannot_read_are_refused(small):
    network = awake()
    with pytest.raises(ValueError, match="^Small pictures"):
        network(torch.zeros(5, 3, 32, 48), 1.0, small)
    for make in (enlarge, lambda *args, **how: next(enlarging(*args, **how))):
        with pytest.raises(ValueError, match="^Small pictures"):
            make(network, small, generator=chance())


@pytest.mark.parametrize("x_t", [torch.zeros(5, 3, 32, 32), torch.zeros(1, 3, 32, 48), torch.zeros(3, 32, 48), None])
def test_noisy_pictures_of_another_size_are_refused(x_t):
    with pytest.raises(ValueError, match=r"x_t must have shape \(5, 3, 32, 48\)"):
        awake()(x_t, 1.0, SMALL)


@pytest.mark.parametrize("how", [dict(generator=None), dict(steps=0), dict(steps=1001), dict(at_once=0)], ids=str)
def test_other_bad_wishes_are_refused(how):
    with pytest.raises(ValueError, match=f"^{next(iter(how))} must be"):
        enlarge(awake(), SMALL, **dict(generator=chance()) | how)


# From noise to picture


@pytest.mark.parametrize("steps", [None, 1, 7])
def test_an_ideal_network_gives_the_picture(steps):
    network = Ideal()
    made = enlarge(network, 3 * SMALL, generator=chance(), steps=steps)
    assert torch.equal(made, squares((3 * SMALL).clamp(-1, 1)))  # it is told no more than a picture can show
    assert network.asked == [5] * (steps or 4)


def test_the_guesses_on_the_way_end_with_the_picture():
    *_, last = guesses = list(enlarging(awake(steps=3), SMALL, generator=chance()))
    assert len(guesses) == 3 and torch.equal(last, enlarge(awake(steps=3), SMALL, generator=chance()))
    assert all(guess.shape == (5, 3, 32, 48) and guess.abs().max() <= 1 for guess in guesses)


@pytest.mark.parametrize("at_once", [1, 2, 3, 16])
def test_the_pictures_are_the_same_however_many_are_made_at_once(at_once):
    generator, other = chance(), chance()
    made = enlarge(awake(), SMALL, generator=generator, at_once=at_once)
    torch.testing.assert_close(made, enlarge(awake(), SMALL, generator=other), atol=1e-4, rtol=0)
    assert torch.equal(generator.get_state(), other.get_state())
    torch.testing.assert_close(made[:2], enlarge(awake(), SMALL[:2], generator=chance()), atol=1e-4, rtol=0)
    assert not torch.allclose(made, enlarge(awake(), SMALL, generator=chance(1)), atol=1e-3)
    assert made.std() > 0.1 and not made.requires_grad


def test_chance_comes_from_the_generator_alone():
    network = awake()
    before = torch.get_rng_state()
    first, again = (enlarge(network, SMALL, generator=noise_beside(3)) for _ in "ab")
    assert torch.equal(first, again) and torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(noise_beside(3).get_state(), chance(3).get_state())  # which made the small pictures


@pytest.mark.parametrize("fails_at", [1.0, 0.5])
@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:118] can't allocate memory")], ids=repr
)
def test_where_memory_does_not_suffice_it_makes_fewer_at_once_and_the_same_pictures(error, fails_at):
    network, generator, other = Honest(most=2, error=error, fails_at=fails_at), chance(), chance()
    made = enlarge(network, SMALL, generator=generator)
    assert torch.equal(made, enlarge(Honest(), SMALL, generator=other))
    assert torch.equal(generator.get_state(), other.get_state())
    assert network.asked == [5] * (1 if fails_at == 1.0 else 3) + [2] * 8 + [1] * 4


@pytest.mark.parametrize(
    ("most", "error", "tried"), [(0, MemoryError(), [5, 2, 1]), (2, RuntimeError("no such layer"), [5])], ids=repr
)
def test_what_no_smaller_portion_can_mend_is_raised(most, error, tried):
    network = Ideal(most, error)
    with pytest.raises(type(error)):
        enlarge(network, SMALL, generator=chance())
    assert network.asked == tried


# What it learns from


def test_no_drawing_shows_a_held_out_pair_and_they_are_drawn_once(monkeypatch, tmp_path):
    drawn = []

    def draw_bytes(fruits, size, bar):
        drawn.extend((fruit.kind, fruit.colour) for fruit in fruits)
        return torch.zeros(len(fruits), 3, size, size, dtype=torch.uint8)

    monkeypatch.setattr(room, "draw_bytes", draw_bytes)
    monkeypatch.setattr(room, "PER_PAIR", 2)
    for _ in "ab":
        assert large_pictures(tmp_path / "large.safetensors").x.shape == (112, 3, 128, 128)
    assert sorted(drawn) == sorted([*TRAINING_PAIRS] * 2) and not {*drawn} & {*HELD_OUT_PAIRS}


def test_batches_are_squares_and_every_fourth_has_whole_pictures(drawings):
    batches = enlarging_batches(drawings, chance(), batch_size=18)
    sizes = [(x0.shape, small.shape) for x0, small in islice(batches, 8)]
    square, whole = ((18, 3, 64, 64), (18, 3, 16, 16)), ((5, 3, 128, 128), (5, 3, 32, 32))
    assert sizes == [square, square, square, whole] * 2


def test_small_pictures_are_averages_of_the_large_ones_before_they_are_worsened(monkeypatch, drawings):
    monkeypatch.setattr(room, "WORST_NOISE", 0.0)
    monkeypatch.setattr(room, "WORST_BLUR", 0.0)
    for x0, small in islice(enlarging_batches(drawings, chance(), batch_size=4), 4):
        means = x0.unflatten(3, (-1, 4)).unflatten(2, (-1, 4)).mean(dim=(3, 5))
        torch.testing.assert_close(small, means)
        side = x0.shape[-1]
        places = from_bytes(drawings.x).unfold(2, side, 4).unfold(3, side, 4)  # where such a square can be cut out
        assert any(torch.equal(x0[0], place) for place in places.permute(0, 2, 3, 1, 4, 5).flatten(0, 2))


def test_worsened_pictures_differ_each_by_as_much_as_chance_says():
    worse = room.worsened(flat := torch.zeros(64, 3, 16, 16), chance())
    spread = (worse - flat).std(dim=(1, 2, 3))
    assert spread.max() < room.WORST_NOISE * 1.2 and spread.min() < 0.2 * spread.max()
    assert torch.equal(worse, room.worsened(flat, chance())) and not torch.equal(worse, room.worsened(flat, chance(1)))


@pytest.mark.parametrize("begun", [1, 3, 4])
def test_batches_go_on_where_a_run_stopped(drawings, begun):
    straight, halted = chance(), chance()
    wanted = list(islice(enlarging_batches(drawings, straight, batch_size=4), 6))
    list(islice(enlarging_batches(drawings, halted, batch_size=4), begun))
    found = islice(enlarging_batches(drawings, halted, batch_size=4, begun=begun), 6 - begun)
    for a, b in zip(wanted[begun:], found, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("side", "how", "said"),
    [
        (128, dict(batch_size=0), "batch_size must be"),
        (32, {}, "Pictures of 32 pixels cannot be cut"),
        (126, {}, "Pictures of 126"),
        (126, dict(factor=3), "squares of 64"),
    ],
)
def test_pictures_that_make_no_batches_are_refused(side, how, said):
    with pytest.raises(ValueError, match=said):
        next(enlarging_batches(Bytes(torch.zeros(2, 3, side, side, dtype=torch.uint8)), chance(), **how))


def errors(network, x0, small, t=0.5):
    """Mean squared errors of a network's guess, at a level in the middle, and of bicubic enlargement."""
    eps = torch.randn(x0.shape, generator=chance(5))
    guesses = network(add_noise(x0, t, eps), t, small), F.interpolate(small, scale_factor=4.0, mode="bicubic")
    return [((guess - x0) ** 2).mean().item() for guess in guesses]


def test_it_learns_within_seconds_to_do_better_than_bicubic(drawings):
    torch.manual_seed(0)
    run = Run(Enlarger(channels=(16, 32), width=16), learning_rate=4e-3)
    batches = enlarging_batches(drawings, run.generator, batch_size=16)
    for _ in train(run, batches, steps=60, levels=partial(dealt_levels, steps=4)):
        pass
    x0, small = next(enlarging_batches(drawings, chance(9), batch_size=16))
    learned, bicubic = errors(run.ema, x0, small)
    assert learned < bicubic < errors(Enlarger(channels=(16, 32), width=16), x0, small)[0]


# In files


def test_a_file_gives_the_same_network_back_and_is_no_denoiser(tmp_path):
    path = tmp_path / "enlarger.safetensors"
    weights.save(awake(factor=2, steps=3), path)
    again = weights.load_enlarger(path)
    assert again.config == awake(factor=2, steps=3).config and not again.training
    assert torch.equal(
        enlarge(again, SMALL, generator=chance()), enlarge(awake(factor=2, steps=3), SMALL, generator=chance())
    )
    with pytest.raises(ValueError, match="holds a Enlarger, but a Denoiser is needed"):
        weights.load_denoiser(path)
    weights.save(Denoiser(("", "boat"), channels=(8,), width=16), path)
    with pytest.raises(ValueError, match="holds a Denoiser, but a Enlarger is needed"):
        weights.load_enlarger(path)


def test_a_class_of_the_same_name_is_not_saved(tmp_path):
    other = type("Enlarger", (torch.nn.Linear,), {"config": {"in_features": 1, "out_features": 1}})
    with pytest.raises(ValueError, match="there is another Enlarger"):
        weights.save(other(1, 1), tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.skipif(not SHIPPED.exists(), reason="data/enlarger.safetensors is not there: `make weights` makes it")
def test_the_shipped_network_is_small_and_does_better_than_bicubic(monkeypatch, tmp_path):
    monkeypatch.setattr(room, "PER_PAIR", 1)
    monkeypatch.setattr(room, "SEED", 4_000_000)  # drawings that it never saw
    fresh = large_pictures(tmp_path / "large.safetensors")
    network = weights.load_enlarger()
    assert SHIPPED.stat().st_size <= 8e6 and network.config["steps"] <= 4 and network.config["factor"] == 4
    x0 = fresh[:]
    made = enlarge(network, room.averaged_down(x0), generator=chance())
    bicubic = F.interpolate(room.averaged_down(x0), scale_factor=4.0, mode="bicubic")
    assert ((made - x0) ** 2).mean() < 0.8 * ((bicubic - x0) ** 2).mean()
