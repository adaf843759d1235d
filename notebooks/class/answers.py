"""Runs one student's answers; grade.py starts it in a sandbox, gives the job to it and reads a line for each exercise.

The job is JSON: the lesson's number, a limit of memory, and for each exercise its cells (id, source, whether it is
the student's), its check and what the check is called with. Results are lines of JSON, each written once it is known,
so that what was reached stays when a submission ends the process. What answers print goes nowhere.
"""

import importlib
import json
import os
import resource
import sys
from collections.abc import Callable

from IPython.core.interactiveshell import InteractiveShell


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
    lesson = importlib.import_module(f"course_lib.checks.lesson_{job['lesson']}")
    checks = {one["check"]: getattr(lesson, one["check"]) for one in job["exercises"]}  # before anything of theirs runs
    shell, done = InteractiveShell.instance(), set()
    for exercise in job["exercises"]:
        say(begin=exercise["check"])
        say(exercise=exercise["check"], **grade(exercise, checks[exercise["check"]], shell, done))
    os._exit(0)  # without the threads that an answer may have left running


if __name__ == "__main__":
    main()
