"""From known words to what they ask for: a background, one thing or two, and what stands between them. For `reader`."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from course_lib.captions import EXAMPLE
from course_lib.fruit import scene_prompts
from course_lib.fruit.reader_words import COUNTS, PLACES
from course_lib.fruit.words import BACKDROPS, COLOURS, KINDS, SCENE_BACKGROUNDS, SIZES, article

NAMED, SIZE_WORDS = (*KINDS, "fruit"), tuple(filter(None, SIZES))
JOINTS = ("and", ",", "beside", "left_of", "right_of")
ENDS = ("at_left", "at_right", "at_beside")


class Fault(ValueError):
    """Why some words are no caption, and the words mended as far as this fault goes."""

    def __init__(self, reason: str, mended: Iterable[str] = ()):
        super().__init__(reason)
        self.reason, self.mended = reason, list(mended)


# Backgrounds

_HUES = "|".join(dict.fromkeys((*SCENE_BACKGROUNDS, *COLOURS)))
_NO_KIND = rf"(?! (?:{'|'.join(NAMED)})\b)"
_BEHIND = (
    re.compile(rf"\b(?:(?:on|in|and|,|over|before|in_front_of) )*(?:a )?(?P<hue>{_HUES}) background\b"),
    re.compile(rf"(?:(?:on|in|and|,|over) )*\b(?:a )?background (?:in )?(?:a )?(?P<hue>{_HUES})\b{_NO_KIND}"),
    re.compile(
        rf"\b(?:on|over|in_front_of) (?:a )?(?P<hue>{'|'.join(SCENE_BACKGROUNDS)})(?= (?:and|,|at_\w+)(?: |$)|$)"
    ),
)
_PLAIN = re.compile(r"(?:(?:on|in|and|,|over|in_front_of) )*(?:a )?\bbackground\b")


def part_background(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The words without those of the background, and its colour."""
    text, found = " ".join(words), []
    for pattern in _BEHIND:
        found += [match["hue"] for match in pattern.finditer(text)]
        text = pattern.sub(" ; ", text)
    rest = [w.replace(";", ",") for w in text.strip("; ").split()]
    hues = [*dict.fromkeys(found)]
    if len(hues) > 1:
        raise Fault("A picture has one background.", [*rest, "on", hues[0], "background"])
    if hues and hues[0] not in SCENE_BACKGROUNDS:
        raise Fault(f"The model never learned a background that is {hues[0]}.", rest)
    if "background" in rest:
        raise Fault("The background has no colour that the model learned.", _PLAIN.sub(" ", " ".join(rest)).split())
    return rest, hues[0] if hues else None


# Things


class Thing(NamedTuple):
    """One fruit as it was asked for; None where that was left open."""

    kind: str | None
    colour: str | None
    size_word: str | None

    def __str__(self) -> str:
        return article(self.bare(self.kind or "fruit"))

    def bare(self, name: str = "") -> str:
        return " ".join(filter(None, (self.size_word, self.colour, name)))


class Part(NamedTuple):
    """Words between two joints, such as "two large green banana"."""

    words: list[str]

    kinds = property(lambda part: [*dict.fromkeys(w for w in part.words if w in KINDS)] or part.fruit)
    fruit = property(lambda part: ["fruit"] if "fruit" in part.words else [])
    colours = property(lambda part: [*dict.fromkeys(w.removesuffix("_hue") for w in part.words if w in _SAID_HUES)])
    sizes = property(lambda part: [*dict.fromkeys(w for w in part.words if w in SIZE_WORDS)])
    count = property(lambda part: max((COUNTS.get(w, 1) for w in part.words), default=1))


_SAID_HUES = {f"{colour}_hue" for colour in COLOURS}
_DESCRIBE = {*_SAID_HUES, *SIZE_WORDS}


