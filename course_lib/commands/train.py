"""`train`: a denoiser of one's own, on the fruit, on scenes, or on a folder of pictures."""

import argparse
import csv
import sys
from pathlib import Path

from course_lib.commands.options import add_out, add_scenes, add_seed, bar, between, channel_count, new_folder

HELP = "Train a denoiser on the fruit, on scenes of one fruit and of two, or on a folder of your own."
LOG_HEAD = ["step", "seconds", "loss", "pictures per second"]


def options(command: argparse.ArgumentParser) -> None:
    """What `train` can be told."""
    left_out = argparse.SUPPRESS
    length = command.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=between(0.01, 10_000.0), default=3.0, help="minutes of training in all")
    length.add_argument("--steps", type=between(1, 10_000_000), default=None, help="or steps in all")
    command.add_argument("--patch", type=int, choices=(2, 4), default=4, help="4 is fast, 2 is crisp")
    text = "on each scale, a multiple of 8 (default: 48 96; with --scenes 48 96 192)"
    command.add_argument("--channels", type=channel_count, nargs="+", default=left_out, help=text)
    text = "the highest of the run (default: 0.002, or with --resume what the run had)"
    command.add_argument("--learning-rate", type=between(1e-6, 1.0), default=left_out, help=text)
    command.add_argument("--shuffle-captions", action="store_true", help="the control: captions dealt out at random")
    about = command.add_mutually_exclusive_group()
    about.add_argument("--folder", type=Path, help="train on these pictures, with their captions.csv")
    add_scenes(about, "train on pictures of one fruit and of two, 64 pixels wide")
    text = "never mirror: for letters, left and right in captions, or things that all face one way"
    command.add_argument("--no-flip", action="store_true", help=text)
    command.add_argument("--resume", action="store_true", help="go on with the run in --out")
    add_seed(command)
    add_out(command, "runs/denoiser", new_folder)


def subject(args: argparse.Namespace) -> tuple:
    """What to train on, and a network for it that has not learned anything."""
    from course_lib.beyond.attention import SceneDenoiser
    from course_lib.fruit.pictures import training_pictures
    from course_lib.fruit.scene_pictures import training_scenes
    from course_lib.fruit.worlds import FRUIT, SCENES
    from course_lib.model import Denoiser
    from course_lib.own.folder import open_folder

    shape = {"patch": args.patch} | ({"channels": args.channels} if hasattr(args, "channels") else {})
    if args.scenes:
        return training_scenes(bar=bar), SceneDenoiser(**SCENES.settings(), **shape)
    if not args.folder:
        return training_pictures(bar=bar), Denoiser(**FRUIT.settings(), **shape)
    pictures = open_folder(args.folder, bar=bar)
    for note in pictures.notes:
        print(note, file=sys.stderr)
    return pictures, Denoiser(pictures.vocabulary, **shape)


def logged(path: Path, until: int) -> list[list]:
    """The lines of a log up to a step, without its head; none if there is no log."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [line for line in csv.reader(file) if line and line[0].isdecimal() and int(line[0]) <= until]


def run(args: argparse.Namespace) -> None:
    """Train, keep the run, its log and the average network in --out."""
    run_file, log_file, trained = (args.out / name for name in ("run.safetensors", "log.csv", "denoiser.safetensors"))
    if run_file.exists() and not args.resume:
        raise ValueError(f"{run_file} exists already. Add --resume to go on with it, or choose another --out.")
    if args.resume and not run_file.exists():
        raise ValueError(f"There is no {run_file} to resume. Leave --resume out to start.")

    import torch

    from course_lib.beyond.attention import SceneDenoiser
    from course_lib.commands.runs import saving, whole_steps
    from course_lib.model import Denoiser
    from course_lib.tools.bars import progress
    from course_lib.tools.files import whole_file
    from course_lib.train import Run, random_batches, train
    from course_lib.weights import store

    torch.manual_seed(args.seed)  # the network's first weights
    pictures, network = subject(args)
    if args.resume and trained.exists():
        before = store.load(trained, Denoiser, SceneDenoiser)
        if before.vocabulary != network.vocabulary:
            raise ValueError(
                f"{args.out} holds a run on other captions. Give the --folder or --scenes it was started with."
            )
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
        about = {"seed": args.seed, "steps": this.step, "seconds": round(this.seconds), "command": args.command_line}
        store.save(this.ema, trained, **about)

    length = {"steps": args.steps} if args.steps else {"seconds": 60 * args.minutes}
    flip = not (args.no_flip or args.scenes)  # left and right in the captions of scenes are true
    batches, recent = random_batches(pictures.x0, tokens, this.generator, flip=flip), []
    with saving(save) as now_and_then:
        for report in progress(whole_steps(train(this, batches, **length)), leave=False):
            recent.append(report.loss)
            if report.step % 100 == 0:
                loss, speed = sum(recent) / len(recent), report.pictures_per_second
                log.append([report.step, f"{this.seconds:.1f}", f"{loss:.5f}", f"{speed:.0f}"])
                recent = []
            now_and_then()
    print(f"{trained}: {this.step} steps, {this.seconds:.0f} s of training")
