import json
import math
import os
import random
import stat
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.nn.utils import parametrizations

from course_lib.captions import encode
from course_lib.commands import main as cli
from course_lib.fruit.words import VOCABULARY
from course_lib.judging.judge import Judge
from course_lib.model import Denoiser
from course_lib.tools import files
from course_lib.tools.files import DATA, read_tensors, whole_file, write_tensors
from course_lib.train import Run, train
from course_lib.weights import load, load_denoiser, load_judge, load_run, save, save_run


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.safetensors"


def tiny():
    torch.manual_seed(0)
    model = Denoiser(VOCABULARY, patch=2, channels=(8, 16), width=32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return model


def about(**changes):
    return {"kind": "Denoiser", "config": tiny().config, "about": {}} | changes


def test_a_denoiser_comes_back_as_it_was_with_its_settings(path):
    model, x_t, tokens = tiny(), torch.randn(2, 3, 16, 16), encode(["red apple", "an orange"], VOCABULARY)
    save(model, path, seed=7, steps=100)
    again = load_denoiser(path)
    assert torch.equal(again(x_t, 0.5, tokens), model(x_t, 0.5, tokens))
    assert again.config == model.config == read_tensors(path)[1]["config"]
    assert read_tensors(path)[1]["about"] == {"seed": 7, "steps": 100}
    assert not again.training and not any(p.requires_grad for p in again.parameters())


def test_a_judge_comes_back_as_it_was_with_its_settings(path):
    judge, x = Judge(width=8), torch.randn(2, 3, 32, 32)
    save(judge, path)
    again = load_judge(path)
    assert all(torch.equal(a, b) for a, b in zip(judge(x), again(x), strict=True))
    assert again.config == judge.config and again.name(x) == judge.name(x)


def test_tensors_of_any_shape_and_type_come_back(path):
    shared = torch.arange(6).reshape(2, 3)
    tensors = {
        "bytes": shared.byte(),
        "turned": shared.T,
        "again": shared.T,
        "one": torch.tensor(2.5),
        "none": shared[:0],
    }
    write_tensors(path, tensors, {"words": ["красный", 'a "quote"']})
    found, words = read_tensors(path)
    assert words == {"words": ["красный", 'a "quote"']}
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[k], tensors[k]) and found[k].dtype == tensors[k].dtype for k in tensors)


