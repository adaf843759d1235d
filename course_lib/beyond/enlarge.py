"""A network that enlarges: what 32 pixels show becomes a picture of 128. Not needed to understand the course.

It is a denoiser like the others, x0_hat = enlarger(x_t, t, small), but what it is told is no caption: it is the small
picture. Its first guess is the small picture, enlarged smoothly; it learns what is missing from that. Since so little
is left open, a few steps from noise to picture are enough.

Source: Saharia et al. 2021, Image Super-Resolution via Iterative Refinement (arXiv:2104.07636), section 2; the small
pictures are worsened at random as in Ho et al. 2021, Cascaded Diffusion Models (arXiv:2106.15282), section 4.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.fruit import drawing, shapes, words
from course_lib.fruit.pictures import draw_bytes, random_fruits
from course_lib.fruit.words import SIZE, TRAINING_PAIRS
from course_lib.fruit.worlds import FACTOR
from course_lib.model import LevelEncoder, UNet, leave, smallest_side
from course_lib.noise import Levels, Pictures, check_number, noise_levels, told
from course_lib.sample import denoise_step
from course_lib.tools.bars import Bar, no_bar
from course_lib.tools.files import DRAWN
from course_lib.tools.kept import drawn_once
from course_lib.tools.pixels import Bytes, from_bytes, to_bytes

PER_PAIR, SEED = 128, 3_000_000  # of the drawings that it is trained on
CROP = 64  # side of the squares that are cut out of them, in pixels: a quarter of the work
WORST_NOISE, WORST_BLUR = 0.15, 1.0  # how bad the small pictures get in training


class Enlarger(nn.Module):
    """A U-Net that predicts a picture from a noisy one, its noise level and the same picture `factor` times smaller.

    Args:
        factor: how much larger; every pixel of the small picture becomes one place of the network.
        channels, width: see `UNet`.
        steps: how many it takes from noise to picture, unless one says otherwise.

    Raises ValueError for settings that make no network.
    """

    def __init__(self, factor: int = FACTOR, channels: Sequence[int] = (64, 96, 128), width: int = 64, steps: int = 4):
        super().__init__()
        check_number("factor", factor, 2, 16)
        check_number("steps", steps, 1, 1000)
        self.config = dict(factor=factor, channels=list(channels), width=width, steps=steps)
        self.smallest = smallest_side(self.config | dict(patch=1, size=SIZE))  # divides the sides of small pictures
        self.level = LevelEncoder(width)
        self.enter = nn.Conv2d(3 * factor**2 + 3, channels[0], 3, padding=1)
        self.unet = UNet(channels, width)
        self.leave = leave(channels[0], factor)

    def forward(self, x_t: Pictures, t: Levels, small: Pictures) -> Pictures:
        """Guess the clean picture: (B, 3, H, W) noisy and (B, 3, H / factor, W / factor) small to x0_hat, (B, 3, H, W).

        Raises ValueError where shapes or dtypes do not match.
        """
        factor = self.config["factor"]
        self.check_small(small)
        wanted = (*small.shape[:2], *(factor * side for side in small.shape[2:]))
        if not isinstance(x_t, Tensor) or x_t.shape != wanted or x_t.dtype != small.dtype:
            raise ValueError(
                f"x_t must have shape {wanted}, {small.dtype}, as the small pictures say, not {told(x_t)}."
            )
        h = torch.cat([F.pixel_unshuffle(x_t, factor), small], dim=1).contiguous(memory_format=torch.channels_last)
        h = self.leave(self.unet(self.enter(h), self.level(t, x_t)))
        return F.interpolate(small, scale_factor=float(factor), mode="bicubic") + F.pixel_shuffle(h, factor)

    def check_small(self, small: Pictures) -> None:
        """Refuse, with a ValueError, small pictures that it cannot read."""
        side, dtype, shape = self.smallest, self.enter.weight.dtype, getattr(small, "shape", ())
        if len(shape) != 4 or not shape[0] or shape[1] != 3 or any(not n or n % side for n in shape[2:]):
            raise ValueError(f"Small pictures have shape (B, 3, h, w), h and w multiples of {side}, not {told(small)}.")
        if small.dtype != dtype:
            raise ValueError(f"Small pictures are {small.dtype}, but this network computes in {dtype}.")


@torch.no_grad()
def enlarging(
    enlarger: Enlarger, small: Pictures, *, generator: torch.Generator, steps: int | None = None
) -> Iterator[Pictures]:
    """Enlarge pictures (B, 3, h, w), clipped to [-1, 1], and show the guess of each step, (B, 3, factor h, factor w).

    The last guess is the result, in [-1, 1]. Each picture has noise of its own: the same state of the generator gives
    the same picture, whatever others come after it.

    Raises ValueError where the pictures do not fit the network, steps are out of range, or generator is none.
    """
    _check(enlarger, small, generator)
    levels = noise_levels(enlarger.config["steps"] if steps is None else steps).tolist()
    shape = 3, *(enlarger.config["factor"] * side for side in small.shape[2:])
    small, x_t = small.clamp(-1, 1), torch.stack([torch.randn(shape, generator=generator) for _ in small])
    for t, s in zip(levels[:-1], levels[1:], strict=True):
        x0_hat = enlarger(x_t, torch.full((len(x_t),), t), small)
        yield x0_hat.clamp(-1, 1)
        x_t = denoise_step(x_t, x0_hat, t, s)


def enlarge(
    enlarger: Enlarger, small: Pictures, *, generator: torch.Generator, steps: int | None = None, at_once: int = 16
) -> Pictures:
    """Enlarge pictures (B, 3, h, w), which are clipped to [-1, 1]: (B, 3, factor h, factor w) in [-1, 1].

    So many `at_once`; where memory does not suffice, fewer, which gives the same pictures. Raises as `enlarging`.
    """
    check_number("at_once", at_once)
    _check(enlarger, small, generator)
    factor, done = enlarger.config["factor"], 0
    large = small.new_empty(*small.shape[:2], *(factor * side for side in small.shape[2:]))
    while done < len(small):
        part, before = small[done : done + at_once], generator.get_state()
        try:
            guesses = enlarging(enlarger, part, generator=generator, steps=steps)
            large[done : done + at_once] = deque(guesses, maxlen=1).pop()
        except (MemoryError, RuntimeError) as error:
            if len(part) == 1 or not isinstance(error, MemoryError) and "memory" not in str(error):
                raise
            generator.set_state(before)
            at_once = len(part) // 2
        else:
            done += len(part)
    return large


def _check(enlarger: Enlarger, small: Pictures, generator: torch.Generator) -> None:
    enlarger.check_small(small)
    if not isinstance(generator, torch.Generator):
        raise ValueError(f"generator must be like torch.Generator().manual_seed(0), not {generator!r}.")


def noise_beside(seed: int) -> torch.Generator:
    """Chance for enlarging what was made with this seed: not the noise that the small pictures came from."""
    return torch.Generator().manual_seed(seed + 1)


def averaged_down(x: Pictures, factor: int = FACTOR) -> Pictures:
    """Make pictures smaller: each pixel the mean of factor x factor."""
    return F.avg_pool2d(x, factor)


def large_pictures(path: str | Path = DRAWN / "pictures-large.safetensors", bar: Bar = no_bar) -> Bytes:
    """Open the 7,168 drawings of 128 pixels that an enlarger learns from, of the training pairs, or draw them first."""

    def make() -> tuple[Tensor, list[dict]]:
        return draw_bytes(random_fruits(TRAINING_PAIRS, PER_PAIR, SEED), FACTOR * SIZE, bar), []

    values = TRAINING_PAIRS, PER_PAIR, SEED, FACTOR, SIZE
    x, _ = drawn_once(path, [words, shapes, drawing, random_fruits, draw_bytes, to_bytes, values], make)
    return Bytes(x)


def worsened(small: Pictures, generator: torch.Generator) -> Pictures:
    """Blur small pictures and add noise, each by as much as chance says, so that what made them need not be perfect."""
    blur, noise = torch.rand(2, len(small), 1, 1, 1, generator=generator)
    blurred = F.avg_pool2d(F.pad(small, (1, 1, 1, 1), mode="replicate"), 3, 1)
    small = small + WORST_BLUR * blur**2 * (blurred - small)
    return small + WORST_NOISE * noise**2 * torch.randn(small.shape, generator=generator)


def enlarging_batches(
    pictures: Bytes, generator: torch.Generator, *, factor: int = FACTOR, batch_size: int = 64, begun: int = 0
) -> Iterator[tuple[Pictures, Pictures]]:
    """Batches to train on, without end: (x0, small), squares cut out of the pictures and the same, small and worsened.

    Every fourth batch has whole pictures, a quarter as many, since that is what will be asked for.

    begun: how many batches the run has had before, since they take turns. Raises ValueError for pictures that are too
    small for such squares, and for a batch of none.
    """
    side = pictures.x.shape[-1]
    check_number("batch_size", batch_size)
    if side < CROP or side % factor or CROP % factor:
        raise ValueError(
            f"Pictures of {side} pixels cannot be cut into squares of {CROP}, and made {factor} times less."
        )
    for turn in count(begun):
        many, width = (-(-batch_size // 4), side) if turn % 4 == 3 else (batch_size, CROP)
        pick = torch.randint(len(pictures), (many,), generator=generator)
        down, right = (factor * int(torch.randint((side - width) // factor + 1, (), generator=generator)) for _ in "xy")
        x0 = from_bytes(pictures.x[pick, :, down : down + width, right : right + width])
        yield x0, worsened(averaged_down(x0, factor), generator)
