"""Prompts for the two readers, the library's and the page's: absurd ones, and thousands made of what they know."""

import random
import sys
import unicodedata
from itertools import product

from course_lib.fruit import reader_words as words
from course_lib.fruit.words import COLOURS, KINDS, NAMES, SCENE_BACKGROUNDS, SIZES, VOCABULARY

ABSURD = [
    *("", " ", "\n", "\t\x1f\x85", "banana\n", "a\u2028red\u3000apple", "\0", "banana\x07", "\x1b[31mbanana"),
    *("\ufeffapple", "\ud800", "banana \udfff", "\ufffe", "a \ufdd0 lemon", "\ue000 pear", "\U0001fffe", "a\u200d"),
    *("a" * 400, "a" * 401, "a " * 41, "a " * 40 + "banana", "é" * 50, "👩\u200d🍳" * 30, "🍌" * 60, "𝔟" * 41),
    *("constructor", "__proto__", "toString", "a hasOwnProperty apple", "valueOf banana", "undefined", "null", "NaN"),
    *("<b>banana</b>", "<script>alert(1)</script>", "<img src=x onerror=alert('a red apple')>", "&lt;pear&gt;"),
    *("$1", "$& banana", "$$ pear", "\\1 lemon", "KIND", "a KIND of apple", "(apple", "[pear]", "banana|lemon", ".*"),
    *("0 bananas", "00 lemons", "2 pears", "02 pears", "٢ apples", "２ lemons", "१ banana", "9" * 300, "٣/٤ pear"),
    *("x2 pears", "12 pear", "2x grapes", "-1 apple", "−3 pears", "1/2 apple", "½ apple", "1.5 lemons", "50% banana"),
    *("£3 lemon", "$5 pear", "3:2 apples", "²", "a² apple", "Ⅱ pears", "② lemons", "1 000 apples", "1e3 bananas"),
    *("🍌", "🍌🍌", "🍏🍐", "🔴🍌", "🍎 and 🍌", "🍊🍊", "🚫🍌", "🥭", "🍌🍌🍌", "🟢 banana", "🍎\ufe0f", "❤️ apple"),
    *("🟣🍇🍇", "😀", "🎉🎉", "apple's", "''", "'", "l'orange", "d'orange", "isn't", "it isn't red", "'t"),
    *("’apple‘", "o'clock apple", "rock'n't", "STRASSE", "ﬁg", "ＲＥＤ ＡＰＰＬＥ", "ΑΣ", "aſ lemon", "İstanbul pear"),
    *("ıapple", "Ꭰ apple", "ꭰ", "ǅ", "ŉ", "ΐ", "cafe\u0301", "lemon, green backdrop", "a pear on blue", "d'un pear"),
    *("red apple green banana large", "a red apple a green banana small", "a grey and cream pear", "a black white fig"),
    *("two bananas: one green, one yellow", "two: apple, pear", "2 lemons: red, blue", "𝟚 pears: a red one, blue one"),
    *("a red apple on a green background", "a banana on a blue background, small", "two red apples on cream", "xx"),
    *("a pinkon apple", "applein", "or a red apple", "a red or banana", "red or or pear"),
]  # fmt: skip
# For what reads captions, and is stricter.
CAPTIONS = [
    *("!?", "banana " * 13, "a" * 481, "bananna", "gren banana", "a\x1fred\x85apple", "A RED, APPLE!", "ẞ", "zzz"),
    *("a banana " + "x" * 60, "appel orang", "b\x00b", "pea\u0301r", "on", "a green", "green green banana", "İ", "ar"),
    *("a red apple that is green", "banana green", "fruit", "an orange orange", "orange", "bac", "ground", "lime"),
    *("a red apple and a green banana", "wite", "larg", "smal", "straw", "berry", "water", "melon", "thatis", "backed"),
    *(a[: len(a) // 2 + 1] + b[len(b) // 2 :] for a, b in product(VOCABULARY[1:], repeat=2)),
]  # fmt: skip

JOINTS = [
    f" {word} " for word in ("and", "with", "or", "&", "beside", "next to", "above", "in", "on a", "a", "as", "no")
]
JOINTS += [", ", "; ", ": ", " ", " to the left of ", " to the right of "]
PHRASES = "pair of,in front of,next to,on the left,to the right of,side by side,on the left of it,in the color of,"
PHRASES += "as well as,back ground,in colour,what but,instead of,two different fruits,the size of a,orange coloured"
OURS = [
    *KINDS,
    *COLOURS,
    *filter(None, SIZES),
    *SCENE_BACKGROUNDS,
    *sorted(words.SAME),
    "fruit",
    "background",
    "a",
    "or",
]
TABLES = [words.SILENT, words.ARTICLES, words.NOT, words.LIKE, words.COUNTS, words.PLACES, words.MEANING, "12x,;:&+"]
TABLES += [words.THINGS_TOO, words.OTHER_FRUIT, words.NO_MISSPELLING, words.EMOJI, words.SIGNS, words.OTHER_EMOJI]
TABLES = [OURS, OURS, OURS, PHRASES.split(","), *(sorted(table) for table in TABLES)]
SAID = [[phrase for said in table.values() for phrase in said.split(",")] for table in words.LANGUAGES.values()]
ALL = [*map(chr, range(sys.maxunicode + 1))]
OLD = [c for c in ALL if unicodedata.ucd_3_2_0.category(c) not in ("Cn", "Cs", "Co")]  # which every Unicode knows
FOLDED = [c for c in ALL if c.casefold() != c.lower() and unicodedata.ucd_3_2_0.category(c) != "Cn"]


def generated(known: list[str], count: int = 1_500, seed: int = 26) -> list[str]:
    """Prompts in and out of the grammar, misspelt, in other languages, varied from known ones, and in no sense."""
    rng = random.Random(seed)
    pick, chance = rng.choice, rng.random

    def thing() -> str:
        kind = pick([*KINDS, "fruit", *(name.plural for name in NAMES.values())])
        colour, size = pick(["", *COLOURS]), pick(["", "small", "large", "huge"])
        said = [f"{size} {colour} {kind}", f"{kind} that is {colour}", f"{kind} {colour}", f"{colour} {size} {kind}"]
        return f"{pick(['a', 'an', 'the', 'two', 'one', '', ''])} {pick(said)}"

    def grammar() -> str:
        hue = pick([*SCENE_BACKGROUNDS, *COLOURS])
        behind = [f" on a {hue} background", f" on {hue}", f", {hue} background", f" in front of a {hue} backdrop"]
        return pick(JOINTS).join(thing() for _ in range(pick([1, 1, 2, 2, 2, 3]))) + pick(["", "", "", *behind])

    def salad() -> str:
        return "".join(pick(pick(TABLES)) + pick([" ", " ", " ", ", ", "-"]) for _ in range(rng.randint(1, 9)))

    def misspelt() -> str:
        text = [*pick([grammar, salad, lambda: pick(known)])()]
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(text) + 1)
            changed = ["", pick("abcdeghlnoprstuy"), pick("' -,x2"), *text[place : place + 1]]
            text[place : place + pick([0, 1, 2])] = pick(changed)
        return "".join(text)

    def foreign() -> str:
        here = pick(SAID)
        said = " ".join(pick(pick(SAID)) if chance() < 0.05 else pick(here) for _ in range(rng.randint(1, 6)))
        plain = "".join(c for c in unicodedata.normalize("NFD", said) if not unicodedata.combining(c))
        return pick([said, said, plain, said.replace(" ", ""), f"{said} {pick(OURS)}"])

    def strange() -> str:
        mixed = "".join(pick(OLD) if chance() < 0.3 else c for c in pick(known))
        return pick([mixed, "".join(pick(OLD) for _ in range(rng.randint(1, 12)))])

    def varied() -> str:
        first, second = pick(known), pick(known)
        wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in first)
        turned = " ".join(reversed(first.split()))
        return pick(
            [first.upper(), wide, turned, f"{first} and {second}", f"{first}, {second}", first.replace(" ", "  ")]
        )

    makers = [grammar, grammar, salad, misspelt, misspelt, foreign, strange, varied]
    folded = [f"{''.join(FOLDED[i : i + 9])} apple" for i in range(0, len(FOLDED), 9)]
    return [pick(makers)() for _ in range(count)] + folded + colours() + sides()


def colours() -> list[str]:
    """Two fruits and what is said of them in every order of a few words: to which a colour or a size belongs."""
    described = product(("apple", "orange", "grapes"), ("red", "orange"), ("", "small"), ("a", ""), ("", "and", ","))
    return [f"{a} {kind} {joint} {hue} pear {size}" for kind, hue, size, a, joint in described]


def sides() -> list[str]:
    """Two fruits and where they stand, one of them misspelt: what is offered tells how the places were understood."""
    ends = ("", " on the left", " on the right", " side by side", " next to it")
    joints = (" and", ",", " beside", " to the right of", " and on the left", ", on the right")
    return [f"an aple{a}{joint} a red pear{b}" for a, joint, b in product(ends, joints, ends)]
