"""What the options of several commands have in common. Imports no torch: `--help` answers at once."""

import argparse
from collections.abc import Callable
from pathlib import Path


def between(low, high) -> Callable[[str], float]:
    """The argument type for numbers in a range: whole ones if `low` is whole."""
    kind = type(low)
    wanted = f"a whole number from {low} to {high}" if kind is int else f"a number from {low:g} to {high:g}"

    def read(text: str):
        try:
            value = kind(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:  # written so that nan is refused too
            raise argparse.ArgumentTypeError(f"give {wanted}, not {text!r}")
        return value

    return read


def channel_count(text: str) -> int:
    """The argument type for channels: they are normalised in groups of 8, see `Block`."""
    count = between(8, 1024)(text)
    if count % 8:
        raise argparse.ArgumentTypeError(f"give a multiple of 8, not {text!r}")
    return count


def new_file(text: str) -> Path:
    """The argument type for a file to write: no folder may stand in its place."""
    if (path := Path(text)).is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder. Name a file.")
    return path


def new_folder(text: str) -> Path:
    """The argument type for a folder to write into: no file may stand in its place."""
    if (path := Path(text)).is_file():
        raise argparse.ArgumentTypeError(f"{path} is a file. Name a folder.")
    return path


def add_seed(command: argparse.ArgumentParser) -> None:
    """`--seed`."""
    command.add_argument("--seed", type=between(0, 2**63 - 1), default=0, help="the same seed gives the same result")


def add_out(command: argparse.ArgumentParser, usual: str, kind: Callable = new_file) -> None:
    """`--out`, a file or a folder."""
    command.add_argument("--out", type=kind, default=Path(usual), help="where the result goes")


def add_scenes(command: argparse.ArgumentParser, text: str) -> None:
    """`--scenes`."""
    command.add_argument("--scenes", action="store_true", help=text)


def add_sampling(command: argparse.ArgumentParser) -> None:
    """`--weights`, `--steps` and `--guidance`, which the denoiser's own file decides unless they are given."""
    left_out = argparse.SUPPRESS
    text = "file of the denoiser; one of the shipped ones, unless you name another"
    command.add_argument("--weights", type=Path, default=left_out, help=text)
    text = "how many steps from noise to picture (default: as the denoiser was made for, 50, or 4 if it is distilled)"
    command.add_argument("--steps", type=between(1, 1000), default=left_out, help=text)
    text = "guidance scale; 1 is plain conditional (default: as the denoiser was made for, 2, or 1 if it is distilled)"
    command.add_argument("--guidance", type=between(-20.0, 20.0), default=left_out, help=text)


def sampling(args: argparse.Namespace) -> dict:
    """What `add_sampling` was given, as `sample` takes it."""
    given = {"steps": getattr(args, "steps", None), "guidance_scale": getattr(args, "guidance", None)}
    return {name: value for name, value in given.items() if value is not None}


def bar(*items, **how):
    """A progress bar on standard error."""
    from tqdm import tqdm

    return tqdm(*items, leave=False, **how)
