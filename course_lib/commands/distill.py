"""`distill`: a denoiser that does in a few steps what its teacher does in many."""

from functools import partial
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
    path_of,
    say,
)

HELP = "Teach a denoiser to do with a few steps and no guidance; until that is done, the runs are kept in runs/."


def options(command: Parser) -> None:
    """What `distill` can be told."""
    command.add_argument("--steps", type=int, choices=(8, 4, 2, 1), default=4, help="how many from noise to picture")
    ask(command, "--guidance", between(-20.0, 20.0), "guidance scale of the teacher", 2.0)
    ask(command, "--train-steps", between(1, 100_000), "how long to train each stage", 1000)
    ask(command, "--learning-rate", between(1e-6, 1.0), "the highest of each stage", 2e-3)
    ask(command, "--times", between(1, 64), "draw so many times as many pictures to train on", 1)
    flag(command, "--resume", "go on with a distillation that was stopped")
    ask(command, "--weights", path_of, "file of the teacher (default: the shipped denoiser)")
    add_seed(command)
    add_out(command, "runs/few_steps.safetensors")


def run(args: Args) -> None:
    """Halve the steps again and again, and write the last student to --out."""
    from course_lib.tools.runs import claimed

    with claimed(Path("runs") / args.out.stem):  # an empty folder while this works
        distil(args)


def distil(args: Args) -> None:
    """`run`, with run files that nobody else uses."""
    from course_lib.beyond.distill import HALVINGS, stages
    from course_lib.beyond.quick import quick
    from course_lib.fruit.pictures import training_pictures
    from course_lib.fruit.worlds import FRUIT
    from course_lib.tools.files import DATA, checksum
    from course_lib.tools.runs import stoppable
    from course_lib.train import random_batches, train
    from course_lib.weights import shipped, store

    run_files = {steps: Path("runs") / f"{args.out.stem}-{steps}-steps.safetensors" for steps in HALVINGS}
    check_begun(list(run_files.values()), args.resume)
    path = getattr(args, "weights", DATA / "denoiser.safetensors")
    teacher = shipped.load_denoiser(path)
    if teacher.config["world"] != FRUIT.name:
        raise ValueError(f"{path} was trained on captions of its own, but distilling shows it the fruit.")
    taught = {"guidance_scale": args.guidance, "learning_rate": args.learning_rate, "seed": args.seed}
    whose = {"teacher": checksum(teacher.state_dict(), teacher.config), "times": args.times, **taught}
    pictures, seconds = training_pictures(bar=drawing, times=args.times), 0.0
    with bar(total=100, bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}") as progress:
        for stage in stages(teacher, steps=args.steps, **taught):
            this, run_file = stage.run, run_files[stage.steps]
            if run_file.exists():
                store.load_run(this, run_file, **whose)
            # none mirrored: the shipped teacher never saw that
            batches = random_batches(pictures.x0, pictures.tokens, this.generator, flip=False)
            computed, loss = quick(this.model), stage.loss  # the same answers in less time
            how = dict(levels=stage.levels, loss=lambda _, *batch, loss=loss, model=computed: loss(model, *batch))
            reports = train(this, batches, steps=args.train_steps, **how)
            for report in stoppable(reports, partial(store.save_run, this, run_file, **whose)):
                done = HALVINGS.index(stage.steps) + report.done
                progress.update(100 * done / (HALVINGS.index(args.steps) + 1) - progress.n)
                progress.set_postfix_str(f"to {stage.steps} steps, loss {report.loss:.4f}", refresh=False)
            seconds += this.seconds
    about = dict(seed=args.seed, train_steps=args.train_steps, seconds=round(seconds), command=args.command_line)
    store.save(this.ema, args.out, **about)
    for file in run_files.values():
        file.unlink(missing_ok=True)
    say(f"{args.out}: {args.steps} steps from noise to picture, {seconds:.0f} s of training")
