"""From what people type to a caption of the grammar: `read`. It imports no torch, and answers in milliseconds.

    typed        "Please draw 2 big, green bananas!"
    words        please draw 2 big , green bananas        normal letters, punctuation gone but for commas
    known words  two large , green banana                 what says nothing is gone, other words are put in ours
    things       two of (banana, green, large)
    caption      "two large green bananas"

What it cannot read it never guesses at: it refuses, says why, and offers the nearest caption that it would take. A step
that meets a fault mends the words, and what the mended words read as is what is offered.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple, NoReturn

from course_lib.captions import EXAMPLE
from course_lib.fruit import scene_prompts
from course_lib.fruit.reader_words import (
    ARTICLES,
    COUNTS,
    EMOJI,
    LANGUAGES,
    MEANING,
    MEANING_BEHIND,
    NO_MISSPELLING,
    NOT,
    OTHER_FRUIT,
    PHRASES,
    PLACES,
    SAME,
    SILENT,
    THINGS_TOO,
)
from course_lib.fruit.words import BACKDROPS, COLOURS, KINDS, SCENE_BACKGROUNDS, SIZES, article

MAX_CHARACTERS, MAX_TYPED, SHOWN = 400, 40, 40
NAMED, SIZE_WORDS = (*KINDS, "fruit"), tuple(filter(None, SIZES))
JOINTS = ("and", ",", "beside", "left_of", "right_of")
ENDS = ("at_left", "at_right", "at_beside")
OWN = {*NAMED, *COLOURS, *BACKDROPS, *SIZE_WORDS, *JOINTS, *ENDS, *COUNTS, *PLACES, "background", "orange_hue", "a", "or"}


class Reading(NamedTuple):
    """What a person typed, and the caption it was read as."""

    typed: str
    caption: str

    @property
    def differs(self) -> bool:
        """Whether it was put in other words; case, articles and punctuation alone are no other words."""
        typed, caption = ([w for w in split(text) if w not in ("a", "an", "the", ",")] for text in self)
        return typed != caption

    @property
    def note(self) -> str:
        """What to tell who typed it: "understood as: a large green banana", or nothing."""
        return f"understood as: {self.caption}" if self.differs else ""


class Unread(ValueError):
    """What a person typed is no caption. `suggestion` is one that `read` takes, or None."""

    def __init__(self, reason: str, suggestion: str | None = None):
        self.suggestion = suggestion
        offer = f' Did you mean "{suggestion}"?' if suggestion and f'"{suggestion}"' not in reason else ""
        super().__init__(f"{reason}{offer}")


def read(prompt: str) -> Reading:
    """Read what a person typed as a caption of one fruit or two; raises TypeError for no text, else `Unread`."""
    if not isinstance(prompt, str):
        raise TypeError(f"A caption is text, such as {EXAMPLE}, not {type(prompt).__name__}.")
    words = split(prompt)
    if len(prompt) > MAX_CHARACTERS or len(words) > MAX_TYPED:
        long = f"The prompt is too long: {len(words)} words, {len(prompt)} characters."
        raise Unread(f"{long} Say it in at most {MAX_TYPED} words, for example {EXAMPLE}.")
    return Reading(prompt, _caption(words))


def shown(text: str) -> str:
    """Text as messages show it: what a screen would act on is escaped, and 40 characters are enough."""
    text = text if len(text) <= SHOWN else text[:SHOWN] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


# Words


def split(text: str) -> list[str]:
    """Normalise text and cut it into words; a comma is one of them. Emoji are fruits where no word is one."""
    for _ in range(2):  # normal forms of full-width and combined letters, and again what small letters make of them
        text = unicodedata.normalize("NFKC", text).casefold()
    text = "".join(c for c in text.replace("’", "'").replace("‘", "'") if unicodedata.category(c) != "Cf")
    words = _cut(text)
    emoji = [fruit for sign, fruit in EMOJI.items() if sign in text]
    if emoji and not {SAME.get(w, w) for w in words} & ({*KINDS, "fruit"} - {"orange"} | {*emoji}):
        words = _cut("".join(f" {EMOJI[c]} " if c in EMOJI else c for c in text))
    return words


def _cut(text: str) -> list[str]:
    text = "".join(c if _lettered(c) or c in "',;&+" else " " for c in text).replace(";", ",")
    words = re.findall(r"[,&+]|[^\s,&+]+", text)
    return [word for word in map(_bare, words) if word]


def _lettered(c: str) -> bool:
    category = unicodedata.category(c)
    return category[0] in "LN" or category in ("Mn", "Mc") and not 0xFE00 <= ord(c) <= 0xFE0F or _raw(c)


def _raw(c: str) -> bool:
    """A control character other than space, a lone surrogate, or what has no meaning: kept, and refused as a word."""
    return unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") and not c.isspace()


def _bare(word: str) -> str:
    """A word without the apostrophe and what hangs on it: "that's", "l'orange"; "isn't" keeps it."""
    word = word.strip("'")
    head, mark, tail = word.partition("'")
    if not mark or tail == "t":
        return word
    return tail if head in ("l", "d") and len(tail) > 2 else head


def _caption(words: Sequence[str]) -> str:
    """The caption that some words mean. Each line is a step; each of them may refuse."""
    words = _phrases(words)
    _check_not(words)
    _check_language(words)
    words = _known(words)
    _check_choice(words)
    words, background = _background(words)
    things, joint = _things(words)
    return say(things, joint, background)


def _suggest(words: Iterable[str]) -> str | None:
    """What mended words read as; where they are faulty too, what is suggested for those."""
    try:
        caption = _caption(list(words))
    except Unread as error:
        return error.suggestion
    return None if caption == "a fruit" else caption


def _refuse(reason: str, mended: Iterable[str]) -> NoReturn:
    raise Unread(reason, _suggest(mended))


@cache
def _patterns() -> list[tuple[re.Pattern, str]]:
    kinds = f"(?:{'|'.join({*NAMED, *(w for w, same in SAME.items() if same in NAMED)} - {'orange'})})"
    return [(re.compile(rf"\b(?:{p.replace('KIND', kinds)})(?!\S)"), to) for p, to in PHRASES.items()]


def _phrases(words: Sequence[str]) -> list[str]:
    """Several words for one put in that one, and numbers in words."""
    text = " ".join(words)
    for pattern, to in _patterns():
        text = pattern.sub(to, text)
    return [_number(word) for word in text.split()]


def _number(word: str) -> str:
    digits = word.removesuffix("x").removeprefix("x")
    if not digits.isdecimal():
        return word
    count = int(digits)
    return {0: "no", 1: "a", 2: "two"}.get(count, "several")


def _check_not(words: Sequence[str]) -> None:
    for place, word in enumerate(words):
        if word in NOT:
            after = words[place + 1 :]
            described = after and SAME.get(after[0], after[0]) in (*COLOURS, *SIZE_WORDS) and after[0] not in ("a", "an")
            mended = [*words[:place], *after[1:]] if described and len(after) > 1 else words[:place]
            _refuse(f'The model never learned "{word}": it draws what is said, and leaves nothing out.', mended)


def _check_choice(words: Sequence[str]) -> None:
    if "or" in words:
        place = words.index("or")
        before, after = words[:place], words[place + 1 :]
        kinds = [w for w in after if w in NAMED]
        mended = before if any(w in NAMED for w in before) else [*before, *kinds[:1]]
        _refuse('"Or" leaves the choice to the model, which makes none. Say the one that you want.', mended)


# Words that are not ours


def _check_language(words: Sequence[str]) -> None:
    strange = [word for word in words if not _ours(word)]
    if not strange:
        return
    best, translated, hits = "", [], 0
    for language in LANGUAGES:
        english, found = _translate(words, language)
        if found > hits:
            best, translated, hits = language, english, found
    if best:
        suggestion = _suggest(translated)
        said = f' in English it is "{suggestion}".' if suggestion else " write it in English."
        raise Unread(f"This is {best}, and the model learned English:{said}", suggestion)


@cache
def _dictionary(language: str) -> dict[str, str]:
    table = {phrase: own for own, phrases in LANGUAGES[language].items() for phrase in phrases.split(",")}
    normal = {" ".join(_cut(unicodedata.normalize("NFKC", phrase))): own for phrase, own in table.items()}
    return dict(sorted(normal.items(), key=lambda item: -len(item[0])))


def _translate(words: Sequence[str], language: str) -> tuple[list[str], int]:
    """Words in English as far as this language's table goes, and how many of those not ours it turned into ours."""
    table, english, found, place = _dictionary(language), [], 0, 0
    words = [piece for word in words for piece in (_pieces(word, table) if language == "Chinese" else [word])]
    while place < len(words):
        for length in (4, 3, 2, 1):
            phrase = " ".join(words[place : place + length])
            if phrase in table and length <= len(words) - place:
                own = table[phrase]
                found += length * bool(own and own != "a" and (length > 1 or not _ours(phrase) or phrase in NAMED))
                english += [own] if own else []
                break
        else:
            length = 1
            english.append(words[place])
        place += length
    kinds = {*NAMED, *COLOURS} & {*english}
    return english, found if kinds and any(not _ours(word) and word in table for word in [*words, *_pairs(words)]) else 0


