"""`python -m course_lib`: hands over to the command line."""

import sys

from course_lib.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
