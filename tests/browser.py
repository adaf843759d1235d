"""The widgets in a real JupyterLab in a real browser: `make test-browser`. Needs Chromium, named in $CHROMIUM.

JupyterLab runs from this environment on a free port of this computer, with a token, on a copy of the notebooks without
their outputs, so that whatever is seen was made in this run. Screenshots are kept in build/browser/.
"""

import io
import json
import os
import re
import secrets
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from live_page import ROOT, SHOTS
from PIL import Image
from playwright.sync_api import Locator, expect

from course_lib.tools.pixels import from_bytes
from course_lib.weights import load_judge

pytest_plugins = "in_chromium"

LONG = 600_000  # milliseconds; a lesson computes
GREEN_BANANA = ("banana", "green")
CONTRAST = """element => {
    const light = colour => {
        const [r, g, b] = colour.match(/[0-9.]+/g).map(v => v / 255).map(
            v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    let behind = element;
    while (getComputedStyle(behind).backgroundColor.match(/^rgba\\(.*, 0\\)$/)) behind = behind.parentElement;
    const ends = [light(getComputedStyle(element).color), light(getComputedStyle(behind).backgroundColor)];
    return (Math.max(...ends) + 0.05) / (Math.min(...ends) + 0.05);
}"""  # WCAG 2.2, "contrast ratio"
WRITTEN = "label, input:not([type=range]), select, button, p, .widget-label"  # what there is to read in a panel


