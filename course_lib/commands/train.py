"""`train`: a denoiser of one's own, on the fruit, on scenes, or on a folder of pictures."""

from __future__ import annotations

import csv
import os
from argparse import SUPPRESS, ArgumentTypeError, BooleanOptionalAction
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.commands.options import (
    Args,
    Parser,
    add_out,
    add_seed,
    ask,
    bar,
    between,
    check_begun,
    check_ending,
    check_writable,
    drawing,
    flag,
    given,
    new_file,
    note,
    path_of,
    say,
)

if TYPE_CHECKING:
    from course_lib.tools.pixels import Bytes

HELP = "Train a denoiser on the fruit, on scenes of one fruit and of two, or on a folder of your own."
LOG_HEAD = ["step", "seconds", "loss", "pictures per second"]
# What --resume keeps, and what a new run has unless it is given; None: as the network or --scenes has it.
USUAL = {
    "seed": 0,
    "patch": None,
    "channels": None,
    "shuffle_captions": False,
    "folder": None,
    "skip_bad": False,
    "size": 32,
    "fit": "crop",
    "scenes": False,
    "enlarge": False,
    "flip": False,
    "times": 1,
    "guide_above": 0.0,
    "batch_size": 64,
    "precision": "float32",  # a new run asks the processor; earlier ones did not say
}
OF_A_FOLDER = ("sheet", "skip_bad", "size", "fit")
SHEET = 64  # pictures on a sheet at most
LARGE = {"channels": (48, 96, 192)}  # a network for larger pictures has a scale more
NOT_ENLARGING = ("patch", "shuffle_captions", "flip", "times", "guide_above")


def channel_count(text: str) -> int:
    """The argument type for channels: they are normalised in groups of 8, see `Block`."""
    channels = between(8, 1024)(text)
    if channels % 8:
        raise ArgumentTypeError(f"give a multiple of 8, not {text!r}")
    return channels


def new_folder(text: str) -> Path:
    """The argument type for a folder to write into: no file may stand in its place."""
    if os.path.isfile(path := path_of(text)):
        raise ArgumentTypeError(f"{text} is a file. Name a folder.")
    return path


def options(command: Parser) -> None:
    """What `train` can be told. No option has a default here: `settings` must know which of them were given."""
    length = command.add_mutually_exclusive_group()
    ask(length, "--minutes", between(0.01, 10_000.0), "minutes of training in all (default: 3)")
    ask(length, "--steps", between(1, 10_000_000), "or steps in all")
    text = "4 is fast, 2 is crisp, 8 is for large pictures (default: 4, or 8 with --size 128)"
    command.add_argument("--patch", type=int, choices=(2, 4, 8), default=SUPPRESS, help=text)
    text = "on each scale, a multiple of 8 (default: 48 96, or 48 96 192 with --scenes or --size 64 and 128)"
    command.add_argument("--channels", type=channel_count, nargs="+", default=SUPPRESS, help=text)
    text = "the highest of the run (default: 0.002, or with --resume what the run had)"
    ask(command, "--learning-rate", between(1e-6, 1.0), text)
    flag(command, "--shuffle-captions", "the control: captions dealt out at random", SUPPRESS)
    about = command.add_mutually_exclusive_group()
    ask(about, "--folder", path_of, "train on these pictures, with captions.csv or what else says what they show")
    flag(about, "--scenes", "train on pictures of one fruit and of two, 64 pixels wide", SUPPRESS)
    flag(about, "--enlarge", "train what makes 128 pixels of 32, instead of a denoiser", SUPPRESS)
    flag(command, "--skip-bad", "with --folder: leave out what cannot be used, instead of a list to mend", SUPPRESS)
    text = "with --folder: the side of the pictures, in pixels (default: 32)"
    command.add_argument("--size", type=int, choices=(32, 64, 128), default=SUPPRESS, help=text)
    text = "with --folder: cut a square out of each picture, or keep all of it and add white (default: crop)"
    command.add_argument("--fit", choices=("crop", "pad"), default=SUPPRESS, help=text)
    ask(command, "--sheet", new_file, "with --folder: where to put a sheet of the pictures as the network sees them")
    text = "mirror every second picture: twice as many, where left and right look alike (default: no)"
    command.add_argument("--flip", action=BooleanOptionalAction, default=SUPPRESS, help=text)
    text = "draw so many times as many pictures to train on (default: 1)"
    ask(command, "--times", between(1, 64), text)
    text = "when it is asked, use guidance only above this noise level (default: 0, at all of them)"
    ask(command, "--guide-above", between(0.0, 0.99), text)
    ask(command, "--batch-size", between(1, 4096), "pictures for each step (default: 64)")
    text = "of convolutions and matrix products (default: bfloat16 where the processor has instructions for it)"
    command.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto", help=text)
    flag(command, "--resume", "go on with the run in --out, with all the settings that it was begun with")
    add_seed(command, SUPPRESS)
    add_out(command, "runs/denoiser", new_folder)


