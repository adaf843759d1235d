"""`judge`: the network that says what a picture shows."""

from course_lib.commands.options import Args, Parser, add_out, add_seed, ask, bar, between, flag, say

HELP = "Train the judge and say how often it is right about fresh drawings."


def options(command: Parser) -> None:
    """What `judge` can be told."""
    ask(command, "--steps", between(1, 100_000), "how long to train", 3000)
    flag(command, "--scenes", "train the judge of scenes")
    add_seed(command)
    add_out(command, "runs/judge.safetensors")


def run(args: Args) -> None:
    """Train, try on fresh drawings, and write to --out."""
    import torch

    from course_lib.judging import judge, scene_exam, scene_judge
    from course_lib.weights.store import save

    with torch.random.fork_rng(devices=[]):  # the seed of its first weights is not everybody's
        torch.manual_seed(args.seed)
        its, network = (scene_judge, scene_judge.SceneJudge()) if args.scenes else (judge, judge.Judge())
    for _ in bar(its.train_judge(network, steps=args.steps, seed=args.seed, bar=bar), total=args.steps):
        pass
    found = (scene_exam if args.scenes else judge).score_drawings(network.eval(), bar=bar)
    if args.scenes:
        fresh = {name: score.as_dict() for name, score in found.items()}
        right, what = found["all right"], "everything"
    else:
        fresh, right, what = found.as_dict(), found, "kind and colour"
    save(network, args.out, seed=args.seed, steps=args.steps, command=args.command_line, fresh=fresh)
    say(f"{args.out}: {right.right} of {right.of} fresh drawings right in {what}")
