import asyncio
import base64
import contextlib
import gc
import html
import io
import itertools
import re
from collections import deque
from types import SimpleNamespace

import ipywidgets
import numpy as np
import pytest
import torch
import tqdm.notebook
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image
from traitlets import TraitError

from course_lib.beyond.enlarge import Enlarger, enlarge, enlarging, noise_beside
from course_lib.captions import encode
from course_lib.classroom import show
from course_lib.classroom.broken import FAULTS, BrokenRun
from course_lib.fruit.words import VOCABULARY
from course_lib.fruit.worlds import FRUIT
from course_lib.model import Denoiser, encode_for
from course_lib.noise import add_noise
from course_lib.sample import sample, sampling_of
from course_lib.tools import bars, cells
from course_lib.tools.files import DATA
from course_lib.train import Report, Run, random_batches, train
from course_lib.weights import load_denoiser, load_run, load_scene_denoiser, save_run
from course_lib.widgets import panel, prompt_box, watching
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


@pytest.fixture(autouse=True)
def no_enlarger(monkeypatch):
    """No network that enlarges, whether one is shipped or not, unless a test brings one."""
    monkeypatch.setattr(prompt_box, "load_enlarger", raising(FileNotFoundError("There is no file")))


def raising(error):
    def load(*args):
        raise error

    return load


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


def test_the_curve_begins_where_the_run_does_and_shows_what_was_not_watched_as_a_gap(run, screen, tmp_path):
    watch(run, steps=3, batch_size=2)
    file = tmp_path / "run.safetensors"
    save_run(run, file)
    other = Run(Denoiser(VOCABULARY, channels=(8, 16), width=32, size=16))
    load_run(other, file)

    def steps():
        x, y = screen[-1].axes[0].get_lines()[0].get_data()
        return [int(step) if loss == loss else None for step, loss in zip(x, y, strict=True)]

    assert [r.step for r in watch(other, steps=5, batch_size=2)] == [4, 5] == steps()
    deque(train(other, random_batches(X0, TOKENS, other.generator, batch_size=2), steps=7), 0)
    watch(other, steps=9, batch_size=2)
    assert steps() == [4, 5, None, 8, 9]
    load_run(run, file)
    watch(run, steps=6, batch_size=2)
    load_run(run, file)  # back to an earlier state: what came after it is no part of the run
    assert [r.step for r in watch(run, steps=5, batch_size=2)] == [1, 2, 3, 4, 5] == steps()


def test_a_run_that_rests_is_not_taken_further_by_looking_again(run, screen, capsys):
    for _ in range(2):
        reports = watch(run, steps=4, batch_size=2, pause=0.5)
        assert run.step == 2 == len(reports) and "Resting after 2 steps, 50% of the run" in capsys.readouterr().out
    assert len(watch(run, steps=4, batch_size=2)) == 4


def test_time_spent_drawing_is_no_training(run, screen, monkeypatch):
    def slow(*arguments, **options):
        nonlocal ahead
        ahead += 1000
        return real(*arguments, **options)

    real, clock, ahead = show.training, watching.time.perf_counter, 0
    monkeypatch.setattr(watching.time, "perf_counter", lambda: clock() + ahead)
    monkeypatch.setattr(show, "training", slow)
    watch(run, steps=2, batch_size=2, every=0)
    assert ahead >= 2000 and run.seconds < 1000


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
        box = PromptBox(halving)
        box.steps.value, box.words.value = 4, prompt
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
    g = generator()
    return {name: BrokenRun(torch.rand(40, generator=g), torch.rand(16, 3, 8, 8, generator=g)) for name in names}


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


PANELS = {
    "NoiseSlider": lambda: NoiseSlider(size=32),
    "PairExplorer": lambda: PairExplorer(halving_alone, X0[:1]),
    "Trajectory": lambda: Trajectory({"a": film(halving)}),
    "PromptBox": lambda: PromptBox(halving),
    "GuidanceGrid": lambda: GuidanceGrid(halving, ["a pear"], (1, 2), steps=2),
    "DiagnosisGame": lambda: DiagnosisGame(ward(), {"A": "no EMA", "B": "wrong range"}),
}


def halving_alone(x_t, t):
    return x_t / 2


def film(model, tokens=TOKENS[:1], **options):
    return list(sample(model, tokens, generator=generator(), steps=4, **options))


