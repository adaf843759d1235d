"""The denoiser that looks at words: attention is a share, words keep their places, and it learns."""

import pytest
import torch
from training import train_on

from course_lib import weights
from course_lib.beyond.attention import Attention, SceneDenoiser, WordEncoder, attention_maps
from course_lib.fruit.scene_pictures import scene_tokens as encode
from course_lib.fruit.scene_prompts import MAX_SCENE_WORDS
from course_lib.fruit.words import SCENE_VOCABULARY
from course_lib.fruit.worlds import SCENES
from course_lib.model import Denoiser
from course_lib.sample import generate
from course_lib.tools.pixels import Bytes
from course_lib.train import Run


def tiny(seed=0, awake=True, **settings):
    torch.manual_seed(seed)
    model = SceneDenoiser(**SCENES.settings() | {"channels": (8, 16, 24), "width": 16, **settings})
    if awake:  # the last layer of each block begins at zero; here all of them answer
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape))
    return model


def noisy(count=2, size=32, seed=0):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


APPLE = "a red apple and a green banana"
SWAPPED = "a green apple and a red banana"


def test_attention_is_a_softmax_over_the_known_words():
    torch.manual_seed(0)
    look = Attention(8, 4, heads=2)
    x, words = torch.randn(2, 5, 8), torch.randn(2, 3, 4)
    known = torch.tensor([[True, True, False], [True, True, True]])
    answer, attention = look(x, words, known)
    assert torch.equal(answer, x)  # it begins as "change nothing"
    assert attention.shape == (2, 5, 3) and torch.equal(attention[0, :, 2], torch.zeros(5))
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 5))
    torch.nn.init.normal_(look.out.weight)
    q, k, v = (
        layer(h).unflatten(2, (2, -1)).transpose(1, 2)
        for layer, h in ((look.query, look.norm(x)), (look.key, words), (look.value, words))
    )
    oracle = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=known[:, None, None])
    torch.testing.assert_close(look(x, words, known)[0], x + look.out(oracle.transpose(1, 2).flatten(2)))


def test_a_word_hears_the_others_but_not_what_is_not_there():
    torch.manual_seed(0)
    encoder = WordEncoder(len(SCENE_VOCABULARY), MAX_SCENE_WORDS, 16)
    for look in encoder.look:
        torch.nn.init.normal_(look.out.weight, std=0.3)
    words, known = encoder(encode([APPLE, SWAPPED, "a red apple"]))
    assert words.shape == (3, MAX_SCENE_WORDS + 1, 16)
    assert known.sum(1).tolist() == [8, 8, 4] and known[:, -1].all()
    assert (words[0, 6] - words[1, 6]).abs().max() > 1e-3  # banana, the green one and the red one
    longer = encoder(torch.nn.functional.pad(encode("a red apple")[:, :3], (0, 9)))[0]
    torch.testing.assert_close(longer[0, :3], words[2, :3])  # padding changes nothing


@pytest.mark.parametrize(("settings", "size"), [({}, 32), ({"patch": 2}, 16), ({}, 64), ({"channels": (8, 16)}, 16)])
def test_the_guess_has_the_shape_of_the_picture(settings, size):
    x_t = noisy(2, size)
    x0_hat = tiny(**settings)(x_t, torch.tensor([0.2, 1.0]), encode([APPLE, "two yellow lemons"]))
    assert x0_hat.shape == x_t.shape and x0_hat.isfinite().all()


def test_the_null_caption_gives_a_guess():
    model, x_t = tiny(), noisy()
    guess = model(x_t, 0.5)
    assert guess.isfinite().all() and torch.equal(guess, model(x_t, 0.5, torch.zeros(2, 20, dtype=torch.int64)))
    guess.square().mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_the_first_guess_of_all_is_one_plain_grey():
    assert tiny(awake=False)(noisy(), 0.5).abs().max() < 0.2


