"""How good in how few steps: the shipped denoiser, a better sampler for it, and the distilled one: `make bench-steps`.

Each makes the same 2,048 pictures, of all 64 pairs of kind and colour, from the same noise. The panel counts those that
are right, and the Fréchet distance on the features of one judge tells how far they are, all together, from drawings of
the same captions. About 15 minutes on two cores. Results go to data/benchmarks/, those of `--quick` to runs/.
"""

import statistics
from functools import partial

import torch
from bench import SHIPPED_GUIDANCE, SHIPPED_INTERVAL, seconds
from drawings import Drawings, fresh_drawings, over_floor
from jury import Jury, shipped_jury, worst_pair
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from results import Results, arguments, bar, heading

from course_lib import weights
from course_lib.beyond.solvers import second_order_step
from course_lib.classroom import show
from course_lib.fruit.words import HELD_OUT_PAIRS, VOCABULARY
from course_lib.judging.counts import together
from course_lib.judging.exam import generate_many
from course_lib.judging.judge import score_pairs
from course_lib.model import Denoiser
from course_lib.sample import denoise_step, generate
from course_lib.tools.files import DATA

# The ways in the order of the figure: a name, the guidance scale, and the numbers of steps.
PLAIN = ("shipped, plain step", SHIPPED_GUIDANCE, (1, 2, 4, 8, 16, 50))
SECOND_ORDER = ("shipped, look-back step", SHIPPED_GUIDANCE, (4, 8, 16))
DISTILLED = ("distilled, plain step", 1.0, (1, 2, 4))
FEW = 16  # pictures that are timed
FULL = dict(pictures=2048, longest=50, repeats=5)
QUICK = dict(pictures=64, longest=2, repeats=1)


def quality(
    results: Results, way: tuple, model, jury: Jury, judge, drawings: Drawings, longest: int, seed: int
) -> None:
    """Have a model make pictures of the drawings' captions in ever more steps, and measure each lot."""
    name, scale, numbers = way
    held_out = torch.tensor([pair in HELD_OUT_PAIRS for pair in drawings.pairs])
    for steps in numbers:
        if steps > longest:
            continue
        step = second_order_step() if way is SECOND_ORDER else denoise_step
        options = dict(generator=torch.Generator().manual_seed(seed), steps=steps, guidance_scale=scale, step=step)
        options |= dict(guidance_interval=SHIPPED_INTERVAL)
        made = generate_many(model, drawings.tokens, partial(bar, desc=f"{name}, {steps} steps"), 32, **options)
        about = dict(way=name, steps=steps, guidance_scale=scale, guesses_a_picture=steps * (1 + (scale != 1)))
        for group, members in (("held out", held_out), ("seen", ~held_out)):
            places = members.nonzero().flatten().tolist()
            pairs = score_pairs(jury.panel, made[members], [drawings.pairs[i] for i in places])
            found = together(pairs.values())
            more = found.as_dict() | about | jury.beside(group.replace(" ", "_")) | worst_pair([pairs])
            results.record(f"{group} right, {name}, steps {steps}", found.right / found.of, "share", **more)
        ratio, about = over_floor(judge, made, drawings), about | dict(pictures=len(made))
        results.record(f"Fréchet distance, {name}, steps {steps}", ratio * drawings.floor, "squared distance", **about)
        results.record(f"Fréchet distance over the floor, {name}, steps {steps}", ratio, "ratio", **about)


def waiting(results: Results, shipped, distilled, drawings: Drawings, repeats: int) -> None:
    """How long 16 pictures take, a median."""
    for name, model, steps, scale in (
        ("distilled", distilled, 4, 1.0),
        ("shipped", shipped, 50, SHIPPED_GUIDANCE),
        ("shipped", shipped, 100, SHIPPED_GUIDANCE),
        ("the network of short runs", Denoiser(VOCABULARY).eval(), 100, SHIPPED_GUIDANCE),
    ):
        options = dict(generator=torch.Generator().manual_seed(0), steps=steps, guidance_scale=scale)
        options |= dict(guidance_interval=SHIPPED_INTERVAL) if name == "shipped" else {}
        took = statistics.median(seconds(partial(generate, model, drawings.tokens[:FEW], **options), repeats))
        what = f"{FEW} pictures x {steps} steps{' with guidance' * (scale != 1)}, {name}"
        results.record(what, took, "s", steps=steps, guidance_scale=scale, repeats=repeats)


