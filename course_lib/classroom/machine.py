"""Is this machine ready for the course, and how long will each lesson take on it? For lesson 00; needs no network."""

import contextlib
import os
import platform
import timeit
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import mean

import psutil
import torch
from IPython.display import Markdown

from course_lib.captions import null_tokens
from course_lib.fruit.words import VOCABULARY
from course_lib.model import Denoiser
from course_lib.sample import sample
from course_lib.train import Run, random_batches, train
from course_lib.weights.shipped import load_denoiser

CGROUP = Path("/sys/fs/cgroup")  # where Linux says what a container may use
GROUPS = Path("/proc/self/cgroup")  # and which of its groups this process is in
MEMORY_FILES = (  # of cgroup version 2 and of version 1: the limit, what is used, the line of memory.stat on copies
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
OLDEST_PYTHON = (3, 11)
ENOUGH_MEMORY = 2.0  # GiB free
BUSY = 0.3  # share of the processor that others may take before a lesson feels it
READY = "**Your machine is ready.**"

# Measured on the reference machine, two idle cores of a server.
REFERENCE_STEP = 0.056  # seconds of one training step, as `training_step_seconds` measures it
LESSONS = {  # lesson: (minutes for a learner, computing seconds that are fixed, computing seconds that scale)
    "00 start here": (29, 0, 7),
    "01 adding noise": (45, 0, 5),
    "02 learning to denoise": (60, 0, 55),
    "03 training on many pictures": (52, 0, 60),
    "04 generating from noise": (57, 0, 50),
    "05 captions": (50, 0, 95),
    "06 the green banana": (53, 0, 50),
    "07 measuring": (43, 0, 25),
    "08 faster": (44, 0, 12),
    "09 why are my samples bad": (50, 0, 30),
    "10 editing a picture": (42, 0, 45),
    "11 words that find their place": (40, 0, 15),
    "12 your own pictures": (40, 0, 85),
    "13 toward the real thing": (48, 0, 25),
}


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide most."""
    found = {"Python": platform.python_version()}
    for name in ("torch", "jupyterlab"):
        with contextlib.suppress(PackageNotFoundError):  # a hosted notebook has a server of its own
            found[name] = version(name)
    return found


def _groups(controller: str) -> list[Path]:
    """The folders of the groups that this process is in, each with its limits, of cgroup version 2 and of version 1."""
    folders = [CGROUP, CGROUP / controller]
    with contextlib.suppress(OSError, ValueError):
        for line in GROUPS.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or controller in controllers.split(","):
                root = CGROUP / controller if controllers else CGROUP
                inner = root / path.lstrip("/")
                folders += [folder for folder in (inner, *inner.parents) if folder.is_relative_to(root)]
    return folders


def _numbers(path: Path, name: str = "") -> list[float]:
    """The numbers in a file, or in its line of that name; none where there is no file, or "max", which is no limit."""
    with contextlib.suppress(OSError, ValueError):
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        return [float(word) for words in lines if not name or words[:1] == [name] for word in words[bool(name) :]]
    return []


def cores() -> int:
    """How many physical cores this process may use, at least 1; knows the limits of containers on Linux."""
    usable = [psutil.cpu_count(logical=False) or os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        usable.append(len(os.sched_getaffinity(0)))
    for group in _groups("cpu"):
        old = _numbers(group / "cpu.cfs_quota_us") + _numbers(group / "cpu.cfs_period_us")
        for limit in (_numbers(group / "cpu.max"), old):  # microseconds of work allowed in each period; -1 is no limit
            if len(limit) == 2 and min(limit) > 0:
                usable.append(round(limit[0] / limit[1]))
    return max(1, min(usable))


def memory() -> tuple[float, float]:
    """Memory of the machine, or of the container this runs in, in GiB: (in all, free).

    Copies of files that nobody has used lately count as free: the system gives them up when memory is asked for.
    """
    about = psutil.virtual_memory()
    total, free = about.total, about.available
    for group in _groups("memory"):
        for limit_file, used_file, copies in MEMORY_FILES:
            if (limit := _numbers(group / limit_file)) and (used := _numbers(group / used_file)):
                needed = used[0] - sum(_numbers(group / "memory.stat", copies))
                total, free = min(total, limit[0]), min(free, limit[0] - max(0, needed))
    return total / 2**30, max(0, free) / 2**30


def busy(seconds: float = 0.5) -> float:
    """The share of the processor, from 0 to 1, that works while this process waits, and so for others."""
    return psutil.cpu_percent(seconds) / 100


def _mean_seconds(work: Callable[[], object], count: int) -> float:
    """The mean time of `count` calls, after two that warm up: what interrupts a few of them counts too."""
    return mean(timeit.repeat(work, number=1, repeat=count + 2)[2:])


def training_step_seconds(count: int = 9) -> float:
    """Seconds of one training step of the network of lesson 03, on a batch of 64 pictures of 32 x 32 pixels."""
    x0 = torch.rand(64, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.random.fork_rng(devices=[]):  # the network's first weights
        run = Run(Denoiser(VOCABULARY))
    steps = train(run, random_batches(x0, null_tokens(64), run.generator), steps=count + 3)
    return _mean_seconds(lambda: next(steps), count)


def sampling_step_seconds(count: int = 19) -> float:
    """Seconds of one step from noise to a picture, for one picture, with guidance, by the shipped network."""
    moments = sample(load_denoiser(), null_tokens(1), generator=torch.Generator().manual_seed(0), steps=count + 3)
    return _mean_seconds(lambda: next(moments), count)


def concerns(python: tuple[int, ...], cores: int, threads: int, free: float, others: float = 0.0) -> list[str]:
    """What stands in the way of the course, in words; an empty list if nothing does.

    cores are those that this process may use, threads those that PyTorch uses; free is memory in GiB, others as `busy`.
    """
    found = []
    if python < OLDEST_PYTHON:
        found.append(
            f"Python {'.'.join(map(str, python))} is too old: the course needs {'.'.join(map(str, OLDEST_PYTHON))} or "
            "newer. Install it, then run `make lab` again."
        )
    if free < ENOUGH_MEMORY:
        found.append(
            f"Only {free:.1f} GiB of memory are free, and training may need {ENOUGH_MEMORY:.0f}. "
            "Close other programs, the browser's other tabs first, and notebooks you have finished."
        )
    if others > BUSY:
        found.append(
            f"Other programs keep {100 * others:.0f} % of the processor busy, so lessons may take far longer. "
            "Close them, or wait until they are done."
        )
    if threads < cores:
        found.append(
            f"PyTorch works with {threads} of your {cores} cores. Something has told it to, often a setting called "
            f"OMP_NUM_THREADS. `torch.set_num_threads({cores})` in a lesson's first cell mends it."
        )
    if threads > cores:
        found.append(
            f"PyTorch starts {threads} threads on {cores} cores, which then wait for each other. "
            f"`torch.set_num_threads({cores})` in a lesson's first cell mends it."
        )
    return found


def report() -> Markdown:
    """Versions, cores and memory of this machine as a table, and what is in the way. A moment's work."""
    (total, free), others = memory(), busy()
    threads = torch.get_num_threads()
    facts = versions() | {
        "cores to work with": f"{cores()} (PyTorch uses {threads})",
        "memory": f"{total:.1f} GiB, {free:.1f} GiB of it free",
        "other programs": f"keep {100 * others:.0f} % of the processor busy",
    }
    found = concerns(tuple(map(int, platform.python_version_tuple()[:2])), cores(), threads, free, others)
    lines = ["| your machine | |", "| --- | --- |", *(f"| {name} | {fact} |" for name, fact in facts.items()), ""]
    return Markdown("\n".join(lines + ([f"- **Mind:** {concern}" for concern in found] or [READY])))


def about(seconds: float) -> str:
    """A duration as one would say it: "about 20 s", "about 3 min"."""
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    return f"about {seconds / 60:.1f} min" if seconds < 600 else f"about {seconds / 60:.0f} min"


def forecast(step: float) -> Markdown:
    """What each lesson will take on a machine whose training step takes `step` seconds now, as a table.

    Some training runs are given in seconds and take the same everywhere (a slow machine then learns a little less);
    all else goes with the speed of the machine.
    """
    slower = step / REFERENCE_STEP
    lines = ["| lesson | you, reading and trying | your computer, of that |", "| --- | --- | --- |"]
    computing = {lesson: fixed + slower * scaling for lesson, (_, fixed, scaling) in LESSONS.items()}
    lines += [f"| {lesson} | {LESSONS[lesson][0]} min | {about(took)} |" for lesson, took in computing.items()]
    hours = sum(minutes for minutes, _, _ in LESSONS.values()) / 60
    lines.append(f"| **all** | **about {hours:.0f} hours** | **{about(sum(computing.values()))}** |")
    now = f"So it is while a training step takes {1000 * step:.0f} ms, {slower:.1f} times as long as on two idle cores "
    lines += ["", now + "of a server. When other programs begin or end, measure it again."]
    return Markdown("\n".join(lines))
