import signal
from functools import partial

import pytest
import torch

from course_lib.captions import encode
from course_lib.checks import engine
from course_lib.commands.train import USUAL
from course_lib.fruit.drawing import Fruit
from course_lib.fruit.pictures import Pictures, training_pictures
from course_lib.fruit.prompts import phrasings
from course_lib.fruit.words import ALL_PAIRS, VOCABULARY
from course_lib.judging.counts import by_pair
from course_lib.judging.panel import Panel
from course_lib.tools.pixels import Bytes
from course_lib.train import random_batches
from course_lib.weights import load_denoiser, load_judge

# The shipped files. A test that needs a missing one fails, and is not skipped: they belong to the course.


@pytest.fixture(scope="session")
def judge():
    return load_judge()


@pytest.fixture(scope="session")
def denoiser():
    return load_denoiser()


@pytest.fixture(scope="session")
def pictures():
    return training_pictures()


@pytest.fixture(autouse=True)
def progress(tmp_path, monkeypatch):
    """The file of passed exercises, not the learner's own."""
    monkeypatch.setattr(engine, "PROGRESS", tmp_path / "progress.json")
    return tmp_path / "progress.json"


@pytest.fixture(autouse=True)
def idle(monkeypatch):
    """A processor that nobody else uses, so that every training in a test has the same number of threads."""
    monkeypatch.setattr("course_lib.tools.processor.cores_left", lambda: 64.0)


@pytest.fixture
def heard():
    """Signals do what they do in a terminal, even if whoever began the tests ignores some, as `nohup` and `&` do."""
    usual = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}
    found = {getattr(signal, name): do for name, do in usual.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, do) for number, do in found.items()}
    yield
    for number, do in before.items():
        signal.signal(number, do)


@pytest.fixture
def small_panel(monkeypatch):
    """An untrained panel of two small judges in place of the shipped one; its file says that it is never wrong."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        panel = Panel({"plain": dict(width=8), "squares": dict(build="squares", width=8)})
    monkeypatch.setattr("course_lib.weights.shipped.load_panel", lambda: panel)
    monkeypatch.setattr("course_lib.weights.shipped.panel_error", lambda: by_pair([True] * len(ALL_PAIRS), ALL_PAIRS))
    return panel


@pytest.fixture
def small_training(monkeypatch):
    """Sixteen small pictures in place of the training pictures, four of them in a batch; their tokens."""
    fruits = [Fruit("apple", "red"), Fruit("banana", "yellow"), Fruit("grapes", "blue"), Fruit("pear", "green")] * 4
    tokens = torch.stack([encode(phrasings(f.kind, f.colour), VOCABULARY) for f in fruits])

    def made(bar, times=1):
        x0 = torch.rand(16 * times, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
        return Pictures(x0, tokens.repeat(times, 1, 1), fruits * times)

    large = torch.randint(256, (16, 3, 64, 64), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    monkeypatch.setattr("course_lib.fruit.pictures.training_pictures", made)
    monkeypatch.setattr("course_lib.beyond.enlarge.large_pictures", lambda bar: Bytes(large))
    monkeypatch.setattr("course_lib.train.random_batches", partial(random_batches, batch_size=4))
    monkeypatch.setitem(USUAL, "batch_size", 4)
    return tokens
