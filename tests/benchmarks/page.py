"""How fast the live page draws, beside PyTorch and onnxruntime on the same machine: python tests/benchmarks/page.py.

Measures what `make site` built, in headless Chromium ($CHROMIUM): as `make site-open` serves it, with the headers that
allow threads, and from a plain server, where there is one thread. All ways take turns, so that each has
its share of what else the machine does; a value is the median of its turns, a ratio that of the turns' ratios. Results
go to data/benchmarks/, those of `--quick` to runs/.
"""

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import onnxruntime
import torch
from playwright.sync_api import BrowserContext, Page, sync_playwright
from results import Results, arguments, heading

from course_lib.beyond.enlarge import enlarging, noise_beside
from course_lib.model import Denoiser, encode_for
from course_lib.sample import generate
from course_lib.tools.files import DATA, whole_file
from course_lib.weights import load, load_enlarger

ROOT = DATA.parent
SITE = ROOT / "build" / "site"
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
TURNS, QUICK = 5, 1
PAUSE = 0.5  # seconds before each: threads of the one before may still be waiting at full speed
PROMPT = "a green banana"
# What is timed, and how many times as long as PyTorch the page may take.
WORKS = {"one call": None, "4 steps": 1.5, "50 guided steps": 1.5, "enlarging to 128 pixels in 4 steps": None}
GENERATIONS = {  # of the works: the network, and how it is asked
    "one call": ("few_steps", dict(steps=1, guidance_scale=1.0)),
    "4 steps": ("few_steps", dict(steps=4, guidance_scale=1.0)),
    "50 guided steps": ("denoiser", dict(steps=50, guidance_scale=2.0)),
}
WAYS = ("page", "page, 1 thread", "PyTorch", "onnxruntime, 1 thread", "onnxruntime, 2 threads")
AIMS = {"enlarging": 1.0, "first picture": 3.0, "fetched": 10.0}  # seconds, seconds, MB

NOTICE = """new MutationObserver(() => {
  if (document.querySelector("#words[data-state=drawn]")) window.drawnAt ??= Date.now();
}).observe(document, { subtree: true, childList: true, attributes: true });"""

BLANK = """<!doctype html><title>blank</title><link rel="icon" href="data:,"><script type="module">
import { openEngine } from "./engine.js";
window.opened = openEngine().then(async (engine) => {
  for (const name of ["few_steps", "denoiser", "enlarger"]) await engine.load(name);
  window.engine = engine;
});
window.timed = async (act, how) => {
  const given = how.small ? { ...how, small: Float32Array.from(how.small) } : how;
  const began = performance.now();
  for await (const _ of engine[act](given));
  return (performance.now() - began) / 1000;
};
</script>"""


@contextmanager
def served(plain: bool = False) -> Iterator[tuple[str, list]]:
    """The site on a free port of this computer; its address, and what was sent: when, which file, how many bytes.

    plain: without the headers that allow threads.
    """
    sys.path.insert(0, str(ROOT / "notebooks" / "site"))
    from serve import Handler

    sent = []

    class Counting(Handler):
        def send_header(self, keyword: str, value: str) -> None:
            if not (plain and keyword.startswith("Cross-Origin-")):
                super().send_header(keyword, value)

        def copyfile(self, source, outputfile) -> None:
            sent.append((time.time(), self.path, os.fstat(source.fileno()).st_size))
            super().copyfile(source, outputfile)

        def do_GET(self) -> None:
            if self.path != "/blank.html":
                return super().do_GET()
            self.packed = None
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(BLANK)))
            self.end_headers()
            self.wfile.write(BLANK.encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Counting, directory=str(SITE))) as server:
        server.handle_error = lambda *_: None  # a browser that closes a page does not wait for the rest of a file
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", sent
        server.shutdown()


def opened(browser: BrowserContext, address: str) -> tuple[Page, float]:
    """The live page once its first picture is there; and the time of that, in seconds since 1970."""
    page = browser.new_page()
    page.add_init_script(NOTICE)
    page.goto(address)
    until(page, "drawn", "ready")
    return page, page.evaluate("drawnAt") / 1000


def until(page: Page, *states: str) -> None:
    """Wait until the live page says that it has come so far."""
    page.locator(", ".join(f"html[data-state={state}]" for state in states)).wait_for(state="attached", timeout=120_000)


def first_picture(browser: BrowserContext, address: str) -> float:
    """Seconds from opening the live page to its first picture."""
    page, drawn = opened(browser, address)
    took = drawn - page.evaluate("performance.timeOrigin") / 1000
    until(page, "ready")
    page.close()
    return took


def fetched(browser: BrowserContext, address: str, sent: list) -> dict[str, int]:
    """The bytes of each file that a browser which has none asks for before the first picture is there."""
    page, drawn = opened(browser, address)
    found = {path: size for when, path, size in sent if when < drawn}
    page.close()
    return found


def in_onnxruntime(name: str, threads: int) -> Callable:
    """A network of the page, called as ours are."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(SITE / "data" / f"{name}.onnx", options, ["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def network(*given: torch.Tensor) -> torch.Tensor:
        (x0_hat,) = session.run(None, {name: x.numpy() for name, x in zip(names, given, strict=True)})
        return torch.from_numpy(x0_hat)

    return network


def operators(name: str, folder: str) -> dict[str, float]:
    """The share of time of each kind of operator in 20 calls of one thread, the largest first."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.enable_profiling = 1, True
    options.profile_file_prefix = f"{folder}/{name}"
    session = onnxruntime.InferenceSession(SITE / "data" / f"{name}.onnx", options, ["CPUExecutionProvider"])
    shapes = {given.name: [1, *given.shape[1:]] for given in session.get_inputs()}
    feeds = {key: torch.ones(shape, dtype=torch.int64 if key == "tokens" else None) for key, shape in shapes.items()}
    for _ in range(20):
        session.run(None, {key: x.numpy() for key, x in feeds.items()})
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    took = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("kernel_time"):
            took[event["args"]["op_name"]] += event["dur"]
    return {kind: round(time / took.total(), 3) for kind, time in took.most_common(6)}


