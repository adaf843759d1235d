"""The tables of README.md and data/benchmarks/README.md, from what was measured: `make tables`.

A table stands between `<!-- table: name -->` and `<!-- end -->`; what lies between them is written here and never by
hand. After a benchmark, `make tables` brings both pages up to date, and a test names each table that is not.
"""

import json
import re
import statistics
from collections.abc import Callable, Iterator

from course_lib.classroom.machine import LESSONS
from course_lib.tools.files import DATA, whole_file

ROOT = DATA.parent
PAGES = (ROOT / "README.md", DATA / "benchmarks" / "README.md")
MARKED = re.compile(r"<!-- table: (?P<name>\S+) -->\n(?P<table>.*?)<!-- end -->", re.DOTALL)
MARKER = re.compile(r"<!-- (?:table: \S+|end) -->")

ASKED = (  # by each lesson, in a few words
    "Is my machine ready?",
    "How does a picture become noise?",
    "How does a network take noise away?",
    "What does the loss tell us?",
    "Is a new picture a copy?",
    "How do words get in?",
    "Can it draw what it never saw?",
    "How good are the pictures?",
    "How few steps will do?",
    "What went wrong?",
    "Can it change a picture?",
    "Which word goes where?",
    "Can it learn from my own folder?",
    "What do the large models add?",
)

FAR = "Fréchet distance over the floor"
EACH = "right_for_each_seed"


def measured(name: str) -> dict[str, dict]:
    """The values of data/benchmarks/NAME.json by their names."""
    return {row["name"]: row for row in json.loads((DATA / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))}


# A value as words


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f}".removesuffix(".0") + " %"


def span(about: dict) -> str:
    """The 95 % interval of a count."""
    return " to ".join(percent(end, 1) for end in about["interval"])


def count(about: dict) -> str:
    return f"{about['right']:,} of {about['of']:,}"


def counted(row: dict) -> str:
    """A count and its 95 % interval: 3 of 4 (30 % to 95.4 %)."""
    return f"{count(row['settings'])} ({span(row['settings'])})"


def each_seed(row: dict) -> str:
    about = row["settings"]
    return ", ".join(percent(right / about["of"], 1) for right in sorted(about[EACH]))


def lines(*rows: tuple) -> str:
    """Rows of cells, the first of them the head, as a table in Markdown."""
    told = [[str(cell) for cell in row] for row in rows]
    told.insert(1, ["---"] * len(told[0]))
    return "\n".join("| " + " | ".join(row) + " |" for row in told)


# README.md


def lessons() -> str:
    """The lessons, what they ask, and how long they take."""
    rows = [("lesson", "question", "minutes")]
    paths = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    for path, asked, (minutes, *_) in zip(paths, ASKED, LESSONS.values(), strict=True):
        title = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"][0].removeprefix("# ").strip()
        rows.append((f"[{title}](notebooks/{path.name})", asked, minutes))
    return lines(*rows)


def headline() -> str:
    fair, minute, two = measured("controls"), measured("results"), measured("scenes")
    ordinary = fair["held_out right, short run, ordinary captions"]["settings"]
    far = fair["Fréchet distance, guidance 2, over the floor"]["value"]
    soon = minute["held_out right, 30 s of training"]
    luck = [right / soon["settings"]["of"] for right in sorted(soon["settings"][EACH])]
    return lines(
        ("measured", "result", "bear in mind"),
        (
            '"a green banana"',
            count(fair["green banana right, shipped weights"]["settings"]) + " right",
            "judges do not say how good they look",
        ),
        (
            "eight pairs of fruit and colour never shown",
            count(fair["held_out right, shipped weights"]["settings"]) + " right",
            "one network; worst, " + fair["held_out right, shipped weights"]["settings"]["worst_pair"],
        ),
        (
            "the same, captions shuffled in training",
            count(fair["held_out right, short run, shuffled captions"]["settings"]) + " right",
            f"small networks; unshuffled, {count(ordinary)}",
        ),
        (
            "the same, 30 seconds of training",
            f"{percent(soon['value'], 1)} right",
            f"three small networks, one judge alone: {percent(luck[0], 1)} to {percent(luck[-1], 1)}",
        ),
        ("distance from real drawings", f"{far:.1f} times that of other drawings", "the goal was 1.5"),
        (
            "two fruits never seen together",
            f"{count(two['unseen: all right']['settings'])} right",
            "another network, lesson 11",
        ),
        ("a small fruit and a large one", f"{count(two['sizes: all right']['settings'])} right", "its weak point"),
        ("three fruits", f"{count(two['three: all right']['settings'])} right", "it draws two"),
    )


