"""`python -m course_lib`: hands over to the command line."""

import signal
import sys

from course_lib.commands.main import main
from course_lib.tools.runs import ENDING

if __name__ == "__main__":
    status = main()
    for name in ENDING:  # it is over: who asks once more for the end gets it without a traceback
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    sys.exit(status)
