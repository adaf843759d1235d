"""Pictures to look at: rows, films and curves, legible from the last row of a lecture room."""

import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor

from course_lib.judging.counts import Score
from course_lib.sample import Frame
from course_lib.tools.bars import progress as progress
from course_lib.tools.files import whole_file
from course_lib.tools.pixels import enlarged, grid, to_image
from course_lib.tools.pixels import png as png
from course_lib.tools.pixels import save_png as save_png

FONT = 16  # points; legible when the figure fills a projector's screen
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe and Ito's: safe for colour-blind readers
STYLES = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, ":", "^"), (PINK, "-.", "D"))  # colour is never alone


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a matplotlib figure as a PNG file, whole or not at all."""
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150, bbox_inches="tight", facecolor="white")


def figure_png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight", facecolor="white")
    return file.getvalue()


def histogram_picture(picture: Tensor) -> Tensor:
    """How often each pixel value from -3 to 3 occurs, as a (3, 256, 420) picture that is quick to draw.

    The scale does not change with the picture; thin lines mark -1, 0 and 1, the ends and the middle of the range.
    """
    height, width, bins = 256, 420, 60
    share = torch.histc(picture, bins, min=-3, max=3) / picture.numel()
    tall = (share / 0.12).clamp(max=1).repeat_interleave(width // bins) * height
    bars = torch.arange(height, 0, -1)[:, None] <= tall
    colour = torch.tensor([int(BLUE[i : i + 2], 16) / 127.5 - 1 for i in (1, 3, 5)])[:, None, None]
    sheet = torch.where(bars, colour, 1.0)
    for value in (-1, 0, 1):
        sheet[:, :, round((value + 3) / 6 * (width - 1))] = 0.3
    return sheet


def save_film(frames: Sequence[Frame], path: str | Path, scale: int = 6) -> None:
    """Write a generation as an animated GIF of about four seconds, noisy picture left, guess right; whole or not."""
    images = [enlarged(grid(torch.stack([f.x_t[0], f.x0_hat[0]])), scale) for f in frames]
    times = [max(20, 4000 // len(images))] * (len(images) - 1) + [2000]
    with whole_file(path) as temporary:
        images[0].save(temporary, "GIF", save_all=True, append_images=images[1:], duration=times, loop=0)


def row(pictures: Sequence[Tensor] | Tensor, titles: Sequence[str] = (), height: float = 3.2) -> Figure:
    """Pictures side by side, each (3, H, W), with a title above each."""
    return rows([pictures], titles=titles, height=height)


def rows(
    lines: Sequence[Sequence[Tensor] | Tensor],
    titles: Sequence[str] = (),
    labels: Sequence[str] = (),
    height: float = 2.0,
) -> Figure:
    """Rows of pictures, each (3, H, W), with titles above the columns and labels left of the rows."""
    count = len(lines[0])
    figure, axes = plt.subplots(
        len(lines),
        count,
        figsize=(height * count, (height + 0.15) * len(lines) + 0.4),
        squeeze=False,
        layout="tight",
    )
    for line, axes_line in zip(lines, axes, strict=True):
        for picture, ax in zip(line, axes_line, strict=True):
            ax.imshow(to_image(picture), interpolation="auto")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
    for title, ax in zip(titles, axes[0], strict=False):
        ax.set_title(title, fontsize=FONT)
    for label, axes_line in zip(labels, axes, strict=False):
        axes_line[0].set_ylabel(label, fontsize=FONT)
    plt.close(figure)  # a notebook shows the figure that a cell returns, once
    return figure


def film(frames: Sequence[Frame], columns: int = 10, which: int = 0) -> Figure:
    """A generation as a strip: the noisy picture above, the current guess of the clean picture below.

    Args:
        frames: all that `sample` yielded.
        columns: how many moments to show, evenly spread, first and last included.
        which: which picture of the batch.
    """
    at = torch.linspace(0, len(frames) - 1, min(columns, len(frames))).round().int().tolist()
    return rows(
        [[frames[i].x_t[which] for i in at], [frames[i].x0_hat[which] for i in at]],
        titles=[f"t = {frames[i].t:.2f}" for i in at],
        labels=["noisy picture", "current guess"],
    )


def histograms(pictures: Sequence[Tensor] | Tensor, titles: Sequence[str]) -> Figure:
    """How often each pixel value occurs, one panel for each (3, H, W) picture, all on one scale."""
    size = (3.4 * len(pictures), 3.2)
    figure, axes = plt.subplots(1, len(pictures), figsize=size, sharey=True, squeeze=False, layout="tight")
    for picture, title, ax in zip(pictures, titles, axes[0], strict=True):
        ax.hist(picture.flatten().numpy(), bins=60, range=(-3, 3), density=True, color=BLUE)
        ax.set_title(title, fontsize=FONT)
        ax.set(xlim=(-3, 3), xticks=[-2, 0, 2], yticks=[])
        ax.tick_params(labelsize=FONT)
        ax.set_xlabel("pixel value", fontsize=FONT)
    plt.close(figure)
    return figure


def _label(ax: Axes, xlabel: str, ylabel: str) -> None:
    ax.set_xlabel(xlabel, fontsize=FONT)
    ax.set_ylabel(ylabel, fontsize=FONT)
    ax.tick_params(labelsize=FONT)
    ax.grid(alpha=0.3)


def _log_axis(ax: Axes) -> None:
    """Make the vertical axis logarithmic; where it spans less than two decades, with plain numbers on it."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    if high < 100 * low:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())


