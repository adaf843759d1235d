import asyncio
import base64
import gc
import io

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.captions import null_tokens
from course_lib.checks import lesson_02 as checks
from course_lib.classroom import plane, show
from course_lib.noise import add_noise
from course_lib.train import Run, random_batches, train
from course_lib.widgets import FlowPlane, panel

CLOUD = plane.two_fruits()
BEST = plane.best_guess(CLOUD)
MIDDLE = CLOUD.mean(0)


def noise(count, seed=0):
    return torch.randn(count, 2, 1, 1, generator=torch.Generator().manual_seed(seed))


# The points


def test_two_fruits_are_clean_pictures_of_one_pixel_and_lie_apart():
    assert CLOUD.shape == (3000, 2, 1, 1) and CLOUD.abs().max() <= 1
    assert add_noise(CLOUD, 0.5, noise(3000)).shape == CLOUD.shape
    banana, apple = CLOUD[:1500], CLOUD[1500:]
    assert {*plane.fruit_of(banana)} == {"banana"} and {*plane.fruit_of(apple)} == {"apple"}
    assert plane.distance_to(apple, banana).min() > 2 * plane.NEAR
    assert plane.fruit_of(MIDDLE[None]) == [""] and plane.landed(MIDDLE[None], CLOUD) == 0
    assert torch.equal(CLOUD, plane.two_fruits()) and not torch.equal(CLOUD, plane.two_fruits(seed=1))


def test_a_banana_is_yellow_an_apple_red_and_nothing_grey():
    red, green, blue = plane.painted(CLOUD).reshape(2, 1500, 3).mean(1).T
    assert red[0] > 0.6 and green[0] > 0.6 and blue[0] < 0.4
    assert red[1] > 0.6 and green[1] < 0.4 and blue[1] < 0.4
    assert np.ptp(plane.painted(MIDDLE[None])) == 0


@pytest.mark.parametrize("count", [0, 2.5, "many", True])
def test_a_count_that_is_none_is_refused(count):
    with pytest.raises(ValueError, match="count must be a whole number"):
        plane.two_fruits(count)


@pytest.mark.parametrize(
    "use", [plane.best_guess, lambda x: plane.PlaneNet()(x, 0.5), lambda x: plane.road(BEST, x, 2)]
)
@pytest.mark.parametrize("x", [torch.zeros(4, 2), torch.zeros(4, 3, 1, 1), [[0, 0]]], ids=["flat", "three", "list"])
def test_what_are_no_points_is_refused(use, x):
    with pytest.raises(ValueError, match=r"Points have shape \(B, 2, 1, 1\), not .*\.$"):
        use(x)


# The guesses


def test_the_best_guess_is_the_average_of_all_from_noise_and_the_point_itself_without():
    assert torch.allclose(BEST(noise(50), 1.0), MIDDLE.expand(50, 2, 1, 1), atol=1e-5)
    some = CLOUD[::100]
    assert torch.allclose(BEST(some, 0.0), some, atol=2e-3)
    assert torch.allclose(BEST(some, torch.zeros(len(some))), some, atol=2e-3)


@pytest.mark.parametrize("t", [0.9, 0.6, 0.3])
def test_no_other_guess_has_a_smaller_error_than_the_best(t):
    clean = CLOUD[torch.randint(3000, (4000,), generator=torch.Generator().manual_seed(1))]
    x_t = add_noise(clean, t, noise(4000))
    best = ((BEST(x_t, t) - clean) ** 2).mean()
    others = {
        "all": MIDDLE,
        "rescaled": x_t / (1 - t),
        "to another level": BEST(x_t, t - 0.2),
        "shy": 0.5 * BEST(x_t, t),
    }
    assert all(((other - clean) ** 2).mean() > best for other in others.values())


def test_one_step_lands_on_nothing_and_many_land_on_the_fruits():
    shares = [plane.landed(plane.road(BEST, noise(500), steps)[-1].x_t, CLOUD) for steps in (1, 2, 20)]
    assert shares[0] == 0 and 0.5 < shares[1] < 0.8 and shares[2] > 0.98


def test_a_road_goes_from_noise_to_the_last_guess_in_equal_levels():
    frames = plane.road(BEST, x_1 := noise(5), 4)
    assert [frame.t for frame in frames] == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert torch.equal(frames[0].x_t, x_1) and torch.equal(frames[-1].x_t, frames[-2].x0_hat)
    half = frames[1].x_t + (frames[2].x_t - frames[1].x_t) * 3  # a step of a third of the way
    assert torch.allclose(half, frames[1].x0_hat, atol=1e-5)


def test_the_librarys_own_training_teaches_a_small_network_nearly_the_best_guess():
    torch.manual_seed(0)
    run = Run(plane.PlaneNet(), learning_rate=4e-3)
    batches = random_batches(CLOUD, null_tokens(len(CLOUD)), run.generator, batch_size=256)
    for _ in train(run, batches, steps=250):
        pass
    x_1 = noise(500)
    assert (run.ema(x_1, 1.0) - MIDDLE).abs().mean() < 0.1  # the blur
    assert plane.landed(plane.road(run.ema, x_1, 20)[-1].x_t, CLOUD) > 0.7
    assert run.ema(x_1, torch.ones(500), null_tokens(500)).shape == x_1.shape


