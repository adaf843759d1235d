"""A small folder of pictures to practise on: houses, boats and balloons, by day and at night.

They stand for a learner's own photographs: files of different sizes and shapes, with a captions file beside them.
"""

import csv
import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from course_lib.own.table import folder_path

THINGS = ("house", "boat", "balloon")
PAINTS = {"red": (205, 45, 40), "yellow": (240, 195, 40), "blue": (50, 90, 200), "white": (245, 245, 240)}
NIGHT, GRASS, SEA = "at night", (95, 160, 75), (60, 120, 200)
SKIES = {"by day": (150, 205, 245), NIGHT: (20, 25, 60)}
WOOD, ROOF, DARK, LAMP = (120, 75, 45), (95, 60, 45), (70, 55, 60), (255, 215, 110)
FINE = 4  # drawn so many times larger, then averaged


def shapes(thing: str, paint: tuple, time: str) -> list[tuple]:
    """What a thing is made of, back to front: (colour, corners), x to the right and y down, between -1 and 1."""
    if thing == "house":
        return [
            (paint, [(-0.8, -0.2), (0.8, -0.2), (0.8, 0.8), (-0.8, 0.8)]),
            (ROOF, [(-1, -0.2), (0, -0.95), (1, -0.2)]),
            (LAMP if time == NIGHT else DARK, [(-0.6, 0), (-0.15, 0), (-0.15, 0.4), (-0.6, 0.4)]),
            (DARK, [(0.2, 0.1), (0.6, 0.1), (0.6, 0.8), (0.2, 0.8)]),
        ]
    if thing == "boat":
        return [
            (paint, [(-0.05, 0.3), (0, -1), (0.75, 0.3)]),
            (paint, [(-0.15, 0.3), (-0.15, -0.7), (-0.7, 0.3)]),
            (WOOD, [(-1, 0.4), (1, 0.4), (0.65, 0.8), (-0.65, 0.8)]),
        ]
    circle = [(0.75 * math.cos(i * math.pi / 20), 0.75 * math.sin(i * math.pi / 20) - 0.25) for i in range(40)]
    return [
        (paint, circle),
        (paint, [(-0.55, 0.2), (0.55, 0.2), (0, 0.9)]),
        (WOOD, [(-0.2, 0.65), (0.2, 0.65), (0.2, 0.95), (-0.2, 0.95)]),
    ]


def scene(thing: str, colour: str, time: str, generator: torch.Generator) -> Image.Image:
    """Draw one of `THINGS` in one of `PAINTS` under one of `SKIES`; the generator decides size and place.

    The image is 48 to 88 pixels wide and high.
    """
    wide, high, large, right, low, moon = torch.rand(6, generator=generator).tolist()
    width, height = FINE * (48 + round(40 * wide)), FINE * (48 + round(40 * high))
    side = min(width, height)
    size = side * (0.26 + 0.1 * large)  # half the width of the thing
    x, y = width / 2 + side * 0.22 * (right - 0.5), height / 2 + side * 0.16 * (low - 0.5)
    image = Image.new("RGB", (width, height), SKIES[time])
    pen = ImageDraw.Draw(image)
    ground = tuple(round(c * (0.35 if time == NIGHT else 1)) for c in (SEA if thing == "boat" else GRASS))
    pen.rectangle((0, y + (0.95 if thing == "balloon" else 0.5) * size, width, height), fill=ground)
    if time == NIGHT:
        left, top, r = width / 2 + side * (0.36 if moon < 0.5 else -0.36), height / 2 - 0.39 * side, 0.07 * side
        pen.ellipse((left - r, top - r, left + r, top + r), fill="white")
    for ink, corners in shapes(thing, PAINTS[colour], time):
        pen.polygon([(x + size * right, y + size * down) for right, down in corners], fill=ink)
    return image.resize((width // FINE, height // FINE), Image.Resampling.BOX)


def write_folder(path: str | Path, per_caption: int = 14, leave_out: Sequence[str] = (), seed: int = 0) -> None:
    """Write a folder of scenes with its `captions.csv`: so many of each of 24 captions, such as "a red boat at night".

    The folder is made if missing. leave_out: captions that it shall not have; ValueError if one is none of the 24.
    """
    scenes = list(product(THINGS, PAINTS, SKIES))
    captions = {f"a {colour} {thing} {time}": (thing, colour, time) for thing, colour, time in scenes}
    if unknown := set(leave_out) - set(captions):
        raise ValueError(f"No scene is called {sorted(unknown)[0]!r}. There are: {', '.join(captions)}.")
    generator = torch.Generator().manual_seed(seed)
    folder = folder_path(path)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for _ in range(per_caption):
        for caption, factors in captions.items():
            image = scene(*factors, generator)
            if caption not in leave_out:
                name = f"{'_'.join(caption.split()[1:3])}_{len(lines):03}.png"
                image.save(folder / name)
                lines.append((name, caption))
    with (folder / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("file", "caption"), *lines])