class Lab:
    """A running JupyterLab, in a folder of its own."""

    def __init__(self, folder: Path):
        (folder / "notebooks").mkdir()
        for path in (ROOT / "notebooks").glob("*.ipynb"):
            notebook = nbformat.read(path, as_version=4)
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = [], None
            nbformat.write(notebook, folder / "notebooks" / path.name)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.address, self.token = f"http://127.0.0.1:{port}", secrets.token_hex(16)
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
        command += [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1"]
        command += [f"--IdentityProvider.token={self.token}"]
        home = {"HOME": str(folder), "JUPYTER_CONFIG_DIR": str(folder / "config")}
        with (folder / "lab.log").open("w", encoding="utf-8") as log:
            self.server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **home})
        for _ in range(240):
            try:
                self.ask("")
                return
            except OSError:
                assert self.server.poll() is None, (folder / "lab.log").read_text(encoding="utf-8")
                time.sleep(0.5)
        self.server.kill()
        raise AssertionError("JupyterLab does not answer")

    def ask(self, what: str, method: str = "GET"):
        """Ask the server's own interface; the answer, read from JSON."""
        request = urllib.request.Request(
            f"{self.address}/api/{what}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def until_kernel_listens(self) -> None:
        """Wait until the only kernel is idle and the page is connected to it; before that, Run All is lost."""
        for _ in range(240):
            states = [s["kernel"]["execution_state"] for s in self.ask("sessions") if s["kernel"]["connections"]]
            if states == ["idle"]:
                return
            time.sleep(0.5)
        raise AssertionError(f"no kernel listens: {self.ask('sessions')}")


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.server.terminate()
    lab.server.wait(20)


class Lesson:
    """One lesson open in the lab."""

    def __init__(self, chromium, lab: Lab, name: str):
        self.name, self.errors, self.elsewhere = name, [], []
        self.page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        here = (lab.address, lab.address.replace("http", "ws"), "data:", "blob:")
        self.page.on("request", lambda r: None if r.url.startswith(here) else self.elsewhere.append(r.url))
        self.page.goto(f"{lab.address}/lab/workspaces/{name}/tree/notebooks/{name}.ipynb?token={lab.token}&reset")
        self.cells = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell")
        self.cells.first.wait_for(timeout=90_000)
        expect(self.page.locator(".jp-Toolbar-kernelName")).to_contain_text("Python", timeout=90_000)
        lab.until_kernel_listens()

    def menu(self, *path: str) -> None:
        """Choose from the menu bar."""
        self.page.get_by_role("menuitem", name=path[0], exact=True).first.click()
        for name in path[1:]:
            self.page.locator(".lm-Menu-itemLabel").get_by_text(name, exact=True).last.click()

    def prompt(self, cell: Locator) -> Locator:
        return cell.locator(".jp-InputPrompt")

    def run_all(self):
        """Run all cells and wait until the last one has its number."""
        self.menu("Run", "Run All Cells")
        expect(self.prompt(self.cells.last)).to_have_text(re.compile(r"^\[\d+\]:"), timeout=LONG)
        assert self.page.locator(".jp-RenderedText[data-mime-type$=stderr]").all_inner_texts() == []
        return self

    def run_above(self, code: str) -> None:
        """Run all cells above the first one whose code holds `code`."""
        self.cells.filter(has_text=code).first.locator(".jp-InputArea-editor").click()
        self.menu("Run", "Run All Above Selected Cell")

    def run(self, code: str) -> Locator:
        """Run the first cell whose code holds `code`, after those that still run; this cell."""
        cell = self.cells.filter(has_text=code).first
        cell.locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Control+Enter")
        return cell

    def panel(self, code: str) -> Locator:
        """The widget below the cell whose code holds `code`."""
        return self.cells.filter(has_text=code).locator(".jp-OutputArea .widget-vbox").first

    def check_access(self, *panels: Locator) -> None:
        """Panels can be read in both themes, Tab walks over all that they hold, and each slider has a name."""
        contrast_of_each = f"all => all.map(e => [e.innerText || e.value, ({CONTRAST})(e)])"
        self.page.add_style_tag(content="* { transition: none !important }")  # colours fade over
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            self.menu("Settings", "Theme", theme)
            expect(self.page.locator("body")).to_have_attribute("data-jp-theme-name", theme, timeout=60_000)
            expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)
            panels[0].scroll_into_view_if_needed()
            self.shot(theme.lower().replace(" ", "-"))
            for panel in panels:
                contrasts = panel.locator(WRITTEN).evaluate_all(contrast_of_each)
                assert contrasts and min(contrast for _, contrast in contrasts) >= 4.5, contrasts
        for panel in panels:
            controls = panel.locator(":is(input, select, button):enabled")
            controls.first.focus()
            for i in range(controls.count()):
                assert controls.evaluate_all("all => all.indexOf(document.activeElement)") == i
                self.page.keyboard.press("Tab")
            sliders = panel.get_by_role("slider")
            assert sliders.count() == panel.get_by_role("slider", name=re.compile(r"\w")).count()

    def shot(self, what: str) -> None:
        """Keep what is on the screen."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{self.name}-{what}.png")

    def shots_of_all(self) -> None:
        """Keep the whole lesson, from top to bottom, in pictures of 3,000 lines."""
        self.page.set_viewport_size({"width": 1400, "height": 3000})
        paper = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer")
        for part in range(20):
            end = paper.evaluate("(paper, top) => { paper.scrollTop = top; return paper.scrollHeight }", 2800 * part)
            self.page.wait_for_timeout(300)
            self.shot(f"{part:02}")
            if 2800 * (part + 1) >= end:
                break
        self.page.set_viewport_size({"width": 1400, "height": 1000})


@pytest.fixture
def lesson(chromium, lab, request):
    opened = Lesson(chromium, lab, request.param)
    yield opened
    opened.shot("end")
    opened.page.close()
    for session in lab.ask("sessions"):
        lab.ask(f"sessions/{session['id']}", "DELETE")
    assert not opened.errors and not opened.elsewhere


def pixels(picture: Locator) -> np.ndarray:
    """What the screen shows of a picture, (H, W, 3)."""
    picture.scroll_into_view_if_needed()
    return np.asarray(Image.open(io.BytesIO(picture.screenshot())).convert("RGB")).astype(int)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """How much two pictures from the screen differ, in grey values; one may have a line more at its edge."""
    high, wide = min(len(a), len(b)), min(a.shape[1], b.shape[1])
    return np.abs(a[:high, :wide] - b[:high, :wide]).mean()


def until_changed(picture: Locator, before: np.ndarray, seconds: float = 60.0) -> np.ndarray:
    """The pixels of a picture as soon as they differ from `before`."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        now = pixels(picture)
        if difference(now, before) > 1:
            return now
    raise AssertionError("the picture did not change")


def until_same(picture: Locator, wanted: np.ndarray, seconds: float = 60.0) -> None:
    """Wait until a picture looks as `wanted` does."""
    began = time.monotonic()
    while difference(pixels(picture), wanted) > 1:
        assert time.monotonic() - began < seconds, "the picture did not come back"


def drag(page, slider: Locator, start: float, end: float) -> None:
    """Drag a slider with the mouse, from one share of its length to another."""
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y, steps=8)
    page.mouse.up()


