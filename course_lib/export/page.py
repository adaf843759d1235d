"""All that a page in a browser needs to be told: four networks as ONNX files, and course.json, its one source.

Nothing of it is written by hand: words, tables, levels and ways of asking come from where the library has them, so a
network trained anew, or another fruit, needs no change in the page.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from course_lib.beyond.enlarge import noise_beside
from course_lib.captions import null_tokens
from course_lib.classroom import plane
from course_lib.export.reader_tables import reader_tables
from course_lib.export.to_onnx import NETWORKS, as_onnx, example_inputs, sha256
from course_lib.fruit.drawing import Fruit, draw
from course_lib.fruit.words import BACKDROPS, HELD_OUT_PAIRS, KINDS, PALETTE, SIZE
from course_lib.tools.bars import Bar, no_bar
from course_lib.tools.files import DATA, whole_file
from course_lib.train import Run, random_batches, train
from course_lib.weights.store import load

SHIPPED = {name: DATA / f"{name}.safetensors" for name in ("few_steps", "denoiser", "enlarger")}
LEARNING_RATE, BATCH, STEPS = 4e-3, 256, 600  # how lesson 2 trains the network of the plane
POINTS = 300  # of each fruit, that the page shows
APPLE = Fruit("apple", "red", size=0.84)  # the picture of the noise slider


def write_page(folder: str | Path, *, half: bool = False, bar: Bar = no_bar) -> list[Path]:
    """Write course.json and the networks it names to a folder; the same library and weights give the same bytes.

    Everything is worked out before the first file is written, and course.json, which has the checksums of the others,
    is written last. half: see `as_onnx`. Returns the files. Raises as `load`, `as_onnx` and `whole_file`.
    """
    networks = {name: load(path, *NETWORKS) for name, path in SHIPPED.items()}
    networks["plane"] = trained_plane()
    contents = {}
    for name in bar([*networks]):
        about = {"weights": {"name": SHIPPED[name].name, "sha256": sha256(SHIPPED[name])}} if name in SHIPPED else {}
        contents[name] = as_onnx(networks[name], half=half, **about)
    told = course({name: (networks[name], contents[name]) for name in networks})
    files = {f"{name}.onnx": content for name, content in contents.items()}
    files["course.json"] = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    for name, content in files.items():
        with whole_file(Path(folder) / name) as temporary:
            temporary.write_bytes(content)
    return [Path(folder) / name for name in files]


def trained_plane() -> plane.PlaneNet:
    """The network of the plane, trained as in lesson 2; its own chance leaves that of others alone."""
    cloud, threads = plane.two_fruits(), torch.get_num_threads()
    torch.set_num_threads(1)  # the same numbers with any count of cores
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            run = Run(plane.PlaneNet(), learning_rate=LEARNING_RATE)
        batches = random_batches(cloud, null_tokens(len(cloud)), run.generator, batch_size=BATCH)
        for _ in train(run, batches, steps=STEPS):
            pass
    finally:
        torch.set_num_threads(threads)
    return run.ema.eval().requires_grad_(False)


def course(networks: dict[str, tuple[nn.Module, bytes]]) -> dict:
    """What course.json holds: all the page must know. networks: {name: (the network, the contents of its file)}."""
    return {
        "networks": {name: described(name, *made) for name, made in networks.items()},
        "reader": reader_tables(),
        "fruit": {
            "kinds": KINDS,
            "colours": {name: css(rgb) for name, rgb in PALETTE.items()},
            "backgrounds": {name: css(rgb) for name, rgb in BACKDROPS.items()},
            "held_out": HELD_OUT_PAIRS,
        },
        "seeds": {"enlarging": noise_beside(0).initial_seed()},  # is added to the seed of the small picture
        "apple": rounded(draw([APPLE], SIZE).flatten()),
        "plane": told_plane(),
    }


def described(name: str, network: nn.Module, contents: bytes) -> dict:
    """A network as course.json tells of it: its file, size and config, and shape and type of inputs for one picture."""
    file = {"name": f"{name}.onnx", "bytes": len(contents), "sha256": hashlib.sha256(contents).hexdigest()}
    one = example_inputs(network, 1)
    inputs = {key: {"shape": [*x.shape[1:]], "dtype": str(x.dtype).removeprefix("torch.")} for key, x in one.items()}
    told = {"kind": type(network).__name__, "parameters": sum(weights.numel() for weights in network.parameters())}
    return told | {"file": file, "inputs": inputs, "config": getattr(network, "config", {})}


def told_plane() -> dict:
    """The plane: what it shows of each fruit, [right, up, red, green, blue] for each point, and how far it reaches.

    The best guess there can be is worked out from the same points, see `plane.best_guess`.
    """
    x = plane.two_fruits(POINTS)
    points = [rounded(row) for row in torch.cat([x.flatten(1), torch.from_numpy(plane.painted(x))], 1)]
    return {
        "points": {name: points[i * POINTS : (i + 1) * POINTS] for i, name in enumerate(plane.PLACES)},
        "reach": plane.REACH,
        "near": plane.NEAR,
        "nowhere": plane.ROADS[""],  # the colour of what lies on no fruit
    }


def rounded(x: torch.Tensor) -> list[float]:
    """Numbers of three decimals."""
    return [round(number, 3) for number in x.tolist()]


def css(rgb: Sequence[float]) -> str:
    """A colour, sRGB in [0, 1], as a style sheet has it."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)
