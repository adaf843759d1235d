import signal

import pytest

from course_lib.checks import engine
from course_lib.fruit.pictures import training_pictures
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


@pytest.fixture
def heard():
    """Signals do what they do in a terminal, even if whoever began the tests ignores some, as `nohup` and `&` do."""
    usual = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}
    found = {getattr(signal, name): do for name, do in usual.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, do) for number, do in found.items()}
    yield
    for number, do in before.items():
        signal.signal(number, do)
