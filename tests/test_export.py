"""The ways out: each computes in other hands what the library computes."""

import json
import subprocess
import sys
from collections import Counter

import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from course_lib.beyond.attention import SceneDenoiser
from course_lib.beyond.enlarge import Enlarger, enlarging
from course_lib.classroom import plane
from course_lib.commands.main import main
from course_lib.export import page
from course_lib.export.reader_tables import reader_tables
from course_lib.export.to_diffusers import one_module, write_diffusers
from course_lib.export.to_onnx import NETWORKS, as_onnx, check_same, rounded, sha256, write_onnx
from course_lib.fruit.words import HELD_OUT_PAIRS, VOCABULARY
from course_lib.model import Denoiser, encode_for
from course_lib.sample import sample
from course_lib.tools.files import DATA, PACKAGE, read_tensors
from course_lib.weights import load, load_denoiser, save

CAPTIONS = ["a green banana", "purple grapes", "a small red apple on a white background", "a fruit"]


def awake(network):
    """A network of which every weight counts; a fresh one answers grey, since its last layers are zero."""
    torch.manual_seed(0)
    with torch.no_grad():
        for weights in network.parameters():
            weights.copy_(torch.randn(weights.shape) * 0.2)
    return network.eval().requires_grad_(False)


def small_denoiser(**settings):
    settings = dict(guidance_scale=3.0, guidance_interval=(0.2, 0.8), steps=5) | settings
    return awake(Denoiser(VOCABULARY, channels=(8, 16), width=16, world="fruit", **settings))


def opened(contents):
    """An ONNX file as a function of tensors, with onnxruntime."""
    session = onnxruntime.InferenceSession(contents, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def run(*given):
        (x0_hat,) = session.run(None, {name: x.numpy() for name, x in zip(names, given, strict=True)})
        return torch.from_numpy(x0_hat)

    return run


def off_by(network, contents, count):
    """How far a guided generation goes apart, at its worst moment and pixel."""
    config, theirs = network.config, opened(contents)
    how = {name: config[name] for name in ("steps", "guidance_scale", "guidance_interval")}
    how["shape"] = (3, config["size"], config["size"])
    tokens = encode_for(network, CAPTIONS[:count])
    films = [sample(model, tokens, generator=torch.Generator().manual_seed(1), **how) for model in (network, theirs)]
    moments = [*zip(*films, strict=True)]
    assert len(moments) == config["steps"] + 1
    return max(float((getattr(a, x) - getattr(b, x)).abs().max()) for a, b in moments for x in ("x_t", "x0_hat"))


# ONNX


@pytest.fixture(scope="module")
def small():
    """(network, contents of its ONNX file)"""
    network = small_denoiser()
    return network, as_onnx(network, weights={"name": "mine"})


@pytest.mark.parametrize("count", [1, 2, 4])
def test_every_step_of_a_guided_generation_agrees(small, count):
    assert off_by(*small, count) <= 1e-4


def test_a_file_says_what_it_is_and_nothing_of_this_machine(small):
    network, contents = small
    model = onnx.load_from_string(contents)
    said = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
    assert said == dict(kind="Denoiser", config=network.config, half=False, weights={"name": "mine"})
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 20)]
    sizes = {
        part.name: [d.dim_param or d.dim_value for d in part.type.tensor_type.shape.dim]
        for part in (*model.graph.input, *model.graph.output)
    }
    picture = ["batch", 3, 32, 32]
    assert sizes == dict(x_t=picture, t=["batch"], tokens=["batch", 12], x0_hat=picture)
    assert [*sizes] == ["x_t", "t", "tokens", "x0_hat"]
    assert not any(weights.external_data for weights in model.graph.initializer)
    for path in (str(PACKAGE.parent), ".py", "course_lib"):
        assert path.encode() not in contents
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def test_what_is_enlarged_on_the_way_up_is_convolved_while_it_is_small(small):
    network, contents = small
    enlarged = sum(node.op_type == "ConvTranspose" for node in onnx.load_from_string(contents).graph.node)
    assert enlarged == len(network.config["channels"]) - 1


def test_a_file_that_computes_something_else_is_refused(small):
    network, contents = small
    other = small_denoiser()
    other.enter.bias += 0.1
    with pytest.raises(ValueError, match="is off by"):
        check_same(contents, other)
    model = onnx.load_from_string(contents)
    for part in (*model.graph.input, *model.graph.output):
        part.type.tensor_type.shape.dim[0].dim_value = 1
    with pytest.raises(ValueError, match="fixed batch"):
        check_same(model.SerializeToString(), network)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("name", ["few_steps", "denoiser"])
