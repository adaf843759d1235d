"""How fast and how good, measured in one run beside a widely taught network: `make bench`, under 20 minutes.

Every figure is taken on this machine, in this run. Timings are medians, and so are the accuracies of short runs; each
rate stands beside the matrix-multiply peak measured just before and after it, since machines slow down and speed up.
Results go to data/benchmarks/, those of `--quick` to runs/.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from diffusers import UNet2DModel
from drawings import distance_over_floor, fresh_drawings
from jury import shipped_jury, worst_pair
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from results import Results, arguments, bar, heading
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from training import train_on

from course_lib import weights
from course_lib.beyond.quick import in_precision
from course_lib.captions import encode
from course_lib.classroom import show
from course_lib.fruit.pictures import training_pictures
from course_lib.fruit.words import VOCABULARY
from course_lib.judging.fruit_exam import ask_for_pairs, count_right
from course_lib.model import Denoiser
from course_lib.noise import add_noise
from course_lib.sample import generate, guided
from course_lib.train import Run, denoising_loss

BATCH = 64
# The best of what was tried for runs of a minute, see data/benchmarks/recipe.md.
SHORT_RUNS = dict(learning_rate=6e-3, batch_size=32, flip=False, phrasings=6, loss="blurred_loss", guidance_scale=3.0)
SHIPPED_GUIDANCE = 2.0  # nearer to drawings than 3, and no less right
SHIPPED_INTERVAL = (0.4, 1.0)  # the noise levels that it is used at
BLURS = (2, 4, 8)  # sides of the squares of pixels that become one in `blurred_loss`

# hurry: what is timed is repeated so many times less, in so many times fewer steps
FULL = dict(budgets=(30, 60, 180), seeds=3, per_pair=32, per_seen_pair=8, steps=50, drawings=512, hurry=1)
QUICK = dict(budgets=(1, 2), seeds=2, per_pair=1, per_seen_pair=1, steps=2, drawings=64, hurry=50)


def seconds(work, repeats: int) -> list[float]:
    """Time a piece of work several times, after one run to warm up."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return times


def matrix_multiply_peak(n: int = 2048, dtype: torch.dtype = torch.float32) -> float:
    """The best product of two n x n matrices that this machine does right now, in FLOP/s."""
    a, b = torch.randn(2, n, n, dtype=dtype)
    return 2 * n**3 / min(seconds(lambda: a @ b, 8))


def flops(work) -> int:
    """Floating-point operations of a piece of work, by PyTorch's counter (convolutions and matrix products)."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def timed_between_peaks(work, repeats: int, *peaks) -> tuple[float, list[float]]:
    """Median seconds of a piece of work, and peaks in FLOP/s: of each the better of just before and just after."""
    before = [peak() for peak in peaks]
    took = statistics.median(seconds(work, repeats))
    return took, [max(best, peak()) for best, peak in zip(before, peaks, strict=True)]


def course_unet() -> UNet2DModel:
    """The U-Net of the best-known course's first unit: 64/128/128/256 channels, attention on two levels."""
    return UNet2DModel(
        sample_size=32,
        in_channels=3,
        out_channels=3,
        layers_per_block=2,
        block_out_channels=(64, 128, 128, 256),
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
    )


def training_speed(results: Results, name: str, step, loss, repeats: int, **about) -> float:
    """Pictures a second and FLOP/s of a training step on a batch of 64, against the peak of the same moment.

    Only the network's own operations are counted, forward and backward; the optimiser's time counts, its work not.
    """
    took, (peak,) = timed_between_peaks(step, repeats, matrix_multiply_peak)
    work = flops(lambda: loss().backward())
    about |= dict(batch=BATCH, repeats=repeats, seconds=took)
    for what, value, unit in (
        ("pictures per second", BATCH / took, "1/s"),
        ("GFLOP per picture", work / BATCH / 1e9, "GFLOP"),
        ("GFLOP/s", work / took / 1e9, "GFLOP/s"),
        ("matrix-multiply peak", peak / 1e9, "GFLOP/s"),
        ("share of peak", work / took / peak, "ratio"),
    ):
        results.record(f"training, {name}: {what}", value, unit, **about)
    return BATCH / took


in_bfloat16 = partial(in_precision, precision="bfloat16")  # convolutions and matrix products


