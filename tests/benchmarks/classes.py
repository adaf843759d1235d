"""What a lesson takes from a machine, alone and in a class: `make bench-class`, about an hour, idle machine; resumes.

python tests/benchmarks/classes.py [--lessons 01 06] [--at-once 01 05] [--out FOLDER] [--prices CORE_HOUR GIB_HOUR]

Each lesson runs from top to bottom in a kernel, on a fresh copy of the course, as a learner has one: alone, with the
threads that it would take on a laptop; and a light and a heavy one in eight kernels at once, with one thread each and
with as many as they like. Memory is that of the kernel and its children, looked at five times a second; in a class it
is their proportional share, so that a library that all of them use counts once. What is found in the folder of the
results is not measured again. Once all is measured, the tables of notebooks/instructor/serving.md are written too.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil
import serving
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from results import Results, bar, heading

from course_lib.tools.files import DATA, whole_file

ROOT = DATA.parent
LESSONS = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))}
AT_ONCE = ("01", "05")  # a light lesson, and the one that computes longest
KERNELS = 8
EVERY = 0.2  # seconds between two looks at the memory
MIB = 2**20


def size(folder: Path) -> int:
    """The bytes that a folder takes, each file once, however many names it has."""
    files = {(about.st_dev, about.st_ino): about for about in (path.lstat() for path in folder.rglob("*"))}
    return sum(getattr(about, "st_blocks", 0) * 512 or about.st_size for about in files.values())


def new_copy(folder: Path) -> Path:
    """The course as a learner has it after `make pictures`, in a folder; that folder. Data is linked if it can be."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "course_lib", folder / "course_lib", ignore=ignored)
    (folder / "notebooks").mkdir()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, folder / "notebooks")
    (folder / "data").mkdir()
    kept = [path for path in (ROOT / "data").iterdir() if path.is_file() and not path.match("pictures*")]
    for path in (*kept, ROOT / "data" / "pictures.safetensors"):
        try:
            os.link(path, folder / "data" / path.name)
        except OSError:  # another disk
            shutil.copy(path, folder / "data" / path.name)
    shutil.copytree(ROOT / "data" / "benchmarks", folder / "data" / "benchmarks")
    return folder


