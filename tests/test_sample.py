from functools import partial

import pytest
import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler

from course_lib.beyond.attention import SceneDenoiser
from course_lib.captions import null_tokens
from course_lib.model import Denoiser
from course_lib.noise import add_noise
from course_lib.sample import ancestral_step, denoise_step, generate, guided, sample

SMALL = (3, 8, 8)
DATA = torch.rand(5, *SMALL, generator=torch.Generator().manual_seed(0)) * 2 - 1


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def some_model(x_t, t, tokens):
    t = t.reshape(-1, 1, 1, 1)
    return torch.tanh(x_t * (1.5 - t)) * 0.8 + 0.1 * tokens[:, :1, None, None]


def ideal(x_t, t, tokens):
    """The exact mean of the pictures in DATA that x_t can come from; token i names picture i - 1, 0 names all."""
    t = t.reshape(-1, 1)
    distance = ((x_t.flatten(1)[:, None] - (1 - t[..., None]) * DATA.flatten(1)) ** 2).sum(-1)
    asked = tokens[:, :1]
    fits = (asked == 0) | (torch.arange(1, len(DATA) + 1) == asked)
    weight = (-distance / (2 * t**2)).masked_fill(~fits, -torch.inf).softmax(1)
    return torch.einsum("bn,nchw->bchw", weight, DATA)


def test_a_step_to_zero_lands_exactly_on_the_guess():
    x_t, x0_hat = noise(2, *SMALL), DATA[:2]
    assert torch.equal(denoise_step(x_t, x0_hat, 0.7, 0), x0_hat)
    assert torch.equal(denoise_step(x_t, x0_hat, 1.0, 0.0), x0_hat)
    assert torch.equal(ancestral_step(x_t, x0_hat, 0.7, 0), x0_hat)
    assert torch.equal(ancestral_step(x_t, x0_hat, 1.0, 0.0), x0_hat)


def test_a_step_with_the_true_picture_stays_on_its_noise_path():
    eps = noise(2, *SMALL)
    for t, s in ((1.0, 0.9), (0.5, 0.1), (0.3, 0.29)):
        x_s = denoise_step(add_noise(DATA[:2], t, eps), DATA[:2], t, s)
        torch.testing.assert_close(x_s, add_noise(DATA[:2], s, eps), atol=1e-5, rtol=0)


def test_a_step_shrinks_what_is_not_the_guess_by_s_over_t():
    x_t, x0_hat = noise(2, *SMALL), DATA[:2]
    x_s = denoise_step(x_t, x0_hat, 0.8, 0.2)
    torch.testing.assert_close(x_s - x0_hat, (x_t - x0_hat) / 4)


def test_two_steps_with_one_guess_are_one_step():
    x_t, x0_hat = noise(2, *SMALL), DATA[:2]
    in_two = denoise_step(denoise_step(x_t, x0_hat, 0.9, 0.6), x0_hat, 0.6, 0.25)
    torch.testing.assert_close(in_two, denoise_step(x_t, x0_hat, 0.9, 0.25), atol=1e-6, rtol=0)


def test_each_picture_can_have_levels_of_its_own():
    x_t, x0_hat = noise(2, *SMALL), DATA[:2]
    together = denoise_step(x_t, x0_hat, torch.tensor([1.0, 0.5]), torch.tensor([0.4, 0.0]))
    assert torch.equal(together[1], x0_hat[1])
    torch.testing.assert_close(together[:1], denoise_step(x_t[:1], x0_hat[:1], 1.0, 0.4))


@pytest.mark.parametrize("step", [denoise_step, ancestral_step])
@pytest.mark.parametrize(("t", "s"), [(0.5, 0.5), (0.5, 0.6), (0.0, 0.0), (torch.tensor([0.9, 0.3]), 0.4)])
def test_a_step_that_does_not_go_down_is_refused(step, t, s):
    with pytest.raises(ValueError, match="A step goes down from t to s, but s = .* is not below t"):
        step(noise(2, *SMALL), DATA[:2], t, s)


@pytest.mark.parametrize(("t", "s"), [(1.2, 0.5), (0.5, -0.1), (float("nan"), 0.1), (0.5, float("nan"))])
def test_a_step_with_levels_off_the_road_is_refused(t, s):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        denoise_step(noise(2, *SMALL), DATA[:2], t, s)


