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
from typing import NamedTuple

from course_lib.captions import EXAMPLE
from course_lib.fruit.reader_things import ENDS, JOINTS, NAMED, SIZE_WORDS, Fault, arrange, part_background, say
from course_lib.fruit.reader_words import (
    ARTICLES,
    COUNTS,
    EMOJI,
    LANGUAGES,
    LIKE,
    MEANING,
    MEANING_BEHIND,
    NO_MISSPELLING,
    NOT,
    OTHER_EMOJI,
    OTHER_FRUIT,
    PHRASES,
    PLACES,
    SAME,
    SIGNS,
    SILENT,
    THINGS_TOO,
)
from course_lib.fruit.words import BACKDROPS, COLOURS, KINDS

MAX_CHARACTERS, MAX_TYPED, SHOWN = 400, 40, 40
FRACTION = re.compile(r"(?<!\w)[-−]\d+|:?\d+ ?[/⁄.:] ?\d+|\d+ ?%|[$€£] ?\d+")  # numbers that count no fruit
OWN = {
    *NAMED,
    *COLOURS,
    *BACKDROPS,
    *SIZE_WORDS,
    *JOINTS,
    *ENDS,
    *COUNTS,
    *PLACES,
    "background",
    "orange_hue",
    "a",
    "or",
}


UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


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
    if part := FRACTION.search(normal := unicodedata.normalize("NFKC", prompt)):
        told = f'The model never learned what "{shown(part[0])}" would be of a fruit: it counts one or two.'
        raise Unread(told, _suggest(split(normal.replace(part[0], " "))))
    try:
        return Reading(prompt, _caption(words))
    except Fault as fault:
        raise Unread(fault.reason, _suggest(fault.mended)) from None


