"""How fast and how good, measured in one run beside a widely taught network: `make bench`, under 20 minutes.

Every figure is taken on this machine, in this run. Timings are medians, and so are the accuracies of short runs; each
rate stands beside the matrix-multiply peak measured just before and after it, since machines slow down and speed up.
Results go to data/benchmarks/.
"""

import argparse
import statistics
import subprocess
import sys
import time
from functools import partial

import torch
import torch.nn.functional as F
from diffusers import UNet2DModel
from matplotlib import pyplot as plt
from results import Results
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from course_lib import show, weights
from course_lib.captions import encode
from course_lib.data import training_pictures
from course_lib.files import DATA
from course_lib.judge import Score, evaluate
from course_lib.model import Denoiser
from course_lib.noise import add_noise
from course_lib.sample import generate, guided
from course_lib.train import Run, denoising_loss, train

OUT = DATA / "benchmarks"
BATCH = 64
# The best of what was tried for runs of a minute, see data/benchmarks/recipe.md.
SHORT_RUNS = dict(learning_rate=6e-3, batch_size=32, flip=False, phrasings=6, loss="blurred_loss", guidance_scale=3.0)
BLURS = (2, 4, 8)  # sides of the squares of pixels that become one in `blurred_loss`
SEEDS_UP_TO = 60  # seconds: runs no longer than this are made with three seeds
bar = partial(tqdm, file=sys.stderr, leave=False)


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


def training_speed(step, loss, repeats: int) -> dict:
    """Pictures a second and FLOP/s of a training step on a batch of 64, against the peak of the same moment.

    Only the network's own operations are counted, forward and backward; the optimiser's time counts, its work not.
    """
    took, (peak,) = timed_between_peaks(step, repeats, matrix_multiply_peak)
    work = flops(lambda: loss().backward())
    return {
        "pictures per second": BATCH / took,
        "GFLOP per picture": work / BATCH / 1e9,
        "GFLOP/s": work / took / 1e9,
        "matrix-multiply peak GFLOP/s": peak / 1e9,
        "share of peak": work / took / peak,
    }


def our_training(model, pictures, batch_size: int = BATCH):
    """A training step of ours, as `train` does it, and the loss alone."""
    forever = train(Run(model), pictures.x0, pictures.tokens, steps=10**9, batch_size=batch_size)
    x0, tokens = pictures.x0[:batch_size], pictures.tokens[:batch_size, 0]
    return lambda: next(forever), lambda: denoising_loss(model, x0, torch.rand(len(x0)), torch.randn_like(x0), tokens)


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