def _lines(ax: Axes, series: Mapping[str, tuple[Sequence[float], Sequence[float]]], marked: bool = False) -> None:
    """Draw lines with their legend, told apart by colour and dashes."""
    if len(series) > len(STYLES):
        raise ValueError(f"One figure shows up to {len(STYLES)} lines, not {len(series)}.")
    for (name, (x, y)), (colour, dashes, marker) in zip(series.items(), STYLES, strict=False):
        ax.plot(x, y, dashes, color=colour, marker=marker if marked else None, markersize=10, linewidth=3, label=name)
    ax.legend(fontsize=FONT)


def curve(x: Tensor, y: Tensor, xlabel: str, ylabel: str, *, log: bool = False, marks: Sequence[float] = ()) -> Figure:
    """A line, with the points at x = marks picked out; `log` makes the vertical axis logarithmic."""
    figure, ax = plt.subplots(figsize=(9, 4.5), layout="tight")
    ax.plot(x, y, color=BLUE, linewidth=3)
    if len(marks):
        at = [int((x - mark).abs().argmin()) for mark in marks]
        ax.plot(x[at], y[at], "o", color=ORANGE, markersize=12)
    if log:
        ax.set_yscale("log")
    _label(ax, xlabel, ylabel)
    plt.close(figure)
    return figure


def curves(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    xlabel: str,
    ylabel: str,
    *,
    log: bool = False,
    marked: bool = False,
) -> Figure:
    """Up to four lines in one figure, {name: (x, y)}, told apart by colour and dashes; `marked` shows each point."""
    figure, ax = plt.subplots(figsize=(9, 4.5), layout="tight")
    _lines(ax, series, marked)
    if log:
        _log_axis(ax)
    _label(ax, xlabel, ylabel)
    plt.close(figure)
    return figure


def training(losses: Sequence[float], pictures: Tensor, title: str = "") -> Figure:
    """The loss of each step so far, thin, and its average over the last 25, thick; below it a row of pictures."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(12, 5.6), height_ratios=[1.6, 1], layout="tight")
    steps = np.arange(1, len(losses) + 1)
    total = np.cumsum([0.0, *losses])
    start = np.maximum(steps - 25, 0)
    above.plot(steps, losses, color=BLUE, alpha=0.25)
    above.plot(steps, (total[steps] - total[start]) / (steps - start), color=BLUE, linewidth=3)
    above.set_yscale("log")
    above.set_title(title, fontsize=FONT)
    _label(above, "step", "loss")
    below.imshow(to_image(grid(pictures, columns=len(pictures))), interpolation="nearest")
    below.axis("off")
    plt.close(figure)
    return figure


def bars(scores: Mapping[str, Score]) -> Figure:
    """How much of what was asked for is right, a bar for each name, with its 95 % interval."""
    figure, ax = plt.subplots(figsize=(9, 0.55 * len(scores) + 1.2), layout="tight")
    for place, score in enumerate(scores.values()):
        low, high = score.interval
        ax.barh(place, 100 * score.right / score.of, color=BLUE, alpha=0.8)
        ax.plot([100 * low, 100 * high], [place, place], color="black", linewidth=2.5)
    ax.set_yticks(range(len(scores)), list(scores), fontsize=FONT)
    ax.invert_yaxis()
    ax.set(xlim=(0, 101))
    ax.set_xlabel("kind and colour right, %", fontsize=FONT)
    ax.tick_params(labelsize=FONT)
    plt.close(figure)
    return figure


def heat(values: Tensor, rows: Sequence[str], columns: Sequence[str] = (), digits: int | None = None) -> Figure:
    """A table of numbers as colours: zero is white, more than zero blue, less than zero red.

    Args:
        values: (R, C) numbers.
        rows: a name for each row.
        columns: a name for each column; left out, the columns have none.
        digits: write each number into its field, with so many digits after the point.
    """
    high, wide = values.shape
    field = 0.8 if columns else min(0.35, 10 / wide)  # inches
    figure, ax = plt.subplots(figsize=(field * wide + 3, (0.6 if columns else 0.32) * high + 2.2 * bool(columns)))
    most = values.abs().max().item() or 1.0
    ax.imshow(values.numpy(), cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    ax.set_yticks(range(high), rows, fontsize=FONT)
    ax.set_xticks(range(len(columns)), columns, fontsize=FONT, rotation=40, ha="left", rotation_mode="anchor")
    ax.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    for (r, c), value in np.ndenumerate(values.numpy()) if digits is not None else ():
        shade = "white" if abs(value) > 0.6 * most else "black"
        ax.text(c, r, f"{value:.{digits}f}", ha="center", va="center", fontsize=FONT - 2, color=shade)
    figure.tight_layout()
    plt.close(figure)
    return figure


def beside(picture: Tensor, series: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str) -> Figure:
    """One (3, H, W) picture, such as a `grid`, and beside it up to four loss curves, {name: (steps, losses)}."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), width_ratios=[1, 1.5], layout="tight")
    left.imshow(to_image(picture), interpolation="nearest")
    left.set_title(title, fontsize=FONT)
    left.set_axis_off()
    _lines(right, series)
    _log_axis(right)
    _label(right, "step", "loss")
    plt.close(figure)
    return figure


def folded(answers: Mapping[str, str]) -> Markdown:
    """Lines that unfold when clicked, {what is to be seen: what unfolds}."""
    line = "<details><summary>{}</summary>\n\n{}\n\n</details>\n"
    return Markdown("\n".join(line.format(name, text) for name, text in answers.items()))


def source(function: Callable) -> Markdown:
    """A function of the library, in full, as it stands in its file."""
    return Markdown(f"```python\n{inspect.getsource(function)}```")
