#!/usr/bin/env bash
# nbgrader calls alembic by its bare name; without it on the PATH the first run fails, and the second passes for good.
#
# Seen with nbgrader 0.9.6 on Python 3.11, November 2026.
# Expected: venv/bin/nbgrader does from outside the activated environment what it does inside, as console scripts do, or
#        it fails every time.
# Found: the first `generate_assignment` ends with "No such file or directory: 'alembic'", but by then gradebook.db has
#        all its tables; so the same command, given again, makes the release and ends with 0. The gradebook never got
#        its version: it works until the day of `nbgrader db upgrade`, which then fails, even with alembic on the PATH.
#        Activate the environment, or put its bin folder on the PATH; after one such failure delete gradebook.db.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet nbgrader==0.9.6
mkdir -p "$folder/course/source/ps1" "$folder/bare"
cd "$folder/course"
echo 'c = get_config(); c.CourseDirectory.course_id = "course"' > nbgrader_config.py
"$folder/venv/bin/python" - <<'PYTHON'
import nbformat
from nbformat import v4

nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("1 + 1")]), "source/ps1/problem.ipynb")
PYTHON

nbgrader="$folder/venv/bin/nbgrader"
first=0; PATH="$folder/bare:/usr/bin:/bin" "$nbgrader" generate_assignment ps1 > first.log 2>&1 || first=$?
second=0; PATH="$folder/bare:/usr/bin:/bin" "$nbgrader" generate_assignment ps1 > second.log 2>&1 || second=$?
versions=$("$folder/venv/bin/python" - <<'PYTHON'
import sqlite3

names = [name for (name,) in sqlite3.connect("gradebook.db").execute("SELECT name FROM sqlite_master")]
print(names.count("alembic_version"))
PYTHON
)
upgrade=0; PATH="$folder/venv/bin:$PATH" "$nbgrader" db upgrade > upgrade.log 2>&1 || upgrade=$?
mv gradebook.db old.db && rm -r release
whole=0; PATH="$folder/venv/bin:$PATH" "$nbgrader" generate_assignment ps1 > whole.log 2>&1 || whole=$?
upgraded=0; PATH="$folder/venv/bin:$PATH" "$nbgrader" db upgrade > upgraded.log 2>&1 || upgraded=$?

echo "alembic not on the PATH: first run $first, second run $second; tables with a version: $versions; db upgrade: $upgrade"
echo "alembic on the PATH: run $whole; db upgrade: $upgraded"
[ "$first$second$versions$upgrade$whole$upgraded" = 100100 ] && grep -q "'alembic'" first.log || { echo "changed" >&2; exit 1; }
