"""What 30, 200 and 2,000 learners need, computed from what `classes` measured: the tables of instructor/serving.md."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from pages import MARKED

from course_lib.classroom.machine import LESSONS
from course_lib.tools.files import DATA, whole_file

PAGE = DATA.parent / "notebooks" / "instructor" / "serving.md"
SIZES = (30, 200, 2000)  # learners at work at the same time
SPARE = 1.25  # of memory: learners try things, and a node is never packed to the brim
SYSTEM = 2.0  # GiB for the operating system, the hub and its proxy
WORKS = ("peak memory", "processor", "wall", "slowest cell", "written", "kept")
TOGETHER = ("wall", "memory together", "slowest cell", "processor")
BEHIND = ("memory", "course on disk", "environment on disk")
UNMEASURED = "Not measured yet. `make bench-class` measures it and writes this table."
MINUTES = {name[:2]: minutes for name, (minutes, _, _) in LESSONS.items()}


def read(path: Path) -> list[dict]:
    """The rows of class.json, or none. Raises ValueError for a file that is no such list."""
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        for row in rows:
            place(row["name"]), float(row["value"]), row["settings"]["lesson"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no measurements of a class. Remove it, and measure again.") from error
    return rows


def at_once_name(lesson: str, kernels: int, threads: int | None) -> str:
    """What a lesson in several kernels is called in the file."""
    return f"{lesson}, {kernels} at once, {threads or 'all'} thread{'s' if threads is None else ''}"


def place(name: str) -> tuple:
    """Where a row stands in the file: lessons alone, then at once, then what is behind them; each in its order."""
    group, _, what = name.rpartition(": ")
    order = [*WORKS, *(w for w in TOGETHER if w not in WORKS), *(w for w in BEHIND if w not in WORKS)]
    return (group == "server", "at once" in group, group, order.index(what))


def missing(rows: list[dict], names: list[str]) -> list[str]:
    """What the tables of the page need and is not among the rows."""
    wanted = [f"{name}: {what}" for name in names for what in WORKS] + [f"server: {what}" for what in BEHIND]
    found = {row["name"] for row in rows}
    light, heavy = _at_once_lessons(rows)
    return [name for name in wanted if name not in found] + ([] if heavy > light else ["lesson with 8 at once"])


def _at_once_lessons(rows: list[dict]) -> tuple[str, str]:
    """The first and the last lesson that several kernels ran with one thread each; "" where there is none."""
    found = sorted({r["settings"]["lesson"] for r in rows if ", 1 thread: wall" in r["name"]})
    return (found[0], found[-1]) if found else ("", "")


def _table(head: list[str], lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])


def _values(rows: list[dict]) -> dict[str, float]:
    return {row["name"]: row["value"] for row in rows}


def lessons(rows: list[dict]) -> str:
    """What each lesson took alone: a table."""
    value = _values(rows)
    names = sorted({row["name"][:2] for row in rows if re.match(r"\d\d: ", row["name"])})
    units = dict(zip(WORKS, ("MiB", "s", "s", "s", "MiB", "MiB"), strict=True))
    lines = [[n, *(f"{value[f'{n}: {w}']:,.0f} {unit}" for w, unit in units.items())] for n in names]
    return _table(["lesson", "peak memory", "processor", "wall", "slowest cell", "written", "kept on disk"], lines)


def at_once(rows: list[dict]) -> str:
    """What lessons took in several kernels: a table."""
    value, lines = _values(rows), []
    for row in rows:
        group, _, what = row["name"].rpartition(": ")
        if "at once" in group and what == "wall":
            about = row["settings"]
            took = [f"{value[f'{group}: {w}']:,.0f} {'MiB' if 'memory' in w else 's'}" for w in TOGETHER]
            lines.append([about["lesson"], str(about["kernels"]), str(about["threads"]), *took])
    head = ["lesson", "kernels", "threads each", "wall", "memory together", "slowest cell", "processor, together"]
    return _table(head, lines)


def behind(rows: list[dict]) -> str:
    """What a learner's server, the course and the environment take: a table."""
    value = _values(rows)
    return _table(
        ["what", "size"],
        [
            ["memory of one learner's JupyterLab server", f"{value['server: memory']:,.0f} MiB"],
            ["a copy of the course, its training pictures drawn", f"{value['server: course on disk']:,.0f} MiB"],
            ["the environment, once for all", f"{value['server: environment on disk']:,.0f} MiB"],
        ],
    )


