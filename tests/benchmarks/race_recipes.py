"""The entries of the race, and how each is trained, in a process of its own. A new recipe is a line of `ENTRIES`."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import torch
from bench import SHORT_RUNS, blurred_loss
from choices import changed
from peer_networks import PEERS
from race_rules import CURVE_SEEDS, LENGTHS, SEEDS
from results import bar
from torch import nn
from training import train_on

from course_lib.classroom import show
from course_lib.fruit.pictures import Pictures, training_pictures
from course_lib.fruit.words import VOCABULARY
from course_lib.model import Denoiser
from course_lib.tools.files import DATA, read_tensors, write_tensors
from course_lib.train import Run, random_levels

ROOT = DATA.parent
RACE = Path(__file__).with_name("race.py")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained and asked. An entry says what it changes; the rest is the recipe of short runs."""

    about: str  # what is changed, for the table
    config: dict = field(default_factory=dict)  # of the `Denoiser`
    learning_rate: float = SHORT_RUNS["learning_rate"]
    batch_size: int = SHORT_RUNS["batch_size"]
    phrasings: int = SHORT_RUNS["phrasings"]
    flip: bool = SHORT_RUNS["flip"]
    loss: Callable = blurred_loss
    levels: Callable = random_levels
    run: Callable = Run
    patches: dict = field(default_factory=dict)  # names in `course_lib.train`, and what they are while it trains
    guidance_scale: float = SHORT_RUNS["guidance_scale"]
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    steps: int = 50  # of the sampling
    lengths: tuple[float, ...] = LENGTHS  # in seconds; those that are not among LENGTHS only until one is enough
    seeds: int = SEEDS  # fewer than MOST show how far it gets, and never win
    commit: str = ""  # trained by the code of this commit, in its recipe of short runs
    peer: str = ""  # a network of `peer_networks`, trained in its authors' way

    def settings(self) -> dict:
        """All that makes its networks what they are, as JSON has it."""
        told = {name: getattr(value, "__name__", value) for name, value in asdict(self).items()}
        return json.loads(json.dumps({name: told[name] for name in told if name not in ("about", "lengths", "seeds")}))


ENTRIES = {
    "c22f206": Recipe(
        "the recipe of short runs and the code, both as of that commit", commit="c22f206", lengths=(*LENGTHS, 480)
    ),
    "today": Recipe("the same recipe in the present code", lengths=(*LENGTHS, 480)),
    "diffusers-course": Recipe(
        "the Hugging Face course's network and training, which hears kind and colour only, and no guidance",
        peer="diffusers-hf-course",
        guidance_scale=1.0,
        lengths=(60, 240),
        seeds=CURVE_SEEDS,
    ),
}


# Training, in a process of its own

# The same training with the code of c22f206, which does not give its `Run` away. Names of weights are today's.
BEFORE = """
import re, sys, torch
from bench import LOSSES, SHORT_RUNS, bar
from course_lib import show
from course_lib.captions import VOCABULARY
from course_lib.data import training_pictures
from course_lib.files import write_tensors
from course_lib.model import Denoiser
from course_lib.train import Run, train
seconds, seed, path = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
pictures = training_pictures(bar=bar)
torch.manual_seed(seed)
run = Run(Denoiser(), learning_rate=SHORT_RUNS["learning_rate"], seed=seed)
how = dict(batch_size=SHORT_RUNS["batch_size"], flip=SHORT_RUNS["flip"], loss=LOSSES[SHORT_RUNS["loss"]])
tokens = pictures.tokens[:, : SHORT_RUNS["phrasings"]]
for _ in show.progress(train(run, pictures.x0, tokens, seconds=seconds, **how), leave=False):
    pass
def renamed(name):
    return re.sub("^(down|middle|up)[.]", r"unet.\\1.", re.sub("^level[.]", "level.mlp.", name))
asked = dict(x_t=torch.randn(4, 3, 32, 32), t=torch.rand(4), tokens=tokens[:4, 0])
asked["x0_hat"] = run.ema(*asked.values())
made = {renamed(name): value for name, value in run.ema.state_dict().items()}
about = dict(seconds=run.seconds, steps=run.step, vocabulary=list(VOCABULARY))
write_tensors(path, made | {"asked." + name: value for name, value in asked.items()}, about)
"""


