"""Pictures to look at: rows, films and curves, legible from the last row of a lecture room."""

import base64
import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython import get_ipython
from IPython.core.formatters import DisplayFormatter
from IPython.display import Markdown
from matplotlib.ticker import LogLocator
from torch import Tensor

from course_lib.classroom.projector import projector as projector
from course_lib.classroom.projector import strengthened, words_in_view
from course_lib.judging.counts import Score
from course_lib.sample import Frame
from course_lib.tools.bars import progress as progress
from course_lib.tools.files import whole_file
from course_lib.tools.pixels import enlarged, grid, save_picture, to_image
from course_lib.tools.pixels import png as png

FONT = 16  # points; legible when the figure fills a projector's screen
ROOM = 12.6, 5.2  # inches, wide and high, that a slide shows in full size; a larger figure has larger letters
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe and Ito's: safe for colour-blind readers
STYLES = ((BLUE, "-", "o"), (ORANGE, "--", "s"), (GREEN, ":", "^"), (PINK, "-.", "D"))  # colour is never alone

OWN_STYLE = plt.style.context("default")  # decorates what draws: whatever style a learner has set, and leaves it set

TALLEST = 16  # rows of a table
LETTER = 0.63 / 72  # inches, the usual width of a letter for each point of its size

Pictures = Sequence[Tensor] | Tensor  # each (3, H, W)
Series = Mapping[str, tuple[Sequence[float], Sequence[float]]]  # the lines of a chart, {name: (x, y)}


class Figure(plt.Figure):
    """A figure that says in words, `alt`, what it shows; a notebook keeps them in the metadata of its output."""

    def saying(self, alt: str) -> "Figure":
        self.alt = " ".join(alt.split())
        return strengthened(self)

    @property
    def metadata(self) -> dict:
        """What stands beside the picture in a notebook's output."""
        return {"alt": self.alt}

    @OWN_STYLE
    def draw(self, renderer) -> None:  # ticks are made only now
        super().draw(renderer)

    @OWN_STYLE
    def savefig(self, *arguments, **options) -> None:
        if options.get("dpi", "figure") == "figure":  # for matplotlib, what it was made with; a projector has more
            options["dpi"] = self.dpi
        super().savefig(*arguments, **options)


def show_alike(shown_by: DisplayFormatter) -> None:
    """Let a notebook show our figures as PNG pictures of one size, whatever its settings are for those of others."""

    def picture(figure: Figure) -> tuple[str, dict]:
        return base64.b64encode(figure_png(figure)).decode(), figure.metadata

    for kind in ("image/svg+xml", "image/jpeg", "application/pdf"):
        shown_by.formatters[kind].for_type(Figure, lambda figure: None)
    shown_by.formatters["image/png"].for_type(Figure, picture)


if shell := get_ipython():
    show_alike(shell.display_formatter)


def _figure(rows: int, columns: int, size: tuple[float, float], **options) -> tuple[Figure, np.ndarray]:
    """A figure and its (rows, columns) axes; a notebook shows the figure that a cell returns, once."""
    made = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="tight", FigureClass=Figure, **options)
    plt.close(made[0])
    return made


def _named(what: str, rows: Sequence[str], columns: Sequence[str]) -> str:
    """A sentence on what stands in rows and columns, with their names, if they have some."""
    ways = (("from top to bottom", rows), ("from left to right", columns))
    return "; ".join([what, *(f"{way}: {', '.join(map(str, names))}" for way, names in ways if len(names))]) + "."


