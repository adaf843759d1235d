from itertools import product

import pytest
import torch

from course_lib.beyond.attention import SceneDenoiser
from course_lib.captions import MAX_WORDS, encode, null_tokens
from course_lib.fruit.words import VOCABULARY
from course_lib.model import CaptionEncoder, Denoiser


def tiny(seed=0, awake=True, **settings):
    torch.manual_seed(seed)
    model = Denoiser(VOCABULARY, **{"channels": (16, 32), "width": 32, **settings})
    if awake:  # the last layer of each block begins at zero; here all of them answer
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape))
    return model


def noisy(count=2, size=16, seed=0):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"patch": 4}, 32),
        ({"patch": 2}, 32),
        ({"patch": 4}, 64),
        ({"patch": 2, "blocks": 2}, 16),
        ({"channels": (8, 16, 24)}, 32),
        ({"channels": (8,)}, 16),
    ],
)
def test_the_guess_has_the_shape_of_the_picture(settings, size):
    model, x_t = tiny(**settings), noisy(2, size)
    x0_hat = model(x_t, torch.tensor([0.2, 1.0]), encode(["red apple", "banana"], VOCABULARY))
    assert x0_hat.shape == x_t.shape and x0_hat.dtype == torch.float32
    assert x0_hat.isfinite().all()


def test_pictures_need_not_be_square():
    assert tiny()(torch.randn(1, 3, 16, 32), 0.5).shape == (1, 3, 16, 32)


def test_the_first_guess_of_all_is_one_plain_grey():
    answer = tiny(awake=False)(noisy(), 0.5)
    assert torch.equal(answer, tiny(awake=False)(noisy(seed=1), 0.9, encode(["red apple"] * 2, VOCABULARY)))
    assert answer.abs().max() < 0.2


def test_no_tokens_means_the_null_caption():
    model, x_t = tiny(), noisy()
    assert torch.equal(model(x_t, 0.5), model(x_t, 0.5, null_tokens(2)))


def test_noise_level_caption_and_picture_all_change_the_guess():
    model, x_t, apple = tiny(), noisy(), encode(["red apple"] * 2, VOCABULARY)
    guess = model(x_t, 0.5, apple)
    others = [
        model(x_t, 0.6, apple),
        model(x_t, 0.5, encode(["red banana"] * 2, VOCABULARY)),
        model(x_t, 0.5, null_tokens(2)),
        model(noisy(seed=1), 0.5, apple),
    ]
    assert all((guess - other).abs().max() > 1e-3 for other in others)


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.01), (0.5, 0.51), (0.99, 1.0)])
def test_near_noise_levels_are_told_apart(a, b):
    model, x_t = tiny(), noisy()
    assert (model(x_t, a) - model(x_t, b)).abs().max() > 1e-4


def test_a_picture_alone_gets_the_guess_it_gets_in_a_batch():
    model, x_t, t = tiny(), noisy(4), torch.tensor([0.1, 0.4, 0.7, 1.0])
    tokens = encode(["red apple", "banana", "an orange", "blue grapes"], VOCABULARY)
    together = model(x_t, t, tokens)
    alone = torch.cat([model(x_t[i : i + 1], t[i].item(), tokens[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_the_same_input_gives_the_same_guess_and_makes_no_parameters():
    model, x_t = tiny(), noisy()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert torch.equal(model(x_t, 0.5), model(x_t, 0.5))
    assert torch.equal(model.train()(x_t, 0.5), model.eval()(x_t, 0.5))
    after = model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_gradients_reach_every_parameter():
    model = tiny()
    model(noisy(), torch.tensor([0.3, 0.9]), encode(["red apple", "an orange"], VOCABULARY)).square().mean().backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert still == []


def test_a_fresh_network_wakes_up_completely_in_a_few_steps():
    model = tiny(awake=False)
    begin = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    target = noisy(seed=3)
    for _ in range(4):
        loss = (model(noisy(), 0.5, encode(["red apple", "an orange"], VOCABULARY)) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert [n for n, p in model.named_parameters() if torch.equal(p, begin[n])] == []


def test_the_order_of_the_words_counts():
    torch.manual_seed(0)
    encoder = CaptionEncoder(len(VOCABULARY), 32)
    colour, fruit = encoder(encode(["orange apple", "apple orange"], VOCABULARY))
    assert (colour - fruit).abs().max() > 1e-2


def test_each_caption_has_its_vector_whatever_its_neighbours():
    torch.manual_seed(0)
    encoder = CaptionEncoder(len(VOCABULARY), 32)
    tokens = encode(["red apple", "a banana", "red apple"], VOCABULARY)
    together = encoder(tokens)
    assert together.shape == (3, 32) and torch.equal(together[0], together[2])
    torch.testing.assert_close(together[1:2], encoder(tokens[1:2]))


def test_the_settings_make_the_same_network_again():
    model = tiny(patch=2, blocks=2)
    again = Denoiser(**model.config)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(noisy(), 0.5), model(noisy(), 0.5))


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 1, 16, 16), (1, 3, 16, 12), (1, 3, 20, 16)])
def test_pictures_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"x_t must have shape \(B, 3, H, W\) with H and W multiples of 8"):
        tiny()(torch.zeros(shape), 0.5)


