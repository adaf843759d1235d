"""Grade a class: python notebooks/class/grade.py SUBMISSIONS --out marks.csv

SUBMISSIONS is a folder with a notebook, or a folder of notebooks, for each student, named as the student. Of each the
answers are taken, by the id of their cells, and put into the lesson as it was handed out; the checks of the lesson run
on them in a sandbox (bubblewrap): no network, no files but the course's, which cannot be written, and limits of
time and memory. Who cannot be graded is in the list all the same, with the reason.
"""

import argparse
import csv
import json
import os
import select
import shutil
import subprocess
import symtable
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from IPython.core.inputtransformer2 import TransformerManager
from make_class import LESSONS, ROOT, Exercise, exercises, instructor, read_lesson
from nbformat import NotebookNode
from tqdm import tqdm

from course_lib.tools.files import whole_file

SECONDS = 60  # for an exercise, with the start of a sandbox; more where the course's own answers take long
SLACK = 5  # times as long as those a student's may take
BYTES = 4 * 2**30
LARGEST = 50 * 2**20  # bytes of a notebook that is read
NO_BWRAP = "Grading needs bubblewrap, which is for Linux. On Debian and Ubuntu: sudo apt install bubblewrap"


class Mark(NamedTuple):
    """One line of the list: an exercise of a student, or a student's file that cannot be graded."""

    name: str
    lesson: str = ""
    exercise: str = ""
    passed: bool = False
    points: int = 0
    sentence: str = ""
    reason: str = ""


class Cell(NamedTuple):
    """A cell of code to run: which names it makes and reads, and whether it is the student's."""

    id: str
    source: str
    own: bool
    makes: set[str]
    reads: set[str]


def cell(id: str, source: str, own: bool) -> Cell:
    """A cell, with the names that Python says it makes and reads; none, where it is no Python."""
    makes, reads = set(), set()
    try:
        tables = [symtable.symtable(TransformerManager().transform_cell(source), id, "exec")]
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # when it runs, it will say so
        tables = []
    for table in tables:  # grows
        tables += table.get_children()
        for name in table.get_symbols():
            at_top = table.get_type() == "module" or name.is_declared_global()
            if at_top and (name.is_assigned() or name.is_imported()):
                makes.add(name.get_name())
            if name.is_referenced() and (at_top or name.is_global()):
                reads.add(name.get_name())
    return Cell(id, source, own, makes, reads)


# ---------------------------------------------------------------- a submission into the lesson


def read_submission(path: Path) -> list[tuple[str, str, str]]:
    """The id, the name that nbgrader knows it by and the source of each cell of code; ValueError, with the reason."""
    if path.is_symlink() or path.suffix != ".ipynb":
        raise ValueError(f"{path.name} is no notebook: hand in the lesson's .ipynb file")
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("it has more than 50 MB")
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found = []
        for one in (one for one in cells if one["cell_type"] == "code"):
            known = one.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")
            found.append((str(one.get("id", "")), str(known), "".join(one["source"])))
        return found
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path.name} cannot be read as a notebook ({type(error).__name__}: {error})") from error


def lesson_of(cells: list[tuple[str, str, str]], lessons: dict[str, NotebookNode]) -> str:
    """The number of the lesson that has most of these cells as its answers; ValueError if none has any."""
    ids = {id for one in cells for id in one[:2]}
    stubs = {number: {one.stub for one in exercises(lesson)} for number, lesson in lessons.items()}
    number = max(stubs, key=lambda number: len(ids & stubs[number]))
    if not ids & stubs[number]:
        raise ValueError("it has none of the cells that a lesson's answers go into")
    return number


