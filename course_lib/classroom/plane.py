"""Diffusion where one can see all of it: points on a plane in place of pictures. For lesson 02.

A point has two numbers where a picture has thousands. The library is told that it is a picture of one pixel with two
colours, (B, 2, 1, 1), so that everything it has for pictures, `add_noise`, `train` and `denoise_step` among it, works
on points as it stands. Two fruits, each a cloud of points, are what is learned.
"""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn

from course_lib.classroom.show import OWN_STYLE, Figure, letters
from course_lib.fruit.drawing import Fruit, layers
from course_lib.noise import Levels, Model, Tokens, add_noise, check_number, expand_level, noise_levels, told
from course_lib.sample import Frame, denoise_step

Points = Tensor  # (B, 2, 1, 1) float32, right and up; those of the two fruits lie in [-1, 1]

PLACES = {  # where the two fruits lie: their middles; and how they are turned
    "banana": (Fruit("banana", "yellow", size=0.92, angle=-8.0), (-0.5, 0.42)),
    "apple": (Fruit("apple", "red", size=0.84), (0.52, -0.42)),
}
SHRUNK = 0.52  # half the width of a fruit's own picture
NOWHERE = 0.45  # the grey of what lies on no fruit
ROADS = {"banana": "#D9A400", "apple": "#C1121F", "": "#737373"}  # the same, of a whole road on a screen
REACH = 2.3  # the figures show the plane from -REACH to REACH: 98 % of the noise in each direction
NEAR = 0.08  # a point so near to a point of a fruit lies on the fruit


@cache
def _drawn(fruit: str, count: int, seed: int) -> tuple[Points, Tensor]:
    """Points of the banana or the apple, spread evenly: (count, 2, 1, 1), and (count, 3), their colours in [0, 1]."""
    (drawn, middle), g = PLACES[fruit], torch.Generator().manual_seed(seed)
    u, v = torch.rand(2, 12 * count + 200, generator=g) * 2 - 1
    _, coverage, colour, _ = layers([drawn], u, v, 1 / 64)
    on = (coverage[0] > 0.5).nonzero()[:count, 0]
    place = SHRUNK * torch.stack([u[on], v[on]], 1) + torch.tensor(middle)
    return place[..., None, None], colour[:, 0, on].T


def two_fruits(count: int = 1500, seed: int = 0) -> Points:
    """So many points of the banana, and then as many of the apple: (2 count, 2, 1, 1) in [-1, 1].

    Raises ValueError unless count is a whole number from 1 to 10,000.
    """
    check_number("count", count, 1, 10_000)
    return torch.cat([_drawn(fruit, count, seed)[0] for fruit in PLACES])


class PlaneNet(nn.Module):
    """A small network for points, called as those for pictures are: x0_hat = net(x_t, t); it hears no words."""

    def __init__(self, width: int = 128):
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Linear(2 + 6, width), nn.SiLU()),
            *(nn.Linear(width, width), nn.SiLU()),
            *(nn.Linear(width, width), nn.SiLU()),
            nn.Linear(width, 2),
        )

    def forward(self, x_t: Points, t: Levels, tokens: Tokens | None = None) -> Points:
        """Guess the clean points; raises ValueError for what are no points, and as `expand_level`."""
        check_points(x_t)
        t = expand_level(t, x_t).expand(x_t.shape[0], 1, 1, 1)
        waves = [wave(math.pi * k * t) for k in (0.5, 1, 2) for wave in (torch.sin, torch.cos)]
        return self.layers(torch.cat([x_t, *waves], 1).flatten(1))[..., None, None]


def check_points(x: Points) -> None:
    """Refuse, with a ValueError, what are no points."""
    if not isinstance(x, Tensor) or x.shape[1:] != (2, 1, 1):
        raise ValueError(f"Points have shape (B, 2, 1, 1), not {told(x)}. For (B, 2) write x[..., None, None].")


