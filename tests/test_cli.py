import csv
import inspect
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import sample, weights
from course_lib.beyond.enlarge import Enlarger, enlarge, noise_beside
from course_lib.classroom import broken
from course_lib.commands import generate
from course_lib.commands import main as cli
from course_lib.fruit.words import COLOURS, HELD_OUT_PAIRS, KINDS, SCENE_BACKGROUNDS, TRAINING_PAIRS
from course_lib.fruit.worlds import FRUIT
from course_lib.judging.counts import by_pair
from course_lib.judging.fruit_exam import HELD_OUT, by_group
from course_lib.judging.judge import Judge
from course_lib.judging.panel import Panel, panel_on_drawings, train_panel
from course_lib.model import Denoiser, encode_for
from course_lib.own.folder import open_folder
from course_lib.own.houses import write_folder
from course_lib.tools.files import read_tensors, write_tensors
from course_lib.tools.pixels import to_image
from course_lib.train import Run, random_batches, train
from course_lib.weights import load_panel, panel_error

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ["draw", "generate", "read", "export", "train", "evaluate", "pictures", "judge", "broken", "distill"]
TinyDenoiser = partial(Denoiser, **FRUIT.settings(), channels=(8, 16), width=32)
TRAIN = ("train", "--channels", 8, 16)


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def refused(capsys, *arguments):
    """The one line on standard error with which a command refuses its input."""
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.endswith("\n")
    return said.err


