"""How long a lesson takes a learner, counted piece by piece: python tests/minutes.py [FILES]."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat

from course_lib.classroom.machine import LESSONS as COMPUTING

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
LESSONS = sorted(FOLDER.glob("[0-9]*.ipynb"))

WORDS_A_MINUTE = 180
CODE, FIGURE, PREDICTION, QUESTION, EXERCISE = 20, 30, 40, 60, 360  # seconds
APPENDIX = "## For the curious"  # what stands below it is not counted
STOP = "**A good place to stop.**"
WORK = re.compile(r"^#+ (?:Exercise|Experiment)\b.*", re.MULTILINE)


class Counts(NamedTuple):
    """What takes a learner's time in one lesson."""

    words: int
    code: int
    figures: int
    predictions: int
    questions: int
    exercises: float  # seconds, since one may name its own: "## Exercise 2: ... (3 minutes)"
    running: float  # seconds

    @property
    def minutes(self) -> float:
        pieces = (self.code * CODE, self.figures * FIGURE, self.predictions * PREDICTION, self.questions * QUESTION)
        return self.words / WORDS_A_MINUTE + (sum(pieces) + self.exercises + self.running) / 60


def unfolded(markdown: str) -> str:
    """What meets the eye of a text: without what is folded away, and without the targets of links."""
    text = re.sub(r"<details>.*?</details>", "", markdown, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", text)


def main_part(nb) -> list:
    """The cells above the appendix."""
    end = (i for i, cell in enumerate(nb.cells) if cell.source.startswith(APPENDIX))
    return nb.cells[: next(end, len(nb.cells))]


def is_figure(cell) -> bool:
    kinds = {kind for output in cell.get("outputs", []) for kind in output.get("data", {})}
    return bool(kinds & {"image/png", "image/svg+xml"})


def running(nb) -> float:
    """The seconds that a lesson computes on the reference machine."""
    number = int(re.match(r"# (\d+)\.", nb.cells[0].source).group(1))
    return next(fixed + scaling for name, (_, fixed, scaling) in COMPUTING.items() if int(name[:2]) == number)


def count(nb, cells=None) -> Counts:
    """Count what takes time in a lesson, or in some of its cells; an exercise has its minutes, and its words."""
    words = code = figures = predictions = questions = exercises = 0
    at_work = False
    for cell in main_part(nb) if cells is None else cells:
        if cell.cell_type == "code":
            code += not at_work
            figures += is_figure(cell) and not at_work
            continue
        heading = re.search(r"^#+ .*", cell.source, re.MULTILINE)
        if heading:
            at_work = bool(WORK.search(cell.source))
        if at_work and heading:
            own = re.search(r"\((\d+) minutes?\)", heading.group())
            exercises += 60 * int(own.group(1)) if own else EXERCISE
        text = unfolded(cell.source)
        predictions += text.count("**Before you run it:**")
        if heading and heading.group() == "## Questions":
            questions += len(re.findall(r"^\*\*\d\. ", text, re.MULTILINE))
        words += len(text.split())
    return Counts(words, code, figures, predictions, questions, exercises, 0 if cells else running(nb))


def stated(nb) -> int:
    """The minutes that the opening of a lesson states: "This takes about 40 minutes"."""
    return int(re.search(r"(\d+) minutes", nb.cells[0].source).group(1))


def to_a_stop(nb) -> float:
    """The share of the minutes that lies before the place to stop; 0 where there is none."""
    at = next((i for i, cell in enumerate(nb.cells) if STOP in cell.source), 0)
    return count(nb, nb.cells[:at]).minutes / count(nb).minutes if at else 0.0


def long_stretches(nb, most: int = 110) -> list[str]:
    """Where more than `most` words stand between two things to run, to look at or to do."""
    found, words, since = [], 0, 0
    for i, cell in enumerate(main_part(nb)):
        if cell.cell_type == "code":
            words, since = 0, i + 1
            continue
        if cell.source.startswith(("## Questions", "## Recap")):
            break
        words += len(unfolded(cell.source).split())
        if words > most:
            found.append(f"cells {since} to {i}: {words} words, at most {most}")
    return found


def long_looks(nb, most: int = 3) -> list[str]:
    """Where a "What to see" has more than `most` sentences."""
    found = []
    for i, cell in enumerate(main_part(nb)):
        for look in re.findall(r"^\*What to see:\*(.*?)(?:\n\n|\Z)", cell.source, re.MULTILINE | re.DOTALL):
            sentences = len(re.findall(r"[.?!][\")*]*(?=\s|$)", look.strip()))
            if sentences > most:
                found.append(f"cell {i}: {sentences} sentences to see, at most {most}")
    return found


if __name__ == "__main__":
    total = 0.0
    print("lesson  minutes  stated  stop at  words  code  figures  predictions  questions  exercises (s)  running (s)")
    for path in map(Path, sys.argv[1:] or LESSONS):
        lesson = nbformat.read(path, as_version=4)
        of = count(lesson)
        total += of.minutes
        print(
            f"{path.name[:2]:>6}{of.minutes:9.0f}{stated(lesson):8}{to_a_stop(lesson):9.0%}{of.words:7}{of.code:6}"
            f"{of.figures:9}{of.predictions:13}{of.questions:11}{of.exercises:15.0f}{of.running:13.0f}"
        )
        if len(sys.argv) > 1:
            print(*long_stretches(lesson), *long_looks(lesson), sep="\n")
    print(f" total{total:9.0f}")