def best_guess(x0: Points) -> Model:
    """The best answer there can be, worked out from all points x0 instead of learned: a model (x_t, t, tokens).

    It is the average of the points, each counted by how likely it is to have become x_t: x0_hat = sum_i p_i x0_i, with
    p_i in proportion to exp(-|x_t - (1 - t) x0_i|^2 / (2 t^2)). No regression has a smaller squared error.

    Source: the posterior mean; Karras et al. 2022 (arXiv:2206.00364), eq. 57, in this notation.
    """
    check_points(x0)
    cloud = x0.flatten(1).double()

    def guess(x_t: Points, t: Levels, tokens: Tokens | None = None) -> Points:
        check_points(x_t)
        t = expand_level(t, x_t).reshape(-1, 1).double().clamp(min=1e-3)
        near = (1 - t) * (x_t.flatten(1).double() @ cloud.T) - (1 - t) ** 2 * (cloud**2).sum(1) / 2
        return ((near / t**2).softmax(1) @ cloud)[..., None, None].to(x_t.dtype)  # |x_t|^2 is the same for all points

    return guess


@torch.no_grad()
def road(model: Model, x_1: Points, steps: int) -> list[Frame]:
    """The way of points from the noise x_1 to the fruits, by `denoise_step` alone: steps + 1 moments, as of `sample`.

    Raises ValueError for what are no points, and unless steps is a whole number from 1 to 1000.
    """
    check_points(x_1)
    levels, x_t, frames = noise_levels(steps).tolist(), x_1, []
    for t, s in zip(levels[:-1], levels[1:], strict=True):
        x0_hat = model(x_t, t)
        frames.append(Frame(t, x_t, x0_hat))
        x_t = denoise_step(x_t, x0_hat, t, s)
    return [*frames, Frame(0.0, x_t, x_t)]


def distance_to(x0: Points, x: Points) -> Tensor:
    """How far each point of x is from the nearest of the points x0: (B,) float32."""
    return torch.cdist(x.flatten(1), x0.flatten(1)).amin(1)


def landed(x: Points, x0: Points) -> float:
    """The share of points, from 0 to 1, that lie on a fruit: within 0.08 of one of the points x0."""
    return (distance_to(x0, x) < NEAR).float().mean().item()


def fruit_of(x: Points) -> list[str]:
    """Which fruit each point lies on, "banana" or "apple", and "" for neither."""
    far = torch.stack([distance_to(_drawn(fruit, 1500, 0)[0], x) for fruit in PLACES])
    return [[*PLACES][i] if d < NEAR else "" for d, i in zip(*far.min(0), strict=True)]


# Figures


def painted(x: Points) -> np.ndarray:
    """A colour for each point, (B, 3) in [0, 1]: that of the fruit which it lies on, at that place, or else grey."""
    places, colours = map(torch.cat, zip(*(_drawn(fruit, 1500, 0) for fruit in PLACES), strict=True))
    far, which = torch.cdist(x.flatten(1), places.flatten(1)).min(1)
    return torch.where(far[:, None] < NEAR, colours[which], NOWHERE).clamp(0, 1).numpy()


def _panels(count: int, titles: Sequence[str], reach: float) -> tuple[Figure, np.ndarray]:
    """So many squares of the plane side by side."""
    size = 4.4 * count, 4.8
    made = plt.subplots(1, count, figsize=size, squeeze=False, layout="tight", FigureClass=Figure)
    plt.close(made[0])
    for ax, title in zip(made[1][0], [*titles, *[""] * count], strict=False):
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
        ax.set_title(title, fontsize=letters(size))
        ax.spines[:].set_color("#BBBBBB")
    return made[0], made[1][0]


def _dots(ax: plt.Axes, x: Points, colours: np.ndarray, size: float = 9, alpha: float = 1.0) -> None:
    ax.scatter(*x.flatten(1).T.numpy(), c=colours, s=size, alpha=alpha, linewidths=0)


def _said(count: int, what: str, on_fruit: Mapping[str, Points]) -> str:
    """A sentence on points of a plane, and on how many of them lie on a fruit, panel by panel."""
    shares = [f"{title} {sum(map(bool, fruit_of(x))) / len(x):.0%}" for title, x in on_fruit.items()]
    return f"The plane of a yellow banana and a red apple; points: {count}, {what} On a fruit lie: {', '.join(shares)}."


