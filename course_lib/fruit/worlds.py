"""The two worlds of this room, one fruit and two, and how each reads a prompt. Needs no torch: refusing is quick."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from course_lib.captions import MAX_WORDS, known_words
from course_lib.fruit import prompts, reader, scene_prompts
from course_lib.fruit.reader_things import Thing, say
from course_lib.fruit.words import BACKGROUNDS, SCENE_SIZE, SCENE_VOCABULARY, SIZE, VOCABULARY

FACTOR = 4  # so many times as wide is what a network that enlarges makes of a picture: 128 pixels of 32


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


def is_enlarged(config: Mapping) -> bool:
    """Whether what enlarges knows the pictures of a network of this config: those of a world, in its size."""
    world = WORLDS.get(config["world"])
    return world is not None and config.get("size", SIZE) == world.size


def reader_of(config: Mapping) -> Callable[[str], object]:
    """What reads prompts for a network of this config: the grammar of its world, or, for others, just its words."""
    if config["world"] in WORLDS:
        return WORLDS[config["world"]].understand
    return partial(known_words, vocabulary=config["vocabulary"], max_words=config["max_words"])


def read_for(world: World, prompt: str) -> reader.Reading:
    """Read what a person typed for a network of this world; raises as `reader.read`."""
    reading = reader.read(prompt)
    try:
        world.understand(reading.caption)
    except ValueError as error:
        first, *others = scene_prompts.understand(reading.caption).things
        least = say([Thing(first["kind"], first["colour"], first["size_word"])], None, None)
        learned = "one fruit, not two" if others else f"fruit on {', '.join(BACKGROUNDS)} only"
        raise reader.Unread(f"This network learned {learned}.", least) from error
    return reading


def read_with(config: Mapping, prompt: str) -> reader.Reading:
    """Read what a person typed for a network of this config; of words of one's own it is just those words."""
    if config["world"] in WORLDS:
        return read_for(WORLDS[config["world"]], prompt)
    caption = " ".join(known_words(prompt, config["vocabulary"], config["max_words"]))
    return reader.Reading(caption, caption)


def unquoted(prompts: Sequence[str]) -> list[str]:
    """The prompts of a command line. Pieces that name no fruit by themselves belong to one prompt without quotes."""
    quoted = any(" " in prompt and _whole(prompt) for prompt in prompts)
    return [*prompts] if quoted or all(map(_whole, prompts)) else [" ".join(prompts)]


def _whole(prompt: str) -> bool:
    """Whether a prompt names a fruit by itself; a colour or a size alone waits for one."""
    try:
        caption = reader.read(prompt).caption
    except reader.Unread:
        return False
    return not caption.endswith(" fruit")


def world_for(prompts: Sequence[str]) -> World:
    """The first world that can draw all prompts. Raises as `reader.read` for the first that none can."""
    captions = [reader.read(prompt).caption for prompt in prompts]
    for world in WORLDS.values():
        try:
            for caption in captions:
                world.understand(caption)
            return world
        except ValueError:
            continue
    raise AssertionError("the scenes understand whatever is read")