def assembled(lesson: NotebookNode, submitted: list[tuple[str, str, str]]) -> list[Cell]:
    """The lesson's cells of code with the student's answers in them, and the cells that the student added.

    An answer is the first cell with the id; if there is none, the first that nbgrader knows by it (a copy, or
    one from an editor that gives new ids), or the first added one that makes the name; else it stays a stub.
    """
    ids, stubs = {one.id for one in lesson.cells}, {one.stub for one in exercises(lesson)}
    others = [source for id, known, source in submitted if not {id, known} & ids]
    added, found = [cell(f"added-{at}", source, True) for at, source in enumerate(others)], []
    for one in (one for one in lesson.cells if one.cell_type == "code"):
        if one.id not in stubs:
            found.append(cell(one.id, one.source, False))
            continue
        places = [source for at in (0, 1) for *names, source in submitted if names[at] == one.id]
        wanted = cell(one.id, one.source, False)
        places += [other.source for other in added if wanted.makes & other.makes]
        found.append(cell(one.id, places[0], True) if places else wanted)
    return found + added


def needed(cells: list[Cell], exercise: Exercise) -> list[Cell]:
    """The cells that an exercise needs, in order: its answer, what that reads, what those read, and so on.

    In a lesson no cell changes what another made, and a name keeps its meaning (tests/test_lessons_twice.py). So one
    cell that makes a name is enough: the last above its reader or, as a function may read it later, above the check. A
    cell of a student's makes a name only where the lesson does not.
    """
    at = {one.id: place for place, one in enumerate(cells)}
    answer, check, wanted = at[exercise.stub], at[exercise.check], {at[exercise.stub]}
    todo = [(name, check) for name in cell("", exercise.attempt, False).reads]
    todo += [(name, answer) for name in cells[answer].reads]
    while todo:
        name, reader = todo.pop()
        makers = [place for place, one in enumerate(cells) if name in one.makes]
        makers = [place for place in makers if not cells[place].own] or makers
        above = [place for place in makers if place < reader] or [place for place in makers if place < check]
        for place in (above or makers)[-1:]:
            if place not in wanted:
                wanted.add(place)
                todo += [(other, place) for other in cells[place].reads]
    # what a student added comes last in the list, and runs before the answer that needs it
    return [cells[place] for place in sorted(wanted, key=lambda place: (place == answer, place))]


# ---------------------------------------------------------------- the sandbox


