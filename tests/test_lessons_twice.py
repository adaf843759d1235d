"""Lessons as people run them: a cell twice in a row, or once more after others.

Nothing may fail then. What is printed must be what is committed, later as at first, and a figure must keep the words
that name it. This is looked for in two ways:

- in the code, of all lessons and without running any: no cell changes what another made, and no name that a cell reads
  gets another meaning further down;
- by running each cell twice, and then once more, from the last to the first, but for those that take long. It takes
  some twenty minutes, so it is for `make test-twice` alone.
"""

import ast
import configparser
import re
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

HERE = Path(__file__).resolve().parent
LESSONS = {path.stem[:2]: path for path in sorted(HERE.parent.glob("notebooks/[0-9]*.ipynb"))}

# ---------------------------------------------------------------- in the code

CHANGING = {"add", "append", "clear", "extend", "insert", "pop", "popleft", "register_forward_hook", "update"}
ON_PURPOSE = {
    ("12", "pictures"): "once a learner names a folder, the cells above are for that folder",
}


class Cell(ast.NodeVisitor):
    """What a cell does with names of the lesson: those it reads from other cells, makes, and changes in place."""

    def __init__(self, source: str):
        self.read, self.made, self.imported, self.changed = set(), set(), set(), set()
        self.inner: list[set[str]] = []  # names of functions and comprehensions around here
        self.visit(ast.parse(source))

    def visit_Name(self, node):
        if any(node.id in names for names in self.inner):
            return
        if isinstance(node.ctx, ast.Store):
            (self.inner[-1] if self.inner else self.made).add(node.id)
        elif node.id not in self.made | self.imported:
            self.read.add(node.id)

    def visit_Assign(self, node):
        for part in (node.value, *node.targets):  # in the order in which Python goes
            self.visit(part)

    def visit_AugAssign(self, node):
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self.visit(ast.Name(node.target.id, ast.Load()))
        self.visit(node.target)

    def visit_For(self, node):
        for part in (node.iter, node.target, *node.body, *node.orelse):
            self.visit(part)

    def visit_Import(self, node):
        self.imported |= {(name.asname or name.name).partition(".")[0] for name in node.names}

    visit_ImportFrom = visit_Import

    def visit_Call(self, node):
        self.generic_visit(node)
        taken = isinstance(node.func, ast.Name) and node.func.id == "next" and node.args[0]
        root = node.func if isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING else taken
        while isinstance(root, ast.Attribute | ast.Subscript):
            root = root.value
        if isinstance(root, ast.Name) and root.id in self.read:
            self.changed.add(root.id)

    def within(self, names, *parts):
        self.inner.append(set(names))
        for part in parts:
            self.visit(part)
        self.inner.pop()

    def visit_Lambda(self, node):
        self.within([a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)], node.body)

    def visit_FunctionDef(self, node):
        self.made.add(node.name)
        self.within([a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)], *node.body)

    def visit_ListComp(self, node):
        parts = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        first, *others = node.generators
        self.visit(first.iter)  # outside, so that a name may be read there which is bound inside
        conditions = [condition for one in node.generators for condition in one.ifs]
        targets = {n.id for one in node.generators for n in ast.walk(one.target) if isinstance(n, ast.Name)}
        self.within(targets, *(one.iter for one in others), *conditions, *parts)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp


def name_problems(sources: list[str], number: str = "") -> list[str]:
    """What would go wrong if cells of a lesson ran again, as far as names tell."""
    found, cells = [], [Cell(source) for source in sources]
    for i, cell in enumerate(cells):
        for name in sorted(cell.read):
            homes = [j for j, other in enumerate(cells) if name in other.made]
            above = [j for j in homes if j < i]
            if not above or (number, name) in ON_PURPOSE:
                continue
            if name in cell.made:
                found.append(f"code cell {i} makes its own {name} anew: run again, it starts from another one")
            elif name in cell.changed:
                found.append(f"code cell {i} changes {name} of cell {above[-1]} in place")
            if others := [j for j in homes if j not in (i, above[-1])]:
                found.append(f"code cell {i} reads {name} of cell {above[-1]}, and cell {others[0]} makes another")
    return found


