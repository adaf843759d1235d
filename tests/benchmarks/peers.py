"""Ours beside its peers: `make bench-peers`, many hours; each peer also alone, with `--only NAME`.

Every network sees the same pictures on the same cores for the same time, in a process of its own, and the same panel
counts after 1, 3 and 10 minutes of one run; a step that is under way by then is finished, and counts. Optimiser,
learning rate, batch, average, noise schedule and target are those that its own authors give (see `peer_networks`), and
so is the scale of guidance; the sampler is the course's, 50 steps. Results go to data/benchmarks/; peers that are found
there are not run again.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import torch
from bench import LOSSES, SHORT_RUNS
from jury import shipped_jury, worst_pair
from matplotlib import pyplot as plt
from peer_networks import PEERS
from results import Results, bar, heading
from torch import Tensor
from training import train_on

from course_lib.classroom import show
from course_lib.fruit.pictures import training_pictures
from course_lib.fruit.words import VOCABULARY
from course_lib.judging.fruit_exam import evaluate
from course_lib.model import Denoiser
from course_lib.tools.files import DATA, whole_file
from course_lib.train import Run

OURS = {  # the network, and how it is trained and asked
    "ours": ({}, SHORT_RUNS),
    "ours-shipped-size": (
        dict(patch=2, channels=(64, 128, 192)),
        dict(learning_rate=3e-3, batch_size=64, flip=False, guidance_scale=2.0),
    ),
}
COUNTED = dict(counted_by="the panel")  # earlier files have counts of one judge alone
LOOKS = (  # colour and line of each, in this order; the colours are Okabe and Ito's
    *((show.BLUE, "-"), (show.BLUE, "--"), (show.ORANGE, "-"), (show.GREEN, "-"), (show.GREEN, "--")),
    *((show.PINK, "-"), (show.PINK, "--"), ("#E69F00", "-"), ("black", "-")),
)


def peak_memory() -> float:
    """The most memory in MiB that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text(encoding="utf-8").split("VmHWM:")[1].split()[0]) / 2**10
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


def measure(name: str, args: argparse.Namespace) -> list[dict]:
    """Train one peer in one run, have the panel count on the way, and return one object for each measurement."""
    torch.manual_seed(args.seed)
    pictures, jury = training_pictures(), shipped_jury()
    marks = [60 * minutes for minutes in sorted(args.minutes)]
    settings, pairs_only = dict(COUNTED, peer=name, minutes=sorted(args.minutes), sampling_steps=args.steps), False
    if name in OURS:
        config, how = OURS[name]
        run, batch_size = (
            Run(Denoiser(VOCABULARY, **config), learning_rate=how["learning_rate"], seed=args.seed),
            how["batch_size"],
        )
        network, guess, scale_of_sampler = run.model, run.ema, how["guidance_scale"]
        tokens = pictures.tokens[:, : how.get("phrasings")]
        loss = LOSSES[how.get("loss", "denoising_loss")]
        options = dict(seconds=marks[-1], batch_size=batch_size, flip=how["flip"], loss=loss)
        steps = train_on(run, pictures.x0, tokens, **options)
        settings |= how | dict(network=config, guidance=scale_of_sampler)
    else:
        peer = PEERS[name]()
        network, guess, scale_of_sampler = peer.network, peer.guess, 1.0  # a peer guides by itself
        steps = peer.train(pictures, marks[-1], torch.Generator().manual_seed(args.seed))
        batch_size, pairs_only = peer.batch_size, peer.pairs_only
        settings |= peer.settings | dict(batch_size=batch_size, guidance=peer.guidance)
        settings |= dict(source=peer.source, note=peer.note)
    settings["parameters"] = sum(p.numel() for p in network.parameters())
    results = Results(args.seed)
    results.about["command"] = "make bench-peers"
    packages = ("torch", "diffusers", "smalldiffusion", "denoising-diffusion-pytorch")
    results.about["versions"] |= {package: version(package) for package in packages}
    spent, done, times = 0.0, 0, []

    def record(what: str, value: float, unit: str, **more) -> None:
        results.record(f"{name}: {what}", value, unit, **settings | more)

    def timed(parts: tuple[Tensor, ...]) -> Iterator[Tensor]:
        for part in bar(parts, desc=f"{name}: judging"):
            began = time.perf_counter()
            yield part
            times.append((time.perf_counter() - began) * 64 / len(part))

    for mark in marks:
        with bar(total=mark, initial=spent, desc=f"{name}: training", bar_format="{l_bar}{bar}|") as progress:
            while spent < mark:
                began = time.perf_counter()
                next(steps, None)
                spent, done = spent + time.perf_counter() - began, done + 1
                progress.update(min(mark, spent) - progress.n)
        if mark == marks[0]:
            record("peak memory of training", peak_memory(), "MiB")
        asked = dict(per_pair=0 if pairs_only else args.per_pair, per_seen_pair=args.per_seen_pair, steps=args.steps)
        scores = evaluate(guess, jury.panel, **asked, guidance_scale=scale_of_sampler, seed=args.seed, bar=timed)
        for group in ("held_out", "seen"):
            score, more = scores[group], dict(after_minutes=mark / 60, trained_steps=done)
            if score.of:  # who knows pairs by number only is not asked for unseen ones
                more |= dict(trained_seconds=round(spent, 1)) | score.as_dict() | jury.beside(group)
                more |= worst_pair([scores]) if group == "held_out" else {}
                record(f"{group} right, {mark / 60:g} min of training", score.right / score.of, "share", **more)
    record("training", done * batch_size / spent, "pictures per second")
    record(f"64 pictures x {args.steps} steps", statistics.median(times), "s", guided=settings["guidance"] != 1)
    return results.rows


