"""Training: make the guess x0_hat = model(x_t, t, tokens) close to x0. Fourth in the reading order.

This is plain supervised learning. Take pictures, add noise of random levels, ask for the clean pictures, and correct
the network by the squared error. The caption is part of the input; at times it is left out, to learn to do without.
"""

import copy
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_lib.noise import Model, Pictures, Tokens, add_noise, check_clean, check_number, check_tokens, expand_level

PURE_NOISE = 1 / 16  # share of training examples at t = 1 exactly, where sampling begins
DROP_CAPTIONS = 0.1  # share of training examples that lose their caption
EMA_SHARE = 0.1  # the average remembers about the last tenth of the run
FALL = 0.3  # the learning rate falls to zero over the last 30 % of the run


def random_levels(count: int, generator: torch.Generator) -> Tensor:
    """Noise levels to train on: t = sigmoid(n), n ~ N(0.5, 1), but t = 1 itself for one in sixteen.

    Levels around 0.7, where the fruit is decided, come most often; the sigmoid alone would never reach pure noise. One
    level comes from each of `count` equal shares of the distribution: no batch has only high or only low ones.

    Returns t, (count,) float32 in (0, 1], in rising order.

    Source: logit-normal levels, Esser et al. 2024 (arXiv:2403.03206), section 3.1; evenly spread over the batch, as in
    Kingma et al. 2021 (arXiv:2107.00630), appendix I.1.
    """
    u = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    t = torch.sigmoid(torch.special.ndtri(u.clamp(min=1e-6) / (1 - PURE_NOISE)) + 0.5)
    return torch.where(u < 1 - PURE_NOISE, t, 1.0)


def drop_captions(tokens: Tokens, rate: float, generator: torch.Generator) -> Tokens:
    """Replace whole captions by the null caption, each with probability `rate`.

    Source: classifier-free guidance, Ho and Salimans 2022 (arXiv:2207.12598), algorithm 1.
    """
    kept = torch.rand(len(tokens), 1, generator=generator) >= rate
    return torch.where(kept, tokens, 0)


def random_batches(
    x0: Pictures, tokens: Tokens, generator: torch.Generator, *, batch_size: int = 64, flip: bool = False
) -> Iterator[tuple[Pictures, Tokens]]:
    """Batches to train on, without end: (x0, tokens), drawn at random, some without their caption.

    Args:
        x0: N clean pictures in [-1, 1].
        tokens: a caption for each; or (N, P, L), P phrasings of it, one of which is drawn each time.
        generator: where chance comes from; that of the `Run` goes into the run's file.
        flip: mirror every second picture: twice as many of them, where left and right look alike.

    Raises ValueError where pictures, captions or how they are to be drawn are of a wrong kind, or do not match.
    """
    check_clean(x0[:1])
    check_tokens(tokens, generator, (2, 3))
    check_number("batch_size", batch_size)
    if len(x0) != len(tokens):
        raise ValueError(f"Every picture needs its caption: there are {len(x0)} pictures and {len(tokens)} captions.")
    tokens = tokens[:, None] if tokens.ndim == 2 else tokens
    while True:
        pick = torch.randint(len(x0), (batch_size,), generator=generator)
        phrasing = torch.randint(tokens.shape[1], (batch_size,), generator=generator)
        batch, caption = x0[pick], drop_captions(tokens[pick, phrasing], DROP_CAPTIONS, generator)
        if flip:
            mirrored = torch.rand(batch_size, 1, 1, 1, generator=generator) < 0.5
            batch = torch.where(mirrored, batch.flip(-1), batch)
        yield batch, caption


def denoising_loss(model: Model, x0: Pictures, t: Tensor, eps: Pictures, tokens: Tokens) -> Tensor:
    """The squared error of the guess, weighted: mean of |x0_hat - x0|^2 / max(t, 0.3)^2.

    The weight evens out the levels: where there is little noise, errors are small, and count more.

    Returns a scalar. Raises ValueError as `add_noise`, and where the model's answer has another shape than x0.
    """
    x0_hat = model(add_noise(x0, t, eps), t, tokens)
    if x0_hat.shape != x0.shape:
        raise ValueError(f"The model answers with shape {tuple(x0_hat.shape)} to pictures of {tuple(x0.shape)}.")
    return ((x0_hat - x0) ** 2 / expand_level(t, x0).clamp(min=0.3) ** 2).mean()


