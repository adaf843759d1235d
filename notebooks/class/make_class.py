"""Make what a class is handed, and what its instructor keeps, from the lessons: `make class`.

    build/class/student/       without the answers; `--no-hints` takes the hints away, too
    build/class/instructor/    the answers filled into their cells, and folded below, as in the lesson
    build/class/nbgrader/      a course of nbgrader: its source folder and its settings

Nothing is run, so no outputs are kept. Lessons may be named: `make_class.py 1 4`.
"""

import argparse
import ast
import copy
import re
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from course_lib.tools.files import whole_file

ROOT = Path(__file__).resolve().parents[2]
LESSONS = {path.stem[:2]: path for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))}
CLASS = ROOT / "build" / "class"
FOLDED = r"<details><summary>{}</summary>(.*?)</details>"
REVEALS = "show.folded("  # a cell that shows the answer to the exercise above it, when it is run

NOTE = """**For a class.** Write each answer into its own cell, the one with `...`. At the end save (Ctrl S), and hand
this file in. What an answer needs may stand in a cell that you add. What you change in other cells does not count, so
no check can be lost."""

SETTINGS = '''"""Settings of nbgrader for this course; see notebooks/instructor/class.md."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "noise_to_banana"
c.ClearSolutions.enabled = False  # the source has none: its stubs are already what is handed out
c.ExecutePreprocessor.timeout = 120  # seconds a cell
c.ExecutePreprocessor.iopub_timeout = 60  # with 4, its own, a busy machine loses right answers
'''


class Exercise(NamedTuple):
    """An exercise of a lesson: the ids of its answer's and its check's cell, and what the check is called with."""

    title: str  # "Exercise 1: take the noise away again"
    stub: str
    check: str
    name: str  # of the check, in `course_lib.checks`
    attempt: str  # an expression, such as "my_take_noise_away"
    answer: str  # the Markdown folded under "Answer"


def read_lesson(number: str) -> NotebookNode:
    """The lesson of a number, "01"."""
    return nbformat.read(LESSONS[number], as_version=4)


def exercises(lesson: NotebookNode) -> list[Exercise]:
    """The exercises of a lesson, in order; ValueError, with the heading, for one that lacks a part."""
    found, part = [], None
    for cell in [*lesson.cells, nbformat.v4.new_markdown_cell("# The end")]:
        if cell.cell_type == "markdown" and (heading := re.search(r"^#+ (.+)", cell.source, re.MULTILINE)):
            found += [_exercise(*part)] if part else []
            part = (re.sub(r" \(\d+ minutes\)", "", heading[1]), []) if re.match(r"Ex\w+( \d)?:", heading[1]) else None
        if part:
            part[1].append(cell)
    return found


def _exercise(title: str, cells: list[NotebookNode]) -> Exercise:
    code = [cell for cell in cells if cell.cell_type == "code"]
    checks = [(cell, call) for cell in code if (call := re.fullmatch(r"checks\.(\w+)\((.+)\)", cell.source.strip()))]
    answers = [text for cell in cells for text in re.findall(FOLDED.format("Answer"), cell.source, re.DOTALL)]
    if not checks or not answers or checks[0][0] is code[0]:
        raise ValueError(f"{title!r} needs a cell to answer in, one that calls its check alone, and a folded answer.")
    cell, call = checks[0]
    return Exercise(title, code[0].id, cell.id, call[1], call[2], answers[0].strip())


def made(statement: ast.stmt) -> str | None:
    """The name that a statement makes, if it makes one: a function or `name = ...`."""
    if isinstance(statement, ast.FunctionDef):
        return statement.name
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    return target.id if isinstance(target, ast.Name) else None


def is_stub(statement: ast.stmt) -> bool:
    """Whether a statement is for the learner to fill in: a function that does `...` at most, or `name = ...`."""
    inner = statement.body[-1] if isinstance(statement, ast.FunctionDef) else statement
    return isinstance(value := getattr(inner, "value", None), ast.Constant) and value.value is ...


def filled(source: str, answer: str) -> str:
    """A stub's cell with the answer in it: the first block of Python of a Markdown text, or else its first `code`.

    What the answer does not make stays, and so do the words under a function's first line. Raises ValueError if a
    name of the stub is not in the answer.
    """
    code = re.search(r"```python\n(.*?)```", answer, re.DOTALL) or re.search(r"`([^`]+)`", answer)
    code, lines, stubs = code[1].strip() if code else "", source.splitlines(), ast.parse(source).body
    if code.startswith("return "):
        return re.sub(r"^(\s+)\.\.\..*", lambda place: place[1] + code, source, flags=re.MULTILINE)
    if isinstance(ast.parse(code).body[0], ast.Expr):  # a value alone
        code = f"{made(next(filter(is_stub, stubs)))} = {code}"
    answers, keep = {made(one) or ast.unparse(one): one for one in ast.parse(code).body}, []
    for at, stub in enumerate(stubs):
        end = stubs[at + 1].lineno - 1 if at + 1 < len(stubs) else len(lines)  # with the comments behind it
        if not is_stub(stub):
            answers.pop(ast.unparse(stub), None)
            keep.append("\n".join(lines[stub.lineno - 1 : end]))
        elif (one := answers.pop(made(stub), None)) is None:
            raise ValueError(f"the answer does not say what {made(stub)} is")
        else:
            new = code.splitlines()[one.lineno - 1 : one.end_lineno]
            text = isinstance(stub, ast.FunctionDef) and ast.get_docstring(stub)
            words = [f'    """{text}"""'] * bool(text)
            gap = lines[stub.end_lineno : end]
            keep.append("\n".join([new[0], *words, *new[1:], *([""] * sum(not line.strip() for line in gap))]))
    first = [ast.get_source_segment(code, one) for one in answers.values()]  # such as an import
    return "\n".join([*first, *([""] * 2 * bool(first)), *keep]).rstrip()


