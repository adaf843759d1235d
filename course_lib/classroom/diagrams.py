"""The ideas of the course as drawings in one style: each function gives a figure that says what it shows.

Blue is what learns, a network; orange is noise, and what is added; green is words. Lengths are inches of the figure.
The pictures and the numbers in them are real: they are drawn, noised and computed when the function is called.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from torch import Tensor

from course_lib.captions import encode
from course_lib.classroom.show import BLUE, FONT, GREEN, ORANGE, OWN_STYLE, Figure
from course_lib.fruit.drawing import Fruit, draw
from course_lib.fruit.words import VOCABULARY
from course_lib.model import smallest_side
from course_lib.noise import add_noise
from course_lib.tools.pixels import to_image
from course_lib.weights import load_denoiser

INK, PALE = "#222222", "#5F5F5F"
FILLS = {BLUE: "#DCEBF7", ORANGE: "#FBE3D3", GREEN: "#D8F0E6", INK: "#FFFFFF", PALE: "#F1F1F1"}
DARK = {GREEN: "#006B4E", ORANGE: "#A34800"}  # the same for words: what is bright enough for an arrow is not to read
LARGE, WIDE = FONT + 2, 12.0  # points, inches

Place = tuple[float, float]  # right and up, in inches, from the lower left corner

# The worked example of `attention`: two words, and the four places of a picture of 2 x 2
WORDS = ("apple", "pear")
KEYS = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
VALUES = torch.tensor([[4.0, 1.0], [0.0, 3.0]])
QUERIES = torch.tensor([[3.0, 0.0], [0.0, 2.0], [2.0, 1.0], [1.0, 1.0]])


def _sheet(high: float, wide: float = WIDE) -> tuple[Figure, Axes]:
    """A figure without axes to be seen, on which an inch is an inch."""
    figure = plt.figure(figsize=(wide, high), FigureClass=Figure)
    plt.close(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, wide), ylim=(0, high))
    ax.axis("off")
    return figure, ax


def _write(ax: Axes, at: Place, text: str, size: float = FONT, colour: str = INK, **how) -> None:
    """Words, their middle at a place unless `ha` or `va` say otherwise."""
    style = dict(fontsize=size, color=DARK.get(colour, colour), ha="center", va="center", linespacing=1.25, zorder=5)
    ax.text(*at, text, **style | how)


def _box(
    ax: Axes, middle: Place, wide: float, high: float, text: str = "", colour: str = INK, size: float = FONT, **how
) -> None:
    """A box with round corners about a place, and words in it."""
    corner = middle[0] - wide / 2 + 0.08, middle[1] - high / 2 + 0.08
    style = dict(boxstyle="round,pad=0.08", facecolor=FILLS[colour], edgecolor=colour, linewidth=2.5, zorder=2) | how
    ax.add_patch(FancyBboxPatch(corner, wide - 0.16, high - 0.16, **style))
    _write(ax, middle, text, size)


def _arrow(ax: Axes, start: Place, end: Place, colour: str = INK, bend: float = 0, dashes: str = "-", **how) -> None:
    """An arrow from place to place; `bend` lets it run to its left, or to its right where it is less than zero."""
    style = dict(arrowstyle="-|>", mutation_scale=24, linewidth=2.8, shrinkA=0, shrinkB=0, zorder=3) | how
    style |= dict(color=colour, linestyle=dashes, connectionstyle=f"arc3,rad={-bend}")
    ax.add_patch(FancyArrowPatch(start, end, **style))


def _arrows(ax: Axes, y: float, *spans: Place, **how) -> None:
    """Level arrows at one height, each from here to there."""
    for start, end in spans:
        _arrow(ax, (start, y), (end, y), **how)


def _picture(ax: Axes, middle: Place, side: float, x: Tensor, frame: str = INK) -> None:
    """A (3, H, W) picture about a place."""
    left, low = middle[0] - side / 2, middle[1] - side / 2
    ax.imshow(to_image(x), extent=(left, left + side, low, low + side), interpolation="nearest", zorder=2)
    ax.add_patch(Rectangle((left, low), side, side, fill=False, edgecolor=frame, linewidth=2, zorder=3))


def _strip(ax: Axes, left: Place, values: Tensor, cell: float) -> None:
    """Some numbers as a row of coloured squares, from the middle of its left side: blue above zero, red below."""
    for i, value in enumerate((values / values.abs().max()).tolist()):
        corner, shade = (left[0] + i * cell, left[1] - cell / 2), plt.get_cmap("RdBu")(0.5 + 0.4 * value)
        ax.add_patch(Rectangle(corner, cell, cell, facecolor=shade, edgecolor=INK, linewidth=1, zorder=2))


def _table(ax: Axes, corner: Place, values: Tensor, cell: Place, digits: int = 0, fills: Sequence | None = None):
    """Numbers (R, C) in ruled cells, from the upper left corner; `fills` are the colours of the cells, row by row."""
    wide, high = cell
    for r, line in enumerate(values.tolist()):
        for c, value in enumerate(line):
            at, fill = (corner[0] + c * wide, corner[1] - (r + 1) * high), fills[r][c] if fills else "white"
            ax.add_patch(Rectangle(at, wide, high, facecolor=fill, edgecolor=INK, linewidth=1.5, zorder=2))
            _write(ax, (at[0] + wide / 2, at[1] + high / 2), f"{value:.{digits}f}")


def _apple(size: int = 32) -> Tensor:
    """An apple, (1, 3, size, size)."""
    return draw([Fruit("apple", "red", size=0.88, background="cream")], size)


def _noise(size: int = 32, seed: int = 1) -> Tensor:
    """Noise, (1, 3, size, size)."""
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


# The drawings


@OWN_STYLE
def road() -> Figure:
    """An apple on the road to noise, and the road back."""
    figure, ax = _sheet(4.5)
    places, side = [(1.15 + 2.425 * i, 2.35) for i in range(5)], 1.75
    for t, (x, y) in zip((0, 0.25, 0.5, 0.75, 1), places, strict=True):
        _picture(ax, (x, y), side, add_noise(_apple(), t, _noise())[0])
        name = {0: "$t = 0$, picture", 1: "$t = 1$, noise"}.get(t, f"$t = {t:g}$")
        _write(ax, (x, y - side / 2 - 0.22), name)
    for (here, y), (there, _) in zip(places, places[1:], strict=False):
        _arrow(ax, (here + 0.5, y + 0.95), (there - 0.5, y + 0.95), ORANGE, bend=0.3)
        _arrow(ax, (there - 0.5, y - 1.33), (here + 0.5, y - 1.33), BLUE, bend=0.3)
    _write(ax, (WIDE / 2, 4.2), "forward process: add noise", LARGE, ORANGE, weight="bold")
    _write(ax, (WIDE / 2, 0.3), "reverse process: a network takes it away, step by step", LARGE, BLUE, weight="bold")
    return figure.saying(
        "Five pictures in a row, from an apple at noise level t = 0 to pure noise at t = 1. Arrows above lead to the "
        "right: the forward process adds noise. Arrows below lead back to the left: the reverse process, in which a "
        "network takes the noise away, a little at a time."
    )


@OWN_STYLE
def pair() -> Figure:
    """Two neighbours on the road as one example: what goes in, and what should come out."""
    figure, ax = _sheet(5.2)
    side, top, low = 1.5, 3.75, 1.35
    _box(ax, (4.1, 2.5), 2.5, 4.9, colour=PALE, linestyle="--")
    left = (0, 1.0, top, "picture $x_0$", 0.95), (1, 1.0, low, "noise $\\epsilon$", -0.98)
    two = (0.6, 4.1, top - 0.05, "input $x_t$, $t = 0.6$", 0.95), (0.5, 4.1, low, "target $x_s$, $s = 0.5$", -0.98)
    for t, x, y, name, up in (*left, *two):
        _picture(ax, (x, y), side, add_noise(_apple(), t, _noise())[0])
        _write(ax, (x, y + up), name)
    _write(ax, (1.0, (top + low) / 2), "+", 26)
    _write(ax, (4.1, (top + low) / 2), "one pair", LARGE, weight="bold")
    _arrow(ax, (1.85, top), (2.75, top - 0.05), ORANGE)
    _arrow(ax, (1.85, low), (2.75, low), ORANGE)
    _box(ax, (7.2, top - 0.05), 1.9, 1.1, "network", BLUE, LARGE)
    _arrows(ax, top - 0.05, (4.95, 6.2), (8.2, 9.2))
    _box(ax, (10.35, top - 0.05), 2.2, 1.1, "its answer", INK, LARGE)
    _box(ax, (10.35, low), 2.2, 1.1, "loss: how far\nis it off?", INK)
    _arrows(ax, low, (4.95, 9.2))
    _arrow(ax, (10.35, top - 0.65), (10.35, low + 0.6))
    _arrow(ax, (9.5, low + 0.6), (7.4, top - 0.65), PALE, dashes="--")
    _write(ax, (7.15, 2.3), "change the\nparameters", colour=PALE)
    return figure.saying(
        "From one picture x_0 and one noise come two neighbours on the road, a pair: the input x_t at noise level 0.6 "
        "and the target x_s at 0.5. The input goes into the network. Its answer is compared with the target; how far "
        "it is off is the loss, and a dashed arrow leads back: the network's parameters are changed."
    )


@OWN_STYLE
def unet(channels: Sequence[int] = (48, 96), size: int = 32, patch: int = 4) -> Figure:
    """The U-Net of `Denoiser`, with the sizes at each stage, for these settings of it: two scales or three."""
    smallest_side(dict(channels=list(channels), size=size, patch=patch, width=4))
    if not 2 <= len(channels) <= 3:
        raise ValueError(f"This drawing has room for two or three scales, not {len(channels)}.")
    depth, wide, high, step = len(channels), 1.5, 1.0, 1.75
    figure, ax = _sheet(step * depth + 1.6)
    left, right, middle = 0.85, WIDE - 0.85, WIDE / 2
    rows = [step * depth + 0.35 - step * i for i in range(depth)]
    apart = [3.05 - 1.2 * i / (depth - 1) for i in range(depth)]
    sizes = [f"{side} × {side}" for side in (size // patch // 2**i for i in range(depth))]
    inner = [f"{places}\n{count} channels" for places, count in zip(sizes, channels, strict=True)]
    for x, t, name, cut in (
        (left, 0.5, "noisy picture", f"\nin squares\nof {patch} × {patch}"),
        (right, 0, "guess", ""),
    ):
        _picture(ax, (x, rows[0]), 1.3, add_noise(_apple(), t, _noise())[0])
        _write(ax, (x, rows[0] + 0.9), name)
        _write(ax, (x, rows[0] - 0.75), f"{size} × {size} × 3{cut}", va="top")
    for i, y in enumerate(rows):
        for sign in (-1, 1):
            _box(ax, (middle + sign * apart[i], y), wide, high, inner[i], BLUE)
        if i + 1 < depth:
            x, low, there = apart[i] - wide / 2 - 0.1, y - high / 2 - 0.05, rows[i + 1] + high / 2 + 0.05
            _arrow(ax, (middle - x, y), (middle + x, y), GREEN, dashes="--")
            _arrow(ax, (middle - apart[i], low), (middle - apart[i + 1], there))
            _arrow(ax, (middle + apart[i + 1], there), (middle + apart[i], low))
    _write(ax, (middle, rows[0] + 0.28), "skip connection", colour=GREEN)
    last, x = rows[-1], apart[-1] - wide / 2
    _box(ax, (middle, last), wide, high, inner[-1], BLUE)
    _arrows(ax, last, (middle - x, middle - wide / 2), (middle + wide / 2, middle + x), mutation_scale=18)
    over = last + high / 2 + 0.04
    _arrow(ax, (middle - x - 0.2, over), (middle + x + 0.2, over), GREEN, 0.18, "--")
    inside, between = (apart[0] + apart[1]) / 2 - 0.45, (rows[0] + rows[1]) / 2 + 0.28
    _write(ax, (middle - inside, between), "halve:\ndownsampling", ha="left")
    _write(ax, (middle + inside, between), "double:\nupsampling", ha="right")
    outer = apart[0] + wide / 2 + 0.04
    _arrows(ax, rows[0], (left + 0.72, middle - outer), (middle + outer, right - 0.72))
    _box(ax, (middle, 0.45), 7.2, 0.7, "noise level $t$: one vector, which steers every block", ORANGE)
    _arrow(ax, (middle, 0.84), (middle, last - high / 2 - 0.04), ORANGE)
    stages = " to ".join(f"{a} places with {c} channels" for a, c in zip(sizes, channels, strict=True))
    return figure.saying(
        f"A U of boxes. A noisy picture of {size} x {size} pixels, cut into squares of {patch} x {patch}, goes down "
        f"from {stages.replace('×', 'x')}, through the middle, and up again to the guess, as large as the picture. "
        "Dashed arrows, skip connections, lead from each stage on the way down to its twin on the way up. The noise "
        "level, as one vector, steers every block."
    )


@OWN_STYLE
def caption_vector(caption: str = "a red apple") -> Figure:
    """A caption on its way to one vector, with the tokens and the numbers of the shipped network; 2 to 4 words."""
    words, tokens = caption.split(), [n for n in encode(caption, VOCABULARY)[0].tolist() if n]
    if not 2 <= len(words) <= 4 or len(words) != len(tokens):
        raise ValueError(f"This drawing has room for two to four words, not {caption!r}.")
    network = load_denoiser().caption
    with torch.no_grad():
        rows = network.words(torch.tensor(tokens))
        vector = network(torch.tensor([tokens]))[0]
    figure, ax = _sheet(1.15 * len(words) + 1.15)
    top, shown, cell = 1.15 * len(words) + 0.6, 8, 0.23
    heads = "words", "tokens", "rows of a table\n(embedding)", "each hears\nthe next word", "one vector:\ntheir sum"
    for x, text in zip((0.95, 2.65, 4.75, 7.35, 10.75), heads, strict=True):
        _write(ax, (x, top), text, weight="bold")
    heights = [top - 1.05 - 1.15 * i for i in range(len(words))]
    middle = sum(heights) / len(words)
    for i, (word, token, y) in enumerate(zip(words, tokens, heights, strict=True)):
        _box(ax, (0.95, y), 1.5, 0.72, word, GREEN)
        _box(ax, (2.65, y), 0.95, 0.72, str(token), INK, LARGE)
        _strip(ax, (4.75 - shown * cell / 2, y), rows[i, :shown], cell)
        _box(ax, (7.35, y), 1.4, 0.84, "small\nnetwork", BLUE)
        _arrows(ax, y, (1.75, 2.14), (3.18, 3.78), (5.72, 6.6), mutation_scale=18)
        if i:
            _arrow(ax, (5.72, y + 0.1), (6.6, heights[i - 1] - 0.27), GREEN, dashes="--", mutation_scale=18)
        lean = (y > middle) - (y < middle)
        _arrow(ax, (8.1, y), (8.93 - (0.15 if lean else 0.22), middle + 0.17 * lean), mutation_scale=18)
    ax.plot(8.93, middle, "o", color=INK, markersize=30, markerfacecolor="white", markeredgewidth=2.5, zorder=4)
    _write(ax, (8.93, middle), "+", 24)
    _arrow(ax, (9.18, middle), (9.78, middle))
    _strip(ax, (10.75 - shown * cell / 2, middle), vector[:shown], cell)
    _write(ax, (10.75, middle - 0.3), "steers the\nnetwork", va="top", colour=BLUE)
    return figure.saying(
        f'The caption "{caption}" from left to right: its words become tokens, {", ".join(map(str, tokens))}. Each '
        "token picks a row of numbers from a table, its embedding. Each row hears the next word, is thought about by "
        "itself, and their sum is one vector, which steers the network. Numbers are shown as coloured squares."
    )


@OWN_STYLE
def guidance() -> Figure:
    """Guidance: the arrow from the guess without words to the one with words, and on beyond it."""
    (figure, ax), model, tokens = _sheet(4.9), load_denoiser(), encode("a green banana", VOCABULARY)
    x_t, y, places = _noise(32, seed=0), 1.6, {0: 1.8, 1: 6.0, 2: 10.2}
    with torch.no_grad():
        u, c = model(x_t, 1.0), model(x_t, 1.0, tokens)
    _arrow(ax, (places[0], y), (places[1] - 0.05, y), INK, linewidth=4)
    _arrow(ax, (places[1], y), (places[2] - 0.05, y), ORANGE, dashes=(0, (3, 1.5)), linewidth=4)
    names = {0: "$u$: without words", 1: "$c$: with the words", 2: "beyond: guided"}
    for w, x in places.items():
        _picture(ax, (x, y + 1.5), 1.9, (u + w * (c - u))[0])
        _write(ax, (x, y + 2.75), names[w])
        ax.plot(x, y, "o", color=ORANGE if w == 2 else INK, markersize=13, zorder=4)
        _write(ax, (x, y - 0.42), f"$w = {w}$", LARGE)
    for x, text, colour in ((3.9, "$c - u$", INK), (8.1, "as far again", ORANGE)):
        _write(ax, (x, y + 0.3), text, LARGE, colour)
    _write(ax, (WIDE / 2, 0.4), "guess $= u + w\\,(c - u)$,  guidance scale $w$", LARGE)
    return figure.saying(
        "Three guesses of the network for one noisy picture, on a line. An arrow leads from u, its guess without "
        "words, to c, its guess with the words: that is c - u, and c is the place w = 1. A dashed arrow goes on as far "
        "again, to w = 2: there what the words changed is changed twice as much. Guess = u + w (c - u)."
    )


@OWN_STYLE
def attention() -> Figure:
    """One worked example of softmax(q k) v: two words, and the four places of a picture that look at them."""
    shares = (scores := QUERIES @ KEYS.T).softmax(dim=1)
    result = shares @ VALUES
    figure, ax = _sheet(5.2)
    (wide, high), top, upper = (0.85, 0.48), 2.6, 4.65
    middle = top - 2 * high
    tinted = [[plt.get_cmap("Greens")(0.55 * value) for value in line] for line in shares.tolist()]
    for x, name, *table in (
        (1.3, "queries $q$", QUERIES, (wide, high)),
        (4.15, "scores $q \\cdot k$", scores, (wide, high)),
        (7.05, "shares: softmax", shares, (wide, high), 2, tinted),
        (9.95, "result", result, (wide, high), 2),
    ):
        _table(ax, (x, top), *table)
        _write(ax, (x + wide, top + 0.62), name, weight="bold")
        for i, word in enumerate(WORDS if 4 < x < 8 else ()):
            _write(ax, (x + (i + 0.5) * wide, top + 0.22), word, colour=GREEN)
    for r in range(4):
        _write(ax, (0.65, top - (r + 0.5) * high), f"place {r + 1}")
    for x, name, values in ((3.55, "keys $k$", KEYS), (9.35, "values $v$", VALUES)):
        _table(ax, (x - wide, upper), values, (wide, high))
        _write(ax, (x, upper + 0.26), name, weight="bold")
        for i, word in enumerate(WORDS):
            _write(ax, (x - wide - 0.12, upper - (i + 0.5) * high), word, colour=GREEN, ha="right")
        _arrow(ax, (x, upper - 2 * high - 0.05), (x, middle + 0.16), GREEN)
    _arrows(ax, middle, *((x, x + 0.97) for x in (3.1, 5.95, 8.85)))
    (a, b), (first, second) = scores[0].tolist(), shares[0].tolist()
    rounded = f"$e^{{{a:.0f}}} / (e^{{{a:.0f}}} + e^{{{b:.0f}}}) = {first:.3f}$"
    mixed = f"${first:.3f} \\times {VALUES[0, 0]:.0f} + {second:.3f} \\times {VALUES[1, 0]:.0f} = {result[0, 0]:.2f}$"
    _write(ax, (WIDE / 2, 0.28), f"place 1:   {rounded}   and so   {mixed}")
    said = "; ".join(f"place {i + 1}: {a:.2f} and {b:.2f}" for i, (a, b) in enumerate(shares.tolist()))
    found = "; ".join(f"{a:.2f}, {b:.2f}" for a, b in result.tolist())
    return figure.saying(
        f"Tables of numbers from left to right. Four places of a picture have a query each, two words, {WORDS[0]} and "
        f"{WORDS[1]}, a key and a value. Query times key gives scores; softmax makes each place's scores into shares "
        f"of the two words that add up to one: {said}. The values mixed in these shares are the result: {found}."
    )


@OWN_STYLE
def distillation() -> Figure:
    """Distillation: a student learns to land in one step where its teacher lands in two."""
    figure, ax = _sheet(4.9)
    y, places = 2.45, [1.7, 6.0, 10.3]
    for x, t, name in zip(places, (0.75, 0.5, 0.25), ("$x_t$", "$x_m$", "$x_s$"), strict=True):
        _picture(ax, (x, y), 1.6, add_noise(_apple(), t, _noise())[0])
        _write(ax, (x + 0.95, y), name, LARGE, ha="left")
    for here, there in zip(places, places[1:], strict=False):
        _arrow(ax, (here + 0.3, y + 0.9), (there - 0.3, y + 0.9), INK, bend=0.22)
    _arrow(ax, (places[0] + 0.2, y - 0.9), (places[2] - 0.2, y - 0.9), BLUE, bend=-0.14, linewidth=4)
    _write(ax, (WIDE / 2, 4.55), "teacher: two steps", LARGE, weight="bold")
    _write(ax, (WIDE / 2, 0.4), "student: one step, to the same place", LARGE, BLUE, weight="bold")
    return figure.saying(
        "Three pictures, each less noisy than the last: x_t, x_m, x_s. Above, the teacher takes two steps, over the "
        "second to the third. Below, one long arrow: the student learns to land there in a single step."
    )


@OWN_STYLE
def latent() -> Figure:
    """Diffusion on a small code of the picture, in training and in generating, with the sizes of Stable Diffusion 1."""
    figure, ax = _sheet(5.2)
    apple, noise, up, low = _apple(128), _noise(16), 4.15, 1.8
    code = F.avg_pool2d(apple, 8)[:, [2, 0, 1]] * torch.tensor([1, -1, 1]).view(1, 3, 1, 1)  # it is no small picture
    for (x, y), span, name in (((7.85, up), 7.3, "training"), ((4.0, low), 7.5, "generating")):
        _box(ax, (x, y), span, 1.95, colour=PALE, linestyle="--")
        _write(ax, (x - span / 2 + 0.2, y + 0.72), f"{name}, on latents (small codes)", ha="left", weight="bold")
    for x, y in ((0.95, up), (11.05, low)):
        _picture(ax, (x, y), 1.4, apple[0])
        _write(ax, (x, y - 0.92), "512 × 512 × 3")
    codes = {(4.95, up): code, (7.45, up): add_noise(code, 0.5, noise), (1.2, low): noise, (6.8, low): code}
    for (x, y), x_t in codes.items():
        _picture(ax, (x, y), 0.75, x_t[0])
        _write(ax, (x, y - 0.65), "64 × 64 × 4")
    for x, y, text in ((2.95, up, "encoder"), (9.0, low, "decoder")):
        _box(ax, (x, y), 1.45, 0.9, text, BLUE)
    for x, y, text in ((10.1, up, "denoiser\nlearns"), (4.05, low, "denoiser,\nmany steps")):
        _box(ax, (x, y), 1.9, 0.95, text, BLUE)
    _box(ax, (4.05, 0.35), 2.1, 0.6, "a red apple", GREEN)
    _arrow(ax, (4.05, 0.68), (4.05, low - 0.52), GREEN)
    _arrows(ax, up, (5.4, 7.0), colour=ORANGE)
    _write(ax, (6.2, up + 0.24), "add noise", colour=ORANGE)
    _arrows(ax, up, (1.78, 2.18), (3.72, 4.5), (7.9, 9.15))
    _arrows(ax, low, (1.65, 3.05), (5.05, 6.35), (7.25, 8.23), (9.77, 10.26))
    _write(ax, (8.9, 0.4), "Sizes of Stable Diffusion 1 (2022):\na latent has 48 times fewer numbers.")
    return figure.saying(
        "Two rows. Training: a picture of 512 x 512 x 3 numbers goes through an encoder and becomes a latent of 64 x "
        "64 x 4; noise is added, and the denoiser learns to take it away. Generating: noise of 64 x 64 x 4 and the "
        "words a red apple go into the denoiser, many steps make a latent, and a decoder turns it into a picture of "
        "512 x 512 x 3. These are the sizes of Stable Diffusion 1, of 2022."
    )


@OWN_STYLE
def cascade() -> Figure:
    """A cascade: one network draws a small picture from words, a second one makes it large. Sizes are to scale."""
    figure, ax = _sheet(5.2)
    small, large, y = 0.65, 2.6, 1.55
    _picture(ax, (0.8, y), small, _noise()[0])
    _write(ax, (0.8, y - 0.6), "noise\n32 × 32", va="top")
    _box(ax, (2.8, y), 1.7, 1.0, "denoiser", BLUE, LARGE)
    _box(ax, (2.8, y + 1.9), 1.9, 0.75, "a red apple", GREEN)
    _picture(ax, (4.9, y), small, _apple(32)[0])
    _write(ax, (4.9, y - 0.6), "picture\n32 × 32", va="top")
    _box(ax, (7.0, y), 1.7, 1.0, "enlarger", BLUE, LARGE)
    _picture(ax, (7.0, 3.85), large, _noise(128)[0])
    _write(ax, (5.55, 3.85), "noise\n128 × 128", ha="right")
    _picture(ax, (10.55, y + 0.17), large, _apple(128)[0])
    _write(ax, (10.55, y - 1.35), "picture, 128 × 128")
    _arrows(ax, y, (1.17, 1.9), (3.7, 4.52), (5.27, 6.1), (7.9, 9.2))
    _arrow(ax, (2.8, y + 1.5), (2.8, y + 0.55), GREEN)
    _arrow(ax, (7.0, 2.5), (7.0, y + 0.55), ORANGE)
    return figure.saying(
        "From left to right: noise of 32 x 32 pixels and the words a red apple go into the denoiser, which draws a "
        "small picture. That and noise of 128 x 128 pixels go into a second network, the enlarger, which draws the "
        "same apple four times as wide."
    )