def our_training(model, pictures, batch_size: int = BATCH, around: Callable = lambda network: network):
    """A training step of ours, as `train` does it, and the loss alone; `around(model)` is called in its place."""

    def loss(model, *inputs):
        return denoising_loss(around(model), *inputs)

    forever = train_on(Run(model), pictures.x0, pictures.tokens, steps=10**9, batch_size=batch_size, loss=loss)
    x0, tokens = pictures.x0[:batch_size], pictures.tokens[:batch_size, 0]
    return lambda: next(forever), lambda: loss(model, x0, torch.rand(len(x0)), torch.randn_like(x0), tokens)


def their_training(model, pictures):
    """A training step of the course's recipe (predict eps, mean squared error, AdamW at 4e-4), and its loss alone."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-4)
    x0 = pictures.x0[:BATCH]

    def loss():
        eps, t = torch.randn_like(x0), torch.rand(BATCH)
        return F.mse_loss(model(add_noise(x0, t, eps), (999 * t).long()).sample, eps)

    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step, loss


def training_memory(steps: int) -> float:
    """Peak memory in MiB of a process of its own that opens the pictures and trains for so many steps."""
    code = (
        "import pathlib, resource; from course_lib.model import Denoiser;"
        "from course_lib.fruit.pictures import training_pictures;"
        "from course_lib.fruit.words import VOCABULARY;"
        "from course_lib.train import Run, random_batches, train; p = training_pictures();"
        "run = Run(Denoiser(VOCABULARY, patch=2, channels=(64, 128, 192)));"
        f"[None for _ in train(run, random_batches(p.x0, p.tokens, run.generator), steps={steps})];"
        "status = pathlib.Path('/proc/self/status');"
        # Linux credits a child's ru_maxrss with what its parent held, but not its VmHWM
        "print(status.read_text().split('VmHWM:')[1].split()[0] if status.exists() else"
        " resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peak = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, Linux KiB


def blurred_loss(model, x0: Tensor, t: Tensor, eps: Tensor, tokens: Tensor) -> Tensor:
    """`denoising_loss`, but half of the noisy pictures are made of a blurred picture; the answer stays the sharp one.

    Where the peel can be seen, a network need not ask the words what the fruit is; where it is blurred, it must.

    Source: blur augmentation, Ho et al. 2021, Cascaded Diffusion Models (arXiv:2106.15282), section 4.
    """
    blur = torch.randint(len(BLURS), (len(x0), 1, 1, 1)).where(torch.rand(len(x0), 1, 1, 1) < 0.5, -1)
    shown = x0
    for i, side in enumerate(BLURS):
        coarse = F.interpolate(F.avg_pool2d(x0, side), scale_factor=side, mode="bilinear")
        shown = torch.where(blur == i, coarse, shown)
    return denoising_loss(lambda x_t, t, tokens: model(add_noise(shown, t, eps), t, tokens), x0, t, eps, tokens)


LOSSES = {loss.__name__: loss for loss in (denoising_loss, blurred_loss)}


def short_run(pictures, tokens, seed: int, config: dict | None = None, **length) -> Denoiser:
    """Train from random weights with the settings of `SHORT_RUNS`, for so many steps or seconds; the average of it."""
    torch.manual_seed(seed)
    run = Run(
        Denoiser(**dict(vocabulary=VOCABULARY) | (config or {})), learning_rate=SHORT_RUNS["learning_rate"], seed=seed
    )
    how = {name: SHORT_RUNS[name] for name in ("batch_size", "flip")} | length | dict(loss=LOSSES[SHORT_RUNS["loss"]])
    for _ in show.progress(train_on(run, pictures.x0, tokens, **how), leave=False):
        pass
    return run.ema


def speed(results: Results, pictures, shipped, size: dict) -> None:
    """Training and sampling, ours beside the course's U-Net, and what a learner waits for."""
    ours, theirs = dict(optimiser="Muon, AdamW", target="x0"), dict(optimiser="AdamW", target="eps")
    rates = {}
    for name, training, repeats, about in (
        ("ours", our_training(Denoiser(VOCABULARY), pictures), 60, ours | dict(network=Denoiser(VOCABULARY).config)),
        (
            "ours, shipped size",
            our_training(Denoiser(**shipped.config), pictures),
            20,
            ours | dict(network=shipped.config),
        ),
        ("diffusers UNet2DModel", their_training(course_unet(), pictures), 4, theirs | dict(network="course_unet")),
    ):
        rates[name] = training_speed(results, name, *training, max(1, repeats // size["hurry"]), **about)
    ratio = rates["ours"] / rates["diffusers UNet2DModel"]
    results.record("training, ours over diffusers UNet2DModel", ratio, "ratio", batch=BATCH)

    tokens = encode(["a green banana"] * 64, VOCABULARY)
    g = torch.Generator().manual_seed(results.about["seed"])
    unet = course_unet().eval()
    x, t = torch.randn(64, 3, 32, 32), torch.ones(64)
    about = dict(guidance_scale=2.0, steps=50)
    with torch.no_grad():
        # guided sampling asks for each picture twice a step; a few steps are timed and scaled up to 50
        unet_took = 50 * statistics.median(
            seconds(lambda: guided(lambda x, t, _: unet(x, (999 * t).long()).sample, x, t, tokens, 2.0), 2)
        )
    for name, model in (("ours", Denoiser(VOCABULARY).eval()), ("ours, shipped size", shipped)):
        took = statistics.median(
            seconds(lambda m=model: generate(m, tokens, generator=g, steps=50 // size["hurry"]), 3)
        )
        what = "64 pictures x 50 guided steps"
        results.record(f"{what}, {name}", took, "s", repeats=3, network=model.config, **about)
        results.record(f"{what}, diffusers UNet2DModel over {name}", unet_took / took, "ratio", **about)
    results.record(f"{what}, diffusers UNet2DModel", unet_took, "s", note="2 steps timed, scaled to 50", **about)
    one = statistics.median(seconds(lambda: generate(shipped, tokens[:1], generator=g, steps=100 // size["hurry"]), 5))
    about = dict(repeats=5, guidance_scale=2.0, steps=100, network=shipped.config)
    results.record("1 picture x 100 guided steps, ours, shipped size", one, "s", **about)
    steps = max(1, 30 // size["hurry"])
    about = dict(network=shipped.config, batch=64, steps=steps, note="a process of its own, with all training pictures")
    results.record("peak memory of training, ours, shipped size", training_memory(steps), "MiB", **about)


def accuracy(results: Results, pictures, shipped, size: dict) -> None:
    """Networks trained from random weights for so many seconds, and the shipped one: what does the panel count?

    Beside each count stand what one judge alone counts, who is lenient, and the Fréchet distance on its features.
    """
    jury, judge = shipped_jury(), weights.load_judge()
    drawings = fresh_drawings(judge, size["drawings"], results.about["seed"])
    tokens = pictures.tokens[:, : SHORT_RUNS["phrasings"]]  # the first six name both the kind and the colour
    asked = dict(per_pair=size["per_pair"], per_seen_pair=size["per_seen_pair"])
    steps = size["steps"]

    def asked_for(model, name: str, seed: int, **guidance) -> dict:
        sampling = dict(steps=steps, **guidance)
        made = ask_for_pairs(model, seed=seed, bar=partial(bar, desc=f"{name}: judging"), **asked, **sampling)
        noise = torch.Generator().manual_seed(seed)
        far = distance_over_floor(model, judge, drawings, name, generator=noise, **sampling)
        return dict(panel=count_right(jury.panel, made), alone=count_right(judge, made), distance=far)

    def record(found: list[dict], name: str, **about) -> None:
        about |= asked | dict(steps=steps)
        for group in ("held_out", "seen", "green banana"):
            counts = [one["panel"][group] for one in found]
            middle = sorted(counts, key=lambda score: score.right)[len(found) // 2]
            more = middle.as_dict() | about | dict(right_for_each_seed=[score.right for score in counts])
            more |= dict(by_one_judge_alone=[one["alone"][group].right for one in found]) | jury.beside(group)
            more |= worst_pair([one["panel"] for one in found]) if group == "held_out" else {}
            results.record(f"{group} right, {name}", middle.right / middle.of, "share", **more)
        each = [scores["distance"] for scores in found]
        more = about | dict(pictures=size["drawings"], for_each_seed=each)
        results.record(f"Fréchet distance over the floor, {name}", statistics.median(each), "ratio", **more)

    seeds = [results.about["seed"] + i for i in range(size["seeds"])]
    for budget in size["budgets"]:
        found, name = [], f"{budget:g} s of training"
        for seed in seeds:
            ema = short_run(pictures, tokens, seed, seconds=budget)
            found.append(asked_for(ema, name, seed, guidance_scale=SHORT_RUNS["guidance_scale"]))
        record(found, name, seeds=seeds, seconds=budget, **SHORT_RUNS)
    guidance = dict(guidance_scale=SHIPPED_GUIDANCE, guidance_interval=SHIPPED_INTERVAL)
    found = [asked_for(shipped, "shipped weights", seeds[0], **guidance)]
    record(found, "shipped weights", network=shipped.config, **guidance)


def table(rows: list[dict]) -> str:
    """The recorded values as a page of Markdown."""
    lines = [
        *heading("How fast and how good", rows),
        "| what | value | each seed, or settings |",
        "| --- | ---: | --- |",
    ]
    for row in rows:
        about = dict(row["settings"])
        value, said = f"{row['value']:.4g} {row['unit']}", []
        if row["unit"] == "share":
            value = f"{100 * row['value']:.1f} %"
            said = [in_words(about["right_for_each_seed"], about["of"])]
            if "worst_pair" in about:
                said.append(f"worst: {about['worst_pair']}")
        elif "for_each_seed" in about:
            said = [", ".join(f"{ratio:.1f}" for ratio in about["for_each_seed"])]
        else:
            said = [f"{k.replace('_', ' ')} {v}" for k, v in about.items() if isinstance(v, int | str)]
        lines.append(f"| {row['name'].replace('_', ' ')} | {value} | {', '.join(said) or '–'} |")
    lines += ["", "Right is what all judges of the panel agree on. One judge alone is more lenient:", ""]
    lines += ["| what | the panel | one judge alone | the panel, fresh drawings |", "| --- | --- | --- | --- |"]
    for row in (row for row in rows if "by_one_judge_alone" in row["settings"]):
        about = row["settings"]
        both = (in_words(about[name], about["of"]) for name in ("right_for_each_seed", "by_one_judge_alone"))
        lines.append(f"| {' | '.join([row['name'].replace('_', ' '), *both, about['panel_on_fresh_drawings']])} |")
    return "\n".join(lines) + "\n"


def in_words(each: list[int], of: int) -> str:
    """Counts of several seeds: "30 of 32, 31 of 32"."""
    return ", ".join(f"{right} of {of}" for right in each)


def draw(rows: list[dict]) -> Figure:
    """The share of right pictures, and the Fréchet distance, against seconds of training: medians, and each seed."""
    figure, axes = plt.subplots(1, 2, figsize=(14, 6), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.2)
    for ax, what, scale, label, look in (
        (axes[0], "held_out right", 100, "pairs never seen in training", 0),
        (axes[0], "seen right", 100, "pairs seen in training", 1),
        (axes[1], "Fréchet distance over the floor", 1, None, 0),
    ):
        colour, line, marker = show.STYLES[look]
        runs = [r for r in rows if r["name"].startswith(what) and "seconds" in r["settings"]]
        trained = [r["settings"]["seconds"] for r in runs]
        ax.plot(
            trained, [scale * r["value"] for r in runs], line, color=colour, lw=3, marker=marker, ms=12, label=label
        )
        for at, about in zip(trained, (r["settings"] for r in runs), strict=True):
            each = [scale * right / about["of"] for right in about.get("right_for_each_seed", ())]
            each = each or about["for_each_seed"]
            ax.plot([at] * len(each), each, marker, color=colour, alpha=0.4, ms=9)
    for ax, ylabel in zip(axes, ("kind and colour right, %", "Fréchet distance (real drawings: 1)"), strict=True):
        ax.set_xscale("log")
        ax.set_xticks(trained, [f"{at:g}" for at in trained])
        ax.minorticks_off()
        ax.set_xlabel("seconds of training from random weights", fontsize=show.FONT)
        ax.set_ylabel(ylabel, fontsize=show.FONT)
        ax.tick_params(labelsize=show.FONT)
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.3)
    axes[0].set_ylim(top=101)
    axes[1].set_ylim(0, 1.15 * axes[1].get_ylim()[1])
    figure.legend(loc="outside upper center", ncols=2, fontsize=show.FONT, frameon=False)
    plt.close(figure)
    return figure


def main() -> None:
    began, args = time.perf_counter(), arguments(__doc__, "bench")
    torch.manual_seed(args.seed)
    size, results = QUICK if args.quick else FULL, Results(args.seed)
    pictures, shipped = training_pictures(bar=bar), weights.load_denoiser()
    speed(results, pictures, shipped, size)
    accuracy(results, pictures, shipped, size)
    results.record("the whole benchmark", (time.perf_counter() - began) / 60, "minutes", budgets=size["budgets"])
    results.publish(args.out, "results", table(results.rows), draw(results.rows))


if __name__ == "__main__":
    main()
