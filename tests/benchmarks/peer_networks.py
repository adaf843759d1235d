"""The peers: networks of other projects, with the settings that their own authors give. Measured by `peers`.

Labels are (B, 2) int64, places in `KINDS` and in `COLOURS`. A peer guesses the noise, guided as its authors guide it;
`Peer.guess` turns that into the course's x0_hat. Levels beyond the noisiest that a peer was trained on are shown to it
as that one.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial

import torch
import torch.nn.functional as F
from bench import course_unet
from torch import Tensor, nn

from course_lib.beyond.convert import level_from_alpha_bar, level_from_sigma, scale, sigma, x0_from_eps
from course_lib.captions import decode
from course_lib.fruit.pictures import Pictures
from course_lib.fruit.prompts import understand
from course_lib.fruit.words import COLOURS, KINDS, VOCABULARY

PART = 128  # pictures held in memory at once; larger batches are added up from such parts


@dataclass
class Peer:
    """A network with its authors' settings."""

    network: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]  # of clean pictures and their labels
    eps: Callable[[nn.Module, Tensor, float, Tensor], Tensor]  # network, x_t, t, labels: the noise, guided
    optimizer: torch.optim.Optimizer
    batch_size: int
    noisiest: float  # the highest level t it is trained on
    guidance: float = 1.0
    asked: nn.Module | None = None  # the average of the weights, where there is one
    update_average: Callable[[], None] = lambda: None
    flip: bool = True
    clip_gradient: float = math.inf
    falls: bool = False  # whether the learning rate falls to zero over the run
    source: str = ""
    note: str = ""
    pairs_only: bool = False  # knows pairs by number, so that an unseen pair has no meaning
    settings: dict = field(default_factory=dict)

    def train(self, pictures: Pictures, seconds: float, g: torch.Generator) -> Iterator[None]:
        """Train, one step for each item that is asked for; the time between the steps does not count."""
        labels, spent = labels_of_fruits(pictures), 0.0
        rates = [group["lr"] for group in self.optimizer.param_groups]
        while True:
            for pick in torch.randperm(len(labels), generator=g).split(self.batch_size):
                began = time.perf_counter()
                x0 = pictures.x0[pick]
                if self.flip:
                    x0 = torch.where(torch.rand(len(x0), 1, 1, 1, generator=g) < 0.5, x0.flip(-1), x0)
                for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * max(0.0, 1 - spent / seconds) if self.falls else rate
                self.network.train()
                self.optimizer.zero_grad()
                for part, its_labels in zip(x0.split(PART), labels[pick].split(PART), strict=True):
                    (self.loss(part, its_labels) * len(part) / len(x0)).backward()
                if self.clip_gradient < math.inf:
                    nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_gradient)
                self.optimizer.step()
                self.update_average()
                spent += time.perf_counter() - began
                yield

    def guess(self, x_t: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
        """x0_hat, as the course's sampler asks for it: from the guessed noise, clipped to [-1, 1]."""
        shown = min(float(t[0]), self.noisiest)
        x_t = x_t * scale(shown) / scale(t[0])  # of the variance that belongs to the level shown
        network = (self.asked or self.network).eval()
        return x0_from_eps(x_t, self.eps(network, x_t, shown, labels_of_tokens(tokens)), shown).clamp(-1, 1)


def labels_of_fruits(pictures: Pictures) -> Tensor:
    """(N, 2) labels of the training pictures."""
    return torch.tensor([(KINDS.index(f.kind), COLOURS.index(f.colour)) for f in pictures.fruits])


@cache
def _labels_of_caption(caption: str) -> tuple[int, int]:
    meaning = understand(caption)
    return KINDS.index(meaning["kind"]), COLOURS.index(meaning["colour"])


def labels_of_tokens(tokens: Tensor) -> Tensor:
    """(B, 2) labels that captions ask for."""
    return torch.tensor([_labels_of_caption(caption) for caption in decode(tokens, VOCABULARY)])


def noised(x0: Tensor, alpha_bars: Tensor, first: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Variance-preserving noise at random levels: noisy pictures, the places of their levels, the noise."""
    k, eps = torch.randint(first, len(alpha_bars), (len(x0),)), torch.randn_like(x0)
    a = alpha_bars[k].view(-1, 1, 1, 1)
    return a.sqrt() * x0 + (1 - a).sqrt() * eps, k, eps


def variance_preserving(x_t: Tensor, t: float, alpha_bars: Tensor) -> tuple[Tensor, Tensor]:
    """The course's x_t as DDPM wants it, and the place of the nearest level, once for each picture."""
    k = (level_from_alpha_bar(alpha_bars) - t).abs().argmin()
    return x_t / scale(t), k.expand(len(x_t))


def averaged(network: nn.Module, decay: float) -> tuple[nn.Module, Callable[[], None]]:
    """An exponential average that is quick at first, min(decay, (1 + n) / (10 + n)), and what updates it."""

    def mix(average: Tensor, new: Tensor, n: Tensor) -> Tensor:
        return average.lerp(new, 1 - min(decay, (1 + float(n)) / (10 + float(n))))

    average = torch.optim.swa_utils.AveragedModel(network, avg_fn=mix)
    average.n_averaged += 1  # counts from the first weights, as torch_ema does
    return average.module, partial(average.update_parameters, network)


class ChannelsUnet(nn.Module):
    """A `diffusers` U-Net that gets embeddings of kind and colour as further channels of the picture."""

    def __init__(self, width: int = 4):
        super().__init__()
        self.kind, self.colour = nn.Embedding(len(KINDS), width), nn.Embedding(len(COLOURS), width)
        self.unet = type(course_unet()).from_config(dict(course_unet().config) | {"in_channels": 3 + 2 * width})

    def forward(self, x: Tensor, k: Tensor, labels: Tensor) -> Tensor:
        words = torch.cat([self.kind(labels[:, 0]), self.colour(labels[:, 1])], dim=1)
        return self.unet(torch.cat([x, words[:, :, None, None].expand(-1, -1, *x.shape[2:])], dim=1), k).sample


def hugging_face() -> Peer:
    """The Hugging Face course: network and training of unit 1, conditions as in unit 2."""
    from diffusers import DDPMScheduler

    network = ChannelsUnet()
    alpha_bars = DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2").alphas_cumprod

    def loss(x0: Tensor, labels: Tensor) -> Tensor:
        x, k, eps = noised(x0, alpha_bars)
        return F.mse_loss(network(x, k, labels), eps)

    return Peer(
        network,
        loss,
        lambda net, x_t, t, labels: net(*variance_preserving(x_t, t, alpha_bars), labels),
        torch.optim.AdamW(network.parameters(), lr=4e-4),
        batch_size=64,
        noisiest=float(level_from_alpha_bar(alpha_bars[-1])),
        note="no null label in training, so no guidance",
        source="huggingface/diffusion-models-class, unit1/01 (network, training) and unit2/02 (label channels)",
        settings=dict(optimizer="AdamW 4e-4", average="none", schedule="squaredcos_cap_v2, 1000", target="eps"),
    )


class TwoLabels(nn.Module):
    """Two of smalldiffusion's label embeddings, added; both are left out together."""

    def __init__(self, width: int, dropout: float = 0.1):
        super().__init__()
        from smalldiffusion import CondEmbedderLabel

        self.dropout, self.null_cond = dropout, len(KINDS)  # there are as many colours
        self.each = nn.ModuleList(CondEmbedderLabel(width, self.null_cond, dropout_prob=0) for _ in range(2))

    def forward(self, labels: Tensor) -> Tensor:
        if self.training:
            labels = torch.where(torch.rand(len(labels), 1) < self.dropout, self.null_cond, labels)
        return sum(embed(label) for embed, label in zip(self.each, labels.T, strict=True))


def smalldiffusion(net: str, batch_size: int = 1024) -> Peer:
    """smalldiffusion's U-Net or DiT, as its two examples on FashionMNIST train them."""
    import smalldiffusion as sd

    if net == "U-Net":
        network = sd.Scaled(sd.Unet)(
            32, 3, 3, ch=64, ch_mult=(1, 1, 2), attn_resolutions=(16,), cond_embed=TwoLabels(256)
        )
        schedule, rate, decay = sd.ScheduleLogLinear(sigma_min=0.01, sigma_max=20, N=800), 7e-4, 0.999
    else:
        sizes = dict(patch_size=2, depth=6, head_dim=32, num_heads=6, mlp_ratio=4.0)
        network = sd.DiT(in_dim=32, channels=3, cond_embed=TwoLabels(192), **sizes)
        schedule, rate, decay = sd.ScheduleDDPM(beta_start=0.0001, beta_end=0.02, N=1000), 1e-3, 0.99
    asked, update_average = averaged(network, decay)
    guidance = 3.0

    def loss(x0: Tensor, labels: Tensor) -> Tensor:
        return network.get_loss(*sd.generate_train_sample((x0, labels), schedule, conditional=True))

    def eps(net: nn.Module, x_t: Tensor, t: float, labels: Tensor) -> Tensor:
        return net.predict_eps_cfg(x_t / (1 - t), sigma(t), labels, guidance - 1)

    return Peer(
        network,
        loss,
        eps,
        torch.optim.AdamW(network.parameters(), lr=rate),
        batch_size=batch_size,
        noisiest=float(level_from_sigma(schedule.sigmas.max())),
        guidance=guidance,
        asked=asked,
        update_average=update_average,
        note="" if batch_size == 1024 else "its authors' settings, but for the batch, which is theirs divided by 16",
        source="yuanchenyang/smalldiffusion, examples/fashion_mnist_*.py (guidance: examples/imagenet_dit.py)",
        settings=dict(
            optimizer=f"AdamW {rate:g}",
            average=decay,
            schedule=f"{type(schedule).__name__}, {len(schedule)}",
            target="eps",
        ),
    )


def denoising_diffusion_pytorch() -> Peer:
    """denoising-diffusion-pytorch's U-Net for labels, with the settings that its `Trainer` has by itself."""
    from denoising_diffusion_pytorch.classifier_free_guidance import GaussianDiffusion, Unet
    from ema_pytorch import EMA

    network = GaussianDiffusion(Unet(dim=64, dim_mults=(1, 2, 4, 8), num_classes=64), image_size=32, timesteps=1000)
    average = EMA(network, beta=0.995, update_every=10)
    alpha_bars = network.alphas_cumprod

    def numbers(labels: Tensor) -> Tensor:
        return labels[:, 0] * len(COLOURS) + labels[:, 1]

    def eps(net: nn.Module, x_t: Tensor, t: float, labels: Tensor) -> Tensor:
        return net.model_predictions(*variance_preserving(x_t, t, alpha_bars), numbers(labels)).pred_noise

    return Peer(
        network,
        lambda x0, labels: network((x0 + 1) / 2, classes=numbers(labels)),
        eps,
        torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.9, 0.99)),
        batch_size=16,
        noisiest=float(level_from_alpha_bar(alpha_bars[-1])),
        guidance=6.0,
        asked=average.ema_model,
        update_average=average.update,
        clip_gradient=1.0,
        pairs_only=True,
        note="takes one label, so it knows the seen pairs by number and an unseen pair not at all",
        source="lucidrains/denoising-diffusion-pytorch, classifier_free_guidance.py and Trainer's defaults",
        settings=dict(
            optimizer="Adam 1e-4, betas 0.9 and 0.99, gradients clipped at 1",
            average="0.995, every 10 steps",
            schedule="cosine, 1000",
            target="eps",
            rescaled_phi=0.7,
        ),
    )


