"""`generate`: from noise to pictures of what the words ask for."""

from course_lib.commands.options import (
    Args,
    Parser,
    add_out,
    add_sampling,
    add_seed,
    ask,
    bar,
    between,
    flag,
    given,
    tell,
)

HELP = "Turn noise into pictures of what the words ask for."
SHIPPED = {"fruit": "denoiser.safetensors", "scenes": "scene_denoiser.safetensors"}  # for the words of each world


def options(command: Parser) -> None:
    """What `generate` can be told."""
    command.add_argument("prompts", nargs="+", metavar="prompt", help='what to generate, such as "a green banana"')
    ask(command, "--count", between(1, 1000), "how many pictures of each prompt", 1)
    flag(command, "--film", "show the steps of the first picture instead")
    add_seed(command)
    add_sampling(command)
    add_out(command, "generated.png")


def run(args: Args) -> None:
    """Generate, and write the pictures, or the film of the first, as one PNG file."""
    from course_lib.fruit.worlds import WORLDS, read_all, reader_of, unquoted, world_for

    if not hasattr(args, "weights"):  # words are refused before torch is loaded
        world = world_for(unquoted(args.prompts))

    import torch

    from course_lib.beyond.attention import SceneDenoiser
    from course_lib.model import Denoiser, encode_for
    from course_lib.sample import sample, sampling_of
    from course_lib.tools.files import DATA
    from course_lib.tools.pixels import grid, save_png
    from course_lib.weights.store import load

    path = args.weights if hasattr(args, "weights") else DATA / SHIPPED[world.name]
    model = load(path, Denoiser, SceneDenoiser)
    if model.config["world"] in WORLDS:
        prompts = read_all(unquoted(args.prompts), WORLDS[model.config["world"]])
        tell(prompts)
        captions = [reading.caption for reading in prompts]
    else:  # words of one's own, which only the network's own list knows
        captions = args.prompts
        for caption in captions:
            reader_of(model.config)(caption)
    tokens = encode_for(model, [caption for caption in captions for _ in range(args.count)])
    usual, how, frames = sampling_of(model), given(args, steps="steps", guidance_scale="guidance"), []
    moments = sample(model, tokens, generator=torch.Generator().manual_seed(args.seed), **how)
    for frame in bar(moments, total=how.get("steps", usual.steps) + 1, unit="step"):
        frames = [*frames, frame] if args.film else [frame]  # only a film needs them all
    if args.film:
        from course_lib.classroom.show import film, save_figure

        save_figure(film(frames), args.out)
    else:
        columns = args.count if len(captions) > 1 else None  # a row for each prompt
        save_png(grid(frames[-1].x_t, columns), args.out, scale=256 // usual.size)
    print(args.out)
