"""The captions file of a folder, and its names looked up among the files there: what is wrong with them is told."""

import csv
import difflib
import io
import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from course_lib.own.opening import ENDINGS, is_picture

END = "\0"  # a line of its own after the last one: where it is part of a cell, a quote was never closed
GOING_ON = (
    "and",
    "or",
    "with",
    "without",
    "in",
    "on",
    "at",
    "by",
    "of",
    "from",
    "to",
    "under",
    "over",
    "near",
    "behind",
)
CAPTION_FILES = {"captions.csv": ("file", "caption"), "metadata.csv": ("file_name", "text")}  # name: its two columns
HEADS = (  # what people and programs call these two
    ("file", "file_name", "filename", "image", "image_name", "path"),
    ("caption", "text", "description", "prompt"),
)


class Fault(NamedTuple):
    """Something to mend."""

    kind: str  # faults of one kind are told together; "" for one that stands alone
    where: str  # such as "line 3", "" if it is no line
    said: str  # a sentence about it
    about: str  # what it is about, as an example among many


def shorten(text: str) -> str:
    """A piece of somebody's file, as it may stand in a message."""
    return text if len(text) <= 80 else text[:80] + "…"


def folder_path(path: str | Path) -> Path:
    """Where a folder lies, from the root on. Raises TypeError if its name is none, ValueError if it is empty."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be the name of a folder, such as 'my_pictures', not {type(path).__name__}.")
    if not str(path):
        raise ValueError("path is empty. Name the folder, such as 'my_pictures', or '.' for the one you are in.")
    return Path(os.path.abspath(os.path.expanduser(path)))


def text_of(path: Path, most: int = -1) -> str | None:
    """A text file, or None if it is no UTF-8 text or has more than `most` bytes. Raises OSError if it is unreadable."""
    with path.open("rb") as file:
        content = file.read(most + 1 if most >= 0 else -1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if "\0" in text or 0 <= most < len(content):  # the first as in UTF-16
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def find_columns(head: Sequence[str], wanted: Sequence[str] = ("", "")) -> list[int | None]:
    """In which columns of a head the files and the captions stand, those `wanted` before others; None: in none."""
    names = [name.strip().casefold().replace(" ", "_") for name in head]
    both = [(first, *heads) for first, heads in zip(wanted, HEADS, strict=True)]
    return [next((names.index(name) for name in heads if name and name in names), None) for heads in both]


def read_captions(path: Path) -> tuple[list[tuple[int, str, str]], list[Fault], list[str]]:
    """The captions file as (line, file name, caption), what is wrong with it, and what is odd."""
    wanted = CAPTION_FILES[path.name]
    if (text := text_of(path)) is None:
        said = f'{path.name} is no UTF-8 text. Save it as "CSV UTF-8" in a spreadsheet, as UTF-8 in a text editor.'
        return [], [Fault("", "", said, "")], []
    between = max(",;\t", key=text.split("\n", 1)[0].count)  # not every spreadsheet writes commas
    rows, unread = _rows(text, between)
    if unread and not rows:
        return [], unread, []
    _, _, head = rows[0]
    columns = [name.strip().casefold() for name in head]
    file_at, caption_at = find_columns(head, wanted)
    headed = file_at is not None and caption_at is not None
    if headed:
        named = max(i for i, name in enumerate(columns) if name) + 1
        del rows[0]
    elif pictures := [i for i, cell in enumerate(head[:2]) if is_named_picture(cell)]:  # no head, but a picture at once
        file_at, caption_at, named = pictures[0], 1 - pictures[0], 2
    else:
        found = ", ".join(columns) or "nothing"
        said = f"{path.name} must begin with the line {','.join(wanted)} but begins with {found:.80}."
        return [], [Fault("", "", said, "")], []
    lines, faults, beyond = [], [], []
    for first, last, cells in rows:
        where = f"line {last}"
        if opened := _open_quote(cells, first, between):
            faults.append(_unclosed(opened))
            continue
        if any(cell.strip() for cell in cells[named:]):
            many = "more columns than in the first line" if headed else "more than two columns"
            said = f'{many}. A comma in a caption needs "quotes".'
            faults.append(Fault("columns", where, said, next(filter(is_named_picture, cells), "").strip()))
            continue
        beyond.append((where, cells[caption_at + 1] if caption_at + 1 < min(named, len(cells)) else None))
        cells += [""] * (named - len(cells))
        name, caption = cells[file_at].strip(), cells[caption_at].strip()
        later = next(filter(is_named_picture, cells[file_at + 1 :]), "").strip()
        if caption_at < file_at and later and not is_named_picture(name) and not os.path.exists(path.parent / name):
            said = f"there is no file {shorten(name)}, but {shorten(later)} in another column."
            faults.append(Fault("comma", where, f'{said} A comma in a caption needs "quotes".', later))
            continue
        lines.append((last, name, caption))
    cut = _cut(beyond, "".join(head[caption_at + 1 : caption_at + 2]))
    those = "1 caption" if len(cut) == 1 else f"{len(cut)} captions"
    notes = [f'{those} may be cut at a comma, in {", ".join(cut[:3])}: a comma needs "quotes".'] if cut else []
    return lines, faults + unread, notes


def _rows(text: str, between: str) -> tuple[list[tuple[int, int, list[str]]], list[Fault]]:
    """The rows that are not blank, each with its first and last line, and what is wrong if they cannot be read on."""
    lines = chain(io.StringIO(text if text.endswith("\n") else text + "\n", newline=""), [END])
    spaced = between + ' "' in text  # else the quotes after a space would be letters
    reader = csv.reader(lines, delimiter=between, skipinitialspace=spaced)
    rows, line = [], 1
    try:
        for cells in reader:
            if not rows and (opened := _open_quote(cells, line, between)):
                return [], [_unclosed(opened)]
            if not rows or (cells != [END] and any(cell.strip() for cell in cells)):
                rows.append((line, reader.line_num, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        return rows, [Fault("quote", f"line {line}", f"{error}. Is a quote opened there and never closed?", "")]
    return rows, []


def is_named_picture(cell: str) -> bool:
    """Whether it is the name of a picture file."""
    return os.path.splitext(cell.strip().strip('"'))[1].casefold() in ENDINGS


def _open_quote(cells: Sequence[str], line: int, between: str) -> int | None:
    """In which line a row that begins in `line` opens a quote that is closed too late, after another picture, or never.

    A caption of several lines is fine, but it names no picture.
    """
    for cell in cells:
        rows = io.StringIO(cell, newline="").readlines()
        if len(rows) > 1 and (rows[-1].endswith(END) or any(map(is_named_picture, between.join(rows).split(between)))):
            return line
        line += max(0, len(rows) - 1)
    return None


def _unclosed(line: int) -> Fault:
    return Fault("quote", f"line {line}", "a quote is never closed. Write one at the end of the caption.", "")


def _cut(beyond: Sequence[tuple[str, str | None]], head: str) -> list[str]:
    """Where a caption may go on in the column after it, of which these are the lines, the cells and the head.

    So it is if a space follows the comma there but not in the head, if the cell begins as no note does, or if most
    lines end before it.
    """
    few = 2 * sum(cell is not None for _, cell in beyond) < len(beyond)
    return [
        where
        for where, cell in beyond
        if cell and cell.strip() and (few or cell[0] == " " != head[:1] or cell.split()[0].casefold() in GOING_ON)
    ]


def listing(root: Path) -> dict[str, Path]:
    """All files below a folder by their names in it, hidden ones left out. A name is only ever looked up here.

    A linked folder is opened, but not those that are linked in it: links may run in circles.
    """
    found = {}
    for here, folders, files in os.walk(root, followlinks=True):
        inside = Path(here).relative_to(root)
        linked = Path(here).resolve() != root.resolve() / inside
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not (linked and Path(here, name).is_symlink())
        )
        found |= {(inside / name).as_posix(): Path(here, name) for name in sorted(files) if not name.startswith(".")}
    return {_composed(name): path for name, path in found.items() if path.is_file()}


def _composed(name: str) -> str:
    """A name whose accents are parts of their letters, as not all file systems keep them."""
    return unicodedata.normalize("NFC", name)


def _bare(name: str) -> str:
    """A name without the ending of a picture, in small letters."""
    stem, ending = os.path.splitext(name.casefold())
    return stem if ending in ENDINGS else name.casefold()


class Names:
    """The names of a captions file, looked up among the files of its folder."""

    def __init__(self, root: Path):
        self.root, self.real, self.files = root, Path(os.path.realpath(root)), listing(root)
        self.told: dict[str, str] = {}  # each name and the line that has it
        self.captioned: set[str] = set()  # names of files that some line is meant for
        self.alike: dict[str, list[str]] = defaultdict(list)  # names of files that differ in capitals and ending only
        for name in self.files:
            self.alike[_bare(name)].append(name)

    def within(self, name: str) -> str:
        """A name as it is looked up: from the folder on, with slashes."""
        name = posixpath.normpath(name.replace("\\", "/")) if name else ""
        if name.startswith("../") or os.path.isabs(name):
            name = self._back_inside(name)
        return _composed(name)

    def _back_inside(self, name: str) -> str:
        """A name that leads out of the folder and back again, or begins above it, without its way there."""
        for root in (self.root, self.real):  # a folder and what is linked to it may have different parents
            path = Path(os.path.normpath(root / name))
            for above in path.parents:
                if _composed(os.path.realpath(above)) == _composed(str(self.real)):
                    return path.relative_to(above).as_posix()
        return name

    @cached_property
    def pictures(self) -> list[str]:
        """The names of all pictures. A link that leads out of the folder is one by its name alone: it is not opened."""
        return [
            name
            for name, path in self.files.items()
            if (is_named_picture(name) if self.leads_out(path) else is_picture(path))
        ]

    def leads_out(self, path: Path) -> bool:
        """Whether a file is a link to one outside the folder."""
        return path.is_symlink() and not path.resolve().is_relative_to(self.real)

    def fault(self, name: str, where: str, suggest: bool) -> Fault | None:
        """What is wrong with a name of `within`; `suggest` what may be meant, which is slow in a large folder."""
        before, shown = self.told.setdefault(name, where), shorten(name)
        if not name:
            return Fault("unnamed", where, "no file is named.", "")
        if before != where:
            return Fault("twice", where, f"{shown} has a caption already, in {before}. Keep one of the two.", shown)
        if name in self.files:
            self.captioned.add(name)
            if self.leads_out(self.files[name]):
                said = f"{shown} is a link that leads out of the folder. Put the picture itself inside."
                return Fault("outside", where, said, shown)
            return None
        if name.startswith(("/", "../")) or name == ".." or name[1:2] == ":":
            return Fault("outside", where, f"{shown} leads out of the folder. Put the picture inside.", shown)
        alike = self.alike.get(_bare(name), [])
        same = [other for other in alike if other.casefold() == name.casefold()]
        if len(alike) == 1 and name.casefold() == _bare(name):
            self.captioned.add(alike[0])
            said = f"{shown} lacks the ending of its file. Write {alike[0]}."
            return Fault("ending", where, said, f"{shown} for {alike[0]}")
        if len(same) == 1:
            self.captioned.add(same[0])
            said = f"{shown} and its file differ in capital letters. Write {same[0]}."
            return Fault("case", where, said, f"{shown} for {same[0]}")
        if said := self._no_picture(name):
            return Fault("unusable", where, f"{shown} {said}", shown)
        near = same or alike or (difflib.get_close_matches(name[:200], self.files, n=1) if suggest else [])
        hint = f" Did you mean {near[0]}?" if near else ""
        return Fault("missing", where, f"there is no file {shown}.{hint}", shown + (f" ({near[0]}?)" if near else ""))

    def _no_picture(self, name: str) -> str:
        """What lies under a name that is not listed."""
        path = self.root / name
        if os.path.isdir(path):
            return "is a folder, no picture. Name the pictures in it."
        if os.path.islink(path) and not os.path.exists(path):
            return "is a link that leads nowhere. Put the picture itself there."
        if os.path.isfile(path) and f"/{name}".count("/."):
            return "is hidden. Give it, and the folders it is in, names that begin with no dot."
        return ""

    def bare(self) -> list[str]:
        """The pictures that no line is meant for, under any of their names."""
        real = {self.files[name].resolve() for name in self.captioned}
        return [name for name in self.pictures if name not in self.told and self.files[name].resolve() not in real]

    def linked_outside(self, names: Sequence[str]) -> list[str]:
        """Those of some pictures whose files lie elsewhere, in folders that are linked."""
        return [name for name in names if not self.files[name].resolve().is_relative_to(self.real)]
