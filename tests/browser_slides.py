"""The slides in a real browser, from files: `make test-browser`. Needs `make slides`, and Chromium, named in $CHROMIUM.

Each deck is loaded once and every slide is measured, as a projector and as a large screen show it. Screenshots of the
first slides are kept in build/browser/.
"""

import json
import re

import pytest
from live_page import ROOT, SHOTS
from PIL import Image
from playwright.sync_api import expect

pytest_plugins = "in_chromium"

SLIDES = ROOT / "build" / "slides"
DECKS = sorted(path.stem for path in SLIDES.glob("*.html") if path.stem != "index")
SIZES = [(1280, 720), (1920, 1080)]
SMALLEST = 20  # pixels of letters, as they appear
DRAWN = {path.name: Image.open(path).text.get("Letters") for path in SLIDES.glob("figures/*.png")}
DRAWN = {name: float(letters) for name, letters in DRAWN.items() if letters}  # some have none

# For each slide, with all its fragments: what leaves it or its own box, and letters that are too small, those drawn in
# a picture among them; `drawn` says how large a picture's smallest letters are in its file.
MEASURE = """([smallest, drawn]) => Reveal.getSlides().map(slide => {
    const { h, v } = Reveal.getIndices(slide);
    Reveal.slide(h, v, 99);
    const scale = Reveal.getScale(), faults = [];
    const page = document.querySelector('.slides').getBoundingClientRect();
    const body = slide.querySelector('.body').getBoundingClientRect();
    const name = e => `${slide.id}: ${e.className || e.tagName} ${(e.textContent || e.alt || '').trim().slice(0, 40)}`;
    for (const e of slide.querySelectorAll('h1, h2, .body > *, .body > * *, .below')) {
        const box = e.getBoundingClientRect();
        if (!box.width || e.closest('.katex-mathml, svg') || e.closest('aside')) continue;
        const inKatex = e.closest('.katex') && !e.matches('.katex');
        const beside = box.left < page.left - 1 || box.right > page.right + 1;
        if (!inKatex && (beside || box.top < page.top - 1 || box.bottom > page.bottom + 1))
            faults.push('leaves the slide: ' + name(e));
        if (e.closest('.body') && !inKatex && (box.top < body.top - 2 || box.bottom > body.bottom + 2))
            faults.push('leaves its box: ' + name(e));
        const block = e.clientWidth && getComputedStyle(e).display !== 'inline';
        if (!inKatex && block && e.scrollWidth > e.clientWidth + 2)
            faults.push('is wider than its box: ' + name(e));
        const letters = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.replace(/[\\s\\u200b]/g, ''));
        const size = parseFloat(getComputedStyle(e).fontSize) * scale;
        if (letters && size < smallest) faults.push(`has letters of ${size.toFixed(1)} px: ` + name(e));
        if (e.tagName === 'IMG' && !(e.complete && e.naturalWidth && e.alt && box.height > 100 * scale))
            faults.push('is no picture: ' + name(e));
        const ratio = Math.min(box.width / e.naturalWidth, box.height / e.naturalHeight);
        const seen = ratio * drawn[e.src?.split('/').pop()];
        if (seen < smallest) faults.push(`shows letters of ${seen.toFixed(1)} px: ` + name(e));
    }
    return faults;
})"""


@pytest.fixture
def visit(chromium):
    """Open a file of the slides; in the end, nothing may have gone wrong, and nothing have been asked for elsewhere."""
    contexts, errors, elsewhere = [], [], []

    def watch(tab):
        tab.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("request", lambda r: None if r.url.startswith(("file:", "data:", "about:")) else elsewhere.append(r.url))

    def open_page(name: str, size=SIZES[0], query: str = "", **options):
        context = chromium.new_context(viewport=dict(zip(("width", "height"), size, strict=True)), **options)
        contexts.append(context)
        context.on("page", watch)
        tab = context.new_page()
        tab.goto((SLIDES / f"{name}.html").as_uri() + query)
        if name != "index":
            tab.wait_for_function("Reveal.isReady() && document.fonts.status === 'loaded'")
            tab.evaluate("document.querySelectorAll('img').forEach(e => e.loading = 'eager')")
            tab.wait_for_function("[...document.images].every(e => e.complete)")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert not errors and not elsewhere


def count(name: str) -> int:
    """How many slides the builder says that a deck has."""
    listed = (SLIDES / "index.html").read_text(encoding="utf-8")
    return int(re.search(rf'"{name}\.html".*?<span>(\d+) slides', listed, re.DOTALL)[1])