def test_no_length_of_the_header_makes_a_good_file_look_like_a_pickle(path):
    unlucky = {int.from_bytes(start, "little") for start in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK")}
    write_tensors(path, {"a": torch.ones(2)}, {"padding": ""})
    bare = struct.unpack("<Q", path.read_bytes()[:8])[0]
    for length in unlucky:
        write_tensors(path, {"a": torch.ones(2)}, {"padding": "p" * (length - bare)})
        assert struct.unpack("<Q", path.read_bytes()[:8])[0] == length
        assert torch.equal(read_tensors(path)[0]["a"], torch.ones(2))


@pytest.mark.parametrize("load", [read_tensors, load_denoiser, load_judge])
def test_a_missing_file_is_named_with_what_makes_it(path, load):
    with pytest.raises(FileNotFoundError, match=rf"no file .*{path.name}.*make weights"):
        load(path)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("load", [read_tensors, load_denoiser, load_judge])
def test_a_pickle_is_refused_unopened(path, load, legacy):
    class Bomb:
        def __reduce__(self):
            return path.with_name("opened").touch, ()

    torch.save({"weights": Bomb()}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ValueError, match="is a pickle.*can run any program.*safetensors files only"):
        load(path)
    assert not path.with_name("opened").exists()


@pytest.mark.parametrize("kept", [0, 4, 8, 9, 200, -1])
def test_a_truncated_file_is_refused(path, kept):
    save(tiny(), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match="is cut short, damaged.*Fetch it again, or .*make weights"):
        load_denoiser(path)


@pytest.mark.parametrize("content", [b"red apple", b"{}" * 50, b"\x00" * 100, b"\xff" * 100, bytes(range(256)) * 4])
def test_arbitrary_bytes_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no file of this course"):
        load_judge(path)


def test_safetensors_of_another_project_are_refused(path):
    save_file({"weight": torch.ones(3)}, path)
    with pytest.raises(ValueError, match="no file of this course"):
        load_denoiser(path)
    save_file({"weight": torch.ones(3)}, path, metadata={"about": "not json"})
    with pytest.raises(ValueError, match="no file of this course"):
        load_denoiser(path)
    save_file({"weight": torch.ones(3)}, path, metadata={"about": json.dumps(["no", "dict"])})
    with pytest.raises(ValueError, match="no file of this course"):
        load_denoiser(path)


def test_another_kind_of_network_is_refused(path):
    save(Judge(width=8), path)
    with pytest.raises(ValueError, match="holds a Judge, but a Denoiser is needed"):
        load_denoiser(path)
    save(tiny(), path)
    with pytest.raises(ValueError, match="holds a Denoiser, but a Judge is needed"):
        load_judge(path)
    save_run(Run(tiny()), path)
    with pytest.raises(ValueError, match="holds a run, but a Denoiser is needed"):
        load_denoiser(path)
    write_tensors(path, tiny().state_dict(), {})
    with pytest.raises(ValueError, match="holds a network of another project"):
        load_denoiser(path)


def test_a_denoiser_keeps_the_words_it_was_trained_on(path):
    words = ("", "a", "boat", "red")
    model = Denoiser(words, channels=(8,), width=32)
    save(model, path, seed=1)
    again = load_denoiser(path)
    assert again.vocabulary == words and again.config == model.config
    save(again, path)  # no need to say it again
    assert load_denoiser(path).vocabulary == words
    save(tiny(), path)
    assert load_denoiser(path).vocabulary == VOCABULARY


@pytest.mark.parametrize(
    "vocabulary",
    [
        list(VOCABULARY[::-1]),
        list(VOCABULARY[:-1]),
        [*VOCABULARY[:-1], "a"],
        [*VOCABULARY[:-1], 7],
        [*VOCABULARY[:-1], ["a"]],
        "".join(VOCABULARY),
        {},
        [],
        None,
    ],
)
def test_a_file_without_a_fitting_vocabulary_is_refused(path, vocabulary):
    write_tensors(path, tiny().state_dict(), about(config=tiny().config | {"vocabulary": vocabulary}))
    with pytest.raises(ValueError, match="settings"):
        load_denoiser(path)


def test_a_file_of_an_earlier_version_is_told_so(path):
    old = {name: value for name, value in tiny().config.items() if name in ("patch", "channels", "blocks", "width")}
    write_tensors(path, tiny().state_dict(), about(config=old, vocabulary=list(VOCABULARY)))
    with pytest.raises(ValueError, match="an earlier version of this course.* Train anew"):
        load_denoiser(path)


def test_tensors_that_do_not_fit_the_settings_are_refused(path):
    tensors = tiny().state_dict()
    write_tensors(path, tensors | {"enter.bias": torch.zeros(9)}, about())
    with pytest.raises(ValueError, match=r"enter.bias has shape \(9,\), expected \(8,\) \(1 tensors differ\)"):
        load_denoiser(path)
    write_tensors(path, {k: v for k, v in tensors.items() if k != "enter.bias"}, about())
    with pytest.raises(ValueError, match=r"enter.bias has shape \(\), expected \(8,\)"):
        load_denoiser(path)
    write_tensors(path, tensors | {"extra": torch.zeros(2)}, about())
    with pytest.raises(ValueError, match=r"extra has shape \(2,\), expected \(\)"):
        load_denoiser(path)


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"depth": 3},
        {"channels": []},
        {"channels": [7]},
        {"channels": 8},
        {"patch": 0},
        {"patch": -1},
        {"patch": "four"},
        {"width": 10**9},
        {"blocks": 0},
        {"steps": 0},
        {"guidance_scale": float("nan")},
        {"guidance_interval": [0.5, 0.2]},
        {"guidance_interval": [0.0, 1.5]},
        {"guidance_interval": [0.5]},
        {"guidance_interval": 0.5},
        {"guidance_interval": None},
    ],
)
def test_settings_that_make_no_such_network_are_refused(path, config):
    write_tensors(path, tiny().state_dict(), about(config=config and tiny().config | config))
    with pytest.raises(ValueError, match="settings"):
        load_denoiser(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(path, value):
    tensors = tiny().state_dict()
    tensors["enter.bias"][3] = value
    write_tensors(path, tensors, about())
    with pytest.raises(ValueError, match="not finite: the training that made it went wrong"):
        load_denoiser(path)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64, torch.bfloat16, torch.bool])
