"""Every choice of the recipe changed, three seeds each: `make bench-choices`, over an hour; resumes.

A run of some twenty seconds with the settings of `SHORT_RUNS`, and the same with one thing changed (or a few that go
together, as named): as many pictures, not seconds, so that choices are compared and not machines. Each network is
asked for pairs seen and held out, and the Fréchet distance tells how far its pictures are, all together, from
drawings. What a training picture costs is timed beside the recipe's, step by step in turn. Results go to
data/benchmarks/, those of `--quick` to runs/; what is found there is not measured again.
"""

import json
import math
import shutil
import statistics
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache, partial
from typing import NamedTuple
from unittest.mock import patch

import torch
from bench import LOSSES, SHORT_RUNS, in_bfloat16
from drawings import Drawings, fresh_drawings, over_floor
from jury import Jury, shipped_jury, worst_pair
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from results import Results, arguments, bar, heading
from torch import Tensor, nn
from training import train_on

from course_lib import sample as sampling
from course_lib import train as training
from course_lib import weights
from course_lib.beyond.attention import Attention
from course_lib.beyond.solvers import second_order_step
from course_lib.captions import encode
from course_lib.classroom import show
from course_lib.fruit.pictures import Pictures, training_pictures
from course_lib.fruit.prompts import phrasings
from course_lib.fruit.words import HELD_OUT_PAIRS, TRAINING_PAIRS, VOCABULARY
from course_lib.judging.counts import Score, together
from course_lib.judging.exam import generate_many
from course_lib.judging.judge import score_pairs
from course_lib.model import Denoiser
from course_lib.noise import noise_levels
from course_lib.sample import ancestral_step, denoise_step, guided
from course_lib.train import Report, Run, random_levels

FULL = dict(pictures=20_480, drawings=512, per_pair=32, per_seen_pair=3, steps=25, seeds=3, timed=20)
QUICK = dict(pictures=128, drawings=64, per_pair=1, per_seen_pair=1, steps=2, seeds=2, timed=1)
BASE = "the recipe"
GUIDANCE = SHORT_RUNS["guidance_scale"]
PATIENCE = 10  # what makes a step more than so many times slower is not trained


class Choice(NamedTuple):
    """What is changed in a training run."""

    config: dict = {}  # of the denoiser
    options: dict = {}  # in place of those in SHORT_RUNS
    patches: dict = {}  # names in `course_lib.train`, and what they are while it trains
    prepare: Callable = lambda model: None  # changes the network before training
    run: Callable = Run
    levels: Callable = random_levels
    loss: Callable | None = None
    average: bool = True  # ask the average of the weights, not the last ones


# What is changed


def levels(changed: Callable[[Tensor], Tensor]) -> Callable:
    """Noise levels made of the n ~ N(0.5, 1) of `random_levels`, which is infinite at t = 1, in another way."""
    return lambda count, generator: changed(torch.logit(random_levels(count, generator)))


def one_by_one(count: int, generator: torch.Generator) -> Tensor:
    """The levels of `random_levels`, but each drawn by itself, not spread evenly over the batch."""
    return torch.cat([random_levels(1, generator) for _ in range(count)])


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


class Attentive(nn.Module):
    """A block, after which every place of the picture looks at every other."""

    def __init__(self, block: nn.Module, channels: int):
        super().__init__()
        self.block, self.look = block, Attention(channels, channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.block(x, condition)
        places = h.flatten(2).mT
        known = places.new_ones(places.shape[:2], dtype=torch.bool)
        return self.look(places, self.look.norm(places), known)[0].mT.reshape(h.shape)


def without_sketch(model: Denoiser) -> None:
    """What the words alone say is no longer added place by place."""
    model.sketch = Nothing(model.sketch.out_features)


def without_next_word(model: Denoiser) -> None:
    """Each word is understood by itself."""
    model.caption.next_word = Nothing(model.caption.next_word.out_features)


def with_attention(model: Denoiser) -> None:
    """Attention after the block in the middle."""
    model.unet.middle = Attentive(model.unet.middle, model.config["channels"][-1])


def channels_first(model: Denoiser) -> None:
    """Keep the channels of a picture apart in memory."""
    model.enter.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(),))


class AdamWRun(Run):
    """A run in which AdamW has all weights, the matrices too."""

    def __init__(self, model: nn.Module, *, learning_rate: float, seed: int):
        super().__init__(model, learning_rate=learning_rate, seed=seed)
        self.optimizers = [torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.95), fused=True)]


class CosineRun(Run):
    """A run whose learning rate falls along half a cosine."""

    steps: int  # of the whole run, as `begun` sets it

    def update(self, loss: Tensor, learning_rate: float) -> None:
        share = 0.5 * (1 + math.cos(math.pi * self.step / self.steps))
        super().update(loss, self.learning_rate * share)


