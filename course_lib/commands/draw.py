"""`draw`: pictures from the renderer that made the training pictures."""

from course_lib.commands.options import (
    Args,
    Parser,
    add_out,
    add_seed,
    ask,
    between,
    check_ending,
    list_words,
    say,
    tell,
)

HELP = "Draw fruits with the renderer that made the training pictures."


def options(command: Parser) -> None:
    """What `draw` can be told."""
    list_words(command)
    command.add_argument("captions", nargs="+", metavar="caption", help='what to draw, such as "a red apple"')
    ask(command, "--size", between(8, 1024), "side of the picture in pixels", 256)
    add_seed(command)
    add_out(command, "drawing.png")


def run(args: Args) -> None:
    """Draw what the captions ask for, and write it as one file, in the format that its ending names."""
    check_ending(args.out)

    from course_lib.fruit.worlds import FRUIT, read_for, unquoted, world_for

    captions = unquoted(args.captions)
    world = world_for(captions)
    readings = [read_for(world, caption) for caption in captions]
    asked = [world.understand(reading.caption) for reading in readings]
    tell(readings)

    import torch

    from course_lib.fruit import pictures, scene_pictures
    from course_lib.tools.pixels import grid, save_picture

    draw_asked = (pictures if world is FRUIT else scene_pictures).draw_asked
    save_picture(grid(draw_asked(asked, torch.Generator().manual_seed(args.seed), args.size)), args.out)
    say(str(args.out))
