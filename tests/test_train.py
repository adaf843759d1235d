import math
import time

import pytest
import torch
from torch import nn
from torch.nn import utils
from torch.nn.utils import parametrizations, prune
from training import train_on

from course_lib.captions import encode, null_tokens
from course_lib.fruit.drawing import Fruit, draw
from course_lib.fruit.words import VOCABULARY
from course_lib.model import Denoiser
from course_lib.noise import add_noise
from course_lib.sample import denoise_step
from course_lib.tools import files
from course_lib.train import (
    Run,
    denoising_loss,
    drop_captions,
    neighbour_loss,
    random_batches,
    random_levels,
    train,
)
from course_lib.weights import load_denoiser, load_run, save_run
from course_lib.weights import save as save_weights


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def tiny_run(seed=0, learning_rate=3e-3, channels=(8, 16)):
    torch.manual_seed(0)
    return Run(Denoiser(VOCABULARY, channels=channels, width=32), learning_rate=learning_rate, seed=seed)


X0 = torch.rand(6, 3, 16, 16, generator=generator()) * 2 - 1
TOKENS = encode(["red apple", "banana", "an orange", "blue grapes", "a green pear", "a fruit"], VOCABULARY)


def go(run, until, steps=6, **options):
    if run.step < until:
        for report in train_on(run, X0, TOKENS, steps=steps, batch_size=4, **options):
            if report.step == until:
                break
    return run


def state(run):
    tensors = {f"model.{k}": v for k, v in run.model.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in run.ema.state_dict().items()}
    for i, optimizer in enumerate(run.optimizers):
        for number, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{number}.{k}": v for k, v in moments.items()}
    return {k: v.clone() for k, v in tensors.items()} | {"generator": run.generator.get_state()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_levels_cover_the_road_and_one_in_sixteen_is_pure_noise():
    t = random_levels(32_000, generator())
    assert t.shape == (32_000,) and t.dtype == torch.float32
    assert (t > 0).all() and (t <= 1).all()
    share, spread = 1 / 16, math.sqrt(15 / 16 / 16 / 32_000)
    assert (t == 1).float().mean().item() == pytest.approx(share, abs=4 * spread)
    middle = t[t < 1]
    assert torch.logit(middle).mean().item() == pytest.approx(0.5, abs=0.03)
    assert torch.logit(middle).std().item() == pytest.approx(1, abs=0.03)


def test_levels_are_the_same_for_the_same_seed_only():
    assert torch.equal(random_levels(50, generator(1)), random_levels(50, generator(1)))
    assert not torch.equal(random_levels(50, generator(1)), random_levels(50, generator(2)))


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_captions_are_dropped_whole_at_the_given_rate(rate):
    count = 10_000
    tokens = torch.arange(1, 12 * count + 1).reshape(count, 12)
    dropped = drop_captions(tokens, rate, generator())
    gone = (dropped == 0).all(1)
    assert torch.equal(dropped[~gone], tokens[~gone])
    assert gone.sum().item() == pytest.approx(rate * count, abs=4 * math.sqrt(rate * (1 - rate) * count))


def test_no_caption_or_every_caption_is_dropped_at_the_ends():
    assert torch.equal(drop_captions(TOKENS, 0.0, generator()), TOKENS)
    assert torch.equal(drop_captions(TOKENS, 1.0, generator()), null_tokens(len(TOKENS)))


def test_the_loss_of_a_model_that_knows_the_answer_is_zero():
    t, eps = random_levels(6, generator()), torch.randn(X0.shape, generator=generator())
    assert denoising_loss(lambda x_t, t, tokens: X0, X0, t, eps, TOKENS) == 0


def test_the_loss_of_a_constant_guess_is_the_weighted_square_by_hand():
    x0 = torch.stack([torch.full((3, 4, 4), value) for value in (0.0, 0.5, -1.0)])
    t, eps = torch.tensor([0.1, 0.5, 1.0]), torch.randn(3, 3, 4, 4, generator=generator())
    loss = denoising_loss(lambda x_t, t, tokens: torch.full_like(x_t, 0.5), x0, t, eps, null_tokens(3))
    by_hand = (0.25 / 0.3**2 + 0.0 / 0.5**2 + 2.25 / 1.0**2) / 3
    assert loss.shape == () and loss.item() == pytest.approx(by_hand)


def test_the_model_is_given_the_noisy_picture_its_level_and_its_caption():
    t, eps = random_levels(6, generator()), torch.randn(X0.shape, generator=generator())
    seen = []

    def model(*inputs):
        seen.extend(inputs)
        return inputs[0]

    denoising_loss(model, X0, t, eps, TOKENS)
    assert torch.equal(seen[0], add_noise(X0, t, eps))
    assert torch.equal(seen[1], t) and torch.equal(seen[2], TOKENS)


def test_an_answer_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"answers with shape \(6, 3, 8, 8\) to pictures of \(6, 3, 16, 16\)"):
        denoising_loss(lambda x_t, t, tokens: x_t[..., :8, :8], X0, torch.ones(6), torch.zeros_like(X0), TOKENS)


