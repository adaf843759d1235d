"""A denoiser as a folder that `diffusers` opens: weights, settings, a scheduler, and one module, without this library.

The module is made of the library's own source, the core first and then `pipeline`, so nothing is written twice.
"""

import ast
import json
import re
import textwrap
from collections import defaultdict
from pathlib import Path

from safetensors.torch import save

from course_lib.beyond.attention import SceneDenoiser
from course_lib.export.to_onnx import sha256
from course_lib.model import Denoiser
from course_lib.tools.files import PACKAGE, whole_file
from course_lib.weights.store import load

SOURCES = ("noise", "captions", "model", "sample", "beyond/attention", "export/pipeline")  # in reading order
ASKED = "a green banana"  # in the example, of those who know the words
MODULE = "course_pipeline"
MODULE_SAYS = '"""A denoiser of the course for `diffusers`: the sources of the course that it needs, in one file."""'
VERSION = "0.32.0"  # of diffusers: the first that takes levels for this scheduler as we give them
SCHEDULER = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 1.0}
CARD = """---
license: mit
library_name: diffusers
pipeline_tag: text-to-image
---

# A small diffusion model, from a course

It turns noise into pictures of what a caption says: {size} x {size} pixels, on a processor, in seconds. It was trained
from scratch with the library of a course on diffusion models, `course_lib`.

## How to use it

```python
import torch
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained("{folder}", trust_remote_code=True)
pictures = pipe("{prompt}", num_images_per_prompt=4, generator=torch.Generator().manual_seed(0)).images
pictures[0].save("picture.png")
```

`trust_remote_code=True` lets `diffusers` run `denoiser/{module}.py`, which lies in this folder: read it first. All it
needs is `torch` and `diffusers` {version} or newer. The same noise gives the pictures of the course's own `sample`.

Unless you say otherwise, a picture takes {steps} steps at guidance scale {guidance_scale:g}. Captions have at most
{max_words} words, of these:

{words}

## What it is

A `{kind}`, which guesses the clean picture x0 from a noisy one on the straight road x_t = (1 - t) x0 + t eps; the
pipeline tells the scheduler the velocity (x_t - x0_hat) / t. Made of `{weights}`, SHA-256 `{sha256}`.

## Licence

Code and weights: MIT, as the course. Copyright (c) 2026 The course authors.
"""


def write_diffusers(weights: str | Path, folder: str | Path) -> list[Path]:
    """Write the denoiser of a file of weights as such a folder; returns its files. Raises as `load`, and OSError.

    All is worked out before the first file is written, and model_index.json, which makes a pipeline of the folder, is
    written last.
    """
    network, folder = load(weights, Denoiser, SceneDenoiser), Path(folder)
    kind, config = type(network).__name__, network.config
    index = {"_class_name": [f"denoiser/{MODULE}", "CoursePipeline"], "_diffusers_version": VERSION}
    index |= {"denoiser": [MODULE, "CourseDenoiser"], "scheduler": ["diffusers", SCHEDULER["_class_name"]]}
    settings = {"_class_name": "CourseDenoiser", "_diffusers_version": VERSION, "kind": kind, "settings": config}
    tensors = {f"network.{name}": tensor.contiguous() for name, tensor in network.state_dict().items()}
    files = {
        "README.md": card(kind, config, Path(weights), folder).encode(),
        f"denoiser/{MODULE}.py": one_module().encode(),
        "denoiser/config.json": as_json(settings),
        "denoiser/diffusion_pytorch_model.safetensors": save(tensors, metadata={"format": "pt"}),
        "scheduler/scheduler_config.json": as_json({**SCHEDULER, "_diffusers_version": VERSION}),
        "model_index.json": as_json(index),
    }
    for name, contents in files.items():
        with whole_file(folder / name) as temporary:
            temporary.write_bytes(contents)
    return [folder / name for name in files]


def as_json(told: dict) -> bytes:
    """A dict as the contents of a JSON file that a person can read."""
    return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()


def card(kind: str, config: dict, weights: Path, folder: Path) -> str:
    """What the folder's README says."""
    words = [word for word in config["vocabulary"] if word]
    told = {name: config[name] for name in ("size", "steps", "guidance_scale", "max_words")}
    told |= {"prompt": ASKED if {*ASKED.split()} <= {*words} else " ".join(words[:1])}
    told |= dict(module=MODULE, version=VERSION, words=textwrap.fill(", ".join(words), 118))
    return CARD.format(folder=folder.resolve().name, kind=kind, weights=weights.name, sha256=sha256(weights), **told)


def one_module() -> str:
    """The source of `SOURCES` as one module that imports nothing of this library."""
    plain, named, parts = set(), defaultdict(set), []
    for name in SOURCES:
        text = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
        lines = text.splitlines()
        for node in reversed(ast.parse(text).body):
            checking = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            if isinstance(node, ast.Import):
                plain.add(ast.unparse(node))
            elif isinstance(node, ast.ImportFrom):
                named[node.module] |= {other.name for other in node.names}
            elif not checking:
                continue
            del lines[node.lineno - 1 : node.end_lineno]
        body = re.sub("\n{4,}", "\n\n\n", "\n".join(lines).strip())
        parts.append(f"# From course_lib/{name}.py\n\n{body}\n")
    named = {module: names - {"TYPE_CHECKING"} for module, names in named.items() if module != "__future__"}
    froms = {
        f"from {module} import {', '.join(sorted(names))}"
        for module, names in named.items()
        if names and not module.startswith("course_lib")
    }
    head = f"{MODULE_SAYS}\n\nfrom __future__ import annotations\n\n"
    return head + "\n\n\n".join(["\n".join([*sorted(plain), *sorted(froms)]), *parts])
