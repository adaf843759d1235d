"""The rules that every lesson keeps (CONTRIBUTING.md gives the reasons), and a proof that each rule can fail.

These tests read the committed notebooks and run none of them; `pytest --nbval` does that.
"""

import re
from pathlib import Path
from statistics import median

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

LONGEST_CELL = 15  # non-blank lines
MEDIAN_CELL = 5
IGNORED_SHARE = 0.25  # of the code cells may have outputs that nobody compares
LARGEST_FILE = 3_000_000  # bytes

ABSOLUTE_PATH = re.compile(r"(?<![\w.:/~])/(?:home|root|Users|tmp|work)\b|\bC:\\")
NBVAL_MARK = re.compile(r"^\s*#+\s*((?:NBVAL|PYTEST_VALIDATE)_\w+)\s*$", re.MULTILINE)
PICTURE_IN_HTML = re.compile(r"<(?:img|svg|video)\b")
DEFINITION = re.compile(r"^(?:async )?(?:def|class) (\w+)", re.MULTILINE)


def length(cell) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def marks(cell) -> set[str]:
    """The cell's directives to nbval, as tags or as comments, all written like tags: {"nbval-skip"}."""
    comments = {mark.lower().replace("_", "-") for mark in NBVAL_MARK.findall(cell.source)}
    return comments | set(cell.metadata.get("tags", []))


def texts(cell) -> list[str]:
    """Everything a reader of the file sees as text: the source, what was printed, results shown as text."""
    found = [cell.source]
    for output in cell.get("outputs", []):
        found.append(output.get("text", ""))
        found += [str(value) for kind, value in output.get("data", {}).items() if not kind.startswith("image/")]
    return found


def shows_a_picture(cell) -> bool:
    shown = [item for output in cell.get("outputs", []) for item in output.get("data", {}).items()]
    return any(
        kind.startswith("image/") or (kind == "text/html" and PICTURE_IN_HTML.search(str(value)))
        for kind, value in shown
    )


def opening_problems(nb, number: int) -> list[str]:
    """The opening is the markdown above the first code cell: title, question, objectives, minutes."""
    first_code = next((i for i, cell in enumerate(nb.cells) if cell.cell_type == "code"), len(nb.cells))
    opening = "\n".join(cell.source for cell in nb.cells[:first_code] if cell.cell_type == "markdown")
    title = opening.split("\n")[0]
    found = []
    if not re.match(rf"# {number}\. \S", title):
        found.append(f"opening: the title is {title!r}, not '# {number}. ...'")
    if "?" not in opening:
        found.append("opening: no question")
    if not re.search(r"you will|objectives", opening, re.IGNORECASE):
        found.append("opening: no objectives ('You will' or 'Objectives')")
    if "minutes" not in opening:
        found.append("opening: no word on how many minutes it takes")
    return found


def cell_problems(position: int, cell, follower) -> list[str]:
    """Rules for one code cell and the cell after it (`follower`, None at the end)."""
    found = []
    if length(cell) > LONGEST_CELL:
        found.append(f"{length(cell)} lines, at most {LONGEST_CELL}")
    if marks(cell) & {"nbval-skip", "skip-execution"}:
        found.append("is skipped by the tests")
    for output in cell.outputs:
        if output.output_type == "error":
            found.append(f"ends in an error, {output.ename}")
        if output.get("name") == "stderr":
            found.append("writes to stderr")
    if shows_a_picture(cell) and not (
        follower is not None
        and follower.cell_type == "markdown"
        and re.search(r"^\*What to see:\*", follower.source, re.MULTILINE)
    ):
        found.append("shows a picture, and no cell under it has a line that starts with '*What to see:*'")
    return [f"cell {position}: {problem}" for problem in found]