@dataclass
class Learner:
    """One kernel that runs one lesson in a copy of the course of its own."""

    folder: Path
    lesson: str
    threads: int | None  # None: as many as it likes
    peak: int = 0  # bytes of memory of the kernel and its children
    processor: float = 0.0  # seconds
    written: int = 0  # bytes
    slowest: tuple[float, str] = (0.0, "")  # seconds, and the cell's id
    tree: list[psutil.Process] = field(default_factory=list)

    async def run(self) -> None:
        """Run all cells. Raises CellExecutionError where one fails, DeadKernelError where the kernel ends."""
        nb = nbformat.read(self.folder / "notebooks" / LESSONS[self.lesson].name, as_version=4)
        options = dict(timeout=3600, record_timing=False, store_widget_state=False)
        client = NotebookClient(nb, extra_arguments=["--log-level=ERROR"], **options)
        env = {key: value for key, value in os.environ.items() if key not in ("OMP_NUM_THREADS", "MPLBACKEND")}
        env |= {"PYTHONPATH": str(self.folder)} | ({"OMP_NUM_THREADS": str(self.threads)} if self.threads else {})
        async with client.async_setup_kernel(env=env, cwd=str(self.folder / "notebooks")):
            self.tree = [psutil.Process(client.km.provisioner.process.pid)]
            for index, cell in enumerate(nb.cells):
                began = time.perf_counter()
                await client.async_execute_cell(cell, index)
                self.slowest = max(self.slowest, (time.perf_counter() - began, cell.get("id", str(index))))
            self.processor, self.written = used(self.tree[0])
            self.tree = []

    def memory(self, shared_once: bool) -> int:
        """Bytes that kernel and children hold now; with shared_once, only their share of what others hold too."""
        held = 0
        with contextlib.suppress(psutil.Error, IndexError):
            for process in (self.tree[0], *self.tree[0].children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    info = process.memory_full_info() if shared_once else process.memory_info()
                    held += getattr(info, "pss", info.rss)
        self.peak = max(self.peak, held)
        return held


def used(kernel: psutil.Process) -> tuple[float, int]:
    """Processor seconds, and bytes written to disk where the system tells, of a process and its children."""
    seconds, written = 0.0, 0
    for process in (kernel, *kernel.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
            written += process.io_counters().write_bytes if hasattr(process, "io_counters") else 0
    return seconds, written


async def watched(learners: list[Learner]) -> tuple[float, int]:
    """Run learners at once; seconds until the last is done, and the most bytes of memory that they held together."""
    work = asyncio.gather(*(learner.run() for learner in learners))
    began, most = time.perf_counter(), 0
    try:
        while not work.done():
            most = max(most, sum(learner.memory(shared_once=len(learners) > 1) for learner in learners))
            await asyncio.wait([work], timeout=EVERY)
    finally:
        work.cancel()  # does nothing to what is done
        with contextlib.suppress(asyncio.CancelledError):
            await work
    return time.perf_counter() - began, most


@contextlib.contextmanager
def copies(count: int) -> Iterator[list[Path]]:
    """Fresh copies of the course, beside the original, and gone afterwards."""
    (ROOT / "build").mkdir(exist_ok=True)  # the same disk, so that data can be linked
    with tempfile.TemporaryDirectory(prefix="class-", dir=ROOT / "build") as folder:
        yield [new_copy(Path(folder) / str(number)) for number in range(count)]


def measure_alone(results: Results, lesson: str) -> None:
    """One lesson in one kernel, with as many threads as it likes."""
    with copies(1) as (folder,):
        before, learner = size(folder), Learner(folder, lesson, None)
        took, _ = asyncio.run(watched([learner]))
        kept = size(folder) - before
    about = dict(lesson=lesson, kernels=1, threads="all")
    results.record(f"{lesson}: peak memory", learner.peak / MIB, "MiB", **about)
    results.record(f"{lesson}: processor", learner.processor, "s", **about)
    results.record(f"{lesson}: wall", took, "s", **about)
    results.record(f"{lesson}: slowest cell", learner.slowest[0], "s", cell=learner.slowest[1], **about)
    results.record(f"{lesson}: written", learner.written / MIB, "MiB", **about)
    results.record(f"{lesson}: kept", kept / MIB, "MiB", **about)


def measure_at_once(results: Results, lesson: str, kernels: int, threads: int | None) -> None:
    """One lesson in several kernels that start together."""
    with copies(kernels) as folders:
        learners = [Learner(folder, lesson, threads) for folder in folders]
        took, together = asyncio.run(watched(learners))
    about = dict(lesson=lesson, kernels=kernels, threads=threads or "all", cores=os.cpu_count())
    name = serving.at_once_name(lesson, kernels, threads)
    slowest = max(learner.slowest for learner in learners)
    results.record(f"{name}: wall", took, "s", **about)
    results.record(f"{name}: memory together", together / MIB, "MiB", **about)
    results.record(f"{name}: slowest cell", slowest[0], "s", cell=slowest[1], **about)
    results.record(f"{name}: processor", sum(learner.processor for learner in learners), "s", **about)


def measure_server(results: Results) -> None:
    """What stands behind the kernels: a learner's own JupyterLab server, the environment, a copy of the course."""
    with copies(1) as (folder,):
        port = free_port()
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
        command += [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=class"]
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server = subprocess.Popen(command, env=os.environ | {"JUPYTER_CONFIG_DIR": f"{folder}/config"}, **quiet)
        try:
            for path in ("api", "lab", "api/contents/notebooks"):  # as a browser that opens it asks
                answered(f"http://127.0.0.1:{port}/{path}?token=class", server)
            held = psutil.Process(server.pid).memory_info().rss
        finally:
            server.terminate()
            server.wait(20)
        about = dict(lesson="none")
        results.record("server: memory", held / MIB, "MiB", **about)
        shutil.rmtree(folder / "config", ignore_errors=True)
        results.record("server: course on disk", size(folder) / MIB, "MiB", **about)
    results.record("server: environment on disk", size(Path(sys.prefix)) / MIB, "MiB", **about)


def free_port() -> int:
    """A port of this computer that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answered(address: str, server: subprocess.Popen, seconds: float = 120.0) -> bytes:
    """What a server answers, as soon as it does; RuntimeError if it ends or says nothing for so long."""
    began = time.monotonic()
    while time.monotonic() - began < seconds and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=20) as answer:
            return answer.read()
        time.sleep(0.5)
    raise RuntimeError(f"JupyterLab did not answer at {address.split('?')[0]}.")


def page(results: Results) -> str:
    """The page of results."""
    lines = heading("A class", results.rows)
    lines += ["A lesson in one kernel, with as many threads as it likes:", "", serving.lessons(results.rows)]
    lines += ["", "The same lesson in several kernels that start together:", "", serving.at_once(results.rows)]
    lines += ["", "What stands behind them:", "", serving.behind(results.rows)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what is not measured yet, and write class.json and class.md after each lesson."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lessons", nargs="+", default=[*LESSONS], metavar="NN", help="which lessons, alone")
    parser.add_argument("--at-once", nargs="*", default=[*AT_ONCE], metavar="NN", help="which, in several kernels")
    parser.add_argument("--kernels", type=int, default=KERNELS, help="so many at once")
    parser.add_argument("--again", action="store_true", help="measure also what is measured already")
    parser.add_argument("--prices", type=float, nargs=2, metavar=("CORE_HOUR", "GIB_HOUR"), help="only say the cost")
    parser.add_argument("--out", type=Path, default=DATA / "benchmarks", help="folder of the results")
    args = parser.parse_args()
    if unknown := [name for name in (*args.lessons, *args.at_once) if name not in LESSONS]:
        sys.exit(f"There is no lesson {', '.join(unknown)}. There are {', '.join(LESSONS)}.")
    if args.kernels < 2:
        sys.exit(f"--kernels {args.kernels}: a class has at least 2.")
    path, results = args.out / "class.json", Results(0)
    try:
        results.rows = serving.read(path)
    except ValueError as error:
        sys.exit(str(error))
    if args.prices:
        if min(args.prices) < 0:
            sys.exit(f"A price of {min(args.prices):g} is below zero.")
        if missing := serving.missing(results.rows, [*LESSONS]):
            sys.exit(f"{path} has no {missing[0]} yet. `make bench-class` measures it.")
        print(serving.cost(results.rows, *args.prices))
        return
    if any(row["machine"] != results.about["machine"] for row in results.rows):
        sys.exit(f"{path} was measured on another machine, and a table is of one. Give another --out.")
    if not (DATA / "pictures.safetensors").is_file():
        sys.exit("The training pictures are not drawn yet. `make pictures` draws them.")

    works = {"server": lambda: measure_server(results)}
    works |= {lesson: (lambda lesson=lesson: measure_alone(results, lesson)) for lesson in args.lessons}
    for lesson in args.at_once:
        for threads in (1, None):
            name = serving.at_once_name(lesson, args.kernels, threads)
            works[name] = lambda lesson=lesson, threads=threads: measure_at_once(results, lesson, args.kernels, threads)
    for name, work in bar(works.items()):
        old = [row for row in results.rows if row["name"].rpartition(": ")[0] == name]
        if old and not args.again:
            continue
        results.rows = [row for row in results.rows if row not in old]
        try:
            work()
        except CellExecutionError as error:
            sys.exit(f"{name}: a cell failed with {error.ename}: {error.evalue}. What was measured before is kept.")
        except DeadKernelError:
            sys.exit(f"{name}: a kernel ended, stopped by you or for want of memory. What was measured before is kept.")
        results.rows.sort(key=lambda row: serving.place(row["name"]))
        results.write(path)
        with whole_file(args.out / "class.md") as temporary:
            temporary.write_text(page(results), encoding="utf-8")
    print(f"class.json and class.md in {args.out}")
    if args.out == DATA / "benchmarks" and not serving.missing(results.rows, [*LESSONS]):
        serving.write_page(results.rows)


if __name__ == "__main__":
    main()
