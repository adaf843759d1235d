import torch

from course_lib.train import orthogonalise


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
