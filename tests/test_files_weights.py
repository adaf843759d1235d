import json
import struct

import pytest
import torch
from safetensors.torch import save_file

from course_lib.captions import encode
from course_lib.fruit.words import VOCABULARY
from course_lib.judging.judge import Judge
from course_lib.model import Denoiser
from course_lib.tools.files import read_tensors, whole_file, write_tensors
from course_lib.train import Run
from course_lib.weights import load_denoiser, load_judge, save, save_run


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