def printable(text: str) -> str:
    """Text in which whatever a screen would act on is escaped: control characters, lone surrogates."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shown(text: str) -> str:
    """Text as messages show it: printable, and 40 characters are enough."""
    return printable(text if len(text) <= SHOWN else text[:SHOWN] + "…")


# Words


def split(text: str) -> list[str]:
    """Normalise text and cut it into words; a comma is one of them. Emoji are fruits where no word is one."""
    for _ in range(2):  # normal forms of full-width and combined letters, and again what small letters make of them
        text = unicodedata.normalize("NFKC", text).casefold()
    text = "".join(c for c in text.replace("’", "'").replace("‘", "'") if unicodedata.category(c) != "Cf")
    text = "".join(f" {SIGNS[c]} " if c in SIGNS else c for c in text)
    text = re.sub(r"(\b(?:two|2)\b[^:,]*):", r"\1,", text)  # what follows are the two
    words = _cut(text)
    emoji = [fruit for sign, fruit in EMOJI.items() if sign in text]
    if emoji and not {SAME.get(w, w) for w in words} & ({*KINDS, "fruit"} - {"orange"} | {*emoji}):
        runs = re.sub(r"(.)\1+", lambda run: f"{len(run[0])} {run[1]}" if run[1] in EMOJI else run[0], text)
        words = _cut("".join(f" {EMOJI[c]} " if c in EMOJI else c for c in runs))
    return words or _cut("".join(f" {OTHER_EMOJI.get(c, '')} " for c in text))


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
    _check_likeness(words)
    words = _known(words)
    _check_choice(words)
    words, behind = part_background(words)
    try:
        things, joint = arrange(words)
    except Fault as fault:
        raise Fault(fault.reason, [*fault.mended, *(("on", behind, "background") if behind else ())]) from None
    return say(things, joint, behind)


def _suggest(words: Iterable[str]) -> str | None:
    """What mended words read as; where they are faulty too, those are mended in their turn."""
    for _ in range(MAX_TYPED):
        try:
            caption = _caption(list(words))
        except Fault as fault:
            if not (words := fault.mended):
                return None
        else:
            return None if caption == "a fruit" else caption
    return None


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
            described = (
                after and SAME.get(after[0], after[0]) in (*COLOURS, *SIZE_WORDS) and after[0] not in ("a", "an")
            )
            mended = [*words[:place], *after[1:]] if described and len(after) > 1 else words[:place]
            told = word.replace("_", " ")
            raise Fault(f'The model never learned "{told}": it draws what is said, and leaves nothing out.', mended)


def _check_choice(words: Sequence[str]) -> None:
    if "or" in words:
        place = words.index("or")
        before, after = words[:place], words[place + 1 :]
        kinds = [w for w in after if w in NAMED]
        mended = before if any(w in NAMED for w in before) else [*before, *kinds[:1]]
        raise Fault('"Or" leaves the choice to the model, which makes none. Say the one that you want.', mended)


def _check_likeness(words: Sequence[str]) -> None:
    for place, word in enumerate(words):
        if word in LIKE and any(SAME.get(w, w) in NAMED for w in words[:place]):
            raise Fault(
                f'The model never learned to compare: leave out what follows "{word.replace("_", " ")}".', words[:place]
            )


# Words that are not ours


def _check_language(words: Sequence[str]) -> None:
    strange = [word for word in words if not _ours(word) and word not in MEANING and word not in OTHER_FRUIT]
    if not strange:
        return
    best, translated, hits = "", [], 0
    for language in LANGUAGES:
        english, found = _translate(words, language, _dictionary(language))
        if found > hits:
            best, translated, hits = language, english, found
    if not best and len(words) > 1:  # on a keyboard without its marks, where many words look like English ones
        best, table = "Vietnamese", _dictionary("Vietnamese", marks=False)
        translated, hits = _translate([_unmarked(word) for word in words], best, table)
        best = best if hits and all(_unmarked(word) in " ".join(table).split() for word in strange) else ""
    if best:
        told = shown(" ".join(word for word in strange if word not in NOT))
        raise Fault(f'"{told}" is {best}, and the model learned English.', translated)
    foreign = [word for word in strange if any(word in _dictionary(language) for language in LANGUAGES)]
    if foreign and (nowhere := [word for word in strange if word not in foreign]):  # an article, and what it stands by
        raise Fault(f'The model never learned the word "{shown(nowhere[0])}".')


@cache
def _dictionary(language: str, marks: bool = True) -> dict[str, str]:
    table = {phrase: own for own, phrases in LANGUAGES[language].items() for phrase in phrases.split(",")}
    normal = {" ".join(_cut(unicodedata.normalize("NFKC", phrase))): own for phrase, own in table.items()}
    if language != "Vietnamese":  # there a mark makes another word
        for phrase, own in list(normal.items()):
            for plain in (_unmarked(phrase), phrase.translate(UMLAUTS)):
                if not _ours(plain):
                    normal.setdefault(plain, own)
    if not marks:
        normal = {_unmarked(phrase): own for phrase, own in reversed(normal.items())}  # of two alike the first counts
    return dict(sorted(normal.items(), key=lambda item: -len(item[0])))


def _unmarked(text: str) -> str:
    letters = unicodedata.normalize("NFD", text.replace("đ", "d"))
    return "".join(c for c in letters if not unicodedata.combining(c))


def _translate(words: Sequence[str], language: str, table: dict[str, str]) -> tuple[list[str], int]:
    """Words in English as far as this language's table goes, and how many of those not ours it turned into ours."""
    english, found, place = [], 0, 0
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
    return english, found if kinds and any(
        not _ours(word) and word in table for word in [*words, *_pairs(words)]
    ) else 0


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
        described = [SAME.get(w, w) in NAMED for w in after if SAME.get(w, w) not in SIZE_WORDS][:1] == [True]
        if colour and (word not in THINGS_TOO or described or before[-1:] in (["in"], ["is"])):
            if after[:1] and SAME.get(after[0], after[0]) == "background":
                colour = MEANING_BEHIND.get(word, colour)
            raise Fault(f"{never} The nearest colour that it knows is {colour}.", [*before, colour, *after])
        if word in OTHER_FRUIT or word in THINGS_TOO:
            coloured = any(SAME.get(w, w) in COLOURS for w in before[-1:])
            rest = [*before, "fruit", *after] if coloured and not fruit_named else [*before, *after]
            raise Fault(f"{never} It knows eight fruits, and this is none of them.", rest)
        if glued := [place for place in range(3, len(word) - 2) if _ours(word[:place]) and _ours(word[place:])]:
            raise Fault(never, [*before, word[: glued[0]], word[glued[0] :], *after])
        if near := _near(word):
            raise Fault(never, [*before, near, *after])
        if not described:  # a leaf of the fruit, and what was said of it
            joint = max((i for i, w in enumerate(before) if SAME.get(w, w) in ("and", ",")), default=len(before))
            kept = any(SAME.get(w, w) in (*NAMED, "background") for w in before[joint:])
            before = before if kept else before[:joint]
        rest = [*before, *after] if fruit_named else []
        raise Fault(never, rest)
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
