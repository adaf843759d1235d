"""The same networks, quicker: a training step with fewer products, or in bfloat16; a network frozen to sample from."""

import copy
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.model import Block, UNet
from course_lib.noise import Model, Pictures
from course_lib.sample import sampling_of


def enlarging_kernel(weight: Tensor) -> Tensor:
    """The kernel that convolves an enlarged picture without enlarging it.

    Nearest neighbours put each number in four places, so a 3 x 3 convolution meets it several times over. Add up the
    weights that meet the same number beforehand, and 4 products are left of 9.

    weight: (channels_out, channels_in, 3, 3), as in `F.conv2d(F.interpolate(x, scale_factor=2.0), weight, padding=1)`.
    Returns (channels_in, channels_out, 4, 4), for `F.conv_transpose2d(x, kernel, stride=2, padding=1)`.
    """
    return 4 * F.avg_pool2d(F.pad(weight, (1, 1, 1, 1)), 2, stride=1).flip(2, 3).transpose(0, 1)


def enlarging_block(block: Block, small: Tensor, fine: Tensor, condition: Tensor) -> Tensor:
    """`block(torch.cat([F.interpolate(small, scale_factor=2.0), fine], dim=1), condition)`, with fewer products.

    A convolution of joined channels is the sum of two; one of single places may enlarge afterwards.
    """
    parts = small.shape[1], fine.shape[1]
    of_small, of_fine = block.conv_in.weight.split(parts, dim=1)
    h = F.conv_transpose2d(F.silu(small), enlarging_kernel(of_small), stride=2, padding=1)
    h = h + F.conv2d(F.silu(fine), of_fine, block.conv_in.bias, padding=1)
    scale, shift = block.film(condition)[:, :, None, None].chunk(2, dim=1)
    h = block.norm(h) * (1 + scale) + shift
    of_small, of_fine = block.skip.weight.split(parts, dim=1)
    skip = F.interpolate(F.conv2d(small, of_small), scale_factor=2.0) + F.conv2d(fine, of_fine, block.skip.bias)
    return skip + block.conv_out(F.silu(h))


class QuickUNet(nn.Module):
    """Another U-Net's blocks, each scale's first on the way up as an `enlarging_block`."""

    def __init__(self, unet: UNet):
        super().__init__()
        self.down, self.middle, self.up = unet.down, unet.middle, unet.up

    def forward(self, h: Tensor, condition: Tensor, look: Callable = lambda h, place: h) -> Tensor:
        """As `UNet.forward`."""
        scales = []
        for i, blocks in enumerate(self.down):
            h = F.avg_pool2d(h, 2) if i else h
            for block in blocks:
                h = block(h, condition)
            scales.append(h := look(h, i))
        h = self.middle(h, condition)
        for i, (first, *others) in enumerate(self.up):
            fine = scales.pop()
            h = enlarging_block(first, h, fine, condition) if i else first(torch.cat([h, fine], dim=1), condition)
            for block in others:
                h = block(h, condition)
            h = look(h, len(self.down) + i)
        return h


def quick(network: nn.Module) -> nn.Module:
    """A twin that answers as the network does, up to rounding, with fewer products: to train, and to export.

    Weights and buffers are the network's own: gradients of the twin's answers go to them, and what they learn the twin
    knows. For a network with a `UNet` named `unet`: `Denoiser`, `SceneDenoiser`, `Enlarger`. Do not save the twin.
    """
    shared = (*network.parameters(), *network.buffers())
    twin = copy.deepcopy(network, {id(value): value for value in shared})
    twin.unet = QuickUNet(twin.unet)
    return twin


def in_precision(network: Callable, precision: str) -> Callable:
    """A network that computes its convolutions and matrix products in "bfloat16", or as it is, in "float32".

    Answers, weights and their gradients are float32 both ways, and so is what an optimiser or an average makes of them.
    """

    def answer(*inputs):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            return network(*inputs).float()

    return answer


@torch.no_grad()
def frozen(network: nn.Module, tokens: Tensor, x_t: Pictures | None = None) -> Model:
    """A function with a network's answers, up to rounding, in less time: to sample from, with its `config`.

    Its weights lie in the order that its pictures lie in, which alone saves a fifth and costs nothing to make, so for
    a single picture `network.to(memory_format=torch.channels_last)` is enough. Besides it is traced, which takes about
    as long as a third of a picture: neither Python nor a check runs between its layers. What those would refuse must be
    refused before. It is made for the sizes of tokens and x_t, and hands all others, such as another number of
    pictures, to a copy of the network. What the network learns afterwards it does not know.

    Args:
        tokens: (B, L), as the network will get them: for guided sampling twice as many as there are pictures.
        x_t: pictures of the size that it will get; None: of the size that it was made for.

    TorchScript is deprecated, and still what needs no compiler on this computer: `torch.compile` needs one, and takes
    longer to make what it makes than it saves.
    """
    network = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)
    if x_t is None:
        size = sampling_of(network).size
        x_t = torch.zeros(len(tokens), 3, size, size)
    asked = x_t, torch.full((len(x_t),), 0.5), tokens
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a trace leaves out: checks, and sizes that are constant here
        traced = torch.jit.freeze(torch.jit.trace(network, asked, check_trace=False))
    sizes = [part.shape for part in asked]

    def answer(*inputs):
        fitting = [part.shape for part in inputs if isinstance(part, Tensor)] == sizes
        return (traced if fitting else network)(*inputs)

    answer.config, answer.vocabulary = network.config, getattr(network, "vocabulary", ())
    return answer
