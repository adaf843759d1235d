"""The training scenes: one fruit alone and two side by side, drawn once and kept in a file.

Never trained on are the eight held-out pairs of kind and colour, and `WITHHELD`, one in ten of the combinations of two
things that could stand side by side.
"""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations_with_replacement
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.captions import encode
from course_lib.fruit import drawing, scenes, shapes, words
from course_lib.fruit.drawing import Fruit
from course_lib.fruit.scene_prompts import MAX_SCENE_WORDS, Asked, phrasings
from course_lib.fruit.scenes import SIZE, Scene, Thing, draw, draw_many, random_scene
from course_lib.fruit.words import SCENE_VOCABULARY, TRAINING_PAIRS
from course_lib.noise import Pictures, Tokens
from course_lib.tools.bars import Bar, no_bar
from course_lib.tools.files import DRAWN
from course_lib.tools.kept import drawn_once, named_for
from course_lib.tools.pixels import Bytes

COMBINATIONS = tuple(combinations_with_replacement(TRAINING_PAIRS, 2))  # 1,596 sorts of two things side by side
_SHUFFLED = torch.randperm(len(COMBINATIONS), generator=torch.Generator().manual_seed(0)).tolist()
WITHHELD = tuple(COMBINATIONS[i] for i in sorted(_SHUFFLED[: len(COMBINATIONS) // 10]))  # never seen together
TRAINING_COMBINATIONS = tuple(c for c in COMBINATIONS if c not in set(WITHHELD))
SCENES_SEED = 2_000_000
REPEATS = {"alone": 48, "alike": 24, "different": 6}  # scenes of each thing, of two the same, of two that differ


class Scenes(NamedTuple):
    """Captioned scenes and what was recorded when they were drawn."""

    x0: Bytes  # N pictures (3, 64, 64)
    tokens: Tensor  # (N, 8, MAX_SCENE_WORDS) int64: eight phrasings of each caption
    scenes: list[Scene]  # N recorded scenes


def scene_tokens(captions: str | Sequence[str]) -> Tokens:
    """Turn captions of scenes into tokens. Raises as `encode`."""
    return encode(captions, SCENE_VOCABULARY, MAX_SCENE_WORDS)


def draw_asked(asked: Sequence[Asked], generator: torch.Generator, size: int = SIZE) -> Pictures:
    """Draw what prompts ask for, all else at random."""
    wishes = [[(thing["kind"], thing["colour"], thing["size_word"]) for thing in one.things] for one in asked]
    scenes = [random_scene(generator, things, one.background) for things, one in zip(wishes, asked, strict=True)]
    return draw(scenes, size)


def caption_tokens(scenes: Sequence[Scene]) -> Tensor:
    """The tokens of all phrasings for each scene: (N, 8, MAX_SCENE_WORDS) int64."""
    return scene_tokens([caption for scene in scenes for caption in phrasings(scene)]).unflatten(0, (-1, 8))


def training_list(times: int = 1) -> list[Scene]:
    """The scenes to train on, not drawn yet: each thing alone, and each combination that is not withheld, both ways.

    times: so many times as many; they begin with the usual ones.
    """
    generator = torch.Generator().manual_seed(SCENES_SEED)
    things: list[tuple[Thing, ...]] = [(thing,) for thing in TRAINING_PAIRS for _ in range(REPEATS["alone"])]
    for a, b in TRAINING_COMBINATIONS:
        repeats = REPEATS["alike" if a == b else "different"]
        things += [(a, b) if i % 2 else (b, a) for i in range(repeats)]
    return [random_scene(generator, row) for _ in range(times) for row in things]


def training_scenes(
    path: str | Path = DRAWN / "pictures-scenes.safetensors", bar: Bar = no_bar, times: int = 1
) -> Scenes:
    """Open the training scenes, or draw them, as `training_pictures` does its own."""
    path = named_for(path, times)

    def make() -> tuple[Tensor, list[dict]]:
        listed = training_list(times)
        return draw_many(listed, bar=bar), [asdict(scene) for scene in listed]

    values = TRAINING_COMBINATIONS, REPEATS, SCENES_SEED, SIZE
    x, factors = drawn_once(path, [words, shapes, drawing, scenes, training_list, (*values, times)], make)
    known = [Scene(**scene | {"fruits": tuple(Fruit(**f) for f in scene["fruits"])}) for scene in factors]
    return Scenes(Bytes(x), caption_tokens(known), known)
