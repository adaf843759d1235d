"""What is said about a scene, and the grammar that reads it again; it binds words to things.

"A green banana to the left of a red apple" and "a red banana to the left of a green apple" have the same words.
"""

import re
from typing import TYPE_CHECKING, NamedTuple

from course_lib.captions import known_words
from course_lib.fruit import prompts
from course_lib.fruit.words import NAMES, SCENE_BACKGROUNDS, SCENE_VOCABULARY, article

if TYPE_CHECKING:
    from course_lib.fruit.scenes import Scene

MAX_SCENE_WORDS = 20
EXAMPLE = '"a red apple and a green banana" or "two yellow lemons on a green background"'


def phrasings(scene: "Scene") -> list[str]:
    """Eight captions for a scene. "And" and "beside" name first what stands on the left, as one reads.

    For two fruits, two of them tell sizes where they differ, two always ("" is a size too). For one fruit these are
    `prompts.phrasings`. Raises ValueError for three fruits, of which no caption is learned.
    """
    if len(scene.fruits) == 1:
        (f,) = scene.fruits
        return prompts.phrasings(f.kind, f.colour, f.size_word, scene.background)
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
    later_a, later_b = (f"{article(f.kind)} that {'are' if NAMES[f.kind].many else 'is'} {f.colour}" for f in (a, b))
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
    return f"two {'bunches of ' if NAMES[kind].many else ''}{words}{NAMES[kind].plural}"


class Asked(NamedTuple):
    """What a caption asks for."""

    things: tuple[dict[str, str | None], ...]  # kind, colour and size_word of each; None where it leaves them open
    in_order: bool  # whether it asks for them in this order, from left to right
    background: str | None


_SEVERAL = {kind: name.plural for kind, name in NAMES.items() if kind != name.plural}
_MANY = tuple(kind for kind, name in NAMES.items() if name.many)
_WHERE = re.compile(rf"(?P<things>.*?)(?: on an? (?P<background>{'|'.join(SCENE_BACKGROUNDS)}) background)?")


def understand(caption: str) -> Asked:
    """Read what a caption asks for: one to three things, and a background. Raises as `prompts.understand`.

    Every caption of `phrasings` is understood, and so are three things joined by "and", which no model was shown.
    """
    text = " ".join(known_words(caption, SCENE_VOCABULARY, MAX_SCENE_WORDS))
    match = _WHERE.fullmatch(text)
    parts = re.split(r" (and|beside|to the left of|to the right of) ", match["things"])
    named, joints = parts[::2], set(parts[1::2])
    if len(named) == 1 and named[0].startswith("two "):
        one = named[0].removeprefix("two ").removeprefix("bunches of ")
        for singular, plural in _SEVERAL.items():
            one = re.sub(rf"\b{plural}\b", singular, one)
        plural = one != named[0].removeprefix("two ") or one.startswith(_MANY)
        named = [one, one] if plural and not one.startswith(("a ", "an ")) else []
    try:
        things = [prompts.understand(thing) for thing in named]
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
