"""The rules that every lesson keeps (CONTRIBUTING.md gives the reasons), and a proof that each rule can fail.

These tests read the committed notebooks and run none of them; `pytest --nbval` does that.
"""

import base64
import builtins
import configparser
import importlib
import io
import re
from pathlib import Path
from statistics import median

import nbformat
import numpy as np
import pytest
from minutes import main_part
from nbconvert import ScriptExporter
from nbconvert.filters import get_metadata
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from run_notebooks import LANGUAGE, finished, packed

import course_lib

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
PACKAGE = Path(course_lib.__file__).parent
NOTEBOOKS = sorted(FOLDER.glob("[0-9]*.ipynb"))

LONGEST_CELL = 15  # non-blank lines
MEDIAN_CELL = 5
IGNORED_SHARE = 0.25  # of the code cells may have outputs that nobody compares
LARGEST_FILE = 3_000_000  # bytes
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

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
        if "image/png" in output.get("data", {}) and not get_metadata(output, "alt", "image/png"):
            found.append("shows a picture without alternative text: draw it with `show`, run `make outputs`")
        if WIDGET_VIEW in output.get("data", {}):
            found.append("holds the view of a widget, which is dead without its kernel: run `make outputs`")
    if shows_a_picture(cell) and not (
        follower is not None
        and follower.cell_type == "markdown"
        and re.search(r"^\*What to see:\*", follower.source, re.MULTILINE)
    ):
        found.append("shows a picture, and no cell under it has a line that starts with '*What to see:*'")
    return [f"cell {position}: {problem}" for problem in found]


def exercise_problems(nb) -> list[str]:
    """Two exercises and an experiment: each a heading, a stub, a check that says so, a hint and an answer, in order."""
    parts: list[list] = []
    for cell in nb.cells:
        heading = cell.cell_type == "markdown" and re.search(r"^#+ .*", cell.source)
        if heading and re.search(r"^#+ Ex(?:ercise \d|periment\b)", cell.source):
            parts.append([])
        elif heading and parts and parts[-1] is not None:
            parts.append(None)  # the next part of the lesson
        if parts and parts[-1] is not None:
            parts[-1].append(cell)
    exercises = [part for part in parts if part is not None]
    if not any(cell.get("outputs") for cell in nb.cells):
        return []  # reported once, for the whole lesson
    found = []
    for kind, least in {"Exercise": 2, "Experiment": 1}.items():
        count = sum(bool(re.search(rf"^#+ {kind}", part[0].source, re.MULTILINE)) for part in exercises)
        if count < least:
            found.append(f"{count} headings '{kind}', at least {least}")
    for part in exercises:
        name = re.search(r"^#+ (Ex\w+(?: \d)?)", part[0].source, re.MULTILINE).group(1)
        code = [cell for cell in part if cell.cell_type == "code"]
        text = "\n".join(cell.source for cell in part if cell.cell_type == "markdown")
        if not code or not re.search(r"^\s*(?:\w+ = )?\.\.\.", code[0].source, re.MULTILINE):
            found.append(f"{name}: its first code cell is no stub with '...'")
        if not any("checks." in cell.source and "not attempted yet" in "".join(texts(cell)) for cell in code):
            found.append(f"{name}: no check whose committed output is 'not attempted yet'")
        for folded in ("Hint", "Answer"):
            if f"<summary>{folded}</summary>" not in text:
                found.append(f"{name}: no folded '{folded}'")
        if re.search(r"show\.source\(", text.partition("<summary>Answer</summary>")[2]):
            found.append(f"{name}: its answer says where to look, and not what it is")
    return found


def question_problems(text: str) -> list[str]:
    """At least three questions, each in bold with a number, and a folded answer after it."""
    questions = text.partition("## Questions")[2].partition("\n## ")[0]
    count = len(re.findall(r"^\*\*\d\. [^\n]*\*\*.*?<details><summary>Answer</summary>", questions, re.M | re.S))
    return [] if count >= 3 else [f"{count} questions with a folded answer under '## Questions', at least three"]