def test_weights_of_another_type_are_refused(path, dtype):
    tensors = tiny().state_dict()
    write_tensors(path, tensors | {"enter.bias": tensors["enter.bias"].to(dtype)}, about())
    with pytest.raises(ValueError, match=f"enter.bias is {dtype}, expected torch.float32"):
        load_denoiser(path)


def test_weights_in_16_bits_take_half_the_space_and_come_back_rounded_in_32(path):
    network = Denoiser(VOCABULARY, channels=(16,))
    save(network, path)
    whole = path.stat().st_size
    save(network, path, half=True, seed=3)
    assert path.stat().st_size < 0.6 * whole and read_tensors(path)[1]["about"] == {"seed": 3}
    again = load_denoiser(path).state_dict()
    for name, tensor in network.state_dict().items():
        assert again[name].dtype == tensor.dtype and torch.equal(again[name], tensor.half().float()), name


def test_what_16_bits_cannot_hold_is_refused(path):
    network = tiny()
    network.enter.bias.data[3] = 1e6
    with pytest.raises(ValueError, match="enter.bias holds numbers that are not finite"):
        save(network, path, half=True)
    assert not path.exists()


@pytest.mark.parametrize("kind", ["network", "run"])
def test_no_flipped_bit_is_overlooked(path, kind):
    network = Denoiser(VOCABULARY[:4], channels=(8,), width=8)
    write = save if kind == "network" else lambda network, path: save_run(Run(network), path)
    write(network, path)
    good, chance = path.read_bytes(), random.Random(0)
    header = 8 + struct.unpack("<Q", good[:8])[0]
    places = [chance.randrange(8 * len(good)) for _ in range(60)] + [chance.randrange(8 * header) for _ in range(240)]
    for place in places:
        bad = bytearray(good)
        bad[place // 8] ^= 1 << place % 8
        path.write_bytes(bad)
        with pytest.raises(ValueError, match="is cut short, damaged"):
            read_tensors(path)
    path.write_bytes(good)
    read_tensors(path)


def test_the_same_tensors_give_the_same_file_and_one_without_a_checksum_opens_too(path):
    save(tiny(), path)
    first = path.read_bytes()
    for _ in range(5):
        save(tiny(), path)
        assert path.read_bytes() == first
    save_file(tiny().state_dict(), path, metadata={"about": json.dumps(about())})
    assert load_denoiser(path).config == tiny().config


@pytest.mark.parametrize("file", sorted(DATA.glob("[!p]*.safetensors")), ids=lambda file: file.name)
def test_the_shipped_files_have_their_checksum(file):
    with safe_open(file, framework="pt") as opened:
        assert len(json.loads(opened.metadata()["about"])) == 2
    read_tensors(file)


@pytest.mark.parametrize("around", ["{}", "[{}]"])
def test_settings_nested_too_deep_are_refused(path, around):
    deep = around.format('{"kind": ' * 100_000 + "1" + "}" * 100_000)
    save_file({"a": torch.ones(1)}, path, metadata={"about": deep})
    with pytest.raises(ValueError, match="is cut short, damaged"):
        load_denoiser(path)


class Longer(Denoiser):
    """A denoiser of one's own that its config makes again."""


class Renamed(Denoiser):
    """A denoiser of one's own that its config does not make again."""

    def __init__(self, words):
        super().__init__(words, channels=(8,), width=8)


def spoilt():
    model = tiny()
    model.enter.bias.data[0] = float("nan")
    return model


def normed():
    model = tiny()
    parametrizations.weight_norm(model.enter)
    return model


def asked(**how):
    """A network with other ways to be asked in its settings, which a `Denoiser` takes as they are."""
    model = tiny()
    model.config |= how
    return model


class Strict(torch.nn.Linear):
    """A network of one's own, whose settings do not survive JSON."""

    def __init__(self, sides, by_place=None):
        assert isinstance(sides, tuple), "a tuple is needed"
        super().__init__(*sides)
        self.config = dict(sides=sides, by_place=by_place)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (lambda: Renamed(VOCABULARY), "hold this Renamed, since its `config` does not make it again: .*argument"),
        (lambda: torch.nn.Linear(2, 2), "hold this Linear, since its `config` does not make it again: .*config"),
        (lambda: tiny().double(), "hold this Denoiser.* is torch.float64, expected torch.float32"),
        (normed, "hold this Denoiser.*enter"),
        (spoilt, "^This Denoiser is not worth a file: enter.bias holds numbers that are not finite"),
        (lambda: Denoiser(("a", "boat"), channels=(8,)), '"no word" in front'),
        (lambda: Denoiser(("", "boat", "boat"), channels=(8,)), "stands twice"),
        (lambda: Denoiser("ab", channels=(8,)), '"no word" in front'),
        (lambda: Denoiser(("", 3), channels=(8,)), '"no word" in front'),
        *((lambda steps=steps: asked(steps=steps), "steps must be") for steps in (0, 2000, 4.0)),
        *((lambda w=w: asked(guidance_scale=w), "guidance_scale must") for w in (math.nan, math.inf, "2", [2.0], None)),
        (lambda: Strict(sides=(1, 2)), "hold this Strict, since its `config` does not make it again: a tuple"),
        (lambda: Strict(sides=(1, 2), by_place={1: 8}), "hold this Strict.*does not make it again"),
        (lambda: Strict(sides=(1, 2), by_place={0: torch.ones(1)}), "Tensor is not JSON serializable"),
        (lambda: type("Denoiser", (Denoiser,), {})(VOCABULARY, channels=(8,)), "another Denoiser. Give yours a name"),
        (lambda: type("Judge", (torch.nn.Linear,), {})(2, 2), "another Judge. Give yours a name of its own"),
        (lambda: type("Longer", (Longer,), {})(VOCABULARY, channels=(8,)), "another Longer. Give yours a name"),
        (lambda: None, "save takes a network, such as run.ema, not NoneType"),
        (lambda: Run(tiny()), "save takes a network, such as run.ema, not Run. For a Run: save_run"),
        (lambda: tiny().state_dict(), "save takes a network, such as run.ema, not OrderedDict"),
    ],
)
def test_what_could_not_be_opened_again_is_not_saved(path, network, said):
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match=said):
        save(network(), path)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("write", [save, lambda model, path, **about: save_run(Run(model), path, **about)])
