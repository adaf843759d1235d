"""The command line: `python -m course_lib draw | generate | read | train | distill | ...`.

Each command says in a file of its own what it can be told (`options`) and what it does (`run`), and loads torch only
once it has work for it.
"""

import argparse
import contextlib
import os
import shlex
import signal
import sys
from typing import TextIO

from course_lib.commands import broken, distill, draw, evaluate, export, generate, judge, pictures, read, train
from course_lib.commands.options import Parser, check_writable, note
from course_lib.tools.runs import Stopped, on_signals

COMMANDS = (draw, generate, read, train, distill, evaluate, export, pictures, judge, broken)

EXTRAS = dict.fromkeys(("onnx", "onnxscript", "onnxruntime"), "export")  # what brings a package; else `classroom` does
BAD_INPUT = (ValueError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


def parser() -> Parser:
    """The commands and their arguments."""
    main = Parser(
        prog="python -m course_lib", description="From noise to a green banana: draw, generate, train, evaluate."
    )
    commands = main.add_subparsers(required=True, metavar="command")
    for module in COMMANDS:
        about = dict(help=module.HELP, description=module.HELP)
        name = module.__name__.rpartition(".")[2]
        command = commands.add_parser(name, formatter_class=argparse.ArgumentDefaultsHelpFormatter, **about)
        command.set_defaults(run=module.run)
        module.options(command)
    return main


def main(arguments: list[str] | None = None) -> int:
    """Run one command, or show what commands there are. Returns the status that the program ends with.

    0 if it went well. After anything else one line stands on standard error: 2 if the input was bad, 1 if the machine
    failed, such as a full disk, and 128 + the number of the signal if one ended it.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as `2>&-` does
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        with contextlib.suppress(AttributeError):  # a terminal that lacks a letter shows another way to write it
            getattr(sys, name).reconfigure(errors="backslashreplace")
    try:
        with contextlib.redirect_stderr(Heedless(sys.stderr)):
            return _stoppable(sys.argv[1:] if arguments is None else arguments)
    finally:
        _silence_if_unread(sys.stdout)
        _silence_if_unread(sys.stderr)


def _stoppable(arguments: list[str]) -> int:
    """`_run`, which signals may end."""
    asked = []  # once is enough: what comes after it must not stop the stopping

    def stop(number: int, frame: object) -> None:
        if not asked:
            asked.append(number)
            raise Stopped(number)

    with on_signals(stop):
        try:
            return _run(arguments)
        except KeyboardInterrupt as error:
            asked.append(True)
            note(f"stopped. {error.how}" if isinstance(error, Stopped) and error.how else "stopped")
            return 128 + getattr(error, "number", signal.SIGINT)


def _run(arguments: list[str]) -> int:
    """`main`, in words on standard error and a status."""
    try:
        try:
            args = parser().parse_args(arguments or ["--help"])
            args.command_line = shlex.join(["python", "-m", "course_lib", *arguments])
            for option in {"out", "wrong"} & {*vars(args)}:
                check_writable(getattr(args, option))
            args.run(args)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # who read our output has seen enough, as `| head` does
        return 141
    except ModuleNotFoundError as error:
        needs = f"pip install 'course-lib[{EXTRAS.get(error.name, 'classroom')}]' brings it."
        note(f"python -m course_lib: this needs {error.name}, which is not installed; {needs}")
        return 2
    except (ValueError, OSError) as error:
        note(f"python -m course_lib: {error}")
        return 2 if isinstance(error, BAD_INPUT) else 1
    return 0


class Heedless:
    """A stream for what is said beside the work: bars and notes, which must not end it when nobody can read them."""

    def __init__(self, stream: TextIO):
        self.stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self.stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


def _silence_if_unread(stream: TextIO) -> None:
    """Let go of what nobody can read any more; Python would fail on it once more at its end."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