def test_order_binding_level_and_picture_all_change_the_guess():
    model, x_t = tiny(), noisy()
    guess = model(x_t, 0.5, encode([APPLE] * 2))
    others = [
        model(x_t, 0.5, encode([SWAPPED] * 2)),
        model(x_t, 0.6, encode([APPLE] * 2)),
        model(x_t, 0.5),
        model(noisy(seed=1), 0.5, encode([APPLE] * 2)),
    ]
    assert all((guess - other).abs().max() > 1e-4 for other in others)


def test_a_picture_alone_gets_the_guess_it_gets_in_a_batch():
    model, x_t, tokens = tiny(), noisy(3), encode([APPLE, "a pear", "two bunches of grapes"])
    alone = torch.cat([model(x_t[i : i + 1], 0.4, tokens[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(model(x_t, 0.4, tokens), alone, rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_parameter():
    model = tiny()
    model(noisy(), torch.tensor([0.3, 0.9]), encode([APPLE, "two yellow lemons"])).square().mean().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []


def test_maps_say_which_place_looks_at_which_word():
    tokens = torch.cat([encode([APPLE]), torch.zeros(1, 20, dtype=torch.int64)])
    maps = attention_maps(tiny(), noisy(2, 64), 0.5, tokens)
    assert maps.shape == (2, MAX_SCENE_WORDS + 1, 8, 8)
    assert maps.min() >= 0 and torch.equal(maps[:, 7:20], torch.zeros(2, 13, 8, 8))  # no map where there is no word
    torch.testing.assert_close(maps.sum(1), torch.ones(2, 8, 8))
    torch.testing.assert_close(maps[1, -1], torch.ones(8, 8))  # without words all look at "nothing"


def test_the_usual_network_is_small_enough_to_ship():
    parameters = sum(p.numel() for p in SceneDenoiser(SCENE_VOCABULARY).parameters())
    assert 4 * parameters < 20_000_000


def test_it_learns_a_few_scenes_and_can_be_sampled_from():
    torch.manual_seed(0)
    x0 = Bytes(torch.randint(0, 255, (4, 3, 1, 1), dtype=torch.uint8).expand(4, 3, 16, 16).contiguous())
    tokens = encode([APPLE, SWAPPED, "two yellow lemons", "a pear"])
    run = Run(tiny(awake=False, channels=(16, 32)), learning_rate=5e-3)
    losses = [report.loss for report in train_on(run, x0, tokens, steps=60, batch_size=16, flip=False)]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    made = generate(run.ema, tokens, generator=torch.Generator().manual_seed(0), steps=2, shape=(3, 16, 16))
    assert made.isfinite().all()


def test_a_network_comes_back_from_its_file(tmp_path):
    model, path = tiny(), tmp_path / "scenes.safetensors"
    weights.save(model, path, seed=1)
    for again in (weights.load_scene_denoiser(path), weights.load(path, Denoiser, SceneDenoiser)):
        assert again.config == model.config and again.vocabulary == SCENE_VOCABULARY
        assert torch.equal(again(noisy(), 0.5, encode([APPLE] * 2)), model(noisy(), 0.5, encode([APPLE] * 2)))
    with pytest.raises(ValueError, match="holds a SceneDenoiser, but a Denoiser is needed"):
        weights.load_denoiser(path)


@pytest.mark.parametrize(
    ("x_t", "tokens", "message"),
    [
        (noisy(2, 20), encode([APPLE] * 2), "multiples of 16"),
        (noisy(2), encode([APPLE]), r"tokens must have shape \(2, 20\)"),
        (noisy(2), encode([APPLE] * 2)[:, :12], "one caption for each"),
        (noisy(1), torch.full((1, 20), 99), "this model's vocabulary"),
    ],
)
def test_what_does_not_fit_is_refused(x_t, tokens, message):
    with pytest.raises(ValueError, match=message):
        tiny()(x_t, 0.5, tokens)
