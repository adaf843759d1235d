"""`train`: a denoiser of one's own, on the fruit, on scenes, or on a folder of pictures."""

import csv
import sys
from argparse import SUPPRESS, ArgumentTypeError, BooleanOptionalAction
from pathlib import Path

from course_lib.commands.options import (
    Args,
    Parser,
    add_out,
    add_seed,
    ask,
    bar,
    between,
    check_begun,
    drawing,
    flag,
    given,
)

HELP = "Train a denoiser on the fruit, on scenes of one fruit and of two, or on a folder of your own."
LOG_HEAD = ["step", "seconds", "loss", "pictures per second"]


def channel_count(text: str) -> int:
    """The argument type for channels: they are normalised in groups of 8, see `Block`."""
    count = between(8, 1024)(text)
    if count % 8:
        raise ArgumentTypeError(f"give a multiple of 8, not {text!r}")
    return count


def new_folder(text: str) -> Path:
    """The argument type for a folder to write into: no file may stand in its place."""
    if (path := Path(text)).is_file():
        raise ArgumentTypeError(f"{path} is a file. Name a folder.")
    return path


def options(command: Parser) -> None:
    """What `train` can be told."""
    length = command.add_mutually_exclusive_group()
    ask(length, "--minutes", between(0.01, 10_000.0), "minutes of training in all", 3.0)
    ask(length, "--steps", between(1, 10_000_000), "or steps in all", None)
    command.add_argument("--patch", type=int, choices=(2, 4), default=4, help="4 is fast, 2 is crisp")
    text = "on each scale, a multiple of 8 (default: 48 96; with --scenes 48 96 192)"
    command.add_argument("--channels", type=channel_count, nargs="+", default=SUPPRESS, help=text)
    text = "the highest of the run (default: 0.002, or with --resume what the run had)"
    ask(command, "--learning-rate", between(1e-6, 1.0), text)
    flag(command, "--shuffle-captions", "the control: captions dealt out at random")
    about = command.add_mutually_exclusive_group()
    ask(about, "--folder", Path, "train on these pictures, with their captions.csv", None)
    flag(about, "--scenes", "train on pictures of one fruit and of two, 64 pixels wide")
    text = "mirror every second picture: twice as many, where left and right look alike (default: no)"
    command.add_argument("--flip", action=BooleanOptionalAction, default=False, help=text)
    flag(command, "--resume", "go on with the run in --out")
    add_seed(command)
    add_out(command, "runs/denoiser", new_folder)


def subject(args: Args) -> tuple:
    """What to train on, and a network for it that has not learned anything."""
    from course_lib.beyond.attention import SceneDenoiser
    from course_lib.fruit.pictures import training_pictures
    from course_lib.fruit.scene_pictures import training_scenes
    from course_lib.fruit.worlds import FRUIT, SCENES
    from course_lib.model import Denoiser
    from course_lib.own.folder import open_folder

    shape = given(args, patch="patch", channels="channels")
    if args.scenes:
        return training_scenes(bar=drawing), SceneDenoiser(**SCENES.settings(), **shape)
    if not args.folder:
        return training_pictures(bar=drawing), Denoiser(**FRUIT.settings(), **shape)
    pictures = open_folder(args.folder, bar=bar)
    for note in pictures.notes:
        print(note, file=sys.stderr)
    return pictures, Denoiser(pictures.vocabulary, max_words=pictures.tokens.shape[1], **shape)


def logged(path: Path, until: int) -> list[list]:
    """The lines of a log up to a step, without its head; none if there is no log."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [line for line in csv.reader(file) if line and line[0].isdecimal() and int(line[0]) <= until]


def run(args: Args) -> None:
    """Train, keep the run, its log and the average network in --out."""
    run_file, log_file, trained = (args.out / name for name in ("run.safetensors", "log.csv", "denoiser.safetensors"))
    check_begun([run_file], args.resume)
    if args.flip and args.scenes:
        raise ValueError("Captions of scenes say left and right, and a mirror makes them false. Leave out --flip.")

    import torch

    from course_lib.beyond.attention import SceneDenoiser
    from course_lib.commands.runs import stoppable
    from course_lib.model import Denoiser
    from course_lib.own.folder import changed_words
    from course_lib.tools.bars import progress
    from course_lib.tools.files import whole_file
    from course_lib.train import Run, random_batches, train
    from course_lib.weights import store

    torch.manual_seed(args.seed)  # the network's first weights
    pictures, network = subject(args)
    if args.resume and trained.exists():
        before = store.load(trained, Denoiser, SceneDenoiser)
        if before.vocabulary != network.vocabulary:
            same = args.folder and not before.config["world"]
            why = "Give the --folder or --scenes it was started with."
            why = changed_words(before.vocabulary, network.vocabulary) if same else why
            raise ValueError(f"{args.out} holds a run on other captions. {why}")
    tokens = pictures.tokens
    if args.shuffle_captions:  # the control: every picture gets the captions of another one
        tokens = tokens[torch.randperm(len(tokens), generator=torch.Generator().manual_seed(args.seed))]
    this = Run(network, seed=args.seed)
    if args.resume:
        store.load_run(this, run_file)
    this.learning_rate = getattr(args, "learning_rate", this.learning_rate)
    log = logged(log_file, this.step) if args.resume else []

    def save() -> None:
        store.save_run(this, run_file)
        with whole_file(log_file) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([LOG_HEAD, *log])
        about = dict(seed=args.seed, steps=this.step, seconds=round(this.seconds), command=args.command_line)
        store.save(this.ema, trained, **about)

    length = {"steps": args.steps} if args.steps else {"seconds": 60 * args.minutes}
    batches, recent = random_batches(pictures.x0, tokens, this.generator, flip=args.flip), []
    for report in progress(stoppable(train(this, batches, **length), save), leave=False):
        recent.append(report.loss)
        if report.step % 100 == 0:
            loss, speed = sum(recent) / len(recent), report.pictures_per_second
            log.append([report.step, f"{this.seconds:.1f}", f"{loss:.5f}", f"{speed:.0f}"])
            recent = []
    print(f"{trained}: {this.step} steps, {this.seconds:.0f} s of training")
