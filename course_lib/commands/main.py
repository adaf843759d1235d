"""The command line: `python -m course_lib draw | generate | train | distill | evaluate | pictures | judge | broken`."""

import argparse
import contextlib
import csv
import functools
import json
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from tqdm import tqdm

from course_lib.beyond.attention import SceneDenoiser
from course_lib.beyond.distill import HALVINGS, stages
from course_lib.captions import encode
from course_lib.classroom import broken, show
from course_lib.fruit import scene_prompts, scenes
from course_lib.fruit.drawing import draw, random_fruit
from course_lib.fruit.pictures import SIZE, training_pictures
from course_lib.fruit.prompts import understand
from course_lib.fruit.scene_pictures import training_scenes
from course_lib.fruit.words import SCENE_VOCABULARY, VOCABULARY
from course_lib.judging import judge, scene_judge
from course_lib.judging.judge import Judge
from course_lib.judging.scene_judge import SceneJudge
from course_lib.model import Denoiser
from course_lib.own.folder import open_folder
from course_lib.sample import sample
from course_lib.tools.files import whole_file
from course_lib.train import Report, Run, train
from course_lib.weights import store as weights

SAVE_EVERY = 60.0  # seconds of training between two saves of the run
SHIPPED, SHIPPED_SCENES = weights.DATA / "denoiser.safetensors", weights.DATA / "scene_denoiser.safetensors"
LOG_HEAD = ["step", "seconds", "loss", "pictures per second"]
WRONG_COLUMNS = 8  # of the sheet of wrong scenes


bar = functools.partial(tqdm, leave=False)  # on standard error


def understand_all(captions: list[str], read: Callable = understand) -> list:
    """What each caption asks for."""
    try:
        return [read(caption) for caption in captions]
    except ValueError as error:
        hint = " A caption of several words needs quotes around it." if len(captions) > 1 else ""
        raise ValueError(f"{error}{hint}") from error


def of_scenes(captions: list[str]) -> bool:
    """Whether captions are for the denoiser of scenes: not all are understood as one fruit, but all as scenes.

    Raises ValueError if neither understands them all, in the words of the one that was meant.
    """
    try:
        understand_all(captions)
        return False
    except ValueError as error:
        try:
            understand_all(captions, scene_prompts.understand)
            return True
        except ValueError as scene_error:
            said = {word for caption in captions for word in caption.casefold().split()}
            meant = said & {*SCENE_VOCABULARY} - set(VOCABULARY)
            raise (scene_error if meant else error) from None


def draw_command(args: argparse.Namespace) -> None:
    """Draw fruits with the renderer that made the training pictures."""
    generator = torch.Generator().manual_seed(args.seed)
    if of_scenes(args.captions):
        asked = understand_all(args.captions, scene_prompts.understand)
        rows = [[(thing["kind"], thing["colour"], thing["size_word"]) for thing in one.things] for one in asked]
        drawn = [scenes.random_scene(generator, row, one.background) for row, one in zip(rows, asked, strict=True)]
        pictures = scenes.draw(drawn, args.size)
    else:
        pictures = draw([random_fruit(generator, **asked) for asked in understand_all(args.captions)], args.size)
    show.save_png(show.grid(pictures), args.out)
    print(args.out)


def sampling(args: argparse.Namespace, model: weights.AnyDenoiser) -> dict:
    """Steps and guidance: as asked for, or as the network was distilled for, or the usual ones."""
    usual = weights.sampling_of(model, steps=args.usual["steps"], guidance_scale=args.usual["guidance"])
    return {
        "steps": getattr(args, "steps", usual["steps"]),
        "guidance_scale": getattr(args, "guidance", usual["guidance_scale"]),
    }


