"""The handout and the cheat sheet in Chromium, on a screen and on paper: part of `make test-site`, a few minutes.

Needs the packages that `make handout` fetches, and Chromium, named in $CHROMIUM. They are made anew, from the lessons.
"""

import re
import sys

import pytest
from live_page import LONG, ROOT, SHOTS

pytest_plugins = "in_chromium"

sys.path.insert(0, str(ROOT / "notebooks" / "lectern"))
import make_handout  # noqa: E402

A4 = rb"/MediaBox \[0 0 59[45][.\d]* 84[12][.\d]*\]"
NAMES = [*sorted(path.stem for path in make_handout.NOTEBOOKS.glob("[0-9]*.ipynb")), "glossary"]


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The folder of the four files."""
    folder = tmp_path_factory.mktemp("handout")
    katex = make_handout.Katex(str(make_handout.SITE / "formulas.mjs"))
    make_handout.make(folder, katex.set)
    katex.close()
    return folder


@pytest.fixture
def visit(chromium, made):
    """Open one of the pages from its folder, as by a double click; nothing may go wrong or go elsewhere."""
    errors, asked = [], []
    tab = chromium.new_page(viewport={"width": 1000, "height": 1400})
    tab.set_default_timeout(LONG)
    tab.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))

    def open_page(name: str):
        tab.goto((made / f"{name}.html").as_uri())
        tab.wait_for_function("document.fonts.status === 'loaded'")
        SHOTS.mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=SHOTS / f"{name}.png")
        return tab

    yield open_page
    tab.close()
    assert not errors and not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert sum(url.startswith("file:") for url in asked) == 1


@pytest.mark.parametrize("name", ["handout", "cheat_sheet"])
def test_a_page_shows_its_pictures_and_formulas_without_asking_anybody(visit, name):
    tab = visit(name)
    assert tab.evaluate("[...document.images].every(e => e.complete && e.naturalWidth && e.alt)")
    assert tab.locator(".math").count() == tab.locator(".math .katex math").count() > 10
    fonts = tab.evaluate("[...document.fonts].map(e => [e.family, e.status])")
    assert fonts and all(status == "loaded" for _, status in fonts), "what is in the page is used, and can be read"
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.set_viewport_size({"width": 400, "height": 800})
    if name == "handout":
        assert tab.evaluate("document.documentElement.scrollWidth") <= 400


def test_answers_are_folded_on_a_screen_and_open_on_paper(visit):
    tab = visit("handout")
    assert tab.locator("details").count() > 100 and tab.locator("details[open]").count() == 0
    inside = "all => all.map(e => e.lastElementChild.checkVisibility({contentVisibilityAuto: true}))"
    assert not any(tab.locator("details").evaluate_all(inside))
    tab.emulate_media(media="print")
    heights = tab.locator("details > :last-child").evaluate_all("all => all.map(e => e.getBoundingClientRect().height)")
    assert min(heights) > 5


def test_the_handout_is_a4_with_bookmarks_and_its_contents_know_the_pages(made):
    pdf = (made / "handout.pdf").read_bytes()
    pages = make_handout.page_count(pdf)
    assert len(re.findall(A4, pdf)) == pages > 100
    assert b"/Outlines" in pdf and pdf.count(b"/Title ") > 250
    places = make_handout.places(pdf)
    begin = [places[name] for name in NAMES]
    assert begin == sorted({*begin}) and begin[0] > 1 and begin[-1] <= pages
    assert max(places.values()) <= pages and len(places) > 200


def test_no_figure_and_no_code_is_cut_by_the_end_of_a_page(made, tmp_path):
    """Its first and its last line are on one page: both get an address, and the PDF says where these stand."""
    marks = []

    def marked(found: re.Match) -> str:
        begin, inside, end = found.groups()
        marks.append(begin)
        return f'{begin}<i id="top-{len(marks)}"></i>{inside}<i id="end-{len(marks)}"></i>{end}'

    html = (made / "handout.html").read_text(encoding="utf-8")
    html = re.sub(r"(<figure>)(.*?)(</figure>)", marked, html, flags=re.DOTALL)
    html = re.sub(r'(<div class="code">)(.*?)(</div>)', marked, html, flags=re.DOTALL)
    links = "".join(f'<a href="#{end}-{i + 1}">.</a>' for i in range(len(marks)) for end in ("top", "end"))
    (tmp_path / "a.html").write_text(html.replace("</main>", f"<p>{links}</p></main>"), encoding="utf-8")
    make_handout.print_page(tmp_path / "a.html", tmp_path / "a.pdf")
    places = make_handout.places((tmp_path / "a.pdf").read_bytes())
    assert marks.count("<figure>") > 140 and len(marks) > 440
    assert not [i for i in range(1, len(marks) + 1) if places[f"top-{i}"] != places[f"end-{i}"]]


def test_the_cheat_sheet_has_two_pages_and_nothing_is_cut_off(visit, made):
    pdf = (made / "cheat_sheet.pdf").read_bytes()
    assert make_handout.page_count(pdf) == len(re.findall(A4, pdf)) == 2
    tab = visit("cheat_sheet")
    for media in ("screen", "print"):
        tab.emulate_media(media=media)
        free = """all => all.map(sheet => {
            const { paddingBottom } = getComputedStyle(sheet);
            const foot = sheet.getBoundingClientRect().bottom - parseFloat(paddingBottom) / 2;
            return foot - sheet.lastElementChild.getBoundingClientRect().bottom;
        })"""
        assert all(room >= 0 for room in tab.locator(".sheet").evaluate_all(free))
    wider = (
        "all => all.filter(e => e.getBoundingClientRect().right > e.closest('.sheet').getBoundingClientRect().right)"
    )
    assert tab.locator(".sheet *:not(.katex *)").evaluate_all(wider) == []
    small = tab.locator(".sheet :is(td, p, pre)").evaluate_all(
        "all => Math.min(...all.map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert small >= 8 / 72 * 96, "eight points can be read at arm's length"
