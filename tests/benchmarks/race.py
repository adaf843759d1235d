"""The race: how soon, from random weights on two cores, does a recipe reach both marks? `make race`, hours; resumes.

The rules are those of `race_rules`, and stand on the page that this writes, data/benchmarks/race.md; the entries are
in `race_recipes`. What is found in data/benchmarks/race.json is not run again; what `--quick` finds goes to runs/.

make race RACE="--only NAME"      one entry
make race RACE="--verify NAME"    its nine seeds again, which changes no file; status 0 if it holds
make race RACE="--page"           write the page anew from what was measured
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from functools import cache, partial
from pathlib import Path

import torch
from bench import seconds as timed
from drawings import Drawings, fresh_drawings, over_floor
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from race_recipes import ENTRIES, Recipe, asked_network, code_of, train_apart, train_to_file, worktree
from race_rules import (
    FAR,
    FULL,
    HELD_OUT_NAMES,
    MOST,
    QUICK,
    RIGHT,
    RULES,
    SEEDS,
    Outcome,
    attempts_of,
    due,
    outcome,
    outcomes,
    shortest,
)
from results import Results, bar

from course_lib import weights
from course_lib.captions import encode
from course_lib.classroom import show
from course_lib.fruit.prompts import phrasings
from course_lib.fruit.words import HELD_OUT_PAIRS, VOCABULARY
from course_lib.judging.exam import generate_many
from course_lib.judging.judge import score
from course_lib.tools.files import DATA, whole_file

# One attempt


def peak_times(n: int = 2048, repeats: int = 8) -> list[float]:
    """Seconds of products of two n x n matrices, several times."""
    a, b = torch.randn(2, n, n)
    return timed(lambda: a @ b, repeats)


def peak_of(times: Sequence[float], n: int = 2048) -> float:
    """The median of such times as TFLOP/s."""
    return 2 * n**3 / statistics.median(times) / 1e12


def judged(model: Callable, recipe: Recipe, seed: int, per_pair: int, panel, judge, drawings: Drawings) -> dict:
    """What the panel counts of each held-out pair, what the single judge counts of all, and the distance."""
    noise = torch.Generator().manual_seed(seed)
    how = dict(steps=recipe.steps, guidance_scale=recipe.guidance_scale, guidance_interval=recipe.guidance_interval)
    pairs = [pair for pair in HELD_OUT_PAIRS for _ in range(per_pair)]
    captions = encode([phrasings(*pair)[1] for pair in pairs], VOCABULARY)  # "a green banana"
    made, alike = (
        generate_many(model, tokens, partial(bar, desc="asking"), generator=noise, **how)
        for tokens in (captions, drawings.tokens)
    )
    parts = zip(HELD_OUT_NAMES, HELD_OUT_PAIRS, made.split(per_pair), strict=True)
    right = {name: score(panel, part, [pair] * per_pair).right for name, pair, part in parts}
    counts = dict(right=sum(right.values()), of=len(made), right_of_each_pair=right, per_pair=per_pair)
    counts["right_to_the_judge_alone"] = score(judge, made, pairs).right
    return counts | dict(distance=over_floor(judge, alike, drawings), drawings=len(alike))


def attempt(
    train: Callable[[str, float, int, Path], None], name: str, seconds: float, seed: int, judging: Callable
) -> dict:
    """Train an entry between two looks at the machine's peak, and have it judged as judging(model, recipe, seed)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "race.safetensors"
        before = peak_times()
        train(name, seconds, seed, path)
        peak = peak_of([*before, *peak_times()])
        model, about = asked_network(ENTRIES[name], path)
    what = dict(entry=name, length=seconds, seed=seed, date=str(date.today()), code=code_of(ENTRIES[name]))
    spent = dict(trained_seconds=round(about["seconds"], 3), trained_steps=about["steps"])
    spent |= dict(peak_tflops=round(peak, 5), matmul_tflop=round(about["seconds"] * peak, 4))
    return what | judging(model, ENTRIES[name], seed) | spent


# All attempts