@pytest.mark.parametrize("t", [-0.1, 1.1, float("nan"), torch.zeros(3)])
def test_what_is_no_noise_level_is_refused(t):
    with pytest.raises(ValueError, match="noise level"):
        tiny()(noisy(), t)


@pytest.mark.parametrize("shape", [(1, MAX_WORDS), (2, MAX_WORDS - 1), (MAX_WORDS,)])
def test_tokens_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=rf"tokens must have shape \(2, {MAX_WORDS}\), one caption for each"):
        tiny()(noisy(), 0.5, torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("token", [-1, len(VOCABULARY)])
def test_tokens_outside_the_vocabulary_are_refused(token):
    with pytest.raises(ValueError, match=rf"Tokens lie in \[0, {len(VOCABULARY) - 1}\].*{token}.*vocabulary"):
        tiny()(noisy(), 0.5, torch.full((2, MAX_WORDS), token))


@pytest.mark.parametrize("x_t", [noisy().numpy(), [[0.0]], "noise", None, noisy(0)])
def test_what_is_no_batch_of_pictures_is_refused(x_t):
    with pytest.raises(
        ValueError, match=r"x_t must have shape \(B, 3, H, W\).*not (of type \w+|a tensor of shape \(0, )"
    ):
        tiny()(x_t, 0.5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.uint8])
def test_pictures_of_another_type_are_refused_with_the_one_that_is_needed(dtype):
    with pytest.raises(ValueError, match=rf"x_t is {dtype}, but this network computes in torch.float32. Write x_t.to"):
        tiny()(noisy().to(dtype), 0.5)
    assert tiny().double()(noisy().double(), 0.5).dtype == torch.float64


@pytest.mark.parametrize("tokens", ["a red apple", ["a red apple"] * 2, [[0] * MAX_WORDS] * 2, null_tokens(2).numpy()])
def test_what_is_no_tensor_of_tokens_is_refused(tokens):
    with pytest.raises(ValueError, match=rf"tokens must have shape.*not of type {type(tokens).__name__}"):
        tiny()(noisy(), 0.5, tokens)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.uint8])
def test_tokens_of_another_type_are_refused(dtype):
    with pytest.raises(ValueError, match=rf"tokens must have shape.*int64, not a tensor of shape .*{dtype}"):
        tiny()(noisy(), 0.5, null_tokens(2).to(dtype))


@pytest.mark.parametrize(
    ("network", "settings", "side"),
    [
        (Denoiser, {"patch": 4, "channels": (8, 8, 8, 8)}, 64),
        (Denoiser, {"patch": 8, "channels": (8, 8, 8)}, 64),
        (Denoiser, {"patch": 4, "channels": (16,) * 5}, 64),
        (Denoiser, {"patch": 4, "channels": (16, 16), "size": 36}, 8),
        (SceneDenoiser, {"patch": 4, "channels": (8,) * 5, "width": 32}, 128),
    ],
)
def test_a_network_too_deep_for_its_pictures_is_refused(network, settings, side):
    with pytest.raises(ValueError, match=f"draw multiples of {side} pixels, not {settings.get('size', '')}"):
        network(VOCABULARY, **settings)


@pytest.mark.parametrize(
    ("network", "name"),
    [*product([Denoiser, SceneDenoiser], ["patch", "width", "max_words", "size"]), (Denoiser, "blocks")],
)
@pytest.mark.parametrize("value", [0, -1, 2.0, "4", None, True])
def test_a_setting_that_is_no_whole_number_is_refused_by_its_name(network, name, value):
    with pytest.raises(ValueError, match=f"^{name} must be a whole number from 1 to "):
        network(VOCABULARY, **{name: value})


@pytest.mark.parametrize("network", [Denoiser, SceneDenoiser])
@pytest.mark.parametrize(
    "settings",
    [{"channels": ()}, {"channels": (7,)}, {"channels": (0,)}, {"channels": "48"}, {"channels": (8.0,)}, {"width": 7}],
    ids=str,
)
def test_channels_and_width_that_make_no_layers_are_refused(network, settings):
    with pytest.raises(ValueError, match="^channels are some multiples of 8, width is one of 4, but they are "):
        network(VOCABULARY, **settings)


@pytest.mark.parametrize("channels", [(8,), (8, 8), (8, 8, 8), (16, 16, 16, 16), (8, 16, 8, 16)])
def test_a_network_that_can_be_made_can_draw_its_smallest_picture_alone(channels):
    model = Denoiser(VOCABULARY, channels=channels, width=16)
    assert model(noisy(1, model.smallest), 0.5).shape == (1, 3, model.smallest, model.smallest)
