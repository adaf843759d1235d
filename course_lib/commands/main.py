"""The command line: `python -m course_lib draw | generate | read | train | distill | ...`.

Each command says in a file of its own what it can be told (`options`) and what it does (`run`), and loads torch only
once it has work for it.
"""

import argparse
import contextlib
import os
import shlex
import sys

from course_lib.commands import broken, distill, draw, evaluate, generate, judge, pictures, read, train

COMMANDS = (draw, generate, read, train, distill, evaluate, pictures, judge, broken)


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    main = argparse.ArgumentParser(
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
    """Run one command; 0 if it went well, 2 with one line on standard error if the input was bad."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a letter shows another way to write it
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            args = parser().parse_args(arguments)
            args.command_line = shlex.join(["python", "-m", "course_lib", *arguments])
            args.run(args)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # who read our output has seen enough, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except ModuleNotFoundError as error:
        needs = "pip install 'course-lib[classroom]' brings it."
        print(f"python -m course_lib: this needs {error.name}, which is not installed; {needs}", file=sys.stderr)
        return 2
    except (ValueError, OSError) as error:
        print(f"python -m course_lib: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0
