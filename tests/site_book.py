"""What the book makes of a lesson, how formulas are set, and what is packed: part of `make test-site`."""

import gzip
import sys
from pathlib import Path

import brotli
import nbformat
import pytest
from docutils import nodes
from nbformat.v4 import new_code_cell, new_output

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "notebooks" / "site"
sys.path[:0] = [str(HERE), str(HERE / "book")]
import formulas  # noqa: E402
import lessons  # noqa: E402
import make_site  # noqa: E402


def cell_of(*bundles: dict[str, nodes.Node]) -> nodes.container:
    """What myst-nb makes of a code cell with these outputs."""
    output = nodes.container(nb_element="cell_code_output")
    for bundle in bundles:
        output += (made := nodes.container(nb_element="mime_bundle"))
        for kind, node in bundle.items():
            made += nodes.container("", node, mime_type=kind)
    return nodes.container("", output, nb_element="cell_code", cell_index=3)


def plain(text: str) -> dict[str, nodes.Node]:
    return {"text/plain": nodes.literal_block(text, text)}


def html_in(container: nodes.container) -> str:
    return "".join(node.astext() for node in container.findall(nodes.raw))


def test_bars_leave_no_trace_and_other_text_stays():
    container = cell_of(plain("training 100%|██████████|"), plain("100%|██████████| 4/4"), plain("0.25, or 100%"))
    lessons.still_life(container, new_code_cell(""), "../index.html")
    assert container.astext() == "0.25, or 100%"


def test_a_guess_can_be_made_and_nobody_is_told_that_none_was():
    cell = new_code_cell('guess(\n    "first",\n    "a <b>",\n    "noise",\n)')
    container = cell_of(plain("<guess: run the cell to use it>"))
    lessons.still_life(container, cell, "../index.html")
    html = html_in(container)
    assert html.count('type="radio" name="guess-3"') == 2 and "a &lt;b&gt;" in html and "run the cell" not in html
    told = nodes.paragraph("", "", nodes.Text("You made no guess. It was "), nodes.strong("", "noise"))
    container = cell_of({"text/markdown": told})
    lessons.still_life(container, new_code_cell('told("first", "noise")'), "../index.html")
    assert container.astext() == "It was noise"
    none = nodes.paragraph("", "", nodes.Text("You made no guesses this time. You can go back and make some: what"))
    container = cell_of({"text/markdown": none})
    lessons.still_life(container, new_code_cell("guesses()"), "../index.html")
    assert container.astext() == "In the notebook, your guesses stand here."


def test_below_a_widget_stands_where_it_moves():
    picture = nodes.image(uri="x.png")
    container = cell_of(plain("<prompt box: run the cell to use it>") | {"image/png": picture})
    lessons.still_life(container, new_code_cell("PromptBox(model)"), "../index.html")
    assert 'href="../index.html"' in html_in(container) and picture in [*container.findall(nodes.image)]


def test_pictures_get_their_words_and_wide_ones_a_box():
    lesson = nbformat.read(ROOT / "notebooks" / "06_the_green_banana.ipynb", as_version=4)
    outputs = [o for cell in lesson.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    container = cell_of(*({"image/png": nodes.image(uri="x.png")} for _ in outputs))
    lessons.words_for_pictures(container, [new_output("stream", text="x"), *outputs])
    images = [*container.findall(nodes.image)]
    assert [image["alt"] for image in images] == [o.metadata["image/png"]["alt"] for o in outputs]
    boxed = ["wide" in image.parent["classes"] for image in images]
    assert any(boxed) and not all(boxed)
    with pytest.raises(ValueError):
        lessons.words_for_pictures(container, outputs[1:])  # rather than the words of another


def test_packing_is_the_same_each_time_and_takes_what_was_packed_before(tmp_path, monkeypatch):
    monkeypatch.setattr(make_site, "SITE", tmp_path / "before")
    for folder in ("before", "one", "two"):
        (tmp_path / folder / "a").mkdir(parents=True)
        (tmp_path / folder / "a" / "x.json").write_text("[1, 2, 3] " * 500, encoding="utf-8")
        (tmp_path / folder / "small.txt").write_text("x", encoding="utf-8")
        (tmp_path / folder / "x.png").write_bytes(bytes(5000))
    make_site.pack_all(tmp_path / "one")
    made = {path.name: path.read_bytes() for path in (tmp_path / "one").rglob("x.json.*")}
    text = (tmp_path / "one" / "a" / "x.json").read_bytes()
    assert brotli.decompress(made["x.json.br"]) == text == gzip.decompress(made["x.json.gz"])
    assert {path.name for path in (tmp_path / "one").rglob("*.*")} == {"small.txt", "x.png", "x.json", *made}
    (tmp_path / "before" / "a" / "x.json.br").write_bytes(b"of last time")
    make_site.pack_all(tmp_path / "two")
    assert (tmp_path / "two" / "a" / "x.json.gz").read_bytes() == made["x.json.gz"]
    assert (tmp_path / "two" / "a" / "x.json.br").read_bytes() == b"of last time"


@pytest.fixture
def katex():
    katex = formulas.Katex(str(HERE / "formulas.mjs"))
    yield katex
    katex.close()


def test_a_formula_is_set_for_eyes_and_for_ears(katex):
    html = katex.set(r"\hat{x}_0 = u + w\,(c - u)", display=False)
    assert "<math" in html and 'class="katex"' in html and "katex-display" not in html
    assert "katex-display" in katex.set("x_t", display=True)
    assert "mean_a" in katex.set(r"\text{mean_a} - \text{mean\_b}", display=True)


def test_a_formula_that_cannot_be_set_is_an_error_and_the_next_one_is_set(katex):
    with pytest.raises(ValueError, match="frac"):
        katex.set(r"\frac{1}", display=False)
    assert "katex" in katex.set("1", display=False)
