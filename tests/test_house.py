"""The house: who may import whom, how large a room may be, and that CONTRIBUTING shows the order that is held here."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "course_lib"
CORE = ("noise", "captions", "model", "train", "sample")  # in reading order
ROOMS = ("tools", "fruit", "own", "beyond", "judging", "weights")
ROOMS += ("classroom", "checks", "widgets", "export", "commands")
FILES = sorted(LIBRARY.rglob("*.py"))
LINES = {path: path.read_text(encoding="utf-8").count("\n") for path in FILES}


def place(module: str) -> str:
    """The room of a module of the library, or the core module itself: "course_lib.fruit.words" lies in "fruit"."""
    return module.split(".")[1] if "." in module else ""


def imports(text: str) -> list[tuple[str, str]]:
    """What a file imports from the library: (module, name), at the top or inside a function."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("course_lib"):
            for name in node.names:
                inside = node.module == "course_lib"
                found.append((f"course_lib.{name.name}" if inside else node.module, name.name))
        elif isinstance(node, ast.Import):
            found += [(name.name, "") for name in node.names if name.name.startswith("course_lib")]
    return found


def misplaced(path: str, text: str) -> list[str]:
    """What is wrong with the imports of a file of the library, whose path is told from course_lib on."""
    here = Path(path).with_suffix("").parts[0]
    allowed = {*CORE[: CORE.index(here)]} if here in CORE else {*CORE, *ROOMS[: ROOMS.index(here)], here}
    found = []
    for module, name in imports(text):
        room = place(module)
        if room not in allowed:
            found.append(f"{path} may not import {module}: it stands before {room or 'it'} in the order")
        if room != here and name.startswith("_") and not name.startswith("__"):
            found.append(f"{path} imports {name}, a private name of {module}")
    return found


@pytest.mark.parametrize("path", [path for path in FILES if path.parent != LIBRARY or path.stem in CORE], ids=str)
def test_imports_run_one_way_and_the_core_imports_no_room(path):
    assert not misplaced(str(path.relative_to(LIBRARY)), path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("noise.py", "from course_lib.tools.files import DATA", "may not import course_lib.tools.files"),
        ("model.py", "from course_lib.train import Run", "may not import course_lib.train"),
        ("fruit/words.py", "def f():\n    from course_lib.weights import load", "may not import course_lib.weights"),
        ("fruit/words.py", "from course_lib import widgets", "may not import course_lib.widgets"),
        ("weights/store.py", "from course_lib.fruit.prompts import _GRAMMAR", "a private name"),
        ("weights/store.py", "import course_lib.commands.main", "may not import course_lib.commands.main"),
    ],
)
def test_an_import_against_the_order_is_found(path, text, said):
    (problem,) = misplaced(path, text)
    assert said in problem


def test_every_file_lives_in_the_core_or_in_a_room():
    assert {path.stem for path in LIBRARY.glob("*.py")} == {*CORE, "__init__", "__main__"}
    assert {path.parent.name for path in LIBRARY.glob("*/*.py")} == set(ROOMS)


def test_nothing_grows_out_of_sight():
    assert sum(LINES[LIBRARY / f"{name}.py"] for name in CORE) <= 850
    assert not {path.name: count for path, count in LINES.items() if count > 400}
    files = [path for path in FILES if path.name[0] != "_" and not path.match("checks/lesson_*.py")]  # one a lesson
    assert not [room for room in ROOMS if sum(path.parent.name == room for path in files) > 12]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_in_one_sentence_who_lives_there_and_in_another_who_may_not(room):
    said = ast.get_docstring(ast.parse((LIBRARY / room / "__init__.py").read_text(encoding="utf-8")))
    assert said and said.count(". ") >= 1 and "\n\n" not in said and said.endswith(".")


def test_contributing_shows_this_order():
    picture = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    first_words = [line.split()[0].rstrip("/") for line in picture.splitlines() if line.strip()]
    assert [word for word in first_words if word in (*CORE, *ROOMS)] == [*CORE, *ROOMS]


def without_encoding(text: str) -> list[int]:
    """The lines of a program that read or write text in whatever letters the machine prefers, which differ."""
    found = []
    for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        of = getattr(getattr(call.func, "value", None), "id", "")
        mode = [
            word.value for word in (*call.args, *(k.value for k in call.keywords)) if isinstance(word, ast.Constant)
        ]
        binary = name == "open" and (of in ("Image", "tarfile", "zipfile", "os") or any("b" in str(m) for m in mode))
        given = {keyword.arg for keyword in call.keywords}
        if name in ("open", "fdopen", "read_text", "write_text") and not binary and "encoding" not in given:
            found.append(call.lineno)
    return found


@pytest.mark.parametrize(
    "path", [*FILES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_text_is_read_and_written_in_one_encoding(path):
    assert without_encoding(path.read_text(encoding="utf-8")) == []


def test_what_leaves_the_encoding_open_is_found():
    text = """path.read_text()
path.write_text("x")
open(path)
path.open("w")
path.open("rb")
open(path, mode="wb")
Image.open(path)
path.open(encoding="utf-8")
path.read_text(encoding="utf-8")"""
    assert without_encoding(text) == [1, 2, 3, 4]


def loaded(*arguments: str, status: int = 0) -> set[str]:
    """The packages that a command of ours loads, in a process of its own."""
    program = (
        "import sys; from course_lib.commands.main import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    )
    program += (
        "print(*sorted({name.partition('.')[0] for name in sys.modules} | {*sys.modules} & {'matplotlib.pyplot'}))"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["generate", "--help"], ["generate", "a red apple", "--stepps", "5"], ["generate", "a red bananna"]],
    ids=" ".join,
)
def test_help_and_refusals_load_no_torch(arguments):
    assert not loaded(*arguments) & {"torch", "scipy", "numpy", "matplotlib", "tqdm", "PIL"}


def test_generating_loads_no_more_than_it_needs(tmp_path):
    found = loaded("generate", "a green banana", "--steps", "1", "--out", str(tmp_path / "x.png"))
    assert "torch" in found and not found & {"scipy", "matplotlib.pyplot", "matplotlib", "IPython", "sympy"}
