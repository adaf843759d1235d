"""`distill`: a denoiser that does in a few steps what its teacher does in many."""

import argparse
from functools import partial
from pathlib import Path

from course_lib.commands.options import add_out, add_seed, bar, between

HELP = "Teach a denoiser to do with a few steps and no guidance; until that is done, the runs are kept in runs/."


def options(command: argparse.ArgumentParser) -> None:
    """What `distill` can be told."""
    command.add_argument("--steps", type=int, choices=(8, 4, 2, 1), default=4, help="how many from noise to picture")
    command.add_argument("--guidance", type=between(-20.0, 20.0), default=2.0, help="guidance scale of the teacher")
    command.add_argument("--train-steps", type=between(1, 100_000), default=1000, help="how long to train each stage")
    command.add_argument("--learning-rate", type=between(1e-6, 1.0), default=2e-3, help="the highest of each stage")
    command.add_argument("--resume", action="store_true", help="go on with a distillation that was stopped")
    text = "file of the teacher (default: the shipped denoiser)"
    command.add_argument("--weights", type=Path, default=argparse.SUPPRESS, help=text)
    add_seed(command)
    add_out(command, "runs/few_steps.safetensors")


def run(args: argparse.Namespace) -> None:
    """Halve the steps again and again, and write the last student to --out."""
    from course_lib.beyond.distill import HALVINGS, stages
    from course_lib.commands.runs import saving, whole_steps
    from course_lib.fruit.pictures import training_pictures
    from course_lib.fruit.worlds import FRUIT
    from course_lib.tools.files import DATA
    from course_lib.train import random_batches, train
    from course_lib.weights import shipped, store

    run_files = {steps: Path("runs") / f"{args.out.stem}-{steps}-steps.safetensors" for steps in HALVINGS}
    begun = [file for file in run_files.values() if file.exists()]
    if begun and not args.resume:
        raise ValueError(f"{begun[0]} exists already. Add --resume to go on with it, or choose another --out.")
    if args.resume and not begun:
        raise ValueError(f"There is no {run_files[HALVINGS[0]]} to resume. Leave --resume out to start.")
    path = getattr(args, "weights", DATA / "denoiser.safetensors")
    teacher = shipped.load_denoiser(path)
    if teacher.config["world"] != FRUIT.name:
        raise ValueError(f"{path} was trained on captions of its own, but distilling shows it the fruit.")
    how = {"steps": args.steps, "guidance_scale": args.guidance, "learning_rate": args.learning_rate}
    pictures, seconds = training_pictures(bar=bar), 0.0
    with bar(total=100, bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}") as progress:
        for stage in stages(teacher, seed=args.seed, **how):
            this, run_file = stage.run, run_files[stage.steps]
            if run_file.exists():
                store.load_run(this, run_file)
            # none mirrored: the shipped teacher never saw that
            batches = random_batches(pictures.x0, pictures.tokens, this.generator, flip=False)
            reports = train(this, batches, steps=args.train_steps, levels=stage.levels, loss=stage.loss)
            with saving(partial(store.save_run, this, run_file)) as now_and_then:
                for report in whole_steps(reports):
                    done = HALVINGS.index(stage.steps) + report.done
                    progress.update(100 * done / (HALVINGS.index(args.steps) + 1) - progress.n)
                    progress.set_postfix_str(f"to {stage.steps} steps, loss {report.loss:.4f}", refresh=False)
                    now_and_then()
            seconds += this.seconds
    about = {"seed": args.seed, "train_steps": args.train_steps, "seconds": round(seconds)}
    store.save(this.ema, args.out, **about, command=args.command_line)
    for file in run_files.values():
        file.unlink(missing_ok=True)
    print(f"{args.out}: {args.steps} steps from noise to picture, {seconds:.0f} s of training")
