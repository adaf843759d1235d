"""Quicker twins: the same answers and gradients by the same weights, with fewer products."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode
from training import train_on

from course_lib.beyond.attention import SceneDenoiser
from course_lib.beyond.enlarge import Enlarger
from course_lib.beyond.quick import enlarging_kernel, frozen, in_precision, quick
from course_lib.captions import encode
from course_lib.fruit.words import VOCABULARY
from course_lib.fruit.worlds import SCENES
from course_lib.model import Denoiser
from course_lib.sample import generate
from course_lib.train import Run, denoising_loss

CHANNELS = (8, 16, 24)
SHIPPED_SIZE = dict(patch=2, channels=(64, 128, 192))


def awake(network):
    """A network whose every layer answers: the last one of each block begins at zero."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return network


def case(name):
    """A small network, and what to ask it."""
    torch.manual_seed(0)
    x_t, t = torch.randn(2, 3, 32, 32), torch.tensor([0.2, 1.0])
    words = torch.randint(0, 9, (2, 12))
    if name == "enlarger":
        return awake(Enlarger(channels=CHANNELS, width=16)), (x_t, t, torch.randn(2, 3, 8, 8))
    if name == "scenes":
        network = SceneDenoiser(**SCENES.settings() | {"channels": CHANNELS, "width": 16})
        return awake(network), (x_t, t, torch.randint(1, 9, (2, network.config["max_words"])))
    settings = {"denoiser": {}, "two blocks": {"blocks": 2}, "one scale": {"channels": (8,)}}[name]
    network = awake(Denoiser(VOCABULARY, **dict(patch=2, channels=CHANNELS, width=16) | settings))
    return network, (x_t, t, words)


CASES = ("denoiser", "two blocks", "one scale", "scenes", "enlarger")


def test_a_kernel_convolves_what_was_not_enlarged():
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 4, 6), torch.randn(5, 3, 3, 3)
    wanted = F.conv2d(F.interpolate(x, scale_factor=2.0), weight, padding=1)
    assert torch.allclose(F.conv_transpose2d(x, enlarging_kernel(weight), stride=2, padding=1), wanted, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_quick_twin_answers_alike_and_its_gradients_reach_the_network(name):
    network, asked = case(name)
    twin, keys, weights = quick(network), [*network.state_dict()], [*network.parameters()]
    wanted, found = network(*asked), twin(*asked)
    assert torch.allclose(found, wanted, atol=1e-5)
    above = torch.randn_like(wanted)
    slow = torch.autograd.grad(wanted, weights, above)
    largest = max(gradient.abs().max().item() for gradient in slow)  # some are zero but for rounding
    for one, other in zip(slow, torch.autograd.grad(found, weights, above), strict=True):
        assert torch.allclose(one, other, atol=1e-6 * largest)
    assert [*network.state_dict()] == keys  # as it was, and what it learns the twin knows
    before = found.detach()
    with torch.no_grad():
        for weight in weights:
            weight.mul_(1.5)
    assert not torch.allclose(twin(*asked), before, atol=1e-3)
    assert torch.allclose(twin(*asked), network(*asked), atol=1e-4)


def test_a_quick_twin_of_the_shipped_size_saves_a_seventh_of_the_products():
    network = Denoiser(VOCABULARY, **SHIPPED_SIZE)
    counts = []
    for asked in (network, quick(network)):
        with FlopCounterMode(display=False) as counted:
            asked(torch.zeros(1, 3, 32, 32), 0.5).sum().backward()
        counts.append(counted.get_total_flops())
    assert counts[1] < 6 / 7 * counts[0]


def test_training_through_a_twin_trains_the_network_as_without():
    x0, tokens = torch.rand(8, 3, 32, 32) * 2 - 1, encode(["a red apple"] * 8, VOCABULARY)
    losses = []
    for around in (lambda network: network, quick):
        torch.manual_seed(0)
        run = Run(Denoiser(VOCABULARY, patch=2, channels=CHANNELS, width=16))
        asked = around(run.model)
        steps = train_on(run, x0, tokens, batch_size=8, steps=8, loss=lambda model, *i, a=asked: denoising_loss(a, *i))
        losses.append([report.loss for report in steps])
    assert losses[0][-1] < losses[0][0] and losses[1] == pytest.approx(losses[0], rel=1e-4)


@pytest.mark.parametrize(
    ("precision", "inside", "apart"), [("float32", torch.float32, 0), ("bfloat16", torch.bfloat16, 0.05)]
)
def test_products_are_in_the_precision_asked_for_and_answers_and_gradients_in_float32(precision, inside, apart):
    network, asked = case("denoiser")
    seen = []
    hook = network.enter.register_forward_hook(lambda layer, inputs, answer: seen.append(answer.dtype))
    found = in_precision(network, precision)(*asked)
    hook.remove()
    wanted = network(*asked)
    assert seen == [inside] and found.dtype == torch.float32
    assert (found - wanted).abs().max() <= apart * wanted.abs().max()
    found.mean().backward()
    assert {weight.grad.dtype for weight in network.parameters()} == {torch.float32}


def test_loss_falls_in_bfloat16_as_in_float32():
    x0, tokens = torch.rand(8, 3, 32, 32) * 2 - 1, encode(["a red apple"] * 8, VOCABULARY)
    losses = []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        run = Run(Denoiser(VOCABULARY, patch=2, channels=CHANNELS, width=16))
        asked = in_precision(quick(run.model), precision)
        steps = train_on(run, x0, tokens, batch_size=8, steps=20, loss=lambda model, *i, a=asked: denoising_loss(a, *i))
        losses.append([report.loss for report in steps])
    assert losses[0][-1] < 0.95 * losses[0][0] and losses[1] == pytest.approx(losses[0], rel=0.05)


@pytest.mark.parametrize("guidance_scale", [1.0, 2.0, None])
@pytest.mark.parametrize("name", ["denoiser", "scenes"])
def test_a_frozen_network_samples_the_same_pictures(name, guidance_scale):
    network, (_, _, tokens) = case(name)
    tokens, how = tokens[:1], dict(steps=4, guidance_scale=guidance_scale)
    twice = frozen(network, torch.cat([tokens, torch.zeros_like(tokens)]))
    assert twice.config == network.config and twice.vocabulary == network.vocabulary
    found, wanted = (
        generate(asked, tokens, generator=torch.Generator().manual_seed(3), **how) for asked in (twice, network)
    )
    assert torch.allclose(found, wanted, atol=1e-5)  # 0 on processors that were tried


def test_a_frozen_network_answers_without_the_networks_code_and_with_it_where_sizes_differ(monkeypatch):
    network, asked = case("denoiser")
    quiet, calls, forward = frozen(network, asked[-1]), [], Denoiser.forward
    few = [part[:1] for part in asked]
    wanted = network(*asked), network(*few)
    monkeypatch.setattr(Denoiser, "forward", lambda *inputs: calls.append(1) or forward(*inputs))
    assert torch.allclose(quiet(*asked), wanted[0], atol=1e-5) and not calls
    assert torch.allclose(quiet(*few), wanted[1], atol=1e-5) and calls


def test_freezing_says_nothing_and_leaves_the_network_as_it_was(recwarn):
    network, asked = case("denoiser")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    frozen(network, asked[-1])
    assert not recwarn.list and all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(weight.requires_grad for weight in network.parameters())
