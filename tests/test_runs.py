"""What commands that work long promise: whatever happens, nothing is lost, and a run that goes on is the same run."""

import csv
import errno
import os
import signal
import subprocess
import sys
import threading
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from course_lib.captions import null_tokens
from course_lib.commands import main as cli
from course_lib.commands import train
from course_lib.fruit.words import VOCABULARY
from course_lib.judging.counts import Score
from course_lib.model import Denoiser
from course_lib.own.houses import write_folder
from course_lib.tools import runs
from course_lib.tools.files import DATA, PACKAGE, read_tensors
from course_lib.train import Run
from course_lib.train import train as core_train
from course_lib.weights import store

pytestmark = pytest.mark.usefixtures("heard", "small_training")

TRAIN = ("train", "--channels", 8, 16)
SIGNALS = [getattr(signal, name) for name in runs.ENDING if hasattr(signal, name)]
FILES = ["denoiser.safetensors", "log.csv", "run.safetensors"]


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def tensors(folder):
    found = [read_tensors(path)[0] for path in folder.glob("*.safetensors")]
    return {name: value for part in found for name, value in part.items() if name != "seconds"}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def stopping(monkeypatch):
    """While it holds a signal, that comes in the middle of the third step of a training, and of each save."""
    numbers = []
    update, save = Run.update, store.save_run

    def updated(run, *args, **options):
        if run.step == 2 and numbers:
            os.kill(os.getpid(), numbers[0])
        update(run, *args, **options)

    def saved(*args, **about):
        if numbers:
            os.kill(os.getpid(), numbers[0])
        save(*args, **about)

    monkeypatch.setattr(Run, "update", updated)
    monkeypatch.setattr(store, "save_run", saved)
    return numbers


# Signals


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_ends_training_after_its_step_and_none_ends_a_save(tmp_path, capsys, stopping, number):
    before = [signal.getsignal(one) for one in SIGNALS]
    assert run(*TRAIN, "--steps", 6, "--out", tmp_path / "straight") == 0
    stopping.append(number)
    capsys.readouterr()
    assert run(*TRAIN, "--steps", 6, "--out", tmp_path / "halted") == 128 + number
    assert [signal.getsignal(one) for one in SIGNALS] == before
    said = capsys.readouterr()
    assert said.out == "" and "stopped. All that was done is kept: the same command with --resume" in said.err
    assert sorted(contents(tmp_path / "halted")) == FILES and tensors(tmp_path / "halted")["step"] == 3
    stopping.clear()
    assert run(*TRAIN, "--steps", 6, "--out", tmp_path / "halted", "--resume") == 0
    assert same(tensors(tmp_path / "halted"), tensors(tmp_path / "straight"))


def test_a_signal_while_the_last_save_is_made_does_not_end_it(tmp_path, stopping):
    stopping.append(signal.SIGINT)
    assert run(*TRAIN, "--steps", 2, "--out", tmp_path) == 0
    assert tensors(tmp_path)["step"] == 2


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_signal_that_is_ignored_stays_so(tmp_path, stopping):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        stopping.append(signal.SIGHUP)
        assert run(*TRAIN, "--steps", 4, "--out", tmp_path) == 0
        assert tensors(tmp_path)["step"] == 4
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize(
    ("command", "works"),
    [
        ("judge", "course_lib.judging.judge.train_judge"),
        ("judge --scenes", "course_lib.judging.scene_judge.train_judge"),
        ("broken", "course_lib.classroom.broken.make"),
        ("pictures", "course_lib.fruit.pictures.training_pictures"),
        ("judge --panel", "course_lib.judging.panel.train_panel"),
        ("evaluate", "course_lib.judging.fruit_exam.ask_for_pairs"),
        ("generate apple", "course_lib.sample.sample"),
        ("draw apple", "course_lib.fruit.pictures.draw_asked"),
    ],
)
def test_a_signal_ends_any_command_in_one_line(tmp_path, capsys, monkeypatch, small_panel, command, works, number):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(works, lambda *args, **how: os.kill(os.getpid(), number) or [])
    assert run(*command.split()) == 128 + number
    said = capsys.readouterr()
    assert said.out == "" and said.err.splitlines()[-1].strip() == "stopped" and list(tmp_path.iterdir()) == []


