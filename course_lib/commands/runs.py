"""What `train` and `distill` have in common: a run that can be stopped at any moment, and loses nothing."""

import signal
import time
from collections.abc import Callable, Iterator

from course_lib.train import Report

SAVE_EVERY = 60.0  # seconds of training between two saves of the run


def stoppable(reports: Iterator[Report], save: Callable[[], None]) -> Iterator[Report]:
    """Pass the reports of `train` on, and save every minute, at the end and on Ctrl-C.

    Ctrl-C ends them after the step under way, so that no step is half done. After an error nothing is saved: what was
    saved last is worth more than a spoilt run.
    """
    asked, saved = [], time.monotonic()
    before = signal.signal(signal.SIGINT, lambda *_: asked.append(True))
    try:
        for report in reports:
            yield report
            if asked:
                raise KeyboardInterrupt
            if time.monotonic() - saved > SAVE_EVERY:
                save()
                saved = time.monotonic()
    except KeyboardInterrupt:
        save()
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    save()
