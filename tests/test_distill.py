from functools import partial
from pathlib import Path

import pytest
import torch
from training import train_on

from course_lib import sample, weights
from course_lib.beyond.distill import HALVINGS, dealt_levels, distillation_loss, stages, two_step_target
from course_lib.commands import main as cli
from course_lib.fruit.pictures import Pictures
from course_lib.fruit.words import HELD_OUT_PAIRS, TRAINING_PAIRS
from course_lib.fruit.worlds import FRUIT
from course_lib.model import Denoiser
from course_lib.noise import add_noise, noise_levels
from course_lib.sample import denoise_step, generate, guided, sampling_of
from course_lib.tools.files import read_tensors, write_tensors
from course_lib.tools.runs import claimed
from course_lib.train import random_batches, train
from course_lib.widgets.prompt_box import PromptBox

pytestmark = pytest.mark.slow  # as a whole


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


X0 = torch.rand(8, 3, 16, 16, generator=generator()) * 2 - 1
EPS = torch.randn(X0.shape, generator=generator(1))
TOKENS = torch.zeros(8, 12, dtype=torch.int64)
TOKENS[:, 0] = torch.arange(1, 9)


def ideal(x_t, t, tokens):
    """The exact mean of the pictures in X0 that x_t can come from; token i names picture i - 1, 0 names all."""
    t, data = t.reshape(-1, 1), X0.to(x_t)
    distance = ((x_t.flatten(1)[:, None] - (1 - t[..., None]) * data.flatten(1)) ** 2).sum(-1)
    fits = (tokens[:, :1] == 0) | (torch.arange(1, len(data) + 1) == tokens[:, :1])
    weight = (-distance / (2 * t**2)).masked_fill(~fits, -torch.inf).softmax(1)
    return torch.einsum("bn,nchw->bchw", weight, data)


def tiny_denoiser(seed=0):
    torch.manual_seed(seed)
    model = Denoiser(**FRUIT.settings(), patch=4, channels=(8, 16), width=16)
    with torch.no_grad():
        for parameter in model.parameters():  # awake: a fresh network answers with one plain grey
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return model.eval().requires_grad_(False)


def train_stage(stage, steps=4):
    return list(train_on(stage.run, X0, TOKENS, steps=steps, batch_size=16, levels=stage.levels, loss=stage.loss))


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


# the target


@pytest.mark.parametrize("steps", HALVINGS)
def test_a_teacher_that_always_answers_the_same_is_its_own_target(steps):
    for t in noise_levels(steps)[:-1]:
        t = t.expand(8).double()
        target = two_step_target(
            lambda *_: X0.double(), add_noise(X0.double(), t, EPS.double()), t, TOKENS, steps=steps
        )
        torch.testing.assert_close(target, X0.double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", HALVINGS)
@pytest.mark.parametrize("guidance_scale", [1.0, 3.0])
def test_one_step_towards_the_target_lands_where_the_teacher_lands_in_two(steps, guidance_scale):
    levels, finer = noise_levels(steps).double(), noise_levels(2 * steps).double()
    for i in range(steps):
        t, m, s = (level.expand(8) for level in (levels[i], finer[2 * i + 1], levels[i + 1]))
        x_t = x = add_noise(X0.double(), t, EPS.double())
        for here, there in ((t, m), (m, s)):
            x = denoise_step(x, guided(ideal, x, here, TOKENS, guidance_scale), here, there)
        target = two_step_target(ideal, x_t, t, TOKENS, steps=steps, guidance_scale=guidance_scale)
        torch.testing.assert_close(denoise_step(x_t, target, t, s), x, rtol=0, atol=1e-12)


def test_the_teacher_is_guided_only_in_its_interval():
    t = torch.tensor([1.0, 1.0, 0.75, 0.75, 0.5, 0.5, 0.25, 0.25])
    x_t = add_noise(X0.double(), t.double(), EPS.double())
    how = dict(steps=4, guidance_scale=3.0)
    target = two_step_target(ideal, x_t, t.double(), TOKENS, **how, guidance_interval=(0.0, 0.8))
    always = two_step_target(ideal, x_t, t.double(), TOKENS, **how)
    assert torch.equal(target[2:], always[2:]) and not torch.allclose(target[:2], always[:2])
    never = two_step_target(ideal, x_t, t.double(), TOKENS, steps=4)
    torch.testing.assert_close(target[:2], never[:2])


def test_a_student_that_knows_the_target_walks_with_the_teacher():
    none = torch.zeros_like(TOKENS)

    def student(x_t, t, tokens):
        return two_step_target(ideal, x_t, t, tokens, steps=4)

    two = [
        generate(model, none, generator=generator(), steps=steps, guidance_scale=1.0, shape=(3, 16, 16))
        for model, steps in ((student, 4), (ideal, 8))
    ]
    torch.testing.assert_close(*two, rtol=0, atol=1e-4)


def test_a_level_that_the_student_never_meets_is_refused():
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        two_step_target(ideal, X0, torch.full((8,), 0.1), TOKENS, steps=4)


# the loss


def test_the_loss_is_the_squared_error_of_where_the_step_lands_on_every_level_equally_often():
    seen = {}

    def student(x_t, t, tokens):
        seen.update(x_t=x_t, t=t, tokens=tokens)
        return 0.3 * x_t - 0.1

    loss = distillation_loss(ideal, 4, guidance_scale=3.0)(student, X0, dealt_levels(8, None, steps=4), EPS, TOKENS)
    t, s = seen["t"], seen["t"] - 0.25
    assert sorted(t.tolist()) == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1, 1]
    assert torch.equal(seen["x_t"], add_noise(X0, t, EPS)) and torch.equal(seen["tokens"], TOKENS)
    target = two_step_target(ideal, seen["x_t"], t, TOKENS, steps=4, guidance_scale=3.0)
    landed = [denoise_step(seen["x_t"], guess, t, s) for guess in (0.3 * seen["x_t"] - 0.1, target)]
    torch.testing.assert_close(loss, 4**2 * (landed[0] - landed[1]).square().mean())


