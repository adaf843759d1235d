"""`generate`: from noise to pictures of what the words ask for."""

from collections.abc import Sequence

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

FILMS = (".gif", ".webp")  # the endings of films that move
HELP = "Turn noise into pictures of what the words ask for."
SHIPPED = {"fruit": "denoiser.safetensors", "scenes": "scene_denoiser.safetensors"}  # for the words of each world


def options(command: Parser) -> None:
    """What `generate` can be told."""
    list_words(command)
    command.add_argument("prompts", nargs="+", metavar="prompt", help='what to generate, such as "a green banana"')
    ask(command, "--count", between(1, 1000), "how many pictures of each prompt", 1)
    text = "show how one picture comes about: as a strip, or, if --out ends in .gif or .webp, a film of four seconds"
    flag(command, "--film", text)
    add_seed(command)
    add_sampling(command)
    add_out(command, "generated.png")


def run(args: Args) -> None:
    """Generate, and write the pictures, or how one came about, as one file, in the format that its ending names."""
    from course_lib.fruit.worlds import WORLDS, read_with, unquoted, world_for

    check_ending(args.out, (*STILLS, ".gif") if args.film else STILLS, "A film" if args.film else "A picture")
    if not hasattr(args, "weights"):  # words are refused before torch is loaded
        world = world_for(unquoted(args.prompts))

    import torch

    from course_lib.beyond.attention import SceneDenoiser
    from course_lib.model import Denoiser, encode_for
    from course_lib.sample import sample, sampling_of
    from course_lib.tools.files import DATA
    from course_lib.tools.pixels import grid, save_picture
    from course_lib.weights.store import load

    path = args.weights if hasattr(args, "weights") else DATA / SHIPPED[world.name]
    if path == DATA / SHIPPED["scenes"]:
        note(f"drawn by the network of scenes, {path.name}")
    model = load(path, Denoiser, SceneDenoiser)
    prompts = (unquoted if model.config["world"] in WORLDS else together)(args.prompts)
    readings = [read_with(model.config, prompt) for prompt in prompts]
    tell(readings)
    captions = [reading.caption for reading in readings]
    if args.film and len(captions) * args.count > 1:
        raise ValueError(f"--film shows one picture, not {len(captions) * args.count}. Ask for one.")
    tokens = encode_for(model, [caption for caption in captions for _ in range(args.count)])
    usual, how, frames = sampling_of(model), given(args, steps="steps", guidance_scale="guidance"), []
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
        columns = args.count if len(captions) > 1 else None  # a row for each prompt
        save_picture(grid(frames[-1].x_t, columns), args.out, scale=256 // usual.size)
    say(str(args.out))


def together(prompts: Sequence[str]) -> Sequence[str]:
    """The prompts of a network that has words of its own: several of one word each were typed without quotes."""
    if len(prompts) < 2 or any(" " in prompt for prompt in prompts):
        return prompts
    note(f"understood as one prompt: {' '.join(prompts)}")
    return [" ".join(prompts)]