def test_a_command_works_in_a_thread(tmp_path):
    statuses = []
    commands = ([*TRAIN, "--steps", 2, "--out", tmp_path / "run"], ["draw", "apple", "--out", tmp_path / "x.png"])
    for arguments in commands:
        thread = threading.Thread(target=lambda arguments=arguments: statuses.append(run(*arguments)))
        thread.start()
        thread.join()
    assert statuses == [0, 0] and tensors(tmp_path / "run")["step"] == 2


@pytest.mark.parametrize("command", ["train --channels 8 --steps 1", "judge --steps 1", "draw apple", "generate apple"])
def test_a_command_leaves_chance_as_it_was(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("course_lib.judging.judge.train_judge", lambda *args, **how: [])
    monkeypatch.setattr("course_lib.judging.judge.score_drawings", lambda *args, **how: Score(1, 2))
    more = ["--steps", "2"] if command.startswith("generate") else []
    before = torch.get_rng_state()
    assert run(*command.split(), *more) == 0
    assert torch.equal(torch.get_rng_state(), before)


def test_the_speed_is_that_of_all_steps_whatever_the_size_of_the_last_batch():
    parts = [torch.zeros(count, 3, 8, 8) for count in (8, 8, 2)]
    this = Run(Denoiser(VOCABULARY, channels=(8,), width=16))
    reports = list(core_train(this, [(x0, null_tokens(len(x0))) for x0 in parts], steps=3))
    assert reports[-1].pictures_per_second * this.seconds == pytest.approx(18)


# Folders


@pytest.mark.parametrize(
    "place", [DATA, DATA / "benchmarks" / "new", PACKAGE, PACKAGE.parent, PACKAGE.parent / "notebooks"], ids=str
)
@pytest.mark.parametrize("linked", [False, True])
def test_training_never_writes_among_the_files_of_the_course(tmp_path, capsys, monkeypatch, place, linked):
    monkeypatch.setattr("course_lib.fruit.pictures.training_pictures", None)  # must not be asked for
    if linked:
        (tmp_path / "link").symlink_to(place)
        place = tmp_path / "link"
    for more in ([], ["--resume"]):
        assert run("train", "--out", place, *more) == 2
        assert "holds files of the course. Choose another --out" in capsys.readouterr().err
    assert not (DATA / "benchmarks" / "new").exists()


@pytest.mark.parametrize("locks", [True, False], ids=["with locks", "as on Windows"])
def test_a_folder_in_use_is_refused(tmp_path, capsys, monkeypatch, locks):
    if not locks:
        monkeypatch.setattr(runs, "fcntl", None)
        monkeypatch.setattr(os, "O_TEMPORARY", 0, raising=False)
    with runs.claimed(tmp_path / "run"):
        for more in ([], ["--resume"]):
            assert run(*TRAIN, "--steps", 1, "--out", tmp_path / "run", *more) == 2
            assert f"Another process is training in {tmp_path / 'run'}" in capsys.readouterr().err
        assert run(*TRAIN, "--steps", 1, "--out", tmp_path / "other") == 0


@pytest.mark.skipif(runs.fcntl is None, reason="Windows lets go of its file itself")
def test_a_process_that_is_killed_leaves_its_folder_free(tmp_path):
    program = "import sys, time, pathlib; from course_lib.tools.runs import claimed\n"
    program += "with claimed(pathlib.Path(sys.argv[1])): print('claimed', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", program, tmp_path / "run"], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"claimed\n"
        with pytest.raises(ValueError, match="Another process"), runs.claimed(tmp_path / "run"):
            pass
    finally:
        holder.kill()
        holder.communicate()
    assert run(*TRAIN, "--steps", 1, "--out", tmp_path / "run") == 0


