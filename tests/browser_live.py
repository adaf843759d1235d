"""The live page in a real browser, as `make site` built it: `make test-site`. What it makes, and how it is used.

Its pictures are read back from their canvases, and judged by the panel.
"""

import io
import re
from pathlib import Path

import torch
from live_page import LONG, Live, picture, until_changed
from PIL import Image
from playwright.sync_api import expect

from course_lib.fruit.words import HELD_OUT_PAIRS
from course_lib.tools.pixels import from_bytes
from course_lib.weights import load_panel

pytest_plugins = "in_chromium"

SEEDS, LEAST_RIGHT = 8, 62  # pictures of each held-out pair; how many of all must be right


def test_a_green_banana_without_doing_anything(live):
    live.until("drawn")
    last = picture(live.part("words", "noisy"))
    assert load_panel().name(last[None]) == [("banana", "green")]
    expect(live.part("words", "seal")).to_contain_text("no picture and no caption told of a green banana")
    live.page.wait_for_selector("#words[data-state=enlarged]")
    assert picture(live.part("words", "guess")).shape == (3, 128, 128)
    expect(live.part("words", "guess-title")).to_have_text("the picture, enlarged")


def test_held_out_pairs_are_right(live):
    live.until("ready")
    seed = live.page.get_by_label("Seed of the noise")
    pictures, pairs = [], []
    for kind, colour in HELD_OUT_PAIRS:
        for number in range(SEEDS):
            seed.fill(str(number))
            live.ask(f"{colour} {kind}")
            live.until_drawn()
            pictures.append(picture(live.part("words", "noisy")))
            pairs.append((kind, colour))
    named = load_panel().name(torch.stack(pictures))
    wrong = [(pair, said) for pair, said in zip(pairs, named, strict=True) if pair != said]
    print(f"\nright: {len(pairs) - len(wrong)} of {len(pairs)}; not: {wrong}")
    assert len(pairs) - len(wrong) >= LEAST_RIGHT
    assert len({tuple(x.flatten().tolist()) for x in pictures}) == len(pairs)  # each is a picture of its own


def test_the_film_is_slid_through_by_keyboard(live):
    live.until("ready")
    live.page.wait_for_selector("#words[data-state=enlarged]")
    slider, noisy = live.slider("words"), live.part("words", "noisy")
    expect(slider).to_have_attribute("aria-valuetext", "enlarged")
    last = picture(noisy)
    slider.press("Home")
    noise = picture(noisy)
    expect(slider).to_have_attribute("aria-valuetext", "t = 1.00")
    assert (noise - last).abs().mean() > 0.2
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "t = 0.75")
    slider.press("End")
    assert torch.equal(picture(noisy), last)

    live.page.get_by_label("50 steps").press("Space")
    live.until_drawn()
    expect(live.page.locator("#words-steps")).to_have_value("50")
    slider = live.slider("words")
    slider.press("Home")
    assert torch.equal(picture(noisy), noise)  # another network, and the same noise
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "t = 0.98")


def test_every_panel_by_keyboard(live):
    live.until("ready")
    page = live.page
    before = picture(live.part("compare", "right"))
    page.get_by_label("Right prompt").fill("a pink lemon")
    page.get_by_label("Right prompt").press("Enter")
    lemon = until_changed(live.part("compare", "right"), before)
    slider = live.slider("compare")
    slider.press("Home")
    assert torch.equal(picture(live.part("compare", "left")), picture(live.part("compare", "right")))  # one noise
    slider.press("End")
    pair = torch.stack([picture(live.part("compare", side)) for side in ("left", "right")])
    assert load_panel().name(pair) == [("banana", "green"), ("lemon", "pink")] and not torch.equal(lemon, before)

    live.slider("edit")
    page.get_by_label("New prompt").fill("a red banana")
    page.get_by_label("New prompt").press("Enter")
    live.part("edit", "player").get_by_role("slider").and_(page.locator(":disabled")).wait_for()
    live.slider("edit").press("End")
    assert load_panel().name(picture(live.part("edit", "guess"))[None]) == [("banana", "red")]
    red = picture(live.part("edit", "guess"))
    page.get_by_label("an apple").press("Space")
    until_changed(live.part("edit", "guess"), red)

    level, guess = page.get_by_label("Noise level"), live.part("noise", "guess")
    level.scroll_into_view_if_needed()
    for key, t in (("ArrowRight", "0.61"), ("End", "1.00"), ("Home", "0.00")):
        level.press(key)
        expect(live.part("noise", "level-told")).to_have_text(f"t = {t}")
        expect(guess).to_have_attribute("aria-label", f"What the network thinks at t = {t}", timeout=LONG)
        if key == "End":
            average = picture(guess)
    apple = picture(guess)
    assert (apple - average).abs().mean() > 0.1
    assert load_panel().name(apple[None]) == [("apple", "red")]

    easel = live.part("paint", "easel")
    easel.focus()
    drawn = picture(easel)
    easel.press("f")  # the cross begins on the banana, which is all of one colour
    assert torch.equal(picture(easel), drawn)
    page.get_by_role("button", name="blue", exact=True).last.press("Enter")
    easel.press("f")
    expect(page.locator("#spoken")).to_be_attached()
    assert (picture(easel) != drawn).any(0).sum() > 20
    easel.press("ArrowUp")
    expect(page.locator("#spoken")).to_contain_text(re.compile(r"Row \d+, column \d+: "))
    page.get_by_role("button", name="Undo").press("Enter")
    assert torch.equal(picture(easel), drawn)
    live.slider("paint")
    before = picture(live.part("paint", "guess"))
    page.get_by_label("Prompt, or nothing").fill("a blue banana")
    page.get_by_label("Prompt, or nothing").press("Enter")
    until_changed(live.part("paint", "guess"), before)

    ground, told = live.part("plane", "ground"), live.part("plane", "answer")
    ground.scroll_into_view_if_needed()
    expect(told).to_contain_text("200 points, 20 steps", timeout=LONG)
    ground.focus()
    ground.press("ArrowLeft")
    ground.press("Enter")
    expect(told).to_contain_text("201 points, 20 steps")
    few = int(re.search(r"(\d+) on neither", told.inner_text()).group(1))
    page.locator("#plane-steps").press("Home")
    expect(told).to_contain_text("201 points, one giant step")
    many = int(re.search(r"(\d+) on neither", told.inner_text()).group(1))
    assert few < 40 < 160 < many  # one giant step ends between the fruits