# Is it copied from training?


def training_set() -> str:
    fair = measured("controls")
    named = fair["training pictures the panel names as a held-out pair"]["settings"]
    found = [
        (what, f"{fair[name]['value']} of {fair[name]['settings']['of']:,}")
        for what, name in (
            ("training pictures that were drawn as a held-out pair", "training pictures recorded as a held-out pair"),
            ("captions that name a held-out pair", "training captions that name a held-out pair"),
            ("training pictures that the panel takes for one", "training pictures the panel names as a held-out pair"),
        )
    ]
    found[-1] = (found[-1][0], f"{found[-1][1]} (95 % interval: up to {percent(named['interval'][1], 2)})")
    return lines(("searched for", "found"), *found)


def copies() -> str:
    fair, rows = measured("controls"), [("pictures", "median distance", "smallest")]
    for what, name in (
        ("fresh drawings of training pairs", "fresh training drawings"),
        ("fresh drawings of held-out pairs", "fresh held-out drawings"),
        ("128 fresh drawings of green bananas", "128 fresh drawings of green bananas"),
        ("128 generated green bananas", "128 generated green bananas"),
    ):
        row = fair[f"nearest training picture, {name}, median"]
        least = row["settings"].get("least")
        rows.append((what, f"{row['value']:.2f}", "–" if least is None else f"{least:.2f}"))
    return lines(*rows)


# Do the words matter?


def words() -> str:
    fair, rows = measured("controls"), [("network", "held-out pairs right", "seen pairs right")]
    for what, name in (
        ("the shipped network, noise of eight seeds", "shipped weights"),
        ("three small ones, ordinary captions", "short run, ordinary captions"),
        ("three small ones, captions shuffled", "short run, shuffled captions"),
        ("three small ones, each pair one made-up word", "short run, one made-up word a pair"),
    ):
        held_out, seen = fair[f"held_out right, {name}"], fair[f"seen right, {name}"]
        least, most = (percent(held_out["settings"][end], 1) for end in ("least", "most"))
        rows.append((what, f"{count(held_out['settings'])} ({least} to {most})", count(seen["settings"])))
    return lines(*rows)


# Who counts, and how wrong is the judge?


def judges() -> str:
    fair, two, rows = measured("controls"), measured("scenes"), [("fresh drawings", "judged right", "95 % interval")]
    for what, name in (
        ("one fruit, kind and colour, by the panel", "panel wrong about fresh drawings"),
        ("the same, held-out pairs only", "panel wrong about fresh drawings of held-out pairs"),
        ("one fruit, kind and colour, by one judge alone", "judge wrong about fresh drawings"),
        ("the same, held-out pairs only", "judge wrong about fresh drawings of held-out pairs"),
    ):
        if name not in fair:  # earlier measurements know of no panel
            continue
        about = fair[name]["settings"]
        low, high = about["interval"]
        right = dict(right=about["of"] - about["wrong"], of=about["of"], interval=(1 - high, 1 - low))
        rows.append((what, count(right), " to ".join(percent(end, 2) for end in right["interval"])))
    for what, name in (
        ("scenes of one to three fruits, without sizes", "order"),
        ("the same, with all sizes", "all right"),
        ("scenes of three fruits, with all sizes", "three"),
    ):
        about = two[f"judge, fresh drawings: {name}"]["settings"]
        rows.append((what, count(about), span(about)))
    return lines(*rows)


# How good, how soon, against whom, at what cost?


def shipped() -> str:
    fair = measured("controls")
    groups = ("held_out", "seen", "green banana")
    rows = [
        ("guidance", "held-out pairs right", "seen pairs right", '"a green banana" right', "worst pair", "distance")
    ]
    for guidance, who in ((1, ", guidance 1"), (2, ""), (3, ", guidance 3")):
        found = [fair[f"{group} right, shipped weights{who}"] for group in groups]
        held_out = found[0]["settings"]
        worst = held_out["worst_pair"].removesuffix(" right") if held_out["right"] < held_out["of"] else "–"
        far = fair[f"Fréchet distance, guidance {guidance}, over the floor"]["value"]
        rows.append((guidance, *(counted(row) for row in found), worst, f"{far:.1f}"))
    return lines(*rows)


