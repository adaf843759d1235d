"""The denoiser: x0_hat = denoiser(x_t, t, tokens). Third in the reading order.

A small U-Net looks at the noisy picture on a few scales and guesses the clean one. Two things steer every block
of it: how noisy the picture is (t) and what is said about it (tokens). Both become one vector, and each block
scales and shifts its channels by what it reads in that vector (FiLM). Besides, the caption alone is turned into a
coarse map, its sketch, which is laid over the picture where it enters.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.captions import MAX_WORDS, encode
from course_lib.noise import Levels, Pictures, Tokens, check_number, expand_level, told

SKETCH = 8  # places along a side of the sketch


class LevelEncoder(nn.Module):
    """A noise level to one vector, by waves of many lengths, so that near levels differ too."""

    def __init__(self, width: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.register_buffer("frequencies", math.pi * 2 ** torch.linspace(-1, 4, width // 2), persistent=False)

    def forward(self, t: Levels, x_t: Pictures) -> Tensor:
        """The levels of some pictures to (B, width) float32."""
        angle = expand_level(t, x_t).reshape(-1, 1).expand(x_t.shape[0], 1) * self.frequencies
        return self.mlp(torch.cat([angle.sin(), angle.cos()], dim=1))


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
        """(B, L) int64 tokens to (B, width) float32."""
        after = F.pad(tokens[:, 1:], (0, 1))  # the token of the next word; "no word" after the last
        h = self.words(tokens) + self.next_word(self.words(after))  # (B, L, W)
        h = h + self.mlp(h)
        return (h * (tokens != 0)[..., None]).sum(dim=1)  # (B, W); no words, no meaning: zero


class Block(nn.Module):
    """Two convolutions around a FiLM, added to what came in: one looks around, one at its own place only.

    Source: residual blocks, He et al. 2016 (arXiv:1603.05027); FiLM, Perez et al. 2018 (arXiv:1709.07871), eq. 2.
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


class UNet(nn.Module):
    """Blocks down through the scales, through the middle, and up again; each scale hands over what it saw.

    Args:
        channels: on each scale, from fine to coarse, multiples of 8. Every scale halves the last.
        width: length of the vector that steers the blocks; blocks: on each scale, down and again up.

    Source: U-Net, Ronneberger et al. 2015 (arXiv:1505.04597).
    """

    def __init__(self, channels: Sequence[int], width: int, blocks: int = 1):
        super().__init__()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = channels[0]
        for here in channels:
            self.down.append(nn.ModuleList(Block(before if i == 0 else here, here, width) for i in range(blocks)))
            before = here
        self.middle = Block(before, before, width)
        for here in reversed(channels):
            self.up.append(nn.ModuleList(Block(before + here if i == 0 else here, here, width) for i in range(blocks)))
            before = here

    def forward(self, h: Tensor, condition: Tensor, look: Callable = lambda h, place: h) -> Tensor:
        """(B, channels[0], h, w) and (B, width) to (B, channels[0], h, w).

        look: what else happens after each scale's blocks, as h = look(h, place); place counts on, down and up.
        """
        scales = []
        for i, blocks in enumerate(self.down):
            h = F.avg_pool2d(h, 2) if i else h
            for block in blocks:
                h = block(h, condition)
            scales.append(h := look(h, i))
        h = self.middle(h, condition)
        for i, blocks in enumerate(self.up):
            h = torch.cat([F.interpolate(h, scale_factor=2.0) if i else h, scales.pop()], dim=1)
            for block in blocks:
                h = block(h, condition)
            h = look(h, len(self.down) + i)
        return h


def encode_for(network: nn.Module, captions: str | Sequence[str]) -> Tokens:
    """Turn captions into tokens by the words that a network knows; raises as `encode`."""
    return encode(captions, network.vocabulary, network.config["max_words"])


def leave(channels: int, patch: int) -> nn.Sequential:
    """The last layers, to the pixels of a square; the first guess of all is a plain grey."""
    layers = nn.Sequential(nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, 3 * patch**2, 3, padding=1))
    nn.init.zeros_(layers[-1].weight)
    return layers


