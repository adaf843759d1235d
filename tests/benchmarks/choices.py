"""Every choice of the recipe, one at a time, three seeds each: `make bench-choices`, about an hour; resumes.

A run of some twenty seconds with the settings of `SHORT_RUNS`, and the same with one thing changed: as many pictures,
not seconds, so that choices are compared and not machines; the seconds stand beside. Each network is asked for pairs
seen and held out, and the Fréchet distance tells how far its pictures are, all together, from drawings.
Results go to data/benchmarks/, those of `--quick` to runs/; what is found there is not measured again.
"""

import json
import math
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache, partial
from typing import NamedTuple
from unittest.mock import patch

import torch
from bench import LOSSES, SHORT_RUNS, in_bfloat16
from drawings import Drawings, distance_over_floor, fresh_drawings
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from results import Results, arguments, bar, heading
from torch import Tensor, nn

from course_lib import sample as sampling
from course_lib import show, weights
from course_lib import train as training
from course_lib.captions import encode
from course_lib.data import HELD_OUT_PAIRS, TRAINING_PAIRS, Pictures, phrasings, training_pictures
from course_lib.judge import Score, generate_many, score
from course_lib.model import Denoiser
from course_lib.noise import noise_levels
from course_lib.sample import ancestral_step, denoise_step, guided
from course_lib.solvers import second_order_step
from course_lib.train import Run, train

FULL = dict(pictures=20_480, drawings=512, per_pair=32, per_seen_pair=3, steps=25, seeds=3)
QUICK = dict(pictures=128, drawings=64, per_pair=1, per_seen_pair=1, steps=2, seeds=2)
BASE = "the recipe"
GUIDANCE = SHORT_RUNS["guidance_scale"]


class Choice(NamedTuple):
    """What is changed in a training run."""

    config: dict = {}  # of the denoiser
    options: dict = {}  # in place of those in SHORT_RUNS
    patches: Sequence[tuple] = ()  # (module, name, value) while it trains
    prepare: Callable = lambda model: None  # changes the network before training
    run: Callable = Run
    loss: Callable | None = None
    average: bool = True  # ask the average of the weights, not the last ones


# What is changed


def levels(middle: float, width: float = 1.0, evenly: bool = True) -> Sequence[tuple]:
    """Noise levels t = sigmoid(n), n ~ N(middle, width^2), as in `random_levels`; or each drawn by itself."""

    def drawn(count: int, generator: torch.Generator) -> Tensor:
        u = torch.rand(count, generator=generator)
        u = (torch.arange(count) + u) / count if evenly else u
        n = middle + width * torch.special.ndtri(u.clamp(1e-6, 1 - 1e-6) / (1 - training.PURE_NOISE))
        return torch.where(u < 1 - training.PURE_NOISE, torch.sigmoid(n), 1.0)

    return [(training, "random_levels", drawn)]


def even_levels(count: int, generator: torch.Generator) -> Tensor:
    """Noise levels from 0 to 1, none more often than another."""
    return (torch.arange(1, count + 1) - torch.rand(count, generator=generator)) / count


def weighted(weight: Callable[[Tensor], Tensor]) -> Callable:
    """The loss of short runs with another weight; `denoising_loss` has 1 / max(t, 0.3)^2."""

    def loss(model, x0: Tensor, t: Tensor, eps: Tensor, tokens: Tensor) -> Tensor:
        factor = (weight(t) * t.clamp(min=0.3) ** 2).sqrt()[:, None, None, None]  # the loss is a square of the error

        def scaled(x_t, t, tokens):
            return x0 + factor * (model(x_t, t, tokens) - x0)

        return LOSSES[SHORT_RUNS["loss"]](scaled, x0, t, eps, tokens)

    return loss


def wrapped(around: Callable) -> Callable:
    """The loss of short runs, with something around the network: `around(model)` is called in its place."""
    return lambda model, *inputs: LOSSES[SHORT_RUNS["loss"]](around(model), *inputs)


