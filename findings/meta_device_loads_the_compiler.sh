#!/usr/bin/env bash
# Building a module on PyTorch's meta device, to learn its shapes without memory, loads the whole compiler.
#
# Seen with torch 2.13.0 (CPU build), Python 3.11, November 2026.
# Expected: `with torch.device("meta")` is the cheap way to a module's shapes: no memory, no numbers, no work.
# Found: the first random initialiser on it (nn.Embedding's normal_) imports torch._dynamo, sympy and some 700 modules
#        more, for a second and more, where building the same module for real takes milliseconds. So a program that
#        checks a file's shapes this way starts later than one that just builds the network. Counting parameters in
#        torch.nn.modules.module.register_module_parameter_registration_hook stops a module that is too large before
#        its memory is touched, and loads nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy

cat > "$folder/seen.py" <<'PY'
import sys
import time

import torch


def build(device):
    began, before = time.perf_counter(), len(sys.modules)
    with torch.device(device):
        torch.nn.Embedding(1000, 64)
    return time.perf_counter() - began, len(sys.modules) - before


compiler = ("torch._dynamo", "sympy")
real, loaded_by_real = build("cpu")
assert not any(name in sys.modules for name in compiler), "importing torch loads it already"
meta, loaded_by_meta = build("meta")
again, _ = build("meta")
print(f"torch {torch.__version__}")
print(f"for real: {1000 * real:7.1f} ms, {loaded_by_real} modules loaded")
print(f"on meta:  {1000 * meta:7.1f} ms, {loaded_by_meta} modules loaded; again {1000 * again:.1f} ms")
assert all(name in sys.modules for name in compiler), "changed: the meta device no longer loads the compiler"
assert loaded_by_meta > 300 and loaded_by_real < 50, "changed: fewer modules than seen"
PY
"$folder/venv/bin/python" "$folder/seen.py"
