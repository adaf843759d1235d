"""How people keep captions beside their pictures: which of these ways a folder has, and what it says in that way.

    captions.csv                    file,caption; or under other usual heads, or under none
    metadata.csv, metadata.jsonl    file_name and text, the imagefolder of Hugging Face; also in a folder `train`
    captions.json                   {file: caption or captions}, or a list of {"file": ..., "caption": ...}
    captions.txt                    file, then a tab, a comma or several spaces, then caption
    a.txt beside a.png              its caption; several lines are several captions
    red apple/0.png                 the names of the folders, below `train` if there is one
    red_apple_03.png                the names of the files, where there is nothing else and most are more than a number

One way alone is taken, the first of these; which others are there is told. As everywhere in this room, only regular
files are opened, never pipes or devices, and no link to a file outside the folder is followed.
"""

import json
import os
import posixpath
import re
from pathlib import Path
from typing import NamedTuple

from course_lib.own.table import (
    CAPTION_FILES,
    Fault,
    Names,
    find_columns,
    is_named_picture,
    read_captions,
    shorten,
    text_of,
)

TRAIN = "train/"  # where the imagefolder has what is learned from; it is no caption
HELD_OUT = ("test/", "val/", "valid/", "validation/", "dev/", "eval/")  # beside it, what is not learned from
METADATA = ("metadata.csv", "metadata.jsonl")
TABLES = ("captions.csv", *METADATA, *(TRAIN + name for name in METADATA), "captions.json", "captions.txt")
TEXTS, FOLDERS, FILES = "the text files beside the pictures", "the names of the folders", "the names of the files"
LONGEST_TEXT = 100_000  # bytes of a text file beside a picture
CAMERA = {  # what cameras, telephones and programs begin names with
    *("img", "image", "imag", "imgp", "dsc", "dscn", "dscf", "dcim", "pict", "pic", "photo", "picture", "pxl", "mvimg"),
    *("gopr", "dji", "vid", "wa", "whatsapp", "screenshot", "screen", "shot", "scan", "frame", "untitled", "unnamed"),
    *("download", "copy", "at", "am", "pm", "burst", "pano", "edited"),
}
BETWEEN = re.compile(r"\s*[\t,]\s*|\s{2,}")  # a file and its caption
BARE = {  # what to do about a picture without a caption, in each way
    "bare": "Add a line for it to {table}, or take it out.",
    "bare text": "Write one in {stem}.txt beside it, or take it out.",
    "bare folder": "It lies in no folder that is named for what it shows. Put it in one, or take it out.",
    "bare name": "Its name does not say what it shows. Give it one, such as red_apple_03, or take it out.",
}


class Entry(NamedTuple):
    """A picture and what is said of it."""

    where: str  # it is said, such as "line 3"; "" if the picture's own name says it
    name: str  # as `Names` has it, if the picture is there
    captions: list[str]  # one or more


class Layout(NamedTuple):
    """What a folder says in one of the ways."""

    way: str  # by which the captions were found, such as "captions.csv"
    entries: list[Entry]
    faults: list[Fault]  # what else is wrong
    notes: list[str]  # what is odd
    bare: str = "bare"  # which of `BARE`
    aside: frozenset[str] = frozenset()  # pictures that need no caption, since they are not meant to be learned from

    @property
    def table(self) -> str:
        """The name of the captions file, "" if there is none."""
        return self.way if self.way in TABLES else ""

    def without_caption(self, name: str) -> Fault:
        """The fault of a picture that no entry is meant for."""
        todo = BARE[self.bare].format(table=self.table, stem=shorten(os.path.splitext(name)[0]))
        return Fault(self.bare, "", f"{shorten(name)} has no caption. {todo}", shorten(name))


def read_layout(names: Names) -> Layout:
    """The captions of a folder, in the first way that it has. Raises FileNotFoundError if it has none."""
    tables = [name for name in TABLES if (names.root / name).is_file()]
    if not tables:
        _refuse_misnamed(names.root, any_table=False)
    texts, folders = _texts(names), _folders(names)
    if tables:
        found = _table(names, tables[0])
    elif texts:
        found = _beside(names, texts)
    elif folders.entries:
        found = folders
    else:
        _refuse_misnamed(names.root, any_table=True)
        found = _files(names)
    several = len({entry.captions[0] for entry in folders.entries}) > 1  # one folder alone is only where they lie
    there = [*tables, *[TEXTS] * bool(texts), *[FOLDERS] * several]
    if aside := [way for way in there if way != found.way]:
        found.notes.append(f"Left aside, since captions come from {found.way} first: {', '.join(aside)}.")
    return found