def race(names: Sequence[str], results: Results, size: dict, run: Callable, write: Callable[[], None]) -> None:
    """Run what is due, the entries in turn; run(name, seconds, seed) does one attempt, and each is kept at once."""
    going = True
    while going:
        going = False
        for name in names:
            if (todo := due(ENTRIES[name].lengths, ENTRIES[name].seeds, attempts_of(results.rows, name))) is None:
                continue
            going, (length, seed) = True, todo
            found = run(name, length, seed)
            results.about["seed"] = seed
            what = f"{name}, {length:g} s of training, seed {seed}: right to the panel"
            about = found | dict(recipe=ENTRIES[name].settings() | size)
            results.record(what, found["right"] / found["of"], "share", **about)
            print(f"  distance {found['distance']:.2f}, {found['matmul_tflop']:.1f} TFLOP", flush=True)
            write()


def verified(name: str, rows: Sequence[dict], machine: dict, run: Callable) -> bool:
    """Whether an entry reaches both marks again with all its seeds, as long as it took, or as many matmul-seconds.

    Raises ValueError for an entry that has no time yet.
    """
    if (known := shortest(outcomes(attempts_of(rows, name)))) is None:
        raise ValueError(f"{name} has not reached both marks with {MOST} of {SEEDS} seeds: there is no time to verify.")
    there = next(row["machine"] for row in rows if row["settings"]["entry"] == name)
    length = known.length if machine == there else round(known.matmul.median / peak_of(peak_times()), 1)
    again = []
    for seed in range(SEEDS):
        again.append(run(name, length, seed))
        told = f"{again[-1]['right']} of {again[-1]['of']} right, distance {again[-1]['distance']:.2f}"
        print(f"{name}, {length:g} s of training, seed {seed}: {told}", flush=True)
    found = outcome(again)
    print(f"{found.reached} of {found.seeds} seeds reached both marks; it takes {MOST}.")
    return found.reached >= MOST


def check_alike(rows: Sequence[dict], names: Sequence[str], size: dict, machine: dict | None) -> None:
    """Refuse to mix what was measured of these entries with another recipe, or on another machine (None: any)."""
    for row in rows:
        name = row["settings"]["entry"]
        if name in names and row["settings"]["recipe"] != ENTRIES[name].settings() | size:
            raise ValueError(f"{name} was run with other settings: call the new ones by another name, or add --again.")
        if name in names and machine and row["machine"] != machine:
            raise ValueError(f"{name} was run on another machine or with other threads: add --again, or leave it out.")


# The page


