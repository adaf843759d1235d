"""The versions of the lessons for a class, and what of grading needs no sandbox; class_grading.py has the rest."""

import ast
import csv
import importlib
import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

FOLDER = Path(__file__).resolve().parents[1] / "notebooks" / "class"
sys.path.insert(0, str(FOLDER))
make_class, grade = (importlib.import_module(name) for name in ("make_class", "grade"))
sys.path.remove(str(FOLDER))

STUB = 'def my_double(x):\n    """Twice x."""\n    ...  # your line goes here'
ANSWER = "<details><summary>Answer</summary>\n\n```python\ndef my_double(x):\n    return 2 * x\n```\n\n</details>"


def small_lesson(*extra) -> nbformat.NotebookNode:
    return new_notebook(
        cells=[
            new_markdown_cell("# 1. Small"),
            new_code_cell("import math\nfrom course_lib.checks import lesson_01 as checks", id="a"),
            new_code_cell("slow = math.pi", id="b"),
            new_code_cell("unused = slow", id="c"),
            new_markdown_cell("## Exercise 1: double (2 minutes)"),
            new_code_cell(STUB, id="d"),
            new_code_cell("checks.double(my_double)", id="e"),
            new_markdown_cell(f"<details><summary>Hint</summary>\n\nAdd.\n\n</details>\n\n{ANSWER}"),
            *extra,
        ]
    )


# ---------------------------------------------------------------- versions


@pytest.mark.parametrize("number", make_class.LESSONS)
def test_the_students_version_has_no_answer(number):
    lesson = make_class.read_lesson(number)
    new, bare = make_class.student(lesson), make_class.student(lesson, hints=False)
    nbformat.validate(new)
    text = "\n".join(cell.source for cell in new.cells)
    assert "<summary>Answer" not in text
    assert "<summary>Hint" in text
    assert "<summary>Hint" not in "\n".join(cell.source for cell in bare.cells)
    assert not any(cell.get("outputs") for cell in new.cells)
    cells, code = {cell.id: cell for cell in new.cells}, "\n".join(c.source for c in new.cells if c.cell_type == "code")
    for one in make_class.exercises(lesson):
        answer = make_class.filled(cells[one.stub].source, one.answer)
        new_lines = set(answer.splitlines()) - set(cells[one.stub].source.splitlines())
        assert new_lines
        assert not [line for line in new_lines if len(line.strip()) > 10 and line in code.splitlines()], one.title
        assert cells[one.check].metadata.editable is False
        assert {cells[id].metadata.deletable for id in (one.stub, one.check)} == {False}


@pytest.mark.parametrize("number", make_class.LESSONS)
def test_the_instructors_version_has_every_stub_filled(number):
    lesson = make_class.read_lesson(number)
    before, new = ({cell.id: cell for cell in nb.cells} for nb in (lesson, make_class.instructor(lesson)))
    known = make_class.exercises(lesson)
    assert len(known) >= 3
    for one in known:
        stub, answer = (ast.parse(cells[one.stub].source).body for cells in (before, new))
        assert any(map(make_class.is_stub, stub))
        assert not any(map(make_class.is_stub, answer))
        assert {make_class.made(part) for part in stub} <= {make_class.made(part) for part in answer}
    answered = {one.stub for one in known}
    assert all(cell.source == before[id].source for id, cell in new.items() if id not in answered)


def test_every_exercise_of_the_course_is_handed_out():
    checks = importlib.import_module("course_lib.checks.engine").every_exercise()
    for number in make_class.LESSONS:
        named = {one.name for one in make_class.exercises(make_class.read_lesson(number))}
        assert named <= set(checks[number])
        assert set(checks[number]) - named <= {"practice"}  # lesson 0 shows with it what a check says


@pytest.mark.parametrize(
    ("stub", "answer", "wanted"),
    [
        (STUB, ANSWER, 'def my_double(x):\n    """Twice x."""\n    return 2 * x'),
        (STUB, "`return 2 * x`", 'def my_double(x):\n    """Twice x."""\n    return 2 * x'),
        ("a = ...  # a number", "`a = 3`. It is odd.", "a = 3"),
        ("a = ...", "For example `(1, 2)`.", "a = (1, 2)"),
        ("a = ...\nprint(1)", "`a = 3`", "a = 3\nprint(1)"),
        ("a = ...", "```python\nimport math\n\na = math.pi\n```", "import math\n\n\na = math.pi"),
    ],
)
def test_an_answer_fills_its_stub(stub, answer, wanted):
    assert make_class.filled(stub, answer) == wanted