def draw(rows: list[dict]) -> Figure:
    """Accuracy, and distance from real drawings, against the number of steps."""
    figure, axes = plt.subplots(1, 2, figsize=(14, 6.5), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.2, h_pad=0.12)
    numbers = sorted({row["settings"]["steps"] for row in rows if "way" in row["settings"]})
    for ax, measured, scale, ylabel, title in (
        (axes[0], "held out right", 100, "kind and colour right, %", "Pairs never seen in training"),
        (axes[1], "Fréchet distance over the floor", 1, "Fréchet distance (real drawings: 1)", "Like real drawings"),
    ):
        for (name, _, _), (colour, line, marker) in zip((PLAIN, SECOND_ORDER, DISTILLED), show.STYLES, strict=False):
            found = [row for row in rows if row["name"].startswith(f"{measured}, {name},")]
            values = [scale * row["value"] for row in found]
            at = [row["settings"]["steps"] for row in found]
            label = name if ax is axes[0] else None
            ax.plot(at, values, color=colour, linestyle=line, marker=marker, lw=3, markersize=12, label=label)
        ax.set_xscale("log", base=2)
        ax.set_xticks(numbers, numbers)
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_title(title, fontsize=show.FONT + 2, fontweight="bold", pad=12)
        ax.set_xlabel("steps from noise to picture", fontsize=show.FONT)
        ax.set_ylabel(ylabel, fontsize=show.FONT)
        ax.tick_params(labelsize=show.FONT)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.3)
    axes[0].set_ylim(0, 102)
    axes[1].set_yscale("log")
    axes[1].yaxis.set_major_formatter("{x:g}")
    axes[1].axhline(1, color="grey", linestyle=":", lw=3)
    figure.legend(loc="outside upper center", ncols=3, handlelength=3.5, fontsize=show.FONT, frameon=False)
    plt.close(figure)
    return figure


def table(rows: list[dict]) -> str:
    """The recorded values as a page of Markdown."""
    value = {row["name"]: row for row in rows}
    lines = [
        *heading("Few steps", rows),
        "| way | steps | guesses a picture | held out right | worst | seen right | Fréchet distance | over the floor |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        if not row["name"].startswith("held out right"):
            continue
        about, rest = row["settings"], row["name"].removeprefix("held out right")
        shares = [value[group + rest] for group in ("held out right", "seen right")]
        counts = [f"{100 * s['value']:.1f} % ({s['settings']['right']} of {s['settings']['of']})" for s in shares]
        far = [f"{value[name + rest]['value']:.3g}" for name in ("Fréchet distance", "Fréchet distance over the floor")]
        counts.insert(1, about.get("worst_pair", "–"))
        told = [about["way"], about["steps"], about["guesses_a_picture"], *counts, *far]
        lines.append(f"| {' | '.join(map(str, told))} |")
    lines += ["", "| what | value |", "| --- | --- |"]
    lines += [f"| {row['name']} | {row['value']:.3g} {row['unit']} |" for row in rows if "way" not in row["settings"]]
    return "\n".join(lines) + "\n"


def main() -> None:
    args = arguments(__doc__, "few-steps")
    size = QUICK if args.quick else FULL
    results, jury, judge = Results(args.seed), shipped_jury(), weights.load_judge()
    shipped, distilled = (
        network.to(memory_format=torch.channels_last)
        for network in (weights.load_denoiser(), weights.load_denoiser(DATA / "few_steps.safetensors"))
    )
    drawings = fresh_drawings(judge, size["pictures"], args.seed)
    about = dict(pictures=size["pictures"])
    results.record("Fréchet distance of other drawings: the floor", drawings.floor, "squared distance", **about)
    waiting(results, shipped, distilled, drawings, size["repeats"])
    for way, model in ((DISTILLED, distilled), (SECOND_ORDER, shipped), (PLAIN, shipped)):
        quality(results, way, model, jury, judge, drawings, size["longest"], args.seed)

    results.publish(args.out, "few_steps", table(results.rows), draw(results.rows))


if __name__ == "__main__":
    main()
