#!/usr/bin/env bash
# A program that is killed while safetensors saves leaves a hidden file of full size, and no later save removes it.
#
# Seen with safetensors 0.8.0, numpy 2.4.6, Python 3.11, November 2026.
# Expected: save_file writes to the name that it is given, so a kill leaves at worst one broken file there, which the next
#        save replaces; or it begins in the system's folder for temporary files.
# Found: it writes .tmp and six letters beside the target, and renames that. So what was there stays whole, which is
#        good. But a run on a machine that is taken away now and then leaves one such file each time that this hits a save,
#        as large as the checkpoint, in the folder of checkpoints. Rules such as "keep the last three" look for
#        *.safetensors and see none of them, `ls` shows none, and the disk fills. Remove .tmp?????? when a run takes its
#        folder up again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6

cat > "$folder/save.py" <<'PY'
import sys

import numpy as np
from safetensors.numpy import save_file

weights = {"w": np.zeros(int(sys.argv[1]), np.float32)}
print("saving", flush=True)
save_file(weights, "checkpoints/last.safetensors")
PY

cat > "$folder/seen.py" <<'PY'
import subprocess
import sys
import time
from pathlib import Path

checkpoints = Path("checkpoints")
checkpoints.mkdir()
for _ in range(3):
    before = set(checkpoints.iterdir())
    run = subprocess.Popen([sys.executable, "save.py", "100000000"], stdout=subprocess.PIPE)
    while run.poll() is None and set(checkpoints.iterdir()) <= before:
        time.sleep(0.001)
    run.kill()
    run.wait()
subprocess.run([sys.executable, "save.py", "1000"], check=True, stdout=subprocess.DEVNULL)

hidden = [path for path in checkpoints.iterdir() if path.name.startswith(".tmp")]
print("by *.safetensors:", [path.name for path in checkpoints.glob("*.safetensors")])
print("hidden, after three kills and one good save:", len(hidden), "files")
print("the largest:", max((path.stat().st_size for path in hidden), default=0) // 10**6, "MB")
sys.exit(0 if hidden else "changed: nothing is left")
PY
cd "$folder"
venv/bin/python seen.py
