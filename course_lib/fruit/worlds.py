"""The two worlds of this room, one fruit and two, and how each reads a prompt. Needs no torch: refusing is quick."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from course_lib.captions import MAX_WORDS, known_words
from course_lib.fruit import prompts, scene_prompts
from course_lib.fruit.words import SCENE_SIZE, SCENE_VOCABULARY, SIZE, VOCABULARY


class World(NamedTuple):
    """What a network of this world is made for."""

    name: str
    vocabulary: tuple[str, ...]
    max_words: int
    size: int  # side of a picture in pixels
    understand: Callable[[str], object]  # a prompt to what it asks for; raises ValueError in plain words

    def settings(self) -> dict:
        """For the network: Denoiser(**world.settings())."""
        return dict(vocabulary=self.vocabulary, max_words=self.max_words, world=self.name, size=self.size)


FRUIT = World("fruit", VOCABULARY, MAX_WORDS, SIZE, prompts.understand)
SCENES = World("scenes", SCENE_VOCABULARY, scene_prompts.MAX_SCENE_WORDS, SCENE_SIZE, scene_prompts.understand)
WORLDS = {world.name: world for world in (FRUIT, SCENES)}


def reader_of(config: Mapping) -> Callable[[str], object]:
    """What reads prompts for a network of this config: the grammar of its world, or, for others, just its words."""
    if config["world"] in WORLDS:
        return WORLDS[config["world"]].understand
    return partial(known_words, vocabulary=config["vocabulary"], max_words=config["max_words"])


def understand_all(prompts: Sequence[str], understand: Callable[[str], object]) -> list:
    """What each prompt asks for. Raises ValueError, in plain words, for the first that is not understood."""
    try:
        return [understand(prompt) for prompt in prompts]
    except ValueError as error:
        hint = " A caption of several words needs quotes around it." if len(prompts) > 1 else ""
        raise ValueError(f"{error}{hint}") from error


def world_for(prompts: Sequence[str]) -> World:
    """The first world that understands all prompts; if none does, the ValueError of the one that was meant."""
    errors = []
    for world in WORLDS.values():
        try:
            understand_all(prompts, world.understand)
            return world
        except ValueError as error:
            errors.append(error)
    said = {word for prompt in prompts for word in prompt.casefold().split()}
    of_two = said & set(SCENE_VOCABULARY) - set(VOCABULARY)
    raise errors[1] if of_two else errors[0]
