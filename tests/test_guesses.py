"""Guesses: kept by name, shown beside what happened, never judged harder than they deserve."""

import ast
import html
import itertools
from pathlib import Path
from types import SimpleNamespace

import ipywidgets
import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from course_lib.tools import cells
from course_lib.widgets import guess, guesses, told
from course_lib.widgets.guesses import CHOICES, HAPPENED, MADE, NO_SCORE, NONE_MADE

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture(autouse=True)
def new_kernel():
    """A kernel in which nobody has guessed."""
    for known in (CHOICES, MADE, HAPPENED):
        known.clear()


def step():
    return guess("giant step", "a sharp apple", "a blur", "grey")


def press(asked, choice: str) -> None:
    next(button for button in asked.buttons if button.description == choice).click()


def write(asked, words: str) -> None:
    asked.words.value = words


def marked(asked) -> list[str]:
    return [button.description for button in asked.buttons if button.icon == "check"]


# One guess


def test_without_a_guess_what_happened_is_told_whether_the_question_was_put_or_not():
    assert told("giant step", "a blur").data == "You made no guess. It was **a blur**."
    step()
    assert told("giant step", "a blur").data == "You made no guess. It was **a blur**."


@pytest.mark.parametrize("right", ["a blur", "A blur", "a  blur."])
def test_a_guess_that_came_true_is_told_so_capitals_or_not(right):
    press(step(), "a blur")
    assert told("giant step", right).data == "You guessed **a blur**, and so it was."


def test_a_guess_that_did_not_come_true_stands_beside_what_happened():
    press(step(), "grey")
    assert told("giant step", "a blur").data == "You guessed **grey**. It was **a blur**."


def test_own_words_are_shown_and_not_judged():
    write(step(), "soup")
    assert told("giant step", "a blur").data == (
        "You wrote: soup. It was **a blur**. You decide whether that is what you meant."
    )


def test_a_choice_in_own_letters_is_that_choice():
    asked = step()
    write(asked, " A  Blur. ")
    assert marked(asked) == ["a blur"]
    assert told("giant step", "a blur").data.endswith("and so it was.")


def test_the_last_guess_counts_and_empty_words_are_none():
    asked = step()
    press(asked, "grey")
    write(asked, "soup")
    assert MADE == {"giant step": "soup"} and marked(asked) == []
    press(asked, "a blur")
    assert MADE == {"giant step": "a blur"} and marked(asked) == ["a blur"] and asked.words.value == ""
    write(asked, "   ")
    assert MADE == {"giant step": "a blur"} and "Your guess: a blur." in asked.message.value


def test_a_guess_outlives_its_cell_and_each_name_has_its_own():
    press(step(), "a blur")
    press(guess("colour", "red", "green"), "red")
    assert marked(step()) == ["a blur"] and "Your guess: a blur." in step().message.value
    assert MADE == {"giant step": "a blur", "colour": "red"}


def test_the_panel_says_what_it_did_and_has_words_for_every_control():
    asked = step()
    assert asked.message.value == "" and asked.words.description == "or in your own words:"
    press(asked, "grey")
    assert asked.message.value.startswith("<p role='status'>") and "Your guess: grey." in asked.message.value
    assert [button.layout.width for button in asked.buttons] == ["auto"] * 3  # never cut


def test_whatever_one_writes_is_text_and_nothing_more():
    wild = "<b>*x_t*</b> | `a` $y$ [l](http://x) ~~z~~ \x1b[31m\n\nnew"
    asked = step()
    write(asked, wild)
    assert "<b>" not in asked.message.value and "\x1b" not in asked.message.value
    shown = told("giant step", "a blur").data
    for said in (shown, guesses().data):
        assert (
            "<b>" not in said
            and "\x1b" not in said
            and r"\*x\_t\*" in said
            and r"\|" in said
            and "$y$" not in said
            and "$y\\$" not in said
        )
    assert "\n" not in shown
    assert [line.count(" | ") for line in guesses().data.split("\n\n")[0].splitlines()] == [2, 2, 2]


def test_numbers_are_choices_too():
    press(guess("steps", 1, 20), "20")
    assert told("steps", 20).data == "You guessed **20**, and so it was."


@pytest.mark.parametrize("asked", [("x",), ("x", "a"), ("x", "a", "A."), ("", "a", "b"), ("x", "a", " ")])
def test_what_is_no_question_is_refused(asked):
    with pytest.raises(ValueError, match="at least two different choices"):
        guess(*asked)
    assert not CHOICES


