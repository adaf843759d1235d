#!/usr/bin/env bash
# A version pinned on one Python 3.11 cannot be installed on another Python 3.11, and pip blames the other packages.
#
# Seen with soupsieve 4.1.2, which nbconvert 7.17.2 needs through beautifulsoup4 4.15.0, and pip 26.3, November 2026.
# Expected: wheels ask for a minor version of Python, so pins made on 3.11.7 serve every 3.11, Debian 12's 3.11.2 too.
# Found: soupsieve asks for 3.11.5 or newer. On 3.11.2 the pinned set ends in ResolutionImpossible, whose text names
#        beautifulsoup4 and the constraint, and says "no matching distributions available for your environment", but
#        not Python. An older pip backtracks for minutes first. Resolve pins for the oldest patch release that you
#        promise: pip install --dry-run --only-binary=:all: --target x --python-version 3.11.0 ...
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip() { "$folder/venv/bin/python" -m pip --disable-pip-version-check "$@"; }
pip install --quiet pip==26.3
printf 'soupsieve==4.1.2\nbeautifulsoup4==4.15.0\nnbconvert==7.17.2\n' > "$folder/pins.txt"

resolved() {  # for a Python of this version, without installing anything
    pip install --dry-run --only-binary=:all: --target "$folder/x" --python-version "$1" -c "$folder/pins.txt" nbconvert
}

resolved 3.11.5 > "$folder/newer.txt" 2>&1
grep --only-matching 'soupsieve-4.1.2' "$folder/newer.txt" | head -n 1
if resolved 3.11.2 > "$folder/older.txt" 2>&1; then
    echo "changed: the set can be installed on 3.11.2"; exit 1
fi
grep -E '^    beautifulsoup4|\(constraint\)|no matching|ResolutionImpossible' "$folder/older.txt"
! grep -iE 'requires-python|requires? python|different python' "$folder/older.txt" || { echo "changed: pip names Python"; exit 1; }
