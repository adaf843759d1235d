"""The widgets in a real JupyterLab in a real browser: `make test-browser`. Needs Chromium, named in $CHROMIUM.

JupyterLab runs from this environment on a free port of this computer, with a token, on a copy of the notebooks.
Screenshots of what was seen are kept in build/browser/.
"""

import io
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SHOTS = ROOT / "build" / "browser"
OPTIONS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
LONG = 300_000  # milliseconds; a lesson trains


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A running JupyterLab: its address and token. Lessons are copies, so that nothing of the course changes."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={token}"]
    home = {"HOME": str(folder), "JUPYTER_CONFIG_DIR": str(folder / "config")}
    with (folder / "lab.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **home})
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api?token={token}", timeout=2)
            break
        except OSError:
            assert server.poll() is None, (folder / "lab.log").read_text()
            time.sleep(0.5)
    yield address, token
    server.terminate()
    server.wait(20)


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as p:
        browser = p.chromium.launch(
            executable_path=os.environ["CHROMIUM"],
            args=[*OPTIONS.split(), "--disable-component-update", "--disable-sync"],
        )
        yield browser
        browser.close()


class Lesson:
    """One lesson open in the lab, all its cells run."""

    def __init__(self, chromium, lab, name: str):
        address, token = lab
        self.name, self.errors, self.elsewhere = name, [], []
        self.page = chromium.new_page(viewport={"width": 1400, "height": 1000}, device_scale_factor=2)
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "request",
            lambda r: (
                None
                if r.url.startswith((address, "data:", "blob:", address.replace("http", "ws")))
                else self.elsewhere.append(r.url)
            ),
        )
        self.page.goto(f"{address}/lab/workspaces/{name}/tree/notebooks/{name}.ipynb?token={token}&reset")
        self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell").first.wait_for(timeout=90_000)
        self.page.wait_for_function(
            "document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=idle]')", timeout=90_000
        )

    def run_all(self):
        """Run all cells and wait until the last one has its number."""
        last = self.page.locator(".jp-CodeCell .jp-InputPrompt").last
        for _ in range(10):  # a kernel that has just started may drop what it is sent
            self.page.get_by_role("menuitem", name="Run", exact=True).click()
            self.page.get_by_text("Run All Cells", exact=True).first.click()
            self.page.wait_for_timeout(2000)
            if last.inner_text() == "[*]:":
                break
        expect(last).to_have_text(re.compile(r"^\[\d+\]:"), timeout=LONG)
        return self

    def shot(self, what: str):
        """Keep what is on the screen."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{self.name}-{what}.png")


@pytest.fixture
def lesson(chromium, lab, request):
    opened = Lesson(chromium, lab, request.param)
    yield opened
    opened.shot("end")
    opened.page.close()
    assert not opened.errors and not opened.elsewhere


def pixels(locator):
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)


def until_changed(locator, before, seconds=5.0):
    """The pixels of a picture as soon as they differ from `before`."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        now = pixels(locator)
        if now.shape == before.shape and np.abs(now - before).mean() > 1:
            return now
    raise AssertionError("the picture did not change")


@pytest.mark.parametrize("lesson", ["01_adding_noise"], indirect=True)
def test_the_noise_follows_mouse_and_keyboard(lesson):
    lesson.run_all()
    slider = lesson.page.locator(".widget-slider .noUi-handle").first
    slider.scroll_into_view_if_needed()
    picture = lesson.page.locator(".jp-OutputArea .widget-image").first
    clean = pixels(picture)
    box = lesson.page.locator(".widget-slider .noUi-base").first.bounding_box()
    lesson.page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
    lesson.page.mouse.down()
    lesson.page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 2, steps=8)
    lesson.page.mouse.up()
    dragged = until_changed(picture, clean)
    lesson.shot("dragged")
    slider.press("Home")
    assert np.abs(until_changed(picture, dragged) - clean).mean() < 1
    for _ in range(30):
        slider.press("ArrowRight")
    until_changed(picture, clean)
