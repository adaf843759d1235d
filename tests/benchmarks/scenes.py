"""Two fruits in one sentence, and is each word bound to its thing? `make bench-scenes`.

The shipped denoiser of scenes is asked for things it saw side by side, for things it never saw side by side, for
held-out pairs of kind and colour among them and alone, for three fruits, of which it saw at most two, for two in
either order, and for a small one and a large one. A judge of its own says what is right, and what was swapped: a red
banana and a green apple in place of a green banana and a red apple; and the Fréchet distance, how far all of them are
from drawings. About three minutes on two cores. Results go to data/benchmarks/, those of `--quick` to runs/.
"""

import textwrap
from collections import Counter
from functools import partial

import torch
from drawings import FRESH_SEED, features
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from results import Results, arguments, bar, heading

from course_lib import weights
from course_lib.classroom import show
from course_lib.fruit.scene_prompts import understand
from course_lib.fruit.scenes import draw_many, random_scene
from course_lib.judging.counts import Score
from course_lib.judging.measure import frechet_distance
from course_lib.judging.scene_exam import JOINTS, Answer, evaluate, score, score_drawings
from course_lib.tools.pixels import from_bytes

FULL, QUICK = dict(drawings=2000, count=192, steps=50), dict(drawings=16, count=4, steps=2)
GUIDANCE = 2.0
COLUMNS = 4  # pictures of a group that are shown


def judges_error(results: Results, judge, count: int) -> None:
    """How often is the judge right about fresh drawings, which it has not seen?"""
    for name, found in score_drawings(judge, count, bar=partial(bar, desc="drawing")).items():
        what = f"judge, fresh drawings: {name}"
        results.record(what, found.right / found.of, "share", **found.as_dict())


def asked_for(results: Results, answers: dict[str, Answer], **about) -> None:
    """How much of what was asked for is there, in each group of questions?"""
    for group, answer in answers.items():
        for name, found in score(answer.verdicts).items():
            about |= dict(group=group, what=name, example=answer.captions[0])
            results.record(f"{group}: {name}", found.right / found.of, "share", **found.as_dict(), **about)


def by_form(results: Results, answer: Answer, group: str, **about) -> None:
    """How much is right where the things are joined in one way or another?"""
    for joint in JOINTS:
        verdicts = [v for caption, v in zip(answer.captions, answer.verdicts, strict=True) if joint in caption]
        if verdicts:
            found, form = score(verdicts)["all right"], joint.strip()
            more = found.as_dict() | about | dict(group=group, what="all right", form=form)
            results.record(f"{group}, joined by {form}: all right", found.right / found.of, "share", **more)


def what_appears(results: Results, judge, answer: Answer, group: str, **about) -> None:
    """How many fruits appear where more were asked for than it ever saw, and how many of those asked for?"""
    there, wanted = [], []
    seen = [one for part in answer.pictures.split(64) for one in judge.see(part)]
    for caption, one in zip(answer.captions, seen, strict=True):
        asked = Counter((thing["kind"], thing["colour"]) for thing in understand(caption).things)
        there.append(len(one.things))
        wanted.append((Counter(one.things) & asked).total())
    for what, counts, numbers in (
        ("in the picture", there, range(1, 4)),
        ("of the things asked for", wanted, range(4)),
    ):
        for n in numbers:
            found, name = Score(counts.count(n), len(counts)), f"{n} {what}"
            more = found.as_dict() | about | dict(group=group, what=name, example=answer.captions[0])
            results.record(f"{group}: {name}", found.right / found.of, "share", **more)


def likeness(results: Results, judge, answers: dict[str, Answer], **about) -> None:
    """How much further are the pictures, all together, from drawings of the same captions than other drawings are?

    Without those of three fruits, which are no pictures of their captions.
    """
    told = [answer for group, answer in answers.items() if group != "three"]
    asked = [understand(caption) for answer in told for caption in answer.captions]
    wishes = [[(t["kind"], t["colour"], t["size_word"]) for t in one.things] for one in asked]
    generator = torch.Generator().manual_seed(FRESH_SEED + results.about["seed"])
    drawn, others = (
        draw_many(
            [random_scene(generator, things, one.background) for things, one in zip(wishes, asked, strict=True)],
            bar=partial(bar, desc="drawing"),
        )
        for _ in range(2)
    )
    drawn, others, made = (
        features(judge, x) for x in (from_bytes(drawn), from_bytes(others), torch.cat([a.pictures for a in told]))
    )
    floor = frechet_distance(others, drawn)
    about |= dict(pictures=len(made), floor=floor)
    results.record("Fréchet distance over the floor", frechet_distance(made, drawn) / floor, "ratio", **about)


def draw(answers: dict[str, Answer]) -> Figure:
    """The first pictures of each group, none chosen, and the first swapped ones, if there are any."""
    told = {group: list(zip(*answer, strict=True))[:COLUMNS] for group, answer in answers.items()}
    swapped = [one for answer in answers.values() for one in zip(*answer, strict=True) if one[2].swapped]
    if swapped:
        told["swapped"] = swapped[:COLUMNS]
    figure, axes = plt.subplots(
        len(told), COLUMNS, figsize=(3.6 * COLUMNS, 4.1 * len(told)), layout="constrained", squeeze=False
    )
    for ax in axes.flat:
        ax.axis("off")
    for line, (group, some) in zip(axes, told.items(), strict=True):
        line[0].set_title(f"{group.capitalize()}", fontsize=show.FONT + 2, fontweight="bold", loc="left", pad=12)
        for ax, (caption, picture, verdict) in zip(line, some, strict=False):
            ax.imshow(show.to_image(picture))
            mark, colour = ("✓ ", "black") if verdict.all_right else ("✗ ", show.ORANGE)
            said = textwrap.fill(mark + caption, 26)
            ax.text(0.5, -0.03, said, transform=ax.transAxes, ha="center", va="top", fontsize=13, color=colour)
    plt.close(figure)
    return figure


def table(rows: list[dict]) -> str:
    """The recorded values as a page of Markdown: first the denoiser, then the judge."""
    lines = [*heading("Two fruits in one sentence", rows), "| asked for | what | right | of | share | 95 % interval |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    (far,) = (row for row in rows if row["unit"] == "ratio")
    for row in sorted((row for row in rows if row != far), key=lambda row: row["name"].startswith("judge")):
        group, what = row["name"].split(": ")
        about, low_high = row["settings"], (f"{100 * end:.1f}" for end in row["settings"]["interval"])
        share = f"{100 * row['value']:.1f} %"
        lines.append(f"| {group} | {what} | {about['right']} | {about['of']} | {share} | {' to '.join(low_high)} % |")
    count = far["settings"]["pictures"]
    lines += ["", f"{far['name']}, {count:,} pictures, without those of three: {far['value']:.1f}"]
    return "\n".join(lines) + "\n"


def main() -> None:
    args = arguments(__doc__, "scenes")
    size = QUICK if args.quick else FULL
    results, judge, model = Results(args.seed), weights.load_scene_judge(), weights.load_scene_denoiser()
    judges_error(results, judge, size["drawings"])
    options = dict(steps=size["steps"], guidance_scale=GUIDANCE)
    answers = evaluate(model, judge, count=size["count"], seed=args.seed, bar=partial(bar, desc="asking"), **options)
    asked_for(results, answers, **options)
    by_form(results, answers["sizes"], "sizes", **options)
    what_appears(results, judge, answers["three"], "three", **options)
    likeness(results, judge, answers, **options)

    results.publish(args.out, "scenes", table(results.rows), draw(answers))


if __name__ == "__main__":
    main()