def arrange(words: Sequence[str]) -> tuple[list[Thing], str | None]:
    """One thing or two, and what joins them: a joint, "two" for two alike, or None for one."""
    ends = [w for w in words if w in ENDS]
    parts, joints = _parts([w for w in words if w not in ENDS or w == "at_beside"])
    if not parts:
        raise Fault(f"The prompt holds no word that says what to draw. Write for example {EXAMPLE}.")
    if len(parts) == 3 and parts[0].count == 2 and len({p.kinds[0] for p in parts}) == 1 and not parts[0].colours:
        parts, joints = parts[1:], joints[1:]  # "two bananas, one green and one yellow"
    things, several = [], False
    for place, part in enumerate(parts):
        if word := next((w for w in part.words if w in BACKDROPS), None):
            mended = _rejoin(parts, joints, place, [word])
            raise Fault(
                f"{word.capitalize()} is a background, and no colour of a fruit that the model learned.", mended
            )
        if len(part.colours) > 1:
            raise _two_colours(parts, place, joints)
        if len(part.sizes) > 1:
            raise Fault("One fruit has one size.", _rejoin(parts, joints, place, part.sizes[1:]))
        kind, *_ = part.kinds
        colour, size_word = ([*said, None][0] for said in (part.colours, part.sizes))
        things += [Thing(None if kind == "fruit" else kind, colour, size_word)] * min(part.count, 3)
        several = several or part.count == 2
    if len(things) > 2:
        first, second = things[:2]
        offered = say([first, second], "two" if parts[0].count > 1 else "and", None)
        raise Fault("That is more than the model learned to draw: two fruits at most.", offered.split())
    if len(things) == 1:
        if {*ends} & {"at_left", "at_right"}:
            raise Fault("One fruit alone stands in the middle.", [w for w in words if w not in ENDS])
        return things, None
    if several and len(parts) == 1:
        return things, "two"
    joint = next((j for j in joints if j in ("beside", "left_of", "right_of")), "and")
    joint = "beside" if "at_beside" in ends and joint == "and" else joint
    return things, _side(words) or joint


def _side(words: Sequence[str]) -> str | None:
    """Where the first of two things stands, by "on the left" or "on the right" said of it or of the second."""
    place = next((i for i, w in enumerate(words) if w in ("at_left", "at_right")), None)
    if place is None:
        return None
    before, later = sum(w in NAMED for w in words[:place]), any(w in NAMED for w in words[place:])
    of_first = before == 0 or before == 1 and later and words[place - 1] not in ("and", ",")
    return "left_of" if (words[place] == "at_left") == of_first else "right_of"


def _parts(words: Sequence[str]) -> tuple[list[Part], list[str]]:
    """Cut the words at their joints; a part without a fruit joins its neighbour. What was never learned is refused."""
    words = _without_places([w for w in words if w not in ENDS])
    groups, joints = [[]], []
    for word in words:
        if word in JOINTS:
            groups.append([])
            joints.append(word)
        else:
            groups[-1].append(word)
    with_a = ["a" in group for group in groups]
    for place, group in enumerate(groups):
        alone = not place or joints[place - 1] != "," or with_a[place] or not with_a[0]
        groups[place] = _oranges(group, alone)
    parts, between = [], []
    waiting: list[str] = []
    for place, group in enumerate(groups):
        joint = joints[place - 1] if place else ","
        for number, piece in enumerate(_pieces_of(group)):
            joint = "and" if number else joint
            bare = [w for w in piece if w != "a"]
            named = any(w in NAMED for w in bare)
            if not bare:
                if place < len(joints) and joint != "," and joints[place] in ("and", ","):
                    joints[place] = joint
            elif named and "a" in waiting and "a" in piece and _DESCRIBE & {*waiting} and joint != ",":
                kind = next(w for w in bare if w in NAMED)  # "a red and a green apple"
                parts, between = [*parts, Part([*waiting, kind]), Part(piece)], [*between, ",", joint]
                waiting = []
            elif named:
                parts, between, waiting = [*parts, Part([*waiting, *piece])], [*between, joint], []
            elif parts and "a" in piece and (joint != "," or parts[0].count > 1):  # "and a green one"
                parts, between = [*parts, Part([*piece, parts[-1].kinds[0]])], [*between, joint]
            elif parts and (joint == "," or place == len(groups) - 1):
                parts[-1] = Part([*parts[-1].words, *piece])
            else:
                waiting += piece
    if any(w in _SAID_HUES or w in SIZE_WORDS or w in BACKDROPS for w in waiting):
        parts = [*parts[:-1], Part([*parts[-1].words, *waiting])] if parts else [Part([*waiting, "fruit"])]
        between = between or [","]
    return parts, between[1:]