def student(lesson: NotebookNode, hints: bool = True) -> NotebookNode:
    """The lesson without its folded answers; cells of exercises cannot be deleted in JupyterLab, nor checks edited."""
    new = _bare(lesson)
    for title in ["Answer", *["Hint"] * (not hints)]:
        for cell in (cell for cell in new.cells if cell.cell_type == "markdown"):
            cell.source = re.sub(r"\n*" + FOLDED.format(title), "", cell.source, flags=re.DOTALL).strip()
    new.cells = [cell for cell in new.cells if cell.source and REVEALS not in cell.source]
    new.cells.insert(1, nbformat.v4.new_markdown_cell(NOTE, id="for-a-class"))
    roles = {one.stub: "solution" for one in exercises(lesson)} | {one.check: "grade" for one in exercises(lesson)}
    for cell in new.cells:
        if role := roles.get(cell.id):
            is_check = role == "grade"
            cell.metadata |= {"deletable": False} | ({"editable": False} if is_check else {})
            cell.metadata["nbgrader"] = {  # which a copy keeps, and an editor that gives cells new ids
                "grade_id": cell.id,
                "grade": is_check,
                "locked": is_check,
                "solution": not is_check,
                "task": False,
                "schema_version": 3,
            } | ({"points": 1} if is_check else {})
    return new


def instructor(lesson: NotebookNode) -> NotebookNode:
    """The lesson with every answer filled in; ValueError, with the exercise, for an answer that does not fit."""
    new = _bare(lesson)
    cells = {cell.id: cell for cell in new.cells}
    for one in exercises(lesson):
        try:
            cells[one.stub].source = filled(cells[one.stub].source, one.answer)
        except (ValueError, SyntaxError) as error:
            raise ValueError(f"{one.title!r}: {error}") from error
    return new


def for_nbgrader(lesson: NotebookNode, hints: bool = True) -> NotebookNode:
    """The student's version as a source of nbgrader, whose hidden line makes a check that is not passed an error."""
    new = student(lesson, hints)
    for cell in new.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source += f"\n### BEGIN HIDDEN TESTS\nassert {cell.source}.passed\n### END HIDDEN TESTS"
    return new


def _bare(lesson: NotebookNode) -> NotebookNode:
    """A copy without outputs."""
    new = copy.deepcopy(lesson)
    for cell in new.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return new


def make(numbers: list[str], folder: Path, hints: bool = True) -> None:
    """Make all versions of these lessons in a folder; what else lies there, such as what nbgrader collected, stays."""
    versions = {}
    for number in numbers:
        lesson, name = read_lesson(number), LESSONS[number].stem
        versions[f"student/{name}.ipynb"] = student(lesson, hints)
        versions[f"instructor/{name}.ipynb"] = instructor(lesson)
        versions[f"nbgrader/source/{name}/{name}.ipynb"] = for_nbgrader(lesson, hints)
    texts = {path: nbformat.writes(version) + "\n" for path, version in versions.items()}
    for path, text in {**texts, "nbgrader/nbgrader_config.py": SETTINGS}.items():
        with whole_file(folder / path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the student's and the instructor's version of the lessons.")
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="numbers of lessons, such as 1 4; all, if none")
    parser.add_argument("--no-hints", action="store_true", help="take the hints out of the student's version, too")
    parser.add_argument("--out", type=Path, default=CLASS, metavar="FOLDER", help="where to (build/class)")
    options = parser.parse_args()
    numbers = [name.zfill(2) for name in options.lessons] or list(LESSONS)
    if unknown := [name for name in numbers if name not in LESSONS]:
        parser.error(f"There is no lesson {unknown[0]}. Choose from 0 to {int(max(LESSONS))}.")
    try:
        make(numbers, options.out, not options.no_hints)
    except (ValueError, OSError) as error:
        sys.exit(f"Nothing was made: {error}")
    print(f"Lessons: {len(numbers)}, in {options.out}: student, instructor, nbgrader.")


if __name__ == "__main__":
    main()
