"""The networks that come with the course, each loaded by default from its file in data/."""

from pathlib import Path

from course_lib.beyond.attention import SceneDenoiser
from course_lib.beyond.enlarge import Enlarger
from course_lib.fruit.words import SIZE
from course_lib.judging.counts import Score
from course_lib.judging.judge import Judge
from course_lib.judging.panel import Panel
from course_lib.judging.scene_judge import SceneJudge
from course_lib.model import Denoiser
from course_lib.tools.files import DATA, read_tensors
from course_lib.weights.store import load


def load_denoiser(path: str | Path = DATA / "denoiser.safetensors") -> Denoiser:
    """Load a denoiser, ready to be asked.

    The words it knows are its attribute `vocabulary`; encode captions with them: encode(captions, model.vocabulary).
    Its `config` says how to ask it; `sample` reads that. Raises as `load`.
    """
    return load(path, Denoiser)


def load_enlarger(path: str | Path = DATA / "enlarger.safetensors") -> Enlarger:
    """Load a network that enlarges: enlarge(load_enlarger(), small, generator=generator). Raises as `load`."""
    return load(path, Enlarger)


def load_judge(path: str | Path = DATA / "judge.safetensors") -> Judge:
    """Load a judge of single fruits. Raises as `load`."""
    return load(path, Judge)


PANEL = DATA / "panel.safetensors"


def load_panel(path: str | Path = PANEL) -> Panel:
    """Load the panel, whose judges must all agree: score(load_panel(), pictures, pairs). Raises as `load`."""
    _check_there(path)
    return load(path, Panel)


def panel_error(path: str | Path = PANEL) -> dict[str, Score]:
    """How often the panel in a file was right about fresh drawings of 32 pixels when it was made.

    Counts as those of `panel_on_drawings`. Raises as `load_panel`, and ValueError where the file does not tell.
    """
    _check_there(path)
    found = read_tensors(path)[1].get("about", {}).get("fresh", {}).get(f"{SIZE} pixels")
    if not found:
        raise ValueError(
            f"{path} does not tell how often its panel is right about fresh drawings of {SIZE} pixels. "
            "`python -m course_lib judge --panel` makes one that does."
        )
    return {name: Score(count["right"], count["of"]) for name, count in found.items()}


def _check_there(path: str | Path) -> None:
    if not Path(path).exists():
        raise FileNotFoundError(f"There is no file {path}. `python -m course_lib judge --panel --out {path}` makes it.")


def load_scene_denoiser(path: str | Path = DATA / "scene_denoiser.safetensors") -> SceneDenoiser:
    """Load a denoiser of scenes. Raises as `load`."""
    return load(path, SceneDenoiser)


def load_scene_judge(path: str | Path = DATA / "scene_judge.safetensors") -> SceneJudge:
    """Load a judge of scenes. Raises as `load`."""
    return load(path, SceneJudge)