def works(pages: dict[str, Page]) -> dict[tuple[str, str], Callable[[], float]]:
    """What is timed, by work and way: functions that return seconds."""
    models = {name: load(DATA / f"{name}.safetensors", Denoiser) for name in ("few_steps", "denoiser")}
    tokens = encode_for(models["few_steps"], [PROMPT])
    small = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    ours = {name: model.to(memory_format=torch.channels_last) for name, model in models.items()}
    enlarger, made = load_enlarger(), {}

    def timed(act: Callable) -> float:
        began = time.perf_counter()
        act()
        return time.perf_counter() - began

    def drawn(model, how) -> None:
        generate(model, tokens, generator=torch.Generator().manual_seed(0), shape=(3, 32, 32), **how)

    def enlarged(network) -> None:
        for _ in enlarging(network, small, generator=noise_beside(0), steps=4):
            pass

    def asked(page: Page, act: str, **how) -> Callable[[], float]:
        return lambda: page.evaluate("([act, how]) => timed(act, how)", [act, how])

    for work, (name, how) in GENERATIONS.items():
        for way, page in pages.items():
            made[work, way] = asked(page, "generate", network=name, tokens=tokens[0].tolist(), seed=0, **how)
        made[work, "PyTorch"] = partial(timed, partial(drawn, ours[name], how))
        for threads, way in enumerate(WAYS[3:], 1):
            made[work, way] = partial(timed, partial(drawn, in_onnxruntime(name, threads), how))
    work = [*WORKS][-1]
    for way, page in pages.items():
        made[work, way] = asked(page, "enlarge", small=small.flatten().tolist(), seed=0, steps=4)
    made[work, "PyTorch"] = partial(timed, partial(enlarged, enlarger))
    for threads, way in enumerate(WAYS[3:], 1):
        network = in_onnxruntime("enlarger", threads)
        network.config, network.check_small = enlarger.config, enlarger.check_small
        made[work, way] = partial(timed, partial(enlarged, network))
    return made


def table(results: Results) -> str:
    """The page of results."""
    value = {row["name"]: row["value"] for row in results.rows}
    lines = heading("The live page", results.rows)
    lines += ["| work | " + " | ".join(WAYS) + " | page / PyTorch | aim |", "| --- " * (len(WAYS) + 3) + "|"]
    for work, aim in WORKS.items():
        times = " | ".join(f"{1000 * value[f'{work}, {way}']:.0f} ms" for way in WAYS)
        lines.append(f"| {work} | {times} | {value[f'{work}, page over PyTorch']:.2f} | {aim or ''} |")
    lines += ["", "| page | value | aim |", "| --- | --- | --- |"]
    lines.append(
        f"| first picture after opening, warm cache | {value['first picture']:.2f} s | {AIMS['first picture']} s |"
    )
    lines.append(f"| fetched before it, packed | {value['fetched'] / 1e6:.1f} MB | {AIMS['fetched']:.0f} MB |")
    for row in results.rows:
        if row["name"].startswith("operators"):
            parts = ", ".join(f"{kind} {share:.0%}" for kind, share in row["settings"]["shares"].items())
            lines += ["", f"Native {row['name']}, 1 thread: {parts}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write page.json and page.md."""
    args = arguments(__doc__.splitlines()[0], "page")
    if not (SITE / "index.html").is_file():
        sys.exit(f"There is no {SITE.relative_to(ROOT)}. `make site` builds it.")
    turns, results = QUICK if args.quick else TURNS, Results(args.seed)
    with (
        served() as (address, sent),
        served(plain=True) as (plain, _),
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as p,
    ):
        how = dict(executable_path=os.environ["CHROMIUM"], args=OPTIONS.split())
        browser = p.chromium.launch_persistent_context(f"{folder}/profile", **how)
        files = fetched(browser, address, sent)
        results.record("fetched", sum(files.values()), "bytes", files=files)
        for _ in range(2):  # the browser keeps what it has compiled when code has run for a while
            first_picture(browser, address)
        waited = [first_picture(browser, address) for _ in range(turns)]
        results.record("first picture", statistics.median(waited), "s", cache="warm", each=waited)
        pages = {WAYS[0]: browser.new_page(), WAYS[1]: browser.new_page()}
        for page, host in zip(pages.values(), (address, plain), strict=True):
            page.goto(f"{host}/blank.html")
            page.evaluate("opened")
        made = works(pages)
        took = {key: [] for key in made}
        for turn in range(turns + 1):
            for key, measure in made.items():
                time.sleep(PAUSE)
                seconds = measure()
                took[key] += [seconds] if turn else []  # the first is to warm up
        browser.close()
        for work in WORKS:
            for way in WAYS:
                results.record(f"{work}, {way}", statistics.median(took[work, way]), "s", turns=turns)
            for way in WAYS[1:]:
                ratios = [a / b for a, b in zip(took[work, "page"], took[work, way], strict=True)]
                results.record(f"{work}, page over {way}", statistics.median(ratios), "ratio", turns=turns)
        for name in ("few_steps", "enlarger"):
            shares = operators(name, folder)
            results.record(f"operators of {name}", max(shares.values()), "share", shares=shares)
    results.write(args.out / "page.json")
    with whole_file(args.out / "page.md") as temporary:
        temporary.write_text(table(results), encoding="utf-8")
    print(f"page.json and page.md in {args.out}")


if __name__ == "__main__":
    main()