@pytest.mark.parametrize("name", PANELS)
def test_a_page_without_a_kernel_has_a_figure(name):
    chance = torch.get_rng_state()
    shown, about = PANELS[name]()._repr_mimebundle_()
    assert about["image/png"]["alt"].endswith(".")
    assert "application/vnd.jupyter.widget-view+json" in shown and len(shown["text/plain"]) < 60
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown["image/png"]))).convert("RGB"))
    assert image.shape[0] > 100 and image.std() > 10
    assert torch.equal(torch.get_rng_state(), chance)


# What a kernel keeps alive


def alive():
    return len(getattr(ipywidgets.widgets.widget, "_instances", None) or ipywidgets.Widget.widgets)


@pytest.fixture
def run_cell(monkeypatch):
    """Run something in a cell of a notebook, as a kernel knows it: a cell may have a name."""
    times = itertools.count()

    def run_cell(work, cell="a cell", name=None, kind="execute_request"):
        request = {
            "header": {"msg_type": kind, "msg_id": str(next(times))},
            "metadata": {"cellId": name} if name else {},
        }
        heard = SimpleNamespace(register=lambda *about: None)  # where matplotlib leaves word
        shell = SimpleNamespace(get_parent=lambda: request | {"content": {"code": cell}}, events=heard)
        with monkeypatch.context() as patched:
            patched.setattr("IPython.get_ipython", lambda: shell)
            return work()

    monkeypatch.setattr(cells, "SHOWN", {})
    return run_cell


@pytest.mark.parametrize("how", [{}, {"name": "5f3a"}], ids=["by its text", "by its name"])
@pytest.mark.parametrize("name", PANELS)
def test_a_cell_that_is_run_again_leaves_no_more_widgets_alive(run_cell, name, how):
    before = alive()
    first = run_cell(PANELS[name], **how)
    one = alive() - before
    for _ in range(3):
        last = run_cell(PANELS[name], **how)
        assert alive() - before == one > 5
    assert first.comm is None and last.comm is not None and last.children[-1].comm is not None
    last.close()
    assert alive() == before


REPORTS = [Report(step, 1.0, 100.0, step / 4) for step in range(1, 5)]


def passed(until=9, raising=None):
    """Look at reports through a bar, until one breaks off or fails."""

    def work():
        with contextlib.suppress(ValueError):
            for report in show.progress(iter(REPORTS)):
                if report.step == until:
                    if raising:
                        raise raising
                    break

    return work


BARS = {
    "to the end": passed(),
    "broken off": passed(2),
    "failed": passed(2, ValueError()),
    "only begun": lambda: next(show.progress(iter(REPORTS))),
    "watched": lambda: watch(Run(Bare()), steps=2, batch_size=2),
}


@pytest.mark.parametrize("name", BARS)
def test_a_bar_of_a_cell_that_is_run_again_leaves_no_more_widgets_alive(run_cell, monkeypatch, screen, name):
    monkeypatch.setattr(bars, "tqdm", tqdm.notebook.tqdm)
    before, counts = alive(), []
    for _ in range(3):
        run_cell(BARS[name])
        counts.append(alive() - before)
    assert counts[0] == counts[1] == counts[2] > 5  # the last bar can still be seen
    run_cell(lambda: cells.take_place(print))
    assert alive() == before


@pytest.mark.parametrize("fails", [False, True])
def test_a_bar_that_is_not_to_stay_closes_with_all_its_parts(monkeypatch, fails):
    monkeypatch.setattr(bars, "tqdm", tqdm.notebook.tqdm)
    before = alive()
    with contextlib.suppress(ZeroDivisionError), bars.bar([1, 2, 3], leave=False) as shown:
        for i in shown:
            assert alive() > before + 5
            i / (0 if fails else 1)
    assert alive() == before


def test_what_can_still_be_seen_stays_alive(run_cell):
    two = run_cell(lambda: [PANELS["NoiseSlider"](), PANELS["NoiseSlider"]()])  # both below one cell
    other = [run_cell(PANELS["NoiseSlider"], cell="another"), run_cell(PANELS["NoiseSlider"], name="5f3a")]
    by_touch = run_cell(PANELS["NoiseSlider"], kind="comm_msg")
    assert all(box.comm is not None for box in [*two, *other, by_touch])
    run_cell(PANELS["NoiseSlider"])
    assert all(box.comm is None for box in two) and all(box.comm is not None for box in [*other, by_touch])