def training_memory() -> float:
    """Peak memory in MiB of a process of its own that opens the pictures and trains for 30 steps."""
    code = (
        "import pathlib, resource; from course_lib.model import Denoiser;"
        "from course_lib.data import training_pictures;"
        "from course_lib.train import Run, train; p = training_pictures();"
        "[None for _ in train(Run(Denoiser(patch=2, channels=(48, 96, 128))), p.x0, p.tokens, steps=30)];"
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
    run = Run(Denoiser(**config or {}), learning_rate=SHORT_RUNS["learning_rate"], seed=seed)
    how = {name: SHORT_RUNS[name] for name in ("batch_size", "flip")} | length | dict(loss=LOSSES[SHORT_RUNS["loss"]])
    for _ in show.progress(train(run, pictures.x0, tokens, **how), leave=False):
        pass
    return run.ema


def accuracy_after(budget: float, pictures, judge, seed: int) -> dict[str, Score]:
    """Train from random weights for so many seconds, and have the judge count."""
    tokens = pictures.tokens[:, : SHORT_RUNS["phrasings"]]  # the first six name both the kind and the colour
    model = short_run(pictures, tokens, seed, seconds=budget)
    return evaluate(model, judge, guidance_scale=SHORT_RUNS["guidance_scale"], bar=partial(bar, desc="judging"))


def draw_accuracy(results: list[dict]) -> None:
    """The share of right pictures against seconds of training, medians with intervals, from the recorded results."""
    figure, ax = plt.subplots(figsize=(9, 5), layout="tight")
    for name, label, colour, marker in (
        ("held_out", "pairs never seen in training", show.BLUE, "o"),
        ("seen", "pairs seen in training", show.ORANGE, "s"),
    ):
        runs = [r for r in results if r["name"].startswith(f"{name} right") and r["name"].endswith("s of training")]
        seconds_trained = [float(r["name"].split()[2]) for r in runs]
        share = [100 * r["value"] for r in runs]
        ends = zip(*(r["settings"]["interval"] for r in runs), strict=True)
        bars = [[abs(100 * e - p) for e, p in zip(end, share, strict=True)] for end in ends]
        ax.errorbar(seconds_trained, share, bars, color=colour, marker=marker, capsize=4, label=label)
    ax.set_xlabel("seconds of training from random weights", fontsize=show.FONT)
    ax.set_ylabel("kind and colour right, %", fontsize=show.FONT)
    ax.set_ylim(0, 102)
    ax.tick_params(labelsize=show.FONT)
    ax.legend(fontsize=show.FONT, loc="lower right")
    show.save_figure(figure, OUT / "accuracy.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budgets", type=float, nargs="+", default=[30, 60, 180], help="seconds of training")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    results = Results(args.seed)
    record = results.record

    pictures, judge, shipped = training_pictures(bar=bar), weights.load_judge(), weights.load_denoiser()

    rates = {}
    for name, training, repeats in (
        ("ours", our_training(Denoiser(), pictures), 60),
        ("ours, shipped size", our_training(Denoiser(**shipped.config), pictures), 20),
        ("diffusers UNet2DModel", their_training(course_unet(), pictures), 4),
    ):
        rates[name] = training_speed(*training, repeats)
        for what, value in rates[name].items():
            record(
                f"training, {name}: {what}",
                value,
                what if "FLOP" in what else "ratio" if "share" in what else "1/s",
            )
    ratio = rates["ours"]["pictures per second"] / rates["diffusers UNet2DModel"]["pictures per second"]
    record("training, ours over diffusers UNet2DModel", ratio, "ratio")

    tokens = encode(["a green banana"] * 64)
    g = torch.Generator().manual_seed(args.seed)
    unet = course_unet().eval()
    x, t = torch.randn(64, 3, 32, 32), torch.ones(64)
    with torch.no_grad():
        # guided sampling asks for each picture twice a step; a few steps are timed and scaled up to 50
        theirs = 50 * statistics.median(
            seconds(lambda: guided(lambda x, t, _: unet(x, (999 * t).long()).sample, x, t, tokens, 2.0), 2)
        )
    fast = Denoiser().eval()
    for name, model in (("ours", fast), ("ours, shipped size", shipped)):
        took = statistics.median(seconds(lambda m=model: generate(m, tokens, generator=g, steps=50), 3))
        record(f"64 pictures x 50 guided steps, {name}", took, "s")
        record(f"64 pictures x 50 guided steps, diffusers UNet2DModel over {name}", theirs / took, "ratio")
    record(
        "64 pictures x 50 guided steps, diffusers UNet2DModel",
        theirs,
        "s",
        note="2 steps timed, scaled to 50",
    )
    one = statistics.median(seconds(lambda: generate(shipped, tokens[:1], generator=g, steps=100), 5))
    record("1 picture x 100 guided steps, ours, shipped size", one, "s")
    record("peak memory of training, ours, shipped size", training_memory(), "MiB")

    for budget in args.budgets:
        seeds = [args.seed + i for i in range(3 if budget <= SEEDS_UP_TO else 1)]
        found = [accuracy_after(budget, pictures, judge, seed) for seed in seeds]
        for name in found[0]:
            middle = sorted(found, key=lambda scores, name=name: scores[name].right)[len(found) // 2][name]
            each = [scores[name].right for scores in found]
            settings = middle.as_dict() | dict(seeds=seeds, right_for_each_seed=each) | SHORT_RUNS
            record(f"{name} right, {budget:.0f} s of training", middle.right / middle.of, "share", **settings)
    for name, score in evaluate(shipped, judge, guidance_scale=3.0, bar=partial(bar, desc="judging")).items():
        record(f"{name} right, shipped weights", score.right / score.of, "share", **score.as_dict(), guidance_scale=3.0)

    results.write(OUT / "results.json")
    draw_accuracy(results.rows)
    print(f"{OUT / 'results.json'} and {OUT / 'accuracy.png'}")


if __name__ == "__main__":
    main()