def table(results: list[dict]) -> str:
    """All results as a table in Markdown, one line for each peer, and the notes below it."""
    found = {result["name"]: result for result in results}
    names = [name for name in (*OURS, *PEERS) if f"{name}: training" in found]
    minutes = sorted({result["settings"]["after_minutes"] for result in results if result["unit"] == "share"})
    head = ["peer", "pictures a second", *(f"{g}, {m:g} min" for g in ("seen", "held out") for m in minutes)]
    sampled = next(result["name"] for result in results if result["unit"] == "s").split(": ")[1]
    rows = [[*head, sampled, "peak memory"]]
    for name in names:
        row = [name, f"{found[f'{name}: training']['value']:.1f}"]
        for group in ("seen", "held_out"):
            for m in minutes:
                value = found.get(f"{name}: {group} right, {m:g} min of training", {}).get("value")
                row.append("–" if value is None else f"{100 * value:.0f} %")
        took = next(r for r in results if r["settings"]["peer"] == name and r["unit"] == "s")
        row.append(f"{took['value']:.1f} s" + ("" if took["settings"]["guided"] else ", not guided"))
        rows.append([*row, f"{found[f'{name}: peak memory of training']['value']:.0f} MiB"])
    lines = heading("Beside other people's networks", [results[0] | dict(command="make bench-peers")])
    lines += ["| " + " | ".join(row) + " |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]]]
    notes = {name: found[f"{name}: training"]["settings"].get("note") for name in names}
    return "\n".join([*lines, "", *(f"- {name}: {note}." for name, note in notes.items() if note)]) + "\n"


def draw(results: list[dict], path: Path) -> None:
    """The share of right pictures against minutes of training, seen and held-out pairs side by side."""
    minutes = sorted({r["settings"]["after_minutes"] for r in results if r["unit"] == "share"})
    figure, axes = plt.subplots(1, 2, figsize=(16, 7), sharey=True, layout="constrained")
    for ax, group, title in zip(
        axes, ("seen", "held_out"), ("pairs seen in training", "pairs never seen"), strict=True
    ):
        for name, (colour, line), marker in zip((*OURS, *PEERS), LOOKS, "os^v<>Dd*", strict=True):
            runs = [r for r in results if r["name"].startswith(f"{name}: {group} right")]
            trained = [r["settings"]["after_minutes"] for r in runs]
            share = [100 * r["value"] for r in runs]
            if runs:
                ax.plot(trained, share, line, color=colour, marker=marker, markersize=10, linewidth=2.5, label=name)
        ax.set_title(title, fontsize=show.FONT)
        ax.set_xlabel("minutes of training from random weights", fontsize=show.FONT)
        ax.set_xscale("log")
        ax.set_xticks(minutes, [f"{m:g}" for m in minutes], minor=False)
        ax.minorticks_off()
        ax.set_ylim(-2, 102)
        ax.tick_params(labelsize=show.FONT)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("kind and colour right, %", fontsize=show.FONT)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=show.FONT)
    show.save_figure(figure, path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*OURS, *PEERS], default=[*OURS, *PEERS], metavar="NAME")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 3, 10], help="when the panel looks")
    parser.add_argument("--per-pair", type=int, default=8, help="pictures for each held-out pair")
    parser.add_argument("--per-seen-pair", type=int, default=1, help="pictures for each seen pair")
    parser.add_argument("--steps", type=int, default=50, help="of the sampling")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="measure also what is measured already")
    parser.add_argument("--out", type=Path, default=DATA / "benchmarks", help="folder of the results")
    parser.add_argument("--here", action="store_true", help="measure in this process and print the results as JSON")
    args = parser.parse_args()
    if args.here:
        print(json.dumps(measure(args.only[0], args)))
        return 0

    path, failed = args.out / "peers.json", []
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    here = Results(args.seed).about["machine"]
    alike = [row for row in results if row["machine"] == here and row["settings"].items() >= COUNTED.items()]
    if others := {row["settings"]["peer"] for row in results if row not in alike} - {*args.only}:
        sys.exit(
            f"{path} holds {', '.join(sorted(others))} of another machine, or not counted by the panel, and a table "
            "is of one: give another --out."
        )
    results = alike
    for name in args.only:
        mine = [result for result in results if result["settings"]["peer"] == name]
        measured = mine and mine[0]["settings"]["minutes"] == sorted(args.minutes)
        if measured and not args.again:
            print(f"{name} is in {path} already; --again measures anew", file=sys.stderr)
            continue
        command = [sys.executable, __file__, "--here", "--only", name, "--minutes", *map(str, args.minutes)]
        for option in ("per-pair", "per-seen-pair", "steps", "seed"):
            command += [f"--{option}", str(getattr(args, option.replace("-", "_")))]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            failed.append(name)
            print(f"{name} stopped with status {done.returncode}; the next call measures it anew", file=sys.stderr)
            continue
        results = [result for result in results if result["settings"]["peer"] != name]
        results += json.loads(done.stdout.splitlines()[-1])
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if results:
        with whole_file(args.out / "peers.md") as temporary:
            temporary.write_text(table(results), encoding="utf-8")
        draw(results, args.out / "peers.png")
        print(table(results))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
