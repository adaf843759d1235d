"""`evaluate`: the judge counts what is right."""

import json
from pathlib import Path

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

HELP = "Generate every pair of kind and colour, or scenes, and have the judge count what is right."
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
    from course_lib.judging import judge, scene_exam
    from course_lib.weights import shipped

    load = shipped.load_scene_denoiser if args.scenes else shipped.load_denoiser
    model = load(**given(args, path="weights"))
    if model.config["world"] != (SCENES if args.scenes else FRUIT).name:
        raise ValueError(f"{args.weights} was trained on captions of its own, but the judge knows only the fruit.")
    how = dict(seed=args.seed, bar=bar) | given(args, steps="steps", guidance_scale="guidance")
    if args.scenes:
        answers = scene_exam.evaluate(model, shipped.load_scene_judge(), **how, **given(args, count="per_group"))
        if hasattr(args, "wrong"):
            show_wrong(answers, args.wrong)
        scores = {group: scene_exam.score(answer.verdicts) for group, answer in answers.items()}
        told = {group: {name: one.as_dict() for name, one in named.items()} for group, named in scores.items()}
        lines = {f"{group:16}{name:12}": one for group, named in scores.items() for name, one in named.items()}
    else:
        scores = judge.evaluate(model, shipped.load_judge(), **how, **given(args, per_pair="per_pair"))
        told = {group: one.as_dict() for group, one in scores.items()}
        lines = {f"{group:14}": one for group, one in scores.items()}
    if args.json:
        say(json.dumps(told))
        return
    for name, one in lines.items():
        low, high = one.interval
        say(f"{name}{one.right:5} of {one.of:5} right, 95 % interval {100 * low:.1f} % to {100 * high:.1f} %")


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
