"""How good are the pictures? Numbers beside the judge's counts: is it a copy, is it like real ones, does it vary."""

import json
from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib.noise import Model, Pictures, Tokens, add_noise, check_number, told
from course_lib.tools.files import DATA


def clipped(x: Pictures, side: int | None = None) -> Pictures:
    """Pictures as a display shows them: float32, clipped to [-1, 1].

    Raises ValueError for what is no tensor of floats, (B, 3, H, W) with H = W = side if that is given, or holds nan.
    """
    if not isinstance(x, Tensor) or x.ndim != 4 or x.shape[1] != 3 or (side and x.shape[2:] != (side, side)):
        raise ValueError(f"Pictures of shape (B, 3, {side or 'H'}, {side or 'W'}) are needed here, not {told(x)}.")
    if not x.is_floating_point():
        raise ValueError(f"Pictures are float32 in [-1, 1], not {x.dtype}. For bytes write x / 127.5 - 1.")
    if x.isnan().any():
        raise ValueError("A picture holds nan, no number: what made it went wrong.")
    return x.float().clamp(-1, 1)


def nearest(x: Pictures, pictures: Pictures, count: int = 1) -> tuple[Tensor, Tensor]:
    """Which pictures of a set are most like each of ours, pixel by pixel?

    Returns, for each of the B pictures x, the `count` nearest of the N `pictures`, both clipped to [-1, 1], nearest
    first: the root mean square difference, (B, count) float32, 0 for a copy; and the place in `pictures`, (B, count).
    Raises ValueError as `clipped`, if the pictures differ in shape, or count is not from 1 to N.
    """
    x, pictures = clipped(x), clipped(pictures)
    if x.shape[1:] != pictures.shape[1:]:
        raise ValueError(f"Pictures of {tuple(x.shape[1:])} cannot be compared with {tuple(pictures.shape[1:])}.")
    check_number("count", count, 1, len(pictures))
    x, pictures = x.flatten(1), pictures.flatten(1)
    # all distances at once are quick, but a copy's is not quite 0: those of a few more than asked for are taken again
    few = torch.cdist(x, pictures).topk(min(count + 4, len(pictures)), largest=False).indices
    exact = torch.cdist(x[:, None], pictures[few], compute_mode="donot_use_mm_for_euclid_dist")[:, 0]
    found = exact.topk(count, largest=False)
    return found.values / x.shape[1] ** 0.5, few.gather(1, found.indices)


def frechet_distance_1d(mean_a: float, std_a: float, mean_b: float, std_b: float) -> float:
    """How far two bell curves are apart: (mean_a - mean_b)^2 + (std_a - std_b)^2.

    A curve has its middle at its mean; its standard deviation, the square root of the variance, says how wide it is.
    This is the Fréchet distance (squared, as is the custom), 0 where the curves are the same.

    Source: Dowson and Landau 1982, "The Fréchet distance between multivariate normal distributions", in one dimension.
    """
    return (mean_a - mean_b) ** 2 + (std_a - std_b) ** 2


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """How far two clouds of features are apart: |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)).

    Each cloud is taken for a bell curve in F dimensions, with its mean and its covariance C. The number depends on N:
    small clouds look further apart than they are. Compare it only between clouds of one size, and with the floor, the
    distance between two clouds of real pictures. It is squared, as is the custom.

    a, b: (N, F) and (M, F), the features of two sets of pictures, such as `judge.features(x)`; ValueError if they
    differ in number, or a cloud has fewer than two points.

    Source: Heusel et al. 2017 (arXiv:1706.08500), eq. 6, there with the features of another network.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"Features have shape (N, F), with one F for both sets and N of at least 2, "
            f"not {tuple(a.shape)} and {tuple(b.shape)}."
        )
    a, b = a.double(), b.double()
    roots = []
    for cloud in (a, b):
        values, vectors = torch.linalg.eigh(cloud.T.cov().reshape(a.shape[1], a.shape[1]))
        roots.append(vectors * values.clamp(min=0).sqrt() @ vectors.T)  # C^(1/2)
    together = torch.linalg.matrix_norm(roots[0] @ roots[1], "nuc")  # tr (C_a C_b)^(1/2), never the root of less than 0
    means = (a.mean(0) - b.mean(0)).square().sum()
    return float((means + a.var(0).sum() + b.var(0).sum() - 2 * together).clamp(min=0))


def diversity(features: Tensor) -> float:
    """How different pictures are from one another: the mean distance of two of them. 0: all the same.

    features: (N, F), of pictures made for one caption, such as `judge.features(x)`; ValueError for fewer than two.
    """
    if len(features) < 2:
        raise ValueError(f"Diversity needs two pictures or more, not {len(features)}.")
    return float(torch.pdist(features).mean())


@torch.no_grad()
def error_by_level(
    model: Model, x0: Pictures, tokens: Tokens, levels: Sequence[float], generator: torch.Generator
) -> list[float]:
    """How far the guess is from the clean picture at each noise level: the mean of |x0_hat - x0|^2, without a weight.

    The noise, from the generator, is the same at every level. The pictures had better not be those of the training.
    """
    eps = torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
    guesses = (model(add_noise(x0, t, eps), torch.full((len(x0),), t), tokens) for t in levels)
    return [float((x0_hat - x0).square().mean()) for x0_hat in guesses]


def benchmark(name: str) -> dict[str, dict]:
    """What a longer benchmark measured: its values by name, each with "value", "unit", "settings", "machine", "seed".

    It is named as its file in data/benchmarks, such as "few_steps" (see data/README.md); ValueError if there is none.
    """
    path = DATA / "benchmarks" / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(other.stem for other in path.parent.glob("*.json")))
        raise ValueError(f'There is no benchmark "{name}" in {path.parent}; there are: {there}.')
    return {row["name"]: row for row in json.loads(path.read_text(encoding="utf-8"))}