@pytest.mark.parametrize(
    "value", [torch.ones(1), np.int64(3), {1, 2}, Path("x")], ids=lambda value: type(value).__name__
)
def test_what_json_cannot_hold_is_not_kept_beside_weights(path, write, value):
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match=r"keeps plain numbers.* is not JSON.*Write int\(x\)"):
        write(tiny(), path, said=value)
    assert path.read_bytes() == b"old"


def test_a_run_is_known_again_by_what_json_makes_of_it(path):
    save_run(Run(tiny()), path, sides=(1, 2))
    load_run(Run(tiny()), path, sides=(1, 2))


@pytest.mark.parametrize("act", [save_run, load_run])
def test_a_network_is_no_run(path, act):
    with pytest.raises(ValueError, match=r"A training run is a Run, such as Run\(model\), not Denoiser"):
        act(tiny(), path)


@pytest.mark.parametrize("kind", [["Denoiser"], {"Denoiser": 1}, None, 3])
def test_a_file_whose_kind_is_no_name_is_refused(path, kind):
    write_tensors(path, tiny().state_dict(), about(kind=kind))
    with pytest.raises(ValueError, match="but a Denoiser is needed"):
        load_denoiser(path)


class Words(torch.nn.Embedding):
    """A network of one's own that has words, and says nothing of how it is asked."""

    def __init__(self, vocabulary):
        super().__init__(len(vocabulary), 4)
        self.config = dict(vocabulary=vocabulary)