def test_folders_made_for_a_run_that_never_was_are_gone_again(tmp_path):
    with pytest.raises(RuntimeError), runs.claimed(tmp_path / "a" / "b"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "kind"), [([], "a denoiser"), (["--enlarge", "--batch-size", 16], "an enlarger")], ids=["", "enlarge"]
)
def test_a_network_whose_run_is_gone_is_not_overwritten(tmp_path, capsys, options, kind):
    assert run(*TRAIN, *options, "--steps", 1, "--out", tmp_path) == 0
    (tmp_path / "run.safetensors").unlink()
    before = contents(tmp_path)
    assert run(*TRAIN, *options, "--steps", 1, "--out", tmp_path) == 2
    assert f"holds {kind}, but not the run that made it" in capsys.readouterr().err
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "command",
    ["draw apple", "generate apple", "judge", "broken", "distill", "train", "evaluate --scenes --wrong"],
)
@pytest.mark.parametrize("place", ["file/x.png", "file/a/b/x.png", "loop/x.png", "pipe.png", "x" * 300 + ".png"])
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path, capsys, monkeypatch, command, place):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("course_lib.tools.files.write_tensors", None)
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe.png")
    option = [] if command.endswith("--wrong") else ["--out"]
    assert run(*command.split(), *option, place) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and ("cannot be written" in said.err or "is a pipe" in said.err)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "loop", "pipe.png"}


@pytest.mark.parametrize("command", ["train", "pictures", "broken", "distill"])
def test_pictures_that_could_not_be_kept_are_not_drawn(tmp_path, capsys, monkeypatch, command):
    def draws(bar, times=1):
        for _ in bar(range(3)):
            raise AssertionError("a picture was drawn")

    (tmp_path / "file").write_text("kept", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("course_lib.tools.files.DRAWN", tmp_path / "file" / "data")
    monkeypatch.setattr("course_lib.fruit.pictures.training_pictures", draws)
    assert run(command) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"{tmp_path / 'file' / 'data'} cannot be written" in said


def test_a_full_disk_ends_training_in_one_line_and_leaves_the_run_as_it_was(tmp_path, capsys, monkeypatch):
    assert run(*TRAIN, "--steps", 2, "--out", tmp_path) == 0
    before = contents(tmp_path)
    capsys.readouterr()
    monkeypatch.setattr(store, "write_tensors", full := partial(raising, OSError(errno.ENOSPC, "No space left")))
    assert full and run("train", "--steps", 4, "--out", tmp_path, "--resume") == 1
    said = capsys.readouterr()
    assert said.out == "" and "could not be saved ([Errno 28] No space left). What was saved before is" in said.err
    assert contents(tmp_path) == before


def raising(error, *args):
    raise error


# Settings


@pytest.fixture
def houses(tmp_path):
    write_folder(tmp_path / "houses", per_caption=1)
    return tmp_path / "houses"


SETTINGS = {  # each with another that a run of it cannot go on with, and how that is told
    "seed": (["--seed", 3], ["--seed", 4], "with --seed 3, and cannot go on with --seed 4"),
    "no seed": ([], ["--seed", 4], "with --seed 0, and cannot go on with --seed 4"),
    "patch": (["--patch", 2], ["--patch", 4], "with --patch 2, and cannot go on with --patch 4"),
    "channels": ([], ["--channels", 16], "with --channels 8 16, and cannot go on with --channels 16"),
    "shuffled": (["--shuffle-captions"], [], ""),
    "not shuffled": (
        [],
        ["--shuffle-captions"],
        "without --shuffle-captions, and cannot go on with --shuffle-captions",
    ),
    "flip": (["--flip"], ["--no-flip"], "with --flip, and cannot go on without --flip"),
    "no flip": (["--no-flip"], ["--flip"], "without --flip, and cannot go on with --flip"),
    "fruit": ([], ["--scenes"], "without --scenes, and cannot go on with --scenes"),
    "folder": (["--folder", "houses"], ["--folder", "other"], "/houses, and cannot go on with --folder"),
    "no folder": ([], ["--folder", "houses"], "without --folder, and cannot go on with --folder"),
    "rate": (["--learning-rate", 0.003], [], ""),
    "times": (["--times", 2], ["--times", 3], "with --times 2, and cannot go on with --times 3"),
    "once": ([], ["--times", 2], "with --times 1, and cannot go on with --times 2"),
    "batch size": (
        ["--batch-size", 5],
        ["--batch-size", 6],
        "with --batch-size 5, and cannot go on with --batch-size 6",
    ),
    "enlarge": (["--enlarge", "--batch-size", 16], ["--scenes"], "without --scenes, and cannot go on with --scenes"),
    "no enlarge": ([], ["--enlarge"], "without --enlarge, and cannot go on with --enlarge"),
}


@pytest.mark.parametrize(("begun", "other", "said"), SETTINGS.values(), ids=SETTINGS)
def test_a_run_goes_on_with_its_own_settings_and_with_no_others(
    tmp_path, capsys, monkeypatch, stopping, houses, begun, other, said
):
    monkeypatch.chdir(tmp_path)
    assert run(*TRAIN, "--steps", 6, *begun, "--out", "straight") == 0
    stopping.append(signal.SIGINT)
    assert run(*TRAIN, "--steps", 6, *begun, "--out", "halted") == 130
    stopping.clear()
    before = contents(tmp_path / "halted")
    capsys.readouterr()
    if other:
        assert run("train", *other, "--out", "halted", "--resume") == 2
        told = capsys.readouterr().err
        assert "The run in halted was begun with" in told and said in told
        assert contents(tmp_path / "halted") == before
    assert run("train", "--out", "halted", "--resume") == 0
    assert same(tensors(tmp_path / "halted"), tensors(tmp_path / "straight"))


def test_a_run_that_is_done_says_so_and_goes_on_when_it_is_given_more(tmp_path, capsys):
    assert run(*TRAIN, "--steps", 3, "--out", tmp_path) == 0
    capsys.readouterr()
    for more in ([], ["--steps", 3], ["--steps", 2]):
        assert run("train", "--out", tmp_path, "--resume", *more) == 0
        assert "has been trained that long already" in capsys.readouterr().err
        assert tensors(tmp_path)["step"] == 3
    assert run("train", "--out", tmp_path, "--resume", "--steps", 5) == 0
    assert "already" not in capsys.readouterr().err and tensors(tmp_path)["step"] == 5
    assert run("train", "--out", tmp_path, "--resume", "--minutes", 0.01) == 0
    assert tensors(tmp_path)["step"] > 5
    capsys.readouterr()
    assert run("train", "--out", tmp_path, "--resume", "--minutes", 0.01) == 0
    assert "(0.01" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--enlarge", "--patch", 2], "without captions, by a network of another build. Leave out --patch."),
        (["--enlarge", "--flip"], "Leave out --flip."),
        (["--enlarge", "--shuffle-captions", "--times", 2], "Leave out --shuffle-captions and --times."),
        (["--enlarge", "--batch-size", 15], "Give --batch-size 16 or more."),
        (["--folder", "houses", "--times", 2], "Leave out --times."),
        (["--scenes", "--flip"], "Leave out --flip."),
    ],
)
def test_settings_that_make_no_sense_together_are_refused_before_anything_is_drawn(
    tmp_path, capsys, monkeypatch, houses, options, said
):
    for name in ("beyond.enlarge.large_pictures", "own.folder.open_folder", "fruit.scene_pictures.training_scenes"):
        monkeypatch.setattr(f"course_lib.{name}", None)
    monkeypatch.chdir(tmp_path)
    assert run("train", *options, "--out", "new") == 2
    assert capsys.readouterr().err.endswith(f"{said}\n") and not (tmp_path / "new").exists()