class WarmRun(Run):
    """A run whose learning rate rises over the first tenth of its steps."""

    steps: int  # of the whole run, as `begun` sets it

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
    "captions: none dropped, so that guidance leads away from what it never learned": Choice(
        patches=dict(DROP_CAPTIONS=0.0)
    ),
    "captions: a fifth dropped, not a tenth": Choice(patches=dict(DROP_CAPTIONS=0.2)),
    "loss: no weight": Choice(loss=weighted(torch.ones_like)),
    "loss: weight 1 / max(t, 0.1)^2": Choice(loss=weighted(lambda t: t.clamp(min=0.1) ** -2)),
    "loss: weight of the error in eps, (1 - t)^2 / max(t, 0.1)^2": Choice(
        loss=weighted(lambda t: (1 - t) ** 2 * t.clamp(min=0.1) ** -2)
    ),
    "levels: N(0, 1), not N(0.5, 1)": Choice(levels=levels(lambda n: torch.sigmoid(n - 0.5))),
    "levels: N(1, 1)": Choice(levels=levels(lambda n: torch.sigmoid(n + 0.5))),
    "levels: N(0.5, 4)": Choice(levels=levels(lambda n: torch.sigmoid(2 * n - 0.5))),
    "levels: all alike": Choice(levels=levels(lambda n: torch.special.ndtr(n - 0.5))),
    "levels: each drawn by itself": Choice(levels=one_by_one),
    "levels: none at t = 1": Choice(patches=dict(PURE_NOISE=0.0)),
    "learning rate: 3e-3, not 6e-3": Choice(options=dict(learning_rate=3e-3)),
    "learning rate: 1.2e-2": Choice(options=dict(learning_rate=1.2e-2)),
    "schedule: falls over the last 60 %, not 30 %": Choice(patches=dict(FALL=0.6)),
    "schedule: falls all the way": Choice(patches=dict(FALL=1.0)),
    "schedule: half a cosine": Choice(run=CosineRun),
    "schedule: rises over the first tenth": Choice(run=WarmRun),
    "optimiser: AdamW for all, 6e-3": Choice(run=AdamWRun),
    "optimiser: AdamW for all, 2e-3": Choice(run=AdamWRun, options=dict(learning_rate=2e-3)),
    "average: of the last 3 %, not 10 %": Choice(patches=dict(EMA_SHARE=0.03)),
    "average: of the last 30 %": Choice(patches=dict(EMA_SHARE=0.3)),
    "average: none": Choice(average=False),
    "batch: 16, not 32": Choice(options=dict(batch_size=16)),
    "batch: 64": Choice(options=dict(batch_size=64)),
    "augmentation: no blur": Choice(options=dict(loss="denoising_loss")),
    "augmentation: half of the pictures mirrored": Choice(options=dict(flip=True)),
    "memory: channels first": Choice(prepare=channels_first),
    "bfloat16: convolutions and matrix products": Choice(loss=wrapped(in_bfloat16)),
    **({"compiled": Choice(loss=wrapped(cache(torch.compile)))} if shutil.which("g++") else {}),  # which it needs
}


def plain(generator: torch.Generator) -> Callable:
    """The step of the course."""
    return denoise_step


def ancestral(generator: torch.Generator) -> Callable:
    """The step that puts fresh noise back."""
    return partial(ancestral_step, generator=generator)


def look_back(generator: torch.Generator) -> Callable:
    """The step that counts on the guess to go on changing."""
    return second_order_step()


def closer_near_one(t: Tensor) -> Tensor:
    """Levels that lie closer together near t = 1."""
    return 1 - (1 - t) ** 1.5


def closer_near_zero(t: Tensor) -> Tensor:
    """Levels that lie closer together near t = 0."""
    return t**1.5


class Way(NamedTuple):
    """How a network is asked."""

    guidance: Callable[[float], float] = lambda t: GUIDANCE  # the scale at a noise level
    steps: int | None = None  # None: as many as for the others
    step: Callable = plain
    levels: Callable[[Tensor], Tensor] = lambda t: t  # of evenly spaced ones