def neighbour_loss(model: Model, x0: Pictures, t: Tensor, eps: Pictures, tokens: Tokens, gap: float = 0.1) -> Tensor:
    """The squared error of a slightly less noisy picture: mean of |x_s_hat - x_s|^2, with s = max(t - gap, 0).

    Here the model answers x_s itself: (x_t, t, tokens) -> x_s_hat. Neighbours share one noise, so a right answer can
    be fed back as it is. gap says how much less noisy, more than 0; 1 asks for the clean picture at once.
    """
    s = (t - gap).clamp(min=0)
    return ((model(add_noise(x0, t, eps), t, tokens) - add_noise(x0, s, eps)) ** 2).mean()


class Run:
    """A training run: all that it takes to stop, and to go on later as if nothing had happened (see `save_run`).

    Args:
        model: the network to train, in place; any `nn.Module` called as model(x_t, t, tokens). Loaded ones are thawed.
        learning_rate: the highest, held for the first 70 % of the run.
        seed: of the generator that batches, levels and noise are drawn from; the first weights are the model's own.

    Attributes: step, pictures and seconds, how far the run has come, and
        ema: its average over the recent past, which makes the better pictures (Karras et al. 2024,
            arXiv:2312.02696, eq. 2: the horizon grows with the run). Buffers, often averages already, are copied.

    Raises ValueError for what is no network, one that cannot be copied, or a rate or seed out of range.
    """

    def __init__(self, model: nn.Module, *, learning_rate: float = 2e-3, seed: int = 0):
        if not isinstance(model, nn.Module):
            raise ValueError(f"A run trains an nn.Module, not {type(model).__name__}.")
        check_number("learning_rate", learning_rate, 1e-9, 100, "finite")
        check_number("seed", seed, 0, 2**63 - 1)
        if not any(value.requires_grad for value in model.parameters()):  # as those of a loaded network
            model.requires_grad_(True)
        self.model = model
        try:
            self.ema = copy.deepcopy(model).eval().requires_grad_(False)
        except RuntimeError as error:
            hint = "Pruning and the old norms of torch.nn.utils forbid it; those of its parametrizations do not."
            raise ValueError(f"This network cannot be copied. {hint}") from error
        self.learning_rate = learning_rate
        layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
        own = [value for layer in layers for value in layer.parameters(recurse=False)]  # parametrizations lie deeper
        matrices = {id(value): value for value in own if value.ndim > 1}
        others = [value for value in model.parameters() if id(value) not in matrices]
        self.optimizers: list[torch.optim.Optimizer] = []
        if matrices:
            self.optimizers.append(Muon(matrices.values(), lr=learning_rate))
        if others:
            self.optimizers.append(torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.95), fused=True))
        self.generator = torch.Generator().manual_seed(seed)
        self.step, self.pictures, self.seconds = 0, 0, 0.0

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
            for copied, value in zip(self.ema.buffers(), self.model.buffers(), strict=True):
                copied.copy_(value)


class Report(NamedTuple):
    """What a training step tells."""

    step: int  # steps done since the run began
    loss: float  # of this step's batch
    pictures_per_second: float  # on average over the run
    done: float  # share of the run that is done, from 0 to 1


