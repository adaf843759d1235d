"""A denoiser that reads word by word, with attention = softmax(q k / sqrt(d)). After `model` in the reading order.

`Denoiser` hears a caption as one vector, in which "a red apple and a green banana" and "a green apple and a red
banana" come close to each other. Here the words stay apart. First each word looks at the other words: "banana" learns
that it is the green one, and whether it stands left or right. Then each place of the picture looks at the words, and
takes what it needs from those that concern it. The rest is the U-Net of `model`, with its blocks.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.model import LevelEncoder, UNet, check_input, leave, smallest_side
from course_lib.noise import Levels, Pictures, Tokens


class Attention(nn.Module):
    """Each of N things asks M words, and takes most from those that fit its question.

    answer = attention v, with attention = softmax(q k / sqrt(d)). A thing has `width` numbers, a word `words_width`;
    each thing asks as many questions at once as there are `heads`, which divide its width.

    Source: Vaswani et al. 2017, Attention Is All You Need (arXiv:1706.03762), eq. 1, section 3.2.2.
    """

    def __init__(self, width: int, words_width: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(words_width, width)
        self.value = nn.Linear(words_width, width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # begins as "change nothing", as a `Block` does

    def forward(self, x: Tensor, words: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """What the words say to each thing, and which words it looked at.

        Args:
            x: (B, N, width), the things that ask.
            words: (B, M, words_width); of x itself, in self-attention.
            known: (B, M) bool, which of the words there are; in each row at least one.

        Returns x with the answer added; and the attention, (B, N, M), a mean over the heads, whose rows sum to one.
        """
        q, k, v = (
            layer(h).unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, heads, N or M, d)
            for layer, h in ((self.query, self.norm(x)), (self.key, words), (self.value, words))
        )
        fit = q @ k.mT / math.sqrt(q.shape[-1])  # (B, heads, N, M)
        attention = fit.masked_fill(~known[:, None, None], -math.inf).softmax(dim=-1)
        answer = (attention @ v).transpose(1, 2).flatten(2)  # (B, N, width)
        return x + self.out(answer), attention.mean(dim=1)


class WordEncoder(nn.Module):
    """Tokens to one vector for each word, which knows the words around it: a small transformer.

    Behind the words stands one more, "nothing", that is always there: who finds no word that concerns him looks at it,
    and the null caption is made of it alone. `layers` says how often the words look at one another.

    Source: the encoder of Vaswani et al. 2017 (arXiv:1706.03762), with the norms first (Xiong et al. 2020,
    arXiv:2002.04745).
    """

    def __init__(self, vocabulary_size: int, max_words: int, width: int, layers: int = 2):
        super().__init__()
        self.words = nn.Embedding(vocabulary_size, width)
        self.places = nn.Embedding(max_words, width)
        self.nothing = nn.Parameter(torch.zeros(width))
        nn.init.normal_(self.words.weight, std=0.3)
        nn.init.normal_(self.places.weight, std=0.1)
        self.look = nn.ModuleList(Attention(width, width) for _ in range(layers))
        self.think = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """Tokens to words, (B, L + 1, width), and which of them there are, (B, L + 1) bool."""
        h = self.words(tokens) + self.places.weight[: tokens.shape[1]]
        h = torch.cat([h, self.nothing.expand(h.shape[0], 1, -1)], dim=1)
        known = F.pad(tokens != 0, (0, 1), value=True)
        for look, think in zip(self.look, self.think, strict=True):
            h, _ = look(h, look.norm(h), known)
            h = h + think(h)
        return self.norm(h), known


class SceneDenoiser(nn.Module):
    """A U-Net that predicts the clean picture of a scene, and looks at the words of its caption as it does so.

    Made and called as a `Denoiser` is; width is also that of a word. Every scale but the finest looks at the words.

    Source: cross-attention in a U-Net, Rombach et al. 2022 (arXiv:2112.10752), section 3.3.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        patch: int = 4,
        channels: Sequence[int] = (48, 96, 192),
        width: int = 128,
        max_words: int = 20,
        world: str = "",
        size: int = 64,
        steps: int = 50,
        guidance_scale: float = 2.0,
        guidance_interval: Sequence[float] = (0.0, 1.0),
    ):
        super().__init__()
        self.config = dict(vocabulary=list(vocabulary), patch=patch, channels=list(channels), width=width)
        self.config |= dict(max_words=max_words, world=world, size=size, steps=steps, guidance_scale=guidance_scale)
        self.config |= dict(guidance_interval=list(guidance_interval))
        self.vocabulary, self.patch, self.smallest = tuple(vocabulary), patch, smallest_side(self.config)
        self.level = LevelEncoder(width)
        self.words = WordEncoder(len(vocabulary), max_words, width)
        self.caption = nn.Linear(width, width)
        self.enter = nn.Conv2d(3 * patch**2 + 2, channels[0], 3, padding=1)
        self.unet = UNet(channels, width)
        self.look_down = nn.ModuleList(Attention(here, width) for here in channels[1:])
        self.look_up = nn.ModuleList(Attention(here, width) for here in reversed(channels[1:]))
        self.leave = leave(channels[0], patch)

    def forward(
        self, x_t: Pictures, t: Levels, tokens: Tokens | None = None, maps: list[Tensor] | None = None
    ) -> Pictures:
        """Guess the clean picture, as `Denoiser.forward`.

        maps: a list that takes the attention of each scale, (B, max_words + 1, h, w), see `attention_maps`.
        """
        tokens = check_input(self, x_t, tokens)
        words, known = self.words(tokens)
        there = known[..., None].float()
        caption = self.caption((words * there).sum(1) / there.sum(1))  # the words' mean: what the whole picture shows
        looks = [None, *self.look_down, *self.look_up, None]  # the finest scale has too many places to ask each one

        def look(h: Tensor, place: int) -> Tensor:
            """Have each place of (B, C, h, w) look at the words."""
            if looks[place] is None:
                return h
            x, attention = looks[place](h.flatten(2).transpose(1, 2), words, known)  # (B, h w, C), (B, h w, M)
            if maps is not None:
                maps.append(attention.transpose(1, 2).unflatten(2, h.shape[2:]))
            return x.transpose(1, 2).unflatten(2, h.shape[2:])

        h = F.pixel_unshuffle(x_t, self.patch)
        h = torch.cat([h, _places(h)], dim=1).contiguous(memory_format=torch.channels_last)  # faster on a CPU
        h = self.unet(self.enter(h), self.level(t, x_t) + caption, look)
        return F.pixel_shuffle(self.leave(h), self.patch)


def _places(h: Tensor) -> Tensor:
    """Where each place of (B, C, h, w) lies: two channels (B, 2, h, w), from -1 (bottom, left) to 1 (top, right)."""
    v, u = (torch.linspace(-1, 1, side, device=h.device) for side in h.shape[2:])
    return torch.stack(torch.meshgrid(-v, u, indexing="ij")).expand(h.shape[0], -1, -1, -1)


@torch.no_grad()
def attention_maps(model: SceneDenoiser, x_t: Pictures, t: Levels, tokens: Tokens) -> Tensor:
    """Which places look at which word, on average over all that look; raises ValueError as `SceneDenoiser`.

    Returns (B, max_words + 1, h, w) in [0, 1], as fine as the finest scale that looks: 8 x 8 for 64 pixels. Map i
    belongs to word i of the caption, the last to "nothing". In each place the maps sum to one.

    Source: Tang et al. 2022, What the DAAM (arXiv:2210.04885), section 3.1, without its sum over the steps.
    """
    maps: list[Tensor] = []
    model(x_t, t, tokens, maps)
    finest = max(tuple(m.shape[2:]) for m in maps)
    return torch.stack([F.interpolate(m, finest) for m in maps]).mean(dim=0)