def _pairs(words: Sequence[str]) -> list[str]:
    return [" ".join(pair) for pair in zip(words, words[1:], strict=False)]


def _pieces(word: str, table: dict[str, str]) -> list[str]:
    """A word written without spaces, cut where the table has words, the longest first."""
    pieces, rest = [], word
    while rest:
        known = next((phrase for phrase in table if rest.startswith(phrase)), None)
        if known or not pieces or not pieces[-1].endswith("\0"):
            pieces.append(known or rest[0] + "\0")
        else:
            pieces[-1] = pieces[-1][:-1] + rest[0] + "\0"
        rest = rest[len(known) if known else 1 :]
    return [piece.removesuffix("\0") for piece in pieces] if any(p in table for p in pieces) else [word]


def _ours(word: str) -> bool:
    return word in OWN or word in SAME or word in SILENT or word in ARTICLES or word in ("is", "grey")


def _known(words: Sequence[str]) -> list[str]:
    """The words in ours, without those that say nothing. Refuses the first that it does not know."""
    for place, word in enumerate(words):
        if _ours(word):
            continue
        before, after = words[:place], words[place + 1 :]
        fruit_named = any(SAME.get(w, w) in NAMED or _near(w) in NAMED for w in (*before, *after))
        colour = MEANING.get(word)
        never = f'The model never learned the word "{shown(word)}".'
        if colour and (fruit_named or word not in THINGS_TOO):
            if after[:1] and SAME.get(after[0], after[0]) == "background":
                colour = MEANING_BEHIND.get(word, colour)
            _refuse(f"{never} The nearest colour that it knows is {colour}.", [*before, colour, *after])
        if word in OTHER_FRUIT or word in THINGS_TOO:
            coloured = any(SAME.get(w, w) in COLOURS for w in before[-1:])
            rest = [*before, "fruit", *after] if coloured and not fruit_named else [*before, *after]
            _refuse(f"{never} It knows eight fruits, and this is none of them.", rest)
        if near := _near(word):
            _refuse(never, [*before, near, *after])
        rest = [*before, *after] if fruit_named else []
        _refuse(never, rest)
    put = [SAME.get(word, word) for word in words]
    return ["a" if w in ARTICLES else w for w in put if w in OWN or w in ARTICLES]