def test_the_loss_of_one_step_is_asked_of_pure_noise_only():
    def student(x_t, t, tokens):
        assert torch.equal(x_t, EPS) and (t == 1).all()
        return two_step_target(ideal, x_t, t, tokens, steps=1)

    assert distillation_loss(ideal, 1)(student, X0, dealt_levels(8, None, steps=1), EPS, TOKENS) == 0


@pytest.mark.parametrize("steps", [3, 16, 0, -4, "4", None])
def test_steps_that_no_halving_leads_to_are_refused(steps):
    with pytest.raises(ValueError, match="8, 4, 2 or 1 steps"):
        distillation_loss(ideal, steps)
    with pytest.raises(ValueError, match="8, 4, 2 or 1 steps"):
        next(stages(tiny_denoiser(), steps=steps))


def test_other_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="must be a finite number.*, not nan"):
        next(stages(tiny_denoiser(), guidance_scale=float("nan")))
    with pytest.raises(ValueError, match="4 pictures cannot hold 8 noise levels"):
        dealt_levels(4, None, steps=8)
    with pytest.raises(ValueError, match="distilled already, to 8 steps"):
        next(stages(next(stages(tiny_denoiser())).run.ema))


# the stages


def test_a_stage_lowers_the_loss_and_leaves_the_teacher_alone():
    teacher = tiny_denoiser()
    stage = next(stages(teacher, learning_rate=1e-2))
    t = stage.levels(8, None)
    before = stage.loss(stage.run.model, X0, t, EPS, TOKENS)
    train_stage(stage, steps=40)
    assert stage.loss(stage.run.model, X0, t, EPS, TOKENS) < 0.75 * before
    assert same(teacher, tiny_denoiser()) and teacher.config == tiny_denoiser().config


def test_each_student_begins_as_its_teacher_who_is_the_average_of_the_stage_before():
    teacher, seen = tiny_denoiser(), []
    for stage in stages(teacher, steps=2):
        assert same(stage.run.model, teacher) and all(p.requires_grad for p in stage.run.model.parameters())
        train_stage(stage)
        assert not same(stage.run.ema, teacher)
        teacher = stage.run.ema
        seen.append((stage.steps, stage.run.model.config["steps"], teacher.config["steps"]))
    assert seen == [(8, 8, 8), (4, 4, 4), (2, 2, 2)]