def test_work_under_way_ends_with_its_box(run_cell):
    async def main():
        box = run_cell(lambda: PromptBox(halving))
        box.draw()
        await asyncio.sleep(0.02)
        run_cell(lambda: PromptBox(halving))
        await asyncio.gather(box.task, return_exceptions=True)
        return box

    assert asyncio.run(main()).task.cancelled()


def test_drawing_again_and_again_leaves_no_more_widgets_alive():
    async def main():
        box = PromptBox(halving)
        box.steps.value = 4
        counts = set()
        for seed in range(12):
            box.seed.value = seed
            await box.task
            counts.add(alive())
        return box, counts

    box, counts = asyncio.run(main())
    assert len(counts) == 1 and len(box.strip.children) == len(box.results) == PromptBox.KEPT
    newest, label = box.strip.children[0].children
    assert (
        np.array_equal(pixels(newest)[::3, ::3], show.to_image(box.results[-1][1])) and label.value == "a green banana"
    )


@pytest.mark.slow
def test_a_kernel_keeps_no_widget_of_a_cell_that_was_run_before(tmp_path):
    begin = """
import ipywidgets, torch
from IPython.display import display
from course_lib.captions import null_tokens
from course_lib.model import Denoiser, encode_for
from course_lib.sample import sample, sampling_of
from course_lib.tools.files import DATA
from course_lib.classroom import show
from course_lib.train import Run, train
from course_lib.widgets import *
net = Denoiser(("", "boat", "house"), channels=(8, 16), width=32, size=16, steps=2)
alive = getattr(ipywidgets.widgets.widget, "_instances", None) or ipywidgets.Widget.widgets
"""
    again = """
display(PromptBox(net), NoiseSlider(size=16), GuidanceGrid(net, ["boat"], (0, 1)))
display(PairExplorer(net, torch.zeros(1, 3, 16, 16)))
display(Trajectory({"a": list(sample(net, null_tokens(1), generator=torch.Generator(), steps=2))}))
run = Run(Denoiser(("", "boat"), channels=(8, 16), width=32, size=16))
batches = [(torch.zeros(1, 3, 16, 16), null_tokens(1))] * 9
watch(run, batches, steps=2)
for report in show.progress(train(run, batches, steps=9)):
    if report.step == 4:
        break
print(len(alive))
"""
    notebook = new_notebook(cells=[new_code_cell(code) for code in (begin, again, again, again)])
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    first, *others = [cell.outputs[-1].text for cell in notebook.cells[1:]]
    assert int(first) > 100 and others == [first, first]


# What fails


def failing(*arguments, **options):
    raise ValueError("<b>not now</b>\x07\ud800")


TOUCHES = {  # a control of each panel, and what fails behind it
    "NoiseSlider": [
        (lambda box: setattr(box.t, "value", 0.3), "png"),
        (lambda box: setattr(box.words, "value", "a pear"), "png"),
    ],
    "PairExplorer": [(lambda box: setattr(box.s, "value", 0.1), "png")],
    "Trajectory": [(lambda box: setattr(box.place, "value", 40), "png"), (lambda box: box.play.click(), "png")],
    "PromptBox": [(lambda box: box.go.click(), "png"), (lambda box: setattr(box.seed, "value", 3), "png")],
    "GuidanceGrid": [(lambda box: box.begin.click(), "png")],
    "DiagnosisGame": [(lambda box: setattr(box.run, "value", "B"), "figure_png")],
}


@pytest.mark.parametrize("name", TOUCHES)
def test_an_error_is_said_in_the_panel_and_its_controls_work_on(monkeypatch, name):
    monkeypatch.setattr(panel, "PLAY_SECONDS", 0.02)

    async def told(box, touch):
        touch(box)
        await asyncio.gather(*[box.task] if box.task else [], return_exceptions=True)
        await asyncio.sleep(0)
        return box.message.value

    async def main(box, touch, behind):
        with monkeypatch.context() as patched:
            patched.setattr(show, behind, failing)
            said = await told(box, touch)
            assert "This stopped with ValueError: &lt;b&gt;not now&lt;/b&gt;\\x07\\ud800" in said
            assert not hasattr(box, "go") or (box.bar.description == "ready" and box.save.disabled)
        assert "This stopped" not in await told(box, AGAIN[name])

    for touch, behind in TOUCHES[name]:
        asyncio.run(main(PANELS[name](), touch, behind))