def test_a_model_that_knows_the_neighbour_has_no_loss():
    eps, t = torch.randn(X0.shape, generator=generator()), torch.tensor([1.0, 0.8, 0.5, 0.3, 0.1, 0.04])
    s = torch.tensor([0.9, 0.7, 0.4, 0.2, 0.0, 0.0])
    assert neighbour_loss(lambda *_: add_noise(X0, s, eps), X0, t, eps, TOKENS) < 1e-12
    assert neighbour_loss(lambda *_: X0, X0, t, eps, TOKENS, gap=1) == 0  # the giant step
    assert neighbour_loss(lambda x_t, t, tokens: x_t, X0, t, eps, TOKENS) > 1e-3


@pytest.mark.parametrize(("t", "gap"), [(1.0, 0.1), (0.5, 0.1), (0.5, 0.25), (0.05, 0.1), (0.7, 1.0)])
def test_the_loss_on_the_neighbour_is_the_loss_on_the_clean_picture_times_a_factor(t, gap):
    s, level, eps = max(t - gap, 0.0), torch.full((6,), t), torch.randn(X0.shape, generator=generator())

    def guess(x_t, t, tokens):
        return 0.3 * x_t - 0.1

    def stepping(x_t, t, tokens):
        return denoise_step(x_t, guess(x_t, t, tokens), t, (t - gap).clamp(min=0))

    clean = ((guess(add_noise(X0, t, eps), level, TOKENS) - X0) ** 2).mean()
    assert torch.allclose(neighbour_loss(stepping, X0, level, eps, TOKENS, gap), (1 - s / t) ** 2 * clean)
    assert torch.allclose(neighbour_loss(guess, X0, level, eps, TOKENS, gap=1.0), clean)


def test_a_run_can_be_given_another_loss():
    def giant_step(*arguments):
        return neighbour_loss(*arguments, gap=1)

    run, seen = tiny_run(), []
    losses = [r.loss for r in train_on(run, X0, TOKENS, steps=120, batch_size=16, loss=giant_step)]
    assert sum(losses[-20:]) < 0.8 * sum(losses[:20])

    def noted(model, x0, t, eps, tokens):
        seen.append((model is run.model, x0.shape, t.shape, eps.shape, tokens.shape))
        return neighbour_loss(model, x0, t, eps, tokens)

    next(train_on(run, X0, TOKENS, steps=200, batch_size=4, loss=noted))
    assert seen == [(True, (4, 3, 16, 16), (4,), (4, 3, 16, 16), (4, 12))]


def test_training_lowers_the_loss():
    losses = [r.loss for r in train_on(tiny_run(), X0, TOKENS, steps=120, batch_size=16)]
    assert sum(losses[-20:]) < 0.7 * sum(losses[:20])


@pytest.mark.slow
def test_four_pictures_are_learned_by_heart():
    fruits = [Fruit("apple", "red"), Fruit("banana", "yellow"), Fruit("grapes", "purple"), Fruit("pear", "green")]
    x0 = draw(fruits, 32)
    tokens = encode([f"{f.colour} {f.kind}" for f in fruits], VOCABULARY)
    run = tiny_run(channels=(16, 32), learning_rate=1e-2)
    losses = [r.loss for r in train_on(run, x0, tokens, steps=300, batch_size=16, flip=False)]
    assert sum(losses[-20:]) < 0.05 * sum(losses[:5]) / 5 * 20
    eps = torch.randn(x0.shape, generator=generator(7))
    for words in (tokens, null_tokens(4)):
        guess = run.ema(add_noise(x0, 0.6, eps), 0.6, words)
        distance = torch.cdist(guess.flatten(1), x0.flatten(1))
        assert distance.argmin(1).tolist() == [0, 1, 2, 3]
    from_noise = run.ema(eps, 1.0, tokens)
    assert torch.cdist(from_noise.flatten(1), x0.flatten(1)).argmin(1).tolist() == [0, 1, 2, 3]