@pytest.mark.parametrize(("t", "s"), [(1.0, 0.9), (1.0, 0.3), (0.8, 0.5), (0.3, 0.01)])
def test_an_ancestral_step_keeps_the_statistics_of_its_level(t, s):
    x0 = torch.full((1, 3, 200, 200), 0.6)
    x_s = ancestral_step(add_noise(x0, t, noise(*x0.shape)), x0, t, s, generator(1))
    count = x0.numel()
    assert x_s.mean().item() == pytest.approx((1 - s) * 0.6, abs=4 * s / count**0.5)
    assert x_s.std().item() == pytest.approx(s, rel=4 / (2 * count) ** 0.5)


@pytest.mark.parametrize(("t", "s", "kept"), [(1.0, 0.5, 0.0), (0.8, 0.5, 0.25), (0.5, 0.25, 1 / 3)])
def test_an_ancestral_step_keeps_this_share_of_the_old_noise(t, s, kept):
    x_t, x0 = noise(1, 3, 200, 200), torch.zeros(1, 3, 200, 200)
    x_s = ancestral_step(t * x_t, x0, t, s, generator(1))
    assert torch.corrcoef(torch.stack([x_t.flatten(), x_s.flatten()]))[0, 1].item() == pytest.approx(kept, abs=0.015)


def test_an_ancestral_step_draws_its_noise_from_the_generator():
    x_t = noise(2, *SMALL)
    a, b, other = (ancestral_step(x_t, DATA[:2], 0.8, 0.5, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, other)


def test_guidance_of_one_is_the_plain_guess_and_asks_once():
    calls = []

    def model(x_t, t, tokens):
        calls.append(len(x_t))
        return some_model(x_t, t, tokens)

    x_t, t, tokens = noise(3, *SMALL), torch.full((3,), 0.4), torch.ones(3, 12, dtype=torch.int64)
    assert torch.equal(guided(model, x_t, t, tokens, 1), some_model(x_t, t, tokens))
    assert calls == [3]


@pytest.mark.parametrize("w", [0, 0.5, 2.0, 7.5, -1.0])
def test_guidance_leans_from_the_guess_without_words_to_the_one_with_words(w):
    x_t, tokens = noise(3, *SMALL), torch.arange(36).reshape(3, 12)
    t = torch.tensor([0.2, 0.5, 1.0])
    c, u = some_model(x_t, t, tokens), some_model(x_t, t, torch.zeros_like(tokens))
    torch.testing.assert_close(guided(some_model, x_t, t, tokens, w), u + w * (c - u))
    if w == 0:
        assert torch.equal(guided(some_model, x_t, t, tokens, w), u)
    assert guided(some_model, x_t, 0.5, tokens, w).shape == x_t.shape


def test_each_picture_may_be_guided_by_a_scale_of_its_own():
    x_t, tokens = noise(3, *SMALL), torch.arange(36).reshape(3, 12)
    t, w = torch.tensor([0.2, 0.5, 1.0]), torch.tensor([1.0, 3.0, -2.0])
    each = [guided(some_model, x_t[i : i + 1], t[i], tokens[i : i + 1], w[i].item()) for i in range(3)]
    torch.testing.assert_close(guided(some_model, x_t, t, tokens, w), torch.cat(each))


@pytest.mark.parametrize("told", [True, False], ids=["asked for", "as the network was made for"])
def test_guidance_rests_outside_its_interval(told):
    calls = []

    def model(x_t, t, tokens):
        calls.append((round(t[0].item(), 6), len(x_t)))
        return some_model(x_t, t, tokens)

    model.config = {"guidance_scale": 3.0} | ({} if told else {"guidance_interval": [0.25, 0.85]})
    interval = {"guidance_interval": (0.25, 0.85)} if told else {}
    frames = list(sample(model, torch.ones(2, 12, dtype=torch.int64), generator=generator(), steps=10, **interval))
    assert calls == [
        (t, 4 if t in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8) else 2) for t in (1.0, *(n / 10 for n in range(9, 0, -1)))
    ]
    tokens = torch.ones(2, 12, dtype=torch.int64)
    for frame in frames[:-1]:
        w = 3.0 if 0.25 < frame.t < 0.85 else 1
        torch.testing.assert_close(frame.x0_hat, guided(some_model, frame.x_t, torch.full((2,), frame.t), tokens, w))


def test_a_scale_that_is_given_alone_holds_at_all_levels():
    def model(*given):
        return some_model(*given)

    model.config = {"guidance_scale": 2.0, "guidance_interval": [0.5, 1.0]}
    tokens, pictures = torch.ones(2, 12, dtype=torch.int64), []
    for how in ({}, {"guidance_scale": 2.0}, {"guidance_scale": 2.0, "guidance_interval": (0.5, 1.0)}):
        pictures.append(generate(model, tokens, generator=generator(), steps=10, shape=SMALL, **how))
    usual, alone, both = pictures
    assert torch.equal(usual, both) and not torch.equal(usual, alone)
    plain = generate(some_model, tokens, generator=generator(), steps=10, shape=SMALL, guidance_scale=2.0)
    assert torch.equal(alone, plain)


