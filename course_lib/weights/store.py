"""Networks and runs in files: safetensors, with all it takes to use them. Nothing in such a file can run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from course_lib.captions import NO_WORD
from course_lib.noise import noise_levels
from course_lib.tools.files import read_tensors, write_tensors
from course_lib.train import Run


def save(network: nn.Module, path: str | Path, **about) -> None:
    """Write a network to a file, whole or not at all.

    Args:
        network: of a class that makes it again from its attribute `config`, such as `Denoiser`.
        path: the file, by custom with the ending .safetensors.
        about: what else is worth keeping beside the weights (seed, steps, command), as JSON can hold it.
    """
    made = {"kind": type(network).__name__, "config": network.config, "about": about}
    write_tensors(path, network.state_dict(), made)


def load(path: str | Path, *classes: type[nn.Module]) -> nn.Module:
    """The network in a file, ready to be asked, if it is of one of these classes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is a pickle, cut short, of another network, or of other shapes than its settings say.
    """
    tensors, about = read_tensors(path)
    by_name = {network_class.__name__: network_class for network_class in classes}
    kind = about.get("kind", "network of another project")
    if kind not in by_name:
        raise ValueError(f"{path} holds a {kind}, but a {' or a '.join(by_name)} is needed.")
    if "vocabulary" in about:  # beside the settings, not among them
        raise ValueError(f"{path} was written by an earlier version of this course, under other names. Train anew.")
    try:
        config = about["config"]
        if "vocabulary" in config:
            _check_settings(config)
        with torch.random.fork_rng(devices=[]), _no_more_than(sum(tensor.numel() for tensor in tensors.values())):
            network = by_name[kind](**config)
    except (TypeError, LookupError, ArithmeticError, RuntimeError, ValueError) as error:
        raise ValueError(f"The settings in {path} make no {kind}: {error}") from error
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if wrong := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        name = wrong[0]
        raise ValueError(
            f"{path} does not fit a {kind} with its settings: {name} has shape {tuple(found.get(name, ()))}, "
            f"expected {tuple(expected.get(name, ()))} ({len(wrong)} tensors differ)."
        )
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise ValueError(f"{path} holds numbers that are not finite: the training that made it went wrong.")
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)


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
    noise_levels(config["steps"])
    if not abs(config["guidance_scale"]) < float("inf"):
        raise ValueError("the guidance scale is no finite number")


def save_run(run: Run, path: str | Path, **about) -> None:
    """Write a whole run to a safetensors file, or leave the file as it was; `about` as for `save`."""
    write_tensors(path, run.state_dict(), {"kind": "run", "about": about})


def load_run(run: Run, path: str | Path) -> None:
    """Go on from a file that `save_run` wrote; raises as `read_tensors`, and for another network's run."""
    tensors, _ = read_tensors(path)
    try:
        run.load_state_dict(tensors)
    except ValueError as error:
        raise ValueError(f"{path} holds {error}") from error
