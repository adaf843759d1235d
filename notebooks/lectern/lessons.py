"""The lessons as slides and handouts need them: cells by their id, with what they showed when they were last run.

    cell("06-016").figures[0].alt        what its picture shows, in words
    shown("02-n21/code")                 what a reference of a lecture points at

Nothing is run here: pictures and text are those that are saved in the notebooks.
"""

import base64
import json
import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
LIVE = Path("instructor", "live.ipynb")  # the lecture's live moments, below the folder of the lessons
SLIDE_TYPES = ("slide", "subslide", "fragment", "notes", "skip")  # as in JupyterLab's property inspector; "": goes on
REFERENCE = re.compile(r"(?P<id>(?:\d\d|live)-[\w-]+)(?:/(?P<what>figure|code|formula|text)(?: (?P<number>\d+))?)?")
NO_TEXT = re.compile(r"\s*<.*>\s*|.*\d%\|.*", re.DOTALL)  # <Figure ...>, a widget that is not run, a bar of progress


@dataclass(frozen=True)
class Figure:
    """A picture that a cell showed: a PNG file's bytes, what it shows in words, and its width and height in pixels."""

    name: str  # the cell's id and its number there, "06-016-1"
    png: bytes
    alt: str
    width: int
    height: int


@dataclass(frozen=True)
class Cell:
    """A cell of a lesson. `code` is its source if it is a code cell, else empty; `words` likewise for Markdown."""

    id: str
    lesson: str  # the notebook's name without its ending
    slide: str  # one of SLIDE_TYPES, or empty: it belongs to the slide that is there
    words: str
    code: str
    figures: tuple[Figure, ...]
    text: str  # what it printed or answered; without progress bars and names of objects
    markdown: str  # what it answered in Markdown, such as the source of a function

    @property
    def formulas(self) -> list[str]:
        """The TeX of its displayed formulas."""
        return [tex.strip() for tex in re.findall(r"\$\$(.+?)\$\$", self.words, re.DOTALL)]


@dataclass(frozen=True)
class Lesson:
    """A lesson: its name ("06_the_green_banana"), the number and title of its first line, the question below it."""

    name: str
    number: int
    title: str
    question: str
    cells: tuple[Cell, ...]


def read(path: Path) -> tuple[Cell, ...]:
    """The cells of a notebook. Raises as `lesson`."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no lesson {path}.")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_cell(one, path.stem) for one in found["cells"])
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no notebook, or a damaged one. Name a lesson, such as 06_*.ipynb.") from error


@lru_cache
def lesson(path: str | Path) -> Lesson:
    """Read a lesson. Raises ValueError for a file that is no notebook of this course, FileNotFoundError for none."""
    path = Path(path)
    cells = read(path)
    head = re.match(r"# (\d+)\. (.+)\n", cells[0].words if cells else "")
    if not head:
        raise ValueError(f"{path} is no lesson: its first cell does not begin with a line such as '# 6. Title'.")
    question = re.search(r"^\*\*(.+)\*\*$", cells[0].words, re.MULTILINE)
    return Lesson(path.stem, int(head[1]), head[2], question[1] if question else "", cells)


def all_lessons(folder: Path = NOTEBOOKS) -> list[Lesson]:
    """All lessons of a folder, in their order; FileNotFoundError if it has none."""
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise FileNotFoundError(f"There are no lessons in {folder}.")
    return [lesson(path) for path in paths]


def cell(id: str, folder: Path = NOTEBOOKS) -> Cell:
    """The cell that has an id, such as "06-016" or "live-007"; ValueError, with the id, if no notebook here has it."""
    live = id.startswith("live-")
    for path in [folder / LIVE] if live else sorted(folder.glob(f"{id[:2]}_*.ipynb")):
        for one in read(path) if live else lesson(path).cells:
            if one.id == id:
                return one
    raise ValueError(f"No lesson has a cell `{id}`.")


def shown(reference: str, folder: Path = NOTEBOOKS) -> list[Figure] | str:
    """What a reference points at: a list of figures, or the text of code, formula (TeX) or what was printed.

    "06-016" are all its figures, "06-016/figure 2" its second alone, "06-016/code" its source, "06-023/formula"
    its first displayed formula, "06-055/text" what it printed. Raises ValueError, with the reference, if there is none.
    """
    if not (found := REFERENCE.fullmatch(reference)):
        raise ValueError(f"`{reference}` is no reference. Write one such as 06-016, 06-016/figure 2 or 06-016/code.")
    one, what, number = cell(found["id"], folder), found["what"] or "figure", int(found["number"] or 0)
    if what == "figure":
        figures = list(one.figures[number - 1 : number] if number else one.figures)
        if not figures:
            raise ValueError(f"`{reference}` is missing: the cell shows {len(one.figures) or 'no'} figures.")
        return figures
    text = {"code": one.code, "formula": (one.formulas or [""])[0], "text": one.text}[what]
    if not text:
        raise ValueError(f"`{reference}` is missing: the cell has no {what}.")
    return text


def _cell(found: dict, name: str) -> Cell:
    """A cell as a notebook keeps it."""
    source, is_code = "".join(found["source"]), found["cell_type"] == "code"
    figures, text, markdown = [], "", ""
    for output in found.get("outputs", []):
        data = output.get("data", {})
        if "image/png" in data:
            png = base64.b64decode("".join(data["image/png"]))
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            figures.append(Figure(f"{found['id']}-{len(figures) + 1}", png, alt, *struct.unpack(">II", png[16:24])))
        elif "text/markdown" in data:
            markdown += "".join(data["text/markdown"])
        else:
            said = "".join(output.get("text", data.get("text/plain", "")))
            text += "" if NO_TEXT.fullmatch(said) else said
    slide = found["metadata"].get("slideshow", {}).get("slide_type", "")
    if slide not in (*SLIDE_TYPES, "", "-"):
        raise ValueError(f"`{found['id']}` has the slide type {slide!r}. Choose one of {', '.join(SLIDE_TYPES)}.")
    words, code = ("", source) if is_code else (source, "")
    return Cell(found["id"], name, slide.strip("-"), words, code, tuple(figures), text.rstrip("\n"), markdown)