def test_what_is_saved_opens_again_though_it_does_not_say_how_it_is_asked(path):
    save(Words(("", "boat")), path)
    assert load(path, Words).config["vocabulary"] == ["", "boat"]


def test_saving_draws_no_random_numbers(path):
    model = tiny()
    torch.manual_seed(3)
    save(model, path)
    assert torch.initial_seed() == 3 and torch.equal(torch.rand(2), torch.manual_seed(3) and torch.rand(2))


def test_a_denoiser_of_ones_own_class_is_opened_with_it(path):
    model = Longer(VOCABULARY, channels=(8,), width=8)
    save(model, path)
    assert type(load(path, Longer)) is Longer
    with pytest.raises(ValueError, match=r"holds a Longer, but a Denoiser is needed.* load\(path, YourClass\)"):
        load_denoiser(path)


def in_part(model):
    model.unet = torch.compile(model.unet, backend="eager")
    return model


COMPILED = [lambda model: model, lambda model: torch.compile(model, backend="eager"), in_part]


@pytest.mark.parametrize("compiled", COMPILED, ids=["not", "whole", "in part"])
def test_a_compiled_network_is_saved_as_what_it_was(path, compiled):
    model = tiny()
    save(compiled(model), path)
    again, expected = load_denoiser(path).state_dict(), tiny().state_dict()
    assert again.keys() == expected.keys() and all(torch.equal(again[name], expected[name]) for name in expected)


@pytest.mark.parametrize("before", COMPILED, ids=["not", "whole", "in part"])
@pytest.mark.parametrize("after", COMPILED, ids=["not", "whole", "in part"])
def test_a_run_goes_on_whether_its_network_is_compiled_or_not(path, before, after):
    run, again = Run(before(tiny())), Run(after(tiny()))
    x0, tokens = torch.zeros(2, 3, 16, 16), encode(["red apple", "an orange"], VOCABULARY)
    list(train(run, [(x0, tokens)], steps=1))
    save_run(run, path)
    load_run(again, path)
    assert again.step == 1 and not any("_orig_mod" in name for name in read_tensors(path)[0])
    for one, other in ((run.model, again.model), (run.ema, again.ema)):
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_run_of_an_earlier_version_that_was_compiled_goes_on(path):
    save_run(Run(tiny()), path)
    tensors, said = read_tensors(path)
    old = {
        name.replace("model.", "model._orig_mod.").replace("ema.", "ema._orig_mod."): x for name, x in tensors.items()
    }
    write_tensors(path, old, said)
    load_run(Run(tiny()), path)


def test_as_many_words_as_the_fruit_has_are_still_ones_own(path):
    words = ("", *(f"word{i}" for i in range(len(VOCABULARY) - 1)))
    save(Denoiser(words, channels=(8,), width=8), path)
    assert load_denoiser(path).vocabulary == words


