"""The book in a real browser: `make test-site`. Needs the built site, and Chromium, named in $CHROMIUM.

Every page is opened, from a server on this computer, as a phone, a tablet and a desktop show it, in both themes.
Screenshots are kept in build/browser/.
"""

import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from live_page import ROOT, SHOTS, SITE
from playwright.sync_api import expect

pytest_plugins = "in_chromium"

AXE = (ROOT / "notebooks" / "site" / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
PAGES = sorted(path.relative_to(SITE).as_posix() for path in (SITE / "book").rglob("*.html"))
THOROUGH = {"book/index.html", "book/02_learning_to_denoise.html", "book/glossary.html", "book/search.html"}
LESSONS = [page for page in PAGES if re.match(r"book/\d\d_", page)]
WIDTHS = {"phone": 360, "tablet": 768, "desktop": 1280}
WIDER = """() => [...document.querySelectorAll('body *')].filter(e => {
    const box = e.getBoundingClientRect();
    if (box.right <= innerWidth + 1 || !box.width) return false;
    for (let p = e.parentElement; p; p = p.parentElement)
        if (getComputedStyle(p).overflowX !== 'visible' || getComputedStyle(p).position === 'fixed') return false;
    return getComputedStyle(e).position !== 'fixed';
}).slice(0, 3).map(e => e.outerHTML.slice(0, 120))"""
REACHED = """() => [...document.querySelectorAll('pre, .wide')].every(
    e => e.scrollWidth <= e.clientWidth + 1 || e.tabIndex === 0)"""  # what scrolls can be scrolled with keys
# Words of code and parts of formulas are thousands on a page and alike on all: looked at on some pages only.
SERIOUS = """async all => (await axe.run(all ? document : {exclude: [['pre span'], ['.katex span']]},
                                   {resultTypes: ['violations']})).violations
    .filter(v => ['serious', 'critical'].includes(v.impact))
    .map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 160), v.nodes[0].failureSummary])"""


@pytest.fixture
def visit(chromium, address):
    """Open a page of the site at a width and in a theme; in the end, nothing may have gone wrong or gone elsewhere."""
    opened, errors, elsewhere = [], [], []

    def open_page(page: str, width: int = 1280, theme: str = "light"):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        opened.append(context)
        tab = context.new_page()
        tab.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else elsewhere.append(r.url))
        tab.goto(address + page)
        return tab

    yield open_page
    for context in opened:
        context.close()
    assert not errors and not elsewhere


def shot(tab, page: str, what: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=SHOTS / f"{page.removesuffix('.html').replace('/', '-')}-{what}.png")


def test_there_are_all_pages_and_no_leftovers():
    left = {".ipynb", ".map", ".py", ".doctree", ".inv"}
    assert not [path for path in SITE.rglob("*") if path.suffix in left or path.name.startswith(".")]
    names = {Path(page).stem for page in PAGES}
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} <= names
    assert {path.stem for path in (ROOT / "data" / "benchmarks").glob("*.md")} - {"README"} <= names
    assert {"book/index.html", "book/notation.html", "book/results/index.html", "book/search.html"} <= {*PAGES}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_every_width_in_both_themes_and_can_be_read_by_all(visit, page):
    tab = visit(page)
    turn = PAGES.index(page) % 2  # a phone in the dark and a desktop in the light, or the other way round
    for device, width in WIDTHS.items():
        theme = "light" if (device == "desktop") != turn else "dark"
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme=theme)
        expect(tab.locator("html")).to_have_attribute("data-theme", theme)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, tab.evaluate(WIDER)
        tab.wait_for_function(REACHED, timeout=20_000)
        shot(tab, page, f"{device}-{theme}")
        if page in THOROUGH or device == "desktop":
            tab.evaluate(AXE)
            assert tab.evaluate(SERIOUS, page in THOROUGH) == [], f"{device}, {theme}"
    assert tab.locator("h1:visible").count() == 1
    pictures = tab.locator("img").evaluate_all("all => all.map(e => [e.getAttribute('alt'), e.src, e.role])")
    assert not [source for words, source, role in pictures if not words and role != "presentation"]
    tab.locator("img").evaluate_all("all => all.forEach(e => e.loading = 'eager')")
    tab.wait_for_function("[...document.images].every(e => e.complete && e.naturalWidth)", timeout=10_000)
    assert tab.locator(".math").count() == tab.locator(".math .katex math").count()
    assert not re.search(r"\$[^$]*\\[a-z]+[^$]*\$", " ".join(tab.locator("article p, article li").all_inner_texts()))