def name_of(picture: Locator) -> tuple[str, str]:
    """What the judge sees in a picture on the screen: kind and colour."""
    small = Image.fromarray(pixels(picture).astype(np.uint8)).resize((32, 32), Image.Resampling.BOX)
    return load_judge().name(from_bytes(torch.from_numpy(np.array(small))).permute(2, 0, 1)[None])[0]


def ask_for(panel: Locator, words: str) -> None:
    """Type a prompt, and press Enter."""
    box = panel.get_by_role("textbox", name="prompt")
    box.fill(words)
    box.press("Enter")


def drawn(panel: Locator) -> list[str]:
    """The prompts of the pictures in the strip of results, latest first."""
    return panel.locator(":scope > .widget-hbox").last.locator(".widget-label").all_inner_texts()


@pytest.mark.parametrize("lesson", ["00_start_here"], indirect=True)
def test_a_green_banana_asked_for_in_words(lesson):
    lesson.run_all().shots_of_all()
    panel = lesson.panel("PromptBox")
    assert drawn(panel) == []
    ask_for(panel, "green banana")
    expect(panel.get_by_text("a green banana", exact=True)).to_be_visible(timeout=60_000)
    guess = panel.get_by_title("current guess x0_hat")
    assert name_of(guess) == GREEN_BANANA
    lesson.shot("green-banana")
    lesson.check_access(panel)

    banana = pixels(guess)
    ask_for(panel, "green bananna")
    expect(panel.get_by_role("status")).to_contain_text('Did you mean "a green banana"?')
    assert drawn(panel) == ["a green banana"] and difference(pixels(guess), banana) == 0
    lesson.shot("suggestion")

    panel.get_by_role("button", name="red", exact=True).click()  # a chip: another word, another picture
    expect(panel.get_by_role("status")).to_have_count(0)
    until_changed(guess, banana)

    lesson.run("PromptBox(denoiser)")  # again: the box before it is closed, and a new one takes its place
    expect(panel.get_by_text("a green banana", exact=True)).to_have_count(0, timeout=60_000)
    ask_for(panel, "a red apple")
    expect(panel.get_by_text("a red apple", exact=True)).to_be_visible(timeout=60_000)
    assert drawn(panel) == ["a red apple"]


@pytest.mark.parametrize("lesson", ["01_adding_noise"], indirect=True)
def test_the_noise_follows_mouse_and_keyboard(lesson):
    lesson.run_all().shots_of_all()
    panel = lesson.panel("NoiseSlider")
    slider, picture = panel.get_by_role("slider", name="noise level t"), panel.get_by_title("noisy picture x_t")
    histogram = panel.get_by_title("histogram of the pixel values")
    lesson.check_access(panel)
    clean, bars = pixels(picture), pixels(histogram)

    drag(lesson.page, slider, 0.01, 0.7)
    dragged = until_changed(picture, clean)
    until_changed(histogram, bars)
    lesson.shot("dragged")
    slider.press("Home")
    until_same(picture, clean)
    for _ in range(30):
        slider.press("ArrowRight")
    expect(panel.get_by_text("0.30", exact=True)).to_be_visible()
    assert difference(until_changed(picture, clean), dragged) > 1

    slider.press("Home")
    until_same(picture, clean)
    panel.get_by_role("button", name="Play").click()
    until_changed(picture, clean)
    expect(panel.get_by_text("1.00", exact=True)).to_be_visible(timeout=60_000)

    slider.press("Home")
    until_same(picture, clean)
    panel.get_by_role("textbox", name="picture").fill("a green pear")
    panel.get_by_role("textbox", name="picture").press("Enter")
    pear = until_changed(picture, clean)
    panel.get_by_role("textbox", name="picture").fill("a gren pear")
    panel.get_by_role("textbox", name="picture").press("Enter")
    expect(panel.get_by_role("status")).to_contain_text('Did you mean "a green pear"?')
    assert difference(pixels(picture), pear) == 0

    measured = [answer_time(slider, picture) for _ in range(21)]
    print(f"\na key press on the slider shows its picture after {statistics.median(measured):.0f} ms (median of 21)")


