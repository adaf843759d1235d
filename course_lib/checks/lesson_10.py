"""The exercises of lesson 10: what is known is put back, two captions at once, and how far back is far enough."""

import functools
from numbers import Real

import torch

from course_lib.beyond import edit
from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.classroom.wording import shown
from course_lib.fruit.pictures import draw_many, random_fruits
from course_lib.model import encode_for
from course_lib.weights import load_denoiser, load_panel

g = torch.Generator().manual_seed(10)
X_S, OLD, EPS = torch.randn(3, 2, 3, 4, 4, generator=g).clamp(-1, 1)
LEFT = (torch.arange(4) < 2).expand(1, 1, 4, 4)
MIDDLE = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
MIDDLE[..., 1:3, 1:3] = True
HALVES = {
    "the left half at s = 0.75": (X_S, OLD, EPS, 0.75, LEFT),
    "the middle at s = 0.2": (X_S, OLD, EPS, 0.2, MIDDLE),
    "the last step, at s = 0": (X_S, OLD, EPS, 0.0, LEFT),
}
U, A, B = torch.randn(3, 2, 3, 4, 4, generator=g)
CAPTIONS = {
    "two captions, w = 2": (U, A, B, 2.0),
    "two captions, w = 1": (U, A, B, 1.0),
    "a second caption that says nothing, w = 3": (U, A, U, 3.0),
    "w = 0": (U, A, B, 0.0),
}


@exercise(edit.put_back, HALVES)
def put_back(x_s, x0, eps, s, known):
    """Lesson 10: noisy pictures after a step, with the known part of the old ones put back."""
    right = (1 - s) * x0 + s * eps
    return {
        "the clean old picture stands there: at the level s it needs its share of noise.": torch.where(known, x0, x_s),
        "you kept the wrong part: where `known` is true, the old picture belongs.": torch.where(known, x_s, right),
        "that is the old picture everywhere. Where it is not known, x_s stays.": right,
        "that is x_s, with nothing put back.": x_s,
        "x_s got noise too, but it is at the level s already. Only the old picture needs it.": (
            torch.where(known, right, (1 - s) * x_s + s * eps)
        ),
        "the shares have changed places: at s = 0 the old picture must stand there without noise.": (
            torch.where(known, s * x0 + (1 - s) * eps, x_s)
        ),
        "the noise is added on top: only 1 - s of the old picture is left.": torch.where(known, x0 + s * eps, x_s),
        "the old and the new picture lie on top of each other. Choose: `torch.where`.": known * right + x_s,
        "only noise stands there: 1 - s of the old picture is missing.": torch.where(known, s * eps, x_s),
        "outside the known part there is nothing left: x_s belongs there.": known * right,
    }


@exercise(edit.both, CAPTIONS)
def both(u, a, b, w):
    """Lesson 10: the guess for two captions at once, from those without words and with one caption each."""
    return {
        "that is the average: a second caption that says nothing takes half of the first away.": (
            u + w * ((a + b) / 2 - u)
        ),
        "the guess without words is in it twice. Start from u once.": 2 * u + w * (a - u) + w * (b - u),
        "that is only what the words change. Start from u.": w * (a - u) + w * (b - u),
        "both captions are added whole. Add what each changes, a - u and b - u.": u + w * (a + b),
        "u is taken away once, but both a and b hold it.": u + w * (a + b - u),
        "w leans on one caption only: both need it.": u + w * (a - u) + (b - u),
        "that turns away from the second caption.": u + w * (a - u) - w * (b - u),
        "the second caption is not heard.": u + w * (a - u),
        "you lean from one caption towards the other. Each must lean from u.": a + w * (b - a),
    }


@functools.cache
def _tried():
    fruits = random_fruits([("banana", "yellow")], 8, seed=10)
    return load_denoiser(), load_panel(), draw_many(fruits)


@functools.cache
def apples_from(start: float) -> int:
    """How many of eight yellow bananas come out as yellow apples from this level, by the panel."""
    model, panel, old = _tried()
    tokens = encode_for(model, ["a yellow apple"] * len(old))
    made = edit.edited(model, old, tokens, start, generator=torch.Generator().manual_seed(0), steps=20)
    return panel.name(made).count(("apple", "yellow"))


@check(Exercise(0.8))
def far_enough(attempt) -> str:
    """Lesson 10: a level from which most bananas become apples, and not from much lower."""
    if attempt is ...:
        return UNTOUCHED
    if not isinstance(attempt, Real) or isinstance(attempt, bool) or not 0 < float(attempt) <= 1:
        return f"Not yet: give a level between 0 and 1, such as 0.3, not {shown(attempt, 60)}."
    start = max(0.05, round(float(attempt), 2))
    said = f"from {start:.2f}, {apples_from(start)} of 8 bananas become yellow apples"
    if apples_from(start) < 6:
        return f"Not yet: {said}. Go further back, to a higher level."
    lower = round(start - 0.2, 2)
    if lower > 0 and apples_from(lower) >= 6:
        return f"Not yet: {said}, but so do {apples_from(lower)} from {lower:.2f}, and that keeps more."
    return RIGHT
