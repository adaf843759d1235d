"""No option is silently ignored: beside every other one it does something, or is refused."""

import io
import shutil
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from course_lib import weights
from course_lib.captions import encode
from course_lib.commands import main as cli
from course_lib.commands.train import USUAL
from course_lib.fruit.drawing import Fruit
from course_lib.fruit.pictures import Pictures
from course_lib.fruit.prompts import phrasings
from course_lib.fruit.scene_pictures import scene_tokens
from course_lib.fruit.words import VOCABULARY
from course_lib.fruit.worlds import FRUIT
from course_lib.judging import scene_exam
from course_lib.judging.counts import Score
from course_lib.judging.fruit_exam import HELD_OUT
from course_lib.model import Denoiser
from course_lib.own.houses import write_folder
from course_lib.tools.files import read_tensors
from course_lib.tools.pixels import Bytes

# What each command may be told in the first place; to each of these, all its other options are added in turn.
WAYS = {
    "draw": ["apple"],
    "generate": ["apple --steps 2", "apple --film --steps 2", "apple pear --weights tiny.safetensors --steps 2"],
    "read": [""],
    "export": [
        "banana.onnx --to onnx",
        "banana --to diffusers",
        "banana --to page",
        "banana.safetensors --to safetensors --weights tiny.safetensors",
    ],
    "train": [
        "--channels 8 --steps 1",
        "--channels 8 8 16 --steps 2 --scenes",
        "--channels 8 --steps 1 --folder spoilt --skip-bad",
        "--channels 8 --steps 1 --enlarge",
        "--out begun --resume --steps 2",
    ],
    "evaluate": ["", "--scenes", "--weights tiny.safetensors"],
    "pictures": ["", "--scenes"],
    "judge": ["", "--scenes", "--panel"],
    "broken": [""],
}  # `distill` has no two options that could be in each other's way
# A value of each option that takes one, other than the usual.
VALUES = {
    **{"--size": "16", "--seed": "5", "--out": "other.png", "--count": "2", "--steps": "3", "--guidance": "-3"},
    **{"--per-pair": "2", "--per-group": "2", "--wrong": "wrong.png", "--minutes": "0.01", "--patch": "2"},
    **{"--channels": "16", "--learning-rate": "0.01", "--folder": "houses", "--weights": "tiny.safetensors"},
    **{"--sheet": "sheet.png", "--times": "2", "--batch-size": "32", "--precision": "bfloat16", "--to": "diffusers"},
    **{"--guide-above": "0.4", "--fit": "pad", "train --size": "64"},
}


def options(command):
    """How each option of a command is written, with a value if it takes one."""
    (commands,) = (action for action in cli.parser()._actions if action.dest != "help")
    named = [action for action in commands.choices[command]._actions if action.option_strings and action.dest != "help"]
    takes = {action.option_strings[0]: action.nargs != 0 for action in named}
    values = {name: VALUES.get(f"{command} {name}", VALUES.get(name)) for name in takes}
    return [f"{name} {values[name]}" if value else name for name, value in takes.items()]


def test_every_command_is_looked_at():
    (commands,) = (action for action in cli.parser()._actions if action.dest != "help")
    assert {*commands.choices} == {*WAYS, "distill"}


def many(pictures, times):
    """So many times as many pictures, all of them others."""
    more = [torch.roll(pictures.x0, -i, dims=-1) for i in range(times)]
    return pictures._replace(x0=torch.cat(more), tokens=pictures.tokens.repeat(times, 1, 1))