def test_the_same_seed_gives_the_same_network_bit_for_bit():
    a, b, other = go(tiny_run(seed=1), 5), go(tiny_run(seed=1), 5), go(tiny_run(seed=2), 5)
    assert same(state(a), state(b))
    assert not same(a.model.state_dict(), other.model.state_dict())


def test_other_randomness_does_not_disturb_a_run():
    a, b = go(tiny_run(), 3), tiny_run()
    for _ in train_on(b, X0, TOKENS, steps=6, batch_size=4):
        torch.randn(10)
        if b.step == 3:
            break
    assert same(state(a), state(b))


@pytest.mark.parametrize(("half", "whole"), [(3, 6), (20, 24)])  # the average lags from the 11th step on
def test_a_run_that_is_stopped_saved_and_resumed_loses_nothing(tmp_path, half, whole):
    straight = go(tiny_run(), whole, steps=whole)
    save_run(go(tiny_run(), half, steps=whole), tmp_path / "run.safetensors")
    torch.manual_seed(5)
    resumed = Run(Denoiser(VOCABULARY, channels=(8, 16), width=32), seed=9)
    load_run(resumed, tmp_path / "run.safetensors")
    assert (resumed.step, resumed.pictures) == (half, 4 * half) and resumed.seconds > 0
    assert same(state(go(resumed, whole, steps=whole)), state(straight)) and resumed.step == whole


def test_a_run_can_rest_without_a_file():
    run = go(tiny_run(), 2)
    assert run.step == 2
    assert same(state(go(run, 6)), state(go(tiny_run(), 6)))