def answer_time(slider: Locator, picture: Locator) -> float:
    """Milliseconds from a key press on a slider to another picture on the page."""
    picture.evaluate("""picture => { window.answered = new Promise(answer => {
        picture.addEventListener('load', () => answer(performance.now()), {once: true}) }) }""")
    began = slider.evaluate("slider => { slider.focus(); return performance.now() }")
    slider.press("ArrowRight")
    return slider.page.evaluate("window.answered") - began


@pytest.mark.parametrize("lesson", ["02_learning_to_denoise"], indirect=True)
def test_any_step_that_takes_noise_away(lesson):
    for code in ("import torch", "apples = draw_many"):
        lesson.run(code)
    training = lesson.run("giant = Run(")
    training.get_by_text("pictures/s").wait_for(timeout=LONG)  # the network is there; it need not learn for this
    lesson.menu("Kernel", "Interrupt Kernel")
    expect(lesson.prompt(training)).to_have_text(re.compile(r"^\[\d+\]:"), timeout=60_000)
    lesson.run("PairExplorer(giant")
    panel = lesson.panel("PairExplorer(giant")
    target = panel.get_by_title("target x_s")
    target.wait_for(timeout=LONG)
    lesson.check_access(panel)
    noisy = pixels(target)
    panel.get_by_role("slider", name="to level s").press("Home")
    clean = until_changed(target, noisy)
    panel.get_by_role("slider", name="from level t").press("Home")
    expect(panel.get_by_role("status")).to_contain_text("s must be below t")
    assert difference(pixels(target), clean) == 0
    lesson.shot("pair")


@pytest.mark.parametrize("lesson", ["02_learning_to_denoise"], indirect=True)
def test_a_point_travels_over_the_plane(lesson):
    for code in ("import torch", "cloud = plane.two_fruits()", "small = Run(plane.PlaneNet()", "FlowPlane(small"):
        lesson.run(code)
    panel = lesson.panel("FlowPlane(small")
    ground = panel.locator("svg")
    ground.wait_for(timeout=LONG)
    lesson.check_access(panel)
    begun = ground.get_attribute("aria-label")
    assert begun.startswith("At t = 1.00 the guess lies on no fruit")
    panel.get_by_role("slider", name="done, %").press("End")
    expect(ground).to_have_attribute("aria-label", re.compile(r"^At t = 0\.00"))
    road = ground.locator("polyline").last.get_attribute("points")
    box = ground.bounding_box()
    lesson.page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.8 * box["height"])
    expect(ground.locator("polyline").last).not_to_have_attribute("points", road)
    start = panel.get_by_role("slider", name="start, up")
    assert float(start.get_attribute("aria-valuetext")) < -1  # where the click was, to the tenth
    lesson.shot("plane")


@pytest.mark.parametrize("lesson", ["09_why_are_my_samples_bad"], indirect=True)
def test_a_diagnosis(lesson):
    for code in ("import torch", "ward = broken.load()", "DiagnosisGame(ward"):
        lesson.run(code)
    panel = lesson.panel("DiagnosisGame(ward")
    panel.get_by_role("combobox").select_option(index=1, timeout=LONG)
    expect(panel.get_by_role("status")).to_have_text(re.compile("^(Right|Not)"))
    lesson.check_access(panel)


@pytest.mark.parametrize("lesson", ["08_faster"], indirect=True)
def test_a_picture_for_every_letter_that_makes_sense(lesson):
    for code in ("import torch", "denoiser = load_denoiser()", "PromptBox(student"):
        lesson.run(code)
    panel = lesson.panel("PromptBox(student")
    box, guess = panel.get_by_role("textbox", name="prompt"), panel.get_by_title("current guess x0_hat")
    box.click()
    box.press("ControlOrMeta+a")
    box.press_sequentially("a green banana", delay=50)
    expect(panel.get_by_text("a green banana", exact=True)).to_be_visible(timeout=60_000)
    assert name_of(guess) == GREEN_BANANA
    banana = pixels(guess)
    box.press_sequentially(" on a cream bac", delay=50)
    assert drawn(panel) == ["a green banana"] and difference(pixels(guess), banana) == 0
    expect(panel.get_by_role("status")).to_have_count(0)
    box.press_sequentially("kground", delay=50)
    until_changed(guess, banana)
    lesson.shot("typed")
    lesson.check_access(panel)


