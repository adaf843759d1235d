"""How good are the pictures? Numbers beside the judge's counts: is it a copy, is it like the real ones, is there variety."""

import torch
from torch import Tensor


def nearest(x: Tensor, pictures: Tensor, count: int = 1) -> tuple[Tensor, Tensor]:
    """Which pictures of a set are most like each of ours, pixel by pixel?

    Args:
        x: (B, 3, H, W) float32, what to look for, such as generated pictures; clipped to [-1, 1].
        pictures: (N, 3, H, W) float32 in [-1, 1], where to look, such as the training pictures.
        count: how many to find for each, from 1 to N.

    Returns:
        distance: (B, count) float32, root mean square difference, nearest first; 0 is a copy.
        index: (B, count) int64, places in `pictures`.

    Raises:
        ValueError: the pictures differ in shape, or count is out of range.
    """
    if x.shape[1:] != pictures.shape[1:]:
        raise ValueError(f"Pictures of {tuple(x.shape[1:])} cannot be compared with {tuple(pictures.shape[1:])}.")
    if not 1 <= count <= len(pictures):
        raise ValueError(f"count must be a whole number from 1 to {len(pictures)}, not {count}.")
    distance = torch.cdist(x.clamp(-1, 1).flatten(1), pictures.flatten(1)) / x[0].numel() ** 0.5
    found = distance.topk(count, largest=False)
    return found.values, found.indices
