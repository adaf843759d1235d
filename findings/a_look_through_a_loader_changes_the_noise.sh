#!/usr/bin/env bash
# Going once through a DataLoader that shuffles nothing, and has no workers, changes PyTorch's random numbers after it.
#
# Seen with torch 2.13.0 (CPU build), Python 3.11, November 2026.
# Expected: with shuffle=False and num_workers=0 nothing is left to chance, so a pass over the validation pictures leaves
#        the training behind it as it was: the same noise, the same network from the same seed.
# Found: each pass draws a seed for workers that it does not have, one number of the global generator. From the first
#        validation on, noise, levels and dropout are others, and so is the network; a run that validates every hundred
#        steps cannot be compared, seed for seed, with one that never does. So also where a Sampler or batches of one's
#        own are given. A generator of its own for the loader (generator=torch.Generator()) leaves the global one alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy

cat > "$folder/noise.py" <<'PY'
import sys

import torch
from torch.utils.data import DataLoader, TensorDataset

pictures = TensorDataset(torch.zeros(8, 3))


def noise_after(*loaders):
    torch.manual_seed(0)
    for loader in loaders:
        assert len(list(loader)) == 2
    return torch.randn(1).item()


plain = lambda: DataLoader(pictures, batch_size=4, shuffle=False, num_workers=0)
ordered = DataLoader(pictures, batch_sampler=[[0, 1, 2, 3], [4, 5, 6, 7]])
own = DataLoader(pictures, batch_size=4, shuffle=False, num_workers=0, generator=torch.Generator())
found = {
    "no pass": noise_after(),
    "one pass": noise_after(plain()),
    "two passes": noise_after(plain(), plain()),
    "batches of one's own": noise_after(ordered),
    "a generator of its own": noise_after(own),
}
for what, number in found.items():
    print(f"the noise after {what}: {number:.4f}")
none, one, two, given, kept = found.values()
sys.exit(not (none == kept and len({none, one, two}) == 3 and given == one))
PY
"$folder/venv/bin/python" "$folder/noise.py" || { echo "This has changed." >&2; exit 1; }