class Nothing(nn.Module):
    """In place of a layer: zeros of its answer's shape."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(*x.shape[:-1], self.width)


class Attention(nn.Module):
    """Around the middle block: every place looks at every other. Vaswani et al. 2017 (arXiv:1706.03762)."""

    def __init__(self, block: nn.Module, channels: int):
        super().__init__()
        self.block, self.norm = block, nn.GroupNorm(8, channels)
        self.look = nn.MultiheadAttention(channels, 4, batch_first=True)
        nn.init.zeros_(self.look.out_proj.weight)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.block(x, condition)
        places = self.norm(h).flatten(2).transpose(1, 2)
        return h + self.look(places, places, places, need_weights=False)[0].transpose(1, 2).reshape(h.shape)


def without_sketch(model: Denoiser) -> None:
    model.sketch = Nothing(model.sketch.out_features)


def without_next_word(model: Denoiser) -> None:
    model.caption.next_word = Nothing(model.caption.next_word.out_features)


def with_attention(model: Denoiser) -> None:
    model.middle = Attention(model.middle, model.config["channels"][-1])


def channels_first(model: Denoiser) -> None:
    """Keep the channels of a picture apart in memory."""
    model.enter.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(),))


class AdamWRun(Run):
    """A run in which AdamW has all weights, the matrices too."""

    def __init__(self, model: nn.Module, *, learning_rate: float, seed: int):
        super().__init__(model, learning_rate=learning_rate, seed=seed)
        self.optimizers = [torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.95), fused=True)]


class CosineRun(Run):
    """A run whose learning rate falls along half a cosine, over so many steps."""

    steps = 0

    def update(self, loss: Tensor, learning_rate: float) -> None:
        share = 0.5 * (1 + math.cos(math.pi * self.step / self.steps))
        super().update(loss, self.learning_rate * share)


class WarmRun(Run):
    """A run whose learning rate rises over the first tenth of its steps."""

    steps = 0

    def update(self, loss: Tensor, learning_rate: float) -> None:
        super().update(loss, learning_rate * min(1.0, (self.step + 1) / (0.1 * self.steps)))


CHOICES = {
    BASE: Choice(),
    "network: channels 32, 64": Choice(config=dict(channels=(32, 64))),
    "network: channels 64, 128": Choice(config=dict(channels=(64, 128))),
    "network: squares of 8 pixels, not 4": Choice(config=dict(patch=8)),
    "network: squares of 2 pixels, three scales 48, 48, 96": Choice(config=dict(patch=2, channels=(48, 48, 96))),
    "network: two blocks on each scale": Choice(config=dict(blocks=2)),
    "network: attention in the middle": Choice(prepare=with_attention),
    "network: no sketch": Choice(prepare=without_sketch),
    "network: level and caption 128 numbers wide, not 64": Choice(config=dict(width=128)),
    "captions: the next word is not heard": Choice(prepare=without_next_word),
    "captions: eight phrasings, not six": Choice(options=dict(phrasings=8)),
    "captions: none dropped": Choice(patches=[(training, "DROP_CAPTIONS", 0.0)]),
    "captions: a fifth dropped, not a tenth": Choice(patches=[(training, "DROP_CAPTIONS", 0.2)]),
    "loss: no weight": Choice(loss=weighted(torch.ones_like)),
    "loss: weight 1 / max(t, 0.1)^2": Choice(loss=weighted(lambda t: t.clamp(min=0.1) ** -2)),
    "loss: weight of the error in eps, (1 - t)^2 / max(t, 0.1)^2": Choice(
        loss=weighted(lambda t: (1 - t) ** 2 * t.clamp(min=0.1) ** -2)
    ),
    "levels: N(0, 1), not N(0.5, 1)": Choice(patches=levels(0.0)),
    "levels: N(1, 1)": Choice(patches=levels(1.0)),
    "levels: N(0.5, 2)": Choice(patches=levels(0.5, 2.0)),
    "levels: all alike": Choice(patches=[(training, "random_levels", even_levels)]),
    "levels: each drawn by itself": Choice(patches=levels(0.5, evenly=False)),
    "learning rate: 3e-3, not 6e-3": Choice(options=dict(learning_rate=3e-3)),
    "learning rate: 1.2e-2": Choice(options=dict(learning_rate=1.2e-2)),
    "schedule: falls over the last 60 %, not 30 %": Choice(patches=[(training, "FALL", 0.6)]),
    "schedule: falls all the way": Choice(patches=[(training, "FALL", 1.0)]),
    "schedule: half a cosine": Choice(run=CosineRun),
    "schedule: rises over the first tenth": Choice(run=WarmRun),
    "optimiser: AdamW for all, 6e-3": Choice(run=AdamWRun),
    "optimiser: AdamW for all, 2e-3": Choice(run=AdamWRun, options=dict(learning_rate=2e-3)),
    "average: of the last 3 %, not 10 %": Choice(patches=[(training, "EMA_SHARE", 0.03)]),
    "average: of the last 30 %": Choice(patches=[(training, "EMA_SHARE", 0.3)]),
    "average: none": Choice(average=False),
    "batch: 16, not 32": Choice(options=dict(batch_size=16)),
    "batch: 64": Choice(options=dict(batch_size=64)),
    "augmentation: no blur": Choice(options=dict(loss="denoising_loss")),
    "augmentation: half of the pictures mirrored": Choice(options=dict(flip=True)),
    "memory: channels first": Choice(prepare=channels_first),
    "bfloat16: convolutions and matrix products": Choice(loss=wrapped(in_bfloat16)),
    "compiled": Choice(loss=wrapped(cache(torch.compile))),
}
if not shutil.which("g++"):
    del CHOICES["compiled"]  # `torch.compile` needs it


def plain(generator: torch.Generator) -> Callable:
    return denoise_step


def ancestral(generator: torch.Generator) -> Callable:
    return partial(ancestral_step, generator=generator)


def look_back(generator: torch.Generator) -> Callable:
    return second_order_step()


def closer_near_one(t: Tensor) -> Tensor:
    return 1 - (1 - t) ** 1.5


def closer_near_zero(t: Tensor) -> Tensor:
    return t**1.5


class Way(NamedTuple):
    """How a network is asked."""

    guidance: Callable[[float], float] = lambda t: GUIDANCE  # the scale at a noise level
    steps: int | None = None  # None: as many as for the others
    step: Callable = plain
    levels: Callable[[Tensor], Tensor] = lambda t: t  # of evenly spaced ones


WAYS = {  # the networks of the base, asked in another way
    f"guidance: 1, not {GUIDANCE:g}": Way(lambda t: 1.0),
    "guidance: 2": Way(lambda t: 2.0),
    "guidance: 4": Way(lambda t: 4.0),
    f"guidance: 1 above t = 0.8, {GUIDANCE:g} below": Way(lambda t: 1.0 if t > 0.8 else GUIDANCE),
    f"guidance: {GUIDANCE:g} above t = 0.3, 1 below": Way(lambda t: GUIDANCE if t > 0.3 else 1.0),
    f"guidance: {GUIDANCE:g} from t = 0.3 to 0.8, else 1": Way(lambda t: GUIDANCE if 0.3 < t <= 0.8 else 1.0),
    "sampler: 50 steps, not 25": Way(steps=50),
    "sampler: ancestral step": Way(step=ancestral),
    "sampler: look-back step": Way(step=look_back),
    "sampler: levels closer together near t = 1": Way(levels=closer_near_one),
    "sampler: levels closer together near t = 0": Way(levels=closer_near_zero),
    "sampler: 8 steps": Way(steps=8),
    "sampler: 8 look-back steps": Way(steps=8, step=look_back),
    "sampler: 8 look-back steps, levels closer near t = 1": Way(steps=8, step=look_back, levels=closer_near_one),
    "sampler: 8 look-back steps, levels closer near t = 0": Way(steps=8, step=look_back, levels=closer_near_zero),
}


# Training, asking, recording


def trained(choice: Choice, pictures: Pictures, count: int, seed: int) -> tuple[nn.Module, float]:
    """Train with one thing changed, on so many pictures; the network to ask, and the seconds that it took."""
    how = SHORT_RUNS | choice.options
    torch.manual_seed(seed)
    model = Denoiser(**choice.config)
    choice.prepare(model)
    run = choice.run(model, learning_rate=how["learning_rate"], seed=seed)
    run.steps = count // how["batch_size"]
    options = dict(batch_size=how["batch_size"], flip=how["flip"], loss=choice.loss or LOSSES[how["loss"]])
    tokens = pictures.tokens[:, : how["phrasings"]]
    with ExitStack() as changed:
        for each in choice.patches:
            changed.enter_context(patch.object(*each))
        for _ in show.progress(train(run, pictures.x0, tokens, steps=run.steps, **options), leave=False):
            pass
    return (run.ema if choice.average else run.model.eval()), run.seconds


class Found(NamedTuple):
    """What came of one seed."""

    held_out: Score
    seen: Score
    distance: float  # Fréchet distance over the floor
    seconds: float  # of training


def asked(way: Way, model: Callable, judge, drawings: Drawings, size: dict, seed: int, seconds: float) -> Found:
    """Have the judge count, and measure how far the pictures are from drawings."""

    def led(x_t, t, tokens):
        return guided(model, x_t, t, tokens, way.guidance(float(t[0])))

    generator = torch.Generator().manual_seed(seed)
    options = dict(steps=way.steps or size["steps"], guidance_scale=1.0, generator=generator, step=way.step(generator))

    with patch.object(sampling, "noise_levels", lambda steps: way.levels(noise_levels(steps))):
        counts = []
        for pairs, each in ((HELD_OUT_PAIRS, size["per_pair"]), (TRAINING_PAIRS, size["per_seen_pair"])):
            pairs = [pair for pair in pairs for _ in range(each)]
            tokens = encode([phrasings(*pair)[1] for pair in pairs])
            counts.append(score(judge, generate_many(led, tokens, partial(bar, desc="asking"), **options), pairs))
        return Found(*counts, distance_over_floor(led, judge, drawings, "", **options), seconds)


def record(results: Results, name: str, found: Sequence[Found], size: dict, seeds: Sequence[int]) -> None:
    """Four objects for a choice: medians over the seeds, and each of them."""
    about = dict(choice=name, seeds=list(seeds)) | {k: size[k] for k in ("pictures", "drawings", "steps")}
    for what, counts in (("held out right", [f.held_out for f in found]), ("seen right", [f.seen for f in found])):
        of, right = counts[0].of, [count.right for count in counts]
        value = statistics.median(right) / of
        results.record(f"{what}, {name}", value, "share", of=of, right_for_each_seed=right, **about)
    for what, unit, values in (
        ("Fréchet distance over the floor", "ratio", [round(f.distance, 3) for f in found]),
        ("training", "s", [round(f.seconds, 1) for f in found]),
    ):
        results.record(f"{what}, {name}", statistics.median(values), unit, for_each_seed=values, **about)


def table(rows: list[dict]) -> str:
    """The recorded values as a page of Markdown, a line for each choice."""
    found = {row["name"]: row for row in rows}
    about = rows[0]["settings"]
    lines = heading("Choices, one at a time", rows)
    lines += [
        f"{about['pictures']:,} training pictures, seeds {', '.join(map(str, about['seeds']))} in this order. The"
    ]
    lines += [
        f"Fréchet distance is that of {about['drawings']} pictures, over its floor. The recipe: {SHORT_RUNS}.",
        "",
    ]
    lines += [
        "| changed | held out right | seen right | Fréchet distance | training |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in dict.fromkeys(row["settings"]["choice"] for row in rows):
        cells = [name]
        for what in ("held out right", "seen right"):
            settings = found[f"{what}, {name}"]["settings"]
            shares = (f"{100 * right / settings['of']:.0f} %" for right in settings["right_for_each_seed"])
            cells.append(", ".join(shares))
        each = found[f"Fréchet distance over the floor, {name}"]["settings"]["for_each_seed"]
        cells.append(", ".join(f"{value:.1f}" for value in each))
        lines.append("| " + " | ".join([*cells, f"{found[f'training, {name}']['value']:.0f} s"]) + " |")
    return "\n".join(lines) + "\n"


def draw(rows: list[dict]) -> Figure:
    """Each choice a line: its seeds as dots, held out on the left, the Fréchet distance on the right."""
    names = list(dict.fromkeys(row["settings"]["choice"] for row in rows))
    found = {row["name"]: row["settings"] for row in rows}
    figure, axes = plt.subplots(1, 2, figsize=(17, 1.5 + 0.42 * len(names)), sharey=True, layout="constrained")
    for place, name in enumerate(names):
        counts = found[f"held out right, {name}"]
        shares = [100 * right / counts["of"] for right in counts["right_for_each_seed"]]
        distances = found[f"Fréchet distance over the floor, {name}"]["for_each_seed"]
        for ax, values in zip(axes, (shares, distances), strict=True):
            colour = show.ORANGE if name == BASE else show.BLUE
            ax.plot(values, [place] * len(values), "o", color=colour, markersize=9, alpha=0.8)
            ax.plot([statistics.median(values)] * 2, [place - 0.35, place + 0.35], color=colour, linewidth=3)
            if name == BASE:
                ax.axvline(statistics.median(values), color="grey", linestyle=":", linewidth=2, zorder=0)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    axes[0].set_xlabel("kind and colour right, pairs never seen, %", fontsize=show.FONT)
    axes[1].set_xlabel("Fréchet distance (real drawings: 1)", fontsize=show.FONT)
    for ax in axes:
        ax.tick_params(labelsize=show.FONT)
        ax.grid(alpha=0.3)
    return figure


def main() -> None:
    args = arguments(__doc__, "choices")
    size, results = QUICK if args.quick else FULL, Results(args.seed)
    seeds = range(args.seed, args.seed + size["seeds"])
    path = args.out / "choices.json"
    if path.exists():
        results.rows = json.loads(path.read_text())
        before = {key: results.rows[0][key] for key in ("versions", "seed")}
        if before != {key: results.about[key] for key in before}:
            sys.exit(f"{path} was measured with {before}. Delete it to measure everything here, or give another --out.")
    done = {row["settings"]["choice"] for row in results.rows}
    pictures, judge = training_pictures(bar=bar), weights.load_judge()
    drawings = fresh_drawings(judge, size["drawings"], args.seed)

    def keep(name: str, found: Sequence[Found]) -> None:
        record(results, name, found, size, seeds)
        results.write(path)

    for name, choice in CHOICES.items():
        ways = {name: Way()} | (WAYS if name == BASE else {})
        if done >= ways.keys():
            continue
        models = [trained(choice, pictures, size["pictures"], seed) for seed in seeds]
        for way in (way for way in ways if way not in done):
            found = [
                asked(ways[way], model, judge, drawings, size, seed, took)
                for seed, (model, took) in zip(seeds, models, strict=True)
            ]
            record(results, way, found, size, seeds)
            results.write(path)
    results.publish(args.out, "choices", table(results.rows), draw(results.rows))


if __name__ == "__main__":
    main()
