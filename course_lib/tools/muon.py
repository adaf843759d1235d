"""Muon, an optimiser for matrices: fewer steps to the same picture. Not needed to understand the course.

Plain gradient steps favour the few directions in which a weight matrix is already strong. Muon makes all directions
of a step equally long, by pulling the singular values of the step to about one. `torch.optim.Muon` does the same for
plain matrices only, and in bfloat16, which a processor without instructions for it does hundreds of times slower than
float32.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def orthogonalise(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Bring all singular values of each (m, n) matrix near one, without computing them.

    Source: Newton-Schulz iteration with the coefficients of Jordan et al. 2024, "Muon: An optimizer for hidden
    layers in neural networks".
    """
    wide = [x if x.shape[0] <= x.shape[1] else x.T for x in matrices]
    wide = [x / (x.norm() + 1e-7) for x in wide]
    alike = defaultdict(list)  # matrices with one short side go through the turns together
    for place, x in enumerate(wide):
        alike[len(x)].append(place)
    for side, places in alike.items():
        # each turn multiplies x from the left by a polynomial of x x^T: gather the factors, which are small
        gram = torch.stack([wide[place] @ wide[place].T for place in places])
        factors = torch.eye(side, dtype=gram.dtype, device=gram.device)
        for _ in range(5):
            factor = 2.0315 * gram @ gram - 4.7750 * gram
            factor.diagonal(dim1=1, dim2=2).add_(3.4445)
            factors = factor @ factors
            gram = factor @ gram @ factor
        for place, factor in zip(places, factors, strict=True):
            wide[place] = factor @ wide[place]
    return [y if x.shape[0] <= x.shape[1] else y.T for x, y in zip(matrices, wide, strict=True)]


class Muon(torch.optim.Optimizer):
    """Steps with momentum, made orthogonal; weights of convolutions count as matrices (out, in x height x width).

    Args:
        parameters: weights with two axes or more.
        lr: learning rate; the step's scale matches AdamW's, so that both can share one (Liu et al. 2025,
            arXiv:2502.16982, eq. 4).
        momentum: of the average over past gradients (Nesterov's form).
        weight_decay: as AdamW's.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.9, weight_decay: float = 0.01):
        super().__init__(parameters, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self) -> None:
        """One step for every weight that has a gradient."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            steps = []
            for weight in weights:
                average = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                average.lerp_(weight.grad, 1 - group["momentum"])
                steps.append(weight.grad.lerp(average, group["momentum"]).flatten(1))
            for weight, step in zip(weights, orthogonalise(steps), strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(step.reshape(weight.shape), alpha=-0.2 * max(step.shape) ** 0.5 * group["lr"])
