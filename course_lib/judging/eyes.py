"""What judges see with: networks of different build, each from pictures (B, 3, side, side) to vectors (B, 128)."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

SEEN = 128  # numbers in the vector that a judge of single fruits names them from


def convolutions(width: int, strides: Sequence[int]) -> nn.Sequential:
    """Five convolutions, the first with `width` channels, the last with four times as many."""
    layers, before = [], 3
    for here, stride in zip((width, 2 * width, 2 * width, 4 * width, 4 * width), strides, strict=True):
        layers += [nn.Conv2d(before, here, 3, stride=stride, padding=1), nn.GroupNorm(8, here), nn.SiLU()]
        before = here
    return nn.Sequential(*layers)


class Apart(nn.Module):
    """Two filters of 5 x 5 for each channel apart, then channels mixed place by place, added to what came in.

    Source: Liu et al. 2022, A ConvNet for the 2020s (arXiv:2201.03545), figure 4, with smaller filters.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(channels, channels, 5, padding=2, groups=channels),
            nn.GroupNorm(1, channels),
            nn.Conv2d(channels, 3 * channels, 1),
            nn.GELU(),
            nn.Conv2d(3 * channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) to the same."""
        return x + self.mix(x)


class Squares(nn.Module):
    """A transformer that reads a picture as a row of squares, and one more that stands for the whole.

    Source: Dosovitskiy et al. 2021, An Image is Worth 16x16 Words (arXiv:2010.11929), figure 1; the squares are cut by
    two convolutions, as in Xiao et al. 2021 (arXiv:2106.14881).
    """

    def __init__(self, width: int, side: int, layers: int = 4):
        super().__init__()
        self.cut = nn.Sequential(
            nn.Conv2d(3, width // 2, 3, stride=2, padding=1),
            nn.GroupNorm(math.gcd(8, width // 2), width // 2),
            nn.GELU(),
            nn.Conv2d(width // 2, width, 3, stride=2, padding=1),
        )
        self.places = nn.Parameter(torch.empty((side // 4) ** 2 + 1, width))
        nn.init.normal_(self.places, std=0.1)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.sum_up = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, SEEN))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, side, side) to (B, 128)."""
        squares = nn.functional.pad(self.cut(x).flatten(2).mT, (0, 0, 1, 0))
        return self.sum_up(self.layers(squares + self.places)[:, 0])


def plain(width: int, side: int) -> nn.Sequential:
    """Five convolutions of 3 x 3, then all places together."""
    seen = 4 * width * (side // 8) ** 2
    return nn.Sequential(*convolutions(width, (1, 2, 1, 2, 2)), nn.Flatten(), nn.Linear(seen, SEEN), nn.SiLU())


def broad(width: int, side: int) -> nn.Sequential:
    """Filters of 5 x 5, of which each time the strongest of four answers goes on."""
    layers, before = [], 3
    for here in (width, 2 * width, 3 * width):
        layers += [nn.Conv2d(before, here, 5, padding=2), nn.MaxPool2d(2), nn.BatchNorm2d(here), nn.ReLU()]
        before = here
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * (side // 8) ** 2, SEEN), nn.ReLU())


def apart(width: int, side: int) -> nn.Sequential:
    """Blocks whose filters see one channel each, on two scales; the mean over all places."""
    first = side // 16  # pixels along a place
    return nn.Sequential(
        nn.Conv2d(3, width, first + 3, stride=first, padding=2),
        *(Apart(width) for _ in range(2)),
        nn.Conv2d(width, 2 * width, 2, stride=2),
        *(Apart(2 * width) for _ in range(2)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, SEEN),
        nn.GELU(),
    )


BUILDS: dict[str, Callable[[int, int], nn.Module]] = {
    "plain": plain,
    "broad": broad,
    "apart": apart,
    "squares": Squares,
}
