"""The live page in a browser, for the tests that play with it: how it is opened, and what it shows.

Another folder than build/site, where `make site` puts it, can be named in $SITE.
"""

import os
import time
from pathlib import Path

import torch
from playwright.sync_api import Locator, expect

from course_lib.tools.pixels import from_bytes

ROOT = Path(__file__).resolve().parents[1]
SHOTS = ROOT / "build" / "browser"
SITE = Path(os.environ.get("SITE", ROOT / "build" / "site"))
LONG = 180_000  # milliseconds, on a busy computer
STATES = ("drawn", "ready")  # of the whole page, in their order
NUMBERS = """canvas => {
    const { width, height } = canvas;
    return [width, [...canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, width, height).data]];
}"""


class Live:
    """The live page, open in a browser that has never been there; not yet, where the fragment is None."""

    def __init__(
        self, chromium, address: str, fragment: str | None = "", *, first: str = "", width: int = 1280, **options
    ):
        options = {"reduced_motion": "reduce", "viewport": {"width": width, "height": 900}} | options
        self.address, self.errors, self.elsewhere = address, [], []
        self.context = chromium.new_context(**options)
        self.context.set_default_timeout(LONG)
        self.page = self.context.new_page()
        self.page.on(
            "console",
            lambda m: (
                self.errors.append(f"{m.text} {m.location.get('url')}") if m.type in ("error", "warning") else None
            ),
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        here = (address, "data:", "blob:")
        self.context.on("request", lambda r: None if r.url.startswith(here) else self.elsewhere.append(r.url))
        if first:  # a script that runs before those of the page
            self.page.add_init_script(first)
        if fragment is not None:
            self.page.goto(address + fragment)

    def part(self, panel: str, name: str) -> Locator:
        """A part of a panel, by the name that the page has for it."""
        return self.page.locator(f"#{panel} [data-part={name}]")

    def until(self, state: str):
        """Wait until the whole page has come so far, or farther: drawn, ready. A look twice a second misses a state."""
        reached = ", ".join(f"html[data-state={s}]" for s in STATES[STATES.index(state) :])
        self.page.wait_for_selector(reached, state="attached", timeout=LONG)
        return self

    def until_drawn(self) -> None:
        """Wait until the first panel shows the picture that was asked for."""
        states = ", ".join(f"#words[data-state={state}]" for state in ("drawn", "enlarged"))
        self.page.wait_for_selector(states, timeout=LONG)

    def ask(self, prompt: str) -> None:
        """Type a prompt into the first panel, and press Enter."""
        box = self.page.get_by_label("Now ask for something else")
        box.fill(prompt)
        box.press("Enter")

    def slider(self, panel: str) -> Locator:
        """The slider through the moments of a panel's film, once all of them are there."""
        slider = self.part(panel, "player").get_by_role("slider")
        slider.scroll_into_view_if_needed()
        expect(slider).to_be_enabled(timeout=LONG)
        return slider

    def close(self) -> None:
        """There was nothing to complain of."""
        self.context.close()
        complaints = [*self.errors, *self.elsewhere]
        assert not complaints, complaints


def picture(canvas: Locator) -> torch.Tensor:
    """What a canvas shows, (3, side, side) in [-1, 1]."""
    side, numbers = canvas.evaluate(NUMBERS)
    return from_bytes(torch.tensor(numbers, dtype=torch.uint8).reshape(side, side, 4)[..., :3].permute(2, 0, 1))


def until_changed(canvas: Locator, before: torch.Tensor) -> torch.Tensor:
    """What a canvas shows as soon as that is something else."""
    began = time.monotonic()
    while time.monotonic() - began < LONG / 1000:
        now = picture(canvas)
        if now.shape != before.shape or (now - before).abs().mean() > 0.01:
            return now
        time.sleep(0.1)
    raise AssertionError("the picture did not change")
