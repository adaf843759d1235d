"""The eight fruits as shapes and skins. A leaf of the library, behind `fruit`; skip it on a first reading.

Each shape is a signed distance function: negative inside the fruit, positive outside, zero on the skin. The bricks
come from Inigo Quilez's article "Distance functions".

p are points x (right), y (up), z (to the viewer), three tensors (rays,), one point for each ray; k are the details of
the individual, in [-1, 1], (8, rays). Each fruit returns the distances (rays,) to [body, wood, leaf], or the first of
these. Fruits are about 2 units long.
"""

import math
from functools import reduce

import torch
from torch import Tensor

DARK, CREAM = (0.20, 0.13, 0.08), (0.98, 0.90, 0.62)  # sRGB in [0, 1]: banana tips, seeds


def length(*p: Tensor) -> Tensor:
    """Length of vectors given by their components."""
    return reduce(lambda total, c: torch.addcmul(total, c, c), p[1:], p[0] * p[0]).sqrt_()


def smooth_min(a: Tensor, b: Tensor, width: float) -> Tensor:
    """The smaller of two distances, rounded where they are close (Quilez, "smooth minimum", quadratic)."""
    h = (width - (a - b).abs()).clamp_(min=0)
    return torch.minimum(a, b).sub_(h * h, alpha=0.25 / width)


def capsule(p, a, b, r0: float, r1: float) -> Tensor:
    """A rod from point a (radius r0) to point b (radius r1)."""
    q, axis = [c - ca for c, ca in zip(p, a, strict=True)], [cb - ca for ca, cb in zip(a, b, strict=True)]
    h = (sum(c * d for c, d in zip(q, axis, strict=True)) / sum(d * d for d in axis)).clamp_(0, 1)
    return length(*(c - h * d for c, d in zip(q, axis, strict=True))) - (r0 + (r1 - r0) * h)


def ellipsoid(p, radii) -> Tensor:
    """An ellipsoid about the origin; near the skin as good as exact (Quilez)."""
    k0 = length(*(c / r for c, r in zip(p, radii, strict=True)))
    return k0 * (k0 - 1) / length(*(c / (r * r) for c, r in zip(p, radii, strict=True))).clamp_(min=1e-6)


def blade(p, x: float, y: float, side) -> Tensor:
    """A leaf that grows from (x, y, 0) to the side (+1 or -1), up and over."""
    along = (p[0] - x) * side - 0.27
    near = along.clamp(-0.35, 0.35)
    q = along, p[1] - y - 0.14 + 0.9 * near * near - 0.3 * near, p[2] - 0.1
    return torch.maximum(ellipsoid(q, (0.30, 0.05, 0.15)), length(*q) - 0.30)  # the second: from afar


def apple(p, k):
    """A rounded ring that has closed, with a dimple, a stem and a leaf."""
    x, y, z = p
    r2 = x * x + z * z
    dent = torch.exp(-9 * r2).mul_(0.20) * (y > 0)  # the dimple: near the axis the top is pulled down
    body = length(r2.sqrt() / (1 + 0.27 * y) - 0.24, (y + dent) * 0.82) - 0.58
    stem = capsule(p, (0, 0.4, 0), (0.10 * k[0], 0.92, 0.03), 0.03, 0.05)
    return [body, stem, blade(p, 0.02, 0.68, k[1].sign())]


def banana(p, k):
    """A tube bent to an arc, thinner at its ends, with five faint edges."""
    x, y, z = p
    bend, half = 0.84 + 0.06 * k[0], 1.18  # radius of the arc, and half its angle
    angle = torch.atan2(x, bend - 0.45 - y).clamp_(-half, half)
    a = angle / half
    out = length(x - bend * angle.sin(), y + 0.45 - bend + bend * angle.cos(), z).clamp_(min=1e-6)
    c = z / out  # cosine of the angle round the tube: cos(5 angle) raises five faint edges
    a2 = a * a
    thick = 0.235 * (1 - 0.55 * a2 * a2) - 0.09 * torch.sigmoid(14 * (a - 0.80))
    return [out - thick * (1 + 0.05 * c * (16 * c.pow(4) - 20 * c * c + 5))]


def watermelon(p, k):
    """An ellipsoid with a stub of stem."""
    return [ellipsoid(p, (1.0, 0.84, 0.84)), capsule(p, (0.97, 0, 0), (1.12, 0.1, 0.05 * k[0]), 0.05, 0.03)]


def orange(p, k):
    """A sphere, a little flat, with a button where the stem was."""
    x, y, z = p
    body = length(x, y * 1.05, z) - 0.9
    return [body, ellipsoid((x - 0.1 * k[0], y - 0.83, z - 0.2), (0.09, 0.05, 0.09))]


def lemon(p, k):
    """A spindle with a nub at each end."""
    x, y, z = p
    r, ax = length(y, z), x.abs()
    body = length(ax * 0.95, r + 0.30) - 0.90  # an arc of a circle, spun about the x axis
    return [smooth_min(body, length(ax - 0.90, r) - 0.09, 0.24)]


def pear(p, k):
    """Two spheres that flow together, leaning a little, with a stem."""
    x, y, z = p
    x = x - 0.06 * k[0] * (y + 0.3) * (y + 0.3)
    r = length(x, z)
    body = smooth_min(length(r, y + 0.36) - 0.60, length(r, y - 0.46) - 0.27, 0.50)
    return [body, capsule(p, (0.03 * k[0], 0.66, 0), (0.10 * k[1], 1.02, 0), 0.03, 0.045)]


