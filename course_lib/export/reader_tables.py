"""What the page reads prompts with: every table of the reader, and what Python knows of letters."""

import string
import sys

from course_lib import captions
from course_lib.fruit import reader, reader_things, reader_words, words

# Of each module, what goes out under its own name in small letters: a set as a sorted list, all else as it is.
TABLES = {
    captions: "EXAMPLE MAX_WORDS",
    words: "VOCABULARY KINDS COLOURS BACKGROUNDS SCENE_BACKGROUNDS",
    reader_words: "SILENT ARTICLES NOT LIKE COUNTS SAME PHRASES PLACES MEANING MEANING_BEHIND THINGS_TOO OTHER_FRUIT "
    "NO_MISSPELLING EMOJI SIGNS OTHER_EMOJI LANGUAGES",
    reader_things: "NAMED SIZE_WORDS JOINTS ENDS SAID",
    reader: "MAX_CHARACTERS MAX_TYPED SHOWN OWN",
}


def reader_tables() -> dict:
    """What `makeReader` of the page reads with, as JSON can hold it; the order of each table counts."""
    tables = {name.lower(): getattr(module, name) for module, names in TABLES.items() for name in names.split()}
    tables = {name: sorted(table) if isinstance(table, set | frozenset) else table for name, table in tables.items()}
    letters = [chr(code) for code in range(sys.maxunicode + 1)]
    return tables | {
        "plurals": {kind: name.plural for kind, name in words.NAMES.items()},
        "many": [kind for kind, name in words.NAMES.items() if name.many],
        "fraction": reader.FRACTION.pattern,
        "umlauts": {chr(code): plain for code, plain in reader.UMLAUTS.items()},
        "punctuation": string.punctuation,
        "spaces": "".join(c for c in letters if c.isspace()),
        "casefold": {c: c.casefold() for c in letters if c.casefold() != c.lower()},
    }
