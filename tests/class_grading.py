"""A class is graded, in bubblewrap: `make test-class`. What students hand in, the odd and the hostile, and every mark.

Slow (minutes), and it needs Linux and bubblewrap: where that is missing, each test fails and says what to install.
"""

import contextlib
import copy
import csv
import importlib
import json
import socket
import sys
import tempfile
import threading
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "notebooks" / "class"))
make_class, grade = (importlib.import_module(name) for name in ("make_class", "grade"))
sys.path.pop(0)

LESSON = make_class.read_lesson("01")
NAMES = ("take_noise_away", "signal_to_noise", "equally_strong", "hidden_from")
STUBS = {one.name: one.stub for one in make_class.exercises(LESSON)}
CHECKS = {one.name: one.check for one in make_class.exercises(LESSON)}
RIGHT = {cell.id: cell.source for cell in make_class.instructor(LESSON).cells}
SECOND = RIGHT[
    STUBS["signal_to_noise"]
]  # every odd answer below is to the second exercise, and works without a sandbox
LEFT_OUT = ROOT / "data" / "left-by-a-submission"


def instead(first_line: str, result: str = "((1 - t) / t) ** 2") -> str:
    """An answer to the second exercise that does something else before it gives its result."""
    return f"def my_signal_to_noise(t):\n    {first_line}\n    return {result}"


def second(source: str):
    """An edit that answers the second exercise like this."""

    def edit(nb, cells):
        cells[STUBS["signal_to_noise"]].source = source

    return edit


def without(id: str):
    def edit(nb, cells):
        nb.cells.remove(cells[id])

    return edit


def copied(nb, cells):
    """A check and an answer stand there twice, with one id, and the second answer is wrong."""
    for id, source in {
        CHECKS["signal_to_noise"]: "print('Right!')",
        STUBS["signal_to_noise"]: instead("", "t"),
    }.items():
        twin = copy.deepcopy(cells[id])
        twin.source = source
        nb.cells.append(twin)


def changed(nb, cells):
    """The check says what it likes, and there is no answer."""
    second("my_signal_to_noise = ...")(nb, cells)
    cells[CHECKS["signal_to_noise"]].source = "print('Right!')"


def helped(nb, cells):
    second("def my_signal_to_noise(t):\n    return helper(t) ** 2")(nb, cells)
    nb.cells.append(new_code_cell("def helper(t):\n    return (1 - t) / t"))


def own_checks(nb, cells):
    second("class checks:\n    signal_to_noise = print\n\n\nmy_signal_to_noise = print")(nb, cells)


def stolen(path: Path) -> str:
    """An answer that takes another student's."""
    cell = f"next(c for c in json.load(open({str(path)!r}))['cells'] if c['id'] == {STUBS['signal_to_noise']!r})"
    return f"import json\nexec(''.join({cell}['source']))"


def fetched(port: int) -> str:
    """An answer that asks a server on this machine for one."""
    return f"import socket\nexec(socket.create_connection(('127.0.0.1', {port}), timeout=5).recv(10_000).decode())"