def test_an_answer_to_something_else_is_refused():
    lesson = small_lesson()
    lesson.cells[-1].source = lesson.cells[-1].source.replace("my_double", "my_triple")
    with pytest.raises(ValueError, match=r"Exercise 1: double.*my_double"):
        make_class.instructor(lesson)
    lesson.cells[-1].source = "No answer."
    with pytest.raises(ValueError, match="Exercise 1: double"):
        make_class.exercises(lesson)


def test_the_versions_are_made_by_one_command(tmp_path, monkeypatch, capsys):
    (tmp_path / "nbgrader" / "submitted").mkdir(parents=True)
    monkeypatch.setattr(sys, "argv", ["make_class.py", "1", "--out", str(tmp_path)])
    make_class.main()
    assert "Lessons: 1, in" in capsys.readouterr().out
    name = make_class.LESSONS["01"].stem
    for path in (f"student/{name}", f"instructor/{name}", f"nbgrader/source/{name}/{name}"):
        nbformat.validate(nbformat.read(tmp_path / f"{path}.ipynb", as_version=4))
    source = (tmp_path / f"nbgrader/source/{name}/{name}.ipynb").read_text(encoding="utf-8")
    assert source.count("assert checks.") == len(make_class.exercises(make_class.read_lesson("01")))
    assert (tmp_path / "nbgrader" / "submitted").is_dir()  # what was collected stays
    monkeypatch.setattr(sys, "argv", ["make_class.py", "77"])
    with pytest.raises(SystemExit):
        make_class.main()
    assert "There is no lesson 77" in capsys.readouterr().err


# ---------------------------------------------------------------- a submission into the lesson


def submitted(*cells) -> list[tuple[str, str, str]]:
    return [(id, known, source) for id, known, source in cells]


def answer_of(*cells) -> tuple[list[str], str]:
    """Which cells an exercise needs of a submission to the small lesson, and what its answer is."""
    lesson = small_lesson()
    found = grade.needed(grade.assembled(lesson, submitted(*cells)), make_class.exercises(lesson)[0])
    return [one.id for one in found], found[-1].source


def test_the_answer_comes_from_the_student_and_all_else_from_the_lesson():
    right = "def my_double(x):\n    return 2 * x"
    assert answer_of(("d", "", right), ("e", "", "print('Right!')")) == (["d"], right)
    assert answer_of(("d", "", right), ("d", "", "copied")) == (["d"], right)  # the first counts
    assert answer_of(("new", "d", right)) == (["d"], right)  # an editor that gives new ids
    assert answer_of(("new", "", "x = 1"), ("other", "", right)) == (["d"], right)  # one written anew
    assert answer_of(("e", "", "x = 1")) == (["d"], STUB)  # none


def test_only_what_an_answer_needs_runs():
    uses = "def my_double(x):\n    return x * slow * help_me(x)"
    helper = "def help_me(x):\n    return 1"
    assert answer_of(("d", "", uses))[0] == ["a", "b", "d"]
    assert answer_of(("d", "", uses), ("mine", "", helper))[0] == ["a", "b", "added-0", "d"]
    assert answer_of(("d", "", uses), ("mine", "", "slow = 0"))[0] == [
        "a",
        "b",
        "d",
    ]  # the lesson's name is the lesson's
    assert answer_of(("d", "", "def my_double(x:"))[0] == ["d"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ada.txt", "Dear all", r"ada\.txt is no notebook"),
        ("ada.ipynb", "Dear all", r"ada\.ipynb cannot be read as a notebook"),
        ("ada.ipynb", "[1]", "cannot be read"),
        ("ada.ipynb", '{"cells": [1]}', "cannot be read"),
        ("ada.ipynb", '{"cells": [{"cell_type": "code"}]}', "cannot be read"),
        ("ada.ipynb", "[" * 100_000, "cannot be read"),
        ("ada.ipynb", '{"cells": []}', "none of the cells"),
    ],
)
def test_a_file_that_cannot_be_graded_is_named_with_the_reason(tmp_path, name, content, said):
    (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / ".hidden").touch()
    found, refused = grade.collected(tmp_path, {"01": make_class.read_lesson("01")})
    assert not found
    assert [mark.name for mark in refused] == ["ada"]
    assert re.search(said, refused[0].reason)


