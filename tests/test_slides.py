"""The slides: what is made of the lessons and of the lecture's page, and what is said when something is wrong.

Where npm's packages are missing (`make slides` fetches them), only what needs none of them is looked at.
"""

import importlib
import json
import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LECTERN = ROOT / "notebooks" / "lectern"
sys.path[:0] = [str(LECTERN), str(LECTERN.parent / "site")]
lessons, slides, make_slides = (importlib.import_module(name) for name in ("lessons", "slides", "make_slides"))
del sys.path[:2]

LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
PAGE = """# The lecture

Prose for the page.

## Can it draw what it never saw?
*Minute 0* · `06-016` · `06-023/formula`

> Nobody has a picture of *everything*.

**Say.** Look at $w$.

**Ask.** Why? *Answer:* see [lesson 6](../06_the_green_banana.ipynb), `06-014`.

## The loop
*Minute 2* · `06-014/code` · `06-055/text`

**Say.** Nine lines.
"""
needs_npm = pytest.mark.skipif(not (make_slides.MODULES / "reveal.js").is_dir(), reason="needs `make slides`")


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    page = tmp_path_factory.mktemp("page") / "lecture.md"
    page.write_text(PAGE, encoding="utf-8")
    return make_slides.gather(page)


@pytest.fixture(scope="module")
def made(decks, tmp_path_factory):
    made = tmp_path_factory.mktemp("made") / "slides"
    make_slides.write(decks, made)
    return made.rename(made.with_name("carried elsewhere"))


def spoilt(folder: Path, change) -> Path:
    """A copy of lesson 6 with its cells changed."""
    found = json.loads((ROOT / "notebooks" / "06_the_green_banana.ipynb").read_text(encoding="utf-8"))
    change({cell["id"]: cell for cell in found["cells"]})
    path = folder / "06_spoilt.ipynb"
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_lesson_makes_a_deck_of_its_own_cells(path):
    lesson = lessons.lesson(path)
    deck = slides.of_lesson(lesson)
    assert 20 <= len(deck) <= 45
    assert len({slide.id for slide in deck}) == len(deck)
    assert {re.match(r"\d\d-[^-]+(-code)?", slide.id)[0] for slide in deck} <= {cell.id for cell in lesson.cells}
    assert deck[0].kind == "opening" and lesson.question in deck[0].shows[0][1]
    assert all(slide.title and slide.shows for slide in deck)
    figures = [figure for slide in deck for figure in slide.figures]
    assert figures and all(figure.alt for figure in figures)
    assert sum(len(cell.figures) for cell in lesson.cells if cell.slide != "skip") == len(figures)
    assert all(len(slide.line) <= slides.SHORT + 1 and slide.notes for slide in deck if slide.line)


def seen_and_said(path) -> tuple[str, str]:
    deck = slides.of_lesson(lessons.lesson(path))
    parts = [content for slide in deck for _, content, _ in slide.shows]
    seen = " ".join(" ".join(part) if isinstance(part, tuple | list) else str(part) for part in parts)
    return seen, " ".join(note for slide in deck for note in slide.notes)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_answers_and_hints_are_said_and_not_shown(path):
    seen, said = seen_and_said(path)
    cells = [cell for cell in lessons.lesson(path).cells if cell.slide != "skip"]
    answers = [
        found[1].strip() for cell in cells for found in slides.FOLDED.findall(cell.words) if found[0] == "Answer"
    ]
    assert len(answers) >= 5 and "<details" not in seen + said
    assert not [answer for answer in answers if answer[:40] in seen or answer not in said]
    for cell in cells:  # what is in no slide is in the notes
        for part in slides.paragraphs(slides.HEADING.sub("", slides.FOLDED.sub("", cell.words))):
            end = re.sub(slides.BEFORE, "", part).strip("*$ ")[-30:].lower()
            assert end in said.lower() or end in seen.lower(), (cell.id, part)


def test_a_cell_is_found_by_its_id_and_a_reference_gives_what_it_names():
    assert [figure.alt for figure in lessons.shown("06-016")] == ["One picture: green banana."]
    assert lessons.shown("09-016/figure 2")[0].name == "09-016-2" and len(lessons.shown("09-016")) == 7
    assert lessons.shown("06-014/code").startswith('tokens = encode("green banana", VOCABULARY)\n')
    assert lessons.shown("06-023/formula") == r"\hat{x}_0 = u + w\,(c - u)"
    assert lessons.shown("06-009/text").endswith("captions with both: 0")
    figure = lessons.cell("06-016").figures[0]
    assert figure.png.startswith(b"\x89PNG") and (figure.width, figure.height) == (324, 349)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("06-999", "No lesson has a cell `06-999`"),
        ("77-000", "No lesson has a cell `77-000`"),
        ("06-016/figure 2", "`06-016/figure 2` is missing: the cell shows 1 figure"),
        ("06-014", "`06-014` is missing: the cell shows no figures"),
        ("06-014/formula", "`06-014/formula` is missing: the cell has no formula"),
        ("06-014/colour", "`06-014/colour` is no reference"),
    ],
)
def test_a_reference_to_nothing_is_named_with_its_slide(reference, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        lessons.shown(reference)
    with pytest.raises(ValueError, match=f"The lecture's slide 'The loop': .*{re.escape(said)}"):
        slides.of_lecture(PAGE.replace("06-014/code", reference))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("*Minute 2*", "At 2", "The lecture's slide 'The loop' has no line"),
        ("## ", "### ", "The lecture has no slides"),
    ],
)
def test_a_page_that_is_no_lecture_is_told(old, new, said):
    with pytest.raises(ValueError, match=said):
        slides.of_lecture(PAGE.replace(old, new))