@pytest.mark.parametrize("lesson", ["04_generating_from_noise"], indirect=True)
def test_a_slider_through_a_generation(lesson):
    lesson.run_above("Trajectory({")
    lesson.run("Trajectory({")
    panel = lesson.panel("Trajectory({")
    panel.wait_for(timeout=LONG)
    slider, pictures = panel.get_by_role("slider", name="done, %"), panel.get_by_role("img")
    assert pictures.count() == 2
    lesson.check_access(panel)
    noise = [pixels(picture) for picture in pictures.all()]
    drag(lesson.page, slider, 0.01, 0.5)
    halfway = [until_changed(p, before) for p, before in zip(pictures.all(), noise, strict=True)]
    slider.press("End")
    ends = [until_changed(p, before) for p, before in zip(pictures.all(), halfway, strict=True)]
    assert difference(*ends) > 1  # 100 steps and 10 do not end in one picture
    expect(panel.get_by_text("t = 0.00")).to_have_count(2)
    panel.scroll_into_view_if_needed()
    lesson.shot("trajectory")


@pytest.mark.parametrize("lesson", ["06_the_green_banana"], indirect=True)
def test_prompts_guidance_and_trajectory(lesson):
    widgets = "Trajectory(roads", "GuidanceGrid(model", "PromptBox(model"
    for code in ("import torch", "pictures = training_pictures()", *widgets):
        lesson.run(code)
    lesson.panel(widgets[-1]).wait_for(timeout=LONG)
    lesson.check_access(*map(lesson.panel, widgets))
    panel = lesson.panel("PromptBox(model")
    panel.get_by_role("slider", name="steps").press("End")  # 100 steps: there is time to change one's mind
    ask_for(panel, "a red apple")
    ask_for(panel, "green banana")
    expect(panel.get_by_text("a green banana", exact=True)).to_be_visible(timeout=60_000)
    assert drawn(panel) == ["a green banana"]  # the apple was given up
    assert name_of(panel.get_by_title("current guess x0_hat")) == GREEN_BANANA
    ask_for(panel, "green bananna")
    expect(panel.get_by_role("status")).to_contain_text('Did you mean "a green banana"?')
    panel.scroll_into_view_if_needed()
    lesson.shot("prompts")

    panel = lesson.panel("GuidanceGrid(model")
    pictures = panel.get_by_role("img")
    last = pixels(pictures.last)
    panel.get_by_role("button", name="Fill in").click()
    panel.get_by_role("button", name="Stop").click()  # at once: eight pictures are soon there
    lesson.page.wait_for_timeout(1000)
    stopped = [pixels(picture) for picture in pictures.all()]
    lesson.page.wait_for_timeout(1000)
    assert all(difference(a, pixels(p)) == 0 for a, p in zip(stopped, pictures.all(), strict=True))
    assert difference(stopped[-1], last) == 0  # it had not come so far
    panel.get_by_role("button", name="Fill in").click()
    until_changed(pictures.last, last)
    panel.scroll_into_view_if_needed()
    lesson.shot("guidance")

    panel = lesson.panel("Trajectory(roads")
    picture = panel.get_by_role("img").first
    noise = pixels(picture)
    drag(lesson.page, panel.get_by_role("slider"), 0.01, 0.8)
    until_changed(picture, noise)


@pytest.mark.parametrize("lesson", ["03_training_on_many_pictures"], indirect=True)
def test_a_run_that_is_interrupted_goes_on(lesson):
    cell = lesson.cells.filter(has_text="watch(run").first
    lesson.run_above("watch(run")
    expect(lesson.prompt(lesson.cells.filter(has_text="run = Run(").first)).to_have_text(
        re.compile(r"^\[\d+\]:"), timeout=LONG
    )
    said = cell.locator(".jp-RenderedText[data-mime-type$=stdout]")
    steps = []
    for _ in range(2):
        lesson.run("watch(run")
        expect(lesson.prompt(cell)).to_have_text("[*]:")
        cell.locator(".jp-OutputArea img").wait_for(timeout=60_000)  # the first look at what it can do
        lesson.page.wait_for_timeout(3000)
        lesson.menu("Kernel", "Interrupt Kernel")
        expect(said).to_contain_text("The run is kept", timeout=60_000)
        expect(lesson.prompt(cell)).to_have_text(re.compile(r"^\[\d+\]:"))
        steps.append(int(re.search(r"after (\d+) steps", said.inner_text()).group(1)))
        lesson.shot(f"interrupted-{len(steps)}")
    assert 0 < steps[0] < steps[1]