def save_figure(figure: plt.Figure, path: str | Path) -> None:
    """Write a matplotlib figure in the format that the path's ending names, PNG without one; whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(figure_bytes(figure, dpi=150, kind=Path(path).suffix[1:].lower() or "png"))


def figure_png(figure: plt.Figure, dpi: float | str = "figure") -> bytes:
    """A figure as the bytes of a PNG file. A text in it, `Letters`, says how many pixels its smallest letters have."""
    figure.draw_without_rendering()
    smallest = min((word.get_fontsize() for word in words_in_view(figure)), default=0)
    pixels = smallest / 72 * (figure.dpi if dpi == "figure" else dpi)
    return figure_bytes(figure, dpi, "png", metadata={"Letters": f"{pixels:.1f}"} if smallest else {})


def figure_bytes(figure: plt.Figure, dpi: float | str, kind: str, **options) -> bytes:
    """A figure as the bytes of a file of this kind; ValueError for one that matplotlib does not write."""
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=dpi, bbox_inches="tight", facecolor="white", **options)
    return file.getvalue()


def histogram_picture(picture: Tensor) -> Tensor:
    """How often each pixel value from -3 to 3 occurs, as a (3, 256, 420) picture that is quick to draw.

    The scale does not change with the picture; thin lines mark -1, 0 and 1, the ends and the middle of the range.
    """
    height, width, bins = 256, 420, 60
    share = torch.histc(picture, bins, min=-3, max=3) / picture.numel()
    tall = (share / 0.12).clamp(max=1).repeat_interleave(width // bins) * height
    colour = torch.tensor([int(BLUE[i : i + 2], 16) / 127.5 - 1 for i in (1, 3, 5)])[:, None, None]
    sheet = torch.where(torch.arange(height, 0, -1)[:, None] <= tall, colour, 1.0)
    sheet[:, :, [round((value + 3) / 6 * (width - 1)) for value in (-1, 0, 1)]] = 0.3
    return sheet


def check_ending(path: str | Path, *endings: str) -> None:
    """Refuse, with a ValueError, a path whose ending is none of these; one without an ending will do."""
    ending = Path(path).suffix
    if ending and ending.lower() not in endings:
        *most, last = endings
        raise ValueError(f"This can be written to a file that ends in {', '.join(most)} or {last}, not in {ending}.")


def save_png(picture: Tensor, path: str | Path, scale: int = 1) -> None:
    """Write one (3, H, W) picture, every pixel a square of scale x scale; whole or not at all.

    It is a PNG file, unless the path ends in .jpg, .jpeg or .webp. Raises ValueError for any other ending.
    """
    check_ending(path, ".png", ".jpg", ".jpeg", ".webp")
    save_picture(picture, path, scale)


def save_film(frames: Sequence[Frame], path: str | Path, scale: int = 6) -> None:
    """Write a generation as an animated GIF, or WebP if the path ends so, noisy picture left, guess right.

    It takes four seconds, whatever the number of frames: of many it shows 76, evenly spread, first and last included,
    and the last stays for a second. Whole or not at all. Raises ValueError for a path that ends in anything else.
    """
    check_ending(path, ".gif", ".webp")
    at = torch.linspace(0, len(frames) - 1, min(76, len(frames))).round().int().tolist()
    images = [enlarged(grid(torch.stack([frames[i].x_t[0], frames[i].x0_hat[0]])), scale) for i in at]
    ends = torch.linspace(0, 300, len(images)).round().int() * 10  # milliseconds; GIF counts in hundredths of a second
    times = [*ends.diff().tolist(), 1000]
    kind = "WEBP" if Path(path).suffix.lower() == ".webp" else "GIF"
    with whole_file(path) as temporary:
        images[0].save(temporary, kind, save_all=True, append_images=images[1:], duration=times, loop=0, lossless=True)


def row(pictures: Pictures, titles: Sequence[str] = (), height: float = 3.2, alt: str = "") -> Figure:
    """Pictures side by side, each (3, H, W), with a title above each."""
    return rows([pictures], titles, height=height, alt=alt)


def _width(names: Sequence[str]) -> float:
    """How wide the longest line of these names is, in inches for each point of the letters' size."""
    return max((LETTER * len(line) for name in names for line in str(name).split("\n")), default=0)


def letters(size: tuple[float, float], growth: tuple[float, float] = (0, 0)) -> float:
    """The size of letters, in points, at which those of a figure are as large on a slide as they are in a notebook.

    The figure is so wide and high, in inches, and by `growth` for each point of the letters' size.
    """
    pairs = zip(size, growth, ROOM, strict=True)
    return max(FONT, *(FONT * a / max(room - FONT * b, room / 3) for a, b, room in pairs))  # long names leave that much