def test_a_run_can_be_saved_before_its_first_step(tmp_path):
    save_run(tiny_run(), tmp_path / "run.safetensors")
    run = tiny_run(seed=3)
    load_run(run, tmp_path / "run.safetensors")
    assert same(state(go(run, 6)), state(go(tiny_run(), 6)))


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch, error):
    path = tmp_path / "run.safetensors"
    run = go(tiny_run(), 1)
    save_run(run, path)
    old = path.read_bytes()

    def half_written(tensors, temporary, **options):
        temporary.write_bytes(b"half")
        raise error

    monkeypatch.setattr(files, "save_file", half_written)
    with pytest.raises(type(error)):
        save_run(go(run, 2), path)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_what_is_no_run_of_this_network_is_refused_and_the_run_is_left_as_it_was(tmp_path):
    path = tmp_path / "run.safetensors"
    run = go(tiny_run(), 2)
    before = state(run)

    save_run(go(tiny_run(channels=(8, 24)), 1), path)
    with pytest.raises(ValueError, match="holds no training run of this network.*settings it was started with"):
        load_run(run, path)
    save_weights(run.ema, path)
    with pytest.raises(ValueError, match="holds no training run of this network"):
        load_run(run, path)
    save_run(run, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is cut short, damaged"):
        load_run(run, path)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_run(run, tmp_path / "nothing.safetensors")
    assert same(state(run), before) and run.step == 2


@pytest.mark.parametrize(
    ("length", "message"),
    [
        ({}, "either steps=… or seconds=…"),
        ({"steps": 5, "seconds": 5}, "either steps=… or seconds=…"),
        ({"steps": 0}, "more than zero, not 0"),
        ({"steps": -5}, "more than zero, not -5"),
        ({"seconds": 0.0}, "more than zero, not 0.0"),
        ({"seconds": float("nan")}, "more than zero, not nan"),
        ({"steps": "5"}, "more than zero, not '5'"),
    ],
)
def test_the_length_of_a_run_is_said_once_and_is_positive(length, message):
    with pytest.raises(ValueError, match=message):
        next(train_on(tiny_run(), X0, TOKENS, **length))


def test_pictures_and_captions_must_match():
    with pytest.raises(ValueError, match="6 pictures and 5 captions"):
        next(train_on(tiny_run(), X0, TOKENS[:5], steps=1))
    with pytest.raises(ValueError, match=r"not a tensor of shape \(0, 12\)"):
        next(train_on(tiny_run(), X0[:0], TOKENS[:0], steps=1))


def test_steps_count_the_whole_run_and_done_goes_to_one():
    run = tiny_run()
    reports = list(train_on(run, X0, TOKENS, steps=4, batch_size=4))
    assert [r.step for r in reports] == [1, 2, 3, 4]
    assert [r.done for r in reports] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert all(r.pictures_per_second > 0 and math.isfinite(r.loss) for r in reports)
    assert list(train_on(run, X0, TOKENS, steps=4, batch_size=4)) == []


def test_a_budget_of_seconds_ends_and_pauses_do_not_count():
    run, began = tiny_run(), time.perf_counter()
    for report in train_on(run, X0, TOKENS, seconds=0.3, batch_size=4):
        assert report.step < 2000
        if report.step == 1:
            time.sleep(0.5)
    assert report.done == 1 and 0.3 <= run.seconds < 5 and run.step > 1
    assert time.perf_counter() - began > run.seconds + 0.4


def test_the_learning_rate_stays_then_falls_towards_zero():
    run, rates = tiny_run(learning_rate=1e-3), []
    for _ in train_on(run, X0, TOKENS, steps=10, batch_size=2):
        rates.append({group["lr"] for optimizer in run.optimizers for group in optimizer.param_groups})
    assert [len(rate) for rate in rates] == [1] * 10  # both optimisers go at one rate
    rates = [rate.pop() for rate in rates]
    assert rates[:7] == [1e-3] * 7
    assert rates[7:] == pytest.approx([1e-3, 2e-3 / 3, 1e-3 / 3])


def test_the_average_follows_the_network():
    def distance(a, b):
        return math.sqrt(sum((p - q).square().sum().item() for p, q in zip(a, b, strict=True)))

    run = tiny_run()
    first = [p.detach().clone() for p in run.model.parameters()]
    go(run, 40, steps=40)
    assert not same(run.ema.state_dict(), run.model.state_dict())
    lag = distance(run.ema.parameters(), run.model.parameters())
    assert 0 < lag < 0.5 * distance(first, run.model.parameters())
    assert not any(p.requires_grad for p in run.ema.parameters())


def test_one_of_several_phrasings_is_drawn_each_time_and_some_captions_are_dropped():
    seen = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.grey = nn.Parameter(torch.zeros(()))

        def forward(self, x_t, t, tokens):
            seen.extend(tokens.tolist())
            return self.grey.expand_as(x_t)

    phrasings = torch.arange(1, 1 + 6 * 8 * 3).reshape(6, 8, 3)
    list(train_on(Run(Spy()), X0, phrasings, steps=40))
    rows = {tuple(row) for row in seen}
    assert rows == {tuple(row) for row in phrasings.flatten(0, 1).tolist()} | {(0, 0, 0)}
    dropped = sum(not any(row) for row in seen) / len(seen)
    assert dropped == pytest.approx(0.1, abs=4 * math.sqrt(0.09 / len(seen)))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        *(
            ({"tokens": t}, "tokens must be .* integers, as `encode` gives them, not of type")
            for t in ("a", TOKENS.tolist(), TOKENS.numpy())
        ),
        ({"tokens": TOKENS[:, 0]}, r"not a tensor of shape \(6,\)"),
        ({"tokens": TOKENS.float()}, "not a tensor of shape .* torch.float32"),
        *(({"batch_size": size}, "batch_size must be a whole number") for size in (0, -1, 2.5, True, "4", None)),
        ({"x0": list(X0)}, "Pictures have shape .* not of type list"),
        ({"x0": X0.numpy()}, "Pictures have shape .* not of type ndarray"),
        ({"x0": X0[0]}, r"write x0\[None\]"),
        ({"x0": X0.byte()}, "Pictures are float32"),
        *(({"generator": g}, "generator must be like torch.Generator") for g in (0, None, "0")),
    ],
)
def test_batches_of_what_is_none_are_refused_in_a_sentence(what, said):
    good = {"x0": X0, "tokens": TOKENS, "generator": torch.Generator()}
    with pytest.raises(ValueError, match=said):
        next(random_batches(**good | what))


@pytest.mark.parametrize(
    "how",
    [
        *({"learning_rate": rate} for rate in ("1e-3", math.inf, math.nan, 0, -1e-3, None)),
        *({"seed": seed} for seed in ("3", 2.0, -1, 2**63, None)),
    ],
    ids=str,
)
def test_a_run_refuses_a_rate_or_a_seed_that_is_none(how):
    with pytest.raises(ValueError, match=f"^{next(iter(how))} must be a (whole|finite) number from"):
        Run(tiny_run().model, **how)


