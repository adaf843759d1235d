"""Pictures with two fruits, and captions that bind words to things: "a green banana to the left of a red apple".

A scene is a row of fruits on one ground, under one lamp. The renderer is that of `fruit`: each fruit is drawn in a
window of its own, and the windows are laid over one another, shadows first. Never trained on are the eight held-out
pairs of kind and colour (see `data`), and `WITHHELD`, one in ten of the combinations of two things that could stand
side by side. From top to bottom: the scene, its captions, what is held back, the training set.
"""

import inspect
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib import captions, data, fruit, shapes
from course_lib.captions import VOCABULARY, split_words
from course_lib.data import TRAINING_PAIRS, Bar, article, drawn_once, from_bytes, no_bar, to_bytes
from course_lib.files import DRAWN
from course_lib.fruit import KINDS, RAYS, Fruit, backdrop, layers, random_fruit

SIZE = 64
Thing = tuple[str, str]  # kind and colour

# The scene

BACKDROPS = fruit.BACKDROPS | {"green": (0.66, 0.80, 0.60), "blue": (0.62, 0.78, 0.94)}
BACKGROUNDS: tuple[str, ...] = tuple(BACKDROPS)
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
        fruit.check_choice("background", self.background, BACKGROUNDS)

    @property
    def things(self) -> tuple[Thing, ...]:
        """(kind, colour) of each fruit, from left to right."""
        return tuple((f.kind, f.colour) for f in self.fruits)


def random_scene(
    generator: torch.Generator, things: Sequence[Sequence[str | None]], background: str | None = None
) -> Scene:
    """A scene of things whose other factors are drawn from `generator`.

    Args:
        generator: on the CPU.
        things: (kind, colour), or (kind, colour, size_word), of each fruit from left to right; None is left to chance.
        background: from `BACKGROUNDS`, or None.
    """
    fruits = tuple(random_fruit(generator, *thing) for thing in things)
    light = 65 * (2 * torch.rand((), generator=generator, dtype=torch.float64).item() - 1)
    chance = BACKGROUNDS[torch.randint(len(BACKGROUNDS), (), generator=generator)]  # drawn even if given
    return Scene(fruits, light, background or chance)


def window(count: int, place: int, fine: int) -> tuple[tuple[slice, slice], Tensor, Tensor, float]:
    """The rays of a picture `fine` rays wide that one of `count` fruits needs, counted from the left.

    Returns their rows and columns; where they meet the picture plane, u and v (rays,), in half windows right of and
    above the middle of the window; and how wide they are.
    """
    side, middles = WINDOWS[count]
    half, middle = side * fine / 2, (middles[place] + 0.5) * fine
    rows = slice(max(0, math.floor(fine / 2 - UP * half)), min(fine, math.ceil(fine / 2 + DOWN * half)))
    columns = slice(max(0, math.floor(middle - ASIDE * half)), min(fine, math.ceil(middle + ASIDE * half)))
    ray = torch.arange(fine) + 0.5
    v, u = torch.meshgrid((fine / 2 - ray[rows]) / half, (ray[columns] - middle) / half, indexing="ij")
    return (rows, columns), u.reshape(-1), v.reshape(-1), 1 / half


def draw(scenes: Sequence[Scene], size: int = SIZE) -> Tensor:
    """Draw scenes: (N, 3, size, size), float32 in [-1, 1].

    Raises:
        ValueError: there is no scene, or size is no whole number from 8 to 1024.
    """
    if not scenes:
        raise ValueError("draw got no scene, but needs at least one.")
    if not isinstance(size, int) or not 8 <= size <= 1024:
        raise ValueError(f"size={size!r} is no picture width; choose a whole number from 8 to 1024.")
    fine = 2 * size  # four rays a pixel, as in `fruit.draw`
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
    line = (torch.arange(fine) + 0.5) / fine * 2 - 1
    v, u = torch.meshgrid(-line, line, indexing="ij")
    behind = backdrop([BACKDROPS[s.background] for s in scenes], u.reshape(-1), v.reshape(-1), floor.flatten(1))
    canvas = behind.transpose(0, 1).unflatten(2, (fine, fine))  # (N, 3, fine, fine)
    for _, i, rows, columns, skin, share in sorted(painted, key=lambda paint: -paint[0]):  # from back to front
        canvas[i, :, rows, columns].lerp_(skin, share)
    return (torch.nn.functional.avg_pool2d(canvas, 2) * 2 - 1).clamp_(-1, 1)


