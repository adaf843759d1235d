"""What the options of several commands have in common. Imports no torch: `--help` answers at once."""

import argparse
import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from course_lib.fruit.reader import printable

Args = argparse.Namespace
STILLS = (".png", ".jpg", ".jpeg", ".webp")  # the endings of files that hold one picture

LONGEST = 4000  # characters of a note


class Parser(argparse.ArgumentParser):
    """What reads a command line, and refuses a bad one in words that a terminal can show."""

    def error(self, message: str) -> None:
        super().error(visible(message))


def visible(text: str) -> str:
    """Text without anything that a terminal would act on; where it is a list, its lines stay lines.

    People, files and networks from elsewhere have their words in our messages: names, captions, vocabularies.
    """
    return "\n- ".join(map(printable, text.split("\n- ")))


def say(text: str) -> None:
    """A result, on standard output."""
    print(visible(text))


def note(text: str) -> None:
    """A word beside the result, on standard error, of bounded length."""
    print(visible(text if len(text) <= LONGEST else text[:LONGEST] + "…"), file=sys.stderr)


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


def new_file(text: str) -> Path:
    """The argument type for a file to write: no folder may stand in its place."""
    if os.path.isdir(path := path_of(text)):
        raise argparse.ArgumentTypeError(f"{text} is a folder. Name a file.")
    return path


def path_of(text: str) -> Path:
    """The argument type for a file or folder; a shell leaves the tilde of `--out=~/picture.png` as it is."""
    with contextlib.suppress(RuntimeError):  # nobody's home
        return Path(text).expanduser()
    return Path(text)


def check_ending(path: Path, endings: Sequence[str] = STILLS, what: str = "A picture") -> None:
    """Refuse, with a ValueError, a file whose ending names none of these formats."""
    if path.suffix.lower() not in endings and path != Path(os.devnull):
        *most, last = endings
        raise ValueError(f"{what} can be a file that ends in {', '.join(most)} or {last}, not {path}.")


def check_writable(path: Path) -> None:
    """Refuse, with a ValueError, a file or folder that could not be written. Done before the work; leaves no trace."""
    place = Path(os.path.realpath(path))
    if place == Path(os.devnull):
        return
    try:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISDIR(mode := place.stat().st_mode) and not stat.S_ISREG(mode):
                raise ValueError(f"{path} is a pipe or a device, and only a file can be written whole. Name a file.")
        folder = next(folder for folder in (place, *place.parents) if os.path.isdir(folder))
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from error


def ask(command, name: str, kind: Callable, text: str, default=argparse.SUPPRESS) -> None:
    """An option with a value, on a command or a group; without a default, `given` tells whether it was given."""
    command.add_argument(name, type=kind, default=default, help=text)


def flag(command, name: str, text: str, default=False) -> None:
    """An option without a value, on a command or a group."""
    command.add_argument(name, action="store_true", default=default, help=text)


def given(args: Args, **names: str) -> dict:
    """The options that were given, each under the name that a function has for it: given(args, count="per_group")."""
    return {name: getattr(args, option) for name, option in names.items() if hasattr(args, option)}


def check_begun(files: Sequence[Path], resume: bool) -> None:
    """Refuse, with a ValueError, to begin what was begun before, and to resume what was not."""
    begun = [file for file in files if file.exists()]
    if begun and not resume:
        raise ValueError(f"{begun[0]} exists already. Add --resume to go on with it, or choose another --out.")
    if resume and not begun:
        raise ValueError(f"There is no {files[0]} to resume. Leave --resume out to start.")


def list_words(command: Parser) -> None:
    """At the end of a command's help, all that its prompts can ask for."""
    from course_lib.fruit.words import BACKGROUNDS, COLOURS, KINDS, SCENE_BACKGROUNDS, SIZES

    of_two = [hue for hue in SCENE_BACKGROUNDS if hue not in BACKGROUNDS]
    command.epilog = (
        f"A prompt asks for one fruit or two ({', '.join(KINDS)}), {' or '.join(filter(None, SIZES))}, in a colour "
        f"({', '.join(COLOURS)}), on {', '.join(BACKGROUNDS)}, or, by the network of scenes, {' or '.join(of_two)}. "
        "What you type is read as that, or refused with the reason."
    )


def add_seed(command: Parser, default=0) -> None:
    """`--seed`."""
    text = "the same seed gives the same result" + " (default: 0)" * (default is argparse.SUPPRESS)
    ask(command, "--seed", between(0, 2**63 - 1), text, default)


def add_out(command: Parser, usual: str, kind: Callable = new_file) -> None:
    """`--out`, a file or a folder."""
    ask(command, "--out", kind, "where the result goes", Path(usual))


def add_sampling(command: Parser) -> None:
    """`--weights`, `--steps` and `--guidance`, which the denoiser's own file decides unless they are given."""
    ask(command, "--weights", path_of, "file of the denoiser; one of the shipped ones, unless you name another")
    text = "how many steps from noise to picture (default: as the denoiser was made for, 50, or 4 if it is distilled)"
    ask(command, "--steps", between(1, 1000), text)
    text = "guidance scale, at all noise levels; 1 is plain conditional (default: as the denoiser was made for)"
    ask(command, "--guidance", between(-20.0, 20.0), text)


def drawing(items):
    """The bar of pictures that are drawn before what was asked for can begin; refuses where they cannot be kept."""
    from course_lib.tools.files import DRAWN

    check_writable(DRAWN)
    return bar(items, desc="drawing the training pictures")


def bar(*items, **how):
    """A progress bar on standard error."""
    from tqdm import tqdm

    return tqdm(*items, leave=False, **how)


def tell(readings: Sequence) -> None:
    """Say on standard error what prompts were understood as, where that is not what was typed."""
    for reading in readings:
        if reading.differs:
            note(reading.note)