def refused_by_the_parser(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    said = capsys.readouterr()
    assert stop.value.code == 2 and said.out == "" and "Traceback" not in said.err
    return said.err


@pytest.fixture
def denoiser_file(tmp_path):
    torch.manual_seed(0)
    weights.save(TinyDenoiser(), tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def stop_after(step, monkeypatch):
    """Have the next training interrupted after some steps, as ctrl-C does."""

    def interrupted(*args, **options):
        for report in train(*args, **options):
            yield report
            if report.step == step:
                raise KeyboardInterrupt

    monkeypatch.setattr("course_lib.train.train", interrupted)


# draw


def test_draw_writes_a_picture_of_the_size_asked_for(tmp_path, capsys):
    out = tmp_path / "new folder" / "apple.png"
    assert run("draw", "a small red apple", "--size", 64, "--out", out) == 0
    assert Image.open(out).size == (64, 64) and Image.open(out).format == "PNG"
    said = capsys.readouterr()
    assert said.out == f"{out}\n" and said.err == ""
    assert list(out.parent.iterdir()) == [out]


def test_draw_draws_the_same_for_the_same_seed_and_what_the_words_say(tmp_path):
    def drawn(seed, caption="a green banana"):
        assert run("draw", caption, "--size", 32, "--seed", seed, "--out", tmp_path / "out.png") == 0
        return (tmp_path / "out.png").read_bytes()

    assert drawn(1) == drawn(1)
    assert len({drawn(1), drawn(2), drawn(1, "a red banana")}) == 3


BAD_CAPTIONS = [
    ("bananna", '"bananna". Did you mean "a banana"?'),
    ("a gren apple", '"gren". Did you mean "a green apple"?'),
    ("🥭", "mango"),
    ("красное яблоко", "красное"),
    ("", "holds no word"),
    ("   ", "holds no word"),
    ("red\napple\nblu", '"blu"'),
    ("red green apple", 'one colour, and this one has two: red and green. Did you mean "a red apple"?'),
    ("x" * 10_000, "too long"),
    ("red " * 3_000, "too long"),
]


@pytest.mark.parametrize("command", ["draw", "generate"])
@pytest.mark.parametrize(("caption", "named"), BAD_CAPTIONS)
def test_a_bad_caption_is_refused_in_one_line_and_no_file_is_touched(tmp_path, capsys, command, caption, named):
    old, new = tmp_path / "old.png", tmp_path / "new.png"
    old.write_bytes(b"old")
    for out in (old, new):
        line = refused(capsys, command, caption, "--out", out)
        assert named in line and len(line) < 2_000
    assert list(tmp_path.iterdir()) == [old] and old.read_bytes() == b"old"


def test_a_file_that_cannot_be_written_is_named_in_one_line(tmp_path, capsys):
    assert str(tmp_path) in refused_by_the_parser(capsys, "draw", "apple", "--size", 8, "--out", tmp_path)
    (tmp_path / "file").touch()
    assert "file" in refused(capsys, "draw", "apple", "--size", 8, "--out", tmp_path / "file" / "below.png")


# generate


def test_generate_writes_pictures_and_shows_progress_on_standard_error_only(tmp_path, capsys, denoiser_file):
    def size(count):
        out = tmp_path / f"{count}.png"
        assert (
            run("generate", "green banana", "--weights", denoiser_file, "--out", out, "--steps", 2, "--count", count)
            == 0
        )
        said = capsys.readouterr()
        assert said.out == f"{out}\n" and "step" in said.err
        return Image.open(out).size

    assert size(1) == (256, 256)
    assert size(3) == (3 * 272 - 16, 256)
    assert size(9) == (8 * 272 - 16, 2 * 272 - 16)


def test_generate_makes_a_film(tmp_path, denoiser_file):
    out = tmp_path / "film.png"
    arguments = ["generate", "red apple", "--weights", denoiser_file, "--out", out, "--film"]
    assert run(*arguments, "--steps", 1) == 0
    short = Image.open(out).size
    assert run(*arguments, "--steps", 5) == 0
    long = Image.open(out).size
    assert long[0] > 2 * short[0] and long[0] > 2 * long[1]


@pytest.mark.parametrize("ending", [".gif", ".webp"])
@pytest.mark.parametrize("steps", [1, 7, 120])
def test_a_film_that_moves_takes_four_seconds_whatever_its_steps(tmp_path, denoiser_file, ending, steps):
    torch.manual_seed(1)
    model = weights.load_denoiser(denoiser_file)
    weights.save(awake(model), denoiser_file)
    out = tmp_path / f"film{ending}"
    options = ["--weights", denoiser_file, "--out", out, "--film", "--steps", steps, "--guidance", 1]
    assert run("generate", "red apple", *options) == 0
    film, times = Image.open(out), []
    for frame in range(film.n_frames):
        film.seek(frame)
        film.load()
        times.append(film.info["duration"])
    assert film.format == ending[1:].upper() and sum(times) == 4000 and len(times) == min(steps + 1, 76)


@pytest.mark.parametrize(("ending", "kind"), [(".png", "PNG"), (".jpg", "JPEG"), (".JPEG", "JPEG"), (".webp", "WEBP")])
@pytest.mark.parametrize("command", ["draw apple --size 16", "generate apple --steps 1", "generate apple --film"])
def test_the_ending_of_a_file_says_its_format(tmp_path, denoiser_file, command, ending, kind):
    out = tmp_path / f"picture{ending}"
    own = ["--weights", denoiser_file] if command.startswith("generate") else []
    assert run(*command.split(), *own, "--out", out) == 0
    assert Image.open(out).format == kind


@pytest.mark.parametrize(
    ("command", "name", "named"),
    [
        ("draw apple", "x.bmp", ".png, .jpg, .jpeg or .webp"),
        ("draw apple", "x", "ends in"),
        ("draw apple", "x.gif", "A picture can be"),
        ("generate apple", "x.gif", "A picture can be"),
        ("generate apple", "x.safetensors", ".webp, not"),
        ("generate apple --film", "x.mp4", "A film can be a file that ends in .png, .jpg, .jpeg, .webp or .gif"),
        ("evaluate --scenes", "x.txt", "A picture can be"),
    ],
)
def test_other_formats_are_refused_before_any_work(tmp_path, capsys, monkeypatch, command, name, named):
    monkeypatch.setattr("course_lib.weights.store.load", None)  # must not be asked for
    option = "--wrong" if command.startswith("evaluate") else "--out"
    assert named in refused(capsys, *command.split(), option, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_generate_makes_the_same_for_the_same_seed(tmp_path, denoiser_file):
    def made(*options):
        assert (
            run("generate", "apple", "--weights", denoiser_file, "--steps", 1, "--out", tmp_path / "o.png", *options)
            == 0
        )
        return (tmp_path / "o.png").read_bytes()

    model = weights.load_denoiser(denoiser_file)
    torch.manual_seed(1)
    weights.save(awake(model), denoiser_file)
    assert made("--seed", 1) == made("--seed", 1)
    assert len({made("--seed", 1), made("--seed", 2), made("--seed", 1, "--guidance", -3)}) == 3


@pytest.fixture
def enlarger_file(tmp_path, monkeypatch):
    """A small network that enlarges, in place of the shipped one."""
    torch.manual_seed(0)
    network = awake(Enlarger(channels=(8,), width=16))
    weights.save(network, tmp_path / "enlarger.safetensors")
    monkeypatch.setattr(generate, "ENLARGER", tmp_path / "enlarger.safetensors")
    return tmp_path / "enlarger.safetensors"


def awake(network):
    """The network, answering with something of its own; a fresh one answers with one grey."""
    for parameter in network.requires_grad_(False).parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape))
    return network


def written(path, side, count=1):
    """The pictures of a row in a file as it is always written, each 256 pixels wide: (side, side, 3) each."""
    sheet = np.asarray(Image.open(path))
    assert sheet.shape == (256, 272 * count - 16, 3)
    parts = [sheet[:, i * 272 : i * 272 + 256][:: 256 // side, :: 256 // side] for i in range(count)]
    assert np.array_equal(sheet[:, :256], np.kron(parts[0], np.ones((256 // side, 256 // side, 1))))
    return parts


@pytest.mark.parametrize("steps", [3, 4], ids=["many steps", "few steps"])
@pytest.mark.parametrize(("options", "side"), [([], 128), (["--size", 128], 128), (["--size", 32], 32)])
def test_pictures_are_enlarged_unless_the_small_ones_are_asked_for(
    tmp_path, capsys, enlarger_file, options, side, steps
):
    torch.manual_seed(1)
    model = awake(TinyDenoiser(steps=steps, guidance_scale=1.0 if steps == 4 else 2.0))
    weights.save(model, tmp_path / "d.safetensors")
    tokens = encode_for(model, ["a red apple"] * 2)
    small = sample.generate(model, tokens, generator=torch.Generator().manual_seed(5))
    large = enlarge(weights.load_enlarger(enlarger_file), small, generator=noise_beside(5))
    for count in (1, 2):
        arguments = [
            "--weights",
            tmp_path / "d.safetensors",
            "--seed",
            5,
            "--count",
            count,
            "--out",
            tmp_path / "o.png",
        ]
        assert run("generate", "a red apple", *arguments, *options) == 0
        assert "Without" not in capsys.readouterr().err
        for found, x in zip(written(tmp_path / "o.png", side, count), {32: small, 128: large}[side], strict=False):
            assert np.abs(found - to_image(x).astype(float)).max() <= 1  # whatever others are made with it


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("apple --size 48", "32 or 128 pixels, not of 48. Give --size 32 or --size 128, or none."),
        ("apple --size 64", "32 or 128 pixels, not of 64"),
        ("apple pear --size 256", "32 or 128 pixels, not of 256"),
        ("'a red apple and a pear' --size 128", "64 or 256 pixels, not of 128"),
        ("apple --film --size 128", "A film shows pictures of 32 pixels, not of 128. Give --size 32, or none."),
    ],
)
def test_a_size_that_no_picture_has_is_refused_before_any_work(tmp_path, capsys, monkeypatch, command, told):
    monkeypatch.setattr("course_lib.weights.store.load", None)  # must not be asked for
    assert told in refused(capsys, "generate", *shlex.split(command), "--out", tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("settings", [dict(world=""), dict(size=16)], ids=["own words", "another size"])
def test_a_network_of_another_kind_has_its_own_size_only(tmp_path, capsys, monkeypatch, settings):
    monkeypatch.setattr(generate, "ENLARGER", tmp_path / "none.safetensors")  # must not be missed
    network = Denoiser(**FRUIT.settings() | dict(channels=(8,), width=16) | settings)
    size = network.config["size"]
    weights.save(network, tmp_path / "own.safetensors")
    arguments = ["generate", "apple", "--weights", tmp_path / "own.safetensors", "--steps", 1]
    for options in ([], ["--size", size]):
        assert run(*arguments, *options, "--out", tmp_path / "x.png") == 0
        written(tmp_path / "x.png", size)
        assert "Without" not in capsys.readouterr().err
    (tmp_path / "x.png").unlink()
    line = refused(capsys, *arguments, "--size", 4 * size, "--out", tmp_path / "x.png")
    assert f"makes pictures of {size} pixels, not of {4 * size}. Give --size {size}, or none." in line
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda path: path.unlink(), "There is no file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "is cut short, damaged"),
        (lambda path: path.write_bytes(b""), "is cut short, damaged"),
        (lambda path: torch.save({}, path), "is a pickle"),
        (lambda path: weights.save(Judge(width=8), path), "holds a Judge"),
        (lambda path: path.unlink() or path.mkdir(), "is a folder"),
    ],
    ids=["missing", "short", "empty", "pickle", "another", "folder"],
)
def test_without_what_enlarges_a_picture_stays_small_unless_it_was_asked_for(
    tmp_path, capsys, denoiser_file, enlarger_file, harm, told
):
    harm(enlarger_file)
    arguments = ["generate", "apple", "--weights", denoiser_file, "--steps", 1, "--out", tmp_path / "x.png"]
    line = refused(capsys, *arguments, "--size", 128)
    assert told in line and str(enlarger_file) in line and line.endswith("Without it: --size 32.\n")
    assert not (tmp_path / "x.png").exists()
    for options in (["--size", 32], ["--film"], []):
        assert run(*arguments, *options) == 0
        said = capsys.readouterr()
        first = said.err.splitlines()[0] if said.err else ""
        assert said.out == f"{tmp_path / 'x.png'}\n"
        assert (told in first and "Without it the pictures stay 32 pixels wide." in first) == (options == [])
    written(tmp_path / "x.png", 32)


def test_weights_that_are_missing_or_a_pickle_are_refused(tmp_path, capsys):
    path = tmp_path / "weights.safetensors"
    options = ["generate", "red apple", "--out", tmp_path / "o.png", "--weights", path]
    assert f"There is no file {path}" in refused(capsys, *options)
    torch.save({"weight": torch.ones(1)}, path)
    assert "is a pickle" in refused(capsys, *options)
    weights.save(Judge(width=8), path)
    assert "holds a Judge, but a Denoiser or a SceneDenoiser is needed" in refused(capsys, *options)
    assert list(tmp_path.iterdir()) == [path]


# train


def test_training_leaves_a_run_a_log_and_weights(tmp_path, capsys, small_training):
    out = tmp_path / "run"
    assert run(*TRAIN, "--steps", 100, "--out", out, "--learning-rate", 0.001) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{out / 'denoiser.safetensors'}: 100 steps,") and said.out.count("\n") == 1
    assert sorted(p.name for p in out.iterdir()) == ["denoiser.safetensors", "log.csv", "run.safetensors"]
    head, line = csv.reader((out / "log.csv").open(encoding="utf-8"))
    assert head == ["step", "seconds", "loss", "pictures per second"]
    assert line[0] == "100" and all(float(value) > 0 for value in line)
    assert weights.load_denoiser(out / "denoiser.safetensors").config == TinyDenoiser(width=64).config
    about = read_tensors(out / "denoiser.safetensors")[1]["about"]
    assert about["steps"] == 100 and about["seed"] == 0 and "--steps 100" in about["command"]


def test_training_does_not_overwrite_a_run(tmp_path, capsys, small_training):
    assert run(*TRAIN, "--steps", 1, "--out", tmp_path) == 0
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    capsys.readouterr()
    assert "exists already. Add --resume" in refused(capsys, "train", "--steps", 1, "--out", tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_stopped_training_that_is_resumed_reaches_the_same_weights(tmp_path, capsys, monkeypatch, small_training):
    def tensors(name):
        return [read_tensors(tmp_path / name / file)[0] for file in ("denoiser.safetensors", "run.safetensors")]

    assert run(*TRAIN, "--steps", 6, "--seed", 3, "--out", tmp_path / "straight") == 0
    stop_after(3, monkeypatch)
    assert run(*TRAIN, "--steps", 6, "--seed", 3, "--out", tmp_path / "halted") == 130
    assert "stopped" in capsys.readouterr().err
    assert read_tensors(tmp_path / "halted" / "run.safetensors")[0]["step"] == 3
    monkeypatch.setattr("course_lib.train.train", train)
    assert run(*TRAIN, "--steps", 6, "--seed", 3, "--out", tmp_path / "halted", "--resume") == 0
    for straight, halted in zip(tensors("straight"), tensors("halted"), strict=True):
        assert straight.keys() == halted.keys()
        assert all(torch.equal(straight[name], halted[name]) for name in straight if name != "seconds")


def test_ctrl_c_finishes_the_step_under_way(tmp_path, monkeypatch, small_training, heard):
    update = Run.update

    def interrupted(run, *args, **options):
        if run.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        update(run, *args, **options)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Run, "update", interrupted)
    assert run(*TRAIN, "--steps", 6, "--out", tmp_path / "halted") == 130
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.undo()
    assert read_tensors(tmp_path / "halted" / "run.safetensors")[0]["step"] == 3


def test_after_an_error_what_was_saved_before_is_left_alone(tmp_path, capsys, monkeypatch, small_training):
    def failing(*args, **options):
        yield from train(*args, **options)
        raise ValueError("The loss became nan")

    assert run(*TRAIN, "--steps", 2, "--out", tmp_path) == 0
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    monkeypatch.setattr("course_lib.train.train", failing)
    assert run(*TRAIN, "--steps", 4, "--out", tmp_path, "--resume") == 2
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before
    assert run(*TRAIN, "--steps", 4, "--out", tmp_path / "new") == 2
    assert not (tmp_path / "new").exists()


def test_a_run_is_resumed_with_its_learning_rate_or_with_a_new_one(tmp_path, small_training):
    def learning_rate(*options):
        assert run(*TRAIN, "--out", tmp_path, *options) == 0
        return read_tensors(tmp_path / "run.safetensors")[0]["learning_rate"].item()

    assert learning_rate("--steps", 1, "--learning-rate", 0.003) == 0.003
    assert learning_rate("--steps", 2, "--resume") == 0.003
    assert learning_rate("--steps", 3, "--resume", "--learning-rate", 0.001) == 0.001


@pytest.mark.slow
def test_the_log_goes_on_when_training_is_resumed(tmp_path, monkeypatch, small_training):
    stop_after(150, monkeypatch)
    assert run(*TRAIN, "--steps", 200, "--out", tmp_path) == 130
    monkeypatch.setattr("course_lib.train.train", train)
    assert run(*TRAIN, "--steps", 200, "--out", tmp_path, "--resume") == 0
    assert [line[0] for line in csv.reader((tmp_path / "log.csv").open(encoding="utf-8"))] == ["step", "100", "200"]


@pytest.mark.slow
def test_a_damaged_line_of_the_log_is_left_out(tmp_path, small_training):
    assert run(*TRAIN, "--steps", 100, "--out", tmp_path) == 0
    with (tmp_path / "log.csv").open("a", encoding="utf-8") as file:
        file.write("\n\nhalf a li")
    assert run(*TRAIN, "--steps", 200, "--out", tmp_path, "--resume") == 0
    assert [line[0] for line in csv.reader((tmp_path / "log.csv").open(encoding="utf-8"))] == ["step", "100", "200"]


def test_training_stops_after_its_minutes(tmp_path, capsys, small_training):
    assert run(*TRAIN, "--minutes", 0.01, "--out", tmp_path) == 0
    assert 0.6 <= read_tensors(tmp_path / "run.safetensors")[0]["seconds"] < 5


def test_there_must_be_a_fitting_run_to_resume(tmp_path, capsys, small_training):
    line = refused(capsys, "train", "--steps", 1, "--out", tmp_path, "--resume")
    assert "There is no" in line and "to resume" in line and list(tmp_path.iterdir()) == []
    assert run(*TRAIN, "--steps", 1, "--out", tmp_path) == 0
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    capsys.readouterr()
    line = refused(capsys, *TRAIN, "--steps", 2, "--patch", 2, "--out", tmp_path, "--resume")
    assert "was begun with --patch 4, and cannot go on with --patch 2" in line
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_run_goes_on_in_the_precision_that_it_was_begun_in(tmp_path, capsys, monkeypatch, small_training):
    monkeypatch.setattr("course_lib.tools.processor.precision", lambda: "bfloat16")
    assert run(*TRAIN, "--steps", 1, "--out", tmp_path) == 0
    assert "Computing in bfloat16 with" in capsys.readouterr().err
    monkeypatch.setattr("course_lib.tools.processor.precision", lambda: "float32")  # as if on another machine
    line = refused(capsys, *TRAIN, "--steps", 2, "--precision", "float32", "--out", tmp_path, "--resume")
    assert "was begun with --precision bfloat16, and cannot go on with --precision float32" in line
    assert run(*TRAIN, "--steps", 2, "--out", tmp_path, "--resume") == 0
    assert "Computing in bfloat16, slowly: this processor has no instructions for it" in capsys.readouterr().err
    tensors, said = read_tensors(tmp_path / "run.safetensors")
    assert said["about"]["precision"] == "bfloat16"
    assert {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()} == {torch.float32, torch.float64}
    assert run(*TRAIN, "--steps", 1, "--out", tmp_path / "new") == 0
    assert "Computing in float32 with" in capsys.readouterr().err


def test_a_run_from_before_it_said_its_precision_goes_on_in_float32(tmp_path, capsys, monkeypatch, small_training):
    assert run(*TRAIN, "--steps", 1, "--precision", "float32", "--out", tmp_path) == 0
    tensors, said = read_tensors(tmp_path / "run.safetensors")
    del said["about"]["precision"]
    write_tensors(tmp_path / "run.safetensors", tensors, said)
    monkeypatch.setattr("course_lib.tools.processor.precision", lambda: "bfloat16")
    assert run(*TRAIN, "--steps", 2, "--out", tmp_path, "--resume") == 0
    assert "Computing in float32 with" in capsys.readouterr().err


def test_training_leaves_a_busy_core_to_others_and_says_so(tmp_path, capsys, monkeypatch, small_training):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr("course_lib.tools.processor.cores_left", lambda: 1.3)
        assert run(*TRAIN, "--steps", 1, "--out", tmp_path) == 0
        assert torch.get_num_threads() == 1
        assert "with 1 thread: other programs leave 1.3 cores." in capsys.readouterr().err
    finally:
        torch.set_num_threads(before)


def test_shuffled_captions_are_the_same_captions_on_other_pictures(tmp_path, monkeypatch, small_training):
    seen = {}

    def spy(x0, tokens, generator, *, name, flip, batch_size):
        seen[name] = tokens
        return random_batches(x0, tokens, generator, batch_size=4, flip=flip)

    for name, options in {"true": [], "shuffled": ["--shuffle-captions"], "again": ["--shuffle-captions"]}.items():
        monkeypatch.setattr("course_lib.train.random_batches", partial(spy, name=name))
        assert run(*TRAIN, "--steps", 1, "--out", tmp_path / name, *options) == 0
    true = small_training
    assert torch.equal(seen["true"], true) and not torch.equal(seen["shuffled"], true)
    assert torch.equal(seen["shuffled"], seen["again"])
    assert sorted(seen["shuffled"].tolist()) == sorted(true.tolist())
    about = read_tensors(tmp_path / "shuffled" / "denoiser.safetensors")[1]["about"]
    assert "--shuffle-captions" in about["command"]


# broken


def test_broken_trains_a_healthy_run_and_seven_others(tmp_path, capsys, monkeypatch, small_training):
    for name, fault in broken.FAULTS.items():
        network = broken.RandomLayer if name == "random layer in forward" else lambda denoiser: denoiser
        fault = fault._replace(network=lambda network=network: network(TinyDenoiser()))
        monkeypatch.setitem(broken.FAULTS, name, fault)
    monkeypatch.setattr(broken, "HEALTHY", broken.HEALTHY._replace(network=TinyDenoiser))
    monkeypatch.setattr(broken, "random_batches", partial(random_batches, batch_size=4))
    monkeypatch.setattr(broken, "generate", partial(broken.generate, steps=2))
    assert run("broken", "--steps", 2, "--out", tmp_path / "broken.safetensors") == 0
    assert capsys.readouterr().out.endswith("a healthy run and 7 broken ones, 2 steps each\n")
    runs = broken.load(tmp_path / "broken.safetensors")
    assert list(runs) == ["healthy", *broken.FAULTS]
    for losses, pictures in runs.values():
        assert losses.shape == (2,) and pictures.shape == (16, 3, 32, 32)
    assert torch.equal(runs["healthy"].losses, runs["guidance too high"].losses)
    again = tmp_path / "again.safetensors"
    assert run("broken", "--steps", 2, "--out", again) == 0
    assert again.read_bytes() == (tmp_path / "broken.safetensors").read_bytes()


# a folder of one's own


@pytest.fixture
def folder(tmp_path):
    write_folder(tmp_path / "houses", per_caption=1)
    return tmp_path / "houses"


def test_a_folder_is_trained_on_and_generated_from_in_its_own_words(tmp_path, capsys, small_training, folder):
    out, picture = tmp_path / "run", tmp_path / "o.png"
    assert run(*TRAIN, "--folder", folder, "--steps", 1, "--out", out) == 0
    said = capsys.readouterr()
    assert "Only 24 pictures" in said.err and "1 steps" in said.out
    model = weights.load_denoiser(out / "denoiser.safetensors")
    assert model.vocabulary == open_folder(folder).vocabulary
    options = ["--weights", out / "denoiser.safetensors"]
    assert run("generate", "a red boat at night", *options, "--steps", 1, "--out", picture) == 0
    assert Image.open(picture).size == (256, 256)
    capsys.readouterr()
    line = refused(capsys, "generate", "a green boat", *options, "--out", tmp_path / "no.png")
    assert 'never learned the word "green"' in line and "balloon" in line and "banana" not in line
    assert "those who judge know only the fruit" in refused(capsys, "evaluate", *options)


@pytest.mark.parametrize(
    ("size", "patch", "channels"), [(32, 4, [48, 96]), (64, 4, [48, 96, 192]), (128, 8, [48, 96, 192])]
)
def test_a_network_is_made_for_the_size_of_its_pictures(tmp_path, capsys, folder, size, patch, channels):
    out, picture = tmp_path / "run", tmp_path / "o.png"
    options = "train", "--steps", 1, "--batch-size", 2, "--size", size, "--fit", "pad", "--out", out
    assert run(*options, "--folder", folder) == 0
    assert "Their longer sides: " in capsys.readouterr().err
    model = weights.load_denoiser(out / "denoiser.safetensors")
    assert [model.config[name] for name in ("size", "patch", "channels")] == [size, patch, channels]
    assert run("generate", "a boat", "--weights", out / "denoiser.safetensors", "--steps", 1, "--out", picture) == 0
    small = Image.open(picture).resize((size, size), Image.Resampling.NEAREST)
    assert np.array_equal(small.resize(Image.open(picture).size, Image.Resampling.NEAREST), Image.open(picture))
    assert run("train", "--resume", "--steps", 2, "--out", out) == 0
    capsys.readouterr()
    assert "was begun with --fit pad, and cannot go on with --fit crop" in refused(
        capsys, "train", "--resume", "--fit", "crop", "--steps", 3, "--out", out
    )


def test_the_size_of_what_is_drawn_cannot_be_chosen(tmp_path, capsys):
    line = refused(capsys, "train", "--size", 64, "--steps", 1, "--out", tmp_path / "run")
    assert "Only pictures of your own need that. Add --folder, or leave out --size." in line
    with pytest.raises(SystemExit):
        run("train", "--folder", tmp_path, "--size", 48, "--steps", 1)
    assert "invalid choice: 48 (choose from 32, 64, 128)" in capsys.readouterr().err


def test_pictures_are_mirrored_only_where_that_is_asked_for(tmp_path, monkeypatch, small_training, folder):
    asked = []

    def spy(*drawn, generator, flip, batch_size):
        asked.append(flip)
        return random_batches(*drawn, generator, flip=flip, batch_size=batch_size)

    monkeypatch.setattr("course_lib.train.random_batches", spy)
    for name, options in (("a", []), ("b", ["--flip"])):
        assert run(*TRAIN, "--folder", folder, "--steps", 1, "--out", tmp_path / name, *options) == 0
    assert asked == [False, True]


def test_scenes_are_not_mirrored_since_their_captions_say_left_and_right(tmp_path, capsys):
    assert "Leave out --flip" in refused(capsys, "train", "--scenes", "--flip", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_is_resumed_with_its_own_folder_only(tmp_path, capsys, small_training, folder):
    options = [*TRAIN, "--steps", 2, "--out", tmp_path / "run"]
    assert run(*options, "--folder", folder) == 0
    assert run(*options, "--folder", folder, "--resume") == 0
    assert run(*options, "--resume") == 0
    capsys.readouterr()
    assert "cannot go on with --scenes" in refused(capsys, *options, "--resume", "--scenes")
    folder = folder.rename(folder.with_name("homes"))
    assert run(*options, "--folder", folder, "--resume") == 0
    captions = folder / "captions.csv"
    captions.write_text(captions.read_text(encoding="utf-8").replace(" boat ", " ship "), encoding="utf-8")
    assert run(*options, "--folder", folder, "--resume") == 2
    assert "on other captions. Since it began, the vocabulary of the folder grew by ship and lost boat." in (
        capsys.readouterr().err
    )


def test_a_bad_folder_trains_nothing(tmp_path, capsys, small_training, folder):
    (folder / "captions.csv").write_text("file,caption\nno.png,a red house\n", encoding="utf-8")
    assert run(*TRAIN, "--folder", folder, "--steps", 1, "--out", tmp_path / "run") == 2
    said = capsys.readouterr()
    assert "25 things to mend" in said.err and "Traceback" not in said.err and not (tmp_path / "run").exists()
    assert "There is no folder" in refused(capsys, "train", "--folder", tmp_path / "none", "--steps", 1)


# evaluate, pictures


@pytest.fixture
def untrained(monkeypatch, small_panel):
    torch.manual_seed(0)
    monkeypatch.setattr("course_lib.weights.shipped.load_denoiser", lambda: TinyDenoiser(channels=(8,)))
    monkeypatch.setattr("course_lib.weights.shipped.load_judge", lambda: Judge(width=8))


def test_evaluate_prints_one_json_object_and_nothing_else(capsys, untrained):
    assert run("evaluate", "--json", "--steps", 1, "--per-pair", 1) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert said.out.count("\n") == 1
    assert found.pop("worst held-out pair") in HELD_OUT
    assert list(found) == ["panel", "panel on fresh drawings", "one judge alone, lenient"]
    for who, of in (("panel", 1), ("one judge alone, lenient", 1), ("panel on fresh drawings", 1)):
        seen = len(TRAINING_PAIRS) * (1 if "fresh" in who else 8)
        wanted = {"held_out": of * len(HELD_OUT_PAIRS), "seen": seen} | dict.fromkeys(HELD_OUT, of)
        assert {name: score["of"] for name, score in found[who].items()} == wanted
    for score in (score for scores in found.values() for score in scores.values()):
        low, high = score["interval"]
        assert 0 <= low <= score["right"] / score["of"] <= high <= 1


def test_evaluate_prints_a_line_for_each_count_and_names_the_worst_pair(capsys, monkeypatch, untrained):
    wrong = 3  # of the held-out pairs: the panel does not agree

    def score_pairs(judge, pictures, pairs):
        return by_pair([pair != HELD_OUT_PAIRS[wrong] or isinstance(judge, Judge) for pair in pairs], pairs)

    monkeypatch.setattr("course_lib.judging.fruit_exam.score_pairs", score_pairs)
    assert run("evaluate", "--steps", 1, "--per-pair", 2) == 0
    *lines, worst, lenient = capsys.readouterr().out.splitlines()
    assert [line[:20].strip() for line in lines] == ["held_out", "seen", *HELD_OUT]
    assert all("right, 95 % interval" in line for line in lines)
    assert lines[0].endswith("; fresh drawings: 8 of 8") and "14 of    16 right" in lines[0]
    assert worst == f"The worst held-out pair: {HELD_OUT[wrong]}, 0 of 2 right."
    assert lenient.startswith("One judge alone, who is lenient: held_out 16 of 16, seen 448 of 448, green banana 2 of")


def test_evaluate_without_a_panel_says_which_command_makes_one(capsys, monkeypatch, untrained, tmp_path):
    missing = tmp_path / "panel.safetensors"
    monkeypatch.setattr("course_lib.weights.shipped.load_panel", lambda: load_panel(missing))
    said = f"There is no file {missing}. `python -m course_lib judge --panel --out {missing}` makes it."
    assert said in refused(capsys, "evaluate")


def test_the_panel_that_judge_makes_tells_how_it_did_on_fresh_drawings(tmp_path, capsys, monkeypatch):
    seats = {"a": dict(width=8), "crisp": dict(build="apart", width=8, side=128)}
    small = partial(Panel, seats)
    counting, training = partial(panel_on_drawings, count=128), partial(train_panel, per_pair=1)
    for name, work in (("Panel", small), ("train_panel", training), ("panel_on_drawings", counting)):
        monkeypatch.setattr(f"course_lib.judging.panel.{name}", work)
    out = tmp_path / "panel.safetensors"
    assert run("judge", "--panel", "--steps", 1, "--out", out) == 0
    lines = capsys.readouterr().out.splitlines()
    names = ["32 pixels: a", "32 pixels: all", "128 pixels: a", "128 pixels: crisp", "128 pixels: all"]
    assert [line.partition("kind and colour, ")[2] for line in lines] == names
    found, panel = panel_error(out), load_panel(out)
    assert found == panel_on_drawings(panel, count=128)
    assert list(by_group(found)) == ["held_out", "seen", *HELD_OUT]
    weights.save(panel, out)
    with pytest.raises(ValueError, match=r"does not tell how often .* `python -m course_lib judge --panel` makes one"):
        panel_error(out)


def test_pictures_says_how_many_are_ready(capsys, small_training):
    assert run("pictures") == 0
    assert capsys.readouterr().out == "16 training pictures are ready\n"


# all commands


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("draw apple --out", "file"),
        ("judge --out", "file"),
        ("broken --out", "file"),
        ("distill --out", "file"),
        ("evaluate --scenes --wrong", "file"),
        ("train --out", "folder"),
    ],
)
def test_a_result_that_could_not_be_written_is_refused_before_the_work(tmp_path, capsys, monkeypatch, command, wanted):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("course_lib.fruit.pictures.training_pictures", None)  # must not be asked for
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    wrong = "folder" if wanted == "file" else "file"
    *_, option = command.split()
    assert f"{option}: {wrong} is a {wrong}. Name a {wanted}." in refused_by_the_parser(capsys, *command.split(), wrong)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept" and list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        "generate apple --steps 0",
        "generate apple --steps 1001",
        "generate apple --steps 2.5",
        "generate apple --guidance nan",
        "generate apple --guidance inf",
        "generate apple --guidance much",
        "generate apple --count 0",
        "generate apple --seed -1",
        "evaluate --per-pair 0",
        "draw apple --size 7",
        "draw apple --size 1025",
        "draw apple --size big",
        "train --steps 0",
        "train --minutes 0",
        "train --minutes nan",
        "train --learning-rate 0",
        "train --channels 50",
        "generate apple --count=--5",
        "distill --guidance nan",
        "distill --train-steps 0",
    ],
)
def test_a_number_out_of_range_is_refused_with_the_range(tmp_path, capsys, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    *_, option, value = arguments.replace("=", " ").split()
    said = refused_by_the_parser(capsys, *arguments.split())
    assert f"argument {option}: give a " in said and f"not {value!r}" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["paint"], "paint"),
        (["draw"], "caption"),
        (["generate"], "prompt"),
        (["train", "--patch", "3"], "3"),
        (["distill", "--steps", "3"], "choose from 8, 4, 2, 1"),
        (["train", "--steps", "5", "--minutes", "1"], "not allowed with"),
    ],
)
def test_a_wrong_command_line_is_refused(capsys, arguments, named):
    assert named in refused_by_the_parser(capsys, *arguments)


