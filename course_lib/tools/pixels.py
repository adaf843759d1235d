"""Pictures as files hold them, in bytes, and as the course computes with them, in [-1, 1]."""

import torch
from torch import Tensor


def from_bytes(x: Tensor) -> Tensor:
    """Bytes, as picture files hold them, to the range of this course: x0 = x / 127.5 - 1.

    Args:
        x: uint8 of any shape, 0 for none of a colour to 255 for all of it.

    Returns:
        x0, float32 of the same shape in [-1, 1].
    """
    return x / 127.5 - 1


def to_bytes(x0: Tensor) -> Tensor:
    """The way back: float32 in [-1, 1] to the nearest uint8."""
    return ((x0 + 1) * 127.5).round().to(torch.uint8)


class Bytes:
    """Pictures kept as bytes, in a quarter of the memory; those that are picked come out as x0 in [-1, 1].

    `train` takes it in the place of a tensor.
    """

    def __init__(self, x: Tensor):
        self.x = x  # (N, 3, H, W) uint8

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, pick) -> Tensor:
        return from_bytes(self.x[pick])
