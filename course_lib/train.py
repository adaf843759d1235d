"""Training: make the guess x0_hat = model(x_t, t, tokens) close to x0. Fourth in the reading order.

This is plain supervised learning. Take pictures, add noise of random levels, ask for the clean pictures, and
correct the network by the squared error. The caption is part of the input; sometimes it is left out, so that the
network learns to do without.
"""

import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_lib.noise import add_noise, expand_level
from course_lib.tools.files import read_tensors, write_tensors
from course_lib.tools.muon import Muon

PURE_NOISE = 1 / 16  # share of training examples at t = 1 exactly, where sampling begins
DROP_CAPTIONS = 0.1  # share of training examples that lose their caption
EMA_SHARE = 0.1  # the average remembers about the last tenth of the run
FALL = 0.3  # the learning rate falls to zero over the last 30 % of the run


def random_levels(count: int, generator: torch.Generator) -> Tensor:
    """Noise levels to train on: t = sigmoid(n), n ~ N(0.5, 1), but t = 1 itself for one in sixteen.

    The middle levels, where the fruit is decided, come most often. The sigmoid alone would never reach the pure
    noise that sampling starts from. One level comes from each of `count` equal shares of the distribution, so that
    no batch has only high or only low ones.

    Returns:
        t, (count,) float32 in (0, 1], in rising order.

    Source: logit-normal levels, Esser et al. 2024 (arXiv:2403.03206), section 3.1; evenly spread over the batch, as in
    Kingma et al. 2021 (arXiv:2107.00630), appendix I.1.
    """
    u = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    t = torch.sigmoid(torch.special.ndtri(u.clamp(min=1e-6) / (1 - PURE_NOISE)) + 0.5)
    return torch.where(u < 1 - PURE_NOISE, t, 1.0)