def _broken(name: str, most: float) -> str:
    """A name in lines of at most so many letters, if its words allow it; what is on lines of its own stays there."""
    return "\n".join(fill(part, max(1, int(most)), break_long_words=False) for part in str(name).split("\n"))


@OWN_STYLE
def rows(
    lines: Sequence[Pictures], titles: Sequence[str] = (), labels: Sequence[str] = (), height: float = 2, alt: str = ""
) -> Figure:
    """Rows of pictures, each (3, H, W), with titles above the columns and labels left of the rows."""
    high, wide = len(lines), len(lines[0])
    names = [_broken(label, 14) for label in labels]
    beside, above = _width(names) + LETTER, 1.4 / 72 * bool(len(titles))
    for _ in range(2):  # larger letters break titles into more lines, which take room
        font = letters((height * wide, (height + 0.15) * high), (beside, above))
        heads = [_broken(title, height / (LETTER * font)) for title in titles]
        above = 1.4 / 72 * max((head.count("\n") + 1 for head in heads), default=0)
    size = (height * wide + font * beside, (height + 0.15) * high + font * above)
    figure, axes = _figure(high, wide, size)
    for line, axes_line in zip(lines, axes, strict=True):
        for picture, ax in zip(line, axes_line, strict=True):
            ax.imshow(to_image(picture), interpolation="auto")
            ax.set(xticks=[], yticks=[], frame_on=False)
    for head, ax in zip(heads, axes[0], strict=False):
        ax.set_title(head, fontsize=min(font, max(FONT, height / (_width(heads) or 1))))
    for name, axes_line in zip(names, axes, strict=False):
        axes_line[0].set_ylabel(name, fontsize=font, rotation=0, ha="right", va="center")
    one = "One picture" + ": " * bool(len(titles)) + " ".join(map(str, titles))
    told = f"{high} rows of pictures, {wide} in each" if high > 1 else f"A row of {wide} pictures" if wide > 1 else one
    return figure.saying(alt or _named(told, labels, () if told == one else titles))


def film(frames: Sequence[Frame], columns: int = 10, which: int = 0, alt: str = "") -> Figure:
    """A generation, all that `sample` yielded, as a strip: the noisy picture above, the current guess below.

    It shows so many `columns`, moments evenly spread, first and last included, of the picture `which` of the batch.
    """
    at = torch.linspace(0, len(frames) - 1, min(columns, len(frames))).round().int().tolist()
    lines = [[frames[i].x_t[which] for i in at], [frames[i].x0_hat[which] for i in at]]
    return rows(lines, [f"t = {frames[i].t:.2f}" for i in at], ["noisy\npicture", "current\nguess"], alt=alt)


@OWN_STYLE
def histograms(pictures: Pictures, titles: Sequence[str], alt: str = "") -> Figure:
    """How often each pixel value occurs, one panel for each (3, H, W) picture, all on one scale."""
    size = 3.4 * len(pictures), 3.2
    font = letters(size)
    figure, axes = _figure(1, len(pictures), size, sharey=True)
    for picture, title, ax in zip(pictures, titles, axes[0], strict=True):
        ax.hist(picture.flatten().numpy(), bins=60, range=(-3, 3), density=True, color=BLUE)
        ax.set_title(title, fontsize=font)
        ax.set(xlim=(-3, 3), xticks=[-2, 0, 2], yticks=[])
        ax.tick_params(labelsize=font)
        ax.set_xlabel("pixel value", fontsize=font)
    told = [f"{title} (mean {x.mean():z.2f}, spread {x.std():.2f})" for title, x in zip(titles, pictures, strict=True)]
    return figure.saying(alt or f"How often pixel values from -3 to 3 occur, left to right: {', '.join(told)}.")