def test_every_link_leads_somewhere(visit, address):
    """Links within the site: there is such a page, and such a place on it. Links to elsewhere are not followed."""
    tab, places, links = visit("book/index.html"), {}, {}
    for page in PAGES:
        tab.goto(address + page)
        places[page] = {*tab.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")}
        links[page] = tab.evaluate("[...document.querySelectorAll('a[href]')].map(e => e.getAttribute('href'))")
    dead, seen = [], 0
    for page, found in links.items():
        for link in found:
            target, place = urldefrag(urljoin(address + page, link))
            if not target.startswith(address):
                assert target.startswith(("https://", "http://", "mailto:")), (page, link)
                assert not target.startswith("http://127."), (page, link)
                continue
            name = unquote(target.removeprefix(address))
            name += "index.html" if not name or name.endswith("/") else ""
            seen += 1
            if not (SITE / name).is_file() or (place and name in places and unquote(place) not in places[name]):
                dead.append((page, link))
    assert not dead and seen > 1000
    assert {"U-Net", "Fréchet-distance", "noise-level"} <= places["book/glossary.html"]  # as in Jupyter


def test_search_finds_what_is_in_the_lessons(visit):
    tab = visit("book/search.html?q=guidance", 360)
    for title in ("The green banana", "Glossary"):
        found = tab.locator("#search-results").get_by_role("link", name=re.compile(title))
        expect(found.first).to_be_visible(timeout=20_000)
    shot(tab, "book/search", "guidance")


def test_one_walks_from_page_to_page_and_from_light_to_dark(visit):
    tab = visit(LESSONS[0])
    for lesson in LESSONS[1:]:
        tab.locator(".right-next").click()
        tab.wait_for_url(f"**/{lesson}")
    tab.locator(".left-prev").click()
    tab.wait_for_url(f"**/{LESSONS[-2]}")
    for theme in ("Dark", "Light", "Dark"):
        tab.get_by_role("button", name="Color mode").click()
        tab.locator(".dropdown-menu.show").get_by_text(theme).click()
        expect(tab.locator("html")).to_have_attribute("data-theme", theme.lower())
    tab.locator(".left-prev").click()
    tab.wait_for_url(f"**/{LESSONS[-3]}")
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")  # it is remembered


def test_answers_unfold_and_guesses_can_be_made_without_a_mouse(visit):
    tab = visit("book/06_the_green_banana.html", 360)
    answers = tab.locator("details:not(.dropdown)", has=tab.locator("summary"))
    assert answers.count() >= 9
    summary, inside = answers.first.locator("summary"), answers.first.locator("p").first
    expect(inside).to_be_hidden()
    summary.focus()
    tab.keyboard.press("Enter")
    expect(inside).to_be_visible()
    guess = tab.get_by_role("group", name="Your guess").first
    guess.get_by_role("radio").first.focus()
    tab.keyboard.press("ArrowDown")
    expect(guess.get_by_role("radio", name="a yellow banana")).to_be_checked()
    assert tab.get_by_text("You made no guess").count() == 0
    assert tab.get_by_text("run the cell to use it").count() == 0
    assert tab.get_by_role("link", name="the live page").count() >= 3


def test_wide_pictures_scroll_in_their_own_box_on_a_phone(visit):
    tab = visit("book/06_the_green_banana.html", 360)
    boxes = tab.locator(".wide")
    assert boxes.count() >= 3
    sizes = boxes.evaluate_all("all => all.map(e => [e.clientWidth, e.scrollWidth, e.tabIndex])")
    assert all(inner > 600 > width and index == 0 for width, inner, index in sizes), sizes