def test_a_generation_begins_with_noise_of_unit_variance_and_ends_with_its_picture():
    frames = list(sample(some_model, null_tokens(200), generator=generator(), steps=4))
    assert [frame.t for frame in frames] == [1.0, 0.75, 0.5, 0.25, 0.0]
    first, last = frames[0].x_t, frames[-1]
    assert first.shape == (200, 3, 32, 32)
    assert abs(first.mean()) < 0.005 and abs(first.var() - 1) < 0.01
    assert torch.equal(last.x_t, last.x0_hat)


def test_every_frame_is_the_step_from_the_one_before():
    tokens = torch.ones(2, 12, dtype=torch.int64)
    frames = list(sample(some_model, tokens, generator=generator(), steps=7, guidance_scale=3.0, shape=SMALL))
    for now, after in zip(frames[:-1], frames[1:], strict=True):
        t = torch.full((2,), now.t)
        torch.testing.assert_close(now.x0_hat, guided(some_model, now.x_t, t, tokens, 3.0))
        torch.testing.assert_close(after.x_t, denoise_step(now.x_t, now.x0_hat, now.t, after.t))


def test_one_step_is_the_guess_from_pure_noise():
    tokens = torch.ones(2, 12, dtype=torch.int64)
    picture = generate(some_model, tokens, generator=generator(3), steps=1, guidance_scale=1, shape=SMALL)
    assert torch.equal(picture, some_model(noise(2, *SMALL, seed=3), torch.ones(2), tokens))


@pytest.mark.parametrize("steps", [1, 2, 1000])
def test_any_number_of_steps_gives_one_frame_more(steps):
    frames = list(sample(some_model, null_tokens(1), generator=generator(), steps=steps, shape=SMALL))
    assert len(frames) == steps + 1 and frames[0].t == 1 and frames[-1].t == 0
    assert frames[-1].x_t.isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be a whole number from 1 to 1000, not 0"),
        ({"steps": 1001}, "from 1 to 1000, not 1001"),
        ({"steps": 2.5}, "from 1 to 1000, not 2.5"),
        ({"guidance_scale": float("nan")}, "guidance_scale must be a finite number from -1000 to 1000, not nan"),
        ({"guidance_scale": float("inf")}, "must be a finite number.*, not inf"),
        ({"tokens": torch.zeros(12, dtype=torch.int64)}, r"tokens must be \(B, L\) integers.*`encode`.*\(12,\)"),
        ({"tokens": torch.zeros(1, 12)}, r"tokens must be \(B, L\) integers"),
        ({"tokens": "a red apple"}, r"tokens must be \(B, L\) integers, as `encode` gives them, not of type str"),
        ({"tokens": null_tokens(1).numpy()}, "not of type ndarray"),
        ({"tokens": [[0] * 12]}, "not of type list"),
        ({"tokens": null_tokens(0)}, r"not a tensor of shape \(0, 12\)"),
        *(({"guidance_scale": w}, "must be a finite number.*, not") for w in ("2", [2], 1j, True, torch.ones(1))),
        *(
            ({"guidance_interval": interval}, "guidance_interval's .* end must be a finite number")
            for interval in ((0.5, 0.2), (-0.1, 1), (0, 1.5), ("0", 1), (0, float("nan")))
        ),
        ({"generator": 0}, r"generator must be like torch.Generator\(\).manual_seed\(0\), not 0"),
    ],
)
def test_bad_options_are_refused(options, message):
    options = {"tokens": null_tokens(1), "generator": generator(), **options}
    with pytest.raises(ValueError, match=message):
        next(sample(some_model, **options))


@pytest.mark.parametrize(("network", "side"), [(Denoiser, 32), (SceneDenoiser, 64), (partial(Denoiser, size=16), 16)])
def test_a_network_is_asked_for_pictures_of_the_size_it_was_made_for(network, side):
    model = network(("", "a"), channels=(8,), width=16)
    tokens = null_tokens(1, model.config["max_words"])
    assert generate(model, tokens, generator=generator(), steps=1).shape == (1, 3, side, side)


@pytest.mark.parametrize("ancestral", [False, True])
def test_the_same_seed_gives_the_same_pictures_and_another_seed_others(ancestral):
    def picture(seed):
        g = generator(seed)
        step = partial(ancestral_step, generator=g) if ancestral else denoise_step
        return generate(ideal, null_tokens(2), generator=g, steps=5, step=step, shape=SMALL)

    assert torch.equal(picture(1), picture(1))
    assert not torch.equal(picture(1), picture(2))


