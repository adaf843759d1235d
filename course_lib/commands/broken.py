"""`broken`: the runs of lesson 07 that something is wrong with."""

import argparse

from course_lib.commands.options import add_out, add_seed, bar, between

HELP = "Train the broken runs of lesson 07: each one a network trained or sampled with one fault."


def options(command: argparse.ArgumentParser) -> None:
    """What `broken` can be told."""
    command.add_argument("--steps", type=between(1, 100_000), default=400, help="how long to train each")
    add_seed(command)
    add_out(command, "runs/broken.safetensors")


def run(args: argparse.Namespace) -> None:
    """Train them all, and write what they left behind to --out."""
    from course_lib.classroom import broken
    from course_lib.fruit.pictures import training_pictures

    pictures = training_pictures(bar=bar)
    broken.make(args.out, pictures.x0, pictures.tokens, steps=args.steps, seed=args.seed, bar=bar)
    print(f"{args.out}: a healthy run and {len(broken.FAULTS)} broken ones, {args.steps} steps each")