def lines_of(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def told(o: Outcome) -> list[str]:
    """The cells of an outcome that both tables have."""
    marks = [f"{o.reached} of {o.seeds}", o.right.told(".1f", " %"), o.worst, o.distance.told(".2f")]
    return [*marks, o.matmul.told(".1f")]


def page(rows: Sequence[dict]) -> str:
    """The rules, the records and all that was run, as a page of Markdown."""
    lines = ["# The race", "", "How soon does a network draw what it never saw, and draw it well? `make race`", ""]
    lines += [RULES, "## The table", ""]
    names = [name for name in ENTRIES if attempts_of(rows, name)]
    if not names:
        return "\n".join([*lines, "Nothing has been run yet."]) + "\n"
    records, each, where = [], [], []
    for name in names:
        attempts = attempts_of(rows, name)
        found = outcomes(attempts)
        best = shortest(found)
        time_of = f"{best.length:g} s" if best else f"not in {found[-1].length:g} s"
        verify = f'`make race RACE="--verify {name}"`' if best else "–"
        when, code = attempts[-1]["date"], attempts[-1]["code"]
        records.append([name, ENTRIES[name].about, when, code, time_of, *told(best or found[-1]), verify])
        each += [[name, f"{o.length:g}", *told(o)] for o in found]
        row = next(row for row in rows if row["settings"]["entry"] == name)
        peak = statistics.median(found["peak_tflops"] for found in attempts)
        on = f"{row['machine']['processor']}, {row['machine']['threads']} threads, torch {row['versions']['torch']}"
        where.append(f"- {name}: on {on}; peak {peak:.3f} TFLOP/s.")
    told_head = ["both marks", "right", "worst pair", "distance", "matmul-seconds, TFLOP"]
    lines += lines_of(["entry", "what", "date", "code", "time", *told_head, "verify"], records)
    lines += [
        "",
        "Medians of the seeds, and in brackets the least and the most. Who has not reached both marks stands here",
    ]
    lines += ["with the longest length that was run.", "", *where, "", "## Every length", ""]
    lines += lines_of(["entry", "seconds", *told_head], each)
    lines += ["", "![Right pictures, and distance from drawings, against seconds of training.](race.png)"]
    return "\n".join(lines) + "\n"


def draw(rows: Sequence[dict]) -> Figure:
    """Right pictures, and the distance, against seconds of training: medians, each seed, and the marks dotted."""
    figure, axes = plt.subplots(1, 2, figsize=(14, 6.5), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.2)
    lengths = sorted({row["settings"]["length"] for row in rows})
    for i, name in enumerate(name for name in ENTRIES if attempts_of(rows, name)):
        colour, line, marker = show.STYLES[i % len(show.STYLES)]
        attempts = attempts_of(rows, name)
        found = outcomes(attempts)
        at, each_at = [o.length for o in found], [found["length"] for found in attempts]
        look = dict(color=colour, linestyle=line, marker=marker, lw=3, ms=11)
        axes[0].plot(at, [o.right.median for o in found], label=name, **look)
        axes[1].plot(at, [o.distance.median for o in found], **look)
        for ax, each in (
            (axes[0], [100 * found["right"] / found["of"] for found in attempts]),
            (axes[1], [found["distance"] for found in attempts]),
        ):
            ax.plot(each_at, each, marker, color=colour, alpha=0.35, ms=8)
    for ax, mark, label in (
        (axes[0], 100 * RIGHT, "right to the whole panel, %"),
        (axes[1], FAR, "Fréchet distance (real drawings: 1)"),
    ):
        ax.axhline(mark, color="grey", linestyle=":", lw=3)
        ax.set_xscale("log")
        ax.set_xticks(lengths, [f"{at:g}" for at in lengths])
        ax.minorticks_off()
        ax.set_xlabel("seconds of training from random weights", fontsize=show.FONT)
        ax.set_ylabel(label, fontsize=show.FONT)
        ax.tick_params(labelsize=show.FONT)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.3)
    axes[0].set_ylim(0, 102)
    axes[1].set_yscale("log")
    axes[1].yaxis.set_major_formatter("{x:g}")
    figure.legend(loc="outside upper center", ncols=4, handlelength=3.5, fontsize=show.FONT, frameon=False)
    plt.close(figure)
    return figure


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=ENTRIES, default=[*ENTRIES], metavar="NAME", help="these entries")
    parser.add_argument(
        "--verify", choices=ENTRIES, metavar="NAME", help="run an entry's seeds again, and keep nothing"
    )
    parser.add_argument("--page", action="store_true", help="run nothing, but write the page anew")
    parser.add_argument("--again", action="store_true", help="run the entries anew, in place of what was measured")
    parser.add_argument("--quick", action="store_true", help="small counts, which say nothing: does it run?")
    parser.add_argument("--out", type=Path, help="the folder for the results")
    for name, kind in (("train", str), ("seconds", float), ("seed", int), ("file", Path)):  # see `train_apart`
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.out = args.out or (Path("runs/race-quick") if args.quick else DATA / "benchmarks")
    return args


def main() -> int:
    args = options()
    if args.train:
        train_to_file(ENTRIES[args.train], args.seconds, args.seed, args.file)
        return 0
    path, size, results = args.out / "race.json", QUICK if args.quick else FULL, Results(0)
    results.rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    if args.again:
        results.rows = [row for row in results.rows if row["settings"]["entry"] not in args.only]
    if args.quick:
        ENTRIES.update({n: replace(recipe, lengths=(0.5,), seeds=1, steps=2) for n, recipe in ENTRIES.items()})
    machine = results.about["machine"]
    with ExitStack() as stack:
        if not args.page:
            check_alike(results.rows, *(([args.verify], size, None) if args.verify else (args.only, size, machine)))
            panel, judge = weights.load_panel(), weights.load_judge()
            drawings = fresh_drawings(judge, size["drawings"], 0)
            judging = partial(judged, per_pair=size["per_pair"], panel=panel, judge=judge, drawings=drawings)
            tree = cache(lambda commit: stack.enter_context(worktree(commit)))
            run = partial(attempt, partial(train_apart, tree=tree), judging=judging)
            if args.verify:
                return not verified(args.verify, results.rows, machine, run)
            race(args.only, results, size, run, partial(results.write, path))
    if results.rows:
        results.publish(args.out, "race", page(results.rows), draw(results.rows))
    else:
        with whole_file(args.out / "race.md") as temporary:
            temporary.write_text(page([]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        sys.exit(str(error))
