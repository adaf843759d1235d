#!/usr/bin/env bash
# The moving average of a network in bfloat16, by diffusers' EMAModel, never leaves the place where it settled.
#
# Seen with diffusers 0.42.1 and torch 2.13.0 (CPU build), Python 3.11, November 2026.
# Expected: EMAModel keeps its average in float32, or at worst rounds it: with decay 0.999, weights that move from 1 to
#        1.5 pull the average to 1.5 in some thousand updates, as they do in float32.
# Found: the average has the weights' own type. In bfloat16 the step of an update, a thousandth of the difference, is
#        less than half of the gap between neighbouring numbers, and is rounded away, each time. After 20,000 updates the
#        average is where it was, to the last bit, while the loss of the weights themselves looks well. No warning.
#        Average a float32 copy of the weights.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 diffusers==0.42.1 numpy

cat > "$folder/average.py" <<'PY'
import sys

import torch
from diffusers.training_utils import EMAModel

found = {}
for dtype in (torch.float32, torch.bfloat16):
    weights = torch.nn.Linear(4, 4, bias=False).to(dtype)
    with torch.no_grad():
        weights.weight.fill_(1.0)
    average = EMAModel(weights.parameters(), decay=0.999)
    for step in range(40_000):
        if step == 20_000:  # long after its warm-up
            with torch.no_grad():
                weights.weight.fill_(1.5)
        average.step(weights.parameters())
    found[dtype] = average.shadow_params[0].float().mean().item()
    print(f"{dtype}: weights 1.5 for 20,000 updates, their average {found[dtype]:.6f}, kept as {average.shadow_params[0].dtype}")
sys.exit(not (abs(found[torch.float32] - 1.5) < 1e-3 and found[torch.bfloat16] == 1.0))
PY
"$folder/venv/bin/python" "$folder/average.py" || { echo "This has changed." >&2; exit 1; }
