"""The live page in a real browser where something is out of the ordinary: `make test-site`.

Prompts that are none, broken links and files, no internet, no storage; other widths and colours, less motion, and a
listener in place of an onlooker. Screenshots are kept in build/browser/.
"""

import re

import pytest
import torch
from live_page import LONG, ROOT, SHOTS, SITE, Live, picture, until_changed
from playwright.sync_api import Page, expect

from course_lib.weights import load_panel

pytest_plugins = "in_chromium"

AXE = ROOT / "notebooks" / "site" / "node_modules" / "axe-core" / "axe.min.js"
PANELS = ("words", "compare", "edit", "noise", "paint", "plane", "honest")
WIDTHS = {"phone": 360, "tablet": 768, "desktop": 1280}
NONE = [
    "<img src=x onerror=alert(1)>",
    "🦖🦖🦖",
    "a " * 300,
    "",
    "banana'; DROP",
    "\u202ebanana\u0000",
    "3 pears",
]
FRAGMENTS = ["#seed=-1", "#prompt=a+pear&steps=1e9", "#evil=<b>x", "#network=gpt", "#=", "#steps=4.5"]
FULL = """Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError") };"""
BLOCKED = (
    """Object.defineProperty(window, "localStorage", { get() { throw new DOMException("", "SecurityError") } });"""
)
COUNT = """canvas => {
    window.painted = 0;
    const pen = Object.getPrototypeOf(canvas.getContext("2d")), put = pen.putImageData;
    pen.putImageData = function (...given) {
        painted += this.canvas === canvas;
        return put.apply(this, given);
    };
}"""  # how often a canvas is painted


def test_prompts_that_are_none(live):
    live.until("drawn")
    answer, before = live.part("words", "answer"), picture(live.part("words", "noisy"))
    for prompt in NONE:
        live.ask(prompt)
        expect(answer).to_have_class(re.compile("fault"))
        assert answer.locator("p").inner_text().strip()
        expect(live.page.locator("#words-prompt")).to_have_attribute("aria-invalid", "true")
    assert live.page.locator("img").count() == 0
    assert torch.equal(picture(live.part("words", "noisy")), before)
    live.ask("green bananna")
    answer.get_by_role("button", name="a green banana").click()
    expect(answer.locator("p")).to_have_count(0)
    live.ask("a red apple and a green banana")
    expect(answer.get_by_role("button")).to_have_count(2)
    answer.get_by_role("button", name="a red apple").press("Enter")
    live.until_drawn()
    assert load_panel().name(picture(live.part("words", "noisy"))[None]) == [("apple", "red")]
    live.ask("please paint a big purple pear")
    expect(answer).to_have_text("understood as: a large purple pear")
    live.page.get_by_role("button", name="watermelon", exact=True).click()
    expect(live.page.locator("#words-prompt")).to_have_value("a large purple watermelon")
    expect(live.part("words", "seal")).to_contain_text("a purple watermelon")


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_a_link_that_cannot_be_read(chromium, address, fragment):
    live = Live(chromium, address, fragment)
    live.until("drawn")
    expect(live.part("words", "answer")).to_contain_text("The link was not followed")
    expect(live.page.locator("#words-prompt")).to_have_value("a green banana")
    live.close()


@pytest.mark.parametrize("name", ["few_steps.onnx", "enlarger.onnx", "course.json", "ort.wasm.bundle.min.mjs"])
def test_a_file_that_breaks_off(chromium, address, name):
    live = Live(chromium, address, None)
    folder = "vendor" if name.endswith(".mjs") else "data"
    broken = (SITE / folder / name).read_bytes()[:3000]
    live.context.route(f"**/{name}", lambda route: route.fulfill(body=broken))
    live.page.goto(address)
    expect(live.part("words", "loading")).to_have_class(re.compile("fault"), timeout=LONG)
    said = live.part("words", "loading-text").inner_text()
    assert re.search("[Tt]ry again", said), said
    live.context.unroute(f"**/{name}")
    live.page.get_by_role("button", name="Retry").click()
    live.page.wait_for_selector("#words[data-state=enlarged]")
    assert load_panel().name(picture(live.part("words", "noisy"))[None]) == [("banana", "green")]
    live.errors = [error for error in live.errors if name not in error]
    live.close()


