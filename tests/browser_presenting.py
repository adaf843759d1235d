"""Presenting live from JupyterLab, step by step as notebooks/instructor/presenting.md tells it.

CHROMIUM=chromium python -m pytest tests/browser_presenting.py. The room's screen has 1920 x 1080 pixels. A browser that
is zoomed to 125 % lays a page out in fewer, larger pixels, so that is how it is opened here; the sizes of letters are
those on the screen, and the page says which they are. Screenshots are kept in build/browser/.
"""

import re

import pytest
from browser import Lab, Lesson
from live_page import ROOT
from playwright.sync_api import expect

pytest_plugins = "in_chromium"

PAGE = ROOT / "notebooks" / "instructor" / "presenting.md"
SCREEN = (1920, 1080)
LEGIBLE = 20  # pixels on the screen, from the back row
SIZE = "(element, zoom) => parseFloat(getComputedStyle(element).fontSize) * zoom"


class Room:
    """A browser in front of a room, zoomed; it opens pages as the browser of the other tests does."""

    def __init__(self, chromium, zoom: float):
        self.chromium, self.zoom = chromium, zoom

    def new_page(self, viewport: dict):  # the projector's, whatever is asked for
        wide, high = (round(side / self.zoom) for side in SCREEN)
        return self.chromium.new_page(viewport={"width": wide, "height": high}, device_scale_factor=self.zoom)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.server.terminate()
    lab.server.wait(20)


@pytest.fixture
def lesson(chromium, lab, request):
    zoom = getattr(request, "param", 1.25)
    opened = Lesson(Room(chromium, zoom), lab, "01_adding_noise")
    opened.zoom = zoom
    yield opened
    opened.page.close()
    for session in lab.ask("sessions"):
        lab.ask(f"sessions/{session['id']}", "DELETE")
    assert not opened.errors and not opened.elsewhere


def letters(lesson: Lesson) -> tuple[float, float]:
    """The height of the letters of code and of prose, in pixels of the screen."""
    paper = lesson.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    parts = (".jp-CodeCell .cm-line", ".jp-RenderedMarkdown p")
    return tuple(paper.locator(part).first.evaluate(SIZE, lesson.zoom) for part in parts)


def told() -> dict[tuple[str, str], tuple[float, float]]:
    """What the page says of letters: mode and zoom, and the pixels of code and of prose."""
    rows = re.findall(
        r"^ *\| (.+?) \| (\d+) % \| ([\d.]+) px \| ([\d.]+) px \|$", PAGE.read_text(encoding="utf-8"), re.M
    )
    return {(mode, zoom): (float(code), float(prose)) for mode, zoom, code, prose in rows}


@pytest.mark.parametrize("lesson", [1.0, 1.25], ids=["100", "125"], indirect=True)
def test_letters_are_as_large_as_the_page_says_and_large_enough_when_zoomed(lesson):
    said, zoom = told(), f"{100 * lesson.zoom:.0f}"
    assert len(said) == 4
    assert letters(lesson) == pytest.approx(said["as it opens", zoom], abs=0.05)
    lesson.menu("View", "Appearance", "Presentation Mode")
    expect(lesson.page.locator(".jp-mod-presentationMode").first).to_be_attached()
    assert letters(lesson) == pytest.approx(said["Presentation Mode", zoom], abs=0.05)
    assert (min(letters(lesson)) >= LEGIBLE) == (zoom == "125")  # once 100 % is enough, the page need not ask for more
    lesson.shot(f"presenting-{zoom}")


def test_a_lesson_is_shown_and_run_as_the_page_tells(lesson):
    page = lesson.page
    lesson.menu("View", "Appearance", "Presentation Mode")
    lesson.menu("View", "Appearance", "Simple Interface")
    expect(page.locator(".lm-DockPanel-tabBar:visible")).to_have_count(0)
    if page.locator("#jp-left-stack").is_visible():
        lesson.menu("View", "Appearance", "Show Left Sidebar")
    expect(page.locator("#jp-left-stack")).to_be_hidden()
    if page.locator(".jp-SideBar.jp-mod-left").is_visible():
        lesson.menu("View", "Appearance", "Show Left Activity Bar")
    expect(page.locator(".jp-SideBar.jp-mod-left")).to_be_hidden()
    lesson.menu("View", "Appearance", "Show Right Activity Bar")
    expect(page.locator(".jp-SideBar.jp-mod-right")).to_be_hidden()
    paper = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)").bounding_box()
    assert paper["width"] >= page.viewport_size["width"] - 16  # the lesson has the width of the screen
    lesson.menu("View", "Appearance")  # a browser without a screen cannot fill it, but the entry is there
    expect(page.locator(".lm-Menu-itemLabel").get_by_text("Fullscreen Mode", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator(".lm-Menu")).to_have_count(0)
    lesson.shot("presenting-bare")

    first = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").first
    first.click(position={"x": 200, "y": 10})
    page.keyboard.press("Escape")
    figure = lesson.cells.filter(has_text='show.row(x0, ["x0"], height=4)').first
    for _ in range(12):  # from the title down to the first figure
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(200)
        if re.match(r"\[[\d*]", lesson.prompt(figure).inner_text()):
            break
    picture = figure.locator(".jp-OutputArea img")
    expect(picture).to_be_visible(timeout=180_000)
    assert picture.evaluate("e => e.complete && e.naturalWidth > 0")
    numbers = lesson.cells.locator(".jp-InputPrompt").all_inner_texts()[:3]
    assert numbers == ["[1]:", "[2]:", "[3]:"]
    picture.scroll_into_view_if_needed()
    lesson.shot("presenting-run")

    figure.locator(".jp-InputArea-editor").click()
    lesson.menu("View", "Collapse Selected Code")
    expect(figure.locator(".jp-InputArea-editor")).to_be_hidden()
    expect(picture).to_be_visible()
    lesson.shot("presenting-figure-alone")
    lesson.menu("View", "Expand Selected Code")
    expect(figure.locator(".jp-InputArea-editor")).to_be_visible()


def run_below(lesson, code: str) -> None:
    """Put a new cell below the first, with code in it, and run it."""
    lesson.prompt(lesson.cells.first).click()
    for key in ("Escape", "b", "Enter"):
        lesson.page.keyboard.press(key)
    lesson.page.keyboard.insert_text(code)
    lesson.page.keyboard.press("Control+Enter")


def until_high(part, height: float) -> None:
    """Wait until a part of the page has a height, in pixels, but for a few hundredths."""
    for _ in range(120):
        if part.bounding_box()["height"] == pytest.approx(height, rel=0.02):
            return
        part.page.wait_for_timeout(500)
    raise AssertionError(f"{part.bounding_box()['height']} pixels high, not {height}")


@pytest.mark.parametrize("lesson", [1.0], ids=["100"], indirect=True)
def test_a_widget_on_show_follows_the_projector_and_goes_back(lesson):
    for code in ("import torch", "NoiseSlider("):
        lesson.run(code)
    slider = lesson.panel("NoiseSlider(").get_by_role("slider", name="noise level t")
    expect(slider).to_be_visible(timeout=180_000)
    high = slider.bounding_box()["height"]
    run_below(lesson, "show.projector()")
    until_high(slider, 1.5 * high)
    slider.scroll_into_view_if_needed()
    lesson.shot("projector")
    run_below(lesson, "show.projector(False)")
    until_high(slider, high)