def test_there_is_a_deck_for_each_lesson():
    assert {path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")} <= {*DECKS}
    assert ("lecture" in DECKS) == (ROOT / "notebooks" / "instructor" / "lecture.md").is_file()


@pytest.mark.parametrize("name", DECKS)
def test_every_slide_fits_and_can_be_read_from_the_back_row(visit, name):
    tab = visit(name)
    assert tab.evaluate("Reveal.getTotalSlides()") == count(name)
    for width, height in SIZES:
        tab.set_viewport_size({"width": width, "height": height})
        tab.wait_for_function(f"Math.abs(Reveal.getScale() - {width / 1280}) < 0.01")
        assert [fault for slide in tab.evaluate(MEASURE, [SMALLEST, DRAWN]) for fault in slide] == []
    tab.evaluate("Reveal.slide(0, 0)")
    SHOTS.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=SHOTS / f"slides-{name}.png")
    assert not tab.locator(".slide .katex").count() or "KaTeX_Main" in tab.evaluate(
        "[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family).join()"
    )


def test_the_measure_sees_what_does_not_fit(visit):
    tab = visit("00_start_here")
    tab.add_style_tag(content=".slide li { font-size: 15px } .slide h1 { position: relative; left: 900px }")
    faults, *others = tab.evaluate(MEASURE, [SMALLEST, DRAWN])
    assert any("letters of 15.0 px" in fault for fault in faults)
    assert any("leaves the slide: 00-000: H1" in fault for fault in faults)
    assert not any("shows letters" in fault for slide in others for fault in slide)
    few = {name: pixels / 2 for name, pixels in DRAWN.items()}
    assert sum("shows letters" in fault for slide in tab.evaluate(MEASURE, [SMALLEST, few]) for fault in slide) > 3


@pytest.mark.parametrize("name", [name for name in ("lecture", "06_the_green_banana") if name in DECKS])
def test_a_pdf_has_as_many_pages_as_there_are_slides(visit, name, tmp_path):
    tab = visit(name, query="?print-pdf")
    tab.wait_for_selector(".pdf-page")
    pdf = tab.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == count(name)


def test_keys_and_touch_lead_through_a_deck_and_back(visit):
    name = "00_start_here"
    tab = visit(name, has_touch=True)
    for key, number in (("ArrowRight", 1), ("Space", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", -1), ("Home", 0)):
        tab.keyboard.press(key)  # the second shows the answers to choose from
        number = number if number >= 0 else count(name) - 1
        assert tab.evaluate("Reveal.getSlidePastCount()") == number, key
    swipe = """async () => {
        const slides = document.querySelector('.reveal');
        const send = (type, x) => slides.dispatchEvent(new PointerEvent(type, {
            pointerType: 'touch', isPrimary: true, clientX: x, clientY: 300, bubbles: true }));
        send('pointerdown', 800); send('pointermove', 500); send('pointerup', 500);
        const touch = x => [new Touch({ identifier: 1, target: slides, clientX: x, clientY: 300 })];
        for (const [type, x] of [['touchstart', 800], ['touchmove', 500], ['touchend', 500]])
            slides.dispatchEvent(new TouchEvent(type, { touches: touch(x), bubbles: true, cancelable: true }));
    }"""
    tab.evaluate(swipe)
    assert tab.evaluate("Reveal.getSlidePastCount()") == 1


def test_the_speakers_window_shows_notes_and_follows(visit):
    tab = visit("06_the_green_banana")
    with tab.expect_popup() as opened:
        tab.keyboard.press("s")
    speaker = opened.value
    notes = json.loads((SLIDES / "notes" / "06_the_green_banana.js").read_text(encoding="utf-8")[14:-2])
    expect(speaker.locator(".speaker-controls-notes .value")).to_contain_text("53 minutes", timeout=20_000)
    moved = next(i for i, note in enumerate(notes) if "<strong>composition</strong>" in note)
    tab.evaluate("i => { const { h, v } = Reveal.getIndices(Reveal.getSlides()[i]); Reveal.slide(h, v); }", moved)
    expect(speaker.locator(".speaker-controls-notes .value")).to_contain_text("This is called composition.")
    frames = [speaker.frame_locator(f"#{part} iframe") for part in ("current-slide", "upcoming-slide")]
    for frame, number in zip(frames, (moved, moved + 1), strict=True):
        expect(frame.locator(".slides section.present .slide").last).to_be_visible(timeout=20_000)
        assert f"{number + 1}" in frame.locator(".slide-number").inner_text()
    speaker.bring_to_front()
    speaker.locator("body").press("ArrowRight")
    tab.wait_for_function(f"Reveal.getSlidePastCount() === {moved + 1}")
    SHOTS.mkdir(parents=True, exist_ok=True)
    speaker.screenshot(path=SHOTS / "slides-speaker.png")


def test_the_list_leads_to_every_deck_and_nothing_moves(visit):
    tab = visit("index", reduced_motion="reduce")
    assert tab.locator("a").evaluate_all("all => all.map(e => e.getAttribute('href'))") == [
        f"{name}.html" for name in sorted(DECKS, key=lambda name: (name != "lecture", name))
    ]
    tab.locator("a").first.click()
    tab.wait_for_function("typeof Reveal !== 'undefined' && Reveal.isReady()")
    assert tab.evaluate("Reveal.getConfig().transition") == "none"
    moving = (
        "[...document.querySelectorAll('.reveal *')].filter(e => parseFloat(getComputedStyle(e).transitionDuration))"
    )
    assert tab.evaluate(f"{moving}.length") == 0
