"""What commands that work long have in common: they can be stopped at any moment, and lose nothing. Needs no torch."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # Windows has none
    fcntl = None

if TYPE_CHECKING:
    from course_lib.train import Report

FIRST_SAVE, SAVE_EVERY = 15.0, 60.0  # seconds of training before the first save of a run, and between two
ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # Ctrl-C, `kill`, a closed terminal, and Windows' Ctrl-Break


class Stopped(KeyboardInterrupt):
    """A command was asked to end, by the signal of this number; `how` says how to go on."""

    def __init__(self, number: int = signal.SIGINT, how: str = ""):
        super().__init__(number, how)
        self.number, self.how = number, how


@contextlib.contextmanager
def on_signals(do: Callable[[int, object], None]) -> Iterator[None]:
    """Have the signals that end a program call `do`; one that is ignored, as by `nohup`, stays so.

    Python gives signals to the main thread only: in any other, nothing is changed.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in ENDING if hasattr(signal, name)):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, do)
    try:
        yield
    finally:
        for number, done_before in before.items():
            signal.signal(number, done_before)


def stoppable(reports: Iterator[Report], save: Callable[[], None]) -> Iterator[Report]:
    """Pass the reports of `train` on, and save after 15 s, every minute, at the end, and when a signal asks to end.

    A signal ends them after the step under way, so that no step is half done, and none ends a save. After an error
    nothing is saved: what was saved last is worth more than a spoilt run. Raises OSError if a save fails.
    """

    def keep() -> None:
        try:
            save()
        except OSError as error:
            kept = "What was saved before is whole, and --resume goes on there."
            raise OSError(f"The run could not be saved ({error}). {kept}") from error

    asked, due = [], time.monotonic() + FIRST_SAVE
    with on_signals(lambda number, frame: asked.append(number)):
        try:
            for report in reports:
                yield report
                if asked:
                    raise Stopped(asked[0])
                if time.monotonic() > due:
                    keep()
                    due = time.monotonic() + SAVE_EVERY
        except KeyboardInterrupt as error:
            keep()
            how = "All that was done is kept: the same command with --resume goes on."
            raise Stopped(getattr(error, "number", signal.SIGINT), how) from error
        keep()


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Have a folder to oneself, made if it is missing, and gone again if nothing was put there.

    Raises ValueError where another process has it. The operating system holds the claim, so that it ends with the
    process, in whatever way that ends.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    claim = None
    try:
        claim = _claim(folder)
        yield
    finally:
        if claim is not None:
            os.close(claim)
        with contextlib.suppress(OSError):  # not empty
            for path in new:
                path.rmdir()


def remove_unfinished(folder: Path, *stems: str) -> None:
    """Remove what a process that was killed left of such files, and of what safetensors begins under names of its own.

    For who has the folder to itself: a file that is being written looks the same.
    """
    left = re.compile(rf"\.(?:{'|'.join(stems)})-[0-9a-f]{{8}}\.\w+|\.tmp\w{{6}}")
    for path in folder.glob(".*"):
        if left.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def _claim(folder: Path) -> int | None:
    """The open file that holds the claim; None where the folder lies on a drive that knows no locks."""
    handle = None
    try:
        if fcntl is None:  # a file that only one can make, and that Windows removes with its handle
            return os.open(folder / ".in-use", os.O_CREAT | os.O_EXCL | os.O_TEMPORARY)
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return handle
    except OSError as error:
        if handle is not None:
            os.close(handle)
        if isinstance(error, (BlockingIOError, FileExistsError)) or fcntl is None:
            said = f"Another process is training in {folder}. Let it end first, or choose another --out."
            raise ValueError(said) from error
        return None