def sandbox(fonts: Path) -> list[str]:
    """The command in which a submission runs: it sees Python, this course's library and data, and nothing else."""
    if not (bwrap := shutil.which("bwrap")):
        raise FileNotFoundError(NO_BWRAP)
    answers = Path(__file__).with_name("answers.py")
    seen = ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts"]
    seen += [sys.prefix, sys.base_prefix, ROOT / "course_lib", ROOT / "data", fonts, answers]
    command = [bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    command += ["--size", str(2**28), "--tmpfs", "/tmp"]  # first: the course itself may lie below /tmp
    for path in seen:
        command += ["--ro-bind-try", str(path), str(path)]
    command += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/"]
    settings = {"HOME": "/tmp", "MPLCONFIGDIR": fonts, "MPLBACKEND": "agg", "OMP_NUM_THREADS": 1, "PYTHONPATH": ROOT}
    for name, value in {**settings, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": 1}.items():
        command += ["--setenv", name, str(value)]
    return [*command, "--chdir", "/tmp", "--", sys.executable, str(answers)]


def lines_of(process: subprocess.Popen, seconds: float) -> Iterator[dict]:
    """The lines that a process writes, as they come; TimeoutError when none comes for so many seconds."""
    rest, until = b"", time.monotonic() + seconds
    while select.select([process.stdout], [], [], max(0, until - time.monotonic()))[0]:
        if not (new := os.read(process.stdout.fileno(), 2**16)):
            return
        *whole, rest = (rest + new).split(b"\n")
        for line in whole:
            yield json.loads(line)
            until = time.monotonic() + seconds
        if len(rest) > 2**20:
            raise ValueError("a line has no end")
    raise TimeoutError


def run(command: list[str], number: str, wanted: dict[str, dict], seconds: float) -> dict[str, dict]:
    """Results of exercises by the name of their check. One that ends its sandbox is left out and the rest run anew."""
    results: dict[str, dict] = {}
    while left := {name: one for name, one in wanted.items() if name not in results}:
        job = {"lesson": number, "bytes": BYTES, "exercises": list(left.values())}
        begun, why = next(iter(left)), ""
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env={})
            try:
                with process.stdin as pipe:
                    pipe.write(json.dumps(job).encode())
                for line in lines_of(process, seconds):
                    begun = line["begin"] if line.get("begin") in left else begun
                    if line.get("exercise") == begun:
                        results.setdefault(begun, {key: line[key] for key in ("passed", "sentence", "reason")})
            except TimeoutError:
                why = f"it took longer than {seconds:.0f} seconds and was stopped"
            except (ValueError, LookupError, TypeError, AttributeError, BrokenPipeError):
                why = "it wrote where only results belong, or nothing could be read"
            finally:
                process.kill()  # and with it, all that runs in its sandbox
                process.stdout.close()
                code = process.wait()
            errors.seek(0)
            said = errors.read(300).decode(errors="replace").strip()
        if begun not in results:
            why = why or "it ended the process that it ran in" + f" (code {code}{', ' * bool(said)}{said})"
            results[begun] = {"passed": False, "sentence": "", "reason": why}
    return results


# ---------------------------------------------------------------- a class


class Submission(NamedTuple):
    """What is run of a student's notebook: each exercise of the lesson, by the name of its check."""

    name: str
    number: str
    wanted: dict[str, dict]


def submission(name: str, cells: list[tuple[str, str, str]], lessons: dict[str, NotebookNode]) -> Submission:
    """A submission, put into the lesson that it answers; ValueError if it answers none."""
    number = lesson_of(cells, lessons)
    whole, wanted = assembled(lessons[number], cells), {}
    for one in exercises(lessons[number]):
        wanted[one.name] = {"check": one.name, "attempt": one.attempt, "cells": [c[:3] for c in needed(whole, one)]}
    return Submission(name, number, wanted)


def collected(folder: Path, lessons: dict[str, NotebookNode]) -> tuple[list[Submission], list[Mark]]:
    """What a folder holds, and a mark with the reason for each student and file that cannot be graded.

    A student is a file of the folder, or a folder of it with all that is in it; of two notebooks of one lesson, the
    first is graded. Raises ValueError if there is nobody.
    """
    found, refused = {}, []
    if not folder.is_dir() or not (names := sorted(one for one in folder.iterdir() if one.name[0] not in "._")):
        raise ValueError(f"{folder} is no folder with submissions. Name one with a notebook, or a folder, a student.")
    for student in names:
        name = student.stem if student.is_file() else student.name
        paths = [path for path in sorted(student.rglob("*")) if not path.is_dir()] if student.is_dir() else [student]
        paths = [path for path in paths if not any(part[0] in "._" for part in path.relative_to(folder).parts)]
        notebooks = [path for path in paths if path.suffix == ".ipynb"]
        if not paths:
            refused.append(Mark(name, reason="there is nothing in the folder"))
        for path in notebooks or paths:
            try:
                new = submission(name, read_submission(path), lessons)
                if (name, new.number) in found:
                    raise ValueError(f"{path.name} is one more notebook of lesson {int(new.number)}; the first counts")
                found[name, new.number] = new
            except ValueError as error:
                refused.append(Mark(name, reason=str(error)))
    return list(found.values()), refused


def marked(one: Submission, lesson: NotebookNode, command: list[str], seconds: float) -> list[Mark]:
    """The marks of a submission, one for each exercise."""
    results, marks = run(command, one.number, one.wanted, seconds), []
    for known in exercises(lesson):
        passed, sentence, reason = (results[known.name][key] for key in ("passed", "sentence", "reason"))
        said = known.title, passed is True, int(passed is True), str(sentence), str(reason)
        marks.append(Mark(one.name, LESSONS[one.number].stem, *said))
    return marks


def own_seconds(number: str, lessons: dict[str, NotebookNode], command: list[str], seconds: float) -> float:
    """How long the course's own answers to a lesson take here, all together.

    Raises RuntimeError if they do not pass: then nobody's could.
    """
    cells = [(cell.id, "", cell.source) for cell in instructor(lessons[number]).cells if cell.cell_type == "code"]
    began = time.monotonic()
    for mark in marked(submission("the course", cells, lessons), lessons[number], command, seconds):
        if not mark.passed:
            why = mark.reason or mark.sentence
            raise RuntimeError(f"the course's own answer to {mark.lesson}, {mark.exercise!r}, fails here: {why}")
    return time.monotonic() - began


def write_marks(marks: list[Mark], out: Path, feedback: Path) -> None:
    """Write the list as CSV, and for each student a text with what the checks said."""
    with whole_file(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Mark._fields)
        for mark in marks:  # a spreadsheet would take a cell that begins like this for a formula
            writer.writerow([f"'{text}" if str(text).startswith(("=", "+", "-", "@")) else text for text in mark])
    for name in sorted({mark.name for mark in marks}):
        lines, own = [], [mark for mark in marks if mark.name == name]
        for mark in own:
            said = ". ".join(text for text in (mark.sentence, mark.reason) if text)
            lines.append(f"{mark.lesson} {mark.exercise}: {said}".strip(" :") + "\n")
        points = f"{sum(mark.points for mark in own)} of {sum(bool(mark.exercise) for mark in own)} exercises\n"
        with whole_file(feedback / f"{name}.txt") as temporary:
            temporary.write_text("\n".join([f"{name}: {points}", *lines]), encoding="utf-8")


def grade(folder: Path, out: Path, feedback: Path, seconds: float = SECONDS, jobs: int = 1) -> list[Mark]:
    """Grade a folder, write the list, and give the marks.

    Raises ValueError, RuntimeError or OSError for what keeps it from grading, and then writes nothing.
    """
    lessons = {number: read_lesson(number) for number in LESSONS}
    found, marks = collected(folder, lessons)
    with tempfile.TemporaryDirectory() as fonts, ThreadPoolExecutor(jobs) as pool:
        command = sandbox(Path(fonts))
        make_fonts = [sys.executable, "-c", "import matplotlib.font_manager"]  # once, not in every sandbox
        subprocess.run(make_fonts, env={**os.environ, "MPLCONFIGDIR": fonts}, check=True)
        limits = {}  # a busy machine is slow, which is no fault of a student's
        for number in sorted({one.number for one in found}):
            limits[number] = max(seconds, SLACK * own_seconds(number, lessons, command, SLACK * seconds))
        work = pool.map(lambda one: marked(one, lessons[one.number], command, limits[one.number]), found)
        for new in tqdm(work, "grading", len(found), unit=" submissions"):
            marks += new
    marks.sort(key=lambda mark: (mark.name, mark.lesson))
    write_marks(marks, out, feedback)
    return marks


def main() -> None:
    parser = argparse.ArgumentParser(description="Grade a folder of submissions in a sandbox.")
    parser.add_argument("submissions", type=Path, help="a folder with a notebook, or a folder, for each student")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="where the marks go")
    parser.add_argument("--feedback", type=Path, metavar="FOLDER", help="a text a student (feedback, beside the marks)")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"for an exercise, or more where the machine is busy ({SECONDS})"
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many students at once (1)")
    options = parser.parse_args()
    feedback = options.feedback or options.out.parent / "feedback"
    try:
        marks = grade(options.submissions, options.out, feedback, options.seconds, options.jobs)
    except (ValueError, RuntimeError, OSError) as error:
        sys.exit(f"Nothing was graded: {error}")
    except KeyboardInterrupt:
        sys.exit("Stopped: nothing was written.")
    names = {mark.name for mark in marks}
    print(f"Marked: {len(names)}, in {options.out}; what the checks said to each student is in {feedback}.")
    for mark in marks:
        if mark.reason:
            print(f"- {mark.name}{', ' * bool(mark.exercise)}{mark.exercise}: {mark.reason}")


if __name__ == "__main__":
    main()