def lost() -> str:
    fair, rows = measured("controls"), [("pictures", "distance")]
    mirrored = fair["Fréchet distance, other drawings, every second mirrored, over the floor"]["value"]
    rows.append(("other drawings", "1"))
    rows += [
        (
            f"drawings noised to t = {t} and denoised",
            f"{fair[f'Fréchet distance, drawings noised to t = {t}, over the floor']['value']:.1f}",
        )
        for t in (0.1, 0.3, 0.5, 0.7, 0.85, 0.95)
    ]
    for guidance, what in ((1, "generated from noise alone, without guidance"), (2, "the same, guidance 2")):
        rows.append((what, f"{fair[f'Fréchet distance, guidance {guidance}, over the floor']['value']:.1f}"))
    return lines(*rows, ("for comparison: drawings, every second one mirrored", f"{mirrored:.1f}"))


def seconds() -> str:
    minute = measured("results")
    rows = [("training", "held-out pairs right", "each seed, lowest first", "seen pairs right", "distance")]
    for budget in (30, 60, 180):
        held_out, seen = (minute[f"{group} right, {budget} s of training"] for group in ("held_out", "seen"))
        shares = percent(held_out["value"], 1), each_seed(held_out), percent(seen["value"], 1)
        rows.append((f"{budget} s", *shares, f"{minute[f'{FAR}, {budget} s of training']['value']:.1f}"))
    held_out, seen = (minute[f"{group} right, shipped weights"] for group in ("held_out", "seen"))
    shares = percent(held_out["value"], 1), "–", percent(seen["value"], 1)
    return lines(*rows, ("shipped network", *shares, f"{minute[f'{FAR}, shipped weights']['value']:.1f}"))


def steps() -> str:
    few = measured("few_steps")
    rows = [("network and step", "steps", "held-out pairs right", "distance", "time for 16 pictures")]
    for what, way, counts in (
        ("distilled", "distilled, plain step", (1, 2, 4)),
        ("shipped, look-back step", "shipped, look-back step", (4, 8, 16)),
        ("shipped, plain step", "shipped, plain step", (4, 8, 16, 50)),
    ):
        for n in counts:
            time = {"distilled 4": "16 pictures x 4 steps, distilled"}.get(f"{what} {n}")
            time = time or f"16 pictures x {n} steps with guidance, shipped"
            took = f"{few[time]['value']:.2g} s" if time in few else "–"
            held_out = count(few[f"held out right, {way}, steps {n}"]["settings"])
            rows.append((what, n, held_out, f"{few[f'{FAR}, {way}, steps {n}']['value']:.1f}", took))
    return lines(*rows)


def scenes() -> str:
    two, rows = measured("scenes"), [("asked for", "all right", "95 % interval", "swapped")]
    for group, what in (
        ("seen", "two fruits seen side by side"),
        ("unseen", "two fruits never seen side by side"),
        ("one held out", "a held-out pair and another fruit"),
        ("two held out", "two held-out pairs"),
        ("held out alone", "a held-out pair alone"),
        ("either order", 'one fruit "beside" another, seen side by side'),
        ("sizes", "a small fruit and a large one, seen side by side"),
        ("sizes, joined by and", 'of these, joined by "and"'),
        ("sizes, joined by to the left of", 'joined by "to the left of"'),
        ("sizes, joined by to the right of", 'joined by "to the right of"'),
        ("three", "three fruits"),
    ):
        about = two[f"{group}: all right"]["settings"]
        swapped = two.get(f"{group}: swapped", {}).get("settings", {}).get("right", "–")
        alone = group in ("held out alone", "three")  # nothing to swap, or never the right ones there
        rows.append((what, count(about), span(about), "–" if alone else swapped))
    far = two[FAR]
    told = f"{far['settings']['pictures']:,} pictures, are {far['value']:.1f} times as far from drawings of the same"
    return f"{lines(*rows)}\n\nAll of these but three fruits, {told}\ncaptions as other drawings are, to this judge."