def settings(asked: dict, begun: dict, out: Path) -> dict:
    """All settings of a run: those asked for, else those that it was begun with, else the usual.

    Raises ValueError where what is asked for is not what it was begun with.
    """
    if "folder" in asked:
        asked = asked | {"folder": str(asked["folder"].resolve())}
        if begun.get("folder") and not Path(begun["folder"]).exists():  # it was moved, or has another name now
            begun = begun | {"folder": asked["folder"]}
    for name in asked.keys() & begun.keys():
        if asked[name] != begun[name]:
            was, wanted = (spelled(name, value) for value in (begun[name], asked[name]))
            raise ValueError(
                f"The run in {out} was begun {was}, and cannot go on {wanted}. "
                "Leave that out, or choose another --out for a new run."
            )
    return USUAL | begun | asked


def check_together(asked: dict, kept: dict) -> None:
    """Refuse, with a ValueError, settings that make no sense together: none is ignored in silence."""
    if not kept["folder"] and (odd := [f"--{name.replace('_', '-')}" for name in OF_A_FOLDER if name in asked]):
        raise ValueError(f"Only pictures of your own need that. Add --folder, or leave out {' and '.join(odd)}.")
    if "sheet" in asked and asked["sheet"].resolve().is_relative_to(Path(kept["folder"]).resolve()):
        raise ValueError("A sheet among your pictures would be one of them. Put it outside the folder, with --sheet.")
    if kept["flip"] and kept["scenes"]:
        raise ValueError("Captions of scenes say left and right, and a mirror makes them false. Leave out --flip.")
    if kept["folder"] and kept["times"] > 1:
        raise ValueError("A folder has the pictures that are in it, and no more can be drawn. Leave out --times.")
    if kept["enlarge"]:
        if odd := [f"--{name.replace('_', '-')}" for name in NOT_ENLARGING if name in asked]:
            why = "What enlarges learns from drawings of its own, without captions, by a network of another build."
            raise ValueError(f"{why} Leave out {' and '.join(odd)}.")
        if kept["batch_size"] < 16:
            raise ValueError("With --enlarge every fourth batch is a quarter as large. Give --batch-size 16 or more.")


def spelled(name: str, value: object) -> str:
    """A setting as the command line has it: "with --channels 48 96", "without --scenes"."""
    option = f"--{name.replace('_', '-')}"
    if value is None or value is False:
        return f"without {option}"
    words = [] if value is True else value if isinstance(value, list) else [value]
    return " ".join(["with", option, *map(str, words)])


