import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import show
from course_lib.judge import Score
from course_lib.noise import add_noise, noise_levels
from course_lib.sample import Frame
from course_lib.train import Report


def frames(count):
    x = torch.rand(count, 2, 3, 8, 8) * 2 - 1
    return [Frame(t, x[i], x[-1]) for i, t in enumerate(noise_levels(count - 1).tolist())]


def test_an_image_is_bytes_and_display_alone_clips():
    x = torch.tensor([-3.0, -1, 0, 1, 3]).expand(3, 1, 5)
    image = show.to_image(x)
    assert image.dtype == np.uint8 and image.shape == (1, 5, 3)
    assert image[0, :, 0].tolist() == [0, 0, 128, 255, 255] and x.max() == 3


def test_a_grid_holds_every_picture_in_its_place():
    pictures = torch.arange(5.0)[:, None, None, None].expand(5, 3, 4, 4) / 5
    sheet = show.grid(pictures, columns=3, gap=2)
    assert sheet.shape == (3, 10, 16)
    assert [sheet[0, 6 * (i // 3), 6 * (i % 3)].item() for i in range(5)] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert (sheet[:, 4:6] == 1).all() and (sheet[:, 6:, 12:] == 1).all()


def test_a_png_holds_the_picture_enlarged(tmp_path):
    x = torch.rand(3, 8, 6) * 2 - 1
    show.save_png(x, tmp_path / "x.png", scale=4)
    image = np.asarray(Image.open(tmp_path / "x.png"))
    assert image.shape == (32, 24, 3) and (image[::4, ::4] == show.to_image(x)).all()


def test_a_film_shows_first_and_last_moment_above_the_guess():
    moments = frames(101)
    figure = show.film(moments, columns=10)
    above, below = figure.axes[:10], figure.axes[10:]
    assert len(below) == 10
    assert above[0].get_title() == "t = 1.00" and above[-1].get_title() == "t = 0.00"
    for ax, x in ((above[0], moments[0].x_t), (above[-1], moments[-1].x_t), (below[0], moments[0].x0_hat)):
        assert (np.asarray(ax.get_images()[0].get_array()) == show.to_image(x[0])).all()
    assert len(show.film(moments[:3]).axes) == 6


def test_rows_carry_titles_and_labels_that_can_be_read_from_afar():
    figure = show.rows(torch.zeros(2, 3, 3, 8, 8), titles=["a", "b", "c"], labels=["above", "below"])
    assert [ax.get_title() for ax in figure.axes[:3]] == ["a", "b", "c"]
    assert [figure.axes[0].get_ylabel(), figure.axes[3].get_ylabel()] == ["above", "below"]
    assert figure.axes[0].title.get_fontsize() >= 14


def test_histograms_and_curves_show_what_they_are_given():
    x = add_noise(torch.zeros(1, 3, 32, 32), 1, torch.randn(1, 3, 32, 32))
    bars = show.histograms(x, ["noise"]).axes[0].patches
    assert sum(bar.get_height() * bar.get_width() for bar in bars) == pytest.approx(1, abs=0.02)
    t = torch.linspace(0.1, 0.9, 9)
    ax = show.curve(t, t**2, "t", "square", marks=[0.5]).axes[0]
    line, dots = ax.lines
    assert torch.allclose(torch.tensor(line.get_ydata()), t**2) and dots.get_xdata().tolist() == pytest.approx([0.5])


def test_a_source_is_the_library_s_own():
    assert "return (1 - t) * x0 + t * eps" in show.source(add_noise).data


def test_curves_are_told_apart_without_colour():
    figure = show.curves({"a": ([1, 2], [3, 4]), "b": ([1, 2], [5, 6])}, "steps", "loss", log=True, marked=True)
    a, b = figure.axes[0].lines
    assert a.get_linestyle() != b.get_linestyle() and a.get_marker() != b.get_marker()
    assert list(b.get_ydata()) == [5, 6] and figure.axes[0].get_yscale() == "log"
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["a", "b"]


def test_bars_show_share_and_interval():
    scores = {"red apple": Score(9, 10), "green banana": Score(1, 4)}
    ax = show.bars(scores).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [90, 25]
    assert list(ax.lines[1].get_xdata()) == [100 * bound for bound in Score(1, 4).interval]


def test_the_progress_bar_passes_every_report_on(capsys):
    reports = [Report(step, 1 / step, 100.0, step / 20) for step in range(1, 21)]
    assert list(show.progress(iter(reports))) == reports
    shown = capsys.readouterr().err
    assert "100 %" in shown and "loss 0.050, 100 pictures/s" in shown