def peers() -> str:
    found = measured("peers")
    names = [name.removesuffix(": training") for name in found if name.endswith(": training")]
    names.sort(key=lambda name: (not name.startswith("ours"), name))
    minutes = sorted(found[f"{names[0]}: training"]["settings"]["minutes"])
    after = ", ".join(f"{m:g}" for m in minutes[:-1]) + f" and {minutes[-1]:g} min"
    head = ("network", "million weights", "pictures a second", f"seen pairs right, %, after {after}")
    rows = [(*head, f"held-out pairs right, %, after {after}", "64 pictures in 50 steps", "memory, MiB")]
    for name in names:
        about, shares = found[f"{name}: training"]["settings"], []
        for group in ("seen", "held_out"):
            after = [found.get(f"{name}: {group} right, {m:g} min of training") for m in minutes]
            shares.append(", ".join(f"{100 * row['value']:.0f}" for row in after) if all(after) else "–")
        took = found[f"{name}: 64 pictures x {about['sampling_steps']} steps"]
        made = f"{took['value']:.1f} s" + ("" if took["settings"]["guided"] else ", not guided")
        memory = f"{found[f'{name}: peak memory of training']['value']:,.0f}"
        weights = f"{about['parameters'] / 1e6:.1f}"
        rows.append((name, weights, f"{found[f'{name}: training']['value']:,.0f}", *shares, made, memory))
    notes = ((name, found[f"{name}: training"]["settings"].get("note")) for name in names)
    return "\n".join([lines(*rows), "", *(f"- {name}: {note}." for name, note in notes if note)])


def cost() -> str:
    minute, found = measured("results"), measured("peers")
    ours, theirs = "training, ours", "training, diffusers UNet2DModel"
    size = {name: found[f"{name}: training"]["settings"]["parameters"] for name in ("ours", "diffusers-hf-course")}
    smaller = size["diffusers-hf-course"] / size["ours"]
    less = minute[f"{theirs}: GFLOP per picture"]["value"] / minute[f"{ours}: GFLOP per picture"]["value"]
    sampled = minute["64 pictures x 50 guided steps, diffusers UNet2DModel over ours"]["value"]
    return lines(
        ("what", "measured"),
        (
            "one picture in 100 guided steps, shipped network",
            f"{minute['1 picture x 100 guided steps, ours, shipped size']['value']:.1f} s",
        ),
        (
            "memory to train the shipped network",
            f"{minute['peak memory of training, ours, shipped size']['value']:.0f} MiB",
        ),
        ("training pictures a second, small network", f"{minute[f'{ours}: pictures per second']['value']:,.0f}"),
        ("the same, shipped size", f"{minute[f'{ours}, shipped size: pictures per second']['value']:,.0f}"),
        ("the same, the `diffusers` U-Net", f"{minute[f'{theirs}: pictures per second']['value']:,.0f}"),
        (
            "small network beside that U-Net: training",
            f"{minute['training, ours over diffusers UNet2DModel']['value']:.0f} times as many pictures a second",
        ),
        ("the same: 64 pictures in 50 guided steps", f"{sampled:.0f} times as fast"),
        ("the same: weights", f"{smaller:.0f} times fewer"),
        ("the same: arithmetic for a training picture", f"{less:.0f} times less"),
    )


# What does it not do?


def nine_runs(budget: int) -> float:
    """The middle of nine networks, the share right: recipe.md keeps the counts of three runs of `make bench`."""
    page = (DATA / "benchmarks" / "recipe.md").read_text(encoding="utf-8").split("## Three runs of `make bench`")[1]
    row = re.search(rf"^\| {budget} s \|(.+)\|[^|]+\|$", page, re.MULTILINE).group(1)
    right = [int(n) for n in re.findall(r"\d+", row)]
    if len(right) != 9:
        raise ValueError(f"recipe.md should have nine counts after {budget} s, and has {len(right)}.")
    return statistics.median(right) / measured("results")["held_out right, 30 s of training"]["settings"]["of"]


def verdict(value: float, goal: float, usual: float) -> str:
    """Was a goal reached, by a run whose like usually has another value?"""
    return "missed" if value < goal else "only by luck" if usual < goal else "yes"