def check_input(network: nn.Module, x_t: Pictures, tokens: Tokens | None) -> Tokens:
    """Refuse, with a ValueError, what a network cannot read; returns the tokens, null captions where there are none."""
    side, dtype, known = network.smallest, next(network.parameters()).dtype, len(network.vocabulary)
    shape = x_t.shape if isinstance(x_t, Tensor) else ()
    if len(shape) != 4 or not shape[0] or shape[1] != 3 or shape[2] % side or shape[3] % side:
        raise ValueError(f"x_t must have shape (B, 3, H, W) with H and W multiples of {side}, not {told(x_t)}.")
    if x_t.dtype != dtype:
        raise ValueError(f"x_t is {x_t.dtype}, but this network computes in {dtype}. Write x_t.to({dtype}).")
    wanted = x_t.shape[0], network.config["max_words"]
    if tokens is None:
        return torch.zeros(wanted, dtype=torch.int64, device=x_t.device)
    if not isinstance(tokens, Tensor) or tokens.shape != wanted or tokens.dtype not in (torch.int64, torch.int32):
        raise ValueError(f"tokens must have shape {wanted}, one caption for each picture, int64, not {told(tokens)}.")
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= known:
        raise ValueError(f"Tokens lie in [0, {known - 1}], not {low} to {high}: are they of this model's vocabulary?")
    return tokens


def smallest_side(config: dict) -> int:
    """The side that divides those of all pictures such a U-Net can draw; ValueError for settings that make none."""
    for name in ("patch", "blocks", "width", "max_words", "size"):
        check_number(name, config.get(name, 1))
    patch, channels, size, width = (config[name] for name in ("patch", "channels", "size", "width"))
    if not channels or width % 4 or any(not isinstance(n, int) or n < 8 or n % 8 for n in channels):
        raise ValueError(f"channels are some multiples of 8, width is one of 4, but they are {channels} and {width}.")
    side = patch * 2 ** (len(channels) - 1) * (2 if channels[-1] < 16 else 1)  # a norm needs two numbers in a group
    if size % side:
        raise ValueError(f"So many scales draw multiples of {side} pixels, not {size}: take fewer, or a smaller patch.")
    return side


class Denoiser(nn.Module):
    """A U-Net that predicts the clean picture from a noisy one, its noise level and a caption.

    Args:
        vocabulary: the words of its captions, "no word" first.
        patch: side of the squares of pixels that are one place from the first convolution to the last; 2 is crisp.
        channels, blocks, width: see `UNet`.
        max_words: the longest caption; world: whose grammar they follow, "" for words of one's own.
        size, steps, guidance_scale, guidance_interval: how it is asked for pictures, unless one says otherwise.

    Source: noise-conditioned as in Ho et al. 2020 (arXiv:2006.11239), appendix B.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        patch: int = 4,
        channels: Sequence[int] = (48, 96),
        blocks: int = 1,
        width: int = 64,
        max_words: int = MAX_WORDS,
        world: str = "",
        size: int = 32,
        steps: int = 50,
        guidance_scale: float = 2.0,
        guidance_interval: Sequence[float] = (0.0, 1.0),
    ):
        super().__init__()
        self.config = dict(vocabulary=list(vocabulary), patch=patch, channels=list(channels), blocks=blocks)
        self.config |= dict(width=width, max_words=max_words, world=world, size=size, steps=steps)
        self.config |= dict(guidance_scale=guidance_scale, guidance_interval=list(guidance_interval))
        self.vocabulary, self.patch, self.smallest = tuple(vocabulary), patch, smallest_side(self.config)
        self.level = LevelEncoder(width)
        self.caption = CaptionEncoder(len(vocabulary), width)
        self.enter = nn.Conv2d(3 * patch**2, channels[0], 3, padding=1)
        self.sketch = nn.Linear(width, channels[0] * SKETCH**2)
        self.unet = UNet(channels, width, blocks)
        self.leave = leave(channels[0], patch)

    def forward(self, x_t: Pictures, t: Levels, tokens: Tokens | None = None) -> Pictures:
        """Guess the clean picture.

        Args:
            x_t: noisy pictures; H and W are multiples of `smallest`.
            t: their noise levels.
            tokens: (B, max_words), their captions; None stands for the null caption.

        Returns x0_hat. Raises ValueError where a shape or a range is wrong.
        """
        tokens = check_input(self, x_t, tokens)
        caption = self.caption(tokens)
        condition = self.level(t, x_t) + caption  # the blocks read a sum: "green" does the same to every fruit
        h = F.pixel_unshuffle(x_t, self.patch).contiguous(memory_format=torch.channels_last)  # faster on a CPU
        h = self.enter(h)
        sketch = self.sketch(caption).unflatten(1, (-1, SKETCH, SKETCH))  # what the words alone say, place by place
        h = h + F.interpolate(sketch, h.shape[2:], mode="bilinear")
        return F.pixel_shuffle(self.leave(self.unet(h, condition)), self.patch)
