"""A network as one ONNX file: a graph that other programs compute without Python, with its weights inside.

A network is traced, called once with tensors that have no values yet, so that a question to a value (is every level in
[0, 1]?) has no answer; the checks that ask one are taken as passed. What comes out is compared with the network.
"""

import copy
import hashlib
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from course_lib.beyond.attention import SceneDenoiser
from course_lib.beyond.enlarge import Enlarger
from course_lib.beyond.quick import quick
from course_lib.fruit.words import SIZE
from course_lib.model import Denoiser
from course_lib.tools.files import whole_file
from course_lib.weights.store import load

NETWORKS = (Denoiser, SceneDenoiser, Enlarger)  # those that can leave
OPSET = 20  # the version of ONNX's operators
LEAST = 256  # numbers: shorter weights stay in 32 bits, since they save nothing
TOLERANCE = 1e-4  # how far an answer may be from the network's own


class ChecksPassed(TorchFunctionMode):
    """While this is on, a tensor asked for its value answers as one that is in order: True, or 0."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        answers = {Tensor.__bool__: True, Tensor.__int__: 0}
        return answers[function] if function in answers else function(*args, **(kwargs or {}))


class Traced(nn.Module):
    """A network as it is traced: with its checks of values passed, and a U-Net as its `quick` twin."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = quick(network) if hasattr(network, "unet") else network

    def forward(self, *inputs: Tensor) -> Tensor:
        with ChecksPassed():
            return self.network(*inputs)


def example_inputs(network: nn.Module, count: int, seed: int = 0) -> dict[str, Tensor]:
    """What such a network is called with, by name, for so many pictures of its own size: noise at random levels."""
    g, config = torch.Generator().manual_seed(seed), getattr(network, "config", {})
    levels = torch.rand(count, generator=g)
    if "vocabulary" in config:
        tokens = torch.randint(len(config["vocabulary"]), (count, config["max_words"]), generator=g)
        x_t = torch.randn(count, 3, config["size"], config["size"], generator=g)
        return dict(x_t=x_t, t=levels, tokens=tokens)
    if "factor" in config:
        small = torch.rand(count, 3, SIZE, SIZE, generator=g) * 2 - 1
        side = config["factor"] * SIZE
        return dict(x_t=torch.randn(count, 3, side, side, generator=g), t=levels, small=small)
    return dict(x_t=torch.randn(count, 2, 1, 1, generator=g), t=levels)  # points of the plane


def as_onnx(network: nn.Module, *, half: bool = False, **about) -> bytes:
    """A network as the contents of an ONNX file: inputs x_t, t, and tokens or small; output x0_hat, all float32.

    The number of pictures, `batch`, is free; their size is the network's own. Its `config`, and what else is told
    `about` it, stand in the file's metadata as JSON.

    Weights that are numbers of 16 bits, as those of some shipped networks, take that space, and become float32 again
    before anything is computed.

    half: round all weights to 16 bits. A picture of 50 guided steps changes by less than half a grey level.

    Raises ValueError where the file does not compute what the (rounded) network does, ModuleNotFoundError without the
    packages of the extra `export`.
    """
    import onnx
    import onnxscript  # noqa: F401  torch needs it, and names it less clearly

    network = rounded(network).eval() if half else network.eval()
    inputs = example_inputs(network, 2)
    with quiet():
        program = torch.onnx.export(
            Traced(network),
            tuple(inputs.values()),
            input_names=[*inputs],
            output_names=["x0_hat"],
            dynamic_shapes=(tuple({0: "batch"} for _ in inputs),),
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )
    model = program.model_proto
    forget_origins(model)
    halve(model)
    about = {"kind": type(network).__name__, "config": getattr(network, "config", {}), "half": half} | about
    onnx.helper.set_model_props(model, {name: json.dumps(value) for name, value in about.items()})
    onnx.checker.check_model(model, full_check=True)
    contents = model.SerializeToString(deterministic=True)
    check_same(contents, network)
    return contents


@contextmanager
def quiet() -> Iterator[None]:
    """Without what the exporter says of packages that it could do with, and of its own inside."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def forget_origins(model) -> None:
    """Take out of an ONNX model where each node came from: lines of our files, and where they lie on this machine."""
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:]
    model.doc_string = graph.doc_string = ""
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def rounded(network: nn.Module) -> nn.Module:
    """A copy of a network whose weights, but for the short ones, are numbers of 16 bits."""
    network = copy.deepcopy(network)
    with torch.no_grad():
        for weights in network.parameters():
            if weights.numel() >= LEAST:
                weights.copy_(weights.half().float())
    return network


def halve(model) -> None:
    """Store the weights of an ONNX model in 16 bits where that loses nothing; a cast to 32 stands behind each."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weights in model.graph.initializer:
        if weights.data_type != TensorProto.FLOAT:
            continue
        name, long = weights.name, numpy_helper.to_array(weights)
        short = long.astype("float16")
        if long.size >= LEAST and (short.astype("float32") == long).all():
            weights.CopyFrom(numpy_helper.from_array(short, f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def check_same(contents: bytes, network: nn.Module) -> None:
    """Refuse, with a ValueError, the contents of an ONNX file that do not answer as the network, for any batch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(contents, providers=["CPUExecutionProvider"])
    for part in (*session.get_inputs(), *session.get_outputs()):
        if part.shape[0] != "batch":
            raise ValueError(f"{part.name} came out with a fixed batch, {part.shape}, which should be free.")
    for count in (1, 3):  # neither is the batch it was traced with
        inputs = example_inputs(network, count, seed=count)
        with torch.no_grad():
            ours = network(**inputs)
        (theirs,) = session.run(None, {name: x.numpy() for name, x in inputs.items()})
        if not (off := float((torch.from_numpy(theirs) - ours).abs().max())) <= TOLERANCE:
            raise ValueError(f"The exported network is off by {off:.2g}; at most {TOLERANCE:g} is allowed.")


def write_onnx(weights: str | Path, path: str | Path, *, half: bool = False) -> None:
    """Write the network of a file of weights as an ONNX file, whole or not at all. Raises as `load` and `as_onnx`.

    The metadata holds the SHA-256 of the file of weights too, so that one can see what it was made of.
    """
    network = load(weights, *NETWORKS)
    contents = as_onnx(network, half=half, weights={"name": Path(weights).name, "sha256": sha256(weights)})
    with whole_file(path) as temporary:
        temporary.write_bytes(contents)


def sha256(path: str | Path) -> str:
    """The checksum of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
