"""The engine of the live page in a real browser, beside Python: pytest tests/browser_engine.py.

Needs Chromium, named in $CHROMIUM, and `npm ci` in notebooks/site. The modules, onnxruntime-web and the networks lie in
a folder that a plain server shows on a free port of this computer. The networks are made in this run, or come from the
folder $SITE_DATA, which `python -m course_lib export --to page` wrote.
"""

import base64
import os
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from live_page import ROOT

from course_lib.beyond.edit import edit
from course_lib.beyond.enlarge import enlarging, noise_beside
from course_lib.classroom.plane import two_fruits
from course_lib.export.page import write_page
from course_lib.fruit.drawing import Fruit, draw
from course_lib.model import Denoiser, encode_for
from course_lib.sample import guided, sample
from course_lib.tools.files import DATA
from course_lib.weights import load, load_enlarger

pytest_plugins = "in_chromium"

SITE = ROOT / "notebooks" / "site"
VENDOR = SITE / "node_modules" / "onnxruntime-web" / "dist"
VENDORED = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
CLOSE = 1e-3  # how far a picture of the page may be from Python's, on every step
SEED = 2**31 + 7

# What tests ask of the page. Pictures come as the base64 of all their numbers, since JSON takes ten times as much.
PAGE = """<!doctype html><title>engine</title><link rel="icon" href="data:,"><script type="module">
import { openEngine } from "./engine.js";
const told = (...pictures) => {
  let letters = "";
  for (const x of pictures) for (const byte of new Uint8Array(x.slice().buffer)) letters += String.fromCharCode(byte);
  return btoa(letters);
};
const picture = (x) => x && Float32Array.from(x);
window.open_ = async () => { window.engine ??= await openEngine(); };
window.load = (name) => engine.load(name).then(() => "", (error) => error.message);
window.generate = async ({ x0, ...how }) => {
  const frames = [];
  for await (const frame of engine.generate({ ...how, x0: picture(x0) })) frames.push(frame);
  return [frames.map(({ t }) => t), told(...frames.flatMap(({ x_t, x0_hat }) => [x_t, x0_hat]))];
};
window.abortAfter = async (many, how) => {
  const controller = new AbortController();
  let seen = 0;
  try {
    const frames = engine.generate({ ...how, signal: controller.signal });
    for await (const _ of frames) if (++seen === many) controller.abort();
  } catch (error) { return [seen, error.name]; }
};
window.enlarge = async ({ small, ...how }) => {
  const guesses = [];
  for await (const x0_hat of engine.enlarge({ ...how, small: picture(small) })) guesses.push(x0_hat);
  return told(...guesses);
};
window.denoise = async ({ x_t, ...how }) => told(await engine.denoise({ ...how, x_t: picture(x_t) }));
window.plane = async ({ x_t, t }) => told(await engine.plane({ x_t: picture(x_t), t }));
</script>"""


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder; the first answers for some of them are spoilt."""

    protocol_version = "HTTP/1.1"
    spoilt: dict[str, list[tuple[bytes, int]]] = {}  # by name: what is sent, and how many bytes are promised
    asked: list[str] = []  # what for

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append(self.path)
        instead = self.spoilt.get(Path(self.path).name)
        if not instead:
            return super().do_GET()
        content, promised = instead.pop(0)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(self.path))
        self.send_header("Content-Length", str(promised))
        self.send_header("Cache-Control", "max-age=3600")  # the browser may keep what is wrong
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the page."""
    folder = tmp_path_factory.mktemp("site")
    assert VENDOR.is_dir(), "The packages of the page are missing. `npm ci` in notebooks/site fetches them."
    for path in (SITE / "live").glob("*.js"):
        shutil.copy(path, folder)
    (folder / "vendor").mkdir()
    for name in VENDORED:
        shutil.copy(VENDOR / name, folder / "vendor")
    if "SITE_DATA" in os.environ:
        shutil.copytree(os.environ["SITE_DATA"], folder / "data")
    else:
        write_page(folder / "data")
    (folder / "engine.html").write_text(PAGE, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def address(site):
    types = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript", ".wasm": "application/wasm"}
    Handler.extensions_map = types
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def opened(chromium, address, faults):
    """A page with an open engine, in a profile of its own; what the browser complains of goes to `faults`."""
    page = chromium.new_context().new_page()
    page.set_default_timeout(120_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.goto(f"{address}/engine.html")
    page.evaluate("open_()")
    return page


@pytest.fixture
def faults():
    """What the browser complained of; there must be nothing in the end."""
    faults = []
    yield faults
    assert faults == []


@pytest.fixture
def new_page(chromium, address, faults):
    page = opened(chromium, address, faults)
    yield page
    page.context.close()


@pytest.fixture(scope="session")
def page(chromium, address):
    """One page for all that leaves it as it was."""
    faults = []
    page = opened(chromium, address, faults)
    yield page
    page.context.close()
    assert faults == []


@pytest.fixture(scope="session")
def networks():
    """As `generate` has them."""
    return {
        name: load(DATA / f"{name}.safetensors", Denoiser).to(memory_format=torch.channels_last)
        for name in ("few_steps", "denoiser")
    }


def numbers(told: str) -> torch.Tensor:
    """The numbers in an answer of the page."""
    return torch.from_numpy(np.frombuffer(base64.b64decode(told), np.float32).copy())


ASKED = (  # network, prompt, seed, and what else is asked for
    ("few_steps", "a green banana", 0, {}),
    ("few_steps", "a red apple", 1, {}),
    ("few_steps", "a small blue pear on a cream background", 123456789, {}),
    ("few_steps", "brown grapes", SEED, {"steps": 1}),
    ("few_steps", "a purple watermelon", 5, {"steps": 8}),
    ("few_steps", "a pink lemon", 6, {"guidance_scale": 2.5}),
    ("denoiser", "a green banana", 0, {}),
    ("denoiser", "a yellow strawberry", 7, {}),
    ("denoiser", "a large red apple on a white background", SEED, {"steps": 20}),
    ("denoiser", "a green orange", 9, {"steps": 10, "guidance_scale": 1.0}),
    ("denoiser", "an orange orange", 10, {"steps": 7, "guidance_scale": 0.0}),
    ("denoiser", "a blue apple", 11, {"steps": 25, "guidance_scale": 4.0}),
    ("denoiser", "a red pear", 12, {"steps": 10, "guidance_scale": -1.0}),
    ("denoiser", "a purple pear", 13, {"steps": 60, "guidance_scale": 1.0}),
    ("few_steps", "a small yellow lemon", 14, {"steps": 4, "guidance_scale": 3.0}),
    ("denoiser", "purple grapes", 15, {"steps": 16}),
    ("denoiser", "a blue pear", 16, {"steps": 10, "guidance_scale": 3.0, "guidance_interval": [0.2, 0.7]}),
)


def ask(page, networks, name, prompt, seed, **how):
    """A generation in the page; and its tokens, as Python has them."""
    tokens = encode_for(networks[name], [prompt])
    levels, told = page.evaluate(
        "how => generate(how)", {"network": name, "tokens": tokens[0].tolist(), "seed": seed} | how
    )
    return tokens, levels, numbers(told).reshape(len(levels), 2, 1, 3, 32, 32)


def check_frames(frames, levels, told) -> None:
    frames = list(frames)
    assert levels == [frame.t for frame in frames]
    for frame, (x_t, x0_hat) in zip(frames, told, strict=True):
        assert (frame.x_t - x_t).abs().max() <= CLOSE, frame.t
        assert (frame.x0_hat - x0_hat).abs().max() <= CLOSE, frame.t


@pytest.mark.parametrize(("name", "prompt", "seed", "how"), ASKED)
def test_every_step_is_the_one_of_python(page, networks, name, prompt, seed, how):
    tokens, levels, told = ask(page, networks, name, prompt, seed, **how)
    check_frames(sample(networks[name], tokens, generator=torch.Generator().manual_seed(seed), **how), levels, told)


@pytest.mark.parametrize(
    ("name", "start", "steps"), [("denoiser", 0.6, 50), ("denoiser", 0.5, 25), ("few_steps", 0.3, 4)]
)
def test_every_step_of_a_change_is_the_one_of_python(page, networks, name, start, steps):
    x0 = draw([Fruit("apple", "red")], 32)
    how = {"start": start, "steps": steps}
    tokens, levels, told = ask(page, networks, name, "a green pear", 3, x0=x0.flatten().tolist(), **how)
    check_frames(edit(networks[name], x0, tokens, generator=torch.Generator().manual_seed(3), **how), levels, told)


@pytest.mark.parametrize(
    ("kind", "colour", "seed", "how"), [("apple", "red", 0, {}), ("grapes", "blue", 8, {"steps": 2})]
)
def test_every_step_of_enlarging_is_the_one_of_python(page, kind, colour, seed, how):
    small = 1.2 * draw([Fruit(kind, colour)], 32)  # some of it is clipped
    told = page.evaluate("how => enlarge(how)", {"small": small.flatten().tolist(), "seed": seed} | how)
    guesses = [*enlarging(load_enlarger(), small, generator=noise_beside(seed), **how)]
    told = numbers(told).reshape(len(guesses), 1, 3, 128, 128)
    assert (torch.stack(guesses) - told).abs().amax() <= CLOSE


def test_single_guesses(page, networks, site):
    model, x_t = networks["denoiser"], torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    tokens = encode_for(model, ["a green banana"])
    for t, scale in ((0.7, 1.0), (0.25, 3.0)):
        how = {"network": "denoiser", "x_t": x_t.flatten().tolist(), "t": t, "tokens": tokens[0].tolist()}
        told = numbers(page.evaluate("how => denoise(how)", how | {"guidance_scale": scale}))
        with torch.no_grad():
            assert (guided(model, x_t, t, tokens, scale).flatten() - told).abs().max() <= CLOSE
    points = two_fruits(20, seed=1)
    told = page.evaluate("how => plane(how)", {"x_t": points.flatten().tolist(), "t": 0.4})
    session = onnxruntime.InferenceSession(site / "data" / "plane.onnx", providers=["CPUExecutionProvider"])
    (guess,) = session.run(None, {"x_t": points.numpy(), "t": np.full(len(points), 0.4, np.float32)})
    assert np.abs(guess.flatten() - numbers(told).numpy()).max() <= CLOSE


@pytest.mark.parametrize("spoil", ["short", "damaged", "broken off"])
def test_a_spoilt_network_is_told_and_a_second_try_brings_it(new_page, site, faults, monkeypatch, spoil):
    whole = (site / "data" / "few_steps.onnx").read_bytes()
    half, size = whole[: len(whole) // 2], len(whole)
    content, promised, sentence = {
        "short": (half, len(half), f"few_steps.onnx came with {len(half)} bytes where {size} were expected."),
        "damaged": (half + bytes(size - len(half)), size, "few_steps.onnx is not the file that belongs to this page"),
        "broken off": (half, size, "few_steps.onnx broke off after "),
    }[spoil]
    monkeypatch.setitem(Handler.spoilt, "few_steps.onnx", [(content, promised)])
    told = new_page.evaluate("load('few_steps')")
    assert told.startswith(sentence) and told.count(". ") == 1 and "ry again." in told
    assert not new_page.evaluate("engine.ready('few_steps')")
    assert new_page.evaluate("load('few_steps')") == ""
    assert new_page.evaluate("engine.ready('few_steps')")
    faults[:] = [fault for fault in faults if "Failed to load resource" not in fault]  # the browser's own words


def test_what_runs_networks_is_tried_again(chromium, address, site, monkeypatch):
    whole = (site / "vendor" / "ort-wasm-simd-threaded.wasm").read_bytes()
    short = whole[: len(whole) // 2]
    monkeypatch.setitem(Handler.spoilt, "ort-wasm-simd-threaded.wasm", [(short, len(short))] * 2)
    page = opened(chromium, address, faults := [])
    told = page.evaluate("load('few_steps')")
    assert told.startswith("ort-wasm-simd-threaded.wasm, which runs the networks,") and told.endswith("then try again.")
    Handler.spoilt.clear()
    assert page.evaluate("load('few_steps')") == ""
    assert "wasm streaming compile failed" in faults[0]  # the runtime's own words
    page.context.close()


def test_a_generation_is_given_up_between_steps(page, networks):
    tokens = encode_for(networks["denoiser"], ["a red apple"])[0].tolist()
    page.evaluate("load('denoiser')")
    asked = {"network": "denoiser", "tokens": tokens, "seed": 0, "steps": 1000}
    assert page.evaluate("how => abortAfter(3, how)", asked) == [3, "AbortError"]
    check_frames(
        sample(networks["denoiser"], torch.tensor([tokens]), generator=torch.Generator().manual_seed(1), steps=3),
        *ask(page, networks, "denoiser", "a red apple", 1, steps=3)[1:],
    )


def test_it_goes_on_without_a_server(new_page, networks):
    for name in ("few_steps", "enlarger"):
        assert new_page.evaluate("name => load(name)", name) == ""
    Handler.asked.clear()
    ask(new_page, networks, "few_steps", "a red apple", 0)
    new_page.evaluate("how => enlarge(how)", {"small": [0.0] * 3072, "seed": 0})
    assert Handler.asked == []


@pytest.mark.parametrize(
    "how", [{"steps": 0}, {"seed": -1}, {"tokens": [1]}, {"start": 2.0, "x0": [0.0] * 3072}, {"guidance_scale": 1e9}]
)
def test_what_makes_no_sense_is_refused(page, how):
    asked = {"network": "few_steps", "tokens": [0] * 12, "seed": 0}
    assert page.evaluate("how => generate(how).catch(error => error.name)", asked | how) == "RangeError"