AGAIN = {name: touches[0][0] for name, touches in TOUCHES.items()} | {
    "NoiseSlider": lambda box: setattr(box.t, "value", 0.6),
    "PairExplorer": lambda box: setattr(box.s, "value", 0.2),
    "Trajectory": lambda box: setattr(box.place, "value", 80),
    "DiagnosisGame": lambda box: setattr(box.run, "value", "A"),
}


@pytest.mark.parametrize("name", PANELS)
def test_a_first_drawing_that_fails_leaves_the_box_which_says_so(monkeypatch, name):
    box, before = PANELS[name](), alive()
    monkeypatch.setattr(type(box), "figure", failing)
    shown, about = box._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown and "image/png" not in shown and not about
    assert "This stopped with ValueError: &lt;b&gt;not now&lt;/b&gt;\\x07\\ud800" in box.message.value
    assert alive() == before


def test_a_network_that_fails_is_told_in_the_box_that_a_cell_ends_with(monkeypatch):
    monkeypatch.setattr(bars, "tqdm", tqdm.notebook.tqdm)

    class Failing(Halving):
        __call__ = failing

    for box in (PromptBox(Failing()), GuidanceGrid(Failing(), ["a pear"])):
        before = alive()
        assert "widget-view" in "".join(box._repr_mimebundle_()[0])
        assert "This stopped with ValueError" in box.message.value and alive() == before


class Broken(Halving):
    """A network whose training blew up."""

    def __call__(self, x_t, t, tokens=None):
        return x_t * torch.nan


NOTHING = {
    "PromptBox": lambda: PromptBox(Broken()),
    "GuidanceGrid": lambda: GuidanceGrid(Broken(), ["a pear"], steps=2),
    "PairExplorer": lambda: PairExplorer(Broken(), X0[:1]),
    "Trajectory": lambda: Trajectory({"a": film(Broken()), "b": film(halving)}),
}


@pytest.mark.parametrize("name", NOTHING)
def test_answers_that_are_no_numbers_are_named(name):
    def work():
        box = NOTHING[name]()
        AGAIN[name](box)
        return box

    still = NOTHING[name]()
    still._repr_mimebundle_()
    for box in (still, started(work)):
        assert "no finite numbers (NaN)" in box.message.value or (box is still and name == "Trajectory")
    assert PANELS[name]().message.value == ""


def test_a_network_that_fails_while_it_draws_is_told_and_can_be_asked_again():
    class Moody(Halving):
        fails = True

        def __call__(self, x_t, t, tokens):
            return failing() if self.fails and t[0] < 0.6 else super().__call__(x_t, t, tokens)

    async def main(model):
        box, grid = PromptBox(model), GuidanceGrid(model, ["a pear"], (1,), steps=4)
        told = []
        for model.fails in (True, False):
            box.go.click(), grid.begin.click()
            await asyncio.gather(box.task, grid.task, return_exceptions=True)
            await asyncio.sleep(0)
            told.append([box.message.value, grid.message.value])
        return box, grid, told

    box, grid, (failed, fine) = asyncio.run(main(Moody()))
    assert all("This stopped with ValueError" in message for message in failed) and fine == ["", ""]
    assert len(box.results) == 1 and grid.bar.value == 1 and not box.save.disabled


# Networks of every kind


def small(words=("", "boat", "house", "at", "night"), **options):
    torch.manual_seed(0)
    return Denoiser(words, channels=(8, 16), width=32, size=16, steps=4, **options).eval().requires_grad_(False)


NETWORKS = {
    "shipped": load_denoiser,
    "few steps": lambda: load_denoiser(DATA / "few_steps.safetensors"),
    "scenes": load_scene_denoiser,
    "own words": small,
    "own world": lambda: small(max_words=3, guidance_scale=3.7),
}


def test_the_grid_reads_what_people_type():
    network = load_denoiser(DATA / "few_steps.safetensors")
    grid, plain = (GuidanceGrid(network, prompt) for prompt in ("please draw me a banana, green!", "a green banana"))
    assert torch.equal(grid.tokens, plain.tokens)
    with pytest.raises(ValueError, match="violet"):
        GuidanceGrid(network, "a violet banana")