def test_what_is_no_text_is_refused():
    with pytest.raises(TypeError, match="are text, not list"):
        guess("x", ["a", "b"])
    with pytest.raises(TypeError, match="are text, not NoneType"):
        told("x", None)


def test_an_answer_that_was_no_choice_is_refused_and_the_choices_are_named():
    step()
    with pytest.raises(ValueError, match='"a bulr" was no choice .* a sharp apple, a blur, grey'):
        told("giant step", "a bulr")
    assert not HAPPENED


# All guesses


def test_no_guess_is_no_reproach_and_always_the_same_sentence():
    assert guesses().data == NONE_MADE
    step()
    told("giant step", "a blur")
    assert guesses().data == NONE_MADE


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (["a blur"], "Your guess came true."),
        (["grey"], "Your guess did not come true."),
        (["a blur", "a blur"], "Of your 2 guesses, all came true."),
        (["a blur", "grey", "a blur"], "Of your 3 guesses, 2 came true."),
        (["grey", "grey"], "Of your 2 guesses, none came true."),
    ],
)
def test_the_table_says_how_often_one_was_right(made, said):
    for place, choice in enumerate(made):
        press(guess(f"step {place}", "a blur", "grey"), choice)
        told(f"step {place}", "a blur")
    table, sentence = guesses().data.split("\n\n")
    rows = [f"| step {place} | {choice} | a blur |" for place, choice in enumerate(made)]
    assert table.splitlines() == ["| about | you guessed | it was |", "| --- | --- | --- |", *rows]
    assert sentence == f"{said} {NO_SCORE}"


def test_the_table_judges_neither_own_words_nor_what_is_not_seen_yet():
    press(step(), "grey")
    assert guesses().data.endswith("| giant step | grey | not seen yet |")
    write(step(), "soup")
    told("giant step", "a blur")
    table, sentence = guesses().data.split("\n\n")
    assert table.endswith("| giant step | soup | a blur |") and sentence.endswith("only you can judge.")
    assert NO_SCORE not in sentence


# In a notebook


def alive() -> int:
    return len(getattr(ipywidgets.widgets.widget, "_instances", None) or ipywidgets.Widget.widgets)


def test_a_cell_that_is_run_again_leaves_no_more_widgets_alive_and_keeps_the_guess(monkeypatch):
    times = itertools.count()

    def run_cell():
        header = {"msg_type": "execute_request", "msg_id": str(next(times))}
        request = {"header": header, "metadata": {}, "content": {"code": "a cell"}}
        shell = SimpleNamespace(get_parent=lambda: request)
        with monkeypatch.context() as patched:
            patched.setattr("IPython.get_ipython", lambda: shell)
            return step()

    monkeypatch.setattr(cells, "SHOWN", {})
    before = alive()
    first = run_cell()
    one = alive() - before
    press(first, "grey")
    for _ in range(3):
        last = run_cell()
        assert alive() - before == one > 5
    assert first.comm is None and last.comm is not None and marked(last) == ["grey"]
    last.close()
    assert alive() == before


def test_a_saved_page_has_a_line_in_place_of_the_panel():
    data, about = step()._repr_mimebundle_()
    assert data["text/plain"] == "<guess: run the cell to use it>" and about == {} and "image/png" not in data
    assert "application/vnd.jupyter.widget-view+json" in data


def test_in_a_kernel_a_guess_is_heard_and_told():
    notebook = new_notebook(
        cells=[
            new_code_cell("from course_lib.widgets import guess, guesses, told"),
            new_code_cell('asked = guess("step", "a blur", "grey")\nasked'),
            new_code_cell("asked.buttons[1].click()"),
            new_code_cell('told("step", "a blur")'),
            new_code_cell("guesses()"),
        ]
    )
    NotebookClient(notebook, kernel_name="python3").execute()
    said = [html.unescape(cell.outputs[0].data.get("text/markdown", "")) for cell in notebook.cells[3:]]
    assert said[0] == "You guessed **grey**. It was **a blur**." and "| step | grey | a blur |" in said[1]


def calls(path: Path, name: str) -> list[list[str]]:
    """The arguments of each call of this function in a lesson, where they are written out."""
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and f"{name}(" in cell.source:
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name:
                    found.append(
                        [getattr(a, "value", None) if isinstance(a, ast.Constant) else None for a in node.args]
                    )
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_lesson_asks_it_tells(path):
    asked = {name: choices for name, *choices in calls(path, "guess")}
    answers = calls(path, "told")
    assert [name for name, _ in answers] == list(asked)  # each once, in this order
    for name, right in answers:
        assert right is None or str(right).lower() in [str(choice).lower() for choice in asked[name]]
    assert len(calls(path, "guesses")) == bool(asked)