def draw_many(scenes: Sequence[Scene], bar: Bar = no_bar) -> Tensor:
    """Draw scenes at 64 pixels in portions, with a progress bar, and keep them as bytes: (N, 3, 64, 64) uint8."""
    return torch.cat([to_bytes(draw(scenes[i : i + 192])) for i in bar(range(0, len(scenes), 192))])


# What is said about it

PLURALS = {kind: kind if kind == "grapes" else f"{kind}s" for kind in KINDS} | {"strawberry": "strawberries"}
NEW_WORDS = ("and", "beside", "to", "the", "left", "right", "of", "two", "bunches")
SCENE_VOCABULARY = tuple(dict.fromkeys((*VOCABULARY, *NEW_WORDS, *PLURALS.values())))
MAX_SCENE_WORDS = 20
EXAMPLE = '"a red apple and a green banana" or "two yellow lemons on a green background"'


def encode(said: str | Sequence[str]) -> Tensor:
    """Turn captions of scenes into tokens: (B, MAX_SCENE_WORDS) int64. Raises as `captions.encode`."""
    return captions.encode(said, SCENE_VOCABULARY, MAX_SCENE_WORDS)


def phrasings(scene: Scene) -> list[str]:
    """Eight captions for a scene. "And" and "beside" name first what stands on the left, as one reads.

    For two fruits, two of them tell sizes where they differ, two always ("" is a size too). For one fruit these are
    `data.phrasings`. Raises ValueError for three fruits, of which no caption is learned.
    """
    if len(scene.fruits) == 1:
        (f,) = scene.fruits
        return data.phrasings(f.kind, f.colour, f.size_word, scene.background)
    if len(scene.fruits) > 2:
        raise ValueError("The model learns captions of one fruit and of two, but this scene has more.")
    a, b = scene.fruits
    where = f"on {article(scene.background)} background"
    plain_a, plain_b = (article(f"{f.colour} {f.kind}") for f in (a, b))
    sized_a, sized_b = (article(f"{f.size_word} {f.colour} {f.kind}".strip()) for f in (a, b))
    if (a.kind, a.colour) == (b.kind, b.colour):
        size_word = f"{a.size_word} " if a.size_word == b.size_word else ""
        return [
            two(a.kind, f"{a.colour} "),
            f"{two(a.kind)} that are {a.colour}",
            f"{plain_a} and {plain_b}",
            f"{plain_a} beside {plain_b}",
            f"{two(a.kind, f'{a.colour} ')} {where}",
            f"{two(a.kind, f'{size_word}{a.colour} ')}",
            f"{two(a.kind, f'{size_word}{a.colour} ')} {where}",
            f"{sized_a} to the left of {sized_b} {where}",
        ]
    differ = a.size_word != b.size_word
    told_a, told_b = (sized_a, sized_b) if differ else (plain_a, plain_b)
    later_a, later_b = (f"{article(f.kind)} that {'are' if f.kind == 'grapes' else 'is'} {f.colour}" for f in (a, b))
    return [
        f"{plain_a} and {plain_b}",
        f"{told_a} beside {told_b}",
        f"{plain_a} to the left of {plain_b}",
        f"{told_b} to the right of {told_a}",
        f"{a.colour} {a.kind} beside {b.colour} {b.kind}",
        f"{later_a} and {later_b} {where}",
        f"{sized_a} and {sized_b} {where}",
        f"{sized_a} to the left of {sized_b} {where}",
    ]


def two(kind: str, words: str = "") -> str:
    """Two of a kind: "two yellow lemons", "two bunches of grapes". words: size and colour, each with a space after."""
    return f"two {'bunches of ' if kind == 'grapes' else ''}{words}{PLURALS[kind]}"


def caption_tokens(scenes: Sequence[Scene]) -> Tensor:
    """The tokens of all phrasings for each scene: (N, 8, MAX_SCENE_WORDS) int64."""
    return encode([caption for scene in scenes for caption in phrasings(scene)]).unflatten(0, (-1, 8))


class Asked(NamedTuple):
    """What a caption asks for."""

    things: tuple[dict[str, str | None], ...]  # kind, colour and size_word of each; None where it leaves them open
    in_order: bool  # whether it asks for them in this order, from left to right
    background: str | None


_SEVERAL = {singular: plural for singular, plural in PLURALS.items() if singular != plural}
_WHERE = re.compile(rf"(?P<things>.*?)(?: on an? (?P<background>{'|'.join(BACKGROUNDS)}) background)?")


