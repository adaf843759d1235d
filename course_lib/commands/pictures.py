"""`pictures`: the training pictures, drawn before they are needed."""

import argparse

from course_lib.commands.options import add_scenes, bar

HELP = "Draw the training pictures, unless they are there already."


def options(command: argparse.ArgumentParser) -> None:
    """What `pictures` can be told."""
    add_scenes(command, "those of one fruit and of two")


def run(args: argparse.Namespace) -> None:
    """Draw and keep them."""
    from course_lib.fruit.pictures import training_pictures
    from course_lib.fruit.scene_pictures import training_scenes

    pictures = (training_scenes if args.scenes else training_pictures)(bar=bar)
    print(f"{len(pictures.x0)} training pictures are ready")
