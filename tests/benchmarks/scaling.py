"""How close to the machine, and how cost grows: `make bench-scaling`, under 15 minutes on two cores.

What can this machine do at best, and what share of it do training and sampling reach? What do larger pictures, larger
batches, more steps, a larger set and more threads cost? Times are medians, peaks the best of several repeats, and each
value stands beside a base of the same run. The cases of a question take turns, so that a machine which slows down slows
all of them. Results go to data/benchmarks/, those of `--quick` to runs/.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from bench import flops, in_bfloat16, matrix_multiply_peak, our_training, seconds, timed_between_peaks
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from results import Results, arguments, bar, heading

from course_lib import weights
from course_lib.beyond.quick import frozen, quick
from course_lib.captions import encode
from course_lib.classroom import show
from course_lib.fruit.pictures import Pictures, training_pictures
from course_lib.fruit.words import VOCABULARY
from course_lib.model import Denoiser
from course_lib.sample import generate
from course_lib.tools.files import DATA, read_tensors, write_tensors

PATIENCE = 1.0  # seconds: of growing sizes, the first that takes longer is the last; a step that does is timed once
FEW = 16  # pictures that are sampled where their number is not the question

# products: sides of matrices; convolutions: (batch, channels, side), from those of our networks to a large friendly
# one; repeats of a step beside the peaks; turns of each case, and about how many seconds a turn takes, if not longer.
FULL = dict(products=(64, 128, 256, 512, 1024, 2048), repeats=20, batch=64, turns=9, least=1.0)
FULL |= dict(convolutions=((4, 32, 8), (64, 48, 8), (64, 96, 8), (64, 48, 16), (64, 128, 16), (64, 128, 32)))
FULL |= dict(sides=(32, 64, 128), batches=(1, 4, 16, 64, 256), steps=(10, 25, 50, 100), threads=(1, 2))
QUICK = FULL | dict(products=(64, 128), convolutions=((4, 32, 8), (64, 48, 8)), repeats=2, batch=16)
QUICK |= dict(turns=2, least=0.0, steps=(2, 5, 10, 20))


# How close to the machine


def convolution_peak(shape: tuple[int, int, int], dtype: torch.dtype = torch.float32) -> float:
    """The best 3 x 3 convolution of (batch, channels, side) right now, forward and backward, in FLOP/s."""
    batch, channels, side = shape
    x, kernel = torch.randn(batch, channels, side, side), torch.randn(channels, channels, 3, 3)
    x, kernel = (part.to(dtype, memory_format=torch.channels_last).requires_grad_() for part in (x, kernel))
    above = torch.ones_like(x)

    def work():
        torch.autograd.grad(F.conv2d(x, kernel, padding=1), (x, kernel), above)

    return flops(work) / min(seconds(work, 5))


def fastest(peak: Callable, sizes: Sequence, dtype: torch.dtype) -> tuple[float, object]:
    """The best FLOP/s over growing sizes, and its size. Without instructions for bfloat16, the largest take minutes."""
    found = {}
    for size in sizes:
        began = time.perf_counter()
        found[size] = peak(size, dtype)
        if time.perf_counter() - began > PATIENCE:
            break
    best = max(found, key=found.get)
    return found[best], best


def machine_peaks(results: Results, products: Sequence, convolutions: Sequence) -> dict[torch.dtype, list[Callable]]:
    """The best of matrix products and of convolutions, in both formats; returns them for each, to be taken again."""
    base, again = 0.0, {torch.float32: [], torch.bfloat16: []}
    for what, peak, sizes in (
        ("matrix product", matrix_multiply_peak, products),
        ("convolution", convolution_peak, convolutions),
    ):
        for dtype in again:
            best, size = fastest(peak, sizes, dtype)
            base = base or best
            about = dict(ratio=best / base, ratio_to="matrix product, float32", size=size)
            results.record(f"peak, {what}, {str(dtype).removeprefix('torch.')}", best / 1e9, "GFLOP/s", **about)
            again[dtype].append(partial(peak, size, dtype))
    return again


def beside_the_peaks(results: Results, name: str, work: Callable, operations: int, peaks: list, repeats: int) -> None:
    """The FLOP/s of a piece of work, as a share of both peaks of the same moment."""
    took, peaks = timed_between_peaks(work, repeats, *peaks)
    about = dict(GFLOP=operations / 1e9, seconds=took, repeats=repeats)
    for what, peak in zip(("matrix products", "convolutions"), peaks, strict=True):
        about |= dict(ratio=operations / took / peak, ratio_to=f"peak of {what} then", peak=peak / 1e9)
        results.record(f"{name}, beside {what}", operations / took / 1e9, "GFLOP/s", **about)


def where_the_time_goes(results: Results, name: str, step: Callable, repeats: int) -> None:
    """Of a training step: which share goes into convolutions, which into Muon, which into all the small things?"""
    step()
    with torch.profiler.profile() as seen:
        began = time.perf_counter()
        for _ in range(repeats):
            step()
        total = 1e6 * (time.perf_counter() - began)  # in microseconds, as the events are
    events = seen.key_averages()
    muon = sum(event.cpu_time_total for event in events if event.key == "Optimizer.step#Muon.step")
    convolutions = sum(event.self_cpu_time_total for event in events if "convolution" in event.key)
    parts = {"convolutions": convolutions, "Muon": muon, "the rest": total - convolutions - muon}
    for what, took in parts.items():
        about = dict(ratio=took / total, ratio_to="a training step", repeats=repeats)
        results.record(f"{name}, {what}", took / 1e6 / repeats, "s", **about)


# How cost grows


def in_turn(works: dict, turns: int, least: float) -> dict[int, list[float]]:
    """Time pieces of work in turn, several times; a turn is a run to warm up, then about so many seconds."""
    times = {name: [] for name in works}
    for name, work in bar([*works.items()] * turns, desc="in turn"):
        times[name] += seconds(work, 1)
        if (more := int(least / times[name][-1])) > 0:
            times[name] += seconds(work, more)
    return times


def compare(results: Results, name: str, axis: str, values: dict, unit: str, about: dict | None = None) -> None:
    """Record values along an axis, {where: value}, each also over the first."""
    first = next(iter(values))
    for at, value in values.items():
        settings = dict(axis=axis, at=at, ratio=value / values[first], ratio_to=f"{axis} {first}")
        results.record(f"{name}, {axis} {at}", value, unit, **settings, **(about or {}).get(at, {}))


def sweep(results: Results, name: str, axis: str, works: dict, size: dict, pictures: Callable | None = None) -> dict:
    """Time works along an axis, record and return median seconds, or pictures a second if `pictures` counts them."""
    times = in_turn(works, size["turns"], size["least"])
    values = {at: statistics.median(took) for at, took in times.items()}
    about = {at: dict(seconds=values[at], repeats=len(took)) for at, took in times.items()}
    for at, took in times.items():  # half of all repeats took from so many to so many seconds
        about[at]["quartiles"] = statistics.quantiles(took, n=4, method="inclusive")[::2]
    if pictures:
        values = {at: pictures(at) / took for at, took in values.items()}
    compare(results, name, axis, values, "1/s" if pictures else "s", about)
    return values


def training(pictures: Pictures, batch_size: int) -> Callable:
    """A training step of the network that learners train."""
    return our_training(Denoiser(VOCABULARY), pictures, batch_size)[0]


def sampling(
    count: int, steps: int = 1, side: int = 32, config: dict | None = None, around=lambda net: net
) -> Callable:
    """So many pictures at once, from noise, guided; by the network that learners train, or one of another size."""
    tokens = encode(["a green banana"] * count, VOCABULARY)
    options = dict(generator=torch.Generator().manual_seed(0), steps=steps, shape=(3, side, side))
    return partial(generate, around(Denoiser(**dict(vocabulary=VOCABULARY) | (config or {})).eval()), tokens, **options)


def picture_size(results: Results, pictures: Pictures, size: dict) -> None:
    """Four times as many pixels: four times the work?"""
    few = Pictures(*(part[:256] for part in pictures))
    enlarged = {side: few._replace(x0=F.interpolate(few.x0, side)) for side in size["sides"]}
    works = {side: training(some, size["batch"]) for side, some in enlarged.items()}
    sweep(results, "training", "picture size", works, size, lambda side: size["batch"])
    works = {side: sampling(FEW, side=side) for side in size["sides"]}
    sweep(results, f"a guided step of {FEW} pictures", "picture size", works, size)


def batch_size(results: Results, pictures: Pictures, size: dict) -> None:
    """Do pictures cost less together?"""
    works = {count: training(pictures, count) for count in size["batches"]}
    sweep(results, "training", "batch", works, size, lambda count: count)
    sweep(results, "a guided step", "batch", {n: sampling(n) for n in size["batches"]}, size, lambda count: count)


def sampling_steps(results: Results, size: dict) -> None:
    """Is the cost of steps a straight line?"""
    took = sweep(results, f"{FEW} pictures", "steps", {n: sampling(FEW, n) for n in size["steps"]}, size)
    slope, start = statistics.linear_regression(list(took), list(took.values()))
    line = {n: start + slope * n for n in took}
    about = {n: dict(measured_over_line=took[n] / line[n]) for n in took}
    compare(results, f"{FEW} pictures, by a straight line", "steps", line, "s", about)


def set_size(results: Results, pictures: Pictures, size: dict, path: Path = DATA / "pictures.safetensors") -> None:
    """An eighth of the pictures: what of the file, of opening it, of a training step?"""
    everything = len(pictures.x0)
    tensors, about = read_tensors(path)
    with tempfile.TemporaryDirectory() as folder:
        paths = {everything: path, everything // 8: Path(folder) / "eighth.safetensors"}
        tensors, factors = {"x0": tensors["x0"][: everything // 8]}, about["factors"][: everything // 8]
        write_tensors(paths[everything // 8], tensors, about | {"factors": factors})
        compare(results, "training set, file", "set size", {n: p.stat().st_size for n, p in paths.items()}, "bytes")
        works = {n: partial(training_pictures, p) for n, p in paths.items()}
        sweep(results, "training set, opening", "set size", works, size)
    parts = {n: Pictures(*(part[:n] for part in pictures)) for n in paths}
    memory = {n: part.x0.nbytes + part.tokens.nbytes for n, part in parts.items()}
    compare(results, "training set, memory", "set size", memory, "bytes")
    works = {n: training(part, size["batch"]) for n, part in parts.items()}
    sweep(results, "training", "set size", works, size, lambda n: size["batch"])


def threads(results: Results, pictures: Pictures, size: dict) -> None:
    """Are two threads twice as fast?"""
    before = torch.get_num_threads()

    def on_threads(count: int, work: Callable) -> None:
        torch.set_num_threads(count)
        work()

    try:
        for name, work in (
            ("training", training(pictures, size["batch"])),
            ("a guided step", sampling(size["batch"])),
        ):
            works = {n: partial(on_threads, n, work) for n in size["threads"]}
            sweep(results, name, "threads", works, size, lambda n: size["batch"])
    finally:
        torch.set_num_threads(before)


# Quicker


def quicker(results: Results, pictures: Pictures, size: dict, config: dict) -> None:
    """What `train` and sampling gain: fewer products, bfloat16, a frozen network; in turn with the plain one."""
    around = {"plain": lambda net: net, "fewer products": quick}
    around["fewer products, bfloat16"] = lambda net: in_bfloat16(quick(net))
    works = {}
    for name, wrapped in around.items():
        network = Denoiser(**dict(vocabulary=VOCABULARY) | config)
        asked = wrapped(network)
        works[name] = our_training(network, pictures, size["batch"], around=lambda net, asked=asked: asked)[0]
    sweep(results, "training, shipped size", "way", works, size, lambda name: size["batch"])
    twice = encode(["a green banana"] * 2, VOCABULARY)  # guided: with and without the caption
    around = {"plain": lambda net: net, "frozen": lambda net: frozen(net, twice)}
    works = {name: sampling(1, size["steps"][-2], config=config, around=wrapped) for name, wrapped in around.items()}
    sweep(results, "one picture", "way", works, size)


def beside_another(results: Results, pictures: Pictures, size: dict) -> None:
    """Threads of training while nobody else works, and while a program keeps one core busy."""
    before = torch.get_num_threads()
    step = training(pictures, size["batch"])

    def on_threads(count: int) -> None:
        torch.set_num_threads(count)
        step()

    works = {n: partial(on_threads, n) for n in size["threads"]}
    try:
        sweep(results, "training, idle machine", "threads", works, size, lambda n: size["batch"])
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
            try:
                sweep(results, "training, one core busy", "threads", works, size, lambda n: size["batch"])
            finally:
                other.kill()
    finally:
        torch.set_num_threads(before)


# What is kept of it


def table(rows: list[dict]) -> str:
    """The recorded values as a page of Markdown."""
    lines = [*heading("How close to the machine, and how cost grows", rows), "| what | value | ratio | to | settings |"]
    lines += ["| --- | ---: | ---: | --- | --- |"]
    for row in rows:
        settings = {k: v for k, v in row["settings"].items() if k not in ("axis", "at")}
        ratio, to = settings.pop("ratio"), settings.pop("ratio_to")
        low_high = settings.pop("quartiles", None)
        said = [f"{k.replace('_', ' ')} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in settings.items()]
        said += ["half of all from {:.4g} to {:.4g} s".format(*low_high)] if low_high else []
        value = f"{row['value']:,}" if row["unit"] == "bytes" else f"{row['value']:.4g}"
        lines.append(f"| {row['name']} | {value} {row['unit']} | {ratio:.3g} | {to} | {', '.join(said) or '–'} |")
    return "\n".join(lines) + "\n"


def draw(rows: list[dict]) -> Figure:
    """Four panels from the recorded rows: what larger pictures, larger batches, more steps, more threads cost."""

    def series(name: str, axis: str, key: str = "value") -> tuple[list, list]:
        found = [row["settings"] | row for row in rows if row["name"].startswith(f"{name}, {axis} ")]
        return [row["at"] for row in found], [row[key] for row in found]

    figure, axes = plt.subplots(2, 2, figsize=(14, 10), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.2, h_pad=0.12)
    by_size, by_batch, by_steps, by_threads = axes.flat
    looks = [dict(color=c, linestyle=line, marker=m, linewidth=3, markersize=12) for c, line, m in show.STYLES[:2]]
    dotted = dict(color="grey", linestyle=":", linewidth=3, zorder=1)

    sides, trained = series("training", "picture size")
    sampled = [FEW / took for took in series(f"a guided step of {FEW} pictures", "picture size")[1]]
    for look, name, rates in zip(looks, ("training", "a guided step of sampling"), (trained, sampled), strict=True):
        by_size.plot(sides, [rates[0] * (sides[0] / side) ** 2 for side in sides], **dotted)
        by_size.plot(sides, rates, **look, label=name)
    by_size.plot([], **dotted, label="in proportion")

    for look, name in zip(looks, ("training", "a guided step"), strict=True):
        batches, rates = series(name, "batch")
        by_batch.plot(batches, rates, **look)

    steps, took = series(f"{FEW} pictures", "steps")
    by_steps.axline((0, 0), (steps[-1], took[-1]), **dotted)
    by_steps.plot(steps, took, **looks[1] | dict(linestyle="none"))
    by_steps.set(xlim=(0, 1.08 * steps[-1]), ylim=(0, 1.15 * took[-1]))

    for shift, look, name in zip((-0.2, 0.2), looks, ("training", "a guided step"), strict=True):
        counts, speeds = series(name, "threads", "ratio")
        bars = by_threads.bar([place + shift for place in range(len(counts))], speeds, 0.36, color=look["color"])
        by_threads.bar_label(bars, [f"× {speed:.2f}" for speed in speeds], fontsize=show.FONT, padding=4)
    for place, count in enumerate(counts[1:], 1):
        by_threads.plot([place - 0.42, place + 0.42], [count / counts[0]] * 2, **dotted)
    by_threads.set_ylim(0, 1.2 * max(*speeds, counts[-1] / counts[0]))

    for ax in (by_size, by_batch):
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_locator(NullLocator())
    for ax, title, xlabel, ylabel, places, labels in (
        (by_size, "Larger pictures", "pixels along a side", "pictures a second", sides, sides),
        (by_batch, "Larger batches", "pictures in a batch", "pictures a second", batches, batches),
        (by_steps, "More steps of sampling", "steps", f"seconds for {FEW} pictures", steps, steps),
        (by_threads, "More threads", "threads", f"speed ({counts[0]} thread: 1)", range(len(counts)), counts),
    ):
        ax.set_xticks(places, labels)
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_title(title, fontsize=show.FONT + 2, fontweight="bold", pad=12)
        ax.set_xlabel(xlabel, fontsize=show.FONT)
        ax.set_ylabel(ylabel, fontsize=show.FONT)
        ax.tick_params(labelsize=show.FONT)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.3, axis="y" if ax is by_threads else "both")
        ax.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=3, handlelength=3.5, fontsize=show.FONT, frameon=False)
    plt.close(figure)
    return figure


def main() -> None:
    args = arguments(__doc__, "scaling")
    size = QUICK if args.quick else FULL
    torch.manual_seed(args.seed)
    results, pictures = Results(args.seed), training_pictures(bar=bar)

    peaks = machine_peaks(results, size["products"], size["convolutions"])
    for name, config in (("our network", {}), ("our network, shipped size", weights.load_denoiser().config)):
        step, loss = our_training(Denoiser(**dict(vocabulary=VOCABULARY) | config), pictures)
        work = sampling(64, config=config)
        operations = flops(lambda loss=loss: loss().backward()), flops(work)
        where_the_time_goes(results, f"a training step, {name}", step, size["repeats"])
        reduced = our_training(Denoiser(**dict(vocabulary=VOCABULARY) | config), pictures, around=in_bfloat16)[0]
        for said, dtype, works in (
            ("", torch.float32, (step, work)),
            (", bfloat16", torch.bfloat16, (reduced, sampling(64, config=config, around=in_bfloat16))),
        ):
            for what, doing, count in zip(("training", "sampling"), works, operations, strict=True):
                repeats = 1 if seconds(doing, 1)[0] > PATIENCE else size["repeats"]
                beside_the_peaks(results, f"{what}, {name}{said}", doing, count, peaks[dtype], repeats)

    picture_size(results, pictures, size)
    batch_size(results, pictures, size)
    sampling_steps(results, size)
    set_size(results, pictures, size)
    threads(results, pictures, size)
    quicker(results, pictures, size, weights.load_denoiser().config)
    beside_another(results, pictures, size)

    results.publish(args.out, "scaling", table(results.rows), draw(results.rows))


if __name__ == "__main__":
    main()
