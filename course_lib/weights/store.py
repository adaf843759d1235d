"""Networks and runs in files: safetensors, with all it takes to use them. Nothing in such a file can run."""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from course_lib.beyond.attention import SceneDenoiser
from course_lib.beyond.enlarge import Enlarger
from course_lib.captions import NO_WORD
from course_lib.judging.judge import Judge
from course_lib.judging.panel import Panel
from course_lib.judging.scene_judge import SceneJudge
from course_lib.model import Denoiser
from course_lib.noise import check_number, noise_levels
from course_lib.sample import Sampling
from course_lib.tools.files import read_tensors, write_tensors
from course_lib.train import Run


def save(network: nn.Module, path: str | Path, *, half: bool = False, **about) -> None:
    """Write a network to a file, whole or not at all.

    Args:
        network: of a class that makes it again from its attribute `config`, such as `Denoiser`; compiled or not.
        path: the file, by custom with the ending .safetensors.
        half: keep the weights in 16 bits, rounded, in half the space; `load` makes them float32 again.
        about: what else is worth keeping beside the weights (seed, steps, command), as JSON can hold it.

    Raises ValueError for a network that `load` could not open again, and writes nothing.
    """
    if not isinstance(network, nn.Module):
        raise ValueError(f"save takes a network, such as run.ema, not {type(network).__name__}. For a Run: save_run.")
    network = getattr(network, "_orig_mod", network)  # what `torch.compile` wrapped
    kind, tensors = type(network).__name__, _weights(network)
    if _has_namesake(type(network)):
        raise ValueError(f"A file names the class it holds, and there is another {kind}. Give yours a name of its own.")
    try:
        config = json.loads(json.dumps(network.config))  # as it comes out of a file
        again = _make(type(network), config, tensors)
    except Exception as error:  # a class of one's own may refuse in any way
        raise ValueError(
            f"No file could hold this {kind}, since its `config` does not make it again: {error}"
        ) from error
    if problem := _misfit(again, tensors):
        raise ValueError(f"No file could hold this {kind}, since its `config` makes another: {problem}")
    if half:
        tensors = {name: tensor.half() if tensor.dtype == torch.float32 else tensor for name, tensor in tensors.items()}
    if problem := _not_finite(tensors):
        raise ValueError(f"This {kind} is not worth a file: {problem}")
    write_tensors(path, tensors, {"kind": kind, "config": config, "about": _as_json(about)})


def load(path: str | Path, *classes: type[nn.Module]) -> nn.Module:
    """The network in a file, ready to be asked, if it is of one of these classes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is a pickle, damaged, of another network, or does not fit its settings.
    """
    tensors, about = read_tensors(path)
    tensors = {name: tensor.float() if tensor.dtype == torch.half else tensor for name, tensor in tensors.items()}
    by_name = {network_class.__name__: network_class for network_class in classes}
    kind = str(about.get("kind", "network of another project"))
    if kind not in by_name:
        raise ValueError(
            f"{path} holds a {kind}, but a {' or a '.join(by_name)} is needed. "
            "For a class of your own: load(path, YourClass), from course_lib.weights."
        )
    if "vocabulary" in about:  # beside the settings, not among them
        raise ValueError(f"{path} was written by an earlier version of this course, under other names. Train anew.")
    try:
        network = _make(by_name[kind], about["config"], tensors)
    except (TypeError, LookupError, ArithmeticError, RuntimeError, ValueError) as error:
        raise ValueError(f"The settings in {path} make no {kind}: {error}") from error
    if problem := _misfit(network, tensors):
        raise ValueError(f"{path} does not fit a {kind} with its settings: {problem}")
    if problem := _not_finite(tensors):
        raise ValueError(f"{path} is of no use: {problem}")
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)


def _weights(network: nn.Module) -> dict[str, Tensor]:
    """The tensors of a network by name, whether it or a part of it is compiled or not."""
    return {name.replace(_COMPILED, ""): tensor for name, tensor in network.state_dict().items()}


_COMPILED = "_orig_mod."  # what `torch.compile` puts before names


def _has_namesake(kind: type[nn.Module]) -> bool:
    """Whether another class of this name, of the course or above this one, could open its file as its own."""
    others = (*kind.__mro__, Denoiser, SceneDenoiser, Enlarger, Judge, Panel, SceneJudge)
    return any(other.__name__ == kind.__name__ and other is not kind for other in others)


def _as_json(about: dict) -> dict:
    """What comes out of a file for what went into it; ValueError for what JSON cannot hold."""
    try:
        return json.loads(json.dumps(about))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Beside weights a file keeps plain numbers, texts, lists and dicts: {error}. "
            "Write int(x), float(x) or str(x)."
        ) from error


def _make(network_class: type[nn.Module], config: dict, tensors: dict[str, Tensor]) -> nn.Module:
    """A network by the settings of a file, which is to take these tensors; raises whatever its class may."""
    if "vocabulary" in config:
        _check_settings(config)
    with torch.random.fork_rng(devices=[]), _no_more_than(sum(tensor.numel() for tensor in tensors.values())):
        return network_class(**config)


def _misfit(network: nn.Module, tensors: dict[str, Tensor]) -> str:
    """Why these cannot be the weights of a network, in a sentence; nothing if they can."""
    expected = network.state_dict()
    shapes, found = ({name: tuple(t.shape) for name, t in part.items()} for part in (expected, tensors))
    if wrong := sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name)):
        name = wrong[0]
        differ = f"({len(wrong)} tensors differ)"
        return f"{name} has shape {found.get(name, ())}, expected {shapes.get(name, ())} {differ}."
    for name, tensor in tensors.items():
        if tensor.dtype != expected[name].dtype:
            return f"{name} is {tensor.dtype}, expected {expected[name].dtype}."
    return ""


