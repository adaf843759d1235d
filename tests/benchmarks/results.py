"""What a benchmark measured: each value with its settings, and where, with what and how it was taken."""

import argparse
import json
import os
import platform
import sys
from functools import partial
from pathlib import Path

import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from course_lib.classroom import show
from course_lib.tools.files import DATA, whole_file

bar = partial(tqdm, file=sys.stderr, leave=False)


def arguments(about: str, name: str) -> argparse.Namespace:
    """The options of a benchmark: seed, whether it is but tried out (quick), and the folder for its results (out)."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="small counts, which say nothing: does it run?")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="the folder for the results")
    args = parser.parse_args()
    args.out = args.out or (Path(f"runs/{name}-quick") if args.quick else DATA / "benchmarks")
    return args


class Results:
    """Measurements in the order in which they were taken.

    Args:
        seed: of the whole run.

    Attributes:
        rows: a dict for each value, as the JSON file has it.
    """

    def __init__(self, seed: int):
        self.rows: list[dict] = []
        self.about = dict(
            machine={"processor": processor(), "threads": torch.get_num_threads(), "system": platform.system()}
            | {"GOMP_SPINCOUNT": os.environ["GOMP_SPINCOUNT"]},
            versions={"python": platform.python_version(), "torch": torch.__version__},
            seed=seed,
            command=" ".join(["python", os.path.relpath(sys.argv[0], DATA.parent), *sys.argv[1:]]),
        )

    def record(self, name: str, value: float, unit: str, **settings) -> None:
        """Keep a value and print it; settings are whatever JSON can hold."""
        self.rows.append(dict(name=name, value=round(value, 5), unit=unit, settings=settings) | self.about)
        print(f"{name:58}{value:12.4g} {unit}", flush=True)

    def write(self, path: str | Path) -> None:
        """Write all values to a JSON file, whole or not at all."""
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(self.rows, indent=1) + "\n", encoding="utf-8")

    def publish(self, out: Path, name: str, page: str, figure: Figure) -> None:
        """Write into a folder the values, a page of Markdown about them and a figure of them, each file whole."""
        self.write(out / f"{name}.json")
        with whole_file(out / f"{name}.md") as temporary:
            temporary.write_text(page, encoding="utf-8")
        show.save_figure(figure, out / f"{name}.png")
        print(f"{name}.json, {name}.md and {name}.png in {out}")


def heading(title: str, rows: list[dict]) -> list[str]:
    """The first lines of a page of Markdown about recorded values: with what and where they were taken."""
    machine, versions = rows[0]["machine"], rows[0]["versions"]
    where = f"{machine['processor']}, {machine['threads']} threads, {machine['system']}, torch {versions['torch']}"
    return [f"# {title}", "", f"`{rows[0]['command']}`, seed {rows[0]['seed']}, on {where}.", ""]


def processor() -> str:
    """The processor's name, where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()
