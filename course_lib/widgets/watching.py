"""Training with a figure that grows while one looks on."""

import time
from collections.abc import Iterable, Sequence
from weakref import WeakKeyDictionary

import torch
from IPython.display import display

from course_lib.captions import MAX_WORDS, null_tokens
from course_lib.classroom import show
from course_lib.model import encode_for
from course_lib.noise import Pictures, Tokens
from course_lib.sample import generate
from course_lib.train import Report, Run, train
from course_lib.widgets.panel import check_words

SAMPLING_STEPS = 8  # few, so that a look costs little
HISTORY: WeakKeyDictionary[Run, list[Report]] = WeakKeyDictionary()  # what `watch` has seen of each run


def watch(
    run: Run,
    batches: Iterable[tuple[Pictures, Tokens]],
    *,
    prompts: Sequence[str] | None = None,
    pause: float = 1.0,
    every: float = 5.0,
    seed: int = 0,
    **options,
) -> list[Report]:
    """Train and look on. Stop the cell when you like: nothing is lost, and running it again goes on from there.

    Every few seconds one figure is redrawn: the loss, and pictures that `run.ema` makes of the same noise each time.
    The time this takes does not count as training. The last figure stays in the saved notebook.

    Args:
        prompts: captions for the pictures, in the model's words; None makes eight without a caption.
        pause: rest once this share of the run is done; the next call goes on.
        every: seconds from one figure to the next.
        options: for `train`, as are run and batches; raises as that does.

    Returns:
        The reports of the steps so far of this run that were watched, earlier calls included.
    """
    if prompts is None:
        asked = null_tokens(8, getattr(run.model, "config", {}).get("max_words", MAX_WORDS))
    else:
        check_words(run.model)
        asked = encode_for(run.model, prompts)
    reports = HISTORY.setdefault(run, [])
    reports[:] = [report for report in reports if report.step <= run.step]  # an earlier state may have been loaded
    before, handle, drawn = run.step, None, -float("inf")

    def look() -> None:
        nonlocal handle, drawn
        how = dict(steps=SAMPLING_STEPS, guidance_scale=1.0 if prompts is None else 2.0)
        pictures = generate(run.ema, asked, generator=torch.Generator().manual_seed(seed), **how)
        losses, seen = [report.loss for report in reports], [report.step for report in reports]
        figure = show.training(losses, pictures, f"after {run.step} steps", steps=seen)
        if handle is None:
            handle = display(figure, display_id=True)
        else:
            handle.update(figure)
        drawn = time.perf_counter()

    try:
        resting = pause < 1 and share(run, **options) >= pause
        for report in () if resting else show.progress(train(run, batches, **options)):
            reports.append(report)
            if report.done >= pause:
                break
            if time.perf_counter() - drawn >= every:
                look()
        look()
    except KeyboardInterrupt:
        print(f"Stopped after {run.step} steps. The run is kept: run this cell again, and it goes on from there.")
        return list(reports)
    if (done := share(run, **options)) < 1:
        print(f"Resting after {run.step} steps, {done:.0%} of the run. The next call goes on from there.")
    elif run.step == before:
        print(f"This run is already finished, after {run.step} steps. For another one, make a new Run.")
    return list(reports)


def share(run: Run, steps: int | None = None, seconds: float | None = None, **others) -> float:
    """The share of a run that is done, if `train` is given these options; 0 for a length that it would refuse."""
    done, of = (run.step, steps) if steps else (run.seconds, seconds)
    return done / of if isinstance(of, int | float) and of > 0 else 0.0
