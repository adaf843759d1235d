import torch
from training import train_on

from course_lib.captions import MAX_WORDS
from course_lib.fruit.words import VOCABULARY
from course_lib.model import Denoiser
from course_lib.train import Muon, Run, orthogonalise
from course_lib.weights import load_run, save_run


def textbook(x):
    """The iteration as it is printed, on the whole matrix each time."""
    x = x / x.norm()
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x


def test_a_step_is_the_newton_schulz_iteration_in_any_orientation_and_company():
    generator = torch.Generator().manual_seed(0)
    shapes = [(16, 144), (64, 64), (144, 16), (16, 30)]
    matrices = [torch.randn(shape, generator=generator) for shape in shapes]
    for m, step in zip(matrices, orthogonalise(matrices), strict=True):
        wanted = textbook(m.double()) if m.shape[0] <= m.shape[1] else textbook(m.double().T).T
        assert step.shape == m.shape and torch.allclose(step.double(), wanted, atol=1e-4)


def test_all_directions_become_about_equally_long():
    m = torch.randn(16, 144, generator=torch.Generator().manual_seed(0)) * torch.logspace(-1, 1, 16)[:, None]
    before, after = torch.linalg.svdvals(m), torch.linalg.svdvals(orthogonalise([m])[0])
    assert before.max() / before.min() > 50
    assert after.min() > 0.6 and after.max() < 1.3


def test_three_steps_are_those_of_pytorchs_muon_up_to_its_bfloat16():
    """Nesterov's momentum, weight decay and scale; PyTorch's own takes matrices only and rounds to 8 bits."""
    g = torch.Generator().manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(24, 16)) for _ in range(2))
    how = dict(lr=0.1, momentum=0.9, weight_decay=0.01)
    optimizers = (
        (ours, Muon([ours], **how)),
        (theirs, torch.optim.Muon([theirs], **how, adjust_lr_fn="match_rms_adamw")),
    )
    for _ in range(3):
        gradient = torch.randn(24, 16, generator=g)
        for weight, optimizer in optimizers:
            weight.grad = gradient.clone()
            optimizer.step()
            assert torch.equal(weight.grad, gradient)  # some published ones overwrite it
    step = (ours - 1).norm()
    assert step > 0.5 and (ours - theirs).norm() < 0.02 * step


def test_a_convolution_counts_as_a_matrix_and_a_weight_without_a_gradient_stays():
    g = torch.Generator().manual_seed(0)
    kernel, gradient = torch.randn(2, 8, 4, 3, 3, generator=g)
    flat, idle = torch.nn.Parameter(kernel.flatten(1).clone()), torch.nn.Parameter(torch.ones(2, 2))
    kernel = torch.nn.Parameter(kernel.clone())
    kernel.grad, flat.grad = gradient, gradient.flatten(1)
    for weights in ([kernel, idle], [flat]):
        Muon(weights, lr=0.1).step()
    assert torch.equal(kernel.flatten(1), flat) and torch.equal(idle, torch.ones(2, 2))


def test_a_run_takes_the_same_steps_whatever_order_the_weights_lie_in_and_states_were_loaded_in(tmp_path):
    """Fused optimisers step the wrong weights where a weight and its state lie in different orders; ours must not."""
    x0, tokens = torch.rand(8, 3, 32, 32) * 2 - 1, torch.ones(8, MAX_WORDS, dtype=torch.int64)
    found = []
    for order in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        run = Run(Denoiser(VOCABULARY, channels=(8, 16), width=16))
        run.model.to(memory_format=order)  # after the optimisers were made
        for _ in train_on(run, x0, tokens, batch_size=8, steps=3):
            pass
        save_run(run, tmp_path / "run.safetensors")
        load_run(run, tmp_path / "run.safetensors")
        for _ in train_on(run, x0, tokens, batch_size=8, steps=6):
            pass
        found.append(run.model.state_dict())
    for one, other in zip(*(state.values() for state in found), strict=True):
        assert torch.allclose(one, other, atol=1e-4)