def code_of(lesson) -> list[str]:
    return [cell.source for cell in lesson.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("number", LESSONS)
def test_a_name_means_one_thing_to_the_cells_that_read_it(number):
    found = name_problems(code_of(nbformat.read(LESSONS[number], as_version=4)), number)
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["h = 1", "h = h + 1"], ["makes its own h"]),
        (["h = 1", "h += 1"], ["makes its own h"]),
        (["h = 1", "for i in range(2):\n    h = h * i"], ["makes its own h"]),
        (["scales = [1]", "scales.pop()"], ["changes scales"]),
        (["moments = iter([1])", "next(moments)"], ["changes moments"]),
        (["net = make()", "net.unet.up[-1].register_forward_hook(print)"], ["changes net"]),
        (["t = 1", "print(t)", "t = 2"], ["cell 2 makes another"]),
        (["t = 1", "[t for _ in range(2)]", "for t in range(2):\n    pass"], ["cell 2 makes another"]),
        (["t = 1", "def f(x):\n    return x + t", "t = 2"], ["cell 2 makes another"]),
        (["t = 1", "t = 2\nprint(t)", "t = 3\nt = t + 1"], []),
        (["t = 1", "t = 2", "print(t)"], ["cell 0 makes another"]),
        (["t = 1", "[t for t in range(3)]", "lambda t: t", "def f(t):\n    return t", "t = 2"], []),
        (["scales = [1]", "scales = []\nscales.append(1)"], []),
    ],
)
def test_the_code_tells_what_a_second_run_would_find(cells, said):
    found = name_problems(cells)
    assert len(found) == len(said) and all(part in problem for part, problem in zip(said, found, strict=True)), found


# ---------------------------------------------------------------- by running

LONG, LONGEST = 5.0, 30.0  # seconds: what took so long is not run a third time, or a second

CONFIG = configparser.RawConfigParser()
CONFIG.read(HERE / "nbval.cfg")


def printed(outputs) -> str:
    """What a cell shows as text, with every state of a bar alike."""
    shown = [output.get("data", output) for output in outputs]
    text = "".join(data.get("text") or data.get("text/markdown") or data.get("text/plain", "") for data in shown)
    return re.sub(CONFIG["bars"]["regex"], "BAR", text)


def named(outputs) -> list[str]:
    """What the figures of a cell are called, in words; numbers may hang on how fast this machine is just now."""
    pictures = [output.metadata["image/png"] for output in outputs if "image/png" in output.get("metadata", {})]
    return [re.sub(r"\d\S*", "#", picture["alt"]) for picture in pictures]


def run_in_order(lesson, order: list[int]) -> list[tuple[int, list]]:
    """Run cells of a lesson, told by their places, in one kernel: (place, outputs) of each, errors among them.

    A cell that took long is not run as often.
    """
    notebook = new_notebook(cells=[new_code_cell(lesson.cells[i].source) for i in order], metadata=lesson.metadata)
    client = NotebookClient(
        notebook,
        timeout=1800,
        allow_errors=True,
        store_widget_state=False,
        extra_arguments=["--InlineBackend.figure_formats=png", "--log-level=ERROR"],
        resources={"metadata": {"path": HERE.parent / "notebooks"}},
    )
    took, shown = {}, []
    with client.setup_kernel():
        for position, (i, cell) in enumerate(zip(order, notebook.cells, strict=True)):
            times = took.setdefault(i, [])
            if min(times, default=0) > (LONG if len(times) > 1 else LONGEST):
                continue
            began = time.perf_counter()
            client.execute_cell(cell, position)
            times.append(time.perf_counter() - began)
            shown.append((i, cell.outputs))
    return shown


def run_problems(lesson, order: list[int]) -> list[str]:
    """What goes wrong in this order: errors, other text than is committed, figures that change their names."""
    found, names = [], {}
    for i, outputs in run_in_order(lesson, order):
        cell, where = lesson.cells[i], f"cell {i}, {'again' if i in names else 'first'}"
        found += [f"{where}: {o.ename}: {o.evalue}" for o in outputs if o.output_type == "error"]
        found += [f"{where}: {o.text}" for o in outputs if o.get("name") == "stderr"]
        at_first = names.setdefault(i, named(outputs))
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            continue
        if named(outputs) != at_first:
            found.append(f"{where}: calls its figure {named(outputs)}, not {at_first}")
        if printed(outputs) != printed(cell.outputs):
            found.append(f"{where}: shows {printed(outputs)!r}, not {printed(cell.outputs)!r}")
    return found


@pytest.mark.twice
@pytest.mark.parametrize("number", LESSONS)
def test_cells_that_run_again_show_the_same(number):
    lesson = nbformat.read(LESSONS[number], as_version=4)
    code = [i for i, cell in enumerate(lesson.cells) if cell.cell_type == "code"]
    found = run_problems(lesson, [i for i in code for _ in range(2)] + code[::-1])
    assert not found, "\n".join(["", *found])


@pytest.mark.twice
def test_a_look_at_the_early_network_after_the_end_is_not_called_early():
    lesson = nbformat.read(LESSONS["03"], as_version=4)
    code = [i for i, cell in enumerate(lesson.cells) if cell.cell_type == "code"]
    copy, look = (next(i for i in code if what in lesson.cells[i].source) for what in ("early_ema =", "final_ema ="))
    *_, (_, figure) = run_in_order(lesson, [*(i for i in code if i <= look), copy, look])
    assert "ema step 500, model step 500, ema step 500" in figure[-1].metadata["image/png"]["alt"]
