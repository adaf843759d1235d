"""Runs one student's answers; grade.py starts it in a sandbox, gives the job to it and reads a line for each exercise.

The job is JSON: the lesson's number, a limit of memory, and for each exercise its cells (id, source, whether it is
the student's), its check and what the check is called with. Results are lines of JSON, each written once it is known,
so that what was reached stays when a submission ends the process. What answers print goes nowhere.
"""

import ctypes
import errno
import importlib
import json
import os
import platform
import resource
import struct
import sys
from collections.abc import Callable

from IPython.core.interactiveshell import InteractiveShell

# What makes a process, on processors we know: their number in linux/audit.h, then those of clone and of all forks.
PROCESSORS = {"x86_64": (0xC000003E, 56, (57, 58)), "aarch64": (0xC00000B7, 220, ())}
CLONE3, OTHER_CALLS, THREAD = 435, 0x40000000, 0x10000  # from there on x86 counts its calls anew; a flag of clone
LOAD, EQUAL, AT_LEAST, HAS, ANSWER = 0x20, 0x15, 0x35, 0x45, 0x06  # of the filter's language, see linux/filter.h
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x50000, 0x80000000


def no_processes() -> None:
    """From now on this process starts threads, but no process: Linux says EAGAIN, as if there were too many.

    The rules are a filter of system calls, see seccomp(2). On a processor that we do not know there are none.
    """
    if platform.machine() not in PROCESSORS:
        return
    processor, clone, forks = PROCESSORS[platform.machine()]
    missing, refused = REFUSE | errno.ENOSYS, REFUSE | errno.EAGAIN
    rules = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, processor), (ANSWER, 0, 0, KILL), (LOAD, 0, 0, 0)]
    for test, number, answer in (
        (AT_LEAST, OTHER_CALLS, missing),
        (EQUAL, CLONE3, missing),  # its flags cannot be read from here; libraries then take clone
        *((EQUAL, fork, refused) for fork in forks),
    ):
        rules += [(test, 0, 1, number), (ANSWER, 0, 0, answer)]
    rules += [(EQUAL, 1, 0, clone), (ANSWER, 0, 0, ALLOW), (LOAD, 0, 0, 16), (HAS, 1, 0, THREAD)]
    rules += [(ANSWER, 0, 0, refused), (ANSWER, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    program = ctypes.create_string_buffer(struct.pack("HP", len(rules), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    no_more_rights, add_filter = (38, 1, 0, 0, 0), (22, 2, program)
    if libc.prctl(*no_more_rights) or libc.prctl(*add_filter):
        raise OSError(ctypes.get_errno(), "Linux takes no filter of system calls")


def stopped(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def grade(exercise: dict, check: Callable, shell: InteractiveShell, done: set[str]) -> dict:
    """Run the cells that an exercise needs and that are not done, then its check: {"passed", "sentence", "reason"}."""
    reason = ""
    for id, source, own in exercise["cells"]:
        if id not in done:
            done.add(id)
            result = shell.run_cell(source, silent=True)
            if error := result.error_before_exec or result.error_in_exec:
                whose = f"the answer's cell {id}" if own else f"the lesson's cell {id}"
                reason = f"{whose} stops with {stopped(error)}"
    try:
        result = check(eval(exercise["attempt"], shell.user_ns))
        return {"passed": result.passed is True, "sentence": str(result.sentence), "reason": reason}
    except BaseException as error:  # a learner's `raise KeyboardInterrupt`, too
        return {"passed": False, "sentence": "", "reason": reason or f"the check stops with {stopped(error)}"}


def main() -> None:
    job = json.load(sys.stdin)
    lines, nowhere = os.fdopen(os.dup(1), "w", encoding="utf-8"), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1), os.dup2(nowhere, 2)

    def say(**line) -> None:
        print(json.dumps(line), file=lines, flush=True)

    resource.setrlimit(resource.RLIMIT_DATA, (job["bytes"],) * 2)
    no_processes()
    lesson = importlib.import_module(f"course_lib.checks.lesson_{job['lesson']}")
    checks = {one["check"]: getattr(lesson, one["check"]) for one in job["exercises"]}  # before anything of theirs runs
    shell, done = InteractiveShell.instance(), set()
    for exercise in job["exercises"]:
        say(begin=exercise["check"])
        say(exercise=exercise["check"], **grade(exercise, checks[exercise["check"]], shell, done))
    os._exit(0)  # without the threads that an answer may have left running


if __name__ == "__main__":
    main()