MODULES = [path for path in sorted(PACKAGE.rglob("[a-z]*.py")) if "commands" not in path.parts]
LIBRARY = {  # those of the checks have the names of what they check
    path.stem: importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
    for path in MODULES
}
SPOKEN = {  # LaTeX to the names that the library's docstrings use
    r"\\hat\{?x\}?_\{?0\}?": "x0_hat",
    r"\\hat\{?\\varepsilon\}?": "eps_hat",
    r"\\varepsilon": "eps",
    r"x_\{?0\}?(?![_\d])": "x0",
    r"\\(?:mathrm|text|operatorname)\{([^}]*)\}": r"\1",
    r"\\frac\{([^{}]*)\}\{([^{}]*)\}": r"\1/\2",
    r"\\sqrt\{([^{}]*)\}": r"sqrt\1",
    r"\\(?:left|right|cdot|quad|;|,|!|\|)": "",
    r"\\([a-zA-Z]+)": r"\1",
}


def squeeze(formula: str) -> str:
    """A formula, in LaTeX or as in a docstring, without what the two ways of writing differ in."""
    for pattern, name in SPOKEN.items():
        formula = re.sub(pattern, name, formula)
    return re.sub(r"[\s(){}\[\]*.|]", "", formula)


RIGHT = [path for path in PACKAGE.rglob("*.py") if "checks" not in path.parts]  # what checks foresee is wrong
DOCSTRINGS = squeeze("".join(path.read_text(encoding="utf-8") for path in RIGHT))


def statement_problems(nb, text: str) -> list[str]:
    """Each `function(...)` that the prose names, and each formula set apart, exists in the library."""
    code = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "code")
    found = []
    for name in sorted(set(re.findall(r"`([A-Za-z_][\w.]*)\([^`]*`", text))):
        first, *rest = name.split(".")
        homes = [module for module in LIBRARY.values() if hasattr(module, first)]
        known = hasattr(builtins, first) or first in ("torch", "np") or re.search(rf"\b{first}\b", code)
        if first in LIBRARY and rest:
            known = hasattr(LIBRARY[first], rest[0])
        if not (homes or known):
            found.append(f"prose names {name}(), which neither the library nor the lesson has")
    for formula in re.findall(r"\$\$(.+?)\$\$", text, re.DOTALL):
        side = re.split(r"(?<![<>!])=", formula, maxsplit=1)[-1]
        if squeeze(side.rstrip(" .,")) not in DOCSTRINGS:
            found.append(f"no docstring of the library has the formula {formula.strip()!r}")
    return found


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
    last = [cell for cell in main_part(nb) if cell.cell_type == "markdown"][-1]
    if not re.search(r"^#+ .*Recap", last.source, re.MULTILINE):
        found.append("its end, before what is for the curious, has no heading 'Recap'")
    text = "\n".join(cell.source for cell in prose)
    if "**Before you run it:**" not in text:
        found.append("nothing to predict: no '**Before you run it:**'")
    found += exercise_problems(nb) + question_problems(text) + statement_problems(nb, text)

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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_becomes_a_script_with_its_prose_in_comments(path):
    nb = load(path)
    assert nb.metadata.language_info == LANGUAGE, "run `make outputs`"
    script, about = ScriptExporter().from_notebook_node(nb)
    assert about["output_extension"] == ".py"
    assert not [cell.source for cell in nb.cells if cell.source.splitlines()[0] not in script]
    comments = [line for line in script.splitlines() if line.startswith("# ")]
    titles = [cell.source.splitlines()[0] for cell in nb.cells if cell.source.startswith("#")]
    assert not [title for title in titles if f"# {title}" not in comments]


def test_no_two_notebooks_define_the_same_function():
    assert not repeated_definitions({path.name: load(path) for path in NOTEBOOKS})


# ---------------------------------------------------------------- proof that the rules can fail