def _refuse_misnamed(root: Path, any_table: bool) -> None:
    """Raise FileNotFoundError, which says what to do, if a file looks like a captions file but has another name."""
    for name in sorted(path.name for path in root.iterdir() if path.is_file() and not path.name.startswith(".")):
        stem, _, ending = name.casefold().partition(".")
        wanted = "metadata.csv" if stem == "metadata" else "captions.csv"
        meant = stem in ("captions", "caption", "metadata") and not is_named_picture(name)
        if meant or (any_table and ending == "csv"):
            todo = f"Rename it to {wanted}, in small letters and with no other ending."
            if ending in ("xlsx", "xls", "ods", "numbers"):
                todo = f'Open it in its spreadsheet and save it as "CSV UTF-8" with the name {wanted}.'
            elif ending not in ("csv", "csv.txt", "txt", "tsv", ""):
                todo = f"Write a text file {wanted} instead, with the first line {','.join(CAPTION_FILES[wanted])}."
            raise FileNotFoundError(f"The folder {root.name} has {shorten(name)} but no {wanted}. {todo}")


def _table(names: Names, table: str) -> Layout:
    """What one of `TABLES` says."""
    path, below = names.root / table, TRAIN if table.startswith(TRAIN) else ""
    if not path.resolve().is_relative_to(names.real):
        said = f"{table} is a link that leads out of the folder. Put the file itself inside."
        return Layout(table, [], [Fault("", "", said, "")], [])
    if path.name in CAPTION_FILES:
        lines, faults, notes = read_captions(path)
        found = [Entry(f"line {line}", name, [caption]) for line, name, caption in lines] + faults
    else:
        read = {".jsonl": _lines_of_json, ".json": _json, ".txt": _lines}[path.suffix]
        text, notes = text_of(path), []
        found = [Fault("", "", f"{table} is no UTF-8 text. Save it as UTF-8.", "")] if text is None else read(text)

    def inside(name: str) -> str:
        """A name as it is looked up, told from the table's own folder on or, which is forgiven, from the whole one."""
        looked = names.within(posixpath.join(below, name.replace("\\", "/")) if name else "")
        return looked if looked in names.files or not below else names.within(name)

    faults = [one for one in found if isinstance(one, Fault)]
    entries = [one._replace(name=inside(one.name)) for one in found if isinstance(one, Entry)]
    names.captioned |= {inside(fault.about) for fault in faults} & names.files.keys()
    aside = frozenset(name for name in names.pictures if not name.startswith(below))
    return Layout(table, entries, faults, notes, aside=aside)


class _Pairs(list):
    """An object of JSON as its (name, value) pairs: of two with one name, a dict would lose the first."""


def _parsed(text: str, where: str) -> object:
    """What JSON says, or a fault."""
    try:
        return json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        where = where or f"line {getattr(error, 'lineno', 1)}"
        return Fault("json", where, f"this is no JSON: {shorten(getattr(error, 'msg', str(error)))}.", "")