def train_here(recipe: Recipe, pictures: Pictures, seconds: float, seed: int) -> tuple[nn.Module, float, int]:
    """Train from random weights for so long; the network to ask, and the seconds and steps that it took."""
    torch.manual_seed(seed)
    if recipe.peer:
        return train_peer(recipe.peer, pictures, seconds, seed)
    model = Denoiser(**dict(vocabulary=VOCABULARY) | recipe.config)
    run = recipe.run(model, learning_rate=recipe.learning_rate, seed=seed)
    how = dict(batch_size=recipe.batch_size, flip=recipe.flip, levels=recipe.levels, loss=recipe.loss)
    tokens = pictures.tokens[:, : recipe.phrasings]
    with changed(recipe):
        for _ in show.progress(train_on(run, pictures.x0, tokens, seconds=seconds, **how), leave=False):
            pass
    return run.ema, run.seconds, run.step


def train_peer(name: str, pictures: Pictures, seconds: float, seed: int) -> tuple[nn.Module, float, int]:
    """The same for a network of another project; a step that is under way at the end is finished, and counts."""
    peer, spent, steps = PEERS[name](), 0.0, 0
    training = peer.train(pictures, seconds, torch.Generator().manual_seed(seed))
    with bar(total=seconds, desc=name, bar_format="{l_bar}{bar}|") as progress:
        while spent < seconds:
            began = time.perf_counter()
            next(training)
            spent, steps = spent + time.perf_counter() - began, steps + 1
            progress.update(min(seconds, spent) - progress.n)
    return peer.asked or peer.network, spent, steps


def train_to_file(recipe: Recipe, seconds: float, seed: int, path: str | Path) -> None:
    """Train here and leave the weights in a file, with how long it took."""
    network, spent, steps = train_here(recipe, training_pictures(bar=bar), seconds, seed)
    write_tensors(path, network.state_dict(), dict(seconds=spent, steps=steps))


def asked_network(recipe: Recipe, path: str | Path) -> tuple[Callable, dict]:
    """What is asked for pictures, made of the file that a training left, and what that tells of itself.

    Raises ValueError where a network of earlier code does not answer here as it did there.
    """
    tensors, about = read_tensors(path)
    if recipe.peer:
        peer = PEERS[recipe.peer]()
        (peer.asked or peer.network).load_state_dict(tensors)
        return peer.guess, about
    asked = {name: tensors.pop(f"asked.{name}") for name in ("x_t", "t", "tokens", "x0_hat") if recipe.commit}
    model = Denoiser(**dict(vocabulary=VOCABULARY) | recipe.config).eval().requires_grad_(False)
    model.load_state_dict(tensors)
    if recipe.commit:
        there = asked.pop("x0_hat")
        if tuple(about["vocabulary"]) != VOCABULARY or not torch.allclose(model(**asked), there, atol=1e-4):
            raise ValueError(f"The present network does not answer as that of {recipe.commit}: ask it by its own code.")
    return model, about


def git(*arguments: str | Path, root: Path = ROOT, check: bool = True) -> str:
    """What git says in a folder; RuntimeError, with its last words, where it refuses."""
    done = subprocess.run(["git", *map(str, arguments)], cwd=root, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"git {arguments[0]} says: {done.stderr.strip() or 'nothing'}")
    return done.stdout.strip()


@contextmanager
def worktree(commit: str, root: Path = ROOT) -> Iterator[Path]:
    """The files of a commit in build/, for as long as they are needed. Raises as `git`."""
    folder = root / "build" / f"race-{commit}"
    shutil.rmtree(folder, ignore_errors=True)  # of a race that was killed
    git("worktree", "add", "--force", "--detach", folder, commit, root=root)
    try:
        yield folder
    finally:
        git("worktree", "remove", "--force", folder, root=root)


def train_apart(name: str, seconds: float, seed: int, path: Path, tree: Callable[[str], Path]) -> None:
    """Train an entry in a process of its own, by the code that it asks for; RuntimeError where that fails."""
    if commit := ENTRIES[name].commit:
        folder = tree(commit)
        command, variables = ["-P", "-c", BEFORE, str(seconds), str(seed), str(path)], {}
        variables["PYTHONPATH"] = os.pathsep.join(map(str, (folder, folder / "tests" / "benchmarks")))
    else:
        folder, variables = ROOT, {}
        command = [str(RACE), "--train", name, "--seconds", str(seconds), "--seed", str(seed), "--file", str(path)]
    status = subprocess.run([sys.executable, *command], cwd=folder, env=os.environ | variables).returncode
    if status:
        raise RuntimeError(f"The training of {name} ended with status {status}; what it said stands above.")


@cache
def head() -> str:
    """The commit that the present code is at."""
    return git("rev-parse", "--short", "HEAD", check=False)


def code_of(recipe: Recipe) -> str:
    """The commit whose code trains an entry."""
    return recipe.commit or head()
