"""`broken`: the runs of lesson 9 that something is wrong with."""

from course_lib.commands.options import Args, Parser, add_out, add_seed, ask, bar, between, drawing, say

HELP = "Train the broken runs of lesson 9: each one a network trained or sampled with one fault."


def options(command: Parser) -> None:
    """What `broken` can be told."""
    ask(command, "--steps", between(1, 100_000), "how long to train each", 400)
    add_seed(command)
    add_out(command, "runs/broken.safetensors")


def run(args: Args) -> None:
    """Train them all, and write what they left behind to --out."""
    from course_lib.classroom import broken
    from course_lib.fruit.pictures import training_pictures

    pictures = training_pictures(bar=drawing)
    broken.make(args.out, pictures.x0, pictures.tokens, steps=args.steps, seed=args.seed, bar=bar)
    say(f"{args.out}: a healthy run and {len(broken.FAULTS)} broken ones, {args.steps} steps each")
