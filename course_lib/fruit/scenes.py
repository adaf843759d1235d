"""Pictures with two fruits: a row of fruits on one ground, under one lamp.

The renderer is that of `drawing`: each fruit is drawn in a window of its own, and the windows are laid over one
another, shadows first.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from course_lib.fruit.drawing import RAYS, Fruit, Wish, backdrop, layers, picture_points, random_fruit
from course_lib.fruit.words import SCENE_BACKDROPS, SCENE_BACKGROUNDS, check_choice
from course_lib.fruit.words import SCENE_SIZE as SIZE
from course_lib.noise import Pictures
from course_lib.tools.bars import Bar, no_bar
from course_lib.tools.pixels import to_bytes

Thing = tuple[str, str]  # kind and colour

# For one, two, three fruits: the side of each one's window, and the middles from left to right, in picture widths.
WINDOWS = {1: (0.80, (0.0,)), 2: (0.54, (-0.235, 0.235)), 3: (0.37, (-0.315, 0.0, 0.315))}
ASIDE, UP, DOWN = 2.4, 1.0, 1.35  # how far a fruit and its shadow reach from the middle of its window, in half windows


@dataclass(frozen=True)
class Scene:
    """One to three fruits from left to right. Raises ValueError if there are more, or for an unknown background.

    The size and place of a `Fruit` are those in its window; its own light and background are not used.
    """

    fruits: tuple[Fruit, ...]
    light: float = -40.0  # where the one lamp stands, as in `Fruit`
    background: str = "grey"

    def __post_init__(self):
        if len(self.fruits) not in WINDOWS:
            raise ValueError(f"A scene holds one, two or three fruits, not {len(self.fruits)}.")
        check_choice("background", self.background, SCENE_BACKGROUNDS)

    @property
    def things(self) -> tuple[Thing, ...]:
        """(kind, colour) of each fruit, from left to right."""
        return tuple((f.kind, f.colour) for f in self.fruits)


def random_scene(generator: torch.Generator, things: Sequence[Sequence[Wish]], background: Wish = None) -> Scene:
    """A scene of things whose other factors are drawn from `generator` (on the CPU).

    things: (kind, colour), or (kind, colour, size_word), of each fruit from left to right.
    """
    fruits = tuple(random_fruit(generator, *thing) for thing in things)
    light = 65 * (2 * torch.rand((), generator=generator, dtype=torch.float64).item() - 1)
    chance = SCENE_BACKGROUNDS[torch.randint(len(SCENE_BACKGROUNDS), (), generator=generator)]  # drawn even if given
    return Scene(fruits, light, background or chance)


def window(count: int, place: int, fine: int) -> tuple[tuple[slice, slice], Tensor, Tensor, float]:
    """The rays of a picture `fine` rays wide that one of `count` fruits needs, counted from the left.

    Returns their rows and columns; where they meet the picture, u and v (rays,), in half windows right of and above the
    middle of the window; and how wide they are.
    """
    side, middles = WINDOWS[count]
    half, middle = side * fine / 2, (middles[place] + 0.5) * fine
    rows = slice(max(0, math.floor(fine / 2 - UP * half)), min(fine, math.ceil(fine / 2 + DOWN * half)))
    columns = slice(max(0, math.floor(middle - ASIDE * half)), min(fine, math.ceil(middle + ASIDE * half)))
    ray = torch.arange(fine) + 0.5
    v, u = torch.meshgrid((fine / 2 - ray[rows]) / half, (ray[columns] - middle) / half, indexing="ij")
    return (rows, columns), u.reshape(-1), v.reshape(-1), 1 / half


def draw(scenes: Sequence[Scene], size: int = SIZE) -> Pictures:
    """Draw scenes. Raises ValueError if there is none, or as `picture_points`."""
    if not scenes:
        raise ValueError("draw got no scene, but needs at least one.")
    across, up = (points.reshape(-1) for points in picture_points(size))
    fine = 2 * size
    alike: dict[tuple, list[int]] = defaultdict(list)  # the scenes with such a fruit there: drawn together
    for i, scene in enumerate(scenes):
        for place, f in enumerate(scene.fruits):
            alike[len(scene.fruits), place, f.kind].append(i)
    floor, painted = torch.ones(len(scenes), fine, fine), []
    for (count, place, _), members in alike.items():
        (rows, columns), u, v, width = window(count, place, fine)
        few = max(1, RAYS // len(u))
        for some in (members[j : j + few] for j in range(0, len(members), few)):
            fruits = [replace(scenes[i].fruits[place], light=scenes[i].light) for i in some]
            parts = [layers(fruits, *rays, width) for rays in zip(u.split(RAYS), v.split(RAYS), strict=True)]
            _, coverage, colour, light = (torch.cat(part, dim=-1) for part in zip(*parts, strict=True))
            shape = rows.stop - rows.start, columns.stop - columns.start
            floor[some, rows, columns] *= light.unflatten(-1, shape)  # shadows lie on one ground
            for i, f, skin, share in zip(some, fruits, colour.transpose(0, 1), coverage, strict=True):
                lowest = WINDOWS[count][0] * (f.y - f.size / 2)
                painted.append((lowest, i, rows, columns, skin.unflatten(-1, shape), share.view(shape)))
    behind = backdrop([SCENE_BACKDROPS[scene.background] for scene in scenes], across, up, floor.flatten(1))
    canvas = behind.transpose(0, 1).unflatten(2, (fine, fine))  # (N, 3, fine, fine)
    for _, i, rows, columns, skin, share in sorted(painted, key=lambda paint: -paint[0]):  # from back to front
        canvas[i, :, rows, columns].lerp_(skin, share)
    return (torch.nn.functional.avg_pool2d(canvas, 2) * 2 - 1).clamp_(-1, 1)


def draw_many(scenes: Sequence[Scene], bar: Bar = no_bar) -> Tensor:
    """Draw scenes at 64 pixels in portions, with a progress bar, and keep them as bytes: (N, 3, 64, 64) uint8."""
    return torch.cat([to_bytes(draw(scenes[i : i + 192])) for i in bar(range(0, len(scenes), 192))])