WAYS = {  # the networks of the recipe, asked in another way; no level of theirs lies at 0.82 or at 0.3
    f"guidance: 1, not {GUIDANCE:g}": Way(lambda t: 1.0),
    "guidance: 2": Way(lambda t: 2.0),
    "guidance: 4": Way(lambda t: 4.0),
    f"guidance: 1 above t = 0.82, {GUIDANCE:g} below": Way(lambda t: 1.0 if t > 0.82 else GUIDANCE),
    f"guidance: {GUIDANCE:g} above t = 0.3, 1 below": Way(lambda t: GUIDANCE if t > 0.3 else 1.0),
    f"guidance: {GUIDANCE:g} from t = 0.3 to 0.82, else 1": Way(lambda t: GUIDANCE if 0.3 < t < 0.82 else 1.0),
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


def begun(choice: Choice, pictures: Pictures, count: int, seed: int) -> tuple[Run, Iterator[Report]]:
    """A training run with something changed, on so many pictures, and its steps, to be taken inside `changed`."""
    how = SHORT_RUNS | choice.options
    torch.manual_seed(seed)
    model = Denoiser(VOCABULARY, **choice.config)
    choice.prepare(model)
    run = choice.run(model, learning_rate=how["learning_rate"], seed=seed)
    run.steps = count // how["batch_size"]
    options = dict(batch_size=how["batch_size"], flip=how["flip"], levels=choice.levels)
    options |= dict(loss=choice.loss or LOSSES[how["loss"]])
    torch.manual_seed(seed)  # the blur draws from here: the same, however many numbers the network took
    return run, train_on(run, pictures.x0, pictures.tokens[:, : how["phrasings"]], steps=run.steps, **options)


def changed(choice: Choice) -> ExitStack:
    """For a `with`: the names in `course_lib.train` that a choice changes."""
    stack = ExitStack()
    for name, value in choice.patches.items():
        stack.enter_context(patch.object(training, name, value))
    return stack


def cost(choice: Choice, pictures: Pictures, turns: int) -> float:
    """How long a training picture takes, over one of the recipe's: medians of steps that are taken in turn."""
    times = []
    works = [(each, *begun(each, pictures, 10**9, 0)) for each in (choice, CHOICES[BASE])]
    for turn in range(turns + 2):  # two to warm up
        for each, run, steps in works:
            with changed(each):
                before = run.seconds
                next(steps)
            if turn > 1:
                times.append((run.seconds - before) / (SHORT_RUNS | each.options)["batch_size"])
    return statistics.median(times[::2]) / statistics.median(times[1::2])


def trained(choice: Choice, pictures: Pictures, count: int, seed: int) -> nn.Module:
    """Train with something changed, on so many pictures; the network to ask."""
    run, steps = begun(choice, pictures, count, seed)
    with changed(choice):
        for _ in show.progress(steps, leave=False):
            pass
    return run.ema if choice.average else run.model.eval()


class Found(NamedTuple):
    """What came of one seed."""

    held_out: Score
    seen: Score
    distance: float  # Fréchet distance over the floor
    pairs: dict[str, Score]  # the held-out ones by themselves


def asked(way: Way, model: Callable, jury: Jury, judge, drawings: Drawings, size: dict, seed: int) -> Found:
    """Have the panel count, and measure how far the pictures are from drawings."""

    def led(x_t, t, tokens):
        return guided(model, x_t, t, tokens, way.guidance(float(t[0])))

    generator, more = (torch.Generator().manual_seed(s) for s in (seed, seed + 1000))
    options = dict(steps=way.steps or size["steps"], guidance_scale=1.0, generator=generator, step=way.step(more))
    made = []
    groups = [[pair for pair in HELD_OUT_PAIRS for _ in range(size["per_pair"])]]
    groups += [[pair for pair in TRAINING_PAIRS for _ in range(size["per_seen_pair"])]]
    tokens = [encode([phrasings(*pair)[1] for pair in pairs], VOCABULARY) for pairs in groups]
    with patch.object(sampling, "noise_levels", lambda steps: way.levels(noise_levels(steps))):
        for some in (*tokens, drawings.tokens):
            made.append(generate_many(led, some, partial(bar, desc="asking"), **options))
    each = [score_pairs(jury.panel, x, pairs) for x, pairs in zip(made, groups, strict=False)]
    return Found(*(together(pairs.values()) for pairs in each), over_floor(judge, made[-1], drawings), each[0])


def record(results: Results, name: str, found: Sequence[Found], about: dict) -> None:
    """Three objects for a choice: medians over the seeds, and each of them."""
    for what, counts in (("held out right", [f.held_out for f in found]), ("seen right", [f.seen for f in found])):
        of, right = counts[0].of, [count.right for count in counts]
        value = statistics.median(right) / of
        more = worst_pair([f.pairs for f in found]) if what == "held out right" else {}
        results.record(f"{what}, {name}", value, "share", of=of, right_for_each_seed=right, **more, **about)
    each = [round(f.distance, 3) for f in found]
    what = f"Fréchet distance over the floor, {name}"
    results.record(what, statistics.median(each), "ratio", for_each_seed=each, **about)


def names_of(rows: list[dict]) -> list[str]:
    """The choices that were measured, in the order of this file."""
    there = {row["settings"]["choice"] for row in rows}
    return [name for name in dict.fromkeys((BASE, *WAYS, *CHOICES)) if name in there]


def table(rows: list[dict]) -> str:
    """The recorded values as a page of Markdown, a line for each choice."""
    found, about = {row["name"]: row for row in rows}, rows[0]["settings"]
    told = {group: "{} of {}".format(*count) for group, count in about["panel_on_fresh_drawings"].items()}
    recipe = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in about["recipe"].items())
    lines = [
        *heading("The choices of the recipe", rows),
        f"{about['pictures']:,} training pictures, seeds {', '.join(map(str, about['seeds']))} in this order.",
        f"The recipe: {recipe}.",
        f"The Fréchet distance is that of {about['drawings']} pictures, over its floor. The cost is that of a training",
        "picture, over the recipe's, timed in turn. Right is what all judges of the panel agree on, as they do on",
        f"{told['held_out']} fresh drawings of held-out pairs and {told['seen']} of seen ones.",
        "",
        "| changed | held out right | worst | seen right | Fréchet distance | cost |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in names_of(rows):
        cells = [name]
        for what in ("held out right", "seen right"):
            settings = found[f"{what}, {name}"]["settings"]
            cells.append(", ".join(f"{100 * n / settings['of']:.0f} %" for n in settings["right_for_each_seed"]))
            cells += [settings["worst_pair"]] if "worst_pair" in settings else []
        each = found[f"Fréchet distance over the floor, {name}"]["settings"]["for_each_seed"]
        cells.append(", ".join(f"{value:.1f}" for value in each))
        took = found.get(f"time of a training picture, {name}")
        lines.append("| " + " | ".join([*cells, f"{took['value']:.2f}" if took else "–"]) + " |")
    return "\n".join(lines) + "\n"


def draw(rows: list[dict]) -> Figure:
    """Each choice a line: its seeds as dots, held out on the left, the Fréchet distance on the right."""
    names, found = names_of(rows), {row["name"]: row["settings"] for row in rows}
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
    axes[0].set_yticks(range(len(names)), [textwrap.fill(name, 60) for name in names])
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    axes[0].set_xlabel("kind and colour right,\npairs never seen, %", fontsize=show.FONT)
    axes[1].set_xlabel("Fréchet distance\n(real drawings: 1)", fontsize=show.FONT)
    for ax in axes:
        ax.tick_params(labelsize=show.FONT)
        ax.grid(alpha=0.3)
    plt.close(figure)
    return figure


def main() -> None:
    args = arguments(__doc__, "choices")
    size, results = QUICK if args.quick else FULL, Results(args.seed)
    seeds = range(args.seed, args.seed + size["seeds"])
    about = dict(seeds=list(seeds), recipe=SHORT_RUNS) | {key: size[key] for key in ("pictures", "drawings")}
    jury = shipped_jury()
    about |= dict(panel_on_fresh_drawings={group: list(jury.fresh[group]) for group in ("held_out", "seen")})
    path = args.out / "choices.json"
    if path.exists():
        rows = json.loads(path.read_text(encoding="utf-8"))
        measured = {key: rows[0]["settings"].get(key) for key in about} | {"versions": rows[0]["versions"]}
        if measured != about | {"versions": results.about["versions"]}:
            sys.exit(
                f"{path} was measured with {measured}. Delete it to measure everything anew, or give another --out."
            )
        results.rows = [row for row in rows if row["settings"]["choice"] in (*CHOICES, *WAYS)]
    done = {row["settings"]["choice"] for row in results.rows}
    pictures, judge = training_pictures(bar=bar), weights.load_judge()
    drawings = fresh_drawings(judge, size["drawings"], args.seed)

    for name, choice in CHOICES.items():
        ways = {name: Way()} | (WAYS if name == BASE else {})
        if done >= ways.keys():
            continue
        ratio = cost(choice, pictures, size["timed"])
        if ratio > PATIENCE:
            print(f"{name}: {ratio:.0f} times slower, and left out", file=sys.stderr)
            continue
        models = [trained(choice, pictures, size["pictures"], seed) for seed in seeds]
        for way in (way for way in ways if way not in done):
            both = zip(seeds, models, strict=True)
            found = [asked(ways[way], model, jury, judge, drawings, size, s) for s, model in both]
            record(results, way, found, about | dict(choice=way, steps=ways[way].steps or size["steps"]))
            if way == name:
                more = about | dict(choice=name, turns=size["timed"])
                results.record(f"time of a training picture, {name}", ratio, "ratio", **more)
            results.write(path)
    results.publish(args.out, "choices", table(results.rows), draw(results.rows))


if __name__ == "__main__":
    main()
