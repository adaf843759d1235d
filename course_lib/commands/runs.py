"""What `train` and `distill` have in common: a run that can be stopped at any moment, and loses nothing."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator

from course_lib.train import Report

SAVE_EVERY = 60.0  # seconds of training between two saves of the run


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
def saving(save: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Save at the end and on Ctrl-C, but not after an error: what was saved last is worth more than a spoilt run.

    Yields a function to call after each step, which saves every minute.
    """
    saved = time.monotonic()

    def now_and_then() -> None:
        nonlocal saved
        if time.monotonic() - saved > SAVE_EVERY:
            save()
            saved = time.monotonic()

    try:
        yield now_and_then
    except KeyboardInterrupt:
        save()
        raise
    save()
