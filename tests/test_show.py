import base64
import html
import inspect
import io
import re
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from IPython.core.pylabtools import print_figure, select_figure_formats
from matplotlib.backends.backend_agg import FigureCanvasAgg
from nbconvert import HTMLExporter
from nbconvert.filters import get_metadata
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image
from run_notebooks import run

from course_lib.classroom import plane, show
from course_lib.classroom.projector import words_in_view
from course_lib.classroom.wording import stops_with
from course_lib.judging.counts import Score
from course_lib.noise import add_noise, noise_levels
from course_lib.sample import Frame
from course_lib.train import Report

ROOT = Path(__file__).resolve().parents[1]


def frames(count):
    x = torch.rand(count, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
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


SAVE = {
    "picture": lambda path: show.save_png(torch.zeros(3, 8, 6), path),
    "film": lambda path: show.save_film(frames(4), path),
}


@pytest.mark.parametrize(
    ("what", "name", "kind"),
    [
        ("picture", "a", "PNG"),
        ("picture", "a.png", "PNG"),
        ("picture", "a.JPG", "JPEG"),
        ("picture", "a.jpeg", "JPEG"),
        ("picture", "a.webp", "WEBP"),
        ("film", "a", "GIF"),
        ("film", "a.GIF", "GIF"),
        ("film", "a.webp", "WEBP"),
    ],
)
def test_the_ending_of_a_file_says_what_it_holds(tmp_path, what, name, kind):
    SAVE[what](tmp_path / name)
    assert Image.open(tmp_path / name).format == kind


@pytest.mark.parametrize(
    ("what", "name", "told"),
    [
        ("picture", "a.gif", "ends in .png, .jpg, .jpeg or .webp, not in .gif."),
        ("picture", "a.bmp", "not in .bmp."),
        ("film", "a.png", "ends in .gif or .webp, not in .png."),
        ("film", "a.mp4", "not in .mp4."),
    ],
)
def test_an_ending_of_another_kind_is_refused_and_the_file_stays(tmp_path, what, name, told):
    (tmp_path / name).write_bytes(b"old")
    with pytest.raises(ValueError, match=re.escape(told)):
        SAVE[what](str(tmp_path / name))
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(name, b"old")]


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


def apart(places: list) -> bool:
    return not any(a.overlaps(b) for a, b in combinations([place.padded(-1) for place in places], 2))


def letters_on_a_slide(figure) -> float:
    """How large the smallest letters of a figure are, in points, where a slide shows it as large as there is room."""
    picture = Image.open(io.BytesIO(show.figure_png(figure)))
    smaller = min(100 * (room + 0.4) / pixels for room, pixels in zip(show.ROOM, picture.size, strict=True))
    return float(picture.text["Letters"]) * 72 / figure.dpi * min(1, smaller)


@pytest.mark.parametrize("wide", [1, 3, 8, 12])
@pytest.mark.parametrize("high", [1, 2, 5, 8])
def test_letters_of_rows_are_as_large_on_a_slide_however_many_pictures_there_are(high, wide):
    names = ["guidance rests below", *"abcdefg"][:high]
    titles = ["one two", *map(str, range(2, wide + 1))]
    figure = show.rows(torch.zeros(high, wide, 3, 8, 8), titles=titles, labels=names, height=2)
    assert letters_on_a_slide(figure) >= show.FONT - 0.1
    FigureCanvasAgg(figure).draw()
    places = [ax.yaxis.label.get_window_extent() for ax in figure.axes[::wide]]
    places += [ax.get_window_extent() for ax in figure.axes]
    places += [ax.title.get_window_extent() for ax in figure.axes[:wide]]
    assert apart(places) and places[0].x0 > -0.1 * figure.dpi  # a file has as much around it


LARGE_ONES = {
    "a film of twelve": lambda: show.film(frames(101), columns=12),
    "titles of many words": lambda: show.row(torch.zeros(6, 3, 8, 8), ["guidance 0.5\na very purple watermelon?"] * 6),
    "histograms": lambda: show.histograms(torch.zeros(5, 3, 8, 8), ["t = 0.25"] * 5),
    "bars": lambda: show.bars({f"smalldiffusion-dit-{i}": Score(9, 10) for i in range(12)}),
    "a table of numbers": lambda: show.heat(-torch.ones(9, 9), ["an apple that is red"] * 9, ["strawberry"] * 9, 2),
    "a table of colours": lambda: show.heat(torch.randn(31, 64), ["watermelon"] * 31),
    "a training": lambda: show.training([0.5, 0.1], torch.zeros(4, 3, 8, 8), "after two steps"),
    "a plane": lambda: plane.clouds([torch.zeros(9, 1, 1, 2)] * 5, ["t = 0.25"] * 5),
}