def _chart(ax: plt.Axes, series: Series, xlabel: str, ylabel: str, *, log: bool = False, marked: bool = False) -> str:
    """Draw lines, told apart by colour and dashes, with a legend unless the name is ""; say in words where they run."""
    if len(series) > len(STYLES):
        raise ValueError(f"One figure shows up to {len(STYLES)} lines, not {len(series)}.")
    for (name, (x, y)), (colour, dashes, marker) in zip(series.items(), STYLES, strict=False):
        ax.plot(x, y, dashes, color=colour, marker=marker if marked else None, markersize=10, linewidth=3, label=name)
    if "" not in series:
        ax.legend(fontsize=FONT)
    if log:
        ax.set_yscale("log")
        if np.ptp(np.log10(ax.get_ylim())) < 2:  # decades; on so few, plain numbers
            ax.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}", minor_formatter="")
    ax.set_xlabel(xlabel, fontsize=FONT)
    ax.set_ylabel(ylabel, fontsize=FONT)
    ax.tick_params(labelsize=FONT)
    ax.grid(alpha=0.3)
    said = "{} goes from {:.4g} at {:.4g} to {:.4g} at {:.4g}, lowest {:.4g}, highest {:.4g}"
    runs = [
        (name or "the line", y[0], x[0], y[-1], x[-1], np.nanmin(y), np.nanmax(y))
        for name, (x, y) in series.items()
        if len(x)
    ]
    scale = " on a logarithmic scale" * (ax.get_yscale() == "log")
    told = "; ".join(said.format(*run) for run in runs) or "nothing yet"
    return f"chart of {ylabel}{scale} against {xlabel}: {told}."


@OWN_STYLE
def curve(
    x: Tensor, y: Tensor, xlabel: str, ylabel: str, *, log: bool = False, marks: Sequence[float] = (), alt: str = ""
) -> Figure:
    """A line, with the points at x = marks picked out; `log` makes the vertical axis logarithmic."""
    figure = curves({"": (x, y)}, xlabel, ylabel, log=log)
    at = [int((x - mark).abs().argmin()) for mark in marks]
    figure.axes[0].plot(x[at], y[at], "o", color=ORANGE, markersize=12)
    return figure.saying(alt or figure.alt + "".join(f" Picked out: {y[i]:.4g} at {x[i]:.4g}." for i in at))


@OWN_STYLE
def curves(
    series: Series, xlabel: str, ylabel: str, *, log: bool = False, marked: bool = False, alt: str = ""
) -> Figure:
    """Up to four lines in one figure, {name: (x, y)}, told apart by colour and dashes; `marked` shows each point."""
    figure, ((ax,),) = _figure(1, 1, (9, 4.5))
    told = _chart(ax, series, xlabel, ylabel, log=log, marked=marked)
    return figure.saying(alt or f"A {told}")


def _averages(losses: np.ndarray, over: int = 25) -> np.ndarray:
    """The average of each number and those before it, so many at most."""
    total, steps = np.cumsum([0.0, *losses]), np.arange(1, len(losses) + 1)
    start = np.maximum(steps - over, 0)
    return (total[steps] - total[start]) / (steps - start)


@OWN_STYLE
def training(
    losses: Sequence[float],
    pictures: Tensor,
    title: str = "",
    alt: str = "",
    *,
    steps: Sequence[int] | None = None,
) -> Figure:
    """The loss of each step so far, thin, and its average over the last 25, thick; below it a row of pictures.

    `steps` are the steps' own numbers, in rising order, or else 1, 2, 3, ...; where some are missing, so is the line.
    """
    figure, ((above,), (below,)) = _figure(2, 1, (11.6, 5.0), height_ratios=[1.5, 1])
    steps = np.arange(1, len(losses) + 1) if steps is None else np.asarray(steps)
    gaps = np.flatnonzero(np.diff(steps) > 1) + 1  # a line breaks at nan
    average = np.concatenate([_averages(stretch) for stretch in np.split(np.asarray(losses, dtype=float), gaps)])
    steps, thin, average = (np.insert(x.astype(float), gaps, np.nan) for x in (steps, np.asarray(losses), average))
    above.plot(steps, thin, color=BLUE, alpha=0.25)
    told = _chart(above, {"": (steps, average)}, "step", "loss", log=True).replace("the line", "its average")
    above.set_title(title, fontsize=FONT)
    below.imshow(to_image(grid(pictures, columns=len(pictures))), interpolation="nearest")
    below.axis("off")
    return figure.saying(alt or f"{title or 'Training'}: a {told} Below, pictures: {len(pictures)}.")


