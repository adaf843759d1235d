"""What keeps the claim honest, "a green banana, though no training picture showed one": `make bench-controls`.

Is the training set clean, and the panel right? Is it the words, and their parts, or would the network do without? Is a
picture a copy, and are all together like real ones? Each function is one control, measured in this run, its counts with
their intervals; over an hour. Results go to data/benchmarks/, those of `--quick` to runs/.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from functools import partial

import torch
from bench import SHIPPED_GUIDANCE, SHIPPED_INTERVAL, SHORT_RUNS, short_run
from drawings import FRESH_SEED, Drawings, distance_over_floor, features, fresh_drawings, over_floor
from jury import Jury, shipped_jury, worst_pair
from results import Results, arguments, bar, heading
from torch import Tensor

from course_lib import weights
from course_lib.captions import NO_WORD, decode, encode
from course_lib.classroom import show
from course_lib.fruit.pictures import Pictures, draw_many, random_fruits, training_pictures
from course_lib.fruit.prompts import phrasings, understand
from course_lib.fruit.words import ALL_PAIRS, HELD_OUT_PAIRS, TRAINING_PAIRS, VOCABULARY
from course_lib.judging.counts import Score, as_dicts, together
from course_lib.judging.exam import generate_many
from course_lib.judging.fruit_exam import evaluate
from course_lib.judging.judge import score_drawings, score_pairs
from course_lib.judging.measure import nearest
from course_lib.judging.panel import panel_on_drawings
from course_lib.noise import add_noise
from course_lib.sample import denoise_step, guided
from course_lib.tools.files import DATA

LABELS = (NO_WORD, *(colour + kind for kind, colour in ALL_PAIRS))  # "greenbanana": a made-up word for each pair

# How much of everything; per_pair and per_seen_pair are for each seed of sampling.
FULL = dict(pictures=None, drawings=2000, fresh=224, seeds=8, per_pair=16, per_seen_pair=1)
FULL |= dict(control_per_pair=32, control_per_seen_pair=4, steps=50, training_steps=1000, training_seeds=3)
FULL |= dict(likeness=2048, small_likeness=512, bananas=128)
FULL |= dict(times=4)  # as many training pictures as usual: those that the shipped network learned from
QUICK = dict(pictures=560, drawings=64, fresh=56, seeds=2, per_pair=1, per_seen_pair=1)
QUICK |= dict(control_per_pair=1, control_per_seen_pair=1, steps=2, training_steps=3, training_seeds=2)
QUICK |= dict(likeness=64, small_likeness=64, bananas=8, times=1)
NOISED_TO = (0.1, 0.3, 0.5, 0.7, 0.85, 0.95)  # levels that drawings are brought to, and back from


def words(pair: tuple[str, str]) -> str:
    """("banana", "green") as one says it."""
    return f"{pair[1]} {pair[0]}"


def training_set(results: Results, pictures: Pictures, panel, judge, fresh: int, seed: int) -> None:
    """Control 1: is a held-out pair among the training pictures, by their record, their captions, to those who judge?

    And by their likeness to fresh drawings: had a held-out pair slipped in, its nearest would be as near as others'.
    """
    recorded = [(f.kind, f.colour) for f in pictures.fruits]
    count = sum(pair in HELD_OUT_PAIRS for pair in recorded)
    results.record("training pictures recorded as a held-out pair", count, "pictures", of=len(recorded))
    said = [understand(caption) for caption in decode(pictures.tokens.flatten(0, 1).unique(dim=0), VOCABULARY)]
    count = sum((asked["kind"], asked["colour"]) in HELD_OUT_PAIRS for asked in said)
    results.record("training captions that name a held-out pair", count, "captions", of=len(said))

    for who, looks in (("panel", panel), ("judge", judge)):
        named = [pair for part in bar(pictures.x0.split(512), desc="judging") for pair in looks.name(part)]
        doubtful = [
            dict(place=i, recorded=words(is_), named=words(seems))
            for i, (is_, seems) in enumerate(zip(recorded, named, strict=True))
            if seems in HELD_OUT_PAIRS
        ]
        about = dict(of=len(named), interval=Score(len(doubtful), len(named)).as_dict()["interval"], doubtful=doubtful)
        results.record(f"training pictures the {who} names as a held-out pair", len(doubtful), "pictures", **about)

    for name, pairs in (("held-out", HELD_OUT_PAIRS), ("training", TRAINING_PAIRS)):
        fruits = random_fruits(pairs, -(-fresh // len(pairs)), FRESH_SEED + seed)
        drawn = [(f.kind, f.colour) for f in fruits]
        distance, index = (found[:, 0].tolist() for found in nearest(draw_many(fruits), pictures.x0))
        each = {words(p): statistics.median(d for d, q in zip(distance, drawn, strict=True) if q == p) for p in pairs}
        same = sum(recorded[i] == pair for i, pair in zip(index, drawn, strict=True))
        about = dict(drawings=len(fruits), nearest_is_of_the_same_pair=same, median_for_each_pair=each)
        name = f"nearest training picture, fresh {name} drawings, median"
        results.record(name, statistics.median(distance), "rms difference", **about)


def own_error(results: Results, panel, judge, count: int, seed: int) -> None:
    """Control 2: how often is the panel, which is wrong where any of its judges is, wrong about fresh drawings?

    Pair by pair; and each of its judges, and the judge who counted alone.
    """
    drawing = partial(bar, desc="drawing")
    fruits = random_fruits(HELD_OUT_PAIRS, -(-count // len(HELD_OUT_PAIRS)), FRESH_SEED + 1000 + seed)
    pairs, drawn = [(f.kind, f.colour) for f in fruits], draw_many(fruits, bar=drawing)
    found = panel_on_drawings(panel, count, bar=drawing)
    each = {name: found.pop(name) for name in [*found] if name == "all" or name not in map(words, ALL_PAIRS)}
    held_out = {who: score_pairs(looks, drawn, pairs) for who, looks in (("panel", panel), ("judge", judge))}
    for what, right, of_each in (
        ("panel wrong about fresh drawings", each.pop("all"), found),
        ("panel wrong about fresh drawings of held-out pairs", together(held_out["panel"].values()), held_out["panel"]),
        *((f"{name} of the panel wrong about fresh drawings", right, {}) for name, right in each.items()),
        ("judge wrong about fresh drawings", score_drawings(judge, count, bar=drawing), {}),
        ("judge wrong about fresh drawings of held-out pairs", together(held_out["judge"].values()), {}),
    ):
        wrong = Score(right.of - right.right, right.of)
        about = dict(wrong=wrong.right, of=wrong.of, interval=wrong.as_dict()["interval"])
        about |= dict(pairs=as_dicts(of_each)) | worst_pair([of_each], [*of_each]) if of_each else {}
        results.record(what, wrong.right / wrong.of, "share", **about)


def asked_for(
    results: Results, who: str, models: Sequence, jury: Jury, seed: int, about: dict | None = None, **options
):
    """Controls 3 to 5: how often is it right, all models together, each with a seed of its own for the sampling?

    Several pictures of one network have an interval; of several networks, the least and the most say more.
    """
    seeds = range(seed, seed + len(models))
    found = [
        evaluate(model, jury.panel, seed=s, bar=partial(bar, desc=f"{who}, seed {s}"), **options)
        for s, model in zip(seeds, models, strict=True)
    ]
    for name in found[0]:
        each = [scores[name].right / scores[name].of for scores in found]
        total = Score(*(sum(counts) for counts in zip(*(scores[name] for scores in found), strict=True)))
        settings = (
            total.as_dict() | options | (about or {}) | dict(sampling_seeds=list(seeds), share_for_each_seed=each)
        )
        settings |= dict(least=min(each), most=max(each)) if len(each) > 1 else {}
        settings |= jury.beside(name) | (worst_pair(found) if name == "held_out" else {})
        if any(model is not models[0] for model in models):
            del settings["interval"]
        results.record(f"{name} right, {who}", total.right / total.of, "share", **settings)


def label_tokens(pairs) -> Tensor:
    """Each pair as its one made-up word: (B, MAX_WORDS) tokens of `LABELS`."""
    return encode([colour + kind for kind, colour in pairs], LABELS)


def asked_by_label(model):
    """A network that knows made-up words only, to be asked in ours: "a green banana" reaches it as "greenbanana"."""
    asked, labels = encode([phrasings(*pair)[1] for pair in ALL_PAIRS], VOCABULARY), label_tokens(ALL_PAIRS)

    def translated(x_t, t, tokens):
        same = (tokens[:, None] == asked).all(dim=2)  # (B, 64); the null caption is like none, and stays null
        return model(x_t, t, same.long() @ labels)

    return translated


def short_runs(
    results: Results, pictures: Pictures, drawings: Drawings, jury: Jury, judge, size: dict, seed: int, **few
) -> None:
    """Controls 4 and 5: the same short training with ordinary captions, with shuffled ones, and with labels.

    A network told the pair as one word cannot know a pair that it never saw; one told nonsense cannot know any.
    """
    tokens = pictures.tokens[:, : SHORT_RUNS["phrasings"]]
    shuffled = tokens[torch.randperm(len(tokens), generator=torch.Generator().manual_seed(seed))]
    labels = label_tokens([(f.kind, f.colour) for f in pictures.fruits])
    seeds = range(seed, seed + size["training_seeds"])
    about = SHORT_RUNS | dict(training_steps=size["training_steps"], training_seeds=list(seeds))
    few["guidance_scale"] = SHORT_RUNS["guidance_scale"]
    for who, told, config, asked in (
        ("ordinary captions", tokens, {}, lambda model: model),
        ("shuffled captions", shuffled, {}, lambda model: model),
        ("one made-up word a pair", labels, dict(vocabulary=LABELS), asked_by_label),
    ):
        models = [asked(short_run(pictures, told, s, config, steps=size["training_steps"])) for s in seeds]
        who = f"short run, {who}"
        asked_for(results, who, models, jury, seed, about, **few)
        if asked is not asked_by_label:  # who knows pairs only hears nothing of sizes and backgrounds
            options = dict(generator=torch.Generator().manual_seed(seed), steps=size["steps"])
            options["guidance_scale"] = few["guidance_scale"]
            each = [distance_over_floor(model, judge, drawings, who, **options) for model in models]
            more = about | dict(pictures=len(drawings.pairs), steps=size["steps"], for_each_seed=each)
            what = f"Fréchet distance, {who}, over the floor"
            results.record(what, statistics.median(each), "ratio", **more)


def likeness(results: Results, model, judge, drawings: Drawings, steps: int, seed: int, guidances=(1.0, 2.0, 3.0)):
    """Control 6: how far are generated pictures, all together, from drawings of the same captions?

    And how far would drawings be if every second were mirrored, as training can show them?
    """
    about = dict(pictures=len(drawings.pairs), captions_like="a small green banana on a grey background")
    results.record("Fréchet distance, other drawings: the floor", drawings.floor, "squared distance", **about)
    mirrored = drawings.others.clone()
    mirrored[::2] = mirrored[::2].flip(-1)
    name = "Fréchet distance, other drawings, every second mirrored, over the floor"
    results.record(name, over_floor(judge, mirrored, drawings), "ratio", **about)
    for scale in guidances:
        options = dict(generator=torch.Generator().manual_seed(seed), steps=steps, guidance_scale=scale)
        options |= dict(guidance_interval=SHIPPED_INTERVAL)
        made = generate_many(model, drawings.tokens, partial(bar, desc=f"guidance {scale:g}"), 32, **options)
        ratio, name = over_floor(judge, made, drawings), f"guidance {scale:g}"
        about |= dict(guidance_scale=scale, steps=steps)
        results.record(f"Fréchet distance, {name}", ratio * drawings.floor, "squared distance", **about)
        results.record(f"Fréchet distance, {name}, over the floor", ratio, "ratio", **about)


@torch.no_grad()
def where_it_is_lost(results: Results, model, judge, drawings: Drawings, steps: int, seed: int) -> None:
    """Control 6, continued: the same for drawings that were noised to a level t, and are denoised from there on."""
    eps = torch.randn(drawings.others.shape, generator=torch.Generator().manual_seed(seed))
    for start in NOISED_TO:
        levels = torch.linspace(start, 0, max(2, round(steps * start) + 1)).tolist()
        made = []
        parts = zip(add_noise(drawings.others, start, eps).split(64), drawings.tokens.split(64), strict=True)
        for x_t, tokens in bar(list(parts), desc=f"from t = {start:g}"):
            for t, s in zip(levels[:-1], levels[1:], strict=True):
                x_t = denoise_step(x_t, guided(model, x_t, t, tokens, 1.0), t, s)
            made.append(x_t)
        ratio = over_floor(judge, torch.cat(made), drawings)
        about = dict(pictures=len(drawings.pairs), guidance_scale=1.0, steps=len(levels) - 1, t=start)
        results.record(f"Fréchet distance, drawings noised to t = {start:g}, over the floor", ratio, "ratio", **about)


def copies(results: Results, model, judge, pictures: Pictures, count: int, steps: int, seed: int):
    """Control 7: how near are generated green bananas to training pictures, beside fresh drawings of them?

    Returns a figure of the first eight of the seed, none chosen, over the training pictures nearest to each.
    """
    options = dict(generator=torch.Generator().manual_seed(seed), steps=steps)  # guided as it was made for
    made = generate_many(model, encode(["a green banana"] * count, VOCABULARY), partial(bar, desc="bananas"), **options)
    drawn = draw_many(random_fruits([("banana", "green")], count, FRESH_SEED + seed))

    def name_of(places: Tensor) -> list[str]:
        return [words((f.kind, f.colour)) for f in (pictures.fruits[i] for i in places)]

    for what, some in (("fresh drawings of", drawn), ("generated", made)):
        distance, places = (found[:, 0] for found in nearest(some, pictures.x0))
        about = dict(of=count, least=distance.min().item(), nearest_is=dict(Counter(name_of(places)).most_common()))
        median = statistics.median(distance.tolist())
        what = f"nearest training picture, {count} {what} green bananas, median"
        results.record(what, median, "rms difference", steps=steps, **about)
    made = made[:8]
    in_pixels = nearest(made, pictures.x0)[1][:, 0]
    to_the_judge = torch.cdist(features(judge, made), features(judge, pictures.x0)).argmin(dim=1)
    names = name_of(in_pixels) + name_of(to_the_judge)
    labels = ["generated", "nearest\nin pixels", "nearest\nto the judge"]
    figure = show.rows([made, pictures.x0[in_pixels], pictures.x0[to_the_judge]], labels=labels, height=1.7)
    figure.set_figheight(1.25 * figure.get_figheight())  # room for the names
    for ax, name in zip(figure.axes[8:], names, strict=True):
        ax.set_xlabel(name.replace(" ", "\n"), fontsize=show.FONT)
    return figure


def table(rows: list[dict]) -> str:
    """The recorded values as a page of Markdown."""
    lines = [*heading("Controls", rows), "| what | value | 95 % interval, % | settings |", "| --- | --- | --- | --- |"]
    for row in rows:
        settings = dict(row["settings"])
        value = f"{row['value']:.4g} {row['unit']}"
        if row["unit"] == "share":
            count = settings.pop("right") if "right" in settings else settings.pop("wrong")
            value = f"{100 * row['value']:.2f} % ({count} of {settings.pop('of')})"
        interval = " to ".join(f"{100 * end:.2f}" for end in settings.pop("interval", [])) or "–"
        for end in settings.keys() & {"least", "most"} if row["unit"] == "share" else ():
            settings[end] = f"{100 * settings[end]:.2f} % with one seed"
        said = [f"{k.replace('_', ' ')} {v}" for k, v in settings.items() if isinstance(v, int | float | str)]
        lines.append(f"| {row['name'].replace('_', ' ')} | {value} | {interval} | {', '.join(said) or '–'} |")
    for row in (row for row in rows if "doubtful" in row["settings"]):
        doubtful = row["settings"]["doubtful"]
        lines += ["", f"{row['name'].capitalize()}, and what was drawn:", ""]
        lines += ["| picture | drawn | named |", "| --- | --- | --- |"] if doubtful else ["None."]
        lines += [f"| {found['place']} | {found['recorded']} | {found['named']} |" for found in doubtful]
    for row in (row for row in rows if "pairs" in row["settings"]):
        lines += ["", f"{row['name'].capitalize()}, by pairs:", "", "| pair | right |", "| --- | --- |"]
        lines += [f"| {pair} | {one['right']} of {one['of']} |" for pair, one in row["settings"]["pairs"].items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    args = arguments(__doc__, "controls")
    size, seed = QUICK if args.quick else FULL, args.seed
    results, jury, judge, steps = Results(seed), shipped_jury(), weights.load_judge(), size["steps"]
    pictures, learned = (
        Pictures(*(part[: size["pictures"]] for part in training_pictures(bar=bar, times=times)))
        for times in (1, size["times"])
    )
    shipped, shuffled = (  # in the order of memory that its convolutions like best
        network.to(memory_format=torch.channels_last)
        for network in (weights.load_denoiser(), weights.load_denoiser(DATA / "shuffled.safetensors"))
    )

    training_set(results, learned, jury.panel, judge, size["fresh"], seed)
    own_error(results, jury.panel, judge, size["drawings"], seed)
    many = dict(per_pair=size["per_pair"], per_seen_pair=size["per_seen_pair"], steps=steps)
    models = [shipped] * size["seeds"]
    own = dict(guidance_interval=SHIPPED_INTERVAL)
    asked_for(results, "shipped weights", models, jury, seed, guidance_scale=SHIPPED_GUIDANCE, **own, **many)
    few = dict(per_pair=size["control_per_pair"], per_seen_pair=size["control_per_seen_pair"], steps=steps)
    for who, model, scale, where in (
        ("shipped weights, guidance 1", shipped, 1.0, own),
        ("shipped weights, guidance 3", shipped, 3.0, own),
        ("shuffled captions", shuffled, SHIPPED_GUIDANCE, {}),
    ):
        asked_for(results, who, [model], jury, seed, guidance_scale=scale, **where, **few)
    short_runs(results, pictures, fresh_drawings(judge, size["small_likeness"], seed), jury, judge, size, seed, **few)
    drawings = fresh_drawings(judge, size["likeness"], seed)
    likeness(results, shipped, judge, drawings, steps, seed)
    where_it_is_lost(results, shipped, judge, drawings, steps, seed)
    figure = copies(results, shipped, judge, learned, size["bananas"], steps, seed)

    results.publish(args.out, "controls", table(results.rows), figure)


if __name__ == "__main__":
    main()