def _without_places(words: Sequence[str]) -> list[str]:
    """The words without an "in" that only describes, as in "a banana in green"; refuses all other places."""
    for place, word in enumerate(words):
        if word not in PLACES:
            continue
        before, after = words[:place], words[place + 1 :]
        described = not after or after[0] in (*COLOURS, *SIZE_WORDS, "orange_hue")
        if word == "in" and described:
            return _without_places([*before, *after])
        where, behind = word.replace("_", " "), [w for w in after if w in COLOURS or w in BACKDROPS]
        if word == "on" and behind and not any(w in NAMED for w in after if w != "orange"):
            told = f"The model never learned a background that is {behind[0]}."
            raise Fault("A picture has one background." if behind[0] in BACKDROPS else told, before)
        if any(w in NAMED for w in before) and any(w in NAMED for w in after):
            raise Fault(f'The model never learned "{where}"; two fruits stand side by side.', [*before, "and", *after])
        raise Fault(f'The model never learned "{where}" here.', [*before, *after])
    return list(words)


def _oranges(group: Sequence[str], alone: bool) -> list[str]:
    """Mark every colour, and with it each "orange" that is one: before a fruit, or after the only one."""
    others = [w for w in group if w in NAMED and w != "orange"]
    told: list[str] = []
    for place, word in enumerate(group):
        after = [w for w in group[place + 1 :] if w not in SIZE_WORDS]
        if word != "orange":
            told.append(f"{word}_hue" if word in COLOURS else word)
            continue
        behind = others and group[place - 1 : place] != ["a"] and not any(w in COLOURS for w in group[:place])
        shade = [w for w in after[:2] if w in COLOURS and w != "orange"] and after[1:2] and after[1] in NAMED
        colour = behind or shade or after[:1] and after[0] in NAMED or not (alone or others)
        told.append("orange_hue" if colour else "orange")
    return told


def _pieces_of(group: Sequence[str]) -> list[list[str]]:
    """Things that stand side by side without a joint: "red apple green banana", "apple red banana green"."""
    kinds = [*dict.fromkeys(w for w in group if w in KINDS)]
    if len(kinds) < 2:
        return [list(group)]
    bare = [w for w in group if w not in ("a", *SIZE_WORDS)]
    if len(bare) == 3 and bare[0] in KINDS and bare[1] in _SAID_HUES and group.count("a") < 2:  # "an apple-green pear"
        named, hue, kind = bare[0], bare[1].removesuffix("_hue"), bare[2]
        mended = [*group[: group.index(named)], hue, kind]
        raise Fault(f'"{named} {hue}" is no colour that the model learned.', mended)
    named = [w for w in group if w != "a" and w not in COUNTS]
    first = named[0] in KINDS and named[-1] not in KINDS  # whether the fruit comes before its colour
    pieces: list[list[str]] = [[]]
    for word in group:
        full = any(w in KINDS for w in pieces[-1])
        if full and (
            word in kinds and word not in pieces[-1] if first else word not in KINDS or word not in pieces[-1]
        ):
            pieces.append([])
        pieces[-1].append(word)
    if not any(w in KINDS for w in pieces[-1]):
        rest = pieces.pop()
        pieces[-1] += rest
    return pieces


def _rejoin(parts: Sequence[Part], joints: Sequence[str], place: int, without: Sequence[str]) -> list[str]:
    words = []
    for number, part in enumerate(parts):
        words += [joints[number - 1]] if number else []
        bare = [w if w == "orange_hue" else w.removesuffix("_hue") for w in part.words]
        words += [w for w in bare if number != place or w.removesuffix("_hue") not in without]
    return words


def _two_colours(parts: Sequence[Part], place: int, joints: Sequence[str]) -> Fault:
    part = parts[place]
    told = " and ".join(part.colours[:2])
    mended = _rejoin(parts, joints, place, part.colours[1:])
    if len(parts) == 1 and part.count == 2:
        mended = [w for colour in part.colours[:2] for w in ("a", colour, part.kinds[0], "and")][:-1]
    return Fault(f"One fruit has one colour, and this one has two: {told}.", mended)


# The caption

SAID = {"and": "and", ",": "and", "beside": "beside", "left_of": "to the left of", "right_of": "to the right of"}


def say(things: Sequence[Thing], joint: str | None, background: str | None) -> str:
    """The caption for one thing or two. joint: what stands between two, or "two" for two alike."""
    if joint == "two" and things[0] == things[1] and things[0].kind:
        said = scene_prompts.two(things[0].kind, f"{things[0].bare()} ".lstrip())
    else:
        said = f" {SAID.get(joint, 'and')} ".join(map(str, things))
    return f"{said} on {article(background)} background" if background else said