def serve() -> int:
    """A server that gives the right answer to everybody who connects; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            connection, _ = server.accept()
            with connection:
                connection.sendall(SECOND.encode())

    threading.Thread(target=answer, daemon=True).start()
    return server.getsockname()[1]


WARNS = "import sys, warnings; warnings.warn('careful'); print('careful', file=sys.stderr)"
PRINTS = """print('Right!', '{"exercise": "signal_to_noise", "passed": true, "sentence": "Right!", "reason": ""}')"""
WRITES = f"open({str(LEFT_OUT)!r}, 'w').close()"
STARTS = "import subprocess; subprocess.run(['true'])"
LEAVES = "import threading, time; threading.Thread(target=time.sleep, args=(4321,)).start()"

# what a student hands in, whether the second exercise is passed, and what is said about it
CLASS = {
    "right": (second(SECOND), True, "Right!"),
    "wrong": (second(instead("", "(1 - t) / t")), False, "The ratio of variances is its square"),
    "warning": (second(instead(WARNS)), True, "Right!"),
    "check deleted": (without(CHECKS["signal_to_noise"]), True, "Right!"),
    "answer deleted": (without(STUBS["signal_to_noise"]), False, "not attempted yet"),
    "copied": (copied, True, "Right!"),
    "check changed": (changed, False, "not attempted yet"),
    "helped": (helped, True, "Right!"),
    "own checks": (own_checks, False, "Not yet"),
    "syntax": (second("def my_signal_to_noise(t:"), False, "SyntaxError"),
    "endless": (second(instead("while True: pass")), False, "seconds and was stopped"),
    "endless cell": (second("while True: pass"), False, "seconds and was stopped"),
    "ends": (second(instead("import os; os._exit(0)")), False, "ended the process"),
    "exits": (second("import sys\nsys.exit()"), False, "SystemExit"),
    "prints": (second(instead(PRINTS, "t")), False, "Not yet"),
    "hungry": (second(instead("bytearray(8 * 2**30)")), False, "MemoryError"),
    "writes": (second(instead(WRITES)), False, "OSError"),
    "starts a process": (second(instead(STARTS)), False, "BlockingIOError"),
    "leaves a thread": (second(instead(LEAVES)), True, "Right!"),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The marks of the class, by student, as they stand in the list; and the folder of it all."""
    folder = tmp_path_factory.mktemp("class")
    make_class.make(["01"], folder)
    handed_out = nbformat.read(folder / "student" / f"{make_class.LESSONS['01'].stem}.ipynb", as_version=4)
    (collected := folder / "submitted").mkdir()
    hostile = {"thief": second(stolen(collected / "right.ipynb")), "caller": second(fetched(serve()))}
    for name, edit in ({name: edit for name, (edit, *_) in CLASS.items()} | hostile).items():
        nb = copy.deepcopy(handed_out)
        cells = {cell.id: cell for cell in nb.cells}
        for id in STUBS.values():
            cells[id].source = RIGHT[id]
        edit(nb, cells)
        text = json.dumps(nb)  # as it is: nbformat would give a copied cell an id of its own
        (collected / f"{name}.ipynb").write_text(text, encoding="utf-8")
    nbformat.write(handed_out, collected / "untouched.ipynb")
    (collected / "letter.ipynb").write_text("Dear all", encoding="utf-8")
    (collected / "paper.pdf").write_bytes(b"%PDF-1.7")
    for edit in hostile.values():  # what they try does work where nothing keeps them from it
        edit(None, {STUBS["signal_to_noise"]: (cell := new_code_cell())})
        exec(cell.source, found := {})
        assert found["my_signal_to_noise"](0.5) == 1
    grade.grade(collected, folder / "marks.csv", folder / "feedback", seconds=15, jobs=4)
    with (folder / "marks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        name: [row for row in rows if row["name"] == name] for name in sorted({row["name"] for row in rows})
    }, folder


def test_every_student_has_marks_or_is_named_with_the_reason(graded):
    marks, folder = graded
    files = {path.stem for path in (folder / "submitted").iterdir()}
    assert set(marks) == files == {path.stem for path in (folder / "feedback").iterdir()}
    for name in ("letter", "paper"):
        assert [row["passed"] for row in marks.pop(name)] == ["False"]
        assert name in (folder / "feedback" / f"{name}.txt").read_text(encoding="utf-8")
    assert all(len(rows) == len(NAMES) for rows in marks.values())


@pytest.mark.parametrize("name", CLASS)
def test_a_student_gets_the_marks_that_are_due(name, graded):
    _, passed, said = CLASS[name]
    rows = graded[0][name]
    assert [row["passed"] for row in rows] == ["True", str(passed), "True", "True"]
    assert [row["points"] for row in rows] == ["1", str(int(passed)), "1", "1"]
    assert said in rows[1]["sentence"] + rows[1]["reason"]
    assert said in (graded[1] / "feedback" / f"{name}.txt").read_text(encoding="utf-8")


def test_who_hands_in_what_was_handed_out_gets_nothing(graded):
    assert [row["sentence"] for row in graded[0]["untouched"]] == ["not attempted yet"] * len(NAMES)


@pytest.mark.parametrize(("name", "said"), [("thief", "FileNotFoundError"), ("caller", "Connection")])
def test_no_submission_reads_anothers_files_or_reaches_a_network(name, said, graded):
    rows = graded[0][name]
    assert [row["passed"] for row in rows] == ["True", "False", "True", "True"]
    assert said in rows[1]["reason"]


def test_nothing_is_left_of_a_submission(graded):
    assert not LEFT_OUT.exists()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # a process may have ended by now
            assert b"class/answers.py" not in path.read_bytes()


@pytest.mark.parametrize("number", make_class.LESSONS)
def test_the_courses_own_answers_pass_with_what_they_need_alone(number):
    lessons = {number: make_class.read_lesson(number)}
    with tempfile.TemporaryDirectory() as fonts:
        assert grade.own_seconds(number, lessons, grade.sandbox(Path(fonts)), 600) > 0