def test_the_shipped_networks_agree_at_every_step(built, name, count):
    network = load(DATA / f"{name}.safetensors", *NETWORKS)
    assert off_by(network, (built / f"{name}.onnx").read_bytes(), count) <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_enlarging_network_agrees_at_every_step(built, count):
    network = load(DATA / "enlarger.safetensors", Enlarger)
    theirs = Stand(network, opened((built / "enlarger.onnx").read_bytes()))
    small = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(2)) * 2 - 1
    films = [enlarging(e, small, generator=torch.Generator().manual_seed(1)) for e in (network, theirs)]
    assert max(float((a - b).abs().max()) for a, b in zip(*films, strict=True)) <= 1e-4


class Stand:
    """Something else in place of an enlarging network."""

    def __init__(self, network, run):
        self.config, self.check_small, self.run = network.config, network.check_small, run

    def __call__(self, *given):
        return self.run(*given)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_network_of_scenes_agrees_at_every_step(scenes, count):
    assert off_by(*scenes, count) <= 1e-4


@pytest.fixture(scope="module")
def scenes():
    settings = dict(steps=4, max_words=12, size=32, guidance_interval=(0.2, 1.0))
    network = awake(SceneDenoiser(VOCABULARY, channels=(8, 16), width=16, **settings))
    return network, as_onnx(network)


@pytest.mark.slow
def test_weights_in_16_bits_halve_the_file_and_lose_nothing_more_than_their_rounding():
    network = small_denoiser(guidance_scale=2.0)
    contents = as_onnx(network, half=True)
    assert off_by(rounded(network), contents, 2) <= 1e-4 < off_by(network, contents, 2)
    kept = Counter(numpy_helper.to_array(w).dtype.name for w in onnx.load_from_string(contents).graph.initializer)
    assert kept["float16"] > 10
    assert network.enter.weight.numel() >= 256 and not torch.equal(network.enter.weight, rounded(network).enter.weight)


# The command