# Figures


@pytest.mark.parametrize(
    "make",
    [
        lambda: plane.clouds([CLOUD, noise(3000)], ["t = 0", "t = 1"]),
        lambda: plane.arrows(BEST, CLOUD, [1, 0.5]),
        lambda: plane.roads({"1 step": plane.road(BEST, noise(9), 1)}, CLOUD),
        lambda: plane.roads({"3 steps": plane.road(BEST, noise(2), 3)}, CLOUD, guesses=True),
    ],
)
def test_a_figure_says_what_it_shows_and_has_colours(make):
    figure = make()
    assert figure.alt.startswith("The plane of ") and "On a fruit lie:" in figure.alt and figure.alt.endswith("%.")
    pixels = np.asarray(Image.open(io.BytesIO(show.figure_png(figure))).convert("RGB")).astype(int)
    assert (np.ptp(pixels, axis=2) > 80).mean() > 0.002


# The exercises


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (6, "Right!"),
        (1, "with 1 step 0.0% of the points land. Take more."),
        (3, "Take more."),
        (7, "try fewer"),
        (50, "try fewer"),
        ("6", "a whole number from 1 to 100"),
        (True, "a whole number"),
        (0, "a whole number"),
        (..., "not attempted yet"),
    ],
)
def test_the_fewest_steps_are_found_by_trying(capsys, steps, said):
    checks.fewest_steps(steps)
    assert said in capsys.readouterr().out


def test_a_place_on_the_road_in_another_form(capsys):
    checks.anywhere_on_the_road(lambda r, x_t, x_s, t, s: ((r - s) * x_t + (t - r) * x_s) / (t - s))
    assert capsys.readouterr().out == "Right!\n"


# The widget


@pytest.fixture
def flow():
    return FlowPlane(BEST, CLOUD)


def test_sliders_alone_drop_a_point_and_take_it_to_a_fruit(flow):
    assert "At t = 1.00 the guess lies on no fruit" in flow.title.value
    flow.x.value, flow.y.value, flow.done.value = 1.0, -1.5, 100
    assert "ends on the apple" in flow.title.value and flow.ground.shown["here"] == len(flow.film) - 1
    assert flow.ground.shown["road"][0] == pytest.approx([1.0, -1.5])
    flow.steps.value = 1
    assert len(flow.ground.shown["road"]) == 2 and "This road ends on no fruit" in flow.title.value


def test_pointing_moves_the_sliders_and_the_road(flow):
    flow.ground.at = [-1.23, 0.98]
    assert (flow.x.value, flow.y.value) == (-1.2, 1.0)
    assert flow.ground.shown["road"][0] == pytest.approx([-1.2, 1.0])
    assert "ends on the banana" in flow.title.value
    flow.ground.at = [99.0, -99.0]  # a drag that left the plane
    assert (flow.x.value, flow.y.value) == (2.2, -2.2)


def test_the_words_say_what_the_road_shows(flow):
    flow.done.value = 100
    for frame, (x, y) in zip(flow.film, flow.ground.shown["road"], strict=True):
        assert frame.x_t.flatten().tolist() == pytest.approx([x, y])
    (end,) = plane.fruit_of(flow.film[-1].x_t)
    assert flow.ground.shown["colour"] == plane.ROADS[end] and end in flow.ground.shown["words"]


def test_play_walks_the_road(monkeypatch, flow):
    monkeypatch.setattr(panel, "PLAY_SECONDS", 0.05)

    async def played():
        flow.play.click()
        await flow.task

    asyncio.run(played())
    assert flow.done.value == 100


def test_a_page_without_a_kernel_has_a_figure(flow):
    shown, about = flow._repr_mimebundle_()
    assert about["image/png"]["alt"].endswith(".") and shown["text/plain"] == "<flow plane: run the cell to use it>"
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert np.asarray(Image.open(io.BytesIO(base64.b64decode(shown["image/png"])))).std() > 10


def test_a_network_that_fails_or_answers_nothing_is_told_and_can_be_asked_again(flow):
    def failing(x_t, t):
        raise ValueError("not now")

    flow.model = failing
    flow.x.value = 0.5
    assert "This stopped with ValueError: not now" in flow.message.value
    flow.model = lambda x_t, t: x_t * torch.nan
    flow.x.value = 0.6
    assert "no finite numbers (NaN)" in flow.message.value
    flow.model = BEST
    flow.x.value = 0.7
    assert flow.message.value == "" and flow.ground.shown["road"][0][0] == pytest.approx(0.7)


def test_what_it_cannot_use_is_refused_and_leaves_nothing():
    import ipywidgets

    alive = getattr(ipywidgets.widgets.widget, "_instances", None)
    before = len(alive)
    with pytest.raises(ValueError, match="Points have shape"):
        FlowPlane(BEST, torch.zeros(3, 2))
    gc.collect()
    assert len(alive) == before


def test_closing_it_closes_all_its_parts():
    import ipywidgets

    alive = getattr(ipywidgets.widgets.widget, "_instances", None)
    before = len(alive)
    FlowPlane(BEST, CLOUD).close()
    assert len(alive) == before