def test_only_the_first_teacher_is_guided():
    asked, teacher = [], tiny_denoiser()
    teacher.register_forward_hook(lambda module, inputs, output: asked.append(len(inputs[0])))
    for stage in stages(teacher, steps=4):
        stage.loss(ideal, X0, stage.levels(8, None), EPS, TOKENS)
    assert asked == [16, 16, 8, 8]  # the hook is copied with the teacher


def test_the_same_seed_gives_the_same_network():
    def last(seed):
        for stage in stages(tiny_denoiser(), seed=seed):
            train_stage(stage)
        return stage.run.ema

    assert same(last(1), last(1)) and not same(last(1), last(2))


# files


def test_a_file_says_how_many_steps_its_network_was_distilled_for(tmp_path):
    file, again = tmp_path / "few.safetensors", tmp_path / "again.safetensors"
    weights.save(next(stages(tiny_denoiser())).run.ema, file, seed=1)
    model = weights.load_denoiser(file)
    assert sampling_of(model)[:3] == (32, 8, 1.0)
    weights.save(model, again)
    assert sampling_of(weights.load_denoiser(again))[:3] == (32, 8, 1.0)
    tensors, about = read_tensors(file)
    write_tensors(file, tensors, about | {"config": about["config"] | {"steps": "many"}})
    with pytest.raises(ValueError, match="whole number from 1 to 1000, not 'many'"):
        weights.load_denoiser(file)


def test_a_file_that_is_not_distilled_is_as_before(tmp_path):
    weights.save(tiny_denoiser(), tmp_path / "plain.safetensors")
    assert read_tensors(tmp_path / "plain.safetensors")[1].keys() == {"kind", "config", "about"}
    model = weights.load_denoiser(tmp_path / "plain.safetensors")
    assert sampling_of(model)[:3] == (32, 50, 2.0)


def test_the_prompt_box_stands_where_the_network_is_best():
    plain, distilled = tiny_denoiser(), tiny_denoiser()
    distilled.config |= dict(steps=2, guidance_scale=1.0)
    boxes = [PromptBox(model) for model in (plain, distilled)]
    assert [(box.steps.value, box.guidance.value) for box in boxes] == [(50, 2), (2, 1)]


