"""Pictures as files hold them, in bytes, and as the course computes with them, in [-1, 1]."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from course_lib.tools.files import whole_file


def from_bytes(x: Tensor) -> Tensor:
    """Bytes, 0 for none of a colour to 255 for all of it, to float32 in [-1, 1]: x0 = x / 127.5 - 1."""
    return x / 127.5 - 1


def to_bytes(x0: Tensor) -> Tensor:
    """The way back: float32 in [-1, 1] to the nearest uint8."""
    return ((x0 + 1) * 127.5).round().to(torch.uint8)


class Bytes:
    """Pictures kept as bytes, in a quarter of the memory; those picked are x0. `train` takes it for a tensor."""

    def __init__(self, x: Tensor):
        self.x = x  # (N, 3, H, W) uint8

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, pick) -> Tensor:
        return from_bytes(self.x[pick])


def to_image(x: Tensor) -> np.ndarray:
    """(3, H, W) values to (H, W, 3) bytes; what leaves [-1, 1] is clipped, for display only."""
    return to_bytes(x.detach().clamp(-1, 1)).permute(1, 2, 0).numpy()


def grid(pictures: Tensor, columns: int | None = None, gap: int = 2) -> Tensor:
    """Lay (B, 3, H, W) pictures out in rows: one (3, H', W') picture, white between them."""
    b, c, h, w = pictures.shape
    columns = columns or min(b, 8)
    rows = -(-b // columns)
    sheet = torch.ones(c, rows * (h + gap) - gap, columns * (w + gap) - gap)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (h + gap), i % columns * (w + gap)
        sheet[:, top : top + h, left : left + w] = picture
    return sheet


def enlarged(picture: Tensor, scale: int) -> Image.Image:
    """One (3, H, W) picture for Pillow, every pixel a square of scale x scale."""
    image = Image.fromarray(to_image(picture))
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def save_picture(picture: Tensor, path: str | Path, scale: int = 1) -> None:
    """Write one (3, H, W) picture in the format that the path's ending names: .jpg, .jpeg or .webp; PNG for any other.

    Every pixel is a square of scale x scale. Whole or not at all.
    """
    kind = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}.get(Path(path).suffix.lower(), "PNG")
    with whole_file(path) as temporary:  # nothing is blurred where a format might
        enlarged(picture, scale).save(temporary, kind, quality=95, subsampling=0, lossless=True)


def png(picture: Tensor, scale: int = 1) -> bytes:
    """One (3, H, W) picture as the bytes of a PNG file, every pixel a square of scale x scale."""
    file = io.BytesIO()
    enlarged(picture, scale).save(file, "PNG")
    return file.getvalue()
