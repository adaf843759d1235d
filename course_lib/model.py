"""The denoiser: x0_hat = denoiser(x_t, t, tokens). Third in the reading order.

A small U-Net looks at the noisy picture on a few scales and guesses the clean one. Two things steer every block
of it: how noisy the picture is (t) and what is said about it (tokens). Both become one vector, and each block
scales and shifts its channels by what it reads in that vector (FiLM). Besides, the caption alone is turned into a
coarse map, its sketch, which is laid over the picture where it enters.
"""

import math
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.captions import MAX_WORDS
from course_lib.fruit.words import VOCABULARY
from course_lib.noise import expand_level

SKETCH = 8  # places along a side of the sketch


class CaptionEncoder(nn.Module):
    """Tokens to one vector: let each word hear the word after it, think about each by itself, add them up.

    The next word is what tells "orange", the colour, from "orange", the fruit. Nothing else is mixed, so the sum says
    "green" and "banana" of a pair that was never read together. The null caption, no words, adds up to zero.

    Source: a sum of functions of the parts, Zaheer et al. 2017, Deep Sets (arXiv:1703.06114), theorem 2.
    """

    def __init__(self, vocabulary_size: int, width: int):
        super().__init__()
        self.words = nn.Embedding(vocabulary_size, width)
        nn.init.normal_(self.words.weight, std=0.3)  # small, so that what they learn to mean soon outweighs it
        self.next_word = nn.Linear(width, width, bias=False)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, MAX_WORDS) int64 tokens to (B, width) float32."""
        after = F.pad(tokens[:, 1:], (0, 1))  # the token of the next word; "no word" after the last
        h = self.words(tokens) + self.next_word(self.words(after))  # (B, L, W)
        h = h + self.mlp(h)
        return (h * (tokens != 0)[..., None]).sum(dim=1)  # (B, W); no words, no meaning: zero


class Block(nn.Module):
    """Two convolutions around a FiLM, added to what came in: one looks around, one at its own place only.

    Source: residual blocks, He et al. 2016 (arXiv:1603.05027); FiLM, Perez et al. 2018 (arXiv:1709.07871), eq. 1.
    """

    def __init__(self, channels_in: int, channels_out: int, condition_width: int):
        super().__init__()
        self.conv_in = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.norm = nn.GroupNorm(8, channels_out)
        self.film = nn.Linear(condition_width, 2 * channels_out)
        self.conv_out = nn.Conv2d(channels_out, channels_out, 1)
        self.skip = nn.Conv2d(channels_in, channels_out, 1) if channels_in != channels_out else nn.Identity()
        nn.init.zeros_(self.conv_out.weight)  # every block begins as "change nothing"

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, channels_in, h, w) and (B, condition_width) to (B, channels_out, h, w)."""
        h = self.conv_in(F.silu(x))
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, dim=1)
        h = self.norm(h) * (1 + scale) + shift
        return self.skip(x) + self.conv_out(F.silu(h))


def check_input(x_t: Tensor, tokens: Tensor | None, smallest: int, max_words: int, vocabulary_size: int) -> Tensor:
    """Refuse pictures and captions that a network cannot read; raises ValueError.

    Args:
        x_t: must be (B, 3, H, W), H and W multiples of `smallest`.
        tokens: must be (B, max_words) int64 in [0, vocabulary_size - 1]; None stands for null captions.

    Returns:
        tokens, (B, max_words) int64.
    """
    if x_t.ndim != 4 or x_t.shape[1] != 3 or x_t.shape[2] % smallest or x_t.shape[3] % smallest:
        raise ValueError(
            f"x_t must have shape (B, 3, H, W) with H and W multiples of {smallest}, not {tuple(x_t.shape)}."
        )
    if tokens is None:
        return torch.zeros(len(x_t), max_words, dtype=torch.int64, device=x_t.device)
    if tokens.shape != (len(x_t), max_words):
        raise ValueError(
            f"tokens must have shape ({len(x_t)}, {max_words}), one caption for each picture, "
            f"not {tuple(tokens.shape)}."
        )
    if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocabulary_size:
        raise ValueError(
            f"Tokens lie in [0, {vocabulary_size - 1}], but these go from {int(tokens.min())} to "
            f"{int(tokens.max())}: were they made with this model's vocabulary?"
        )
    return tokens