@pytest.mark.parametrize("what", LARGE_ONES)
def test_letters_of_large_figures_are_as_large_on_a_slide_and_stay_apart(what):
    figure = LARGE_ONES[what]()
    assert letters_on_a_slide(figure) >= show.FONT - 0.1
    FigureCanvasAgg(figure).draw()
    words = [word.get_window_extent() for word in words_in_view(figure) if word.get_rotation() % 90 == 0]
    assert len(words) > 4 and apart(words)


@pytest.mark.parametrize("length", [20, 60, 80, 90, 100, 200])
def test_however_long_a_name_is_letters_stay_within_reason(length):
    figures = (
        show.rows(torch.zeros(2, 3, 3, 8, 8), labels=["x" * length] * 2),
        show.heat(torch.ones(3, 3), ["x" * length]),
    )
    sizes = [word.get_fontsize() for figure in figures for word in words_in_view(figure)]
    assert len(sizes) == 3 and min(sizes) >= show.FONT and max(sizes) <= 3 * show.FONT


def test_a_table_of_many_rows_is_in_parts_that_hold_all():
    values = torch.arange(31 * 4.0).view(31, 4)
    figure = show.heat(values, [f"row {i}" for i in range(31)], digits=0)
    parts = [np.asarray(ax.get_images()[0].get_array()) for ax in figure.axes]
    assert (np.concatenate(parts) == values.numpy()).all() and len(parts) == 2
    assert [t.get_text() for ax in figure.axes for t in ax.get_yticklabels()] == [f"row {i}" for i in range(31)]
    assert [t.get_text() for ax in figure.axes for t in ax.texts] == [str(i) for i in range(31 * 4)]


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


def test_more_lines_than_can_be_told_apart_are_refused():
    with pytest.raises(ValueError, match="up to 4 lines, not 5"):
        show.curves({str(i): ([1], [i]) for i in range(5)}, "steps", "loss")


def test_bars_show_share_and_interval():
    scores = {"red apple": Score(9, 10), "green banana": Score(1, 4)}
    ax = show.bars(scores).axes[0]
    assert [bar.get_width() for bar in ax.patches] == [90, 25]
    assert list(ax.lines[1].get_xdata()) == [100 * bound for bound in Score(1, 4).interval]


