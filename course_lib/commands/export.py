"""`export`: a network for other programs, all that the page in a browser needs, or a smaller file of the network."""

from __future__ import annotations

import argparse

from course_lib.commands.options import Args, Parser, ask, bar, flag, path_of, say

HELP = "Write a network for other programs, all that the page in a browser needs, or a file of half the size."
TEXT = (
    "onnx: one file, for onnxruntime and others; diffusers: a folder that its DiffusionPipeline opens; "
    "page: a folder with course.json and the networks of the live page; safetensors: a file of the course's own"
)
ENDINGS = {"onnx": ".onnx", "safetensors": ".safetensors"}


def options(command: Parser) -> None:
    """What `export` can be told."""
    text = "where it goes: a file that ends in .onnx or .safetensors, or, of the others, a folder"
    command.add_argument("out", type=path_of, help=text)
    command.add_argument(
        "--to",
        choices=("onnx", "diffusers", "page", "safetensors"),
        required=True,
        default=argparse.SUPPRESS,
        help=TEXT,
    )
    text = "file of the network (default: the shipped denoiser); a page has the shipped ones"
    ask(command, "--weights", path_of, text)
    flag(command, "--half", "round the weights to 16 bits, which take half the space; they compute in 32 as before")


def run(args: Args) -> None:
    """Write the network, whole or not at all."""
    if ending := ENDINGS.get(args.to):
        if args.out.suffix.lower() != ending:
            raise ValueError(f"With --to {args.to} the network goes to a file that ends in {ending}, not {args.out}.")
    elif args.half and args.to == "diffusers":
        raise ValueError("--half is not for diffusers. Leave it out.")
    elif args.out.exists() and not args.out.is_dir():
        raise ValueError(f"{args.out} is a file. Name a folder.")
    if args.to == "page" and hasattr(args, "weights"):
        raise ValueError("A page is made of the shipped networks. Leave --weights out.")

    from course_lib.tools.files import DATA, read_tensors

    weights = getattr(args, "weights", DATA / "denoiser.safetensors")
    if args.to == "onnx":
        from course_lib.export.to_onnx import write_onnx

        for _ in bar([args.out.name], desc="exporting"):  # one step, with the time that it takes
            write_onnx(weights, args.out, half=args.half)
        say(str(args.out))
    elif args.to == "safetensors":
        from course_lib.export.to_onnx import NETWORKS
        from course_lib.weights.store import load, save

        network, about = load(weights, *NETWORKS), read_tensors(weights)[1].get("about", {})
        save(network, args.out, half=args.half, **about)
        say(str(args.out))
    elif args.to == "diffusers":
        from course_lib.export.to_diffusers import write_diffusers

        write_diffusers(weights, args.out)
        say(str(args.out))
    else:
        from course_lib.export.page import write_page

        for path in write_page(args.out, half=args.half, bar=lambda names: bar(names, desc="exporting")):
            say(f"{path}: {path.stat().st_size:,} bytes")