def test_words_without_quotes_are_one_prompt(tmp_path, capsys):
    out = tmp_path / "one.png"
    assert run("draw", "a", "big", "red", "apple", "--size", 16, "--out", out) == 0
    assert Image.open(out).size == (16, 16) and capsys.readouterr().err == "understood as: a large red apple\n"
    assert 'Did you mean "a red apple"?' in refused(capsys, "draw", "red", "appel", "--out", out)


def test_generate_says_what_it_understood(tmp_path, capsys, denoiser_file):
    out = tmp_path / "o.png"
    for typed, told in [("Red, apple!", False), ("a big red apple", True)]:
        assert run("generate", typed, "--weights", denoiser_file, "--steps", 1, "--out", out) == 0
        assert ("understood as: a large red apple\n" in capsys.readouterr().err) == told
    assert "one fruit, not two" in refused(capsys, "generate", "2 pears", "--weights", denoiser_file, "--out", out)


def test_several_captions_make_one_sheet(tmp_path):
    assert run("draw", "a red apple", "a yellow banana", "--size", 16, "--out", tmp_path / "two.png") == 0
    assert Image.open(tmp_path / "two.png").size == (34, 16)


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_names_every_command(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    said = capsys.readouterr()
    assert stop.value.code == 0 and said.err == ""
    assert all(f"\n    {command} " in said.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as stop:
        run(command, "--help")
    said = capsys.readouterr()
    assert stop.value.code == 0 and f"usage: python -m course_lib {command}" in said.out


def test_the_command_line_works_from_a_shell(tmp_path):
    def shell(*arguments):
        options = {"cwd": ROOT, "capture_output": True, "text": True, "encoding": "utf-8", "timeout": 120}
        return subprocess.run([sys.executable, "-m", "course_lib", *arguments], **options)

    out = tmp_path / "pear.png"
    drawn = shell("draw", "a red pear", "--size", "64", "--out", str(out))
    assert (drawn.returncode, drawn.stdout, drawn.stderr) == (0, f"{out}\n", "")
    assert Image.open(out).size == (64, 64)
    bad = shell("draw", "a red 🐱 cat", "--out", str(tmp_path / "bad.png"))
    assert bad.returncode == 2 and bad.stdout == "" and bad.stderr.count("\n") == 1
    assert "never learned the word" in bad.stderr and list(tmp_path.iterdir()) == [out]


# all terminals


def shelled(command, **options):
    options = {"shell": True, "executable": "/bin/bash", "cwd": ROOT, "capture_output": True, "timeout": 120} | options
    return subprocess.run(command.replace("COURSE", f"{shlex.quote(sys.executable)} -m course_lib"), **options)


@pytest.mark.parametrize("command", ["COURSE --help", "COURSE train --help", "COURSE draw 'a red apple' --out OUT"])
def test_a_reader_who_has_seen_enough_ends_no_command_with_a_traceback(tmp_path, command):
    done = shelled(f"{command.replace('OUT', str(tmp_path / 'x.png'))} | true; exit ${{PIPESTATUS[0]}}")
    assert done.stderr == b"" and done.returncode in (0, 141)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_terminal_that_lacks_letters_is_answered_all_the_same(tmp_path, encoding):
    options = dict(env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})
    for command in ("draw", "generate"):
        done = shelled(f"COURSE {command} 'красное яблоко' --out {tmp_path / 'x.png'}", **options)
        assert done.returncode == 2 and b"Traceback" not in done.stderr and b"never learned" in done.stderr
    named = tmp_path / "яблоко.png"
    done = shelled(f"COURSE draw 'a red apple' --size 16 --out '{named}'", **options)
    assert done.returncode == 0 and b"Traceback" not in done.stderr and named.is_file()


@pytest.mark.parametrize(
    ("streams", "status"),
    [
        ("2>&-", 0),
        (">&-", 0),
        (">&- 2>&-", 0),
        ("<&- >&- 2>&-", 0),
        ("2>&1 | true; exit ${PIPESTATUS[0]}", 0),
        ("2> >(true); exit $?", 0),
        (">/dev/full", 1),
        ("2>/dev/full", 0),
    ],
)
@pytest.mark.parametrize("command", ["generate 'a big apple' --weights WEIGHTS --steps 2", "draw 'a big apple'"])
def test_closed_and_broken_streams_end_no_command(tmp_path, denoiser_file, command, streams, status):
    out = tmp_path / "x.png"
    done = shelled(f"COURSE {command.replace('WEIGHTS', str(denoiser_file))} --out {out} {streams}")
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr and b"Error" not in done.stderr
    assert done.returncode == status or "|" in streams and done.returncode == 141
    assert Image.open(out).size[0] == 256


NASTY = "\x1b[31mred\x07\x9b1m\u202e\udcff\r"


@pytest.mark.parametrize(
    "command",
    [
        "draw NASTY",
        "draw apple --out NASTY/x.png",
        "draw apple --out NASTY.bmp",
        "generate NASTY",
        "generate NASTY --weights OWN",
        "generate apple --weights NASTY",
        "generate apple --weights ODD",
        "train --folder NASTY",
        "train --folder FOLDER",
        "train --out NASTY --resume",
        "train --NASTY",
        "train --steps NASTY",
        "distill --weights NASTY",
        "judge --out NASTYFOLDER",
        "NASTY",
    ],
)
def test_no_message_makes_a_terminal_act(tmp_path, capsys, monkeypatch, command, small_training):
    monkeypatch.chdir(tmp_path)
    file, folder, odd = (tmp_path / name for name in ("own.safetensors", "folder", "odd.safetensors"))
    weights.save(Denoiser(("", "a", f"boat{NASTY}"), channels=(8,), width=16), file)
    write_tensors(odd, {}, {"kind": NASTY})
    (tmp_path / NASTY).mkdir()
    (tmp_path / NASTY / "x.png").mkdir()
    folder.mkdir()
    (folder / "captions.csv").write_text(f"file,caption\n{NASTY[:-2]}.png,{NASTY[:-2]}\n", encoding="utf-8")
    words = {"NASTYFOLDER": NASTY, "NASTY": NASTY, "OWN": file, "ODD": odd, "FOLDER": folder}
    arguments = command.split()
    for word, text in words.items():
        arguments = [argument.replace(word, str(text)) for argument in arguments]
    try:
        assert run(*arguments) == 2
    except SystemExit as stop:
        assert stop.code == 2
    said = capsys.readouterr()
    assert said.out == "" and "\\x1b" in said.err
    told = re.sub(r"\r *|\r?drawing[^\r]*|\r? *\d+%\|[^\r]*", "", said.err)  # less the bars
    assert all(c.isprintable() or c == "\n" for c in told)


def test_a_message_never_lists_every_word_of_a_long_vocabulary(tmp_path, capsys):
    words = ("", *(f"word{number}" for number in range(5000)))
    weights.save(Denoiser(words, channels=(8,), width=16), tmp_path / "own.safetensors")
    line = refused(capsys, "generate", "qqq", "--weights", tmp_path / "own.safetensors")
    assert len(line) < 400 and "the 5000 words of its captions" in line


def test_generate_says_when_another_network_than_the_usual_one_draws(tmp_path, capsys):
    told = "drawn by the network of scenes, scene_denoiser.safetensors\n"
    for prompt, scenes in {"an apple on a green background": True, "2 pears": True, "an apple": False}.items():
        assert run("generate", prompt, "--steps", 1, "--out", tmp_path / "x.png") == 0
        assert (told in capsys.readouterr().err) == scenes


def test_words_of_ones_own_without_quotes_are_one_prompt(tmp_path, capsys):
    weights.save(Denoiser(("", "black", "cat", "dog"), channels=(8,), width=16), tmp_path / "own.safetensors")
    options = ["--weights", tmp_path / "own.safetensors", "--steps", 1, "--out", tmp_path / "x.png"]
    for typed in (["black", "cat"], ["black cat"], ["black cat", "dog"], ["cat"]):
        assert run("generate", *typed, *options) == 0
        told = "understood as one prompt: black cat\n" in capsys.readouterr().err
        assert told == (typed == ["black", "cat"])
        assert Image.open(tmp_path / "x.png").size == (256, 528 if "dog" in typed else 256)


@pytest.mark.parametrize("name", ["a b", "$HOME", "it's", 'say "x"', "100 %", "a;b"])
def test_a_folder_may_have_any_name(tmp_path, monkeypatch, name, denoiser_file):
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    assert run("draw", "a red apple", "--size", 16, "--out", "x.png") == 0
    out = tmp_path / name / "deeper" / "y.png"
    assert run("generate", "a red apple", "--steps", 1, "--weights", denoiser_file, "--out", out) == 0
    assert (tmp_path / name / "x.png").is_file() and out.is_file()


def test_no_option_does_nothing():
    """The file of each command reads all of its options, as `args.name` or by their name in quotes."""
    (commands,) = (action for action in cli.parser()._actions if action.dest != "help")
    for name, command in commands.choices.items():
        source = inspect.getsource(sys.modules[f"course_lib.commands.{name}"])
        for option in {action.dest for action in command._actions} - {"help"}:
            assert re.search(rf'args\.{option}\b|"{option}"', source), f"{name}: nothing reads --{option}"


@pytest.mark.parametrize("option", [["--wrong", "x.png"], ["--per-group", "2"], ["--scenes", "--per-pair", "2"]])
def test_an_option_that_would_do_nothing_is_refused(capsys, option):
    assert "--scenes only" in refused(capsys, "evaluate", *option)


def test_a_missing_package_is_named_with_what_brings_it(tmp_path, capsys, monkeypatch, denoiser_file):
    monkeypatch.setitem(sys.modules, "course_lib.classroom.show", None)
    film = ["generate", "a red apple", "--film", "--steps", 1, "--weights", denoiser_file, "--out", tmp_path / "f.png"]
    assert run(*film) == 2 and "pip install 'course-lib[classroom]'" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("command", ["draw", "generate", "read"])
def test_the_help_of_what_takes_prompts_lists_every_word_once(capsys, command):
    with pytest.raises(SystemExit):
        run(command, "--help")
    told = re.findall(r"[a-z]+", capsys.readouterr().out.partition("A prompt asks for")[2])
    words = {*KINDS, *COLOURS, *SCENE_BACKGROUNDS} - {"orange", "green", "blue"}  # those are two things each
    assert all(told.count(word) == 1 for word in words)


def test_a_tilde_is_ones_own_folder_wherever_a_file_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert run("draw", "apple", "--out=~/apple.png") == 0
    assert Image.open(tmp_path / "apple.png").size == (256, 256)
    capsys.readouterr()
    assert str(tmp_path / "no.safetensors") in refused(capsys, "generate", "apple", "--weights=~/no.safetensors")