def _near(word: str) -> str | None:
    """The known word that this is most likely a misspelling of: it begins alike, and few letters differ."""
    if word in NO_MISSPELLING or len(word) > 16:
        return None
    allowed = 2 if len(word) > 6 else 1
    targets = [*NAMED, *COLOURS, *BACKDROPS, *SIZE_WORDS, "background", "beside", "gray", *SAME]
    targets = [t for t in targets if len(t) > 2 and t[0] == word[0] and abs(len(t) - len(word)) <= allowed]
    steps = {t: _distance(word, t) for t in targets if len(word) > 3 or sorted(word) == sorted(t)}
    best = min(steps, key=steps.get, default=None)
    return best if best and steps[best] <= allowed and (len(best) > 4 or steps[best] < 2) else None


def _distance(a: str, b: str) -> int:
    """How many letters are left out, put in, changed or swapped with the next between two words."""
    rows = [[*range(len(b) + 1)]]
    for i, c in enumerate(a, 1):
        row = [i]
        for j, d in enumerate(b, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (c != d))
            if i > 1 and j > 1 and c == b[j - 2] and a[i - 2] == d:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


# Backgrounds

_HUES = "|".join(dict.fromkeys((*SCENE_BACKGROUNDS, *COLOURS)))
_BEHIND = (
    re.compile(rf"\b(?:(?:on|in|and|,|over|before|in_front_of) )*(?:a )?(?P<hue>{_HUES}) background\b"),
    re.compile(rf"(?:(?:on|in|and|,|over) )*\b(?:a )?background (?:in )?(?:a )?(?P<hue>{_HUES})\b(?! (?:{'|'.join(NAMED)})\b)"),
    re.compile(rf"\b(?:on|over|in_front_of) (?:a )?(?P<hue>{'|'.join(SCENE_BACKGROUNDS)})(?= (?:and|,|at_\w+)(?: |$)|$)"),
)
_PLAIN = re.compile(r"(?:(?:on|in|and|,|over|in_front_of) )*(?:a )?\bbackground\b")