def test_more_training_pictures_are_asked_for_by_either_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("course_lib.tools.files.DRAWN", tmp_path)
    assert run("pictures", "--times", 3) == 0
    assert capsys.readouterr().out == "48 training pictures are ready\n"
    asked = []
    monkeypatch.setattr(
        "course_lib.fruit.scene_pictures.training_scenes",
        lambda bar, times: asked.append(times) or SimpleNamespace(x0=range(7 * times)),
    )
    assert run("pictures", "--scenes", "--times", 2) == 0
    assert asked == [2] and capsys.readouterr().out == "14 training pictures are ready\n"


# Logs

LINES = [["100", "8.5", "0.25000", "900"], ["200", "17.0", "0.12500", "905"]]


def table(lines, between=",", point=".", head=train.LOG_HEAD):
    rows = [head, *([cell.replace(".", point) for cell in line] for line in lines)]
    return "\n".join(between.join(row) for row in rows) + "\n"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (table(LINES), True),
        (table(LINES, ";"), True),
        (table(LINES, ";", ","), True),
        (table(LINES, "\t").replace("\n", "\r\n"), True),
        ("\ufeff" + table(LINES, ";", ","), True),
        (table(LINES) + "half a li", False),
        (table(LINES) + "\nmy own remark,,,\n", False),
        (table([[*line, "good"] for line in LINES], head=[*train.LOG_HEAD, "remark"]), False),
        ("", False),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_log_is_read_however_a_spreadsheet_saved_it_or_put_aside(tmp_path, capsys, text, whole, encoding):
    assert run(*TRAIN, "--steps", 2, "--out", tmp_path) == 0
    log = tmp_path / "log.csv"
    log.write_text(text, encoding=encoding)
    before = log.read_bytes()
    found, all_read = train.logged(log, 150)
    whole = whole and encoding == "utf-8"
    assert all_read == whole and (found == LINES[:1] or not whole)
    (tmp_path / "log-1.csv").write_text("another", encoding="utf-8")
    capsys.readouterr()
    assert run("train", "--steps", 3, "--out", tmp_path, "--resume") == 0
    assert (
        list(csv.reader(log.open(encoding="utf-8")))[0] == train.LOG_HEAD
        and (tmp_path / "log-1.csv").read_text(encoding="utf-8") == "another"
    )
    if whole:
        assert not (tmp_path / "log-2.csv").exists()
    else:
        assert (tmp_path / "log-2.csv").read_bytes() == before and "It is log-2.csv now" in capsys.readouterr().err