def no_metadata(cells):
    for cell in cells.values():
        cell["metadata"].pop("slideshow", None)


def no_figure(cells):
    cells["06-016"]["outputs"] = []


def heading_said(cells):
    cells["06-023"]["metadata"]["slideshow"]["slide_type"] = "notes"


def late(cells):
    cells["06-000"]["metadata"]["slideshow"]["slide_type"] = "notes"


def unheard(cells):
    cells["06-016"]["metadata"]["slideshow"] = {"slide_type": "slides"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (no_metadata, "06_spoilt has no slide metadata"),
        (no_figure, "`06-017` says what to see, but the cell above it shows nothing"),
        (heading_said, "`06-023` has a heading, 'Guidance: leaning on the words', but begins no slide"),
        (late, "`06-000` comes before the first slide of 06_spoilt"),
        (unheard, "`06-016` has the slide type 'slides'"),
    ],
)
def test_what_no_slides_can_be_made_of_is_named(tmp_path, change, said):
    path = spoilt(tmp_path, change)
    with pytest.raises(ValueError, match=re.escape(said)):
        slides.of_lesson(lessons.lesson(path))


@pytest.mark.parametrize("content", ["not JSON", "[]", "{}", '{"cells": [1]}', '{"cells": []}', "\udcff"])
def test_a_file_that_is_no_notebook_is_named(tmp_path, content):
    path = tmp_path / "06_broken.ipynb"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"06_broken\.ipynb is no (notebook|lesson)"):
        lessons.lesson(path)
    with pytest.raises(FileNotFoundError, match="There is no lesson"):
        lessons.lesson(tmp_path / "none.ipynb")
    with pytest.raises(FileNotFoundError, match="There are no lessons"):
        lessons.all_lessons(tmp_path / "nowhere")


@needs_npm
def test_after_an_error_the_old_slides_stay(tmp_path, monkeypatch, capsys):
    out = tmp_path / "slides"
    out.mkdir()
    (out / "index.html").write_text("old", encoding="utf-8")
    page = tmp_path / "lecture.md"
    page.write_text(PAGE.replace("06-014", "06-999"), encoding="utf-8")
    monkeypatch.setattr(make_slides, "OUT", out)
    monkeypatch.setattr(make_slides, "LECTURE", page)
    with pytest.raises(SystemExit) as error:
        make_slides.main()
    assert "06-999" in str(error.value) and "\n" not in str(error.value)
    assert {path.name for path in tmp_path.iterdir()} == {"slides", "lecture.md"}
    assert (out / "index.html").read_text(encoding="utf-8") == "old"


@needs_npm
def test_decks_have_all_they_need_beside_them(decks, made):
    listed = (made / "index.html").read_text(encoding="utf-8")
    for deck in decks:
        page = (made / f"{deck.name}.html").read_text(encoding="utf-8")
        notes = json.loads((made / "notes" / f"{deck.name}.js").read_text(encoding="utf-8")[len("const NOTES = ") : -2])
        assert page.count('<div class="slide ') == len(deck.slides) == len(notes)
        assert f'"{deck.name}.html"' in listed and f"{len(deck.slides)} slides" in listed
        assert '<html lang="en-GB">' in page and f"<title>{deck.title}" in page
        assert not re.search(r"<img(?![^>]*alt=\"[^\"]+\")", page)
        for link in re.findall(r"(?:src|href)=\"([^\"]+)\"", page + listed):
            assert link == "data:," or (made / link).is_file(), link


@needs_npm
def test_no_file_names_another_host(made):
    """But reveal.js and its plugin name pages of their authors in comments: requests are seen by the browser test."""
    for path in made.rglob("*"):
        if path.suffix in (".html", ".css", ".js") and path.parent.name != "reveal":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"(?<!xmlns=\")(?<!xmlns=\\\")https?://(?!www\.w3\.org)|(?:src|href)=\W?//", text), (
                path
            )


@needs_npm
def test_the_lecture_shows_what_its_page_names(decks, made):
    lecture = decks[0]
    assert [slide.title for slide in lecture.slides] == ["Can it draw what it never saw?", "The loop"]
    assert [what for what, _, _ in lecture.slides[0].shows] == ["words", "figure", "formula"]
    assert [what for what, _, _ in lecture.slides[1].shows] == ["code", "text"]
    page = (made / "lecture.html").read_text(encoding="utf-8")
    assert 'src="figures/06-016-1.png" alt="One picture: green banana."' in page and "Prose" not in page
    assert "<em>everything</em>" in page and "<strong>Say" not in page and 'class="katex-display"' in page
    notes = (made / "notes" / "lecture.js").read_text(encoding="utf-8")
    assert "Minute 0." in notes and "<strong>Ask.</strong>" in notes and "katex-html" not in notes and "<math" in notes
    assert "ipynb" not in notes


@needs_npm
def test_a_deck_goes_without_its_notes(made, tmp_path):
    """Whoever publishes a deck may leave the notes away: nothing that is said stands in the page itself."""
    page = (made / "06_the_green_banana.html").read_text(encoding="utf-8")
    assert "nobody has a picture of everything" not in page and "<aside" not in page
    shutil.copytree(made, tmp_path / "public", ignore=shutil.ignore_patterns("notes"))
    assert not (tmp_path / "public" / "notes").exists()