def _not_finite(tensors: dict[str, Tensor]) -> str:
    """Which of them holds what no training should leave, in a sentence; nothing if none does."""
    wrong = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    return f"{wrong[0]} holds numbers that are not finite: the training that made it went wrong." if wrong else ""


@contextmanager
def _no_more_than(numbers: int) -> Iterator[None]:
    """Refuse a network of more weights, before memory is taken for them: settings from a bad file cost none."""
    left = 2 * numbers  # a good file that lacks some of its tensors is told so

    def count(module: nn.Module, name: str, weights: nn.Parameter) -> None:
        nonlocal left
        left -= weights.numel()
        if left < 0:
            raise ValueError("they ask for far more weights than it holds")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def _check_settings(config: dict) -> None:
    """Refuse words that are no vocabulary, and ways of asking that no sampler takes."""
    words = config["vocabulary"]
    if not (words and words[0] == NO_WORD and all(isinstance(word, str) for word in words)):
        raise ValueError('a vocabulary is a list of words, the empty "no word" in front')
    if len(set(words)) < len(words):
        raise ValueError("a word stands twice in its vocabulary")
    usual = Sampling()  # a class of one's own need not say how it is asked
    noise_levels(config.get("steps", usual.steps))
    check_number("guidance_scale", config.get("guidance_scale", usual.guidance_scale), -1000, 1000, "finite")
    low, high = config.get("guidance_interval", usual.guidance_interval)
    check_number("guidance_interval's upper end", high, 0, 1, "finite")
    check_number("guidance_interval's lower end", low, 0, high, "finite")


def save_run(run: Run, path: str | Path, **about) -> None:
    """Write a whole run to a safetensors file, or leave the file as it was.

    about: what makes this run another one than those of the same network, as JSON can hold it. Raises ValueError for a
    run whose numbers are no longer finite.
    """
    _check_run(run)
    tensors = _run_tensors(run)
    if problem := _not_finite(tensors):
        raise ValueError(f"This run is not worth a file: {problem}")
    write_tensors(path, tensors, {"kind": "run", "about": _as_json(about)})


def load_run(run: Run, path: str | Path, **about) -> None:
    """Go on from a file that `save_run` wrote, and leave the run as it was if that cannot be.

    The run and the file may differ in what is compiled. Raises as `read_tensors`, and ValueError for another network's
    run, or one that was saved as another (`about`).
    """
    _check_run(run)
    tensors, said = read_tensors(path)
    tensors = {name.replace(_COMPILED, ""): tensor for name, tensor in tensors.items()}  # earlier files kept it
    about = _as_json(about)
    if said.get("kind") != "run" or not _is_run_of(run, tensors):
        raise ValueError(f"{path} holds no training run of this network. Give the settings it was started with.")
    before = said.get("about", about)  # files of earlier versions do not say
    if other := [name.replace("_", " ") for name in about if before.get(name) != about[name]]:
        raise ValueError(f"{path} holds a run with another {' and another '.join(other)}. Give the one it began with.")
    if problem := _not_finite(tensors):
        raise ValueError(f"{path} cannot be gone on with: {problem}")
    _restore(run, tensors)


def _check_run(run: Run) -> None:
    if not isinstance(run, Run):
        raise ValueError(f"A training run is a Run, such as Run(model), not {type(run).__name__}. For a network: save.")


_COUNTS = ("step", "pictures", "seconds", "learning_rate")


def _run_tensors(run: Run) -> dict[str, Tensor]:
    """The whole run as tensors by name."""
    tensors = {"generator": run.generator.get_state()}
    tensors |= {name: torch.tensor(getattr(run, name), dtype=torch.float64) for name in _COUNTS}
    for name in ("model", "ema"):
        tensors |= {f"{name}.{key}": value for key, value in _weights(getattr(run, name)).items()}
    for i, optimizer in enumerate(run.optimizers):
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{number}.{key}": value for key, value in state.items()}
    return tensors


def _is_run_of(run: Run, tensors: dict[str, Tensor]) -> bool:
    """Whether they are those of a run of the same network, at whatever step."""
    expected = {name: (value.shape, value.dtype) for name, value in _run_tensors(run).items()}
    found = {name: (value.shape, value.dtype) for name, value in tensors.items()}
    states = {name for name in expected | found if name.startswith("optimizer.")}  # empty before the first step
    return all(expected.get(name) == found.get(name) for name in (expected | found).keys() - states)


def _restore(run: Run, tensors: dict[str, Tensor]) -> None:
    """Put a run where these tensors of it say."""
    parts: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, tensor in tensors.items():
        part, _, key = name.partition(".")
        parts[part][key] = tensor
    for part in ("model", "ema"):
        network = getattr(run, part)
        network.load_state_dict({name: parts[part][name.replace(_COMPILED, "")] for name in network.state_dict()})
    states: list[dict[int, dict[str, Tensor]]] = [defaultdict(dict) for _ in run.optimizers]
    for name, tensor in parts["optimizer"].items():
        i, number, key = name.split(".")
        states[int(i)][int(number)][key] = tensor
    for optimizer, state in zip(run.optimizers, states, strict=True):
        optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    run.generator.set_state(tensors["generator"])
    run.step, run.pictures = int(tensors["step"]), int(tensors["pictures"])
    run.seconds, run.learning_rate = tensors["seconds"].item(), tensors["learning_rate"].item()
