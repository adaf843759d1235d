"""Is this machine ready for the course, and how long will each lesson take on it? For lesson 00; needs no network."""

import contextlib
import os
import platform
import timeit
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

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
OLDEST_PYTHON = (3, 11)
ENOUGH_MEMORY = 2.0  # GiB free
READY = "**Your machine is ready.**"

# Measured on the reference machine, two idle cores of a server.
REFERENCE_STEP = 0.056  # seconds of one training step, as `training_step_seconds` measures it
LESSONS = {  # lesson: (minutes for a learner, computing seconds that are fixed, computing seconds that scale)
    "00 start here": (15, 0, 7),
    "01 adding noise": (20, 0, 5),
    "02 learning to denoise": (40, 0, 66),
    "03 training on many pictures": (45, 0, 50),
    "04 generating from noise": (30, 0, 19),
    "05 captions": (35, 80, 15),
    "06 the green banana": (35, 0, 37),
    "07 better and faster": (45, 0, 54),
    "08 your own pictures": (30, 0, 45),
    "09 toward the real thing": (35, 0, 15),
}


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide most."""
    found = {"Python": platform.python_version()}
    for name in ("torch", "jupyterlab"):
        with contextlib.suppress(PackageNotFoundError):  # a hosted notebook has a server of its own
            found[name] = version(name)
    return found


def _numbers(name: str) -> list[float]:
    """The numbers in a file of the container's limits; none where there is no file or no limit."""
    with contextlib.suppress(OSError, ValueError):
        return [float(word) for word in (CGROUP / name).read_text(encoding="utf-8").split()]
    return []


def cores() -> int:
    """How many physical cores this process may use, at least 1; knows the limits of containers on Linux."""
    usable = [psutil.cpu_count(logical=False) or os.cpu_count() or 1]
    if hasattr(os, "sched_getaffinity"):
        usable.append(len(os.sched_getaffinity(0)))
    if len(limit := _numbers("cpu.max")) == 2:  # microseconds of work allowed in each period
        usable.append(round(limit[0] / limit[1]))
    return max(1, min(usable))


def memory() -> tuple[float, float]:
    """Memory of the machine, or of the container this runs in, in GiB: (in all, free)."""
    about = psutil.virtual_memory()
    total, free = about.total, about.available
    if (limit := _numbers("memory.max")) and (used := _numbers("memory.current")):
        total, free = min(total, limit[0]), min(free, limit[0] - used[0])
    return total / 2**30, free / 2**30


def _median_seconds(work: Callable[[], object], count: int) -> float:
    """The median time of `count` calls, after two that warm up."""
    return median(timeit.repeat(work, number=1, repeat=count + 2)[2:])


def training_step_seconds(count: int = 9) -> float:
    """Seconds of one training step of the network of lesson 03, on a batch of 64 pictures of 32 x 32 pixels."""
    torch.manual_seed(0)
    x0 = torch.rand(64, 3, 32, 32) * 2 - 1
    run = Run(Denoiser(VOCABULARY))
    steps = train(run, random_batches(x0, null_tokens(64), run.generator), steps=count + 3)
    return _median_seconds(lambda: next(steps), count)


def sampling_step_seconds(count: int = 19) -> float:
    """Seconds of one step from noise to a picture, for one picture, with guidance, by the shipped network."""
    moments = sample(load_denoiser(), null_tokens(1), generator=torch.Generator().manual_seed(0), steps=count + 3)
    return _median_seconds(lambda: next(moments), count)


def concerns(python: tuple[int, ...], cores: int, threads: int, free: float) -> list[str]:
    """What stands in the way of the course, in words; an empty list if nothing does.

    cores are those that this process may use, threads those that PyTorch uses; free is memory in GiB.
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
    total, free = memory()
    threads = torch.get_num_threads()
    facts = versions() | {
        "cores to work with": f"{cores()} (PyTorch uses {threads})",
        "memory": f"{total:.1f} GiB, {free:.1f} GiB of it free",
    }
    found = concerns(tuple(map(int, platform.python_version_tuple()[:2])), cores(), threads, free)
    lines = ["| your machine | |", "| --- | --- |", *(f"| {name} | {fact} |" for name, fact in facts.items()), ""]
    return Markdown("\n".join(lines + ([f"- **Mind:** {concern}" for concern in found] or [READY])))


def about(seconds: float) -> str:
    """A duration as one would say it: "about 20 s", "about 3 min"."""
    if seconds < 90:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    return f"about {seconds / 60:.1f} min" if seconds < 600 else f"about {seconds / 60:.0f} min"


def forecast(step: float) -> Markdown:
    """What each lesson will take on a machine whose training step takes `step` seconds, as a table.

    Some training runs are given in seconds and take the same everywhere (a slow machine then learns a little less);
    all else goes with the speed of the machine.
    """
    slower = step / REFERENCE_STEP
    lines = ["| lesson | you, reading and trying | your computer, of that |", "| --- | --- | --- |"]
    computing = {lesson: fixed + slower * scaling for lesson, (_, fixed, scaling) in LESSONS.items()}
    lines += [f"| {lesson} | {LESSONS[lesson][0]} min | {about(took)} |" for lesson, took in computing.items()]
    hours = sum(minutes for minutes, _, _ in LESSONS.values()) / 60
    lines.append(f"| **all ten** | **about {hours:.0f} hours** | **{about(sum(computing.values()))}** |")
    return Markdown("\n".join(lines))