def test_a_run_that_is_no_longer_finite_is_neither_saved_nor_gone_on_with(path):
    run = Run(tiny())
    save_run(run, path)
    good, tensors = path.read_bytes(), read_tensors(path)[0]
    run.model.enter.bias.data[0] = float("inf")
    with pytest.raises(ValueError, match="not worth a file: model.enter.bias holds numbers that are not finite"):
        save_run(run, path)
    assert path.read_bytes() == good
    tensors["ema.enter.bias"][0] = float("nan")
    write_tensors(path, tensors, {"kind": "run"})
    with pytest.raises(ValueError, match="cannot be gone on with: ema.enter.bias holds numbers that are not finite"):
        load_run(Run(tiny()), path)


def test_a_run_knows_what_it_was_saved_as(path):
    save_run(Run(tiny()), path, teacher="a", seed=0)
    load_run(Run(tiny()), path, teacher="a", seed=0)
    with pytest.raises(ValueError, match="holds a run with another teacher and another seed. Give the one"):
        load_run(Run(tiny()), path, teacher="b", seed=1)
    save_run(Run(tiny()), path)
    with pytest.raises(ValueError, match="another teacher"):
        load_run(Run(tiny()), path, teacher="b")


@pytest.mark.parametrize("read", [read_tensors, load_denoiser, load_judge])
def test_a_folder_is_called_a_folder(tmp_path, read):
    with pytest.raises(IsADirectoryError, match="is a folder. Name a file in it.$"):
        read(tmp_path)
    save(tiny(), tmp_path / "mine.safetensors")
    with pytest.raises(IsADirectoryError, match="is a folder. Name a file in it, such as mine.safetensors.$"):
        read(tmp_path)


@pytest.mark.parametrize(
    "command", [["generate", "a red apple"], ["evaluate"], ["distill"]], ids=lambda words: words[0]
)
def test_commands_say_that_their_weights_are_a_folder(tmp_path, capsys, command):
    save(tiny(), tmp_path / "mine.safetensors")
    assert cli.main([*command, "--weights", str(tmp_path)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said == [f"python -m course_lib: {tmp_path} is a folder. Name a file in it, such as mine.safetensors."]


def test_a_command_writes_through_a_link(tmp_path, capsys):
    (tmp_path / "link.png").symlink_to("there.png")
    assert cli.main(["draw", "a red apple", "--size", "16", "--out", str(tmp_path / "link.png")]) == 0
    assert (tmp_path / "link.png").is_symlink() and (tmp_path / "there.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["draw", "a red apple", "--size", "16", "--out", os.devnull]) == 0


@pytest.mark.parametrize("error", [ValueError("went wrong"), KeyboardInterrupt()])
@pytest.mark.parametrize("old", [None, b"old"])
def test_an_interrupted_file_leaves_what_was_there_and_nothing_else(path, error, old):
    if old:
        path.write_bytes(old)
    with pytest.raises(type(error)), whole_file(path) as temporary:
        temporary.write_bytes(b"half of the n")
        assert (path.read_bytes() if path.exists() else None) == old
        raise error
    assert [p.read_bytes() for p in path.parent.iterdir()] == ([old] if old else [])


def test_a_whole_file_takes_its_name_in_a_folder_made_for_it(tmp_path):
    path = tmp_path / "new" / "folder" / "file.txt"
    for content in (b"first", b"second"):
        with whole_file(path) as temporary:
            assert temporary.parent == path.parent and temporary.suffix == ".txt"
            temporary.write_bytes(content)
        assert path.read_bytes() == content and list(path.parent.iterdir()) == [path]


def test_a_file_is_replaced_in_one_step_and_never_written_into(path):
    path.write_bytes(b"old")
    old_file = path.stat().st_ino
    with whole_file(path) as temporary:
        temporary.write_bytes(b"new")
        new_file = temporary.stat().st_ino
    assert path.stat().st_ino == new_file != old_file


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), whole_file(tmp_path / "file" / "below.txt"):
        pass


def write(path, content=b"new"):
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize("links", [1, 2])
def test_a_link_stays_a_link_and_its_target_is_written(tmp_path, old, links):
    target = tmp_path / "far" / "target"
    target.parent.mkdir()
    if old:
        target.write_bytes(old)
    (tmp_path / "link1").symlink_to(target)
    (tmp_path / "link2").symlink_to("link1")
    write(tmp_path / f"link{links}")
    assert (tmp_path / "link1").is_symlink() and (tmp_path / "link2").is_symlink()
    assert target.read_bytes() == b"new" and not target.is_symlink() and [*target.parent.iterdir()] == [target]


def test_what_is_no_file_is_refused_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    for name in ("pipe", "folder", "circle"):
        (tmp_path / f"to_{name}").symlink_to(name)
    kinds = {"pipe": "is a pipe or a device", "folder": "is a folder", "circle": "is a link that leads back"}
    before = {file.name: file.lstat().st_mode for file in tmp_path.iterdir()}
    for name, said in kinds.items():
        for path in (tmp_path / name, tmp_path / f"to_{name}"):
            with pytest.raises(OSError, match=f"{path.name} {said}.* Name a file"):
                write(path)
    with pytest.raises(OSError, match="/dev/zero is a pipe or a device"):
        write("/dev/zero")
    assert {file.name: file.lstat().st_mode for file in tmp_path.iterdir()} == before


def test_the_null_device_swallows_what_is_written(tmp_path):
    (tmp_path / "nothing").symlink_to(os.devnull)
    for path in (os.devnull, tmp_path / "nothing"):
        write(path)
        save(tiny(), path)
        assert stat.S_ISCHR(os.stat(path).st_mode)
    assert [file.name for file in tmp_path.iterdir()] == ["nothing"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664), (0o027, 0o640)])