def test_the_grid_says_what_it_understood():
    def work():
        grid = GuidanceGrid(halving, ["please a tiny grape", "red apple", "a little pear"], (0, 2), steps=2)
        told.append(grid.message.value)
        grid.begin.click()
        return grid

    told = []
    grid = started(work)
    said = "understood as: small grapes; understood as: a small pear"
    assert said in told[0] and said in grid.message.value
    labels = [line.children[0].value for line in grid.children[2:-1]]
    assert labels == ["small grapes", "red apple", "a small pear"]
    assert grid.cells[0][1].tooltip == "small grapes, w = 2" and "small grapes" in grid.figure().alt
    assert GuidanceGrid(halving, ["red apple", "a green banana!"]).message.value == ""


def test_a_long_caption_names_a_file_by_its_first_words(tmp_path):
    network = small(("", "boat", "house"), max_words=40)

    def work():
        box = PromptBox(network, "boat " + "house " * 39, folder=tmp_path / "saved")
        box.go.click()
        return box

    started(work).save.click()
    assert [path.stem for path in (tmp_path / "saved").iterdir()] == [("boat" + "_house" * 39)[:100]] * 2


def test_a_prompt_box_freezes_its_network_while_its_weights_stay():
    box = PromptBox(small())
    box.steps.value = 4
    first, second = list(box.moments("boat")), list(box.moments("boat"))
    assert box.frozen is not None
    assert torch.allclose(first[-1].x_t, second[-1].x_t, atol=1e-5)
    kept = box.frozen
    list(box.moments("boat"))
    assert box.frozen is kept  # it is made once
    with torch.no_grad():
        box.model.leave[-1].bias.add_(0.5)
    changed = list(box.moments("boat"))
    assert box.frozen is None and (changed[-1].x_t - first[-1].x_t).mean() > 0.1
    assert torch.allclose(changed[-1].x_t, list(box.moments("boat"))[-1].x_t, atol=1e-5)


def test_a_prompt_box_freezes_no_network_that_it_does_not_know():
    class Changing(Denoiser):
        calls = 0

        def forward(self, x_t, t, tokens=None):
            self.calls += 1
            return super().forward(x_t, t, tokens)

    box = PromptBox(Changing(**small().config))
    for _ in range(3):
        list(box.moments("boat"))
    assert box.frozen is None and box.model.calls == 3 * box.steps.value


@pytest.mark.parametrize("name", NETWORKS)
def test_every_panel_takes_every_network(name, screen):
    network = NETWORKS[name]()
    size = sampling_of(network).size
    caption = "boat night" if "own" in name else "a green banana"

    def work():
        box = PromptBox(network)
        assert box.guidance.value == sampling_of(network).guidance_scale
        assert box.words.value in ("a green banana", "boat")
        box.steps.value = 4
        box.words.value = f"  {caption.upper()}\n"
        box.go.click()
        return box

    box = started(work)
    assert [words for words, _ in box.results] == [caption] and box.message.value == "" and box.figure()
    tokens = encode_for(network, caption)
    wanted = film(network, tokens)  # guided where, and as much as, it was made for
    assert torch.equal(box.results[0][1], wanted[-1].x_t[0])

    async def filled():
        grid = GuidanceGrid(network, caption, (0, 2), steps=2)
        grid.begin.click()
        await grid.task
        return grid

    assert asyncio.run(filled()).bar.value == 2
    explorer = PairExplorer(network, torch.zeros(1, 3, size, size))
    assert explorer.message.value == "" and explorer.shown[2].shape == (3, size, size)
    assert Trajectory({"film": wanted}).figure()
    run = Run(network.requires_grad_(True))
    batch = torch.zeros(2, 3, size, size), tokens.repeat(2, 1)
    assert len(watching.watch(run, [batch], steps=1)) == 1
    assert len(watching.watch(run, [batch], steps=2, prompts=[caption])) == 2
    assert screen.shown == 2