def subject(kept: dict, sheet: Path | None = None) -> tuple:
    """What to train: a network that has not learned anything; its batches, as a function of a generator; how else.

    The last are options of `train`. sheet: where a sheet of the pictures of a folder goes.
    """
    import torch

    from course_lib.beyond.attention import SceneDenoiser
    from course_lib.beyond.distill import dealt_levels
    from course_lib.beyond.enlarge import Enlarger, enlarging_batches, large_pictures
    from course_lib.fruit.pictures import training_pictures
    from course_lib.fruit.scene_pictures import training_scenes
    from course_lib.fruit.worlds import FRUIT, SCENES
    from course_lib.model import Denoiser
    from course_lib.own.folder import open_bytes
    from course_lib.train import random_batches

    shape = {name: kept[name] for name in ("patch", "channels") if kept[name] is not None}
    drawn, guided = dict(bar=drawing, times=kept["times"]), dict(guidance_interval=(kept["guide_above"], 1.0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(kept["seed"])  # the network's first weights
        if kept["enlarge"]:
            network = Enlarger(**{name: shape[name] for name in shape if name != "patch"})
            levels = partial(dealt_levels, steps=network.config["steps"])  # only those that it will meet
            batches = partial(enlarging_batches, large_pictures(bar=drawing), batch_size=kept["batch_size"])
            return network, batches, dict(levels=levels)
        if kept["scenes"]:
            pictures, network = training_scenes(**drawn), SceneDenoiser(**SCENES.settings(), **shape, **guided)
        elif not kept["folder"]:
            pictures, network = training_pictures(**drawn), Denoiser(**FRUIT.settings(), **shape, **guided)
        else:
            pictures = open_bytes(kept["folder"], kept["size"], bar, kept["skip_bad"], kept["fit"])
            for line in (*pictures.report, *pictures.notes):
                note(line)
            if sheet:
                save_sheet(pictures.x0, sheet)
            shape = {32: {}, 64: LARGE, 128: LARGE | {"patch": 8}}[kept["size"]] | shape | {"size": kept["size"]}
            network = Denoiser(pictures.vocabulary, max_words=pictures.tokens.shape[-1], **shape, **guided)
    tokens = pictures.tokens
    if kept["shuffle_captions"]:  # the control: every picture gets the captions of another one
        tokens = tokens[torch.randperm(len(tokens), generator=torch.Generator().manual_seed(kept["seed"]))]
    how = dict(batch_size=kept["batch_size"], flip=kept["flip"])
    return network, partial(random_batches, pictures.x0, tokens, **how), {}


def save_sheet(x0: Bytes, path: Path) -> None:
    """Write a sheet of the pictures of a folder, of many some from all over it. Whole or not at all."""
    from course_lib.tools.pixels import grid, save_picture

    shown = min(SHEET, len(x0))
    save_picture(grid(x0[[i * len(x0) // shown for i in range(shown)]]), path, scale=2)
    note(f"{path} shows {'all' if shown == len(x0) else shown} of the pictures as the network will see them.")


def how_to_compute(precision: str) -> str:
    """Take the threads that others leave, for all that follows; what is said about them and the precision."""
    import torch

    from course_lib.tools import processor

    left, usual = processor.cores_left(), torch.get_num_threads()
    torch.set_num_threads(threads := processor.threads_beside(left, usual))
    slow = precision == "bfloat16" != processor.precision()
    return (
        f"Computing in {precision}{', slowly: this processor has no instructions for it,' * slow} with {threads} "
        f"thread{'s' * (threads > 1)}{f': other programs leave {left:.1f} cores' * (threads < usual)}."
    )


def check_no_shipped(folder: Path) -> None:
    """Refuse, with a ValueError, to put a run among the files of the course."""
    from course_lib.tools.files import CHECKOUT, DATA, PACKAGE

    shipped, here = [DATA, PACKAGE], folder.resolve()
    if CHECKOUT:
        shipped += [PACKAGE.parent / "notebooks", PACKAGE.parent / "tests"]
    if any(here.is_relative_to(place) for place in shipped) or CHECKOUT and here == PACKAGE.parent:
        raise ValueError(f"{folder} holds files of the course. Choose another --out, such as runs/mine.")


def logged(path: Path, until: float) -> tuple[list[list[str]], bool]:
    """The lines of a log up to a step, without its head, and whether the file holds nothing else.

    A spreadsheet may have saved it: with another mark between the columns, and with commas in its numbers.
    """
    if not path.exists():
        return [], True
    try:
        head, *table = path.read_text(encoding="utf-8-sig").splitlines()
        between = max(",;\t", key=head.count)
        rows = [[cell.replace(",", ".") for cell in row] for row in csv.reader(table, delimiter=between)]
        whole = next(csv.reader([head], delimiter=between)) == LOG_HEAD
    except (ValueError, csv.Error):  # no text, or none at all
        return [], False
    lines = [row for row in rows if _understood(row)]
    return [row for row in lines if int(row[0]) <= until], whole and lines == rows


def _understood(row: list[str]) -> bool:
    try:
        return int(row[0]) > 0 and len([float(cell) for cell in row]) == len(LOG_HEAD)
    except (ValueError, IndexError):
        return False


def put_aside(path: Path) -> None:
    """Give a file a name that no file has yet, and say so."""
    names = (path.with_stem(f"{path.stem}-{number}") for number in count(1))
    aside = path.rename(next(name for name in names if not name.exists()))
    note(f"{path} held more than the log of this run. It is {aside.name} now.")


def run(args: Args) -> None:
    """Train, keep the run, its log and the average network in --out."""
    from course_lib.tools.runs import claimed, remove_unfinished

    check_no_shipped(args.out)
    if hasattr(args, "sheet"):
        check_ending(args.sheet)
        check_writable(args.sheet)
    with claimed(args.out):
        remove_unfinished(args.out, "run", "log", "denoiser", "enlarger")
        check_begun([args.out / "run.safetensors"], args.resume)
        for name, a in (("denoiser", "a denoiser"), ("enlarger", "an enlarger")):
            if (args.out / f"{name}.safetensors").exists() and not args.resume:
                raise ValueError(f"{args.out} holds {a}, but not the run that made it. Choose another --out.")
        train_in(args.out, args)


def train_in(out: Path, args: Args) -> None:
    """`run`, in a folder that nobody else uses."""
    from course_lib.beyond.quick import in_precision, quick
    from course_lib.own.folder import changed_words
    from course_lib.tools.bars import progress
    from course_lib.tools.files import read_tensors, whole_file
    from course_lib.tools.processor import precision
    from course_lib.tools.runs import stoppable
    from course_lib.train import Run, denoising_loss, train
    from course_lib.weights import store

    run_file, log_file = out / "run.safetensors", out / "log.csv"
    begun = read_tensors(run_file)[1].get("about", {}) if args.resume else {}
    asked = given(args, **{name: name for name in USUAL})
    if args.precision == "auto":
        asked |= {"precision": begun.get("precision", "float32") if args.resume else precision()}
    kept = settings(asked, {name: begun[name] for name in USUAL if name in begun}, out)
    length = given(args, minutes="minutes", steps="steps") or begun.get("length") or {"minutes": 3.0}
    sheet = given(args, sheet="sheet")
    check_together(asked | sheet, kept)
    network, batches, how = subject(kept, **sheet)
    trained = out / ("enlarger.safetensors" if kept["enlarge"] else "denoiser.safetensors")
    config = network.config
    if begun.get("vocabulary", config.get("vocabulary")) != config.get("vocabulary"):
        why = changed_words(begun["vocabulary"], network.vocabulary) if kept["folder"] else "Train anew."
        raise ValueError(f"{out} holds a run on other captions. {why}")
    this = Run(network, seed=kept["seed"])
    if args.resume:
        store.load_run(this, run_file)
    if kept["enlarge"]:  # whose batches take turns
        batches = partial(batches, begun=this.step)
    this.learning_rate = getattr(args, "learning_rate", this.learning_rate)
    # a new run puts a log of before aside, but for a head alone, which a run that was killed at its first save leaves
    log, whole = logged(log_file, this.step) if args.resume else ([], logged(log_file, float("inf")) == ([], True))
    about = kept | {name: config.get(name) for name in ("patch", "channels", "vocabulary")} | {"length": length}

    def save() -> None:  # the log first: what it holds beyond the run is left out when the run goes on
        nonlocal whole
        if not whole:
            put_aside(log_file)
            whole = True
        with whole_file(log_file) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([LOG_HEAD, *log])
        store.save_run(this, run_file, **about)
        made = dict(seed=kept["seed"], steps=this.step, seconds=round(this.seconds), command=args.command_line)
        store.save(this.ema, trained, **made)

    until = {"seconds": 60 * length["minutes"]} if "minutes" in length else length
    if this.step >= until.get("steps", float("inf")) or this.seconds >= until.get("seconds", float("inf")):
        done = f"{this.seconds / 60:.3g} minutes, {this.step} steps"
        note(f"The run in {out} has been trained that long already ({done}). Give more with --minutes or --steps.")
    else:
        note(how_to_compute(kept["precision"]))
    computed = in_precision(quick(network), kept["precision"])
    how["loss"] = lambda model, *batch: denoising_loss(computed, *batch)
    recent, reports = [], train(this, batches(generator=this.generator), **until, **how)
    for report in progress(stoppable(reports, save), leave=False):
        recent.append(report.loss)
        if report.step % 100 == 0:
            loss, speed = sum(recent) / len(recent), report.pictures_per_second
            log.append([report.step, f"{this.seconds:.1f}", f"{loss:.5f}", f"{speed:.0f}"])
            recent = []
    say(f"{trained}: {this.step} steps, {this.seconds:.0f} s of training")
