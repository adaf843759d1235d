import pytest
import torch

from course_lib import widgets
from course_lib.model import Denoiser
from course_lib.train import Run

X0 = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
TOKENS = torch.zeros(6, 12, dtype=torch.int64)


@pytest.fixture
def run():
    torch.manual_seed(0)
    return Run(Denoiser(channels=(8, 16), width=32))


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
    monkeypatch.setattr(widgets, "display", screen.display)
    return screen


def picture(figure):
    return figure.axes[1].get_images()[0].get_array()


def test_it_trains_to_the_end_and_one_figure_is_redrawn(run, screen, capsys):
    reports = widgets.watch(run, X0, TOKENS, steps=4, batch_size=2, every=0)
    assert [r.step for r in reports] == [1, 2, 3, 4] and run.step == 4
    assert screen.shown == 1 and screen.updated == 3  # one figure after each step
    assert screen[-1].axes[0].get_title() == "after 4 steps"
    assert list(screen[-1].axes[0].get_lines()[0].get_ydata()) == [r.loss for r in reports]
    assert capsys.readouterr().out == ""


def test_the_pictures_start_from_the_same_noise_each_time(run, screen):
    widgets.watch(run, X0, TOKENS, steps=2, batch_size=2)
    first = picture(screen[-1])
    widgets.watch(run, X0, TOKENS, steps=2, batch_size=2)
    assert (picture(screen[-1]) == first).all()
    widgets.watch(run, X0, TOKENS, steps=2, batch_size=2, seed=1)
    assert (picture(screen[-1]) != first).any()


def test_looking_on_changes_nothing_in_the_run(run, screen):
    torch.manual_seed(0)
    other = Run(Denoiser(channels=(8, 16), width=32))
    widgets.watch(run, X0, TOKENS, steps=5, batch_size=2, every=0)
    widgets.watch(other, X0, TOKENS, steps=5, batch_size=2, every=1e9)
    for ours, theirs in zip(run.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("where", ["training", "drawing"])
def test_stopping_the_cell_keeps_the_run_and_the_next_call_goes_on(run, screen, capsys, monkeypatch, where):
    stop_at, wanted = 3, "Stopped after 3 steps. The run is kept"

    def stopped(*arguments, **options):
        if run.step == stop_at:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    module = widgets.show if where == "drawing" else torch.nn.utils
    name = "training" if where == "drawing" else "clip_grad_norm_"
    real = getattr(module, name)
    with monkeypatch.context() as patched:
        patched.setattr(module, name, stopped)
        reports = widgets.watch(run, X0, TOKENS, steps=6, batch_size=2, every=0)
    assert [r.step for r in reports] == [1, 2, 3]
    out = capsys.readouterr().out
    assert wanted in out and out.count("\n") == 1
    reports = widgets.watch(run, X0, TOKENS, steps=6, batch_size=2)
    assert [r.step for r in reports] == [1, 2, 3, 4, 5, 6]
    assert capsys.readouterr().out == ""


def test_a_finished_run_says_so_at_once_and_still_shows_its_figure(run, screen, capsys):
    first = widgets.watch(run, X0, TOKENS, steps=3, batch_size=2)
    again = widgets.watch(run, X0, TOKENS, steps=3, batch_size=2)
    assert again == first and run.step == 3 and screen.shown == 2
    assert "already finished, after 3 steps" in capsys.readouterr().out


def test_it_rests_when_told_to(run, screen, capsys):
    reports = widgets.watch(run, X0, TOKENS, steps=10, batch_size=2, pause=0.4)
    assert run.step == 4 and reports[-1].done == pytest.approx(0.4)
    assert "Resting after 4 steps, 40% of the run" in capsys.readouterr().out
    assert len(widgets.watch(run, X0, TOKENS, steps=10, batch_size=2)) == 10


def test_prompts_are_what_the_pictures_show(run, screen):
    widgets.watch(run, X0, TOKENS, steps=1, batch_size=2, prompts=["red apple", "green banana", "a lemon"])
    assert picture(screen[-1]).shape == (16, 3 * 16 + 2 * 2, 3)
    with pytest.raises(ValueError, match="never learned"):
        widgets.watch(run, X0, TOKENS, steps=1, prompts=["red apfel"])


def test_time_spent_drawing_is_no_training(run, screen, monkeypatch):
    def slow(*arguments):
        widgets.time.sleep(0.4)
        return real(*arguments)

    real = widgets.show.training
    monkeypatch.setattr(widgets.show, "training", slow)
    widgets.watch(run, X0, TOKENS, steps=2, batch_size=2, every=0)
    assert run.seconds < 0.4 * 3