@OWN_STYLE
def clouds(moments: Sequence[Points], titles: Sequence[str] = (), *, reach: float = REACH, alt: str = "") -> Figure:
    """Points at several moments, side by side; each keeps the colour that it has in the cleanest, moments[0]."""
    figure, axes = _panels(len(moments), titles, reach)
    for ax, x in zip(axes, moments, strict=True):
        _dots(ax, x, painted(moments[0]))
    described = _said(len(x), "in the colours of their fruits.", dict(zip(titles, moments, strict=False)) or {"": x})
    return figure.saying(alt or described)


@OWN_STYLE
def arrows(model: Model, x0: Points, levels: Sequence[float], *, seed: int = 0, alt: str = "") -> Figure:
    """Where the guess of points at several noise levels lies: an arrow from each of 60 points to its guess."""
    g = torch.Generator().manual_seed(seed)
    titles = [f"t = {t:g}" for t in levels]
    figure, axes = _panels(len(levels), titles, REACH)
    guessed = {}
    x0_60 = x0[torch.randperm(len(x0), generator=g)[:60]]
    eps = torch.randn(x0_60.shape, generator=g)
    for ax, t in zip(axes, levels, strict=True):
        x_t = add_noise(x0_60, t, eps)
        with torch.no_grad():
            x0_hat = guessed[f"t = {t:g}"] = model(x_t, t)
        (x, y), (to_x, to_y) = x_t.flatten(1).T.numpy(), x0_hat.flatten(1).T.numpy()
        _dots(ax, x0, painted(x0), alpha=0.25)
        how = dict(angles="xy", scale_units="xy", scale=1, width=0.006, headwidth=5, alpha=0.6, color="#444444")
        ax.quiver(x, y, to_x - x, to_y - y, **how)
        _dots(ax, x_t, "#444444", 16)
        _dots(ax, x0_hat, painted(x0_hat), 60)
    return figure.saying(alt or _said(60, "each with an arrow to its guess.", guessed))


@OWN_STYLE
def roads(films: Mapping[str, Sequence[Frame]], x0: Points, *, guesses: bool = False, alt: str = "") -> Figure:
    """The roads that points travel, {title: all moments of `road`}, over the pale fruits; with their `guesses` on
    the way, as a dotted line, where one asks for them."""
    figure, axes = _panels(len(films), [*films], REACH)
    for ax, film in zip(axes, films.values(), strict=True):
        way = torch.stack([frame.x_t for frame in film]).flatten(2).numpy()  # (moments, points, 2)
        hopes = torch.stack([frame.x0_hat for frame in film]).flatten(2).numpy()
        _dots(ax, x0, painted(x0), alpha=0.25)
        for i, colour in enumerate(painted(film[-1].x_t)):
            ax.plot(*way[:, i].T, color=colour, linewidth=1.4 if not guesses else 2.5, alpha=0.9, zorder=1)
            if guesses:
                ax.plot(*hopes[:, i].T, ":x", color="#222222", linewidth=1.2, markersize=6, zorder=2)
        _dots(ax, film[0].x_t, "#444444", 16)
        ax.scatter(*way[-1].T, c=painted(film[-1].x_t), s=70, edgecolors="white", linewidths=1, zorder=3)
    ends = {title: film[-1].x_t for title, film in films.items()}
    described = _said(way.shape[1], "each with its road from the noise to where it ends.", ends)
    return figure.saying(alt or described)


@OWN_STYLE
def ground(x0: Points) -> str:
    """The pale fruits alone, from -REACH to REACH to the very border, as the address of a PNG picture."""
    figure = plt.figure(figsize=(4.8, 4.8), FigureClass=Figure)
    plt.close(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH))
    ax.axis("off")
    _dots(ax, x0, painted(x0), alpha=0.35)
    file = io.BytesIO()
    figure.savefig(file, format="png", facecolor="white")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
