"""The library as a wheel: what it carries, and that it works where there is no checkout, no Jupyter and no network."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow  # as a whole

ROOT = Path(__file__).resolve().parents[1]

# What a core installation lacks.
LESSONS_ONLY = [
    "matplotlib",
    "ipywidgets",
    "anywidget",
    "traitlets",
    "IPython",
    "ipykernel",
    "psutil",
    "diffusers",
    "scipy",
]


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    done = subprocess.run(command, cwd=cwd, env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy of the tree, in which pictures were drawn as on first use."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "a copy"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    drawn = ["pictures.safetensors", "pictures-scenes.safetensors"]
    for name in ("course_lib", "data"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", *drawn))
    for name in drawn:
        (tree / "data" / name).touch()
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    run(sys.executable, "-c", build, folder, cwd=tree)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> dict[str, str]:
    """The variables with which Python finds the wheel's library before any other.

    A wheel without compiled parts is installed by unpacking it, which needs no pip; uv's environments have none.
    """
    site = tmp_path_factory.mktemp("site")
    shutil.unpack_archive(wheel, site, "zip")
    return dict(PYTHONPATH=str(site), PYTHONDONTWRITEBYTECODE="1")


def test_the_wheel_carries_the_library_and_what_is_shipped(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    shipped = [*ROOT.glob("data/*.safetensors"), *ROOT.glob("data/*.csv"), *ROOT.glob("data/benchmarks/*.json")]
    expected = {f"course_lib/{path.relative_to(ROOT).as_posix()}" for path in shipped}
    expected = {name for name in expected if "/pictures" not in name}
    assert {"course_lib/data/denoiser.safetensors", "course_lib/data/benchmarks/results.json"} <= expected
    expected |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "course_lib").rglob("*.py")}
    assert names == expected


def test_an_installed_library_generates_a_picture_from_any_folder(installed, tmp_path):
    site = Path(installed["PYTHONPATH"])
    before = sorted(site.rglob("*"))
    run(sys.executable, "-m", "course_lib", "generate", "a green banana", "--out", "x.png", cwd=tmp_path, **installed)
    with Image.open(tmp_path / "x.png") as picture:
        r, g, b = np.moveaxis(np.array(picture.convert("RGB"), dtype=int), -1, 0)
    assert 0.1 < (g > np.maximum(r, b) + 40).mean() < 0.6, "a green banana fills a part of the picture"
    assert sorted(site.rglob("*")) == before, "the package itself may be read-only"


def test_the_command_line_needs_the_core_dependencies_only(installed, tmp_path):
    (tmp_path / "hidden").mkdir()
    for name in LESSONS_ONLY:
        (tmp_path / "hidden" / f"{name}.py").write_text(
            f"raise ModuleNotFoundError('no {name} here')", encoding="utf-8"
        )
    path = os.pathsep.join([str(tmp_path / "hidden"), installed["PYTHONPATH"]])
    command = ["-m", "course_lib", "generate", "a green banana", "--steps", "2", "--out", "x.png"]
    run(sys.executable, *command, cwd=tmp_path, **installed | dict(PYTHONPATH=path))
    assert (tmp_path / "x.png").is_file()


def test_an_installed_library_keeps_what_it_makes_in_the_current_folder(installed, tmp_path):
    program = (
        "import inspect, course_lib; from course_lib import weights, widgets; from course_lib.checks import engine;"
        "from course_lib.fruit import pictures, scene_pictures; from course_lib.tools import files;"
        "default = lambda work, name: inspect.signature(work).parameters[name].default;"
        "print(course_lib.__file__, files.DATA, default(weights.load_denoiser, 'path'), engine.PROGRESS,"
        "      default(pictures.training_pictures, 'path'), default(scene_pictures.training_scenes, 'path'),"
        "      default(widgets.PromptBox, 'folder'), sep='\\n')"
    )
    lines = run(sys.executable, "-c", program, cwd=tmp_path, **installed).splitlines()
    package = Path(installed["PYTHONPATH"]).resolve() / "course_lib"
    shipped = [package / "__init__.py", package / "data", package / "data" / "denoiser.safetensors"]
    made = [".progress.json", "runs/pictures.safetensors", "runs/pictures-scenes.safetensors", "runs"]
    assert [Path(line) for line in lines] == [*shipped, *map(Path, made)]