def problems(nb, path: Path) -> list[str]:
    """The rules that the notebook `nb`, read from `path`, breaks; an empty list if it keeps them all."""
    named = re.fullmatch(r"(\d\d)_[a-z0-9_]+\.ipynb", path.name)
    if not named:
        return [f"the name {path.name} is not NN_slug.ipynb"]
    try:
        nbformat.validate(nb)
    except nbformat.ValidationError as error:
        return [f"not a valid notebook: {error}"]
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    prose = [cell for cell in nb.cells if cell.cell_type == "markdown"]
    if not code or not prose or nb.cells[0].cell_type != "markdown":
        return ["opens with no markdown, or has no code"]

    found = opening_problems(nb, int(named.group(1)))
    if not re.search(r"^#+ .*Recap", prose[-1].source, re.MULTILINE):
        found.append("the last markdown cell has no heading 'Recap'")
    if not any(re.search(r"^#+ .*Exercise", cell.source, re.MULTILINE) for cell in prose):
        found.append("no heading 'Exercise'")

    for position, (cell, follower) in enumerate(zip(nb.cells, [*nb.cells[1:], None], strict=True)):
        if any(ABSOLUTE_PATH.search(text) for text in texts(cell)):
            found.append(f"cell {position}: holds an absolute path")
        if cell.cell_type == "code":
            found += cell_problems(position, cell, follower)

    if median(map(length, code)) > MEDIAN_CELL:
        found.append(f"the median code cell has {median(map(length, code))} lines, at most {MEDIAN_CELL}")
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append("not run from top to bottom in a fresh kernel: restart, run all, save")
    if not any(cell.outputs for cell in code):
        found.append("committed without outputs")
    ignored = sum("ignore-output" in mark for cell in code for mark in marks(cell))
    if ignored > IGNORED_SHARE * len(code):
        found.append(f"{ignored} of {len(code)} code cells have outputs that are not compared, at most a quarter")
    if nb.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("its kernel is not called python3, so another computer asks which kernel to use")
    if path.stat().st_size > LARGEST_FILE:
        found.append(f"{path.stat().st_size} bytes, at most {LARGEST_FILE}")
    return found


def repeated_definitions(notebooks: dict) -> list[str]:
    """Functions and classes that two notebooks of {name: notebook} define: they belong in the library."""
    where: dict[str, set[str]] = {}
    for name, nb in notebooks.items():
        for cell in nb.cells:
            for defined in DEFINITION.findall(cell.source) if cell.cell_type == "code" else []:
                where.setdefault(defined, set()).add(name)
    return [f"{defined} in {sorted(names)}" for defined, names in where.items() if len(names) > 1]


def load(path: Path):
    return nbformat.read(path, as_version=4)


def test_there_are_notebooks_numbered_once_each():
    numbers = [path.name[:2] for path in NOTEBOOKS]
    assert numbers, "notebooks/ is empty"
    assert len(numbers) == len(set(numbers)), f"a number is used twice: {numbers}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_notebook_keeps_the_rules(path):
    found = problems(load(path), path)
    assert not found, "\n".join(["", *found])


def test_no_two_notebooks_define_the_same_function():
    assert not repeated_definitions({path.name: load(path) for path in NOTEBOOKS})


# ---------------------------------------------------------------- proof that the rules can fail


def good_notebook():
    """A lesson that keeps every rule: 0 opening, 1 figure, 2 what to see, 3-6 code, 7 exercise, 8 recap."""
    figure = new_output("display_data", {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 640x480>"})
    printed = new_output("stream", name="stdout", text="torch.Size([3, 32, 32]) in [-1, 1]\n")
    code = [new_code_cell("x = add_noise(x0, t)\nx.shape", outputs=[printed]) for _ in range(5)]
    code[0].outputs = [figure]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
    opening = "# 1. Adding noise\n\nHow does a picture drown?\n\nYou will mix noise in. Takes 20 minutes."
    cells = [
        new_markdown_cell(opening),
        code[0],
        new_markdown_cell("*What to see:* the banana fades."),
        *code[1:],
        new_markdown_cell("## Exercise 1\n\nMix it yourself, see https://example.org/home/work."),
        new_markdown_cell("## Recap\n\nNext comes training."),
    ]
    return new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})


def written(nb, path: Path) -> Path:
    path.write_text(nbformat.writes(nb), encoding="utf-8")
    return path


def set_source(position: int, source: str):
    """A change to a notebook that gives one cell another source."""
    return lambda nb: nb.cells[position].update(source=source)


def set_output(position: int, kind: str, **fields):
    """A change to a notebook that gives one code cell another output."""
    return lambda nb: nb.cells[position].update(outputs=[new_output(kind, **fields)])


