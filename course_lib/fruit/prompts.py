"""What is said about one fruit, and the grammar that reads it again."""

import re
from collections.abc import Sequence

from course_lib.captions import EXAMPLE, known_words
from course_lib.fruit.words import BACKGROUNDS, COLOURS, KINDS, NAMES, SIZES, VOCABULARY, article


def phrasings(kind: str, colour: str, size_word: str = "", background: str = "grey") -> list[str]:
    """Eight captions for one picture; size_word is "" where the size is not worth a word."""
    sized = f"{size_word} {colour} {kind}".strip()
    is_colour = f"that {'are' if NAMES[kind].many else 'is'} {colour}"
    where = f"on a {background} background"
    return [
        f"{colour} {kind}",
        article(f"{colour} {kind}"),
        f"{article(kind)} {is_colour}",
        article(sized),
        f"{article(f'{colour} {kind}')} {where}",
        f"{article(sized)} {where}",
        article(kind),
        f"{article(colour)} fruit",
    ]


def _one_of(name: str, words: Sequence[str]) -> str:
    return f"(?P<{name}>{'|'.join(words)})"


_GRAMMAR = re.compile(
    "(?:an? )?"
    f"(?:{_one_of('size_word', [*filter(None, SIZES)])} )?"
    f"(?:{_one_of('colour', COLOURS)} )?"
    f"{_one_of('kind', [*KINDS, 'fruit'])}"
    f"(?: that (?:is|are) {_one_of('colour_after', COLOURS)})?"
    f"(?: on an? {_one_of('background', BACKGROUNDS)} background)?"
)


def understand(caption: str) -> dict[str, str | None]:
    """Read kind, colour, size_word and background, each None where the caption leaves it open.

    Word order decides what "orange" is: alone, or last, it is the fruit; before a fruit it is the colour.
    Raises as `known_words`; ValueError also where all words are known, but say nothing the grammar knows.
    """
    text = " ".join(known_words(caption, VOCABULARY))
    match = _GRAMMAR.fullmatch(text)
    asked = match.groupdict() if match else {}
    if not match or (asked["colour"] and asked["colour_after"]):
        raise ValueError(
            f'"{text}" has known words, but not in an order the model learned. '
            f"Ask for one fruit, with its size, colour and background if you like: {EXAMPLE}."
        )
    return {
        "kind": None if asked["kind"] == "fruit" else asked["kind"],
        "colour": asked["colour"] or asked["colour_after"],
        "size_word": asked["size_word"],
        "background": asked["background"],
    }