def convolutions(before: int, after: int, count: int = 2) -> nn.Sequential:
    """So many convolutions of 3 x 3, each with batch normalisation and GELU."""
    layers: list[nn.Module] = []
    for i in range(count):
        layers += [nn.Conv2d(after if i else before, after, 3, padding=1), nn.BatchNorm2d(after), nn.GELU()]
    return nn.Sequential(*layers)


class ContextUnet(nn.Module):
    """The context U-Net, from its description: up features x context + time, on two scales; 64 features.

    The picture is halved twice and averaged to a vector, which grows back. Context and time come in as two vectors for
    each scale of the way up, made by two linear layers with a GELU between.
    """

    def __init__(self, context: int = len(KINDS) + len(COLOURS), width: int = 64):
        super().__init__()
        self.enter, self.again = convolutions(3, width, 1), convolutions(width, width, 1)
        self.halve = nn.ModuleList([convolutions(width, width, 4), convolutions(width, 2 * width, 4)])
        self.grow = nn.Sequential(
            nn.ConvTranspose2d(2 * width, 2 * width, 8), nn.GroupNorm(8, 2 * width), nn.ReLU()
        )  # fmt: skip
        self.widen = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(channels, width, 2, stride=2), convolutions(width, width, 4))
            for channels in (4 * width, 2 * width)
        )
        self.by_context, self.by_time = (
            nn.ModuleList(
                nn.Sequential(nn.Linear(inputs, outputs), nn.GELU(), nn.Linear(outputs, outputs))
                for outputs in (2 * width, width)
            )
            for inputs in (context, 1)
        )
        self.leave = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.GroupNorm(8, width),
            nn.ReLU(),
            nn.Conv2d(width, 3, 3, padding=1),
        )

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        """(B, 3, 32, 32) noisy pictures, (B, 1) time in [0, 1] and (B, 16) context to the noise."""
        first = self.enter(x)
        h = first = (first + self.again(first)) / 2**0.5
        scales = []
        for halve in self.halve:
            h = F.max_pool2d(halve(h), 2)
            scales.append(h)
        h = self.grow(F.gelu(h.mean(dim=(2, 3), keepdim=True)))
        for widen, by_context, by_time in zip(self.widen, self.by_context, self.by_time, strict=True):
            h = by_context(context)[:, :, None, None] * h + by_time(time)[:, :, None, None]
            h = widen(torch.cat([h, scales.pop()], dim=1))
        return self.leave(torch.cat([h, first], dim=1))


