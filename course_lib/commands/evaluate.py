"""`evaluate`: the panel counts what is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.commands.options import (
    Args,
    Parser,
    add_sampling,
    add_seed,
    ask,
    bar,
    between,
    check_ending,
    flag,
    given,
    new_file,
    note,
    say,
)

if TYPE_CHECKING:
    from course_lib.judging.counts import Score
    from course_lib.noise import Model

HELP = "Generate every pair of kind and colour, or scenes, and have those who judge count what is right."
WRONG_COLUMNS = 8  # of the sheet of wrong scenes


def options(command: Parser) -> None:
    """What `evaluate` can be told."""
    ask(command, "--per-pair", between(1, 10_000), "pictures for each held-out pair (default: 32)")
    flag(command, "--json", "print one JSON object")
    flag(command, "--scenes", "evaluate a denoiser of scenes")
    ask(command, "--per-group", between(1, 10_000), "with --scenes: how many of each group (default: 192)")
    ask(command, "--wrong", new_file, "with --scenes: where to put a sheet of those that are not right")
    add_seed(command)
    add_sampling(command)


def run(args: Args) -> None:
    """Evaluate, and print a line for each count, or all as JSON."""
    for option in ("per_pair",) if args.scenes else ("per_group", "wrong"):
        if hasattr(args, option):
            only = "without" if args.scenes else "with"
            raise ValueError(f"--{option.replace('_', '-')} goes {only} --scenes only.")
    if hasattr(args, "wrong"):
        check_ending(args.wrong)

    from course_lib.fruit.worlds import FRUIT, SCENES
    from course_lib.weights import shipped

    load = shipped.load_scene_denoiser if args.scenes else shipped.load_denoiser
    model = load(**given(args, path="weights"))
    if model.config["world"] != (SCENES if args.scenes else FRUIT).name:
        raise ValueError(f"{args.weights} was trained on captions of its own, but those who judge know only the fruit.")
    how = dict(seed=args.seed, bar=bar) | given(args, steps="steps", guidance_scale="guidance")
    told, lines = scenes(model, args, **how) if args.scenes else fruit(model, **how, **given(args, per_pair="per_pair"))
    for line in [json.dumps(told)] if args.json else lines:
        say(line)


def fruit(model: Model, **how) -> tuple[dict, list[str]]:
    """What the panel, and the single judge, count: for JSON, and in lines."""
    from course_lib.judging import fruit_exam
    from course_lib.judging.counts import as_dicts, worst
    from course_lib.weights import shipped

    panel, judge = shipped.load_panel(), shipped.load_judge()
    fresh = fruit_exam.by_group(shipped.panel_error())
    answers = fruit_exam.ask_for_pairs(model, **how)
    right, lenient = (fruit_exam.count_right(who, answers) for who in (panel, judge))
    least = worst({name: right[name] for name in fruit_exam.HELD_OUT})
    lines = [f"{name:20}{counted(one)}; fresh drawings: {out_of(fresh[name])}" for name, one in right.items()]
    lines.append(f"The worst held-out pair: {least}, {out_of(right[least])} right.")
    shown = ", ".join(f"{name} {out_of(lenient[name])}" for name in ("held_out", "seen", "green banana"))
    lines.append(f"One judge alone, who is lenient: {shown} right.")
    by_whom = {"panel": right, "panel on fresh drawings": fresh, "one judge alone, lenient": lenient}
    return {who: as_dicts(scores) for who, scores in by_whom.items()} | {"worst held-out pair": least}, lines


def scenes(model: Model, args: Args, **how) -> tuple[dict, list[str]]:
    """What the judge of scenes counts: for JSON, and in lines."""
    from course_lib.judging import scene_exam
    from course_lib.judging.counts import as_dicts
    from course_lib.weights import shipped

    answers = scene_exam.evaluate(model, shipped.load_scene_judge(), **how, **given(args, count="per_group"))
    if hasattr(args, "wrong"):
        show_wrong(answers, args.wrong)
    scores = {group: scene_exam.score(answer.verdicts) for group, answer in answers.items()}
    lines = [f"{group:16}{name:12}{counted(one)}" for group, named in scores.items() for name, one in named.items()]
    return {group: as_dicts(named) for group, named in scores.items()}, lines


def out_of(one: Score) -> str:
    """A count, "31 of 32"."""
    return f"{one.right} of {one.of}"


def counted(one: Score) -> str:
    """A count with its interval, in columns."""
    low, high = one.interval
    return f"{one.right:5} of {one.of:5} right, 95 % interval {100 * low:.1f} % to {100 * high:.1f} %"


def show_wrong(answers: dict, path: Path) -> None:
    """A sheet of the scenes that are not right, the swapped first; what each should be goes to standard error."""
    import torch

    from course_lib.tools.pixels import grid, save_picture

    every = [one for answer in answers.values() for one in zip(*answer, strict=True)]
    wrong = [(caption, x, verdict) for caption, x, verdict in every if not verdict.all_right]
    wrong.sort(key=lambda one: not one[2].swapped)
    if not wrong:
        note(f"none is wrong, so there is no {path}")
    else:
        save_picture(grid(torch.stack([x for _, x, _ in wrong]), WRONG_COLUMNS), path, scale=2)
    for i, (caption, _, verdict) in enumerate(wrong):
        row, place = divmod(i, WRONG_COLUMNS)
        note(f"row {row + 1}, place {place + 1}: {caption}{' (swapped)' * verdict.swapped}")