class Denoiser(nn.Module):
    """A U-Net that predicts the clean picture from a noisy one, its noise level and a caption.

    Args:
        vocabulary_size: how many words there are, "no word" included.
        patch: side of the squares of pixels that become one place with more channels before the first
            convolution, and pixels again after the last: 4 is fast, 2 is crisp.
        channels: channels on each scale, from fine to coarse; each a multiple of 8. Every scale halves the last.
        blocks: blocks on each scale, on the way down and again on the way up.
        width: length of the vector that carries noise level and caption.

    Source: U-Net, Ronneberger et al. 2015 (arXiv:1505.04597); noise-conditioned as in Ho et al. 2020
    (arXiv:2006.11239), appendix B.
    """

    vocabulary = VOCABULARY  # a loaded one may have its own

    def __init__(
        self,
        vocabulary_size: int = len(VOCABULARY),
        patch: int = 4,
        channels: Sequence[int] = (48, 96),
        blocks: int = 1,
        width: int = 64,
    ):
        super().__init__()
        self.config = dict(
            vocabulary_size=vocabulary_size, patch=patch, channels=list(channels), blocks=blocks, width=width
        )
        self.patch, self.smallest = patch, patch * 2 ** (len(channels) - 1)
        self.register_buffer("frequencies", math.pi * 2 ** torch.linspace(-1, 4, width // 2), persistent=False)
        self.level = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.caption = CaptionEncoder(vocabulary_size, width)

        self.enter = nn.Conv2d(3 * patch**2, channels[0], 3, padding=1)
        self.sketch = nn.Linear(width, channels[0] * SKETCH**2)
        block = partial(Block, condition_width=width)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = channels[0]
        for here in channels:
            self.down.append(nn.ModuleList(block(before if i == 0 else here, here) for i in range(blocks)))
            before = here
        self.middle = block(before, before)
        for here in reversed(channels):
            self.up.append(nn.ModuleList(block(before + here if i == 0 else here, here) for i in range(blocks)))
            before = here
        self.leave = nn.Sequential(nn.GroupNorm(8, before), nn.SiLU(), nn.Conv2d(before, 3 * patch**2, 3, padding=1))
        nn.init.zeros_(self.leave[-1].weight)  # the first guess of all is a plain grey

    def forward(self, x_t: Tensor, t: float | Tensor, tokens: Tensor | None = None) -> Tensor:
        """Guess the clean picture.

        Args:
            x_t: (B, 3, H, W) float32, noisy pictures; H and W are multiples of `smallest`.
            t: their noise levels in [0, 1], a number or (B,).
            tokens: (B, MAX_WORDS) int64, their captions; None stands for the null caption.

        Returns:
            x0_hat, (B, 3, H, W) float32; it may leave [-1, 1].

        Raises:
            ValueError: a shape or a range is wrong.
        """
        tokens = check_input(x_t, tokens, self.smallest, MAX_WORDS, self.config["vocabulary_size"])
        angle = expand_level(t, x_t).reshape(-1, 1).expand(len(x_t), 1) * self.frequencies
        caption = self.caption(tokens)
        level = self.level(torch.cat([angle.sin(), angle.cos()], dim=1))
        condition = level + caption  # the blocks read a sum: "green" does the same to every fruit

        h = F.pixel_unshuffle(x_t, self.patch).contiguous(memory_format=torch.channels_last)  # faster on a CPU
        h = self.enter(h)
        sketch = self.sketch(caption).unflatten(1, (-1, SKETCH, SKETCH))  # what the words alone say, place by place
        h = h + F.interpolate(sketch, h.shape[2:], mode="bilinear")
        scales = []
        for i, blocks in enumerate(self.down):
            h = F.avg_pool2d(h, 2) if i else h
            for block in blocks:
                h = block(h, condition)
            scales.append(h)
        h = self.middle(h, condition)
        for i, blocks in enumerate(self.up):
            h = torch.cat([F.interpolate(h, scale_factor=2.0) if i else h, scales.pop()], dim=1)
            for block in blocks:
                h = block(h, condition)
        return F.pixel_shuffle(self.leave(h), self.patch)
