"""The handout and the cheat sheet as they are made of the lessons, without KaTeX and without a browser.

`browser_handout.py` has what needs these.
"""

import importlib
import json
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

pytest.importorskip("mdit_py_plugins", reason="Markdown with formulas comes with the extra `site`")
ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
NAMES = [*sorted(path.stem for path in NOTEBOOKS.glob("[0-9]*.ipynb")), "glossary"]
EMPTY = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, its ids, its text outside of styles; which tags stay open."""

    def __init__(self, html: str):
        super().__init__()
        self.tags, self.text, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open += [tag] if tag not in EMPTY else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def plain(tex: str, display: bool) -> str:
    """In place of KaTeX."""
    return f'<span class="katex">{tex.replace("&", "&amp;").replace("<", "&lt;")}</span>'


@pytest.fixture(scope="module")
def made():
    """The program."""
    sys.path.insert(0, str(NOTEBOOKS / "lectern"))
    yield importlib.import_module("make_handout")
    sys.path.remove(str(NOTEBOOKS / "lectern"))


@pytest.fixture(scope="module")
def handout(made):
    return made.handout(plain)()


@pytest.fixture(scope="module")
def page(handout):
    return Page(handout)


@pytest.fixture(scope="module")
def sheet(made):
    return Page(made.cheat_sheet(plain))


def cells(kind: str) -> list[dict]:
    found = [
        cell
        for name in NAMES
        for cell in json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    ]
    return [cell for cell in found if cell["cell_type"] == kind]


def check_alone(page: Page) -> None:
    """A page needs no other file, no script and no other host; every tag is closed, every address stands once."""
    assert not page.open and not page.all("script") and not page.all("iframe")
    assert all(tag["href"] == "data:," for tag in page.all("link"))
    loaded = [value for _, tag in page.tags for name, value in tag.items() if name in ("src", "srcset", "data")]
    assert loaded and all(value.startswith("data:") for value in loaded)
    ids = Counter(tag["id"] for _, tag in page.tags if "id" in tag)
    assert not [name for name, count in ids.items() if count > 1]


def test_the_handout_is_one_file_that_asks_nobody_for_anything(page, handout):
    check_alone(page)
    styles = "".join(re.findall(r"<style>(.*?)</style>", handout, re.DOTALL))
    assert all(address.startswith("data:") for address in re.findall(r"url\(([^)]*)\)", styles))
    assert "@import" not in styles and "@formulas@" not in styles and "{{" not in styles


def test_every_heading_of_every_lesson_is_there_and_those_of_the_contents_lead_to_it(page, made):
    ids = {tag["id"] for _, tag in page.tags if "id" in tag}
    headings = 0
    for name in NAMES:
        assert name in ids
        for cell in json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]:
            words = (
                re.sub(r"```.*?```", "", made.source(cell), flags=re.DOTALL) if cell["cell_type"] == "markdown" else ""
            )
            for title in re.findall(r"^##+ (.+)$", words, re.MULTILINE):
                headings += 1
                assert f"{name}/{title.replace('`', '').replace('$', '').replace(' ', '-')}" in ids
    assert headings > 150
    links = [unquote(tag["href"][1:]) for tag in page.all("a") if tag["href"].startswith("#")]
    assert not {*links} - ids and {*NAMES} <= {*links}
    assert "06_the_green_banana" in links and "glossary/Fréchet-distance" in links


def test_other_links_lead_to_addresses_on_the_web(page):
    away = {tag["href"] for tag in page.all("a") if not tag["href"].startswith("#")}
    assert away and all(address.startswith("https://") for address in away)


def test_all_figures_are_there_with_their_words(page):
    outputs = [output for cell in cells("code") for output in cell["outputs"]]
    wanted = [o["metadata"]["image/png"]["alt"] for o in outputs if "image/png" in o.get("data", {})]
    assert [tag["alt"] for tag in page.all("img")] == wanted and all(wanted)
    assert all(int(tag["width"]) and int(tag["height"]) for tag in page.all("img"))


def test_what_only_a_running_lesson_can_do_leaves_no_litter(page):
    text = "".join(page.text)
    for litter in ("run the cell to use it", "%|", "You made no guess", "<Figure", "object at 0x"):
        assert litter not in text
    guesses = [cell for cell in cells("code") if any("<guess: run" in str(output) for output in cell["outputs"])]
    assert 0 < len(page.all("fieldset")) <= len(guesses)
    assert len({tag["name"] for tag in page.all("input")}) == len(page.all("fieldset"))
    assert len(page.all("details")) >= sum("".join(cell["source"]).count("<details>") for cell in cells("markdown"))


def test_code_is_there_word_for_word(page, made):
    text = "".join(page.text)
    shown = [made.source(cell) for cell in cells("code") if not made.asks(made.source(cell))]
    assert len(shown) > 300 and all(code.strip() in text for code in shown)


def lesson_with(output: dict, folder: Path, source: str = "show.row(x)") -> Path:
    """A lesson of one cell that showed this."""
    top = {"cell_type": "markdown", "id": "01-000", "metadata": {}, "source": "# 1. Noise\n\n**Why?**\n"}
    cell = {"cell_type": "code", "id": "01-007", "metadata": {}, "source": source, "outputs": [output]}
    path = folder / "01_noise.ipynb"
    path.write_text(json.dumps({"cells": [top, cell], "metadata": {}}), encoding="utf-8")
    (folder / "glossary.ipynb").write_text(json.dumps({"cells": [top | {"source": "# Glossary"}]}), encoding="utf-8")
    return path


SHOWN = {"output_type": "execute_result", "metadata": {}, "data": {"text/plain": "<Figure size 300x300>"}}


def test_a_picture_that_is_missing_or_says_nothing_is_named(made, tmp_path):
    lesson_with(SHOWN, tmp_path)
    with pytest.raises(ValueError, match="`01-007` of 01_noise.ipynb: its picture is missing"):
        made.handout(plain, tmp_path)
    lesson_with(SHOWN | {"data": {"image/png": "iVBORw0KGgo="}}, tmp_path)
    with pytest.raises(ValueError, match="`01-007` of 01_noise.ipynb: its picture has no words"):
        made.handout(plain, tmp_path)


def test_a_formula_that_cannot_be_set_is_named_with_its_cell(made, tmp_path):
    lesson_with({"output_type": "display_data", "metadata": {}, "data": {"text/markdown": "$\\frac{1}$"}}, tmp_path)

    def fails(tex, display):
        raise ValueError("an argument is missing")

    with pytest.raises(ValueError, match="`01-007` of 01_noise.ipynb: an argument is missing"):
        made.handout(fails, tmp_path)


def test_a_lesson_that_is_no_notebook_is_named_and_old_files_stay(made, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "handout.pdf").write_text("old", encoding="utf-8")
    (tmp_path / "01_noise.ipynb").write_text("no notebook", encoding="utf-8")
    wrong = made.handout
    monkeypatch.setattr(made, "OUT", out)
    monkeypatch.setattr(made, "KATEX", tmp_path)
    monkeypatch.setattr(made.shutil, "which", lambda name: name)
    monkeypatch.setattr(made, "handout", lambda formula: wrong(formula, tmp_path))
    with pytest.raises(SystemExit, match="01_noise.ipynb is no notebook"):
        made.main()
    assert [(file.name, file.read_text(encoding="utf-8")) for file in out.iterdir()] == [("handout.pdf", "old")]


def test_without_chromium_one_sentence_says_so(made, tmp_path, monkeypatch):
    monkeypatch.setenv("CHROMIUM", "no-such-browser")
    with pytest.raises(FileNotFoundError, match="there is no no-such-browser. Name it: make handout CHROMIUM="):
        made.print_page(tmp_path / "a.html", tmp_path / "a.pdf")


def test_the_cheat_sheet_holds_what_the_lessons_hold(sheet, made):
    check_alone(sheet)
    text, code = "".join(sheet.text), {cell["id"]: made.source(cell) for cell in cells("code")}
    assert code["04-n16"] in text
    assert made.definition(code["04-n18"], "sample_tiny", "04-n18") in text and "tiny = TinyNet()" not in text
    assert [tag["alt"] for tag in sheet.all("img")] == [made.shown(id)[0].alt for id in ("01-024", "02-n48", "06-080")]
    for formula in ("01-n30", "02-n66", "06-023", "13-013", "13-n32", "13-025"):
        assert made.shown(f"{formula}/formula") in text
    for word in ("guidance_scale", "pure noise of the same shape", "denoise_step", "velocity_from_x0"):
        assert word in text
    assert "`" not in text and len(sheet.all("section")) == 2


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("`01-099`", "No lesson has a cell `01-099`"),
        ("`04-n18/code nothing`", "`04-n18/code nothing` is missing: the cell defines no nothing."),
        ("`01-000`", "`01-000` is missing: the cell shows no figures"),
    ],
)
def test_a_reference_to_nothing_is_named(made, reference, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        made.cheat_sheet(plain, reference)


CSS = "@font-face{font-family:KaTeX_AMS;src:url(fonts/KaTeX_AMS-Regular.woff2)}.katex .mathbb{font-family:KaTeX_AMS}"


def test_fonts_are_in_the_page_only_if_it_uses_them(made, tmp_path, monkeypatch):
    monkeypatch.setattr(made, "KATEX", tmp_path)
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "KaTeX_AMS-Regular.woff2").write_bytes(b"font")
    assert "@font-face" not in made.used_fonts(CSS, '<i class="katex mathrm">')
    assert "url(data:font/woff2;base64,Zm9udA==)" in made.used_fonts(CSS, '<i class="katex"><i class="mathbb">')


def test_places_and_pages_of_a_pdf_are_found(made):
    pages = b"".join(b"%d 0 obj\n<</Type /Page\n/Parent 1 0 R>>\nendobj\n" % i for i in (7, 20))
    places = b"9 0 obj\n<</glossary#2FFr#25C3#25A9chet [20 0 R /XYZ 0 1 0]\n/a [7 0 R /XYZ 0 1 0]>>\nendobj\n"
    assert made.page_count(pages + places) == 2
    assert made.places(pages + places) == {"glossary/Fréchet": 2, "a": 1}