class Bare(torch.nn.Module):
    """A network that knows no words."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 3, 1)

    def forward(self, x_t, t, tokens=None):
        return self.layer(x_t)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: PromptBox(lambda x_t, t, tokens: x_t), "needs a network that knows words"),
        (lambda: PromptBox(Bare()), "This Bare has no `vocabulary`"),
        (lambda: PromptBox(small(words=("",))), "needs a network that knows words"),
        (lambda: PromptBox(small(), "a green banana"), 'never learned the word "a"'),
        (lambda: PromptBox(small(world="fruit")), 'never learned the word "a"'),
        (lambda: PromptBox(halving, "two apples"), "one fruit, not two"),
        (lambda: PromptBox(halving, "\ud800"), "ud800"),
        (lambda: GuidanceGrid(lambda x_t, t, tokens: x_t, ["a pear"]), "needs a network that knows words"),
        (lambda: GuidanceGrid(small(), ["a pear"]), "never learned"),
        (lambda: GuidanceGrid(halving, []), "at least one prompt"),
        (lambda: GuidanceGrid(halving, ["a pear"], []), "one guidance scale"),
        (lambda: GuidanceGrid(halving, ["a pear"], ["2"]), "finite numbers, such as (0, 2, 4), not ['2']."),
        (lambda: GuidanceGrid(halving, ["a pear"], 2), "finite numbers, such as (0, 2, 4), not 2."),
        (lambda: GuidanceGrid(halving, ["a pear"], [None, torch.nan]), "finite numbers"),
        (lambda: GuidanceGrid(halving, ["a pear"], [10**400]), "finite numbers"),
        (lambda: GuidanceGrid(halving, ["a pear"], steps=0), "steps"),
        (lambda: GuidanceGrid(halving, ["a pear"], steps="two"), "steps"),
        (lambda: GuidanceGrid(halving, 5), "A caption is text"),
        (lambda: GuidanceGrid(halving, ["a pear", 5]), "A caption is text"),
        (lambda: PairExplorer(lambda x_t, t: x_t[0], X0[:1]), "answers with shape (3, 16, 16)"),
        (lambda: PairExplorer(lambda x_t, t: None, X0[:1]), "answers with a NoneType"),
        (lambda: PairExplorer(load_scene_denoiser(), X0[:1, :, :15]), "x_t must have shape"),
        (lambda: Trajectory({}), "Give recorded generations by name"),
        (lambda: Trajectory(film(halving)), "Give recorded generations by name"),
        (lambda: Trajectory({"a": []}), "Give recorded generations by name"),
        (lambda: Trajectory({"a": [1, 2]}), "Give recorded generations by name"),
        (lambda: Trajectory({"a": 5}), "Give recorded generations by name"),
        (lambda: Trajectory({"a": X0}), "Give recorded generations by name"),
        (lambda: Trajectory({5: film(halving)}), "Give recorded generations by name"),
        (lambda: Trajectory({"a": film(halving)}, which=5), "a picture in each batch, 0 to 0 here, not 5."),
        (lambda: Trajectory({"a": film(halving)}, which="first"), "not 'first'."),
        (lambda: DiagnosisGame(dict.fromkeys(["healthy", *FAULTS], 5)), "needs the healthy run"),
        (lambda: NoiseSlider(size="large"), "a whole number from 1 on, not 'large'."),
        (lambda: DiagnosisGame(halving), "needs the healthy run"),
        (lambda: DiagnosisGame({}), "needs the healthy run"),
        (lambda: NoiseSlider(halving), "A caption is text"),
        (lambda: watching.watch(Run(Bare()), [], steps=1, prompts=["a pear"]), "needs a network that knows words"),
    ],
)
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")  # a box half made is thrown away too
def test_what_a_panel_cannot_use_is_refused_in_a_sentence_and_leaves_nothing(make, told):
    before = alive()
    with pytest.raises((TypeError, ValueError), match=re.escape(told)) as refused:
        make()
    assert str(refused.value).isprintable() and str(refused.value).endswith((".", "?"))
    del refused
    gc.collect()
    assert alive() == before


def test_a_network_without_words_is_watched_without_prompts(screen):
    assert len(watching.watch(Run(Bare()), [(X0, TOKENS)], steps=1)) == 1 and screen.shown == 1


# What a person typed


@pytest.mark.parametrize(
    "typed", ["<script>alert(1)</script>", "a pear\x07", "\ud800 pear", "a \x1b[31m pear", "<b>\udfff</b>"]
)
def test_what_was_typed_is_shown_escaped(typed):
    boxes = [PromptBox(halving), PromptBox(small()), NoiseSlider(size=8), Trajectory({typed: film(halving)})]
    for box in boxes[:3]:
        box.words.value = typed
    broken = PromptBox(halving)
    broken.fail(ValueError(typed))
    for box in [*boxes, broken]:
        for part in cells.held([box]):
            texts = [getattr(part, name, "") for name in ("description", "tooltip", "value")]
            for text in texts if part is not getattr(box, "words", None) else []:
                assert not isinstance(text, str) or text.isprintable()
        assert "<script>" not in box.message.value and "<b>" not in box.message.value
        assert box.message.value or isinstance(box, Trajectory)


# The crisp picture


@pytest.fixture
def enlarger(monkeypatch):
    """A small network that enlarges, in place of the shipped one."""
    torch.manual_seed(0)
    network = Enlarger(channels=(8,), width=16).requires_grad_(False)
    monkeypatch.setattr(prompt_box, "load_enlarger", lambda: network)
    return network


def test_a_crisp_picture_comes_last_and_is_what_is_kept_and_saved(tmp_path, enlarger):
    async def main():
        box = PromptBox(halving, "a red apple", folder=tmp_path)
        box.seed.value, box.steps.value = 3, 4
        await box.task
        box.save.click()
        shown = pixels(box.guess), pixels(box.noisy)
        box.crisp.value = False
        await box.task
        return box, shown

    box, (guess, noisy) = asyncio.run(main())
    (_, crisp), (_, small) = box.results
    wanted = enlarge(enlarger, small[None], generator=noise_beside(3))[0]
    assert len(box.frames) == 5 and torch.equal(box.frames[-1].x_t[0], small)
    torch.testing.assert_close(crisp, wanted)
    saved = np.asarray(Image.open(tmp_path / "a_red_apple.png"))
    assert np.array_equal(guess, saved) and np.array_equal(saved[::2, ::2], show.to_image(crisp))
    assert np.array_equal(noisy[::8, ::8], show.to_image(small)) and saved.shape == (256, 256, 3)
    assert Image.open(tmp_path / "a_red_apple.gif").n_frames == 5
    assert np.array_equal(pixels(box.guess)[::8, ::8], show.to_image(small))
    newest, before = (place.children[0] for place in box.strip.children)
    assert pixels(newest).shape == (96, 96, 3) and np.array_equal(pixels(before), show.to_image(crisp))
    assert box.crisp in box.children[4].children


def test_a_new_wish_is_heard_between_the_steps_of_enlarging(monkeypatch, enlarger):
    asked = []

    def slow(*args, **how):
        for x in enlarging(*args, **how):
            asked.append(box)
            if len(asked) == 2:
                asyncio.get_running_loop().call_soon(setattr, box.words, "value", "a green banana")
            yield x

    async def main():
        box.steps.value = 4
        first = box.task
        await asyncio.gather(first, return_exceptions=True)
        await box.task
        return first

    monkeypatch.setattr(prompt_box, "enlarging", slow)
    box = PromptBox(halving, "a red apple")
    assert asyncio.run(main()).cancelled() and len(asked) == 2 + 4
    assert [words for words, _ in box.results] == ["a green banana"] and box.bar.description == "ready"


@pytest.mark.parametrize(
    ("load", "network", "told"),
    [
        (raising(FileNotFoundError("There is no file")), halving, ""),
        (raising(ValueError("x is cut short.")), halving, "Pictures stay small. x is cut short."),
        (raising(PermissionError("not for you")), halving, "Pictures stay small. not for you"),
        (raising(AssertionError("must not be asked for")), small, ""),
    ],
    ids=["missing", "damaged", "closed", "own words"],
)
def test_without_what_enlarges_the_box_shows_the_small_picture_and_no_choice(monkeypatch, load, network, told):
    monkeypatch.setattr(prompt_box, "load_enlarger", load)

    def work():
        box = PromptBox(network if network is halving else network())
        assert told in box.message.value and bool(told) == bool(box.message.value)
        box.steps.value = 8
        box.go.click()
        return box

    box = started(work)
    side = sampling_of(box.model).size
    assert box.results[-1][1].shape == (3, side, side) and not box.crisp.value and box.bar.description == "ready"
    assert box.crisp not in box.children[4].children


def test_a_box_with_a_crisp_picture_closes_with_all_its_parts(run_cell, enlarger):
    counts = set()
    for _ in range(3):
        run_cell(lambda: PromptBox(halving))
        counts.add(alive())
    assert len(counts) == 1