def understand(caption: str) -> Asked:
    """Read what a caption asks for: one to three things, and a background.

    Every caption of `phrasings` is understood, and so are three things joined by "and", which no model was shown.

    Raises:
        TypeError, ValueError: as `encode`; also where all words are known, but say nothing the grammar knows.
    """
    encode(caption)
    text = " ".join(split_words(caption, MAX_SCENE_WORDS))
    match = _WHERE.fullmatch(text)
    parts = re.split(r" (and|beside|to the left of|to the right of) ", match["things"])
    named, joints = parts[::2], set(parts[1::2])
    if len(named) == 1 and named[0].startswith("two "):
        one = named[0].removeprefix("two ").removeprefix("bunches of ")
        for singular, plural in _SEVERAL.items():
            one = re.sub(rf"\b{plural}\b", singular, one)
        plural = one != named[0].removeprefix("two ") or one.startswith("grapes")
        named = [one, one] if plural and not one.startswith(("a ", "an ")) else []
    try:
        things = [data.understand(thing) for thing in named]
    except ValueError:  # the words of two things, or no sentence: said below in words that fit
        things = []
    if not 1 <= len(things) <= 3 or len(joints) > 1 or any(thing.pop("background") for thing in things):
        raise ValueError(
            f'"{text}" has known words, but not in an order the model learned. '
            f"Ask for one fruit or two, with sizes, colours and a background if you like: {EXAMPLE}."
        )
    if joints == {"to the right of"}:
        things.reverse()
    return Asked(tuple(things), bool(joints - {"beside"}), match["background"])


# What is held back, and the training set

COMBINATIONS = tuple(combinations_with_replacement(TRAINING_PAIRS, 2))  # 1,596 sorts of two things side by side
_SHUFFLED = torch.randperm(len(COMBINATIONS), generator=torch.Generator().manual_seed(0)).tolist()
WITHHELD = tuple(COMBINATIONS[i] for i in sorted(_SHUFFLED[: len(COMBINATIONS) // 10]))  # never seen together
TRAINING_COMBINATIONS = tuple(c for c in COMBINATIONS if c not in set(WITHHELD))
SCENES_SEED = 2_000_000
REPEATS = {"alone": 48, "alike": 24, "different": 6}  # scenes of each thing, of two the same, of two that differ


class Bytes:
    """Pictures kept as bytes, in a quarter of the memory; those that are picked come out as x0 in [-1, 1].

    `train` takes it in the place of a tensor.
    """

    def __init__(self, x: Tensor):
        self.x = x  # (N, 3, H, W) uint8

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, pick) -> Tensor:
        return from_bytes(self.x[pick])


class Scenes(NamedTuple):
    """Captioned scenes and what was recorded when they were drawn."""

    x0: Bytes  # N pictures (3, 64, 64)
    tokens: Tensor  # (N, 8, MAX_SCENE_WORDS) int64: eight phrasings of each caption
    scenes: list[Scene]  # N recorded scenes


def training_list() -> list[Scene]:
    """The scenes to train on, not drawn yet: each thing alone, and each combination that is not withheld, both ways."""
    generator = torch.Generator().manual_seed(SCENES_SEED)
    things: list[tuple[Thing, ...]] = [(thing,) for thing in TRAINING_PAIRS for _ in range(REPEATS["alone"])]
    for a, b in TRAINING_COMBINATIONS:
        times = REPEATS["alike" if a == b else "different"]
        things += [(a, b) if i % 2 else (b, a) for i in range(times)]
    return [random_scene(generator, row) for row in things]


def training_scenes(path: str | Path = DRAWN / "pictures-scenes.safetensors", bar: Bar = no_bar) -> Scenes:
    """Open the training scenes; the first time, draw them.

    They are drawn anew when the file is missing or the renderer has changed since.

    Args:
        path: where they are kept, as bytes.
        bar: shows progress while they are drawn, such as `tqdm`.

    Raises:
        ValueError: the file is damaged; the message says what to do.
    """
    recipe = [Path(module.__file__).read_text() for module in (shapes, fruit)]
    recipe += [inspect.getsource(part) for part in (random_scene, window, draw, training_list)]
    recipe += [repr((BACKDROPS, WINDOWS, ASIDE, UP, DOWN, TRAINING_COMBINATIONS, REPEATS, SCENES_SEED, SIZE))]

    def make() -> tuple[Tensor, list[dict]]:
        scenes = training_list()
        return draw_many(scenes, bar=bar), [asdict(scene) for scene in scenes]

    x, factors = drawn_once(path, recipe, make)
    scenes = [Scene(**scene | {"fruits": tuple(Fruit(**f) for f in scene["fruits"])}) for scene in factors]
    return Scenes(Bytes(x), caption_tokens(scenes), scenes)