def test_once_loaded_it_works_offline(live):
    live.until("ready")
    live.context.set_offline(True)
    for network, prompt in (("4 steps", "a red pear"), ("50 steps", "a blue apple")):
        live.page.get_by_label(network).check()
        live.ask(prompt)
        live.page.wait_for_selector("#words[data-state=enlarged]")
        colour, kind = prompt.split()[1:]
        assert load_panel().name(picture(live.part("words", "noisy"))[None]) == [(kind, colour)]
    with live.page.expect_download():
        live.page.get_by_role("button", name="Save film").click()
    live.part("plane", "ground").scroll_into_view_if_needed()
    expect(live.part("plane", "answer")).to_contain_text("200 points")
    for panel in ("compare", "edit", "paint"):
        live.slider(panel)
    live.errors = [error for error in live.errors if "icon.svg" not in error]  # browsers ask for it again and again


@pytest.mark.parametrize("live", [{"first": FULL}, {"first": BLOCKED}], indirect=True, ids=["full", "blocked"])
def test_without_storage(live):
    live.until("drawn")
    live.page.get_by_role("button", name="Dark colours").click()
    expect(live.page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_theme_is_remembered(live):
    live.page.get_by_role("button", name="Dark colours").click()
    live.page.reload()
    expect(live.page.get_by_role("button", name="Light colours")).to_be_visible()
    assert live.context.cookies() == []


@pytest.mark.parametrize("live", [{"first": "delete window.WebAssembly"}], indirect=True)
def test_without_web_assembly(live):
    expect(live.part("words", "loading-text")).to_contain_text("This browser has no WebAssembly")


@pytest.mark.parametrize("live", [{"reduced_motion": "no-preference"}], indirect=True)
def test_what_is_heard_and_seen_to_move(live):
    live.until("drawn")
    live.page.evaluate("""() => { window.heard = [];
        new MutationObserver(() => heard.push(document.getElementById("spoken").textContent))
            .observe(document.getElementById("spoken"), { childList: true }) }""")
    live.page.get_by_label("50 steps").check()
    live.until_drawn()
    heard = live.page.evaluate("heard")
    assert [h for h in heard if h.startswith("Drawn: a green banana")] and len(heard) <= 2, heard
    slider, noisy = live.slider("words"), live.part("words", "noisy")
    live.page.wait_for_selector("#words.crisp")
    last = picture(noisy)
    live.part("words", "player").get_by_role("button", name="Play").click()
    until_changed(noisy, last)
    live.page.wait_for_selector("#words.crisp")
    assert torch.equal(picture(noisy), last)
    expect(slider).to_have_attribute("aria-valuetext", "enlarged")


def test_reduced_motion(live):
    live.until("drawn")
    expect(live.part("words", "player").get_by_role("button")).to_be_hidden()
    live.part("words", "noisy").evaluate(COUNT)
    live.ask("a red apple")
    live.until_drawn()
    live.page.wait_for_selector("#words[data-state=enlarged]")
    assert live.page.evaluate("painted") <= 4  # the noise, the first moment, the last, and beside the enlarged one


def show_all(page: Page) -> None:
    """Scroll through the page, so that every panel draws."""
    for panel in PANELS:
        page.locator(f"#{panel}").evaluate("panel => panel.scrollIntoView()")
        page.wait_for_timeout(300)
    for panel in ("compare", "edit", "paint"):
        expect(page.locator(f"#{panel} [data-part=player] input")).to_be_enabled(timeout=LONG)
    expect(page.locator("#plane [data-part=answer]")).to_contain_text("200 points", timeout=LONG)
    page.evaluate("scrollTo(0, 0)")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("device", WIDTHS)
def test_every_width_and_theme(chromium, address, device, theme):
    live = Live(chromium, address, width=WIDTHS[device], color_scheme=theme)
    live.until("ready")
    live.page.evaluate("document.querySelector('details').open = true")
    show_all(live.page)
    SHOTS.mkdir(parents=True, exist_ok=True)
    live.page.screenshot(path=SHOTS / f"live-{device}-{theme}.png", full_page=True)
    assert live.page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[device]
    live.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = live.page.evaluate("axe.run()")["violations"]
    told = [(v["id"], v["impact"], [node["html"] for node in v["nodes"]]) for v in found]
    print(*(f"\n{v}" for v in told))
    assert not [v for v in told if v[1] in ("serious", "critical")]
    live.close()