@pytest.fixture
def asked(tmp_path, monkeypatch, small_panel):
    """Small networks and few pictures in the current folder; what long works are asked for, they write down here."""
    monkeypatch.chdir(tmp_path)
    asked = []

    def stub(name, answer):
        def work(*args, bar=None, **how):
            networks = [
                float(p.detach().abs().sum())
                for one in args
                if isinstance(one, torch.nn.Module)
                for p in one.parameters()
            ]
            asked.append((name, [one for one in args if isinstance(one, str | int)], networks, sorted(how.items())))
            return answer

        monkeypatch.setattr(f"course_lib.{name}", work)

    fruits = [Fruit("apple", "red"), Fruit("banana", "yellow"), Fruit("grapes", "blue"), Fruit("pear", "green")] * 4
    x0 = torch.rand(16, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pictures = Pictures(x0, torch.stack([encode(phrasings(f.kind, f.colour), VOCABULARY) for f in fruits]), fruits)
    said = [caption for f in fruits[:8] for caption in phrasings(f.kind, f.colour)]
    scenes = Pictures(
        torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1, scene_tokens(said), []
    )
    scenes = scenes._replace(tokens=scenes.tokens.unflatten(0, (8, -1)))
    monkeypatch.setattr("course_lib.fruit.pictures.training_pictures", lambda bar, times=1: many(pictures, times))
    monkeypatch.setattr("course_lib.fruit.scene_pictures.training_scenes", lambda bar, times=1: many(scenes, times))
    large = Bytes(torch.randint(256, (16, 3, 64, 64), generator=torch.Generator().manual_seed(0)).to(torch.uint8))
    monkeypatch.setattr("course_lib.beyond.enlarge.large_pictures", lambda bar: large)
    monkeypatch.setitem(USUAL, "batch_size", 16)
    monkeypatch.setattr("course_lib.tools.processor.precision", lambda: "float32")  # whatever this machine's does
    wrong = scene_exam.Answer(["a pear"], torch.zeros(1, 3, 8, 8), [SimpleNamespace(all_right=False, swapped=False)])
    stub("judging.fruit_exam.ask_for_pairs", {})
    stub("judging.fruit_exam.count_right", dict.fromkeys(("held_out", "seen", *HELD_OUT), Score(1, 2)))
    stub("judging.scene_exam.evaluate", {"two": wrong})
    stub("judging.scene_exam.score", {"all right": Score(1, 2)})
    stub("judging.judge.train_judge", [])
    stub("judging.scene_judge.train_judge", [])
    stub("judging.panel.train_panel", [])
    stub("judging.panel.panel_on_drawings", {"all": Score(1, 2)})
    stub("judging.judge.score_drawings", Score(1, 2))
    stub("judging.scene_exam.score_drawings", {"all right": Score(1, 2)})
    stub("classroom.broken.make", None)
    stub("export.to_onnx.as_onnx", b"")
    stub("export.page.write_page", [])

    torch.manual_seed(0)
    tiny = Denoiser(**FRUIT.settings(), channels=(8,), width=16)
    with torch.no_grad():
        for parameter in tiny.parameters():  # awake: a fresh network answers with one grey
            parameter.add_(0.1 * torch.randn(parameter.shape))
    weights.save(tiny, "tiny.safetensors")
    write_folder("houses", per_caption=1)
    write_folder("spoilt", per_caption=1)
    (tmp_path / "spoilt" / "red_house_000.png").write_bytes(b"no picture")
    assert cli.main(["train", "--channels", "8", "--steps", "1", "--out", "begun"]) == 0
    return asked


def outcome(folder, asked, monkeypatch, capsys, arguments):
    """All that a command does, in a copy of the folder; None if it refuses."""
    here = folder.parent / "copy"
    shutil.copytree(folder, here)
    monkeypatch.chdir(here)
    monkeypatch.setattr("sys.stdin", io.StringIO("a big apple\n"))
    asked.clear()
    capsys.readouterr()
    try:
        status = cli.main(arguments)
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr()
    found = {}
    for path in (path for path in here.rglob("*") if path.is_file() and path.suffix != ".csv"):
        is_tensors = path.suffix == ".safetensors" and not path.name.startswith("diffusion_")
        tensors, told = read_tensors(path) if is_tensors else ({}, {})
        content = {n: t.tolist() for n, t in tensors.items() if n != "seconds"} | {"config": told.get("config")}
        found[str(path.relative_to(here))] = content if is_tensors else path.read_bytes()
    shutil.rmtree(here)
    if status == 2:
        assert said.out == "" and said.err, "a refusal says why"
        return None
    assert status == 0, said.err
    return said.out, found, [*asked]


@pytest.mark.parametrize(("command", "way"), [(command, way) for command, ways in WAYS.items() for way in ways])
def test_an_option_does_something_or_is_refused(tmp_path, monkeypatch, capsys, asked, command, way):
    run = partial(outcome, tmp_path, asked, monkeypatch, capsys)
    without = run([command, *way.split()])
    assert without is not None
    more = [option for option in options(command) if option not in way]
    assert [option for option in more if run([command, *way.split(), *option.split()]) == without] == []