def drop_captions(tokens: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Replace whole captions by the null caption, each with probability `rate`. (B, L) tokens to (B, L) tokens.

    Source: classifier-free guidance, Ho and Salimans 2022 (arXiv:2207.12598), algorithm 1.
    """
    kept = torch.rand(len(tokens), 1, generator=generator) >= rate
    return torch.where(kept, tokens, 0)


def denoising_loss(model: Callable, x0: Tensor, t: Tensor, eps: Tensor, tokens: Tensor) -> Tensor:
    """The squared error of the guess, weighted: mean of |x0_hat - x0|^2 / max(t, 0.3)^2.

    The weight evens out the levels: where there is little noise, errors are small, and count more.

    Args:
        model: any callable (x_t, t, tokens) -> x0_hat.
        x0: (B, 3, H, W) float32 in [-1, 1], clean pictures.
        t: (B,) float32 in [0, 1], noise levels.
        eps: (B, 3, H, W) float32, noise from N(0, I).
        tokens: (B, L) int64, captions.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: as `add_noise`; or the model's answer has another shape than x0.
    """
    x0_hat = model(add_noise(x0, t, eps), t, tokens)
    if x0_hat.shape != x0.shape:
        raise ValueError(f"The model answers with shape {tuple(x0_hat.shape)} to pictures of {tuple(x0.shape)}.")
    return ((x0_hat - x0) ** 2 / expand_level(t, x0).clamp(min=0.3) ** 2).mean()


def neighbour_loss(model: Callable, x0: Tensor, t: Tensor, eps: Tensor, tokens: Tensor, gap: float = 0.1) -> Tensor:
    """The squared error of a slightly less noisy picture: mean of |x_s_hat - x_s|^2, with s = max(t - gap, 0).

    Here the model answers x_s itself: (x_t, t, tokens) -> x_s_hat. Neighbours share one noise, so a right answer can
    be fed back as it is. gap = 1 asks for the clean picture at once.

    Args and returns as for `denoising_loss`; gap: how much less noisy, more than 0. Raises as `add_noise`.
    """
    s = (t - gap).clamp(min=0)
    return ((model(add_noise(x0, t, eps), t, tokens) - add_noise(x0, s, eps)) ** 2).mean()


class Run:
    """A training run: all that it takes to stop, be put into a file, and go on as if nothing had happened.

    Args:
        model: the network to train; any `nn.Module` called as model(x_t, t, tokens).
        learning_rate: the highest, held for the first 70 % of the run.
        seed: decides batches, levels, noise and dropped captions.

    Attributes:
        model: the network being trained.
        ema: its average over the recent past, which makes the better pictures (Karras et al. 2024,
            arXiv:2312.02696, eq. 2: the horizon grows with the run).
        step, seconds: how far the run has come, in steps and in time spent training.
    """

    def __init__(self, model: nn.Module, *, learning_rate: float = 2e-3, seed: int = 0):
        self.model = model
        self.ema = copy.deepcopy(model).eval().requires_grad_(False)
        self.learning_rate = learning_rate
        layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
        matrices = {id(layer.weight): layer.weight for layer in layers}
        others = [value for value in model.parameters() if id(value) not in matrices]
        self.optimizers: list[torch.optim.Optimizer] = []
        if matrices:
            self.optimizers.append(Muon(matrices.values(), lr=learning_rate))
        if others:
            self.optimizers.append(torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.95), fused=True))
        self.generator = torch.Generator().manual_seed(seed)
        self.step = 0
        self.seconds = 0.0

    def update(self, loss: Tensor, learning_rate: float) -> None:
        """One step of the optimisers down the loss, then of the average: ema = ema + new (model - ema)."""
        self.model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            optimizer.step()
        self.step += 1
        with torch.no_grad():
            new = min(1.0, 1 / (EMA_SHARE * self.step))
            for average, value in zip(self.ema.parameters(), self.model.parameters(), strict=True):
                average.lerp_(value, new)

    def save(self, path: str | Path) -> None:
        """Write the whole run to a safetensors file, or leave the file as it was."""
        tensors = {"generator": self.generator.get_state()}
        for name in ("model", "ema"):
            tensors |= {f"{name}.{key}": value for key, value in getattr(self, name).state_dict().items()}
        for i, optimizer in enumerate(self.optimizers):
            for number, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{i}.{number}.{key}": value for key, value in state.items()}
        about = {"step": self.step, "seconds": self.seconds, "learning_rate": self.learning_rate}
        write_tensors(path, tensors, {"kind": "run", **about})

    def load(self, path: str | Path) -> None:
        """Go on from a file that `save` wrote, for a model of the same shape.

        Raises:
            FileNotFoundError, ValueError: as `read_tensors`; or the file holds another kind of thing or another
                network. The run is left as it was.
        """
        tensors, about = read_tensors(path)
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "ema": {}, "optimizer": {}}
        for name, tensor in tensors.items():
            part, _, key = name.partition(".")
            parts.setdefault(part, {})[key] = tensor
        shapes = {key: value.shape for key, value in self.model.state_dict().items()}
        if (
            about.get("kind") != "run"
            or "generator" not in tensors
            or any({key: value.shape for key, value in parts[part].items()} != shapes for part in ("model", "ema"))
        ):
            raise ValueError(f"{path} holds no training run of this network. Give the settings it was started with.")
        self.model.load_state_dict(parts["model"])
        self.ema.load_state_dict(parts["ema"])
        states: list[dict[int, dict[str, Tensor]]] = [{} for _ in self.optimizers]
        for name, tensor in parts["optimizer"].items():
            i, number, key = name.split(".")
            states[int(i)].setdefault(int(number), {})[key] = tensor
        for optimizer, state in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
        self.generator.set_state(tensors["generator"])
        self.step, self.seconds, self.learning_rate = about["step"], about["seconds"], about["learning_rate"]


class Report(NamedTuple):
    """What a training step tells."""

    step: int  # steps done since the run began
    loss: float  # of this step's batch
    pictures_per_second: float  # on average over the run
    done: float  # share of the run that is done, from 0 to 1


def train(
    run: Run,
    x0: Tensor,
    tokens: Tensor,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    batch_size: int = 64,
    flip: bool = True,
    loss: Callable = denoising_loss,
) -> Iterator[Report]:
    """Train, one step for each item that is asked for. Stop asking and the run rests; ask again and it goes on.

    The learning rate stays, then falls in a straight line to zero over the last 30 % of the run.

    Args:
        run: where the run stands; changed in place.
        x0: (N, 3, H, W) float32 in [-1, 1], clean pictures.
        tokens: (N, L) int64, a caption for each; or (N, P, L), P phrasings of it, one of them drawn each time.
        steps: train until the run has this many steps; the same seed then gives the same network.
        seconds: or until it has trained this long, counted without what happens between the steps.
        batch_size: pictures in a step.
        flip: show every second picture mirrored; not where captions say left or right, or things all face one way.
        loss: what to make small: `denoising_loss`, or anything else with its arguments and a scalar for an answer.

    Yields:
        A `Report` after each step.

    Raises:
        ValueError: not exactly one of steps and seconds, or not above zero; or pictures and captions do not match.
    """
    if (steps is None) == (seconds is None):
        raise ValueError("Say how long to train: either steps=… or seconds=…")
    if not (steps or seconds or 0) > 0:  # written so that nan is refused too
        raise ValueError(f"How long to train must be more than zero, not {seconds if steps is None else steps}.")
    if len(x0) != len(tokens) or not len(x0):
        raise ValueError(f"Every picture needs its caption: there are {len(x0)} pictures and {len(tokens)} captions.")
    if tokens.ndim == 2:
        tokens = tokens[:, None]
    g = run.generator
    run.model.train()
    while (done := run.step / steps if steps else run.seconds / seconds) < 1:
        began = time.perf_counter()
        pick = torch.randint(len(x0), (batch_size,), generator=g)
        phrasing = torch.randint(tokens.shape[1], (batch_size,), generator=g)
        batch, caption = x0[pick], drop_captions(tokens[pick, phrasing], DROP_CAPTIONS, g)
        if flip:
            mirrored = torch.rand(batch_size, 1, 1, 1, generator=g) < 0.5
            batch = torch.where(mirrored, batch.flip(-1), batch)
        t = random_levels(batch_size, g)
        eps = torch.randn(batch.shape, generator=g)

        error = loss(run.model, batch, t, eps, caption)
        if not error.isfinite():
            raise ValueError(f"The loss became {error.item()} at step {run.step + 1}. Try a lower learning rate.")
        run.update(error, learning_rate=run.learning_rate * min(1.0, (1 - done) / FALL))

        run.seconds += time.perf_counter() - began
        done = min(1.0, run.step / steps if steps else run.seconds / seconds)
        yield Report(run.step, error.item(), run.step * batch_size / run.seconds, done)