def test_a_new_file_has_the_permissions_that_the_umask_leaves(path, umask, mode):
    before = os.umask(umask)
    try:
        save(tiny(), path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o444, 0o755])
def test_a_file_keeps_its_permissions_when_it_is_written_again(path, mode):
    path.write_bytes(b"old")
    path.chmod(mode)
    with whole_file(path) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) & ~0o200 == mode & ~0o200  # never more than the file's own
        temporary.write_bytes(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode and path.read_bytes() == b"new"


@pytest.mark.parametrize("write", [save, lambda model, path: save_run(Run(model), path)], ids=["network", "run"])
def test_what_hinders_the_writer_is_an_os_error_and_the_old_file_stays(path, monkeypatch, write):
    path.write_bytes(b"old")

    def full(tensors, temporary, **options):
        temporary.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(files, "save_file", full)
    with pytest.raises(OSError, match=f"{path.name} could not be written: .*No space left"):
        write(tiny(), path)
    assert path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]


FULL_DISK = """
import resource, sys, torch
from pathlib import Path
from course_lib.model import Denoiser
from course_lib.tools.files import whole_file
from course_lib.tools.pixels import save_picture
from course_lib.train import Run, train
from course_lib.weights import save, save_run

network, noise = Denoiser(("", "a"), channels=(8,)), torch.rand(3, 99, 99)
writers = {
    "network": lambda path: save(network, path),
    "run": lambda path: save_run(Run(network), path),
    "picture": lambda path: save_picture(noise, path),
}
def log(path):
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("line\\n" * 9999)
resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999))
for name, write in {**writers, "log": log}.items():
    try:
        write(Path(sys.argv[1]) / name)
    except OSError as error:
        print(error)
"""


def test_no_file_is_left_half_where_the_disk_is_full(tmp_path):
    names = ["network", "run", "picture", "log"]
    for name in names:
        (tmp_path / name).write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert len(said) == 4 and all(name in line and "too large" in line for name, line in zip(names, said, strict=True))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == dict.fromkeys(names, b"old")