def strawberry(p, k):
    """A round cone, tip down, under a cap of leaves."""
    x, y, z = p
    r = length(x, z)
    down, slope = 0.26 - y, 0.42 / 0.78  # radii 0.58 and 0.16 (Quilez, "round cone")
    w = (down - r * slope / math.sqrt(1 - slope * slope)).div_(0.78).clamp_(0, 1)
    body = length(r, down - 0.78 * w) - (0.58 - 0.42 * w)
    star = 0.71 - 0.14 * torch.cos(7 * torch.atan2(x, z) + 3 * k[0])  # above: a cap of seven leaves
    leaves = torch.maximum(body - 0.02 - 0.08 * r * r, (star - y) * 0.6)
    return [body, capsule(p, (0, 0.8, 0), (0.08 * k[1], 1.02, 0.05), 0.04, 0.05), leaves]


# height, radius and number of grapes of each ring
RINGS = ((0.5, 0.45, 6), (0.42, 0, 1), (0.16, 0.42, 5), (-0.16, 0.29, 4), (-0.46, 0.17, 3), (-0.72, 0, 1))
_TURNS = [(y, ring, math.tau * i / count + 9 * y) for y, ring, count in RINGS for i in range(count)]
GRAPES = torch.tensor([(ring * math.sin(a), y, ring * math.cos(a)) for y, ring, a in _TURNS])  # (20, 3)


def grapes(p, k):
    """Twenty spheres in rings, with a stem and a leaf."""
    x, y, z = p
    # no two bunches alike
    x, y = x + 0.035 * torch.sin(3 * y + 3 * k[0]), y + 0.035 * torch.sin(3 * x + 3 * k[1])
    # |p - c|^2 = |p|^2 + (|c|^2 - 2 c.p), and the smallest bracket needs one matrix product
    squares = (GRAPES * GRAPES).sum(1, keepdim=True)
    bracket = torch.addmm(squares, GRAPES, torch.stack([x, y, z]), alpha=-2).amin(0)
    body = (bracket + x * x + y * y + z * z).clamp_(min=0).sqrt_() - 0.265
    stem = capsule(p, (0, 0.5, 0), (0.12 * k[2], 1.05, 0), 0.04, 0.055)
    return [body, stem, blade(p, 0.02, 0.74, k[3].sign())]


SHAPES = {f.__name__: f for f in (apple, banana, watermelon, orange, lemon, pear, strawberry, grapes)}
REST = {"lemon": 24, "watermelon": 14, "banana": -14, "strawberry": -18}  # degrees of roll that suit the kind
GLOSS = {"apple": 0.75, "grapes": 0.8, "strawberry": 0.6, "watermelon": 0.4, "pear": 0.4}
PITS = {"orange": 0.0022, "lemon": 0.002}  # depth of the pits in the skin


def pits(p) -> Tensor:
    """Smooth bumps in [-1, 1] all over space."""
    x, y, z = (55 * c for c in p)
    x, y, z = x + torch.sin(0.4 * z), y + torch.sin(0.3 * x), z + torch.sin(0.5 * y)
    return x.sin_().mul_(y.sin_()).mul_(z.sin_())


def ramp(x: Tensor, low: float, high: float) -> Tensor:
    """0 below low, 1 above high, smooth between."""
    t = ((x - low) / (high - low)).clamp_(0, 1)
    return t * t * (3 - 2 * t)


def linear(colour: tuple) -> Tensor:
    """sRGB to linear light (3, 1), nearly; its inverse is the square root."""
    return torch.tensor(colour)[:, None] ** 2


def marks(kind: str, p, k, body: Tensor) -> tuple[Tensor, Tensor]:
    """How strongly (rays,) the skin is marked, and by what linear colour (3, rays); body: the skin's own."""
    x, y, z = p
    darker = 0.22 * body
    if kind == "watermelon":
        wave = torch.atan2(z, y) + 0.08 * torch.sin(9 * x + 6 * k[1]) + 0.06 * torch.sin(21 * x + 5 * k[2])
        return 0.85 * ramp(torch.sin(8 * wave + 3 * k[3]), 0.15, 0.5), darker
    if kind == "strawberry":  # seeds in rows, fewer in a row towards the tip, every second row shifted
        row = torch.round(y / 0.2)
        count = torch.round((0.42 + 0.056 * row).clamp_(min=0.1) * 26).clamp_(min=1)
        turns = torch.atan2(x, z) / (2 * math.pi) * count + 0.5 * row
        seed = length((turns - torch.round(turns)) * 0.24, 0.6 * y - 0.12 * row)
        light = body[1] > 0.25  # cream seeds would not show on these
        return 1 - ramp(seed, 0.018, 0.034), torch.where(light, darker, linear(CREAM))
    if kind == "banana":
        a = torch.atan2(x, 0.39 - y) / 1.18
        return torch.maximum(ramp(a, 0.88, 1.0), ramp(-a, 0.90, 0.97)) * 0.9, linear(DARK).expand_as(body)
    if kind == "pear":
        return 0.3 * ramp(pits([1.5 * c for c in p]), 0.45, 0.8), darker
    if kind == "apple":
        streaks = torch.sin(19 * torch.atan2(x, z) + 3 * torch.sin(3 * y + 3 * k[3]))
        return 0.10 * ramp(streaks, -0.2, 1) + 0.3 * torch.exp(-14 * (x * x + z * z)) * (y > 0), darker
    return torch.zeros_like(x), darker