def generate_command(args: argparse.Namespace) -> None:
    """Turn noise into pictures of what the words ask for."""
    if hasattr(args, "weights"):
        model = weights.load_any_denoiser(args.weights)
    else:
        model = weights.load_scene_denoiser() if of_scenes(args.prompts) else weights.load_denoiser()
    prompts = [prompt for prompt in args.prompts for _ in range(args.count)]
    if isinstance(model, SceneDenoiser):
        understand_all(args.prompts, scene_prompts.understand)
        tokens, size = scene_prompts.encode(prompts), scenes.SIZE
    else:
        if model.vocabulary == VOCABULARY:
            understand_all(args.prompts)
        tokens, size = encode(prompts, model.vocabulary), SIZE
    generator = torch.Generator().manual_seed(args.seed)
    options = sampling(args, model) | {"shape": (3, size, size)}
    frames = []
    for frame in bar(sample(model, tokens, generator=generator, **options), total=options["steps"] + 1, unit="step"):
        frames = [*frames, frame] if args.film else [frame]  # only a film needs them all
    if args.film:
        show.save_figure(show.film(frames), args.out)
    else:
        columns = args.count if len(args.prompts) > 1 else None  # a row for each prompt
        show.save_png(show.grid(frames[-1].x_t, columns), args.out, scale=256 // size)
    print(args.out)


def subject(args: argparse.Namespace) -> tuple:
    """What to train on, the words of its captions, and what makes a network for them."""
    if args.scenes:
        channels = getattr(args, "channels", [48, 96, 192])
        network = functools.partial(SceneDenoiser, patch=args.patch, channels=channels)
        return training_scenes(bar=bar), SCENE_VOCABULARY, network
    network = functools.partial(Denoiser, patch=args.patch, channels=getattr(args, "channels", [48, 96]))
    if not args.folder:
        return training_pictures(bar=bar), VOCABULARY, network
    pictures = open_folder(args.folder, bar=bar)
    for note in pictures.notes:
        print(note, file=sys.stderr)
    return pictures, pictures.vocabulary, functools.partial(network, vocabulary_size=len(pictures.vocabulary))


def whole_steps(reports: Iterator[Report]) -> Iterator[Report]:
    """Pass the reports of `train` on; Ctrl-C ends them after the step under way, so that no step is half done."""
    asked = []
    before = signal.signal(signal.SIGINT, lambda *_: asked.append(True))
    try:
        for report in reports:
            yield report
            if asked:
                raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def saving(save: Callable[[], None]) -> Iterator[None]:
    """Save at the end and on Ctrl-C, but not after an error: what was saved last is worth more than a spoilt run."""
    try:
        yield
    except KeyboardInterrupt:
        save()
        raise
    save()


def logged(path: Path, until: int) -> list[list]:
    """The lines of a log up to a step, without its head; none if there is no log."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [line for line in csv.reader(file) if line and line[0].isdecimal() and int(line[0]) <= until]


def train_command(args: argparse.Namespace) -> None:
    """Train a denoiser on the fruit, on scenes of one fruit and of two, or on a folder of your own."""
    run_file, log_file, trained = (args.out / name for name in ("run.safetensors", "log.csv", "denoiser.safetensors"))
    if run_file.exists() and not args.resume:
        raise ValueError(f"{run_file} exists already. Add --resume to go on with it, or choose another --out.")
    if args.resume and not run_file.exists():
        raise ValueError(f"There is no {run_file} to resume. Leave --resume out to start.")
    pictures, vocabulary, network = subject(args)
    if args.resume and trained.exists() and weights.load_any_denoiser(trained).vocabulary != vocabulary:
        raise ValueError(
            f"{args.out} holds a run on other captions. Give the --folder or --scenes it was started with."
        )
    tokens = pictures.tokens
    if args.shuffle_captions:  # the control: every picture gets the captions of another one
        tokens = tokens[torch.randperm(len(tokens), generator=torch.Generator().manual_seed(args.seed))]
    torch.manual_seed(args.seed)  # the network's first weights
    run = Run(network(), seed=args.seed)
    if args.resume:
        run.load(run_file)
    run.learning_rate = getattr(args, "learning_rate", run.learning_rate)
    log = logged(log_file, run.step) if args.resume else []

    def save() -> None:
        run.save(run_file)
        with whole_file(log_file) as temporary, temporary.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([LOG_HEAD, *log])
        about = {"seed": args.seed, "steps": run.step, "seconds": round(run.seconds), "command": args.command_line}
        weights.save(run.ema, trained, vocabulary=vocabulary, **about)

    length = {"steps": args.steps} if args.steps else {"seconds": 60 * args.minutes}
    flip = not (args.no_flip or args.scenes)  # left and right in the captions of scenes are true
    recent, saved = [], time.monotonic()
    reports = whole_steps(train(run, pictures.x0, tokens, flip=flip, **length))
    with saving(save):
        for report in show.progress(reports, leave=False):
            recent.append(report.loss)
            if report.step % 100 == 0:
                loss, speed = sum(recent) / len(recent), report.pictures_per_second
                log.append([report.step, f"{run.seconds:.1f}", f"{loss:.5f}", f"{speed:.0f}"])
                recent = []
            if time.monotonic() - saved > SAVE_EVERY:
                save()
                saved = time.monotonic()
    print(f"{trained}: {run.step} steps, {run.seconds:.0f} s of training")


def distill_command(args: argparse.Namespace) -> None:
    """Teach a denoiser to do with a few steps and no guidance; until that is done, the runs are kept in runs/."""
    run_files = {steps: Path("runs") / f"{args.out.stem}-{steps}-steps.safetensors" for steps in HALVINGS}
    begun = [file for file in run_files.values() if file.exists()]
    if begun and not args.resume:
        raise ValueError(f"{begun[0]} exists already. Add --resume to go on with it, or choose another --out.")
    if args.resume and not begun:
        raise ValueError(f"There is no {run_files[HALVINGS[0]]} to resume. Leave --resume out to start.")
    teacher = weights.load_denoiser(args.weights)
    if teacher.vocabulary != VOCABULARY:
        raise ValueError(f"{args.weights} was trained on captions of its own, but distilling shows it the fruit.")
    options = {"steps": args.steps, "guidance_scale": args.guidance, "learning_rate": args.learning_rate}
    pictures, seconds, saved = training_pictures(bar=bar), 0.0, time.monotonic()
    with bar(total=100, bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}") as progress:
        for stage in stages(teacher, seed=args.seed, **options):
            run, run_file = stage.run, run_files[stage.steps]
            if run_file.exists():
                run.load(run_file)
            # none mirrored: the shipped teacher never saw that
            reports = train(run, pictures.x0, pictures.tokens, steps=args.train_steps, flip=False, loss=stage.loss)
            with saving(functools.partial(run.save, run_file)):
                for report in whole_steps(reports):
                    done = HALVINGS.index(stage.steps) + report.done
                    progress.update(100 * done / (HALVINGS.index(args.steps) + 1) - progress.n)
                    progress.set_postfix_str(f"to {stage.steps} steps, loss {report.loss:.4f}", refresh=False)
                    if time.monotonic() - saved > SAVE_EVERY:
                        run.save(run_file)
                        saved = time.monotonic()
            seconds += run.seconds
    about = {"seed": args.seed, "train_steps": args.train_steps, "seconds": round(seconds)}
    weights.save(run.ema, args.out, **about, command=args.command_line)
    for file in run_files.values():
        file.unlink(missing_ok=True)
    print(f"{args.out}: {args.steps} steps from noise to picture, {seconds:.0f} s of training")


def evaluate_command(args: argparse.Namespace) -> None:
    """Generate every pair of kind and colour, or scenes, and have the judge count what is right."""
    if args.scenes:
        evaluate_scenes(args)
        return
    path = getattr(args, "weights", SHIPPED)
    model = weights.load_denoiser(path)
    if model.vocabulary != VOCABULARY:
        raise ValueError(f"{path} was trained on captions of its own, but the judge knows only the fruit.")
    options = dict(per_pair=args.per_pair, seed=args.seed, bar=bar) | sampling(args, model)
    scores = judge.evaluate(model, weights.load_judge(), **options)
    if args.json:
        print(json.dumps({name: score.as_dict() for name, score in scores.items()}))
        return
    for name, score in scores.items():
        low, high = score.interval
        print(f"{name:14}{score.right:5} of {score.of:5} right, 95 % interval {100 * low:.1f} % to {100 * high:.1f} %")


def evaluate_scenes(args: argparse.Namespace) -> None:
    """Generate scenes of every sort and have their judge count what is right."""
    model = weights.load_scene_denoiser(getattr(args, "weights", SHIPPED_SCENES))
    options = dict(count=args.per_group, seed=args.seed, bar=bar) | sampling(args, model)
    answers = scene_judge.evaluate(model, weights.load_scene_judge(), **options)
    if args.wrong:
        show_wrong(answers, args.wrong)
    scores = {group: scene_judge.score(answer.verdicts) for group, answer in answers.items()}
    if args.json:
        told = {group: {name: one.as_dict() for name, one in named.items()} for group, named in scores.items()}
        print(json.dumps(told))
        return
    for group, named in scores.items():
        for name, one in named.items():
            low, high = one.interval
            share = f"95 % interval {100 * low:.1f} % to {100 * high:.1f} %"
            print(f"{group:16}{name:12}{one.right:5} of {one.of:5}, {share}")


def show_wrong(answers: dict[str, scene_judge.Answer], path: Path) -> None:
    """A sheet of the scenes that are not right, the swapped first; what each should be goes to standard error."""
    every = [one for answer in answers.values() for one in zip(*answer, strict=True)]
    wrong = [(caption, x, verdict) for caption, x, verdict in every if not verdict.all_right]
    wrong.sort(key=lambda one: not one[2].swapped)
    if wrong:
        show.save_png(show.grid(torch.stack([x for _, x, _ in wrong]), WRONG_COLUMNS), path, scale=2)
    for i, (caption, _, verdict) in enumerate(wrong):
        row, place = divmod(i, WRONG_COLUMNS)
        print(f"row {row + 1}, place {place + 1}: {caption}{' (swapped)' * verdict.swapped}", file=sys.stderr)


def pictures_command(args: argparse.Namespace) -> None:
    """Draw the training pictures, unless they are there already."""
    pictures = training_scenes(bar=bar) if args.scenes else training_pictures(bar=bar)
    print(f"{len(pictures.x0)} training pictures are ready")


def judge_command(args: argparse.Namespace) -> None:
    """Train the judge and say how often it is right about fresh drawings."""
    torch.manual_seed(args.seed)
    its, network = (scene_judge, SceneJudge()) if args.scenes else (judge, Judge())
    for _ in bar(its.train_judge(network, steps=args.steps, seed=args.seed, bar=bar), total=args.steps):
        pass
    found = its.score_drawings(network.eval(), bar=bar)
    if args.scenes:
        fresh = {name: score.as_dict() for name, score in found.items()}
        right, what = found["all right"], "everything"
    else:
        fresh, right, what = found.as_dict(), found, "kind and colour"
    weights.save(network, args.out, seed=args.seed, steps=args.steps, command=args.command_line, fresh=fresh)
    print(f"{args.out}: {right.right} of {right.of} fresh drawings right in {what}")


def broken_command(args: argparse.Namespace) -> None:
    """Train the broken runs of lesson 07: each one a network trained or sampled with one fault."""
    pictures = training_pictures(bar=bar)
    broken.make(args.out, pictures.x0, pictures.tokens, steps=args.steps, seed=args.seed, bar=bar)
    print(f"{args.out}: a healthy run and {len(broken.FAULTS)} broken ones, {args.steps} steps each")


def between(low, high):
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


SHARED = {  # what several commands take
    "steps": (between(1, 1000), "how many steps from noise to picture"),
    "guidance": (between(-20.0, 20.0), "guidance scale; 1 is plain conditional"),
    "seed": (between(0, 2**63 - 1), "the same seed gives the same result"),
    "weights": (Path, "file of the denoiser; one of the shipped ones, unless you name another"),
    "out": (Path, "where the result goes"),
}


def add_command(commands, name: str, function: Callable, usual: dict | None = None, **defaults):
    """A command, with those of the shared arguments that have a default or a usual value here."""
    about = dict(help=function.__doc__, description=function.__doc__)
    sub = commands.add_parser(name, formatter_class=argparse.ArgumentDefaultsHelpFormatter, **about)
    sub.set_defaults(function=function, usual=usual)
    for argument, (kind, text) in SHARED.items():
        if argument in defaults:
            sub.add_argument(f"--{argument}", type=kind, help=text, default=defaults[argument])
        elif usual and argument in usual:
            text += f" (default: {usual[argument]}; a distilled denoiser has its own)"
            sub.add_argument(f"--{argument}", type=kind, help=text, default=argparse.SUPPRESS)
    return sub


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    main = argparse.ArgumentParser(
        prog="python -m course_lib",
        description="From noise to a green banana: draw, generate, train, evaluate.",
    )
    command = functools.partial(add_command, main.add_subparsers(required=True, metavar="command"))

    def add_scenes(sub, text):
        sub.add_argument("--scenes", action="store_true", help=text)

    by_words = argparse.SUPPRESS  # left out: the shipped denoiser that the words, or --scenes, ask for
    usual = dict(steps=100, guidance=2.0)

    sub = command("draw", draw_command, seed=0, out=Path("drawing.png"))
    sub.add_argument("captions", nargs="+", metavar="caption", help='what to draw, such as "a red apple"')
    sub.add_argument("--size", type=between(8, 1024), default=256, help="side of the picture in pixels")

    sub = command("generate", generate_command, usual, seed=0, weights=by_words, out=Path("generated.png"))
    sub.add_argument("prompts", nargs="+", metavar="prompt", help='what to generate, such as "a green banana"')
    sub.add_argument("--count", type=between(1, 1000), default=1, help="how many pictures of each prompt")
    sub.add_argument("--film", action="store_true", help="show the steps of the first picture instead")

    sub = command("train", train_command, seed=0, out=Path("runs/denoiser"))
    length = sub.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=between(0.01, 10_000.0), default=3.0, help="minutes of training in all")
    length.add_argument("--steps", type=between(1, 10_000_000), default=None, help="or steps in all")
    sub.add_argument("--patch", type=int, choices=(2, 4), default=4, help="4 is fast, 2 is crisp")
    text = "on each scale, a multiple of 8 (default: 48 96; with --scenes 48 96 192)"
    sub.add_argument("--channels", type=channel_count, nargs="+", default=argparse.SUPPRESS, help=text)
    text = "the highest of the run (default: 0.002, or with --resume what the run had)"
    sub.add_argument("--learning-rate", type=between(1e-6, 1.0), default=argparse.SUPPRESS, help=text)
    sub.add_argument("--shuffle-captions", action="store_true", help="the control: captions dealt out at random")
    about = sub.add_mutually_exclusive_group()
    about.add_argument("--folder", type=Path, help="train on these pictures, with their captions.csv")
    add_scenes(about, "train on pictures of one fruit and of two, 64 pixels wide")
    text = "never mirror: for letters, left and right in captions, or things that all face one way"
    sub.add_argument("--no-flip", action="store_true", help=text)
    sub.add_argument("--resume", action="store_true", help="go on with the run in --out")

    sub = command("distill", distill_command, seed=0, weights=SHIPPED, out=Path("runs/few_steps.safetensors"))
    sub.add_argument("--steps", type=int, choices=HALVINGS, default=4, help="how many steps from noise to picture")
    sub.add_argument("--guidance", type=between(-20.0, 20.0), default=2.0, help="guidance scale of the teacher")
    sub.add_argument("--train-steps", type=between(1, 100_000), default=1000, help="how long to train each stage")
    sub.add_argument("--learning-rate", type=between(1e-6, 1.0), default=2e-3, help="the highest of each stage")
    sub.add_argument("--resume", action="store_true", help="go on with a distillation that was stopped")

    sub = command("evaluate", evaluate_command, usual | dict(steps=50), seed=0, weights=by_words)
    sub.add_argument("--per-pair", type=between(1, 10_000), default=32, help="pictures for each held-out pair")
    sub.add_argument("--json", action="store_true", help="print one JSON object")
    add_scenes(sub, "evaluate a denoiser of scenes")
    sub.add_argument("--per-group", type=between(1, 10_000), default=192, help="with --scenes: how many of each group")
    sub.add_argument("--wrong", type=Path, help="with --scenes: where to put a sheet of those that are not right")

    add_scenes(command("pictures", pictures_command), "those of one fruit and of two")

    sub = command("judge", judge_command, seed=0, out=Path("runs/judge.safetensors"))
    sub.add_argument("--steps", type=between(1, 100_000), default=3000, help="how long to train")
    add_scenes(sub, "train the judge of scenes")

    sub = command("broken", broken_command, seed=0, out=Path("runs/broken.safetensors"))
    sub.add_argument("--steps", type=between(1, 100_000), default=broken.STEPS, help="how long to train each")
    return main


def check_results(args: argparse.Namespace) -> None:
    """Refuse, before the work begins, a folder where a file is to be written, and the other way round."""
    for option in ("out", "wrong"):
        path, folder = getattr(args, option, None), args.function is train_command
        if path and folder and path.is_file():
            raise ValueError(f"--{option} {path} is a file. Name a folder.")
        if path and not folder and path.is_dir():
            raise ValueError(f"--{option} {path} is a folder. Name a file.")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if it went well, 2 with one line on standard error if the input was bad."""
    arguments = sys.argv[1:] if arguments is None else arguments
    args = parser().parse_args(arguments)
    args.command_line = shlex.join(["python", "-m", "course_lib", *arguments])
    try:
        check_results(args)
        args.function(args)
    except (ValueError, OSError) as error:
        print(f"python -m course_lib: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