@pytest.mark.parametrize("flip", [True, False])
def test_every_second_picture_is_mirrored_where_that_is_asked_for(flip):
    seen = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.grey = nn.Parameter(torch.zeros(()))

        def forward(self, x_t, t, tokens):
            left, right = x_t.mean((1, 2)).chunk(2, dim=1)
            seen.extend((right.mean(1) < left.mean(1))[t < 0.5].tolist())
            return self.grey.expand_as(x_t)

    x0 = torch.linspace(-1, 1, 16).expand(1, 3, 16, 16)
    list(train_on(Run(Spy()), x0, null_tokens(1), steps=20, flip=flip))
    assert sum(seen) / len(seen) == pytest.approx(0.5 if flip else 0, abs=4 * math.sqrt(0.25 / len(seen)) * flip)


def test_any_network_of_ones_own_can_be_trained():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.see = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x_t, t, tokens):
            return self.see(x_t)

    run = Run(Own(), learning_rate=1e-2)
    losses = [report.loss for report in train_on(run, X0 * 0 + 0.5, TOKENS, steps=60)]
    assert losses[-1] < 0.5 * losses[0]


def test_the_average_of_a_network_with_a_batch_norm_has_its_statistics():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.see = nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1)

        def forward(self, x_t, t, tokens):
            return self.see(self.norm(x_t))

    run = go(Run(Own()), 20, steps=20)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert torch.equal(getattr(run.ema.norm, name), getattr(run.model.norm, name))
    assert run.ema.norm.num_batches_tracked == 20 and (run.ema.norm.running_var != 1).all()
    assert not torch.equal(run.ema.see.weight, run.model.see.weight)


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_a_network_with_normed_weights_is_trained_and_goes_on(tmp_path, norm):
    def normed():
        run = tiny_run()
        for layer in (run.model.enter, run.model.level.mlp[0]):
            norm(layer)
        run.model(X0, 0.5, TOKENS)
        return Run(run.model)

    run = go(normed(), 3)
    assert not torch.equal(run.model.enter.weight, normed().model.enter.weight)
    save_run(run, tmp_path / "run.safetensors")
    again = normed()
    load_run(again, tmp_path / "run.safetensors")
    assert same(state(again), state(run))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "change", [utils.weight_norm, lambda layer: prune.l1_unstructured(layer, "weight", 0.5)], ids=["old norm", "pruned"]
)
def test_a_network_that_cannot_be_copied_is_refused_in_a_sentence(change):
    model = tiny_run().model
    change(model.enter)
    with pytest.raises(ValueError, match="cannot be copied. Pruning and the old norms .* parametrizations"):
        Run(model)


def test_a_loaded_network_is_thawed_and_one_that_is_partly_frozen_stays_so():
    run = go(Run(load_denoiser()), 1)
    assert all(value.requires_grad for value in run.model.parameters())
    model = tiny_run().model
    model.caption.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    go(Run(model), 2)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved and not [name for name in moved if name.startswith("caption.")]


def test_a_network_of_doubles_is_trained_on_doubles():
    run = Run(tiny_run().model.double())
    (report,) = train(run, [(X0.double(), TOKENS)], steps=1)
    assert math.isfinite(report.loss) and run.ema.enter.weight.dtype == torch.float64


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ((X0.double(), TOKENS), r"x_t is torch.float64, but this network computes in torch.float32. Write x_t.to"),
        ((X0.numpy(), TOKENS), r"Pictures have shape \(B, 3, H, W\), not of type ndarray"),
        ((X0, TOKENS.numpy()), r"tokens must have shape \(6, 12\).*not of type ndarray"),
        ((X0, "a red apple"), r"tokens must have shape \(6, 12\).*not of type str"),
        ((X0, TOKENS.float()), r"tokens must have shape \(6, 12\).*not a tensor of shape \(6, 12\), torch.float32"),
    ],
)
def test_a_batch_that_is_none_is_refused_in_a_sentence(batch, said):
    with pytest.raises(ValueError, match=said):
        next(train(tiny_run(), [batch], steps=1))


def test_what_is_no_network_and_what_is_no_run_are_called_so():
    with pytest.raises(ValueError, match="A run trains an nn.Module, not str"):
        Run("denoiser")
    with pytest.raises(ValueError, match=r"train takes a Run, such as Run\(model\), not Denoiser"):
        next(train(tiny_run().model, [(X0, TOKENS)], steps=1))