def test_the_command_writes_the_same_again_in_one_file_with_the_checksum_of_the_weights(small, tmp_path, capsys):
    weights = tmp_path / "mine.safetensors"
    save(small_denoiser(), weights)
    out = tmp_path / "new folder" / "mine.onnx"
    assert main(["export", "--to", "onnx", str(out), "--weights", str(weights)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert [*out.parent.iterdir()] == [out]  # weights and all
    models = [onnx.load(out), onnx.load_from_string(small[1])]
    said = [{prop.key: json.loads(prop.value) for prop in model.metadata_props} for model in models]
    assert said[0].pop("weights") == {"name": "mine.safetensors", "sha256": sha256(weights)}
    for told, model in zip(said, models, strict=True):
        told.pop("weights", None)
        del model.metadata_props[:]
    assert said[0] == said[1] and models[0].SerializeToString() == models[1].SerializeToString()


def test_a_file_in_16_bits_keeps_what_is_told_and_leaves_with_no_further_loss(tmp_path, capsys):
    weights, out = tmp_path / "mine.safetensors", tmp_path / "half.safetensors"
    save(network := small_denoiser(), weights, seed=3)
    assert main(["export", "--to", "safetensors", "--half", str(out), "--weights", str(weights)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert read_tensors(out)[1]["about"] == {"seed": 3} and out.stat().st_size < 0.7 * weights.stat().st_size
    halved = load_denoiser(out)
    assert halved.config == network.config
    contents = as_onnx(halved)
    assert off_by(halved, contents, 2) <= 1e-4 < off_by(network, contents, 2)
    assert len(contents) < 0.7 * len(as_onnx(network))


REFUSED = [
    (["--to", "onnx", "x.onnx", "--weights", str(DATA / "judge.safetensors")], "holds a Judge, but a Denoiser or a"),
    (["--to", "onnx", "x.onnx", "--weights", "none.safetensors"], "There is no file"),
    (["--to", "onnx", "x.pt"], "ends in .onnx"),
    (["--to", "safetensors", "x.onnx"], "ends in .safetensors"),
    (["--to", "safetensors", "x.safetensors", "--weights", str(DATA / "judge.safetensors")], "holds a Judge"),
    (["--to", "onnx", "before.onnx/x.onnx"], "cannot be written"),
    (["--to", "diffusers", "x", "--weights", str(DATA / "enlarger.safetensors")], "holds a Enlarger"),
    (["--to", "diffusers", "x", "--half"], "Leave it out"),
    (["--to", "diffusers", "before.onnx"], "is a file. Name a folder"),
    (["--to", "page", "x", "--weights", "mine.safetensors"], "Leave --weights out"),
    (["--to", "page", "before.onnx"], "is a file. Name a folder"),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED, ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_what_cannot_be_is_refused_and_leaves_no_trace(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "before.onnx").write_bytes(b"as it was")
    assert main(["export", *arguments]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["before.onnx"]
    assert (tmp_path / "before.onnx").read_bytes() == b"as it was"


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_without_onnx_it_says_what_brings_it(package, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["export", "--to", "onnx", str(tmp_path / "x.onnx")]) == 2
    assert "pip install 'course-lib[export]' brings it" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_an_export_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    out = tmp_path / "x.onnx"
    out.write_bytes(b"as it was")
    monkeypatch.setattr("course_lib.export.to_onnx.as_onnx", lambda *a, **k: "no bytes")
    with pytest.raises(TypeError):
        write_onnx(DATA / "denoiser.safetensors", out)
    assert [*tmp_path.iterdir()] == [out] and out.read_bytes() == b"as it was"


# diffusers

PROGRAM = """
import sys, torch
from diffusers import DiffusionPipeline
pipe = DiffusionPipeline.from_pretrained(sys.argv[1], trust_remote_code=True)
pipe.set_progress_bar_config(disable=True)
for steps, w in ((None, None), (7, None), (7, None), (7, 2.0)):  # again: a scheduler forgets the picture before
    how = dict(generator=torch.Generator().manual_seed(3), output_type="pt")
    x = pipe(sys.argv[3:], num_inference_steps=steps, guidance_scale=w, **how)
    torch.save(x.images, f"{sys.argv[2]}-{steps}-{w}.pt")
(image,) = pipe(sys.argv[3], num_inference_steps=1).images
assert image.size == (32, 32) and not [name for name in sys.modules if name.startswith("course_lib")]
"""


def test_diffusers_alone_gives_the_same_pictures(tmp_path, monkeypatch):
    weights, folder = tmp_path / "mine.safetensors", tmp_path / "mine"
    network = load_denoiser()
    network.config |= dict(steps=10, guidance_interval=[0.2, 0.8], guidance_scale=3.0)
    save(network, weights)
    written = write_diffusers(weights, folder)
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == sorted(written)
    program = [sys.executable, "-c", PROGRAM, str(folder), str(tmp_path / "x"), *CAPTIONS[:3]]
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    tokens = encode_for(network, CAPTIONS[:3])
    for steps, w in ((None, None), (7, None), (7, 2.0)):
        how = dict(generator=torch.Generator().manual_seed(3), steps=steps, guidance_scale=w)
        ours = [*sample(network, tokens, **how)][-1].x_t
        assert ((ours / 2 + 0.5).clamp(0, 1) - torch.load(tmp_path / f"x-{steps}-{w}.pt")).abs().max() <= 1e-4


def test_the_one_module_names_nothing_that_it_lacks(tmp_path):
    path = tmp_path / "course_pipeline.py"
    path.write_text(one_module(), encoding="utf-8")
    assert "from course_lib" not in one_module() and "import course_lib" not in one_module()
    checked = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", str(path)]
    done = subprocess.run(checked, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


# The page


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of a page, made once, with a plane that hardly learned."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "STEPS", 20)
        written = page.write_page(folder)
    assert sorted(written) == sorted(folder.iterdir())
    return folder


@pytest.mark.slow
def test_course_json_tells_of_every_file_as_it_is(built):
    told = json.loads((built / "course.json").read_text(encoding="utf-8"))["networks"]
    assert {f"{name}.onnx" for name in told} | {"course.json"} == {path.name for path in built.iterdir()}
    for name, network in told.items():
        path = built / network["file"]["name"]
        assert network["file"] == dict(name=path.name, bytes=path.stat().st_size, sha256=sha256(path))
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        assert {x.name: x.shape[1:] for x in session.get_inputs()} == {
            key: given["shape"] for key, given in network["inputs"].items()
        }
        if name in page.SHIPPED:
            shipped = load(page.SHIPPED[name], *NETWORKS)
            assert network["config"] == shipped.config
            assert network["parameters"] == sum(x.numel() for x in shipped.state_dict().values())


@pytest.mark.slow
def test_the_network_of_the_plane_answers_for_any_count_of_points(built):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "STEPS", 20)
        network = page.trained_plane()
    theirs, g = opened((built / "plane.onnx").read_bytes()), torch.Generator().manual_seed(0)
    for count in (1, 2, 4, 300):
        x_t, t = torch.randn(count, 2, 1, 1, generator=g), torch.rand(count, generator=g)
        assert (theirs(x_t, t) - network(x_t, t)).abs().max() <= 1e-4  # and it is trained to the same numbers again


def test_the_rest_of_course_json_is_the_librarys_own():
    told = json.loads(json.dumps(page.course({})))
    assert told["reader"] == json.loads(json.dumps(reader_tables()))
    assert told["fruit"]["held_out"] == [[*pair] for pair in HELD_OUT_PAIRS]
    assert told["fruit"]["colours"]["red"] == "#db171c"
    apple = torch.tensor(told["apple"])
    assert apple.shape == (3 * 32 * 32,) and apple.abs().max() <= 1
    points = {name: torch.tensor(rows) for name, rows in told["plane"]["points"].items()}
    for name, rows in points.items():
        assert {*plane.fruit_of(rows[:, :2, None, None])} == {name} and rows[:, 2:].min() >= 0 and rows.max() <= 1
    assert page.course({}) == page.course({})
