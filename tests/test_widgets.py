import asyncio
import base64
import html
import io
from collections import deque

import numpy as np
import pytest
import torch
from PIL import Image
from traitlets import TraitError

from course_lib.captions import encode
from course_lib.classroom import show
from course_lib.classroom.broken import FAULTS, BrokenRun
from course_lib.fruit.words import VOCABULARY
from course_lib.fruit.worlds import FRUIT
from course_lib.model import Denoiser
from course_lib.noise import add_noise
from course_lib.sample import sample
from course_lib.train import Run, random_batches, train
from course_lib.widgets import panel, watching
from course_lib.widgets.diagnosis_game import DiagnosisGame
from course_lib.widgets.guidance_grid import GuidanceGrid
from course_lib.widgets.noise_slider import NoiseSlider
from course_lib.widgets.pair_explorer import PairExplorer
from course_lib.widgets.prompt_box import PromptBox
from course_lib.widgets.slider import Slider
from course_lib.widgets.trajectory import Trajectory

X0 = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
TOKENS = torch.zeros(6, 12, dtype=torch.int64)


class Halving:
    """A network of the fruit that makes pictures out of anything."""

    vocabulary = VOCABULARY
    config = dict(FRUIT.settings(), steps=25, guidance_scale=2.0)

    def __call__(self, x_t, t, tokens):
        return x_t.clamp(-1, 1) / 2


halving = Halving()


def watch(run, batch_size=64, **how):
    return watching.watch(run, random_batches(X0, TOKENS, run.generator, batch_size=batch_size), **how)


def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def run():
    torch.manual_seed(0)
    return Run(Denoiser(VOCABULARY, channels=(8, 16), width=32, size=16))


@pytest.fixture
def screen(monkeypatch):
    """What was displayed: a list of the figures, with how often one took the place of another."""

    class Screen(list):
        shown = updated = 0

        def display(self, figure, display_id):
            assert display_id
            self.append(figure)
            self.shown += 1
            return self

        def update(self, figure):
            self.append(figure)
            self.updated += 1

    screen = Screen()
    monkeypatch.setattr(watching, "display", screen.display)
    return screen


def picture(figure):
    return figure.axes[1].get_images()[0].get_array()


def test_it_trains_to_the_end_and_one_figure_is_redrawn(run, screen, capsys):
    reports = watch(run, steps=4, batch_size=2, every=0)
    assert [r.step for r in reports] == [1, 2, 3, 4] and run.step == 4
    assert screen.shown == 1 and screen.updated == 3  # one figure after each step
    assert screen[-1].axes[0].get_title() == "after 4 steps"
    assert list(screen[-1].axes[0].get_lines()[0].get_ydata()) == [r.loss for r in reports]
    assert capsys.readouterr().out == ""


def test_the_pictures_start_from_the_same_noise_each_time(run, screen):
    watch(run, steps=2, batch_size=2)
    first = picture(screen[-1])
    watch(run, steps=2, batch_size=2)
    assert (picture(screen[-1]) == first).all()
    watch(run, steps=2, batch_size=2, seed=1)
    assert (picture(screen[-1]) != first).any()


