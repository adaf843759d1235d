import pytest
import torch

from course_lib.captions import MAX_WORDS
from course_lib.classroom import broken
from course_lib.tools.files import write_tensors
from course_lib.train import Run, denoising_loss

X0 = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
EPS = torch.randn(X0.shape, generator=torch.Generator().manual_seed(1))
T = torch.tensor([1.0, 0.9, 0.7, 0.5, 0.2, 0.0])
TOKENS = torch.tensor([[1], [0], [2], [3], [0], [4]]).expand(6, MAX_WORDS)


class Listener(torch.nn.Module):
    """A model that remembers what it was asked and answers with it."""

    def forward(self, x_t, t, tokens):
        self.heard = x_t, t, tokens
        return x_t


def heard(loss):
    model = Listener()
    value = loss(model, X0, T, EPS, TOKENS)
    return *model.heard, value.item()


def test_each_loss_has_its_one_fault():
    x_t, t, tokens, loss = heard(denoising_loss)
    assert torch.equal(x_t[0], EPS[0]) and torch.equal(x_t[-1], X0[-1]) and torch.equal(t, T)

    wrong = heard(broken.FAULTS["wrong range"].loss)[0]
    assert torch.allclose(wrong[-1], (X0[-1] + 1) / 2) and torch.equal(wrong[0], EPS[0])
    assert torch.equal(heard(broken.swapped_loss)[0], X0)
    assert heard(broken.swapped_loss)[-1] == pytest.approx(loss, rel=1e-5)  # here input and target differ as much
    assert heard(broken.no_null_caption_loss)[2].tolist() == TOKENS[[0, 2, 3, 5]].tolist()
    assert torch.allclose(heard(broken.low_levels_loss)[1], T**3)
    few = heard(broken.FAULTS["too few levels"].loss)
    assert few[1].max() < 1 and torch.allclose(few[1], 0.6 * T) and not torch.equal(few[0][0], EPS[0])


def test_the_random_layer_is_none_of_the_networks_weights_and_never_the_same():
    inner = torch.nn.Conv2d(3, 3, 1)
    layered = broken.RandomLayer(Listener())
    assert list(layered.parameters()) == [] and len(list(broken.RandomLayer(inner).parameters())) == 2
    assert not torch.equal(layered(X0, T, TOKENS), layered(X0, T, TOKENS))


def test_a_fault_is_trained_for_the_steps_asked_for_and_says_how_far_it_is():
    class Tiny(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 3, 1)

        def forward(self, x_t, t, tokens):
            return self.conv(x_t)

    fault = broken.FAULTS["no EMA"]._replace(network=Tiny)
    run = broken.start(fault)
    assert isinstance(run, Run)
    reports = list(broken.practise(run, fault, X0, TOKENS, steps=4))
    assert [r.step for r in reports] == [1, 2, 3, 4] and reports[-1].done == 1
    assert run.optimizers[0].param_groups[0]["lr"] == fault.learning_rate  # stopped before it falls


def test_the_letters_stand_for_every_fault_once():
    order = broken.in_order()
    assert list(order) == list("ABCDEFG") and sorted(order.values()) == sorted(broken.FAULTS)
    assert order == broken.in_order() and list(order.values()) != list(broken.FAULTS)


def test_every_fault_says_what_gives_it_away_without_naming_it():
    for name, fault in broken.FAULTS.items():
        assert fault.wrong.endswith(".") and fault.look.endswith(".") and fault.remedy.endswith(".")
        assert name not in fault.look


def test_the_shipped_runs_are_small_and_show_what_is_said_of_them():
    runs = broken.load()
    assert (broken.DATA / "broken.safetensors").stat().st_size < 1e6
    for losses, pictures in runs.values():
        assert losses.shape == (broken.STEPS,) and losses.isfinite().all()
        assert pictures.shape == (16, 3, 32, 32) and pictures.abs().max() <= 1
    last = {name: run.losses[-50:].mean() for name, run in runs.items()}
    dark = {name: (run.pictures < -0.5).float().mean() for name, run in runs.items()}
    captioned = {name: run.pictures[:12] for name, run in runs.items()}
    colour = {name: (x.amax(dim=1) - x.amin(dim=1)).mean() for name, x in captioned.items()}
    assert dark["wrong range"] < 0.3 * dark["healthy"]
    assert last["wrong range"] < last["healthy"] < last["random layer in forward"]
    assert last["healthy"] < last["no EMA"] < last["x0 and x_t swapped"]
    # too much guidance: the same training, the same pictures without words, and the loudest colours of all with words
    healthy, loud = runs["healthy"], runs["guidance too high"]
    assert torch.equal(loud.losses, healthy.losses) and torch.equal(loud.pictures[12:], healthy.pictures[12:])
    assert max(colour, key=colour.get) == "guidance too high" and colour["guidance too high"] > 1.2 * colour["healthy"]


def test_another_file_is_refused(tmp_path):
    write_tensors(tmp_path / "other.safetensors", {"x": torch.zeros(1)}, {"kind": "run"})
    with pytest.raises(ValueError, match="holds no broken runs"):
        broken.load(tmp_path / "other.safetensors")


def test_curves_are_smoothed_over_whole_stretches_and_faults_explained():
    steps, means = broken.smooth(torch.arange(10.0), over=4)
    assert steps.tolist() == [4, 8] and means.tolist() == [1.5, 5.5]
    for name, fault in broken.FAULTS.items():
        assert all(part in broken.explain(name) for part in (name, fault.wrong, fault.look, fault.remedy))


def test_a_broken_run_draws_nothing_from_torchs_own_random_numbers():
    fault = broken.FAULTS["random layer in forward"]
    before, made = torch.get_rng_state(), []
    for _ in range(2):
        run = broken.start(fault)
        losses = [r.loss for r in broken.practise(run, fault, X0, TOKENS, steps=2)]
        made.append((losses, broken.paint(run, fault), broken.paint(run, fault)))
        broken.explain("no EMA"), broken.in_order(), broken.load()
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(7)  # what others draw changes nothing in a run
        before = torch.get_rng_state()
    (losses, first, second), (again, *_) = made
    assert losses == again and torch.equal(first, second) and torch.equal(first, made[1][1])
