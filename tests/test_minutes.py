"""Lessons keep their hour: the minutes that they state are those that their pieces add up to."""

import re
from pathlib import Path

import nbformat
import pytest
from minutes import FOLDER, LESSONS, STOP, count, long_looks, long_stretches, stated, to_a_stop
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_lib.classroom import machine

MOST, NO_STOP_BELOW, WITHIN = 60, 30, 0.15


def load(path: Path):
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
def test_a_lesson_takes_the_minutes_that_it_states(path):
    lesson = load(path)
    counted = count(lesson).minutes
    assert abs(counted - stated(lesson)) <= WITHIN * stated(lesson), f"{counted:.0f} counted, {stated(lesson)} stated"
    assert stated(lesson) <= MOST
    (in_forecast,) = [of[0] for name, of in machine.LESSONS.items() if name[:2] == path.name[:2]]
    assert in_forecast == stated(lesson)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
def test_a_long_lesson_has_a_place_to_stop_near_its_middle(path):
    lesson = load(path)
    if stated(lesson) > NO_STOP_BELOW:
        assert 0.35 <= to_a_stop(lesson) <= 0.65, f"it comes after {to_a_stop(lesson):.0%}"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
def test_no_long_prose_stands_between_two_things_to_do(path):
    assert [*long_stretches(load(path)), *long_looks(load(path))] == []


def anchors(nb) -> set[str]:
    """Where links into a notebook may lead, by the lab's rule: a heading's words, joined by hyphens."""
    headings = re.findall(r"^#+ (.+)$", "\n".join(cell.source for cell in nb.cells), re.MULTILINE)
    return {heading.replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [*LESSONS, FOLDER / "glossary.ipynb"], ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    prose = "\n".join(cell.source for cell in load(path).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([\w./-]+?\.(?:ipynb|md))(?:#([^)]*))?\)", prose)
    missing = [name for name, _ in links if not (FOLDER / name).exists()]
    lost = [
        f"{name}#{anchor}"
        for name, anchor in links
        if anchor and name not in missing and anchor not in anchors(load(FOLDER / name))
    ]
    assert missing + lost == []


@pytest.mark.parametrize("path", LESSONS[1:], ids=lambda path: path.name)
def test_a_lesson_links_to_another_and_to_the_glossary(path):
    prose = "\n".join(cell.source for cell in load(path).cells if cell.cell_type == "markdown")
    others = set(re.findall(r"\]\((\d\d_\w+\.ipynb)", prose)) - {path.name, LESSONS[0].name}
    assert others and "](glossary.ipynb#" in prose


def lesson_of(*cells):
    return new_notebook(cells=[new_markdown_cell("# 1. Noise\n\nTakes 3 minutes."), *cells])


def test_each_piece_has_its_time():
    empty = count(lesson_of()).minutes
    figure = new_output("display_data", {"image/png": "iVBORw0KGgo="})
    pieces = {
        1: new_markdown_cell("word " * 180),
        0: new_markdown_cell(f"<details>{'word ' * 180}</details>"),
        20 / 60: new_code_cell("x"),
        50 / 60: new_code_cell("x", outputs=[figure]),
        (40 + 5 * 60 / 180) / 60: new_markdown_cell("**Before you run it:** why?"),
        6 + 4 / 180: new_markdown_cell("## Exercise 1: guess"),
        3 + 5 / 180: new_markdown_cell("## Experiment: try (3 minutes)"),
        2 + 6 / 180: new_markdown_cell("## Questions\n\n**1. Why?**\n\n**2. How?**"),
    }
    for minutes, cell in pieces.items():
        assert count(lesson_of(cell)).minutes - empty == pytest.approx(minutes), cell.source


def test_an_exercise_holds_its_own_cells_and_an_appendix_holds_no_time():
    exercise = [new_markdown_cell("## Exercise 1: guess"), new_code_cell("..."), new_code_cell("check")]
    after = [new_markdown_cell("## For the curious\n\n" + "word " * 900), new_code_cell("x")]
    assert count(lesson_of(*exercise)).code == 0
    assert count(lesson_of(*exercise, new_markdown_cell("## Next"), new_code_cell("x"))).code == 1
    assert count(lesson_of(*exercise, *after)).minutes == count(lesson_of(*exercise)).minutes


def test_what_is_too_long_is_found():
    long = [new_markdown_cell("word " * 60), new_markdown_cell("word " * 60)]
    assert long_stretches(lesson_of(*long, new_code_cell("x"))) == ["cells 0 to 2: 126 words, at most 110"]
    assert long_stretches(lesson_of(long[0], new_code_cell("x"), long[1])) == []
    assert long_looks(lesson_of(new_markdown_cell("*What to see:* a. b. c. d."))) == [
        "cell 1: 4 sentences to see, at most 3"
    ]
    assert (
        long_looks(lesson_of(new_markdown_cell("*What to see:* at 0.5 it is blurred. b (c). d!\n\nMore. And."))) == []
    )


def test_the_place_to_stop_is_a_share_of_the_minutes():
    halves = [new_markdown_cell("word " * 900), new_markdown_cell(f"{STOP} Next comes more."), new_code_cell("x")]
    assert 0.85 < to_a_stop(lesson_of(*halves)) < 1
    assert to_a_stop(lesson_of(halves[0])) == 0