def good_notebook():
    """A lesson that keeps every rule.

    0 opening, 1 figure, 2 what to see, 3-8 code, 9-12 and 13-16 exercises, 17 formula, 18 questions, 19 an experiment
    of four cells, 23 recap.
    """
    figure = new_output("display_data", {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 640x480>"})
    figure.metadata = {"image/png": {"alt": "A banana."}}
    printed = new_output("stream", name="stdout", text="torch.Size([3, 32, 32]) in [-1, 1]\n")
    code = [new_code_cell("x = add_noise(x0, t)\nx.shape", outputs=[printed]) for _ in range(7)]
    code[0].outputs = [figure]
    untouched = new_output("stream", name="stdout", text="not attempted yet\n")
    stub = 'def mine(x0):\n    """Noise."""\n    ...  # your line goes here'
    exercises = [new_code_cell(stub), new_code_cell("checks.add_noise(mine)", outputs=[untouched])]
    for _ in range(2):
        exercises += [new_code_cell("answer = ..."), new_code_cell("checks.add_noise(answer)", outputs=[untouched])]
    for count, cell in enumerate([*code, *exercises], start=1):
        cell.execution_count = count
    folded = "<details><summary>{}</summary>\n\nSo.\n\n</details>"
    help_ = f"{folded.format('Hint')}\n{folded.format('Answer')}"
    opening = "# 1. Adding noise\n\nHow does a picture drown?\n\nYou will mix noise in. Takes 20 minutes."
    questions = "\n\n".join(f"**{i}. Why?**\n\n{folded.format('Answer')}" for i in (1, 2, 3))
    cells = [
        new_markdown_cell(opening),
        code[0],
        new_markdown_cell("*What to see:* the banana fades.\n\n**Before you run it:** will it?"),
        *code[1:],
        new_markdown_cell("## Exercise 1: mix\n\nMix it yourself, see https://example.org/home/work."),
        *exercises[:2],
        new_markdown_cell(help_),
        new_markdown_cell("## Exercise 2: again"),
        *exercises[2:4],
        new_markdown_cell(help_),
        new_markdown_cell("## The formula\n\n$$x_t = (1 - t)\\, x_0 + t\\, \\varepsilon$$\n\n`add_noise(x0)`"),
        new_markdown_cell(f"## Questions\n\n{questions}"),
        new_markdown_cell("## Experiment: less"),
        *exercises[4:],
        new_markdown_cell(help_),
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
    "one exercise": (lambda nb: nb.cells.pop(13), "1 headings 'Exercise'"),
    "no experiment": (set_source(19, "Less."), "0 headings 'Experiment'"),
    "an answer that points": (
        lambda nb: nb.cells[16].update(source=nb.cells[16].source.replace("So.", "`show.source(noise.add_noise)`")),
        "where to look",
    ),
    "no stub": (set_source(14, "answer = 1"), "Exercise 2: its first code cell is no stub"),
    "no check": (set_source(15, "answer"), "Exercise 2: no check"),
    "answered": (set_output(11, "stream", name="stdout", text="Right!\n"), "Exercise 1: no check"),
    "no hint": (lambda nb: nb.cells[12].update(source=nb.cells[12].source.replace("Hint", "Tip")), "folded 'Hint'"),
    "no answer": (lambda nb: nb.cells[16].update(source="<summary>Hint</summary>"), "folded 'Answer'"),
    "few questions": (
        lambda nb: nb.cells[18].update(source=nb.cells[18].source.replace("**3. Why?**", "3.")),
        "2 questions",
    ),
    "nothing to predict": (set_source(2, "*What to see:* the banana fades."), "predict"),
    "wrong name": (set_source(17, "`add_nose(x0)` adds noise."), "add_nose()"),
    "wrong formula": (set_source(17, r"$$x_t = t\, x_0 + (1 - t)\, \varepsilon$$"), "formula"),
    "long cell": (set_source(3, "x = 1\n" * 16), "16 lines"),
    "long median": (lambda nb: [set_source(i, "x = 1\n" * 6)(nb) for i in (1, *range(3, 9))], "median"),
    "out of order": (lambda nb: nb.cells[4].update(execution_count=9), "fresh kernel"),
    "not run": (lambda nb: nb.cells[4].update(execution_count=None), "fresh kernel"),
    "no outputs": (
        lambda nb: [cell.update(outputs=[]) for cell in nb.cells if "outputs" in cell],
        "without outputs",
    ),
    "error": (set_output(3, "error", ename="ValueError", evalue="no", traceback=[]), "ValueError"),
    "dead widget": (
        set_output(3, "display_data", data={WIDGET_VIEW: {"model_id": "1"}, "text/plain": "a bar"}),
        "view of a widget",
    ),
    "stderr": (set_output(3, "stream", name="stderr", text="a warning"), "stderr"),
    "path printed": (set_output(3, "stream", name="stdout", text="saved /home/ann/run"), "absolute path"),
    "path shown": (
        set_output(3, "display_data", data={"text/plain": "PosixPath('/tmp/x')"}),
        "absolute path",
    ),
    "path in source": (set_source(3, r"open('C:\\ann')"), "absolute path"),
    "path in prose": (set_source(17, "Look in `/Users/ann`."), "absolute path"),
    "skip tag": (lambda nb: nb.cells[3].metadata.update(tags=["nbval-skip"]), "skipped"),
    "skip comment": (set_source(3, "# NBVAL_SKIP\nx = 1"), "skipped"),
    "much ignored": (
        lambda nb: (
            [set_source(3, "# NBVAL_IGNORE_OUTPUT\nx = 1")(nb)]
            + [nb.cells[i].metadata.update(tags=["nbval-ignore-output"]) for i in (4, 5, 6)]
        ),
        "4 of 13",
    ),
    "mute figure": (set_source(2, "The banana fades. **Before you run it:** will it?"), "What to see"),
    "no alternative text": (lambda nb: nb.cells[1].outputs[0].update(metadata={}), "alternative text"),
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


@pytest.mark.parametrize(
    ("began", "ended"),
    [
        ("a green banana:   0%|          | 0/51 [00:00<?, ?it/s]", "a green banana: 100%|██████████| 51/51"),
        ("training   0 %|          | ? left", "training 100%|██████████|"),
        ("<Figure size 320x375 with 1 Axes>", "<Figure size 320x375 with 1 Axes>"),
    ],
)
def test_a_saved_bar_stands_at_its_end_and_nbval_takes_its_states_for_the_same(began, ended):
    assert finished(began) == ended
    config = configparser.RawConfigParser()
    config.read(Path(__file__).with_name("nbval.cfg"))
    alike = [re.sub(config["bars"]["regex"], "BAR", text) for text in (began, ended)]
    assert alike[0] == alike[1]


@pytest.mark.parametrize("name", ["noise.ipynb", "1_noise.ipynb", "01-noise.ipynb", "01_Noise.ipynb"])
def test_a_wrong_name_is_found(name):
    assert problems(good_notebook(), Path(name)) == [f"the name {name} is not NN_slug.ipynb"]


def test_a_function_defined_in_two_notebooks_is_found():
    first, second = good_notebook(), good_notebook()
    set_source(10, "def ours(x0):\n    ...")(second)
    set_source(3, "def blur(x):\n    return x")(first)
    assert repeated_definitions({"01": first, "02": second}) == []
    set_source(4, "def blur(x):\n    return -x")(second)
    assert repeated_definitions({"01": first, "02": second}) == ["blur in ['01', '02']"]


@pytest.mark.parametrize("opacity", [255, 100])
def test_a_picture_is_packed_without_the_loss_of_a_pixel(opacity):
    pixels = np.random.default_rng(0).integers(0, 8, (40, 40, 4), dtype=np.uint8) * 30
    pixels[..., 3] = opacity
    told = PngInfo()
    told.add_text("Software", "some version")
    told.add_text("Letters", "22.2")
    Image.fromarray(pixels).save(file := io.BytesIO(), "PNG", compress_level=1, pnginfo=told)
    png = base64.b64encode(file.getvalue()).decode()
    again = Image.open(io.BytesIO(base64.b64decode(packed(png))))
    assert again.text == {"Letters": "22.2"}
    assert np.array_equal(np.asarray(again.convert("RGBA")), pixels) and len(packed(png)) < len(png)