def train(
    run: Run,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    steps: int | None = None,
    seconds: float | None = None,
    levels: Callable[[int, torch.Generator], Tensor] = random_levels,
    loss: Callable = denoising_loss,
) -> Iterator[Report]:
    """Train, one step for each item that is asked for. Stop asking and the run rests; ask again and it goes on.

    The learning rate stays, then falls in a straight line to zero over the last 30 % of the run.

    Args:
        run: where the run stands; changed in place.
        batches: gives (x0, tokens) for each step, such as `random_batches(x0, tokens, run.generator)`, or whatever the
            model takes for a condition in place of tokens; training ends where they end.
        steps, seconds: until it has so many steps (then the same first weights and seed give the same network), or has
            trained so long.
        levels: gives the noise levels of a batch, (B,), for its size and the run's generator.
        loss: what to make small: `denoising_loss`, or anything else with its arguments and a scalar for an answer.

    Yields a `Report` after each step. Raises ValueError unless one of steps and seconds is given, above zero, and where
    the loss is no longer finite.
    """
    if (steps is None) == (seconds is None):
        raise ValueError("Say how long to train: either steps=… or seconds=…")
    length = seconds if steps is None else steps
    if isinstance(length, str) or not length > 0:  # written so that nan is refused too
        raise ValueError(f"How long to train must be more than zero, not {length!r}.")
    if not isinstance(run, Run):
        raise ValueError(f"train takes a Run, such as Run(model), not {type(run).__name__}.")
    batches, g = iter(batches), run.generator
    run.model.train()
    while (done := run.step / steps if steps else run.seconds / seconds) < 1:
        began = time.perf_counter()
        if (batch := next(batches, None)) is None:
            return
        x0, tokens = batch
        t = levels(len(x0), g)
        eps = torch.randn(x0.shape, generator=g, dtype=x0.dtype if isinstance(x0, Tensor) else None)

        error = loss(run.model, x0, t, eps, tokens)
        if not error.isfinite():
            raise ValueError(f"The loss became {error.item()} at step {run.step + 1}. Try a lower learning rate.")
        run.update(error, learning_rate=run.learning_rate * min(1.0, (1 - done) / FALL))

        run.pictures += len(x0)
        run.seconds += time.perf_counter() - began
        done = min(1.0, run.step / steps if steps else run.seconds / seconds)
        yield Report(run.step, error.item(), run.pictures / run.seconds, done)


# The optimiser of matrices. Not needed to understand the course: a step down the gradient, of another shape.


def orthogonalise(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Bring all singular values of each (m, n) matrix near one, without computing them.

    Source: Newton-Schulz iteration with the coefficients of Jordan et al. 2024, "Muon: An optimizer for hidden
    layers in neural networks".
    """
    wide = [x if x.shape[0] <= x.shape[1] else x.T for x in matrices]
    wide = [x / (x.norm() + 1e-7) for x in wide]
    alike = defaultdict(list)  # matrices with one short side go through the turns together
    for place, x in enumerate(wide):
        alike[len(x)].append(place)
    for side, places in alike.items():
        # each turn multiplies x from the left by a polynomial of x x^T: gather the factors, which are small
        gram = torch.stack([wide[place] @ wide[place].T for place in places])
        factors = torch.eye(side, dtype=gram.dtype, device=gram.device)
        for _ in range(5):
            factor = 2.0315 * gram @ gram - 4.7750 * gram
            factor.diagonal(dim1=1, dim2=2).add_(3.4445)
            factors = factor @ factors
            gram = factor @ gram @ factor
        for place, factor in zip(places, factors, strict=True):
            wide[place] = factor @ wide[place]
    return [y if x.shape[0] <= x.shape[1] else y.T for x, y in zip(matrices, wide, strict=True)]


class Muon(torch.optim.Optimizer):
    """Steps with momentum, made orthogonal, so that a weight learns in all directions and not in its strongest alone.

    Weights of convolutions count as matrices (out, in x height x width), which `torch.optim.Muon` refuses; it computes
    in bfloat16 too, slow on most processors. The momentum is Nesterov's; the scale of a step matches AdamW's, so that
    both can share a learning rate (Liu et al. 2025, arXiv:2502.16982, eq. 4).
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.9, weight_decay: float = 0.01):
        super().__init__(parameters, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self) -> None:
        """One step for every weight that has a gradient."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            steps = []
            for weight in weights:
                average = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                average.lerp_(weight.grad, 1 - group["momentum"])
                steps.append(weight.grad.lerp(average, group["momentum"]).flatten(1))
            for weight, step in zip(weights, orthogonalise(steps), strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(step.reshape(weight.shape), alpha=-0.2 * max(step.shape) ** 0.5 * group["lr"])