def test_a_heat_map_names_its_fields_and_writes_their_numbers():
    values = torch.tensor([[256.0, 0.0, -1.0], [2.0, 3.0, 4.0]])
    ax = show.heat(values, ["apple", "banana"], ["red", "green", "blue"], digits=0).axes[0]
    assert [text.get_text() for text in ax.texts] == ["256", "0", "-1", "2", "3", "4"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["apple", "banana"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["red", "green", "blue"]
    (image,) = ax.get_images()
    assert image.norm.vmin == -image.norm.vmax == -256 and (np.asarray(image.get_array()) == values.numpy()).all()
    assert image.to_rgba(0.0) == pytest.approx((0.97, 0.97, 0.97, 1), abs=0.01)  # zero is white
    assert not show.heat(torch.zeros(2, 40), ["a", "b"]).axes[0].texts


def test_the_progress_bar_passes_every_report_on(capsys):
    reports = [Report(step, 1 / step, 100.0, step / 20) for step in range(1, 21)]
    assert list(show.progress(iter(reports))) == reports
    shown = capsys.readouterr().err
    assert "100 %" in shown and "loss 0.050, 100 pictures/s" in shown


def test_training_shows_every_loss_their_average_and_every_picture():
    losses = [2.0] * 30 + [1.0] * 25
    figure = show.training(losses, torch.rand(5, 3, 8, 8), "halfway")
    above, below = figure.axes
    thin, thick = above.get_lines()
    assert list(thin.get_ydata()) == losses and above.get_title() == "halfway"
    average = thick.get_ydata()
    assert average[0] == 2 and average[-1] == pytest.approx(1) and 1 < average[40] < 2
    assert below.get_images()[0].get_array().shape == (8, 5 * 8 + 4 * 2, 3)
    show.training([], torch.rand(1, 3, 8, 8))  # before the first step


def test_training_begins_at_the_runs_own_step_and_shows_gaps_as_gaps():
    losses, steps = [4.0] * 30 + [2.0] * 10, [*range(301, 331), *range(401, 411)]
    figure = show.training(losses, torch.rand(1, 3, 8, 8), steps=steps)
    for line in figure.axes[0].get_lines():
        x, y = line.get_data()
        seen = np.isfinite(y)
        assert x[seen].tolist() == steps and y[seen].tolist() == losses  # the average does not reach over the gap
        assert seen.tolist() == [True] * 30 + [False] + [True] * 10
    assert "its average goes from 4 at 301 to 2 at 410, lowest 2, highest 4." in figure.alt


def test_a_picture_stands_beside_its_loss_curves():
    picture = torch.rand(3, 8, 12) * 2 - 1
    figure = show.beside(picture, {"run A": ([1, 2], [1.0, 0.1]), "healthy": ([1, 2], [1.0, 0.2])}, "run A")
    left, right = figure.axes
    assert np.array_equal(left.images[0].get_array(), show.to_image(picture)) and left.get_title() == "run A"
    assert right.get_yscale() == "log" and [line.get_label() for line in right.lines] == ["run A", "healthy"]
    assert len({line.get_linestyle() for line in right.lines}) == 2


def test_folded_lines_hide_what_they_say():
    text = show.folded({"run A": "too warm", "run B": "too cold"}).data
    assert text.count("<details><summary>run ") == 2 and text.count("</details>") == 2
    assert "<summary>run B</summary>\n\ntoo cold\n\n</details>" in text


def test_an_animated_film_has_every_frame_and_pictures_of_any_size(tmp_path):
    show.save_film(frames(4), tmp_path / "film.gif", scale=3)
    film = Image.open(tmp_path / "film.gif")
    assert film.n_frames == 4 and film.size == (3 * (8 + 2 + 8), 3 * 8)


PICTURES = torch.linspace(-1, 1, 4)[:, None, None, None].expand(4, 3, 8, 8)
LINES = {"as drawn": ([1, 400], [3.5, 0.25]), "mirrored": ([1, 9, 400], [2, 4, 0.5])}
FIGURES = {  # what each function that draws says of what it is given
    "row": (
        lambda **alt: show.row(PICTURES, ["x0", "a\nred pear", "x_t", "eps"], **alt),
        "A row of 4 pictures; from left to right: x0, a red pear, x_t, eps.",
    ),
    "one picture": (lambda **alt: show.row(PICTURES[:1], ["x0"], **alt), "One picture: x0."),
    "untitled": (lambda **alt: show.row([show.grid(PICTURES)], **alt), "One picture."),
    "rows": (
        lambda **alt: show.rows(PICTURES.unflatten(0, (2, 2)), ["a", "b"], ["input", "target"], **alt),
        "2 rows of pictures, 2 in each; from top to bottom: input, target; from left to right: a, b.",
    ),
    "film": (
        lambda **alt: show.film(frames(3), **alt),
        "2 rows of pictures, 3 in each; from top to bottom: noisy picture, current guess; "
        "from left to right: t = 1.00, t = 0.50, t = 0.00.",
    ),
    "histograms": (
        lambda **alt: show.histograms(0 * PICTURES[2:], ["t = 0.5", "t = 1"], **alt),
        "How often pixel values from -3 to 3 occur, left to right: "
        "t = 0.5 (mean 0.00, spread 0.00), t = 1 (mean 0.00, spread 0.00).",
    ),
    "curve": (
        lambda **alt: show.curve(
            torch.arange(1, 9), torch.arange(1, 9) ** 2, "side", "area", log=True, marks=[3], **alt
        ),
        "A chart of area on a logarithmic scale against side: "
        "the line goes from 1 at 1 to 64 at 8, lowest 1, highest 64. Picked out: 9 at 3.",
    ),
    "curves": (
        lambda **alt: show.curves(LINES, "step", "loss", **alt),
        "A chart of loss against step: as drawn goes from 3.5 at 1 to 0.25 at 400, lowest 0.25, highest 3.5; "
        "mirrored goes from 2 at 1 to 0.5 at 400, lowest 0.5, highest 4.",
    ),
    "training": (
        lambda **alt: show.training([4, 1], PICTURES, "after 2 steps", **alt),
        "after 2 steps: a chart of loss on a logarithmic scale against step: "
        "its average goes from 4 at 1 to 2.5 at 2, lowest 2.5, highest 4. Below, pictures: 4.",
    ),
    "before the first step": (
        lambda **alt: show.training([], PICTURES, **alt),
        "Training: a chart of loss on a logarithmic scale against step: nothing yet. Below, pictures: 4.",
    ),
    "bars": (
        lambda **alt: show.bars({"red apple": Score(9, 10), "green banana": Score(1, 4)}, **alt),
        "A bar for each share of kind and colour right: "
        "red apple 90 % (interval 60 to 98), green banana 25 % (interval 5 to 70).",
    ),
    "heat": (
        lambda **alt: show.heat(torch.tensor([[-3.0, 0.5]]), ["pear"], ["red", "blue"], **alt),
        "A table of 1 x 2 numbers from -3 to 0.5 as colours; from top to bottom: pear; from left to right: red, blue.",
    ),
    "beside": (
        lambda **alt: show.beside(PICTURES[0], {"run A": LINES["as drawn"]}, "run A", **alt),
        "Pictures: run A. Beside them, a chart of loss on a logarithmic scale against step: "
        "run A goes from 3.5 at 1 to 0.25 at 400, lowest 0.25, highest 3.5.",
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_says_what_it_shows_beside_its_picture(name):
    draw, sentence = FIGURES[name]
    shown_by = DisplayFormatter()
    show.show_alike(shown_by)
    data, metadata = shown_by.format(draw())
    assert data["image/png"] and data["text/plain"].startswith("<Figure size ")
    assert get_metadata({"metadata": metadata}, "alt", "image/png") == sentence  # as nbconvert looks for it
    assert metadata == {"image/png": {"alt": sentence}}
    assert draw(alt="The picture\nfades.").alt == "The picture fades."


@pytest.mark.parametrize("set_first", [True, False])
@pytest.mark.parametrize("kind", ["png", "retina", "svg", "jpeg", "pdf"])
def test_a_figure_is_one_picture_of_one_size_whatever_a_notebook_is_set_to(kind, set_first):
    kernel = SimpleNamespace(display_formatter=DisplayFormatter())
    steps = [lambda: select_figure_formats(kernel, {kind}), lambda: show.show_alike(kernel.display_formatter)]
    for step in steps if set_first else steps[::-1]:
        step()
    figure = show.row(PICTURES, ["x0", "pear"])
    data, _ = kernel.display_formatter.format(figure)
    assert set(data) == {"image/png", "text/plain"}
    picture = base64.b64decode(data["image/png"])
    assert Image.open(io.BytesIO(picture)).width == pytest.approx(100 * figure.get_figwidth(), rel=0.05)  # 100 an inch
    assert picture == show.figure_png(figure)
    alike = Image.open(io.BytesIO(picture)), Image.open(io.BytesIO(print_figure(figure)))
    assert alike[0].tobytes() == alike[1].tobytes()


def drawn(figure):
    """Its pixels, on a canvas and as a notebook shows them."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba()), np.array(Image.open(io.BytesIO(show.figure_png(figure))).convert("RGB"))


@pytest.mark.parametrize("style", ["dark_background", {"figure.dpi": 30, "font.size": 30, "savefig.dpi": 40}])
@pytest.mark.parametrize("name", FIGURES)
def test_figures_have_a_style_of_their_own_and_leave_the_learners(name, style):
    chance = torch.get_rng_state()
    plain = drawn(FIGURES[name][0]())
    with plt.style.context(style):
        before = dict(plt.rcParams)
        dark = drawn(FIGURES[name][0]())
        assert dict(plt.rcParams) == before
    for ours, theirs in zip(plain, dark, strict=True):
        assert np.array_equal(ours, theirs)
    assert torch.equal(torch.get_rng_state(), chance)


def test_no_function_draws_without_words():
    drawing = {
        name
        for name, f in inspect.getmembers(show, inspect.isfunction)
        if f.__annotations__.get("return") is show.Figure
    }
    assert "row" in drawing and drawing <= FIGURES.keys()


def test_the_words_reach_the_html_of_a_notebook(tmp_path):
    draw = 'h = display(show.training([2.0], x), display_id=True)\nh.update(show.training([2.0], x, "after 1 step"))'
    cells = ["import torch\nfrom course_lib.classroom import show\nx = torch.zeros(2, 3, 8, 8)"]
    cells += ['show.row(x, ["x0", "a < b"])', draw, 'show.row(x, alt="Two grey squares.")']
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    path = tmp_path / "a.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata=kernel), path)
    run(path)
    # our template: nbconvert's "lab" has no place for them, nor has JupyterLab itself (7.17.2 and 4.6.6)
    exporter = HTMLExporter(template_name="told", extra_template_basedirs=[str(ROOT / ".jupyter")])
    page, _ = exporter.from_filename(str(path))
    row, watched, ours = map(html.unescape, re.findall(r'<img [^>]*\balt="([^"]*)"', page))
    assert row.endswith("x0, a < b.") and watched.startswith("after 1 step: ") and ours == "Two grey squares."


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("first\n\nthen"), "ValueError: first then"),
        (KeyError("x"), "KeyError: 'x'"),
        (SystemExit(), "SystemExit"),
        (ValueError("\x1b[31m\ud800"), r"ValueError: \x1b[31m\ud800"),
    ],
)
def test_an_error_is_told_on_one_line_that_any_screen_can_show(error, told):
    assert stops_with(error) == told