@OWN_STYLE
def bars(scores: Mapping[str, Score], alt: str = "") -> Figure:
    """How much of what was asked for is right, a bar for each name, with its 95 % interval."""
    size = 9, 0.55 * len(scores) + 1.2
    font, told = letters(size), []
    figure, ((ax,),) = _figure(1, 1, size)
    for place, (name, score) in enumerate(scores.items()):
        share, low, high = (100 * part for part in (score.right / score.of, *score.interval))
        ax.barh(place, share, color=BLUE, alpha=0.8)
        ax.plot([low, high], [place, place], color="black", linewidth=2.5)
        told.append(f"{name} {share:.0f} % (interval {low:.0f} to {high:.0f})")
    ax.set_yticks(range(len(scores)), list(scores))
    ax.invert_yaxis()
    ax.set(xlim=(0, 101))
    ax.set_xlabel("kind and colour right, %", fontsize=font)
    ax.tick_params(labelsize=font)
    return figure.saying(alt or f"A bar for each share of kind and colour right: {', '.join(told)}.")


@OWN_STYLE
def heat(
    values: Tensor, rows: Sequence[str], columns: Sequence[str] = (), digits: int | None = None, alt: str = ""
) -> Figure:
    """A table of numbers, (R, C), as colours: zero is white, more than zero blue, less than zero red.

    Rows have names, columns may have some; `digits` writes each number, with so many digits after the point. Many rows
    stand in parts side by side, unless columns have names.
    """
    high, wide = values.shape
    parts = 1 if columns else -(-high // TALLEST)  # side by side
    part = -(-high // parts)
    numbers = [[f"{value:.{digits}f}" for value in row] for row in values.tolist()] if digits is not None else []
    line = 0.5 if columns else 0.32  # inches
    field = 0 if numbers else min(0.35, 10 / wide / parts)
    beside = _width(rows) + wide * (_width(sum(numbers, [])) + 2 * LETTER) * bool(numbers)
    above = 0.8 * _width(columns)
    font = letters((field * wide * parts, line * part), (beside * parts, above))
    size = (field * wide + font * beside) * parts, line * part + font * above
    figure, (axes,) = _figure(1, parts, size)
    most = values.abs().max().item() or 1.0
    for i, ax in enumerate(axes):
        some, names = values[i * part :][:part], rows[i * part :][:part]
        ax.imshow(some.numpy(), cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
        ax.set_ylim(part - 0.5, -0.5)
        ax.set_yticks(range(len(names)), names, fontsize=font)
        ax.set_xticks(range(len(columns)), columns, fontsize=font, rotation=40, ha="left", rotation_mode="anchor")
        ax.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
        ax.spines[:].set_visible(len(names) == part)
        for (r, c), value in np.ndenumerate(some.numpy()) if numbers else ():
            shade = "white" if abs(value) > 0.6 * most else "black"
            ax.text(c, r, numbers[i * part + r][c], ha="center", va="center", fontsize=font, color=shade)
    figure.tight_layout()
    told = f"A table of {high} x {wide} numbers from {values.min():.4g} to {values.max():.4g} as colours"
    return figure.saying(alt or _named(told, rows, columns))


@OWN_STYLE
def beside(picture: Tensor, series: Series, title: str, alt: str = "") -> Figure:
    """One (3, H, W) picture, such as a `grid`, and beside it up to four loss curves, {name: (steps, losses)}."""
    figure, ((left, right),) = _figure(1, 2, (10, 4), width_ratios=[1, 1.5])
    left.imshow(to_image(picture), interpolation="nearest")
    left.set_title(title, fontsize=FONT)
    left.set_axis_off()
    told = _chart(right, series, "step", "loss", log=True)
    return figure.saying(alt or f"Pictures: {title}. Beside them, a {told}")


def folded(answers: Mapping[str, str]) -> Markdown:
    """Lines that unfold when clicked, {what is to be seen: what unfolds}."""
    line = "<details><summary>{}</summary>\n\n{}\n\n</details>\n"
    return Markdown("\n".join(line.format(name, text) for name, text in answers.items()))


def source(function: Callable) -> Markdown:
    """A function of the library, in full, as it stands in its file."""
    return Markdown(f"```python\n{inspect.getsource(function)}```")