def test_tab_reaches_all_that_can_be_used(live):
    live.until("ready")
    wanted = "a[href], button:enabled, input:enabled, summary, [tabindex='0']"
    live.page.evaluate(
        """wanted => [...document.querySelectorAll(wanted)].forEach((e, i) => {
            if (e.checkVisibility() && (e.type !== "radio" || e.checked)) e.dataset.stop = i })""",
        wanted,
    )
    left = set(live.page.locator("[data-stop]").evaluate_all("all => all.map(e => e.dataset.stop)"))
    assert len(left) > 60
    live.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    for _ in range(2 * len(left)):
        live.page.keyboard.press("Tab")
        left.discard(live.page.evaluate("document.activeElement.dataset.stop"))
    assert not left


def test_what_is_saved(live):
    live.until("ready")
    live.page.wait_for_selector("#words[data-state=enlarged]")
    with live.page.expect_download() as saved:
        live.page.get_by_role("button", name="Save picture").click()
    assert saved.value.suggested_filename == "a_green_banana.png"
    still = Image.open(saved.value.path())
    assert still.format == "PNG" and still.size == (512, 512)
    with live.page.expect_download() as saved:
        live.page.get_by_role("button", name="Save film").click()
    assert saved.value.suggested_filename == "a_green_banana.gif"
    film = Image.open(io.BytesIO(Path(saved.value.path()).read_bytes()))
    assert film.format == "GIF" and film.size == (512, 256) and film.n_frames > 20
    film.seek(film.n_frames - 1)
    last = film.convert("RGB").crop((256, 0, 512, 256)).resize((128, 128))
    shown = picture(live.part("words", "guess"))
    filmed = (
        from_bytes(torch.frombuffer(bytearray(last.tobytes()), dtype=torch.uint8)).view(128, 128, 3).permute(2, 0, 1)
    )
    assert (filmed - shown).abs().mean() < 0.1


def test_a_link_brings_everything_back(chromium, address):
    live = Live(chromium, address, permissions=["clipboard-read", "clipboard-write"])
    live.until("drawn")
    live.page.get_by_label("50 steps").check()
    live.page.locator("#words-seed").fill("1234")
    live.page.locator("#words-steps").press("ArrowLeft")
    live.page.locator("#words-guidance").press("ArrowRight")
    live.ask("a small pink pear on a black background")
    live.until_drawn()
    live.page.get_by_role("button", name="Copy link").click()
    expect(live.part("words", "copy-link")).to_have_text("Copied")
    link, drawn = live.page.evaluate("navigator.clipboard.readText()"), picture(live.part("words", "noisy"))
    live.close()

    live = Live(chromium, address, link.removeprefix(address))
    live.until("drawn")
    wanted = {"prompt": "a small pink pear on a black background", "seed": "1234", "steps": "49", "guidance": "2.5"}
    for name, value in wanted.items():
        expect(live.page.locator(f"#words-{name}")).to_have_value(value)
    expect(live.page.get_by_label("50 steps")).to_be_checked()
    assert torch.equal(picture(live.part("words", "noisy")), drawn)
    live.close()