def test_a_log_that_was_there_before_the_run_is_put_aside(tmp_path):
    (tmp_path / "log.csv").write_text("mine", encoding="utf-8")
    assert run(*TRAIN, "--steps", 1, "--out", tmp_path) == 0
    assert (tmp_path / "log-1.csv").read_text(encoding="utf-8") == "mine"


def test_asking_once_more_while_a_command_ends_does_not_stop_it(monkeypatch, capsys):
    def asks(*_):
        os.kill(os.getpid(), signal.SIGINT)

    told = cli.note
    monkeypatch.setattr(cli, "_run", asks)
    monkeypatch.setattr(cli, "note", lambda text: (asks(), told(text)))
    assert run("draw", "apple") == 130
    assert capsys.readouterr().err == "stopped\n"


def test_what_a_killed_run_left_half_written_is_cleared_away_and_nothing_else(tmp_path):
    left = (".run-0123abcd.safetensors", ".denoiser-89abcdef.safetensors", ".log-00000000.csv", ".tmpZWhFwI")
    mine = (".mine-0123abcd.safetensors", ".runs", "run-0123abcd.safetensors", ".tmp")
    for name in (*left, *mine):
        (tmp_path / name).write_text("half a fi", encoding="utf-8")
    assert run(*TRAIN, "--steps", 1, "--out", tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == {*mine, *FILES}


# One process imports all and forks the runs, so that a start takes a moment. Each but the first and the last is ended
# by the system within 60 ms of its first step, wherever it is just then: it saves every 10 ms.
KILLED = """
import os, random, signal, sys

import torch

torch.set_num_threads(1)
from course_lib.beyond import attention, distill, enlarge, quick
from course_lib.commands import main, train
from course_lib.fruit import pictures, scene_pictures, worlds
from course_lib.own import folder
from course_lib.tools import bars, runs
from course_lib.train import Run
from course_lib.weights import store

COMMAND = "train --folder houses --channels 8 --batch-size 8 --steps 200 --precision float32 --out".split()
update, chance = Run.update, random.Random(0)


def status(out, *more, after=0.0):
    if child := os.fork():
        return os.waitpid(child, 0)[1]
    if after:
        runs.FIRST_SAVE = runs.SAVE_EVERY = 0.01
        def timed(*args, **how):
            Run.update = update
            signal.setitimer(signal.ITIMER_REAL, after)
            return update(*args, **how)
        Run.update = timed
    os._exit(main.main([*COMMAND, out, *more]))


assert status("whole") == 0
for _ in range(20):
    resume = ["--resume"] * os.path.exists("killed/run.safetensors")
    assert os.WIFSIGNALED(status("killed", *resume, after=chance.uniform(0.001, 0.06))), "it came to its end"
assert status("killed", "--resume") == 0
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_that_is_killed_twenty_times_is_the_run_that_was_not(tmp_path):
    write_folder(tmp_path / "houses", per_caption=1)
    done = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert sorted(path.name for path in killed.iterdir()) == sorted(path.name for path in whole.iterdir()) == FILES
    assert same(tensors(whole), tensors(killed))
    logs = [list(csv.reader((folder / "log.csv").open(encoding="utf-8"))) for folder in (whole, killed)]
    steps = [[row[0] for row in log] for log in logs]
    assert steps[0] == steps[1] == ["step", *(str(step) for step in (100, 200))]