# What is done to the good notebook, and a part of the one problem that must be reported.
DAMAGE = {
    "wrong number": (set_source(0, "# 2. Noise\nWhy? You will see in 20 minutes."), "not '# 1. ...'"),
    "no question": (set_source(0, "# 1. Noise\nYou will mix. 20 minutes."), "no question"),
    "no objectives": (set_source(0, "# 1. Noise\nWhy? 20 minutes."), "no objectives"),
    "no minutes": (set_source(0, "# 1. Noise\nWhy? You will mix."), "minutes"),
    "no markdown first": (lambda nb: nb.cells.pop(0), "opens with no markdown"),
    "no recap": (lambda nb: nb.cells.pop(), "'Recap'"),
    "no exercise": (lambda nb: nb.cells.pop(7), "'Exercise'"),
    "long cell": (set_source(3, "x = 1\n" * 16), "16 lines"),
    "long median": (lambda nb: [set_source(i, "x = 1\n" * 6)(nb) for i in (3, 4, 5)], "median"),
    "out of order": (lambda nb: nb.cells[4].update(execution_count=9), "fresh kernel"),
    "not run": (lambda nb: nb.cells[4].update(execution_count=None), "fresh kernel"),
    "no outputs": (
        lambda nb: [cell.update(outputs=[]) for cell in nb.cells if "outputs" in cell],
        "without outputs",
    ),
    "error": (set_output(3, "error", ename="ValueError", evalue="no", traceback=[]), "ValueError"),
    "stderr": (set_output(3, "stream", name="stderr", text="a warning"), "stderr"),
    "path printed": (set_output(3, "stream", name="stdout", text="saved /home/ann/run"), "absolute path"),
    "path shown": (
        set_output(3, "display_data", data={"text/plain": "PosixPath('/tmp/x')"}),
        "absolute path",
    ),
    "path in source": (set_source(3, r"open('C:\\ann')"), "absolute path"),
    "path in prose": (set_source(7, "## Exercise 1\nLook in `/Users/ann`."), "absolute path"),
    "skip tag": (lambda nb: nb.cells[3].metadata.update(tags=["nbval-skip"]), "skipped"),
    "skip comment": (set_source(3, "# NBVAL_SKIP\nx = 1"), "skipped"),
    "much ignored": (
        lambda nb: (
            [set_source(3, "# NBVAL_IGNORE_OUTPUT\nx = 1")(nb)]
            + [nb.cells[4].metadata.update(tags=["nbval-ignore-output"])]
        ),
        "2 of 5",
    ),
    "mute figure": (set_source(2, "The banana fades."), "What to see"),
    "mute HTML figure": (
        set_output(4, "display_data", data={"text/html": "<img src='data:'>"}),
        "What to see",
    ),
    "other kernel": (lambda nb: nb.metadata.kernelspec.update(name="ann"), "python3"),
    "not a notebook": (lambda nb: nb.cells[3].update(cell_type="poem"), "not a valid notebook"),
    "large file": (lambda nb: nb.cells[1].outputs[0].data.update({"image/png": "A" * 3_000_000}), "bytes"),
}


def test_a_good_notebook_has_no_problems(tmp_path):
    path = written(good_notebook(), tmp_path / "01_adding_noise.ipynb")
    assert problems(load(path), path) == []


@pytest.mark.parametrize("damage", DAMAGE)
def test_each_rule_finds_its_problem_and_no_other(damage, tmp_path):
    change, expected = DAMAGE[damage]
    nb = good_notebook()
    path = written(nb, tmp_path / "01_adding_noise.ipynb")
    change(nb)
    if damage == "large file":
        written(nb, path)
    (found,) = problems(nb, path)
    assert expected in found


@pytest.mark.parametrize("name", ["noise.ipynb", "1_noise.ipynb", "01-noise.ipynb", "01_Noise.ipynb"])
def test_a_wrong_name_is_found(name):
    assert problems(good_notebook(), Path(name)) == [f"the name {name} is not NN_slug.ipynb"]


def test_a_function_defined_in_two_notebooks_is_found():
    first, second = good_notebook(), good_notebook()
    set_source(3, "def blur(x):\n    return x")(first)
    assert repeated_definitions({"01": first, "02": second}) == []
    set_source(4, "def blur(x):\n    return -x")(second)
    assert repeated_definitions({"01": first, "02": second}) == ["blur in ['01', '02']"]