def context_unet() -> Peer:
    """The context U-Net of DeepLearning.AI's "How Diffusion Models Work", with the training described there."""
    network, guidance, steps = ContextUnet(), 2.0, 500
    betas = 1e-4 + (0.02 - 1e-4) * torch.linspace(0, 1, steps + 1)
    alpha_bars = (1 - betas).cumprod(0)

    def context(labels: Tensor) -> Tensor:
        both = (F.one_hot(labels[:, i], 8) for i in range(2))
        return torch.cat(list(both), dim=1).float()

    def loss(x0: Tensor, labels: Tensor) -> Tensor:
        x, k, eps = noised(x0, alpha_bars, first=1)
        kept = torch.rand(len(x0), 1) < 0.9
        return F.mse_loss(network(x, k[:, None] / steps, context(labels) * kept), eps)

    def eps(net: nn.Module, x_t: Tensor, t: float, labels: Tensor) -> Tensor:
        x, k = variance_preserving(x_t, t, alpha_bars)
        time, words = k[:, None] / steps, context(labels)
        c, u = net(x.repeat(2, 1, 1, 1), time.repeat(2, 1), torch.cat([words, 0 * words])).chunk(2)
        return u + guidance * (c - u)

    return Peer(
        network,
        loss,
        eps,
        torch.optim.Adam(network.parameters(), lr=1e-3),
        batch_size=100,
        noisiest=float(level_from_alpha_bar(alpha_bars[-1])),
        guidance=guidance,
        flip=False,
        falls=True,
        note="written anew from its description; that course leaves contexts out in training, but shows no guidance",
        source='DeepLearning.AI, "How Diffusion Models Work"; noise with the square root that its labs leave out',
        settings=dict(
            optimizer="Adam 1e-3, falling to zero over the run",
            average="none",
            schedule="linear betas 1e-4 to 0.02, 500",
            target="eps",
        ),
    )


PEERS = {
    "diffusers-hf-course": hugging_face,
    "smalldiffusion-unet": partial(smalldiffusion, "U-Net"),
    "smalldiffusion-unet-64": partial(smalldiffusion, "U-Net", 64),
    "smalldiffusion-dit": partial(smalldiffusion, "DiT"),
    "smalldiffusion-dit-64": partial(smalldiffusion, "DiT", 64),
    "denoising-diffusion-pytorch": denoising_diffusion_pytorch,
    "context-unet": context_unet,
}