def _background(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The words without those of the background, and its colour."""
    text, found = " ".join(words), []
    for pattern in _BEHIND:
        found += [match["hue"] for match in pattern.finditer(text)]
        text = pattern.sub(" ; ", text)
    rest = [w for w in text.replace(" ; ", " , ").split() if w != ";"] if re.search(r" ; +\S", text) else text.replace(";", " ").split()
    hues = [*dict.fromkeys(found)]
    if len(hues) > 1:
        _refuse("A picture has one background.", [*rest, "on", hues[0], "background"])
    if hues and hues[0] not in SCENE_BACKGROUNDS:
        _refuse(f"The model never learned a background that is {hues[0]}.", rest)
    if "background" in rest:
        _refuse("The background has no colour that the model learned.", _PLAIN.sub(" ", " ".join(rest)).split())
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


def _things(words: Sequence[str]) -> tuple[list[Thing], str | None]:
    """One thing or two, and what joins them: a joint, "two" for two alike, or None for one."""
    ends = [w for w in words if w in ENDS]
    parts, joints = _parts([w for w in words if w not in ENDS or w == "at_beside"])
    if not parts:
        _refuse_nothing(words)
    if len(parts) == 3 and parts[0].count == 2 and len({p.kinds[0] for p in parts}) == 1 and not parts[0].colours:
        parts, joints = parts[1:], joints[1:]  # "two bananas, one green and one yellow"
    things, several = [], False
    for place, part in enumerate(parts):
        if len(part.colours) > 1:
            _refuse_colours(parts, place, joints)
        if len(part.sizes) > 1:
            _refuse("One fruit has one size.", _rejoin(parts, joints, place, part.sizes[1:]))
        kind, *_ = part.kinds
        colour, size_word = ([*said, None][0] for said in (part.colours, part.sizes))
        things += [Thing(None if kind == "fruit" else kind, colour, size_word)] * min(part.count, 3)
        several = several or part.count == 2
    if len(things) > 2:
        first, second = things[:2]
        offered = say([first, second], "two" if parts[0].count > 1 else "and", None)
        raise Unread("That is more than the model learned to draw: two fruits at most.", offered)
    if len(things) == 1:
        if {*ends} & {"at_left", "at_right"}:
            _refuse("One fruit alone stands in the middle.", [w for w in words if w not in ENDS])
        return things, None
    if several and len(parts) == 1:
        return things, "two"
    joint = next((j for j in joints if j in ("beside", "left_of", "right_of")), "and")
    joint = "beside" if "at_beside" in ends and joint == "and" else joint
    return things, _side(words) or joint


def _side(words: Sequence[str]) -> str | None:
    """What "on the left" and "on the right" say of two things, by which of them it is said of."""
    sides = [(w, any(k in NAMED for k in words[i + 1 :]), sum(k in NAMED for k in words[:i])) for i, w in enumerate(words)]
    sides = [(w, later, before) for w, later, before in sides if w in ("at_left", "at_right")]
    if not sides:
        return None
    side, later, before = sides[0]
    first = before == 1 and later  # said behind the first thing
    if before == 1 and later and _joined_before(words, words.index(side)):
        first = False
    if before == 0:
        first = True
    return {("at_left", True): "left_of", ("at_right", True): "right_of", ("at_left", False): "right_of"}.get(
        (side, first), "left_of"
    )


def _joined_before(words: Sequence[str], place: int) -> bool:
    return words[place - 1] in ("and", ",")


def _parts(words: Sequence[str]) -> tuple[list[Part], list[str]]:
    """Cut the words at their joints; a part without a fruit joins its neighbour. What was never learned is refused."""
    words = [w for w in words if w not in ENDS]
    for place, word in enumerate(words):
        if word in PLACES:
            before, after = words[:place], words[place + 1 :]
            described = [w for w in after[:1] if w in (*COLOURS, *SIZE_WORDS, "orange_hue")]
            if word == "in" and described or not any(w in NAMED for w in after) or not any(w in NAMED for w in before):
                if word == "in" and described or word == "in" and not after:
                    return _parts([*before, *after])
                _refuse(f'The model never learned "{word.replace("_", " ")}" here.', [*before, *after])
            where = word.replace("_", " ")
            _refuse(f'The model never learned "{where}"; two fruits stand side by side.', [*before, "and", *after])
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
            elif named and "a" in waiting and "a" in piece and _SAID_HUES & {*waiting} and joint != ",":
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
    if any(w in _SAID_HUES or w in SIZE_WORDS for w in waiting):
        parts = [*parts[:-1], Part([*parts[-1].words, *waiting])] if parts else [Part([*waiting, "fruit"])]
        between = between or [","]
    return parts, between[1:]


def _oranges(group: Sequence[str], alone: bool) -> list[str]:
    """Mark every colour, and with it each "orange" that is one: before a fruit, or after the only one."""
    others = [w for w in group if w in NAMED and w != "orange"]
    told: list[str] = []
    for place, word in enumerate(group):
        after = [w for w in group[place + 1 :] if w not in SIZE_WORDS]
        if word != "orange":
            told.append(f"{word}_hue" if word in COLOURS else word)
        elif after and after[0] in NAMED:
            told.append("orange_hue")
        elif others and group[place - 1 : place] != ["a"] and not any(w in COLOURS for w in group[:place]):
            told.append("orange_hue")
        else:
            told.append("orange" if alone or others else "orange_hue")
    return told


def _pieces_of(group: Sequence[str]) -> list[list[str]]:
    """Things that stand side by side without a joint: "red apple green banana", "apple red banana green"."""
    kinds = [*dict.fromkeys(w for w in group if w in KINDS)]
    if len(kinds) < 2:
        return [list(group)]
    named = [w for w in group if w != "a" and w not in COUNTS]
    first = named[0] in KINDS and named[-1] not in KINDS  # whether the fruit comes before its colour
    pieces: list[list[str]] = [[]]
    for word in group:
        full = any(w in KINDS for w in pieces[-1])
        if full and (word in kinds and word not in pieces[-1] if first else word not in KINDS or word not in pieces[-1]):
            pieces.append([])
        pieces[-1].append(word)
    if not any(w in KINDS for w in pieces[-1]):
        pieces[-2] += pieces.pop()
    return pieces


def _rejoin(parts: Sequence[Part], joints: Sequence[str], place: int, without: Sequence[str]) -> list[str]:
    words = []
    for number, part in enumerate(parts):
        words += [joints[number - 1]] if number else []
        words += [w for w in part.words if number != place or w.removesuffix("_hue") not in without]
    return words


def _refuse_colours(parts: Sequence[Part], place: int, joints: Sequence[str]) -> NoReturn:
    part = parts[place]
    told = " and ".join(part.colours[:2])
    mended = _rejoin(parts, joints, place, part.colours[1:])
    if len(parts) == 1 and part.count == 2:
        mended = [w for colour in part.colours[:2] for w in ("a", colour, part.kinds[0], "and")][:-1]
    _refuse(f"One fruit has one colour, and this one has two: {told}.", mended)


def _refuse_nothing(words: Sequence[str]) -> NoReturn:
    raise Unread(f"The prompt holds no word that says what to draw. Write for example {EXAMPLE}.")


# The caption

SAID = {"and": "and", ",": "and", "beside": "beside", "left_of": "to the left of", "right_of": "to the right of"}


def say(things: Sequence[Thing], joint: str | None, background: str | None) -> str:
    """The caption for one thing or two. joint: what stands between two, or "two" for two alike."""
    if joint == "two" and things[0] == things[1] and things[0].kind:
        said = scene_prompts.two(things[0].kind, f"{things[0].bare()} ".lstrip())
    else:
        said = f" {SAID.get(joint, 'and')} ".join(map(str, things))
    return f"{said} on {article(background)} background" if background else said
