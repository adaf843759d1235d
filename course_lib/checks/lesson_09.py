"""The exercises of lesson 09: a smoothed curve, where two curves part, a diagnosis, a run that is broken on purpose."""

import functools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, call, check, exercise
from course_lib.classroom import broken
from course_lib.classroom.wording import shown
from course_lib.fruit.pictures import caption_tokens, draw_many, random_fruits
from course_lib.fruit.words import TRAINING_PAIRS

LOSSES = torch.tensor([8.0, 1.0, 6.0, 3.0, 5.0, 2.0, 7.0])
CURVES = {
    "seven losses, the mean over 3": (LOSSES, 3),
    "seven losses, the mean over 2": (LOSSES, 2),
    "seven losses, each alone": (LOSSES, 1),
    "two losses, the mean over 5": (LOSSES[:2], 5),
}


def _windows(losses: Tensor, first: int, end: int) -> Tensor:
    """For each step i the mean of the losses from i + first to before i + end, as far as there are such; else nan."""
    return torch.stack([losses[max(0, i + first) : max(0, i + end)].mean() for i in range(len(losses))])


def _smooth(losses: Tensor, over: int) -> Tensor:
    return _windows(losses, 1 - over, 1)


@exercise(_smooth, CURVES)
def smooth_behind(losses, over):
    """Lesson 09: at each step the mean of so many losses, its own the last; at the beginning, of fewer."""
    n, kept = len(losses), torch.arange(len(losses))
    known = (kept + 1).clamp(max=over)
    return {
        "your curve looks ahead: it averages over steps that come later. End each slice at the step itself.": (
            _windows(losses, -(over // 2), over - over // 2)
        ),
        "your curve looks ahead: each mean begins at its step. It must end there.": _windows(losses, 0, over),
        "the first steps are too low: they have fewer losses to add up, so divide by how many there are.": (
            _smooth(losses, over) * known / over
        ),
        "you have one loss too many: from i - over + 1 to i they are `over`.": _windows(losses, -over, 1),
        "the mean of each step leaves its own loss out.": torch.cat([losses[:1], _windows(losses, -over, 0)[1:]]),
        "that is the mean of all losses so far: forget those that are more than `over` steps old.": (
            _windows(losses, -n, 1)
        ),
        "that is a sum: divide it.": _smooth(losses, over) * known,
        "the curve is as it was: nothing is smoothed.": losses,
    }


HEALTHY = torch.tensor([4.0, 2.0, 1.0, 0.5, 0.4])
PAIRS = {
    "a curve that is twice as high from step 3 on": (torch.tensor([4.1, 2.1, 1.0, 1.0, 0.8]), HEALTHY),
    "a curve that is too low from step 2 on": (torch.tensor([4.0, 2.0, 0.5, 0.2, 0.1]), HEALTHY),
    "the healthy curve itself": (HEALTHY, HEALTHY),
    "a curve with a peak at step 1 that passes": (torch.tensor([4.0, 3.0, 1.0, 0.5, 0.41]), HEALTHY),
    "a curve with a peak at step 1, and apart again at the end": (torch.tensor([4.0, 3.0, 1.0, 0.5, 0.2]), HEALTHY),
    "a curve that lies elsewhere from the first step on": (torch.tensor([8.0, 4.0, 0.5, 0.8, 0.6]), HEALTHY),
    "a curve that is 0.08 too high throughout": (HEALTHY + 0.08, HEALTHY),
    "a curve that is 10.5 % too high throughout": (1.105 * HEALTHY, HEALTHY),
    "a curve that is 9.5 % too low throughout": (0.905 * HEALTHY, HEALTHY),
}


def _stays(apart: Tensor) -> int:
    together = (~apart).nonzero()
    return int(together[-1]) + 1 if len(together) else 0


def _apart(curve: Tensor, healthy: Tensor) -> Tensor:
    return (curve - healthy).abs() > 0.1 * healthy


@exercise(lambda curve, healthy: _stays(_apart(curve, healthy)), PAIRS)
def parting(curve, healthy):
    """Lesson 09: the step from which on a curve stays more than 10 % away from the healthy one."""
    apart = _apart(curve, healthy)
    ever, end = apart.nonzero().flatten().tolist(), _stays(apart)
    return {
        "a peak that passes does not count: the curves must stay apart from there on to the end.": (
            ever[0] if ever else len(curve)
        ),
        "a curve may also lie too low: take the difference without its sign.": _stays(curve - healthy > 0.1 * healthy),
        "more than 0.1 away is not more than 10 % away: compare with 0.1 times the healthy loss.": (
            _stays((curve - healthy).abs() > 0.1)
        ),
        "that is 10 % of the curve: take 10 % of the healthy loss.": _stays((curve - healthy).abs() > 0.1 * curve),
        "that is the last step at which they are together. They part one step later.": end - 1,
        "count steps from 0.": end + 1,
        "that is how many steps they are apart. At which step does that begin?": len(curve) - end,
        "where they are together at the end, give len(curve).": end if end < len(curve) else -1,
    }


def _name(guess):
    """A guess as the causes are written, whatever its capitals and blanks."""
    if not isinstance(guess, str):
        return guess
    return next((cause for cause in broken.FAULTS if cause.casefold().split() == guess.casefold().split()), guess)


@check(Exercise([*broken.in_order().values()]))
def diagnosis(attempt: Sequence) -> str:
    """Lesson 09: the causes of the broken runs A to G, in this order."""
    causes = broken.in_order()
    attempt = attempt.tolist() if isinstance(attempt, np.ndarray) else attempt
    if attempt is ... or (isinstance(attempt, Sequence) and attempt and all(guess is ... for guess in attempt)):
        return UNTOUCHED
    if isinstance(attempt, str) or not isinstance(attempt, Sequence) or len(attempt) != len(causes):
        return f"Not yet: give a list of {len(causes)} causes, for runs {' to '.join([*causes][:: len(causes) - 1])}."
    guesses = dict(zip(causes, map(_name, attempt), strict=True))
    named = {run: guess for run, guess in guesses.items() if guess is not ...}
    for guess in named.values():
        if not isinstance(guess, str) or guess not in broken.FAULTS:  # a guess can be anything
            return f"Not yet: {shown(guess, 60)} is none of the seven causes. They are: {', '.join(broken.FAULTS)}."
    for run, guess in named.items():
        if guess != causes[run]:
            return f"Not yet: run {run} is not {guess!r}. {broken.FAULTS[causes[run]].look}"
    if len(named) < len(causes):
        return f"Not yet: {len(named)} right so far, and {len(causes) - len(named)} still open."
    return RIGHT


SHORT, LAST = 25, 10  # the steps of an experiment, and how many of them are compared
SAME = 0.1  # within 10 %


@functools.cache
def _few() -> tuple[Tensor, Tensor]:
    """Some drawings of the training pairs, and their captions."""
    fruits = random_fruits(TRAINING_PAIRS, 4, seed=73)
    return draw_many(fruits), caption_tokens(fruits)


def _ends_at(fault: broken.Fault) -> float:
    """The mean loss of the last steps of a short run; without end where it diverges."""
    run, losses = broken.start(fault), []
    try:
        for report in broken.practise(run, fault, *_few(), steps=SHORT):
            losses.append(report.loss)
    except ValueError as error:
        if "finite" not in str(error):
            raise
        return torch.inf
    return sum(losses[-LAST:]) / LAST


@functools.cache
def _healthy_end() -> float:
    return _ends_at(broken.HEALTHY)


@check(Exercise([broken.HEALTHY._replace(loss=broken.plain_loss), "below"]))
def broken_run(attempt):
    """Lesson 09: a run with one thing changed, and whether its loss will be above or below the healthy one, or same."""
    if attempt is ...:
        return UNTOUCHED
    if isinstance(attempt, broken.Fault) or not isinstance(attempt, list | tuple) or len(attempt) != 2:
        return "Not yet: give the run and your prediction, as [my_run, my_prediction]."
    fault, said = attempt
    if fault is ... and said is ...:
        return UNTOUCHED
    if not isinstance(fault, broken.Fault):
        return f"Not yet: a run is made like broken.HEALTHY._replace(learning_rate=1e-3), and not {shown(fault, 60)}."
    if not isinstance(said, str) or said.strip().casefold() not in ("above", "below", "same"):
        return f'Not yet: predict first, "above", "below" or "same"; {shown(said, 60)} is none of them.'
    if fault == broken.HEALTHY:
        return "Not yet: that is the healthy run. Change one thing."
    with torch.random.fork_rng(devices=[]):
        ratio = call(_ends_at, (fault,), "the first steps of this run") / _healthy_end()
    here = "above" if ratio > 1 + SAME else "below" if ratio < 1 - SAME else "same"
    told = f"the loss ends at {ratio:.2f} times the healthy one" if ratio < 1000 else "the loss grows without end"
    if here != said.strip().casefold():
        return f'Not yet: {told}: "{here}". Can you say why? Then predict for another change.'
    return RIGHT