def test_students_are_files_or_folders(tmp_path):
    lessons = {number: make_class.read_lesson(number) for number in ("00", "01")}
    for path in ("ada.ipynb", "bob/x/one.ipynb", "bob/x/two.ipynb", "bob/.ipynb_checkpoints/three.ipynb"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(make_class.student(lessons["01"]), tmp_path / path)
    nbformat.write(make_class.student(lessons["00"]), tmp_path / "bob" / "zero.ipynb")
    (tmp_path / "cleo").mkdir()
    found, refused = grade.collected(tmp_path, lessons)
    assert [(one.name, one.number) for one in found] == [("ada", "01"), ("bob", "01"), ("bob", "00")]
    assert [mark.name for mark in refused] == ["bob", "cleo"]
    assert "two.ipynb is one more notebook" in refused[0].reason


# ---------------------------------------------------------------- what comes back


FAKE = """
import json, os, sys, time
for one in json.load(sys.stdin)["exercises"]:
    print(json.dumps({"begin": one["check"]}), flush=True)
    if one["check"] == "ends":
        os._exit(3)
    if one["check"] == "sleeps":
        time.sleep(60)
    if one["check"] == "floods":
        print("Right!", flush=True)
    known = one["check"] if one["check"] != "forges" else "last"
    print(json.dumps({"exercise": known, "passed": True, "sentence": "Right!", "reason": ""}), flush=True)
"""


def test_an_exercise_that_ends_its_process_costs_no_other():
    names = ("first", "ends", "sleeps", "floods", "forges", "last")
    results = grade.run([sys.executable, "-c", FAKE], "01", {name: {"check": name} for name in names}, 3)
    assert {name: results[name]["passed"] for name in names} == {name: name in ("first", "last") for name in names}
    assert "ended the process" in results["ends"]["reason"]
    assert "longer than 3 seconds" in results["sleeps"]["reason"]
    assert all(results[name]["reason"] for name in ("floods", "forges"))


def test_marks_are_written_whole_or_not_at_all(tmp_path):
    out, feedback = tmp_path / "marks.csv", tmp_path / "feedback"
    marks = [grade.Mark("=ada", "01", "Exercise 1", True, 1, "Right!"), grade.Mark("bob", reason="no notebook")]
    grade.write_marks(marks, out, feedback)
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["'=ada", "bob"]  # no formula for a spreadsheet
    assert rows[0]["points"] == "1"
    assert "1 of 1" in (feedback / "=ada.txt").read_text(encoding="utf-8")
    assert "no notebook" in (feedback / "bob.txt").read_text(encoding="utf-8")
    before = out.read_bytes()
    with pytest.raises(TypeError):
        grade.write_marks([*marks, 3], out, feedback)
    assert out.read_bytes() == before


@pytest.mark.parametrize("what", ["missing", "empty", "notes.txt"])
def test_nothing_to_grade_is_said_and_the_marks_stay(what, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("Dear all", encoding="utf-8")
    (out := tmp_path / "marks.csv").write_text("old", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["grade.py", str(tmp_path / what), "--out", str(out)])
    with pytest.raises(SystemExit, match=f"Nothing was graded: .*{what} is no folder with submissions"):
        grade.main()
    assert out.read_text(encoding="utf-8") == "old"


def test_a_machine_without_bubblewrap_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="sudo apt install bubblewrap"):
        grade.sandbox(tmp_path)


def test_a_course_that_lies_below_tmp_is_seen_in_the_sandbox(tmp_path, monkeypatch):
    (tmp_path / "bwrap").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    command = grade.sandbox(tmp_path)
    assert command.index("--tmpfs") < command.index("--ro-bind-try")  # what is mounted later hides what came before


def test_a_job_is_plain_text():
    lesson = make_class.read_lesson("01")
    one = grade.submission("ada", submitted(("01-016", "", "x = 1")), {"01": lesson})
    assert json.loads(json.dumps(one.wanted)).keys() == {known.name for known in make_class.exercises(lesson)}