def test_looking_on_changes_nothing_in_the_run(run, screen):
    torch.manual_seed(0)
    other = Run(Denoiser(VOCABULARY, channels=(8, 16), width=32, size=16))
    watch(run, steps=5, batch_size=2, every=0)
    watch(other, steps=5, batch_size=2, every=1e9)
    for ours, theirs in zip(run.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("where", ["training", "drawing"])
def test_stopping_the_cell_keeps_the_run_and_the_next_call_goes_on(run, screen, capsys, monkeypatch, where):
    stop_at, wanted = 3, "Stopped after 3 steps. The run is kept"

    def stopped(*arguments, **options):
        if run.step == stop_at:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    module = show if where == "drawing" else torch.nn.utils
    name = "training" if where == "drawing" else "clip_grad_norm_"
    real = getattr(module, name)
    with monkeypatch.context() as patched:
        patched.setattr(module, name, stopped)
        reports = watch(run, steps=6, batch_size=2, every=0)
    assert [r.step for r in reports] == [1, 2, 3]
    out = capsys.readouterr().out
    assert wanted in out and out.count("\n") == 1
    reports = watch(run, steps=6, batch_size=2)
    assert [r.step for r in reports] == [1, 2, 3, 4, 5, 6]
    assert capsys.readouterr().out == ""


def test_a_finished_run_says_so_at_once_and_still_shows_its_figure(run, screen, capsys):
    first = watch(run, steps=3, batch_size=2)
    again = watch(run, steps=3, batch_size=2)
    assert again == first and run.step == 3 and screen.shown == 2
    assert "already finished, after 3 steps" in capsys.readouterr().out


def test_it_rests_when_told_to(run, screen, capsys):
    reports = watch(run, steps=10, batch_size=2, pause=0.4)
    assert run.step == 4 and reports[-1].done == pytest.approx(0.4)
    assert "Resting after 4 steps, 40% of the run" in capsys.readouterr().out
    assert len(watch(run, steps=10, batch_size=2)) == 10


def test_prompts_are_what_the_pictures_show(run, screen):
    watch(run, steps=1, batch_size=2, prompts=["red apple", "green banana", "a lemon"])
    assert picture(screen[-1]).shape == (16, 3 * 16 + 2 * 2, 3)
    with pytest.raises(ValueError, match="never learned"):
        watch(run, steps=1, prompts=["red apfel"])


def test_the_curve_begins_where_the_run_does_and_shows_what_was_not_watched_as_a_gap(run, screen):
    watch(run, steps=3, batch_size=2)
    state = run.state_dict()
    other = Run(Denoiser(VOCABULARY, channels=(8, 16), width=32, size=16))
    other.load_state_dict(state)

    def steps():
        x, y = screen[-1].axes[0].get_lines()[0].get_data()
        return [int(step) if loss == loss else None for step, loss in zip(x, y, strict=True)]

    assert [r.step for r in watch(other, steps=5, batch_size=2)] == [4, 5] == steps()
    deque(train(other, random_batches(X0, TOKENS, other.generator, batch_size=2), steps=7), 0)
    watch(other, steps=9, batch_size=2)
    assert steps() == [4, 5, None, 8, 9]
    run.load_state_dict(state)
    watch(run, steps=6, batch_size=2)
    run.load_state_dict(state)  # back to an earlier state: what came after it is no part of the run
    assert [r.step for r in watch(run, steps=5, batch_size=2)] == [1, 2, 3, 4, 5] == steps()


def test_time_spent_drawing_is_no_training(run, screen, monkeypatch):
    def slow(*arguments, **options):
        watching.time.sleep(0.4)
        return real(*arguments, **options)

    real = show.training
    monkeypatch.setattr(show, "training", slow)
    watch(run, steps=2, batch_size=2, every=0)
    assert run.seconds < 0.4 * 3


def started(work):
    """Run `work` inside an event loop, as a kernel does, and wait for what it began."""

    async def main():
        panel = work()
        await asyncio.gather(*[panel.task] if panel.task else [], return_exceptions=True)
        return panel

    return asyncio.run(main())


def pixels(image):
    return np.asarray(Image.open(io.BytesIO(image.value))).astype(int)


@pytest.mark.parametrize(("asked", "given"), [(25, 25), (26, 25), (90.0, 100), (-3, 4), (1e9, 100)])
def test_a_slider_goes_to_the_nearest_of_its_numbers(asked, given):
    options = [4, 8, 16, 25, 50, 100]
    moved = Slider(description="steps", options=options)
    moved.value = asked
    for slider in (moved, Slider(description="steps", options=options, value=asked)):
        assert slider.value == given and isinstance(slider.value, int)


def test_a_slider_begins_at_its_first_number_and_takes_nothing_but_numbers():
    slider = Slider(description="steps", options=[4, 8])
    assert slider.value == 4
    with pytest.raises(TraitError):
        slider.value = "eight"
    assert slider.value == 4


def test_a_drag_shows_the_picture_at_that_level():
    slider = NoiseSlider(size=32)
    assert np.array_equal(pixels(slider.picture)[::2, ::2], show.to_image(slider.x0[0]))
    before = slider.histogram.value
    slider.t.value = 1
    assert torch.equal(slider.x_t, slider.eps) and slider.histogram.value != before
    slider.t.value = 0.25
    assert torch.equal(slider.x_t, add_noise(slider.x0, 0.25, slider.eps))


def test_play_walks_from_picture_to_noise_and_lets_go_when_the_slider_is_taken(monkeypatch):
    monkeypatch.setattr(panel, "PLAY_SECONDS", 0.05)
    slider = NoiseSlider(size=8)
    seen = []
    slider.t.observe(lambda change: seen.append(change.new), "value")
    started(lambda: slider.play.click() or slider)
    assert len(seen) == 100 and seen == sorted(seen) and slider.t.value == 1

    slider.t.observe(lambda change: setattr(slider.t, "value", 0.9) if change.new == 0.5 else None, "value")
    started(lambda: slider.play.click() or slider)
    assert slider.t.value == 0.9


def test_a_first_word_that_it_does_not_know_is_refused():
    with pytest.raises(ValueError, match='never learned the word "bananna"'):
        NoiseSlider("a bananna", size=8)


def test_words_change_the_picture_and_unknown_ones_leave_it_and_say_why():
    slider = NoiseSlider(size=32)
    apple = slider.x0
    slider.words.value = "a yellow banana"
    assert not torch.equal(slider.x0, apple) and slider.message.value == ""
    banana = slider.picture.value
    slider.words.value = "a <b>bananna</b>"
    assert slider.picture.value == banana and "<b>" not in slider.message.value
    assert "never learned" in slider.message.value
    slider.words.value = "a red apple"
    assert torch.equal(slider.x0, apple) and slider.message.value == ""


def test_the_answer_of_a_perfect_network_is_the_target():
    x0 = X0[:1]
    explorer = PairExplorer(lambda x_t, t: x0, x0)
    explorer.t.value, explorer.s.value = 0.8, 0.3
    x_t, x_s, answer, difference = explorer.shown
    assert torch.equal(x_t, add_noise(x0, 0.8, explorer.eps)[0])
    assert torch.allclose(answer, x_s, atol=1e-6) and difference.abs().max() < 1e-4
    assert np.array_equal(pixels(explorer.pictures[1])[::5, ::5], show.to_image(x_s))


@pytest.mark.parametrize("s", [0.6, 0.9])
def test_a_step_that_takes_no_noise_away_says_so_and_the_last_pair_stays(s):
    explorer = PairExplorer(lambda x_t, t: X0[:1], X0[:1])
    shown = [picture.value for picture in explorer.pictures]
    explorer.s.value = s
    assert "s must be below t" in explorer.message.value and [p.value for p in explorer.pictures] == shown
    explorer.figure()
    explorer.s.value = 0.2
    assert explorer.message.value == "" and explorer.pictures[1].value != shown[1]


def test_two_films_of_different_length_slide_together():
    films = {
        f"{steps} steps": list(
            sample(halving, encode("a red apple", VOCABULARY), generator=generator(), steps=steps, shape=(3, 8, 8))
        )
        for steps in (4, 10)
    }
    scrubber = Trajectory(films)
    scrubber.place.value = 50
    assert [title.value[:8] for title in scrubber.titles.values()] == ["t = 0.50"] * 2
    for name, frames in films.items():
        x_t = frames[len(frames) // 2].x_t[0]
        assert np.array_equal(pixels(scrubber.pictures[name])[:40:5, ::5], show.to_image(x_t))
    scrubber.place.value = 100
    assert scrubber.titles["4 steps"].value.startswith("t = 0.00")


def test_a_prompt_is_painted_step_by_step_and_kept(tmp_path):
    def work():
        box = PromptBox(halving, "a red apple", folder=tmp_path)
        box.steps.value = 4
        return box

    box = started(work)
    assert len(box.frames) == 5 and box.bar.value == 4 and box.message.value == ""
    assert np.array_equal(pixels(box.guess)[::8, ::8], show.to_image(box.frames[-1].x0_hat[0]))
    assert len(box.strip.children) == 1
    box.save.click()
    assert np.array_equal(
        np.asarray(Image.open(tmp_path / "a_red_apple.png"))[::8, ::8], show.to_image(box.frames[-1].x_t[0])
    )
    assert Image.open(tmp_path / "a_red_apple.gif").n_frames == 5
    assert f"Saved in {tmp_path.name}/" in box.message.value


def test_a_new_prompt_cancels_the_old_one():
    async def main():
        box = PromptBox(halving, "a red apple")
        box.draw()
        first = box.task
        await asyncio.sleep(0.02)
        box.words.value = "a green banana"
        await asyncio.gather(first, box.task, return_exceptions=True)
        return box, first

    box, first = asyncio.run(main())
    assert first.cancelled() and [words for words, _ in box.results] == ["a green banana"]


def test_an_unknown_word_is_answered_in_place_and_stops_the_old_picture():
    async def main():
        box = PromptBox(halving, "a red apple")
        box.draw()
        box.words.value = "a green bananna"
        await asyncio.gather(box.task, return_exceptions=True)
        return box

    box = asyncio.run(main())
    assert "Did you mean &quot;a green banana&quot;?" in box.message.value and box.task.cancelled() and not box.results
    assert box.bar.description == "ready" and box.save.disabled


def test_a_prompt_in_other_words_is_drawn_as_it_was_understood():
    def work():
        box = PromptBox(halving, "a big banana, green")
        box.steps.value = 4
        return box

    box = started(work)
    assert "understood as: a large green banana" in box.message.value
    assert [words for words, _ in box.results] == ["a large green banana"]
    slider = NoiseSlider("a little pear", size=8)
    assert "understood as: a small pear" in slider.message.value


def test_a_distilled_model_answers_while_one_types_and_waits_for_words_on_their_way():
    class Distilled(Halving):
        config = Halving.config | dict(steps=4, guidance_scale=1.0)

    async def main():
        box, patient = PromptBox(Distilled()), PromptBox(halving)
        assert box.words.continuous_update and not patient.words.continuous_update
        told = []
        for typed in (
            "a g",
            "a green ",
            "a green bananna",
            "a green",
            "a green banan",
            "a green banana",
            "a green banana ",
            "",
        ):
            box.words.value = typed
            if box.task:
                await asyncio.gather(box.task, return_exceptions=True)
            told.append(box.message.value)
        patient.words.value = "a g"
        return box, told, patient.message.value

    box, told, patient = asyncio.run(main())
    assert [words for words, _ in box.results] == ["a green banana"] and len(box.frames) == 5
    assert "Did you mean &quot;a green banana&quot;?" in told[2] and not any(told[:2] + told[3:])
    assert "never learned the word" in patient


def test_the_still_picture_is_what_the_controls_ask_for(monkeypatch):
    shown = []
    monkeypatch.setattr(show, "film", lambda frames, columns: shown.append(frames))
    monkeypatch.setattr(PromptBox, "draw", lambda box, change=None: None)  # no picture is under way
    box = PromptBox(halving, "a red apple")
    box.steps.value, box.seed.value = 4, 3
    box.figure()
    noise = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    assert len(shown[0]) == 5 and torch.equal(shown[0][0].x_t, noise)


@pytest.mark.parametrize(
    ("prompt", "word", "becomes"),
    [
        ("a red apple", "banana", "a red banana"),
        ("a red apple", "green", "a green apple"),
        ("an apple", "green", "a green apple"),
        ("a banana", "apple", "an apple"),
        ("a green banana", "orange", "a green orange"),
        ("nonsense", "blue", "a blue fruit"),
        ("a small red apple", "banana", "a small red banana"),
        ("a green banana on a grey background", "red", "a red banana on a grey background"),
        ("a large green banana on a black background", "pear", "a large green pear on a black background"),
    ],
)
def test_chips_build_a_prompt(prompt, word, becomes):
    def work():
        box = PromptBox(halving, prompt)
        box.steps.value = 4
        next(chip for chip in box.chips if chip.description == word).click()
        return box

    assert started(work).words.value == becomes


def test_two_boxes_on_one_page_do_not_disturb_each_other():
    async def main():
        boxes = [PromptBox(halving, prompt) for prompt in ("a red apple", "a green banana")]
        for box in boxes:
            box.draw()
        await asyncio.gather(*(box.task for box in boxes))
        return boxes

    assert [[words for words, _ in box.results] for box in asyncio.run(main())] == [["a red apple"], ["a green banana"]]


def test_a_grid_fills_in_from_one_noise_and_can_be_stopped():
    async def main():
        grid = GuidanceGrid(halving, ["a red apple", "a green banana"], (0, 2), steps=4)
        grid.begin.click()
        while grid.bar.value < 1:
            await asyncio.sleep(0.001)
        grid.halt.click()
        await asyncio.gather(grid.task, return_exceptions=True)
        stopped = [[cell.value != panel.BLANK for cell in line] for line in grid.cells]
        grid.begin.click()
        await grid.task
        return grid, stopped

    grid, stopped = asyncio.run(main())
    assert stopped[0][0] and not stopped[1][1]
    assert all(cell.value != panel.BLANK for line in grid.cells for cell in line) and grid.bar.value == 4
    assert grid.cells[0][0].value == grid.cells[1][0].value  # without words the prompts are one


def ward():
    names = ("healthy", "no EMA", "wrong range")
    return {name: BrokenRun(torch.rand(40), torch.rand(16, 3, 8, 8) * 2 - 1) for name in names}


def test_the_game_explains_right_and_wrong():
    game = DiagnosisGame(ward(), {"A": "no EMA", "B": "wrong range"})
    first = game.picture.value
    game.choice.value = "wrong range"
    assert f"Not wrong range. {FAULTS['no EMA'].look[:20]}" in html.unescape(game.message.value)
    game.choice.value = "no EMA"
    assert "Right: no EMA." in game.message.value and "(1 of 2)" in game.message.value
    game.run.value = "B"
    assert game.picture.value != first and game.message.value == "" and game.choice.index == 0
    assert all("EMA" not in ax.get_title() for ax in game.run_figure("A").axes)


@pytest.mark.parametrize(
    "panel",
    [
        lambda: NoiseSlider(size=32),
        lambda: PairExplorer(lambda x_t, t: X0[:1], X0[:1]),
        lambda: Trajectory({"a": list(sample(halving, encode("a pear", VOCABULARY), generator=generator(), steps=4))}),
        lambda: PromptBox(halving),
        lambda: GuidanceGrid(halving, ["a pear"], (1, 2), steps=2),
        lambda: DiagnosisGame(ward(), {"A": "no EMA"}),
    ],
)
def test_a_page_without_a_kernel_has_a_figure(panel):
    shown, about = panel()._repr_mimebundle_()
    assert about["image/png"]["alt"].endswith(".")
    assert "application/vnd.jupyter.widget-view+json" in shown and len(shown["text/plain"]) < 60
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown["image/png"]))).convert("RGB"))
    assert image.shape[0] > 100 and image.std() > 10