# the command line


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Runs a command in an empty folder with a tiny denoiser, few pictures and small batches."""
    monkeypatch.chdir(tmp_path)
    weights.save(tiny_denoiser(), "tiny.safetensors")
    monkeypatch.setattr("course_lib.fruit.pictures.training_pictures", lambda bar, times=1: Pictures(X0, TOKENS, []))
    monkeypatch.setattr("course_lib.train.random_batches", partial(random_batches, batch_size=16))
    return lambda *arguments: cli.main([str(argument) for argument in arguments])


DISTILL = ("distill", "--weights", "tiny.safetensors", "--train-steps", 3, "--out")


def test_distill_writes_a_network_and_leaves_no_runs(tmp_path, capsys, command):
    assert command(*DISTILL, "out/few.safetensors", "--steps", 2, "--guidance", 2) == 0
    said = capsys.readouterr()
    assert said.out.startswith("out/few.safetensors: 2 steps from noise to picture") and said.out.count("\n") == 1
    assert "loss" in said.err and not (tmp_path / "runs").exists()
    assert sampling_of(weights.load_denoiser("out/few.safetensors")).steps == 2
    about = read_tensors("out/few.safetensors")[1]["about"]
    assert about["train_steps"] == 3 and "--guidance 2" in about["command"]


def test_two_distillations_never_share_their_runs(capsys, command):
    with claimed(Path("runs") / "few"):
        assert command(*DISTILL, "few.safetensors") == 2
    assert "Another process" in capsys.readouterr().err
    assert not Path("few.safetensors").exists()


def test_a_student_is_shown_no_mirrored_pictures_as_its_teacher_was(monkeypatch, command):
    flips = []
    spy = lambda *args, flip: flips.append(flip) or random_batches(*args, flip=flip, batch_size=16)  # noqa: E731
    monkeypatch.setattr("course_lib.train.random_batches", spy)
    assert command(*DISTILL, "few.safetensors", "--steps", 4) == 0
    assert flips == [False, False]


@pytest.mark.parametrize("stop", [2, 3, 4])  # in the first stage, between the two, in the second
def test_a_stopped_distillation_that_is_resumed_reaches_the_same_network(tmp_path, capsys, monkeypatch, command, stop):
    def interrupted(*args, **options):
        for report in train(*args, **options):
            yield report
            count.append(report)
            if len(count) == stop:
                raise KeyboardInterrupt

    assert command(*DISTILL, "straight.safetensors") == 0
    count = []
    monkeypatch.setattr("course_lib.train.train", interrupted)
    assert command(*DISTILL, "halted.safetensors") == 130
    monkeypatch.setattr("course_lib.train.train", train)
    capsys.readouterr()
    assert command(*DISTILL, "halted.safetensors") == 2
    assert "halted-8-steps.safetensors exists already. Add --resume" in capsys.readouterr().err
    assert command(*DISTILL, "halted.safetensors", "--resume") == 0
    assert same(*(weights.load_denoiser(f"{name}.safetensors") for name in ("straight", "halted")))
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("again", "said"),
    [
        (["--out", "two/few.safetensors"], "another teacher"),
        (["--guidance", 3], "another guidance scale"),
        (["--seed", 1], "another seed"),
    ],
)
def test_a_distillation_is_not_resumed_as_another(tmp_path, capsys, monkeypatch, command, again, said):
    def interrupted(*args, **options):
        yield from [next(train(*args, **options))]
        raise KeyboardInterrupt

    monkeypatch.setattr("course_lib.train.train", interrupted)
    assert command(*DISTILL, "one/few.safetensors") == 130
    monkeypatch.setattr("course_lib.train.train", train)
    (kept,) = (tmp_path / "runs").iterdir()
    before = kept.read_bytes()
    if "teacher" in said:
        weights.save(tiny_denoiser(seed=1), "tiny.safetensors")  # another of one name
    capsys.readouterr()
    assert command(*DISTILL, "one/few.safetensors", "--resume", *again) == 2
    assert f"few-8-steps.safetensors holds a run with {said}. Give the one" in capsys.readouterr().err
    assert kept.read_bytes() == before and not (tmp_path / "two").exists()


def test_what_cannot_be_distilled_is_refused_in_one_line(tmp_path, capsys, command):
    weights.save(Denoiser(("", "a", "red", "boat"), channels=(8,), width=16), "own.safetensors")
    weights.save(next(stages(tiny_denoiser())).run.ema, "few.safetensors")
    for arguments, message in (
        (["--weights", "own.safetensors"], "captions of its own"),
        (["--weights", "few.safetensors"], "distilled already, to 8 steps"),
        (["--weights", "none.safetensors"], "There is no file none.safetensors"),
        (["--weights", "tiny.safetensors", "--resume"], "to resume. Leave --resume out"),
    ):
        assert command("distill", *arguments, "--out", "o.safetensors") == 2
        said = capsys.readouterr()
        assert message in said.err.splitlines()[-1] and said.out == "" and "Traceback" not in said.err
    assert not (tmp_path / "runs").exists() and not (tmp_path / "o.safetensors").exists()


@pytest.mark.parametrize(
    ("file", "options", "steps", "scale"),
    [
        ("few", [], 8, 1.0),
        ("few", ["--steps", 4, "--guidance", 3], 4, 3.0),
        ("few", ["--steps", 3], 3, 1.0),
        ("tiny", [], 50, 2.0),
        ("tiny", ["--guidance", 1], 50, 1.0),
    ],
)
def test_generate_and_evaluate_sample_as_the_network_was_made_for_or_as_asked(
    monkeypatch, small_panel, command, file, options, steps, scale
):
    weights.save(next(stages(tiny_denoiser())).run.ema, "few.safetensors")
    asked, ask = [], sample.guided

    def spy(model, x_t, t, tokens, guidance_scale):
        asked.append(guidance_scale)
        return ask(model, x_t, t, tokens, 1)

    monkeypatch.setattr(sample, "guided", spy)
    assert command("generate", "a red apple", "--weights", f"{file}.safetensors", *options) == 0
    assert asked == [scale] * steps
    assert command("evaluate", "--weights", f"{file}.safetensors", "--per-pair", 1, *options) == 0
    portions = -(-(len(HELD_OUT_PAIRS) + 8 * len(TRAINING_PAIRS)) // 64)  # of the pictures of `evaluate`
    assert asked == [scale] * steps * (1 + portions)