def needs(rows: list[dict]) -> dict[str, float]:
    """What one learner needs, computed: memory and disk in GiB, cores, hours, and GiB-hours and core-hours."""
    value = _values(rows)
    names = sorted({row["name"][:2] for row in rows if re.match(r"\d\d: ", row["name"])})
    memory = (max(value[f"{n}: peak memory"] for n in names) + value["server: memory"]) * SPARE / 1024
    seconds = sum(value[f"{n}: processor"] for n in names)
    hours = sum(MINUTES[n] for n in names) / 60
    class_of = next(r["settings"] for r in rows if ", 1 thread: wall" in r["name"])
    core = class_of["cores"] / class_of["kernels"]
    return dict(
        memory=memory,
        mean=max(value[f"{n}: processor"] / (60 * MINUTES[n]) for n in names),
        core=core,
        disk=(value["server: course on disk"] + sum(value[f"{n}: kept"] for n in names)) / 1024,
        image=value["server: environment on disk"] / 1024,
        hours=hours,
        gib_hours=memory * hours,
        core_hours=seconds / 3600,
        held_core_hours=core * hours,
    )


def one_learner(rows: list[dict]) -> str:
    """What one learner needs, with how it is computed: a table."""
    n = needs(rows)
    spoken = "cores of the machine / kernels that ran on it at once"
    return _table(
        ["what", "computed as", "for one learner"],
        [
            ["memory *m*", f"(largest peak + server) x {SPARE}", f"{n['memory']:.2f} GiB"],
            ["busy share of a core", "largest processor seconds / (60 x minutes of the lesson)", f"{n['mean']:.3f}"],
            ["cores *c* that are held", spoken, f"{n['core']:.2f}"],
            ["disk *d*", "copy of the course + what all lessons keep", f"{n['disk']:.2f} GiB"],
            ["hours *h* of the whole course", "sum of the minutes / 60", f"{n['hours']:.1f}"],
            ["core-hours that are computed", "sum of processor seconds / 3600", f"{n['core_hours']:.2f}"],
        ],
    )


def many(rows: list[dict]) -> str:
    """What 30, 200 and 2,000 learners at work together need: a table."""
    n = needs(rows)
    lines = []
    for count in SIZES:
        memory, cores = count * n["memory"] + SYSTEM, count * n["core"]
        disk = count * n["disk"] + n["image"]
        hours = f"{count * n['held_core_hours']:,.0f}", f"{count * n['gib_hours']:,.0f}"
        lines.append([f"{count:,}", f"{memory:,.0f} GiB", f"{max(2, cores):,.0f}", f"{disk:,.0f} GiB", *hours])
    head = [
        "learners at work at once",
        "memory",
        "cores",
        "disk",
        "core-hours, whole course",
        "GiB-hours, whole course",
    ]
    return _table(head, lines)


def cost(rows: list[dict], core_hour: float, gib_hour: float) -> str:
    """What the whole course costs at prices for a core-hour and a GiB-hour of memory: lines of text.

    Raises ValueError for a price below zero.
    """
    if min(core_hour, gib_hour) < 0:
        raise ValueError(f"A price of {min(core_hour, gib_hour):g} is below zero.")
    n = needs(rows)
    each = n["held_core_hours"] * core_hour + n["gib_hours"] * gib_hour
    head = f"Computed, at {core_hour:g} a core-hour and {gib_hour:g} a GiB-hour, for {n['hours']:.1f} hours a learner:"
    return "\n".join([head, *(f"{count:>6,} learners {count * each:12,.2f}, each {each:.2f}" for count in SIZES)])


TABLES: dict[str, Callable[[list[dict]], str]] = {
    "class-lessons": lessons,
    "class-at-once": at_once,
    "class-behind": behind,
    "class-learner": one_learner,
    "class-many": many,
}


def rendered(page: str, rows: list[dict]) -> str:
    """The page with its marked tables made of these rows; of none, each says how to measure it.

    Raises ValueError for a marker that names no table.
    """

    def made(match: re.Match) -> str:
        if match["name"] not in TABLES:
            raise ValueError(f"There is no table {match['name']}; there are: {', '.join(TABLES)}.")
        table = TABLES[match["name"]](rows) if rows else UNMEASURED
        return f"<!-- table: {match['name']} -->\n\n{table}\n\n<!-- end -->"

    return MARKED.sub(made, page)


def write_page(rows: list[dict], path: Path = PAGE) -> None:
    """Write the tables of the page, whole or not at all."""
    new = rendered(path.read_text(encoding="utf-8"), rows)
    with whole_file(path) as temporary:
        temporary.write_text(new, encoding="utf-8")
    print(f"The tables of {path.name} are as measured.")
