"""`judge`: the networks that say what a picture shows."""

from course_lib.commands.options import Args, Parser, add_out, add_seed, ask, bar, between, flag, say

HELP = "Train the judge, or the panel, and say how often it is right about fresh drawings."


def options(command: Parser) -> None:
    """What `judge` can be told."""
    ask(command, "--steps", between(1, 100_000), "how long to train each judge", 3000)
    which = command.add_mutually_exclusive_group()
    flag(which, "--scenes", "train the judge of scenes")
    flag(which, "--panel", "train the panel: four judges of different build, on drawings of their own")
    add_seed(command)
    add_out(command, "runs/judge.safetensors")


def run(args: Args) -> None:
    """Train, try on fresh drawings, and write to --out."""
    import torch

    from course_lib.judging import judge, panel, scene_exam, scene_judge
    from course_lib.judging.counts import as_dicts
    from course_lib.weights.store import save

    made, train = judge.Judge, judge.train_judge
    if args.panel:
        made, train = panel.Panel, panel.train_panel
    elif args.scenes:
        made, train = scene_judge.SceneJudge, scene_judge.train_judge
    with torch.random.fork_rng(devices=[]):  # the seed of its first weights is not everybody's
        torch.manual_seed(args.seed)
        network = made()
    total = args.steps * (len(network.judges) if args.panel else 1)
    for _ in bar(train(network, steps=args.steps, seed=args.seed, bar=bar), total=total):
        pass
    network.eval()
    if args.panel:
        by_side = {side: panel.panel_on_drawings(network, size=side, bar=bar) for side in (panel.SIZE, panel.CRISP)}
        fresh = {f"{side} pixels": as_dicts(found) for side, found in by_side.items()}
        names = [*network.judges, "all"]
        told = [(found[n], f", {side} pixels: {n}") for side, found in by_side.items() for n in names if n in found]
    elif args.scenes:
        found = scene_exam.score_drawings(network, bar=bar)
        fresh, told = as_dicts(found), [(found["all right"], "")]
    else:
        found = judge.score_drawings(network, bar=bar)
        fresh, told = found.as_dict(), [(found, "")]
    save(network, args.out, seed=args.seed, steps=args.steps, command=args.command_line, fresh=fresh)
    what = "everything" if args.scenes else "kind and colour"
    for one, whose in told:
        say(f"{args.out}: {one.right} of {one.of} fresh drawings right in {what}{whose}")
