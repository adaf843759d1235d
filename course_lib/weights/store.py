"""Networks in files: safetensors, with the network's settings inside. Nothing in such a file can run."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch

from course_lib.beyond.attention import SceneDenoiser
from course_lib.captions import NO_WORD
from course_lib.judging.judge import Judge
from course_lib.judging.scene_judge import SceneJudge
from course_lib.model import Denoiser
from course_lib.noise import noise_levels
from course_lib.tools.files import DATA, read_tensors, write_tensors

AnyDenoiser = Denoiser | SceneDenoiser
Network = TypeVar("Network", Denoiser, SceneDenoiser, Judge, SceneJudge)


def save(
    network: AnyDenoiser | Judge | SceneJudge, path: str | Path, *, vocabulary: Sequence[str] | None = None, **about
) -> None:
    """Write a network with its settings to a file, whole or not at all.

    Args:
        network: a `Denoiser`, a `SceneDenoiser`, or the judge of either.
        path: the file, by custom with the ending .safetensors.
        vocabulary: the words a denoiser was trained on, such as `open_folder` made them; left out, those it was
            loaded with, or the course's own.
        about: what else is worth keeping beside the weights (seed, steps, command), as JSON can hold it.

    Raises:
        ValueError: the denoiser was made for another number of words.
    """
    kind, words = type(network).__name__, []
    if isinstance(network, AnyDenoiser):
        words = list(network.vocabulary if vocabulary is None else vocabulary)
        if not _is_vocabulary(words, network.config["vocabulary_size"]):
            raise ValueError(
                f"This denoiser knows {network.config['vocabulary_size']} words, but the vocabulary has {len(words)}. "
                "Give the one that its captions were made with: save(model, path, vocabulary=...)."
            )
    made = {"kind": kind, "config": network.config, "vocabulary": words, "about": about}
    if hasattr(network, "distilled_steps"):
        made["distilled_steps"] = network.distilled_steps
    write_tensors(path, network.state_dict(), made)


def sampling_of(model: Callable, *, steps: int, guidance_scale: float) -> dict:
    """How to sample from a denoiser: as it was distilled for, without guidance; any other one as said here.

    Returns:
        {"steps": …, "guidance_scale": …}, for `sample`.
    """
    if hasattr(model, "distilled_steps"):
        return {"steps": model.distilled_steps, "guidance_scale": 1.0}
    return {"steps": steps, "guidance_scale": guidance_scale}


def _is_vocabulary(words, size: int) -> bool:
    """A list of so many different words, the empty "no word" in front."""
    fits = isinstance(words, list) and len(words) == size and words[0] == NO_WORD
    return fits and all(isinstance(word, str) for word in words) and len(set(words)) == size


def _load(path: str | Path, network_class: type[Network]) -> Network:
    tensors, about = read_tensors(path)
    kind = network_class.__name__
    if about.get("kind") != kind:
        raise ValueError(f"{path} holds a {about.get('kind', 'network of another project')}, but a {kind} is needed.")
    try:
        with torch.device("meta"):  # shapes alone: settings from a bad file cost no memory
            expected = {name: tensor.shape for name, tensor in network_class(**about["config"]).state_dict().items()}
        found = {name: tensor.shape for name, tensor in tensors.items()}
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    except (TypeError, LookupError, ArithmeticError, RuntimeError, ValueError) as error:
        raise ValueError(f"The settings in {path} make no {kind}: {error}") from error
    if wrong:
        name = wrong[0]
        raise ValueError(
            f"{path} does not fit a {kind} with its settings: {name} has shape {tuple(found.get(name, ()))}, "
            f"expected {tuple(expected.get(name, ()))} ({len(wrong)} tensors differ)."
        )
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise ValueError(f"{path} holds numbers that are not finite: the training that made it went wrong.")
    network = network_class(**about["config"])
    if isinstance(network, AnyDenoiser):
        words = about.get("vocabulary")
        if not _is_vocabulary(words, network.config["vocabulary_size"]):
            raise ValueError(f"{path} does not say which words its {kind} knows. Train anew.")
        network.vocabulary = tuple(words)
        if "distilled_steps" in about:
            noise_levels(about["distilled_steps"])  # refuses what is no number of steps
            network.distilled_steps = about["distilled_steps"]
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)


def load_denoiser(path: str | Path = DATA / "denoiser.safetensors") -> Denoiser:
    """Load a denoiser, by default the shipped one, ready to be asked.

    The words it knows are its attribute `vocabulary`; encode captions with them: encode(captions, model.vocabulary).
    A distilled one has an attribute `distilled_steps` too, the number of steps it was made for.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is a pickle, cut short, of another network, or of other shapes than its settings say.
    """
    return _load(path, Denoiser)


def load_judge(path: str | Path = DATA / "judge.safetensors") -> Judge:
    """Load a judge, by default the shipped one. Raises as `load_denoiser`."""
    return _load(path, Judge)


def load_scene_denoiser(path: str | Path = DATA / "scene_denoiser.safetensors") -> SceneDenoiser:
    """Load a denoiser of scenes, by default the shipped one, ready to be asked. Raises as `load_denoiser`."""
    return _load(path, SceneDenoiser)


def load_scene_judge(path: str | Path = DATA / "scene_judge.safetensors") -> SceneJudge:
    """Load a judge of scenes, by default the shipped one. Raises as `load_denoiser`."""
    return _load(path, SceneJudge)


def load_any_denoiser(path: str | Path) -> AnyDenoiser:
    """Load a denoiser of either kind, as the file says. Raises as `load_denoiser`."""
    scenes = read_tensors(path)[1].get("kind") == SceneDenoiser.__name__
    return load_scene_denoiser(path) if scenes else load_denoiser(path)