def _lines_of_json(text: str) -> list[Entry | Fault]:
    """An object in each line."""
    lines = [(f"line {i}", line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
    found = [(where, _parsed(line, where)) for where, line in lines]
    return [one if isinstance(one, Fault) else _record(one, where) for where, one in found]


def _json(text: str) -> list[Entry | Fault]:
    """A mapping of files to captions, or a list of objects."""
    found = _parsed(text, "")
    if isinstance(found, Fault):
        return [found]
    if isinstance(found, _Pairs):
        return [_entry(f"entry {i}", *pair) for i, pair in enumerate(found, 1)]
    if isinstance(found, list):
        return [_record(one, f"entry {i}") for i, one in enumerate(found, 1)]
    return [Fault("", "", 'captions.json must hold a mapping such as {"cat.png": "a black cat"}, or a list.', "")]


def _record(one: object, where: str) -> Entry | Fault:
    """What an object of JSON says of a picture."""
    pairs = one if isinstance(one, _Pairs) else []
    columns = find_columns([name for name, _ in pairs])
    return _entry(where, *(None if column is None else pairs[column][1] for column in columns))


def _entry(where: str, name: object, captions: object) -> Entry | Fault:
    """A picture and its captions, if they are what they should be."""
    captions = [captions] if isinstance(captions, str) else captions
    if _is_text(name) and isinstance(captions, list) and captions and all(map(_is_text, captions)):
        return Entry(where, name.strip(), captions)
    about = shorten(name) if _is_text(name) else ""
    return Fault("record", where, 'a picture needs "file" and "caption", both texts.', about)


def _is_text(value: object) -> bool:
    """Whether it is text that a file could hold: JSON can also write halves of letters, and what ends a name."""
    return isinstance(value, str) and "\0" not in value and value == value.encode(errors="replace").decode()


def _lines(text: str) -> list[Entry | Fault]:
    """A file and its caption in each line; the first may be a head."""
    found = []
    for number, line in enumerate(map(str.strip, text.split("\n")), 1):
        name, *caption = BETWEEN.split(line, maxsplit=1)
        first, *rest = line.split(maxsplit=1) or [""]
        if not is_named_picture(name) and is_named_picture(first):  # one space alone, and perhaps a comma later
            name, caption = first, rest
        if line and (found or find_columns([name, *caption]) != [0, 1]):
            found.append(Entry(f"line {number}", name, caption or [""]))
    return found


def _texts(names: Names) -> dict[str, str]:
    """The pictures that have a text file beside them, and the names of these."""
    parts = {name: os.path.splitext(name) for name in names.files}
    texts = {stem: name for name, (stem, ending) in parts.items() if ending.casefold() == ".txt"}
    beside = {name: texts.get(parts[name][0], name) for name in names.pictures}
    return {name: text for name, text in beside.items() if text != name}


def _beside(names: Names, texts: dict[str, str]) -> Layout:
    """What the text files beside the pictures say: a caption in each line."""
    entries, faults = [], []
    for name, text in texts.items():
        said, why, shown = None, "is no UTF-8 text, or too long for captions", shorten(text)
        try:
            if names.leads_out(names.files[text]):
                why = "is a link that leads out of the folder"
            else:
                said = text_of(names.files[text], LONGEST_TEXT)
        except OSError as error:
            why = f"cannot be read ({error.strerror})"
        if said is None:
            faults.append(Fault("text", "", f"{shown} {why}. Write the caption there, as UTF-8.", shown))
            names.captioned.add(name)
        else:
            lines = [line.strip() for line in said.split("\n") if line.strip()]
            entries.append(Entry(shown, name, lines or [""]))
    return Layout(TEXTS, entries, faults, [], "bare text")


def _folders(names: Names) -> Layout:
    """What the names of the folders say. A folder `train` is none of them if others lie in it, or all pictures."""
    inside = [name.removeprefix(TRAIN) for name in names.pictures if name.startswith(TRAIN)]
    is_split = any("/" in name for name in inside) or len(inside) == len(names.pictures)
    aside = frozenset(name for name in names.pictures if is_split and name.startswith(HELD_OUT))
    entries = []
    for name in (name for name in names.pictures if name not in aside):
        if folder := posixpath.dirname(name.removeprefix(TRAIN) if is_split else name):
            caption = re.sub(r"[/_\-\s]+", " ", folder).strip()
            entries.append(Entry(f"folder {shorten(folder)}", name, [caption]))
    return Layout(FOLDERS, entries, [], [], "bare folder", aside)


def _files(names: Names) -> Layout:
    """What the names of the files say. Raises FileNotFoundError where most say nothing."""
    said = {name: _words(os.path.splitext(posixpath.basename(name))[0]) for name in names.pictures}
    if 2 * sum(map(bool, said.values())) <= len(said):
        raise FileNotFoundError(
            f"The folder {names.root.name} has no captions.csv. Write one: the first line is file,caption "
            "and each line after it names a picture and says what it shows, such as cat_1.jpg,a black cat"
        )
    entries = [Entry("", name, [caption]) for name, caption in said.items() if caption]
    return Layout(FILES, entries, [], [], "bare name")


def _words(stem: str) -> str:
    """The words in the name of a file: "red_apple_03" says "red apple"; "IMG_0042" and "a3f9c2" say nothing."""
    parts = [part.rstrip("0123456789") for part in re.split(r"[\s_\-.,()\[\]+]+", stem)]
    words = [part for part in parts if part and not any(letter.isdigit() for letter in part)]
    while words and words[0].casefold() in CAMERA:
        del words[0]
    return " ".join(words) if any(len(word) > 1 and word.casefold() not in CAMERA for word in words) else ""
