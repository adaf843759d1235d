"""Figures for the last row of a lecture room: larger, thicker and darker than on a screen near by.

show.projector()         all figures from now on, and the widgets
show.projector(False)    as before
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from IPython import get_ipython
from IPython.display import HTML, display, update_display
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Text

LARGER = 1.5  # times in each direction: a whole figure, and a widget
THICKER = 1.5  # times, beside that: lines and edges
ROOMY = (1.3, 1.2, 1.1, 1.0)  # times, beside that: words, by the first of these that keeps them apart
APART = 4  # pixels, at least half of what lies between two words
WORDS, LINES = 9.0, 4.5  # the contrast with white, to 1, that these get at least
FAINT = 0.5  # what is fainter, such as the loss of single steps, becomes so strong

STATE = {"on": False}
OUTPUT = ":is(.jp-OutputArea-output, .output_subarea):has(> .jupyter-widgets)"
STYLE = f"""<style>
{OUTPUT} {{
    zoom: {LARGER};
    --jp-ui-font-color1: var(--jp-ui-font-color0);
    --jp-widgets-color: var(--jp-ui-font-color0);
    --jp-widgets-label-color: var(--jp-ui-font-color0);
    --jp-widgets-readout-color: var(--jp-ui-font-color0);
}}
</style>"""


def projector(on: bool = True) -> None:
    """Draw all figures from now on for a projector: large and high in contrast. Widgets follow, those on show at once.

    A figure grows by half, its words once more by up to 30 % where there is room for them; lines become thicker, and
    pale colours dark. `projector(False)` goes back: figures drawn from then on are the usual ones, to the last byte.
    Widgets grow by a style in the output of the cell that calls this, so keep that cell, and go back before closing.

    Raises TypeError for what is neither True nor False.
    """
    if not isinstance(on, bool):
        raise TypeError(f"projector takes True or False, not {on!r}.")
    STATE["on"] = on
    if get_ipython():
        show_style = display if on else update_display
        show_style(HTML(STYLE if on else ""), display_id="course-projector")


def strengthened(figure: Figure) -> Figure:
    """The figure, changed for a projector if there is one: what is new in it since the last call, or all of it."""
    if not STATE["on"]:
        return figure
    done = figure.__dict__.setdefault("strong", set())
    if not done:
        figure.set_dpi(LARGER * figure.get_dpi())
    new = [part for part in figure.findobj(include_self=False) if part not in done]
    done.update(new)
    axes = [ax for ax in figure.axes if ax in new]
    legends = [ax.get_legend() for ax in figure.axes if ax.get_legend()]
    for line in (line for of in (*figure.axes, *legends) for line in of.get_lines()):
        if line in new:
            line.set(linewidth=THICKER * line.get_linewidth(), color=dark(line.get_color(), LINES))
            line.set(markersize=1.2 * line.get_markersize(), alpha=stronger(line.get_alpha()))
    for part in new:
        if isinstance(part, Patch):
            part.set(linewidth=THICKER * part.get_linewidth(), alpha=1 if part.get_alpha() else None)
        elif isinstance(part, PathCollection):  # dots
            part.set(sizes=THICKER * part.get_sizes(), alpha=stronger(part.get_alpha()))
        elif isinstance(part, Text):
            part.set_color(dark(part.get_color(), WORDS))
    for ax in axes:
        ax.tick_params(width=THICKER)
    grow_words(figure, [part for part in new if isinstance(part, Text)], axes)
    done.update(figure.findobj(include_self=False))  # what drawing adds, numbers at the axes, has their size already
    return figure


def stronger(alpha: float | None) -> float | None:
    """An opacity, 0 to 1, that is seen from afar; None, for all of it, stays."""
    return None if alpha is None else max(alpha, FAINT)


def dark(colour: str | tuple, contrast: float) -> str | tuple:
    """A colour dark enough for a contrast with white, as WCAG counts it; light ones, for dark ground, stay as they are.

    Source: Web Content Accessibility Guidelines 2.2, relative luminance and contrast ratio.
    """
    rgb = np.array(to_rgb(colour))
    if luminance(rgb) > 0.5:
        return colour
    while 1.05 / (luminance(rgb) + 0.05) < contrast:
        rgb = 0.97 * rgb
    return tuple(rgb)


def luminance(rgb: np.ndarray) -> float:
    """How bright a colour, three numbers in [0, 1], looks: from 0, black, to 1, white."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def grow_words(figure: Figure, words: Sequence[Text], axes: Sequence[Axes]) -> None:
    """Make words larger, as far as they stay apart. In a drawing, where each has its place, they stay as they are."""
    sizes = {word: word.get_fontsize() for word in words if word.get_text()}
    ticks = [(axis, axis.get_major_ticks()) for ax in axes for axis in (ax.xaxis, ax.yaxis)]
    numbers = {axis: those[0].label1.get_fontsize() for axis, those in ticks if those}
    for times in ROOMY if figure.get_layout_engine() and (sizes or numbers) else ():
        for word, size in sizes.items():
            word.set_fontsize(times * size)
        for axis, size in numbers.items():
            axis.set_tick_params(labelsize=times * size)
        figure.draw_without_rendering()
        level = [word for word in words_in_view(figure) if word.get_rotation() % 90 == 0]
        boxes = [word.get_window_extent().padded(APART) for word in level]
        if not any(a.overlaps(b) for a, b in combinations(boxes, 2)):
            break


def words_in_view(figure: Figure) -> Iterator[Text]:
    """The words that a drawn figure shows, those at ticks in view among them."""
    unseen = set()
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high or not axis.get_visible() or not axis.axes.axison:
                unseen.update((tick.label1, tick.label2))
    for word in figure.findobj(Text):
        if word not in unseen and word.get_visible() and word.get_text().strip():
            yield word
