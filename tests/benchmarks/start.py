"""How long a caller waits for the command line and for a lesson's first cell, beside an earlier commit.

python tests/benchmarks/start.py [--turns 9] [--commit c22f206]

Both versions run in turn, each in a folder of its own, with the same Python; the ratios are medians of pairs. The
earlier one is unpacked from git into build/.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {  # what is started, and the status it ends with
    "--help": (["-m", "course_lib", "generate", "--help"], 0),
    "a misspelt option": (["-m", "course_lib", "generate", "a red apple", "--stepps", "5"], 2),
    "a refused prompt": (["-m", "course_lib", "generate", "a red bananna"], 2),
    "generate": (["-m", "course_lib", "generate", "a green banana", "--out", "x.png"], 0),
}
AIMS = {"--help": 0.1, "a misspelt option": 0.1, "a refused prompt": 0.15, "generate": 0.55, "peak memory": 0.75}


def unpacked(commit: str) -> Path:
    """A folder with the files of a commit."""
    folder = ROOT / "build" / commit
    if not folder.is_dir():
        packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
    return folder


def first_cell(tree: Path, lesson: str) -> list[str]:
    """The first code cell of a lesson, as a command for Python."""
    notebook = json.loads(next(tree.glob(f"notebooks/{lesson}_*.ipynb")).read_text(encoding="utf-8"))
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    return ["-c", "".join(code["source"])]


def started(arguments: list[str], status: int, tree: Path) -> tuple[float, float]:
    """Seconds that a process takes from start to end, and its peak memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        variables = os.environ | {"PYTHONPATH": str(tree), "GOMP_SPINCOUNT": "2000"}
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process = subprocess.Popen([sys.executable, *arguments], cwd=folder, env=variables, **quiet)
        _, found, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
    if os.waitstatus_to_exitcode(found) != status:
        raise RuntimeError(f"{arguments} in {tree} ended with {os.waitstatus_to_exitcode(found)}, not {status}.")
    return took, used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, Linux KiB


def main() -> None:
    """Start everything in turn, and print medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=9, help="pairs of runs of each")
    parser.add_argument("--commit", default="c22f206", help="what to compare with")
    args = parser.parse_args()
    before = unpacked(args.commit)
    works = {name: ((arguments, arguments), status) for name, (arguments, status) in COMMANDS.items()}
    for lesson in ("01", "04", "06"):
        works[f"first cell of lesson {lesson}"] = ((first_cell(before, lesson), first_cell(ROOT, lesson)), 0)
    print(f"{'':26}{args.commit:>10}{'now':>10}{'ratio':>8}{'aim':>7}")
    for name, ((old, new), status) in works.items():
        pairs = [(started(old, status, before), started(new, status, ROOT)) for _ in range(args.turns + 1)][1:]
        for what, at, unit in ((name, 0, "s"), ("peak memory", 1, "MiB"))[: 2 if name == "generate" else 1]:
            was, now = (statistics.median(side[at] for side in sides) for sides in zip(*pairs, strict=True))
            ratio = statistics.median(b[at] / a[at] for a, b in pairs)
            aim = f"{AIMS[what]:7.2f}" if what in AIMS else ""
            print(f"{what:26}{was:10.2f}{now:10.2f}{ratio:8.3f}{aim} {unit}", flush=True)


if __name__ == "__main__":
    main()