def test_sampling_keeps_no_gradients():
    weight = torch.ones((), requires_grad=True)
    picture = generate(lambda x, t, k: weight * x, null_tokens(1), generator=generator(), steps=2, shape=SMALL)
    assert not picture.requires_grad


@pytest.mark.parametrize("ancestral", [False, True])
def test_an_ideal_denoiser_returns_pictures_of_its_data(ancestral):
    g = generator()
    step = partial(ancestral_step, generator=g) if ancestral else denoise_step
    made = generate(ideal, null_tokens(60), generator=g, steps=50, guidance_scale=1, step=step, shape=SMALL)
    exactly = "donot_use_mm_for_euclid_dist"  # by a matrix product, equal pictures come out a little apart
    distance, which = torch.cdist(made.flatten(1), DATA.flatten(1), compute_mode=exactly).min(1)
    assert distance.max() < 1e-3
    assert set(which.tolist()) == set(range(len(DATA)))


@pytest.mark.parametrize("ancestral", [False, True])
@pytest.mark.parametrize("guidance_scale", [1, 2.0])
def test_an_ideal_denoiser_returns_the_picture_that_the_caption_names(ancestral, guidance_scale):
    g = generator()
    step = partial(ancestral_step, generator=g) if ancestral else denoise_step
    tokens = torch.arange(1, 6)[:, None].repeat(1, 12)
    options = {"generator": g, "steps": 50, "guidance_scale": guidance_scale, "step": step, "shape": SMALL}
    torch.testing.assert_close(generate(ideal, tokens, **options), DATA, atol=1e-3, rtol=0)


def test_the_step_is_that_of_ddim_in_diffusers():
    levels = torch.arange(1000, dtype=torch.float64) / 1000
    scale = ((1 - levels) ** 2 + levels**2).sqrt()  # of x_t, which DDIM wants to have unit variance
    ddim = DDIMScheduler(prediction_type="sample", clip_sample=False)
    ddim.alphas_cumprod = ((1 - levels) / scale) ** 2
    ddim.set_timesteps(10)  # 900, 800, ..., 100, 0
    x_t, g = noise(2, *SMALL).double(), generator(1)
    for at in ddim.timesteps[:-1].tolist():
        x0_hat = torch.randn(x_t.shape, generator=g, dtype=torch.float64)
        theirs = ddim.step(x0_hat, at, x_t / scale[at]).prev_sample * scale[at - 100]
        x_t = denoise_step(x_t, x0_hat, levels[at], levels[at - 100])
        torch.testing.assert_close(x_t, theirs, atol=1e-6, rtol=0)


def test_the_ancestral_step_is_that_of_ddim_with_eta_one():
    levels = torch.arange(1000, dtype=torch.float64) / 1000
    scale = ((1 - levels) ** 2 + levels**2).sqrt()
    ddim = DDIMScheduler(prediction_type="sample", clip_sample=False)
    ddim.alphas_cumprod = ((1 - levels) / scale) ** 2
    ddim.set_timesteps(10)
    x_t, x0_hat = noise(2, *SMALL).double(), DATA[:2].double()
    for at in ddim.timesteps[:-2].tolist():
        z = torch.randn(x_t.shape, generator=generator(at), dtype=torch.float64)
        theirs = ddim.step(x0_hat, at, x_t / scale[at], eta=1.0, variance_noise=z).prev_sample * scale[at - 100]
        ours = ancestral_step(x_t, x0_hat, levels[at], levels[at - 100], generator(at))
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("steps", [1, 4, 25])
def test_sampling_is_the_euler_method_of_flow_matching_in_diffusers(steps):
    tokens = torch.ones(3, 12, dtype=torch.int64)
    frames = list(sample(some_model, tokens, generator=generator(4), steps=steps, guidance_scale=1, shape=SMALL))
    euler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    euler.set_timesteps(sigmas=[frame.t for frame in frames[:-1]])
    x = frames[0].x_t
    for frame, timestep in zip(frames[:-1], euler.timesteps, strict=True):
        torch.testing.assert_close(x, frame.x_t, atol=1e-5, rtol=0)
        velocity = (x - some_model(x, torch.full((3,), frame.t), tokens)) / frame.t
        x = euler.step(velocity, timestep, x).prev_sample
    torch.testing.assert_close(x, frames[-1].x_t, atol=1e-5, rtol=0)
