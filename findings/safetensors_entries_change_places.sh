#!/usr/bin/env bash
# The same tensors and the same metadata, saved twice with safetensors, are not the same bytes once there are two entries.
#
# Seen with safetensors 0.8.0, numpy 2.4.6, Python 3.11, November 2026.
# Expected: tensors are sorted in the header, so a file is a pure function of what is saved, and its checksum can be
#        published, compared after a rebuild, or kept as a key of a cache.
# Found: the header's `__metadata__` is written in the order of a hash map with a seed of its own in each call. One entry
#        gives one file; with six entries, forty saves of the same in one process give many different files, all of one
#        length, and all open to equal contents. So whoever wants files that can be made again byte by byte keeps one
#        entry, and puts the rest inside it as JSON.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6

cat > "$folder/seen.py" <<'PY'
import hashlib

import numpy as np
import safetensors
from safetensors.numpy import load, save

tensors = {"weight": np.arange(12, dtype=np.float32)}


def files(entries):
    metadata = {f"entry {i}": str(i) for i in range(entries)}
    saved = [save(tensors, metadata=metadata) for _ in range(40)]
    assert all((load(file)["weight"] == tensors["weight"]).all() for file in saved)
    return len({hashlib.sha256(file).hexdigest() for file in saved}), len({len(file) for file in saved})


print(f"safetensors {safetensors.__version__}")
for entries in (0, 1, 2, 6):
    different, lengths = files(entries)
    print(f"{entries} entries: {different} different files of {lengths} length in 40 saves")
    if entries < 2:
        assert different == 1, "changed: a single entry is no longer written alike"
    assert lengths == 1
assert different > 10, "changed: several entries are written in one order now"
PY
"$folder/venv/bin/python" "$folder/seen.py"
