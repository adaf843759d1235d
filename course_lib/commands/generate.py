"""`generate`: from noise to pictures of what the words ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from course_lib.commands.options import (
    STILLS,
    Args,
    Parser,
    add_out,
    add_sampling,
    add_seed,
    ask,
    bar,
    between,
    check_ending,
    flag,
    given,
    list_words,
    note,
    say,
    tell,
)
from course_lib.fruit.worlds import FACTOR, WORLDS, is_enlarged, read_with, unquoted, world_for

if TYPE_CHECKING:
    from course_lib.beyond.enlarge import Enlarger

FILMS = (".gif", ".webp")  # the endings of films that move
HELP = "Turn noise into pictures of what the words ask for."
SHIPPED = {"fruit": "denoiser.safetensors", "scenes": "scene_denoiser.safetensors"}  # for the words of each world
ENLARGER = "enlarger.safetensors"


def options(command: Parser) -> None:
    """What `generate` can be told."""
    list_words(command)
    command.add_argument("prompts", nargs="+", metavar="prompt", help='what to generate, such as "a green banana"')
    ask(command, "--count", between(1, 1000), "how many pictures of each prompt", 1)
    text = "show how one picture comes about: as a strip, or, if --out ends in .gif or .webp, a film of four seconds"
    flag(command, "--film", text)
    text = (
        "side of a picture in pixels: 128, or 32, as it comes about; of scenes 256, or 64; of a film, or by a network "
    )
    ask(command, "--size", between(8, 1024), text + "of a folder of yours, the smaller only (default: the larger)")
    add_seed(command)
    add_sampling(command)
    add_out(command, "generated.png")


def run(args: Args) -> None:
    """Generate, and write the pictures, or how one came about, as one file, in the format that its ending names."""
    check_ending(args.out, (*STILLS, ".gif") if args.film else STILLS, "A film" if args.film else "A picture")
    if not hasattr(args, "weights"):  # words are refused before torch is loaded
        world = world_for(unquoted(args.prompts))
        check_size(args, world.size, enlarged=True)

    import torch

    from course_lib.beyond.attention import SceneDenoiser
    from course_lib.beyond.enlarge import enlarge, noise_beside
    from course_lib.model import Denoiser, encode_for
    from course_lib.sample import sample, sampling_of
    from course_lib.tools.files import DATA
    from course_lib.tools.pixels import grid, save_picture
    from course_lib.weights.store import load

    path = args.weights if hasattr(args, "weights") else DATA / SHIPPED[world.name]
    if path == DATA / SHIPPED["scenes"]:
        note(f"drawn by the network of scenes, {path.name}")
    # the order in memory that its pictures have: the same answers in two thirds of the time
    model = load(path, Denoiser, SceneDenoiser).to(memory_format=torch.channels_last)
    prompts = (unquoted if model.config["world"] in WORLDS else together)(args.prompts)
    readings = [read_with(model.config, prompt) for prompt in prompts]
    tell(readings)
    captions = [reading.caption for reading in readings]
    if args.film and len(captions) * args.count > 1:
        raise ValueError(f"--film shows one picture, not {len(captions) * args.count}. Ask for one.")
    tokens = encode_for(model, [caption for caption in captions for _ in range(args.count)])
    usual, how, frames = sampling_of(model), given(args, steps="steps", guidance_scale="guidance"), []
    check_size(args, usual.size, is_enlarged(model.config))
    enlarger = enlarger_for(args, usual.size) if is_enlarged(model.config) else None
    moments = sample(model, tokens, generator=torch.Generator().manual_seed(args.seed), **how)
    for frame in bar(moments, total=how.get("steps", usual.steps) + 1, unit="step"):
        frames = [*frames, frame] if args.film else [frame]  # only a film needs them all
    if args.film:
        from course_lib.classroom.show import film, save_figure, save_film

        if args.out.suffix.lower() in FILMS:
            save_film(frames, args.out)
        else:
            save_figure(film(frames), args.out)
    else:
        x = frames[-1].x_t
        if enlarger:
            chance = noise_beside(args.seed)
            parts = [enlarge(enlarger, part, generator=chance) for part in bar(x.split(16), desc="enlarging")]
            x = torch.cat(parts)
        columns = args.count if len(captions) > 1 else None  # a row for each prompt
        gap = 2 * x.shape[-1] // usual.size  # so that the file is as wide either way
        save_picture(grid(x, columns, gap), args.out, scale=max(1, 256 // x.shape[-1]))
    say(str(args.out))


def check_size(args: Args, own: int, enlarged: bool) -> None:
    """Refuse, with a ValueError, a size other than a network's own, and, where such pictures are enlarged, of those."""
    sizes = [own, FACTOR * own] if enlarged and not args.film else [own]
    if getattr(args, "size", own) not in sizes:
        what = "A film shows pictures" if args.film else "This network makes pictures"
        told = " or ".join(f"--size {size}" for size in sizes)
        raise ValueError(f"{what} of {' or '.join(map(str, sizes))} pixels, not of {args.size}. Give {told}, or none.")


def enlarger_for(args: Args, own: int) -> Enlarger | None:
    """The network that enlarges; None, with a note, where its file is missing or damaged and no --size asks for it."""
    from course_lib.beyond.enlarge import Enlarger
    from course_lib.tools.files import DATA
    from course_lib.weights.store import load

    if args.film or getattr(args, "size", 0) == own:
        return None
    try:
        return load(DATA / ENLARGER, Enlarger)
    except (ValueError, OSError) as error:
        if hasattr(args, "size"):
            raise ValueError(f"{error} Without it: --size {own}.") from error
        note(f"{error} Without it the pictures stay {own} pixels wide.")
        return None


def together(prompts: Sequence[str]) -> Sequence[str]:
    """The prompts of a network that has words of its own: several of one word each were typed without quotes."""
    if len(prompts) < 2 or any(" " in prompt for prompt in prompts):
        return prompts
    note(f"understood as one prompt: {' '.join(prompts)}")
    return [" ".join(prompts)]
