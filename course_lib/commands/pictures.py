"""`pictures`: the training pictures, drawn before they are needed."""

from course_lib.commands.options import Args, Parser, ask, between, drawing, flag, say

HELP = "Draw the training pictures, unless they are there already."


def options(command: Parser) -> None:
    """What `pictures` can be told."""
    flag(command, "--scenes", "those of one fruit and of two")
    ask(command, "--times", between(1, 64), "so many times as many", 1)


def run(args: Args) -> None:
    """Draw and keep them."""
    from course_lib.fruit.pictures import training_pictures
    from course_lib.fruit.scene_pictures import training_scenes

    pictures = (training_scenes if args.scenes else training_pictures)(bar=drawing, times=args.times)
    say(f"{len(pictures.x0)} training pictures are ready")
