"""Seven ways to get bad pictures, made on purpose: a small network trained as it should be, and seven times not.

Every fault is one thing done differently, in training or in sampling; all else stays the same, down to the seed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_lib.captions import encode, null_tokens
from course_lib.fruit.words import VOCABULARY
from course_lib.model import Denoiser
from course_lib.noise import Model, Pictures, Tokens, add_noise, expand_level
from course_lib.sample import generate
from course_lib.tools.bars import Bar, no_bar
from course_lib.tools.files import DATA, read_tensors, write_tensors
from course_lib.tools.pixels import from_bytes, to_bytes
from course_lib.train import Report, Run, denoising_loss, random_batches, train

PROMPTS = (
    *("a red apple", "a yellow banana", "a green watermelon", "an orange orange"),
    *("a yellow lemon", "a green pear", "a red strawberry", "purple grapes"),
    *("a pink apple", "a brown pear", "a blue strawberry", "a green banana"),
)  # and then four pictures without a caption
STEPS = 400


def plain_loss(model: Model, x0: Pictures, t: Tensor, eps: Pictures, tokens: Tokens) -> Tensor:
    """`denoising_loss` without its weight: mean of |x0_hat - x0|^2. No fault, but another balance of the levels."""
    return ((model(add_noise(x0, t, eps), t, tokens) - x0) ** 2).mean()


def low_levels_loss(model: Model, x0: Pictures, t: Tensor, eps: Pictures, tokens: Tokens) -> Tensor:
    """`denoising_loss` at t^3 in place of t, mostly low levels. No fault, but another choice of them."""
    return denoising_loss(model, x0, t**3, eps, tokens)


def swapped_loss(model: Model, x0: Pictures, t: Tensor, eps: Pictures, tokens: Tokens) -> Tensor:
    """The clean picture goes in and the noisy one is asked for, instead of the other way round."""
    x_t_hat = model(x0, t, tokens)
    return ((x_t_hat - add_noise(x0, t, eps)) ** 2 / expand_level(t, x0).clamp(min=0.3) ** 2).mean()


def no_null_caption_loss(model: Model, x0: Pictures, t: Tensor, eps: Pictures, tokens: Tokens) -> Tensor:
    """Only the pictures that still have a caption are trained on."""
    said = tokens.any(dim=1)
    return denoising_loss(model, x0[said], t[said], eps[said], tokens[said])


@contextmanager
def _chance(state: Tensor) -> Iterator[None]:
    """Layers made inside draw their weights from this state of a generator, which goes on; torch's own stays as it was.

    A layer takes no generator of its own.
    """
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(state)
        yield
        state.copy_(torch.get_rng_state())


class RandomLayer(nn.Module):
    """A network with one layer too many, made anew, with new random weights, at every call."""

    def __init__(self, denoiser: nn.Module, seed: int | None = None):
        super().__init__()
        self.denoiser = denoiser
        self.chance = torch.get_rng_state() if seed is None else torch.Generator().manual_seed(seed).get_state()

    def forward(self, x_t: Pictures, t: Tensor, tokens: Tokens) -> Pictures:
        """As `Denoiser.forward`, and then a layer that no optimiser knows of."""
        with _chance(self.chance):
            layer = nn.Conv2d(3, 3, 3, padding=1)  # belongs in __init__
        return layer(self.denoiser(x_t, t, tokens))


class Fault(NamedTuple):
    """What a run does differently. What is not named is done as it should be."""

    wrong: str  # the cause, in a sentence
    look: str  # what gives it away, without naming it
    remedy: str
    loss: Callable = denoising_loss
    network: Callable = lambda: Denoiser(VOCABULARY)  # makes the network
    learning_rate: float = 3e-3
    whole: float = 1.0  # how much longer the run was planned to be: the learning rate falls at the end only
    averaged: bool = True  # sample with the average of the weights
    guidance_scale: float = 3.0


HEALTHY = Fault("Nothing is wrong.", "There is a fruit in every picture.", "None is needed.")
FAULTS = {
    "wrong range": Fault(
        "The pictures were given in [0, 1] in place of [-1, 1], and what came out was shown as if in [-1, 1].",
        "The fruits are all there, but pale, and nothing is dark. The loss is far lower than the healthy one.",
        "Smaller numbers make smaller errors, so that a low loss proves nothing here. Write 2 * x - 1.",
        loss=lambda model, x0, t, eps, tokens: denoising_loss(model, (x0 + 1) / 2, t, eps, tokens),
    ),
    "x0 and x_t swapped": Fault(
        "The clean picture went into the network, and the noisy one was asked for.",
        "There is no fruit anywhere, only confetti, and the loss hardly comes down: what is asked for is unguessable.",
        "Nobody can guess the noise from a clean picture. The noisy picture goes in, and the clean one is compared.",
        loss=swapped_loss,
    ),
    "missing null caption": Fault(
        "No training picture ever lost its caption, so the guess without words, which guidance needs, is a wild one.",
        "The loss looks healthy. Compare the last row, made without words, with the last row of the healthy run.",
        "Drop whole captions in about a tenth of the training examples.",
        loss=no_null_caption_loss,
    ),
    "too few levels": Fault(
        "The road ended at t = 0.6, so the network never saw pure noise, where sampling begins.",
        "The loss ends below the healthy one, so something easier was learned. The pieces are crisp, the whole lost.",
        "Let the levels go up to t = 1 itself, in some of the training examples.",
        loss=lambda model, x0, t, eps, tokens: denoising_loss(model, x0, 0.6 * t, eps, tokens),
    ),
    "no EMA": Fault(
        "The pictures were made with the weights of the moment, amid a run at five times the learning rate.",
        "Most fruits are what was asked for, but rough: ragged, speckled, with a pale rim. The loss begins below "
        "the healthy one, ends above it, and has not settled.",
        "Sample with the moving average of the weights, which evens out the swings of the last steps. Letting the "
        "learning rate fall before the end helps as well.",
        learning_rate=1.5e-2,
        whole=2.5,
        averaged=False,
    ),
    "guidance too high": Fault(
        "The pictures were made with w = 15.",
        "The loss is the healthy one to the last digit, so the training was right. The colours are too loud.",
        "Sample again with w between 1 and 4. Nothing has to be trained anew.",
        guidance_scale=15.0,
    ),
    "random layer in forward": Fault(
        "A layer was made inside forward, so every call has new random weights, which nothing trains. Whatever the "
        "network answers is mixed anew at random, and the best it can do is to say nothing: grey.",
        "One grey for every caption, and a loss that never comes down: nothing the network says comes through.",
        "Make layers in __init__, where the optimiser finds their weights.",
        network=lambda: RandomLayer(Denoiser(VOCABULARY)),
    ),
}


class BrokenRun(NamedTuple):
    """What a run left behind."""

    losses: Tensor  # (STEPS,) float32
    pictures: Pictures  # sixteen of 32 x 32 pixels, in [-1, 1]: `PROMPTS`, then four without a caption


def start(fault: Fault, seed: int = 0) -> Run:
    """A run that has not begun, of a small network; the seed decides its first weights too."""
    with _chance(torch.Generator().manual_seed(seed).get_state()):
        return Run(fault.network(), learning_rate=fault.learning_rate, seed=seed)


def practise(run: Run, fault: Fault, x0: Pictures, tokens: Tokens, steps: int = STEPS) -> Iterator[Report]:
    """Train with a fault in it, for so many steps, on `random_batches` of x0 and tokens; yields reports as `train`."""
    batches = random_batches(x0, tokens, run.generator)
    for report in train(run, batches, steps=round(fault.whole * steps), loss=fault.loss):
        yield report._replace(done=report.step / steps)
        if report.step == steps:
            return


def paint(run: Run, fault: Fault, seed: int = 1) -> Pictures:
    """The sixteen pictures of a run, always of the same captions and the same noise."""
    tokens = torch.cat([encode(PROMPTS, VOCABULARY), null_tokens(4)])
    model = run.ema if fault.averaged else run.model.eval()
    if isinstance(model, RandomLayer):
        model = RandomLayer(model.denoiser, seed)  # the same random layers each time
    generator = torch.Generator().manual_seed(seed)
    return generate(model, tokens, generator=generator, guidance_scale=fault.guidance_scale)


def make(
    path: str | Path, x0: Pictures, tokens: Tokens, *, steps: int = STEPS, seed: int = 0, bar: Bar = no_bar
) -> None:
    """Train the healthy run and the seven broken ones alike, and write their losses and pictures to one file."""
    tensors = {}
    for name, fault in {"healthy": HEALTHY, **FAULTS}.items():
        run = start(fault, seed)
        losses = [r.loss for _, r in zip(bar(range(steps)), practise(run, fault, x0, tokens, steps), strict=True)]
        tensors[f"{name}.losses"] = torch.tensor(losses)
        tensors[f"{name}.pictures"] = to_bytes(paint(run, fault).clamp(-1, 1))
    write_tensors(path, tensors, {"kind": "broken runs", "steps": steps, "seed": seed})


def load(path: str | Path = DATA / "broken.safetensors") -> dict[str, BrokenRun]:
    """The shipped runs: "healthy", and one for each of `FAULTS`. Raises as `read_tensors`, and for another file."""
    tensors, about = read_tensors(path)
    if about.get("kind") != "broken runs":
        raise ValueError(f"{path} holds no broken runs. `python -m course_lib broken` makes them.")
    runs = ("healthy", *FAULTS)
    return {name: BrokenRun(tensors[f"{name}.losses"], from_bytes(tensors[f"{name}.pictures"])) for name in runs}


def in_order(seed: int = 7) -> dict[str, str]:
    """The letters A to G and the fault behind each, in an order that the seed decides: {"A": "no EMA", ...}."""
    order = torch.randperm(len(FAULTS), generator=torch.Generator().manual_seed(seed)).tolist()
    return {"ABCDEFG"[place]: list(FAULTS)[at] for place, at in enumerate(order)}


def smooth(losses: Tensor, over: int = 20) -> tuple[Tensor, Tensor]:
    """The mean of every `over` losses in a row, as a curve: (steps, means), each of shape (N // over,)."""
    means = losses[: len(losses) // over * over].unflatten(0, (-1, over)).mean(1)
    return over * torch.arange(1, len(means) + 1), means


def explain(name: str) -> str:
    """The cause of a fault, what gave it away, and the remedy."""
    fault = FAULTS[name]
    return f"**{name}.** {fault.wrong} {fault.look} {fault.remedy}"
