"""`show.projector`: figures that are larger, thicker and darker, measured as they are drawn, and the way back."""

import base64
import io
import itertools

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image
from test_show import FIGURES, PICTURES, frames

from course_lib.classroom import diagrams, plane, projector, show
from course_lib.widgets.panel import Panel

POINTS = plane.two_fruits(60)
SHOWN = {name: draw for name, (draw, _) in FIGURES.items()} | {
    "a film of ten": lambda: show.film(frames(12)),
    "long names": lambda: show.rows(
        torch.zeros(2, 6, 3, 8, 8), ["purple watermelon", "brown grapes"] * 3, ["w = -2", "w = 128"]
    ),
    "a table": lambda: show.heat(torch.ones(8, 8) * 256, [*"abcdefgh"], ["watermelon"] * 8, digits=0),
    "a plane": lambda: plane.clouds([POINTS, POINTS], ["t = 0", "t = 1"]),
    "a drawing": diagrams.unet,
    "another": diagrams.pair,
}


@pytest.fixture
def at_the_lectern():
    """Whatever happens, the next test has no projector."""
    yield show.projector
    show.projector(False)


def sizes(figure) -> dict[str, float]:
    """How high the words of a figure are drawn, in pixels, the smallest of each: by what they say."""
    figure.draw_without_rendering()
    found = {}
    for word in projector.words_in_view(figure):
        found.setdefault(word.get_text(), []).append(word.get_fontsize() * figure.dpi / 72)
    return {said: min(pixels) for said, pixels in found.items()}


def overlaps(figure) -> set[tuple[str, str]]:
    """Words of a drawn figure that lie on one another."""
    figure.draw_without_rendering()
    level = [word for word in projector.words_in_view(figure) if word.get_rotation() % 90 == 0]
    words = [(word.get_text(), word.get_window_extent()) for word in level]
    return {(a, b) for (a, here), (b, there) in itertools.combinations(words, 2) if here.overlaps(there)}


def contrast(colour) -> float:
    return 1.05 / (projector.luminance(np.array(to_rgb(colour))) + 0.05)


@pytest.mark.parametrize("name", SHOWN)
def test_on_a_projector_words_are_larger_and_still_apart(name, at_the_lectern):
    usual = SHOWN[name]()
    before, touching = sizes(usual), overlaps(usual)
    at_the_lectern()
    figure = SHOWN[name]()
    after = sizes(figure)
    shared = before.keys() & after.keys()  # larger numbers at an axis may be fewer
    assert len(shared) >= len(before) / 2
    assert all(after[said] >= 1.49 * before[said] for said in shared)
    assert overlaps(figure) <= touching
    assert figure.alt == usual.alt


def test_words_grow_once_more_where_there_is_room(at_the_lectern):
    before = sizes(SHOWN["curves"]())
    at_the_lectern()
    after = sizes(SHOWN["curves"]())
    assert all(after[said] == pytest.approx(1.95 * before[said]) for said in ("step", "loss", "as drawn", "100"))


@pytest.mark.parametrize("name", SHOWN)
def test_on_a_projector_nothing_is_cut_off_and_the_picture_is_larger(name, at_the_lectern):
    small = Image.open(io.BytesIO(show.figure_png(SHOWN[name]())))
    at_the_lectern()
    large = Image.open(io.BytesIO(show.figure_png(SHOWN[name]())))
    assert large.width >= 1.4 * small.width and large.height >= 1.3 * small.height
    border = np.asarray(large.convert("L"))
    edges = border[0], border[-1], border[:, 0], border[:, -1]
    assert all((edge == 255).all() for edge in edges)  # words that are cut off reach it


def test_on_a_projector_lines_are_thick_and_dark_and_so_are_words(at_the_lectern):
    lines = {str(i): ([1, 2], [i, 2 * i]) for i in range(1, 5)}
    usual = show.curves(lines, "step", "loss").axes[0]
    at_the_lectern()
    strong = show.curves(lines, "step", "loss").axes[0]
    for thin, thick in zip(usual.lines, strong.lines, strict=True):
        assert thick.get_linewidth() == 1.5 * thin.get_linewidth()  # in points: and these are larger by half
        assert contrast(thick.get_color()) >= 4.5
    assert min(contrast(line.get_color()) for line in usual.lines) < 4.5
    assert strong.spines["left"].get_linewidth() > usual.spines["left"].get_linewidth()
    faint = show.training([4.0, 1.0], PICTURES).axes[0].lines[0]
    assert faint.get_alpha() == 0.5
    for draw in (diagrams.unet, diagrams.road, diagrams.pair):
        assert min(contrast(word.get_color()) for word in draw().findobj(Text) if word.get_text()) >= 9


def test_light_numbers_on_dark_fields_stay_light(at_the_lectern):
    at_the_lectern()
    numbers = show.heat(torch.tensor([[-9.0, 0.0]]), ["a"], ["b", "c"], digits=0).axes[0].texts
    assert [contrast(number.get_color()) > 9 for number in numbers] == [False, True]


def test_what_a_figure_gets_later_is_made_strong_and_nothing_twice(at_the_lectern):
    at_the_lectern()
    ax = SHOWN["curve"]().axes[0]
    line, dots = ax.lines
    numbers = {tick.label1.get_fontsize() for axis in (ax.xaxis, ax.yaxis) for tick in axis.get_major_ticks()}
    assert numbers == {1.3 * show.FONT} and ax.xaxis.label.get_fontsize() == 1.3 * show.FONT
    assert line.get_linewidth() == 4.5 and dots.get_markersize() == pytest.approx(1.2 * 12)
    assert contrast(dots.get_color()) >= 4.5


def test_going_back_gives_the_usual_figures_to_the_last_byte(at_the_lectern):
    some = ("row", "curve", "training", "a drawing")
    before = [show.figure_png(SHOWN[name]()) for name in some]
    at_the_lectern(True)
    large = [show.figure_png(SHOWN[name]()) for name in some]
    at_the_lectern(False)
    assert [show.figure_png(SHOWN[name]()) for name in some] == before
    assert not {*before} & {*large}


def test_a_widget_s_own_figure_follows(at_the_lectern):
    class Still(Panel):
        def figure(self):
            return show.row(PICTURES, ["a", "b", "c", "d"])

    def width() -> int:
        return Image.open(io.BytesIO(base64.b64decode(Still().still()[0]["image/png"]))).width

    before = width()
    at_the_lectern()
    assert width() >= 1.4 * before


def test_the_page_gets_a_style_for_widgets_and_loses_it(at_the_lectern, monkeypatch):
    shown = []
    monkeypatch.setattr(projector, "get_ipython", lambda: True)
    for name in ("display", "update_display"):
        monkeypatch.setattr(
            projector, name, lambda html, display_id, name=name: shown.append((name, html.data, display_id))
        )
    at_the_lectern()
    at_the_lectern(False)
    (first, style, place), (then, none, same) = shown
    assert (first, then) == ("display", "update_display") and place == same and none == ""
    assert "zoom: 1.5" in style and ".jupyter-widgets" in style and style.count("{") == style.count("}")


def test_what_is_no_truth_value_is_refused_and_changes_nothing(at_the_lectern):
    at_the_lectern()
    with pytest.raises(TypeError, match="takes True or False, not 'off'"):
        at_the_lectern("off")
    assert show.row(PICTURES[:1]).dpi == 150