def goals() -> str:
    minute, fair, few, two, close = (measured(n) for n in ("results", "controls", "few_steps", "scenes", "scaling"))
    share = {name: minute[f"training, {name}: share of peak"]["value"] for name in ("ours", "ours, shipped size")}
    share["theirs"] = minute["training, diffusers UNet2DModel: share of peak"]["value"]
    part = {
        what: percent(close[f"a training step, our network, {what}"]["settings"]["ratio"])
        for what in ("convolutions", "Muon", "the rest")
    }
    far = {w: fair[f"Fréchet distance, guidance {w}, over the floor"]["value"] for w in (1, 2)}
    rows = [("goal, on two cores", "measured", "reached?")]
    for goal, budget in ((0.9, 30), (0.97, 60), (0.99, 180)):
        value, usual = minute[f"held_out right, {budget} s of training"]["value"], nine_runs(budget)
        told = f"{percent(goal)} of held-out pairs after {budget} s", percent(value, 1)
        middle = f"the middle one of nine networks has {percent(usual, 1)}"
        rows.append((*told, f"{verdict(value, goal, usual)}; {middle}"))
    unseen, of_all = two["unseen: all right"], fair["held_out right, shipped weights"]
    slow, fast = few["16 pictures x 100 steps with guidance, shipped"], few["16 pictures x 4 steps, distilled"]

    def met(reached: bool) -> str:
        return "yes" if reached else "missed"

    return lines(
        *rows,
        (
            "99 % of held-out pairs, shipped network",
            percent(of_all["value"], 1),
            met(of_all["value"] >= 0.99),
        ),
        (
            "1.5 times as far from drawings as other drawings",
            f"{far[1]:.1f}; with guidance 2, {far[2]:.1f}",
            met(far[1] <= 1.5) + "; a little is lost at every noise level, and guidance costs more",
        ),
        (
            "training at 80 % of the matrix-multiply peak",
            f"{percent(share['ours'])}; shipped size {percent(share['ours, shipped size'])}",
            met(share["ours"] >= 0.8)
            + f"; of a step, convolutions take {part['convolutions']}, the optimiser's products {part['Muon']}, many "
            f"small operations {part['the rest']}. The `diffusers` U-Net reaches {percent(share['theirs'])}",
        ),
        ("16 pictures in 100 guided steps: 3 s", f"{slow['value']:.1f} s", met(slow["value"] <= 3)),
        ("16 pictures in few steps: 0.3 s", f"{fast['value']:.2f} s", met(fast["value"] <= 0.3)),
        ("two fruits never seen together: 98 %", counted(unseen), met(unseen["value"] >= 0.98)),
    )


TABLES: dict[str, Callable[[], str]] = {
    "lessons": lessons,
    "headline": headline,
    "training-set": training_set,
    "copies": copies,
    "words": words,
    "judges": judges,
    "shipped": shipped,
    "lost": lost,
    "seconds": seconds,
    "steps": steps,
    "scenes": scenes,
    "peers": peers,
    "cost": cost,
    "goals": goals,
}


# Pages


def marked(page: str) -> Iterator[re.Match]:
    """The marked tables of a page, as matches with a name and a table.

    Raises:
        ValueError: a marker has no partner, or a table of that name is not made here.
    """
    found = list(MARKED.finditer(page))
    if len(MARKER.findall(page)) != 2 * len(found):
        raise ValueError("A table lies between `<!-- table: name -->` and `<!-- end -->`, and a marker has no partner.")
    if unknown := {match["name"] for match in found} - TABLES.keys():
        raise ValueError(f"There is no table {', '.join(sorted(unknown))}; there are: {', '.join(TABLES)}.")
    yield from found


def rendered(page: str) -> str:
    """The page, each marked table as it is measured now."""
    parts, end = [], 0
    for match in marked(page):
        parts += [page[end : match.start("table")], "\n", TABLES[match["name"]](), "\n\n"]
        end = match.end("table")
    return "".join([*parts, page[end:]])


def out_of_date(page: str) -> list[str]:
    """The names of the marked tables that are not as they are measured now."""
    return [match["name"] for match in marked(page) if match["table"] != f"\n{TABLES[match['name']]()}\n\n"]


def main() -> None:
    pages = {path: path.read_text(encoding="utf-8") for path in PAGES}
    new = {path: rendered(page) for path, page in pages.items()}  # all of them, before the first is written
    for path, page in new.items():
        changed = out_of_date(pages[path])
        if changed:
            with whole_file(path) as temporary:
                temporary.write_text(page, encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {', '.join(changed) or 'nothing'} to bring up to date")


if __name__ == "__main__":
    main()
