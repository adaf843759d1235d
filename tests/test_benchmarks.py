"""The benchmarks in tiny form: a control must notice what it is there to notice, a measurement count what it says."""

import itertools
import json
import sys

import bench
import controls
import few_steps
import pytest
import scaling
import scenes
import torch
from results import Results

from course_lib.captions import MAX_WORDS, NO_WORD, decode
from course_lib.data import (
    ALL_PAIRS,
    HELD_OUT_PAIRS,
    TRAINING_PAIRS,
    Pictures,
    caption_tokens,
    draw_many,
    random_fruits,
    understand,
)
from course_lib.files import DATA
from course_lib.fruit import Fruit, random_fruit
from course_lib.judge import Score, evaluate
from course_lib.measure import benchmark
from course_lib.model import Denoiser
from course_lib.scene_judge import Answer, Verdict
from course_lib.train import Run

BANANA = ("banana", "green")


def measured(control, *args, **options) -> dict[str, dict]:
    """What a control records, by name."""
    results = Results(0)
    control(results, *args, **options)
    return {row["name"]: row for row in results.rows}


# Recording


def test_a_value_is_recorded_with_all_that_it_takes_to_measure_it_again(tmp_path):
    results = Results(7)
    results.record("speed", 1 / 3, "1/s", batch=64)
    results.write(tmp_path / "results.json")
    (row,) = json.loads((tmp_path / "results.json").read_text())
    assert list(row) == ["name", "value", "unit", "settings", "machine", "versions", "seed", "command"]
    assert row["value"] == 0.33333 and row["settings"] == {"batch": 64} and row["seed"] == 7
    assert row["machine"]["threads"] == torch.get_num_threads() and row["versions"]["torch"] == torch.__version__


def test_the_readme_says_what_was_measured():
    """After `make bench`, the figures in README.md are to be brought up to date; this names the one that is not."""
    rows, few, two, fair = (benchmark(name) for name in ("results", "few_steps", "scenes", "controls"))
    told = " ".join((DATA.parent / "README.md").read_text().split())

    def percent(share: float, digits: int = 0) -> str:
        return f"{100 * share:.{digits}f}".removesuffix(".0") + " %"

    said = []
    for what, name in (
        ("32 pictures each", "held_out"),
        ("8 pictures each", "seen"),
        ('"a green banana"', "green banana"),
    ):
        found = rows[f"{name} right, shipped weights"]["settings"]
        low, high = (percent(end, 1) for end in found["interval"])
        said.append(f"{what} | {found['right']} of {found['of']} | {low} to {high} |")
    for budget in (30, 60, 180):
        held_out, seen = (rows[f"{name} right, {budget} s of training"] for name in ("held_out", "seen"))
        each = ", ".join(
            percent(n / held_out["settings"]["of"]) for n in sorted(held_out["settings"]["right_for_each_seed"])
        )
        said.append(f"| {budget} s | {percent(held_out['value'])} | {each} | {percent(seen['value'], 1)} |")
    said += [
        f"100 guided steps takes {rows['1 picture x 100 guided steps, ours, shipped size']['value']:.1f} s",
        f"trains on {rows['training, ours over diffusers UNet2DModel']['value']:.0f} times as many pictures",
        f"{rows['64 pictures x 50 guided steps, diffusers UNet2DModel over ours']['value']:.0f} times faster",
        f"takes {rows['peak memory of training, ours, shipped size']['value']:.0f} MiB",
        f"runs at {percent(rows['training, ours, shipped size: share of peak']['value'])} of the machine's",
    ]
    for who in (
        "shipped weights",
        "shuffled captions",
        "short run, ordinary captions",
        "short run, one made-up word a pair",
    ):
        found = fair[f"held_out right, {who}"]["settings"]
        low, high = (percent(end, 1) for end in found["interval"])
        said.append(f"| {found['right']:,} of {found['of']:,} | {low} to {high} |")
    wrong = fair["judge wrong about fresh drawings"]["settings"]
    said.append(f"wrong about {wrong['wrong']} of {wrong['of']:,} fresh drawings")
    student, teacher = (
        few[f"held out right, {way}"]["settings"]
        for way in ("distilled, plain step, steps 4", "shipped, plain step, steps 50")
    )
    took = {steps: few[f"16 pictures x {steps} steps with guidance, shipped"]["value"] for steps in (50, 100)}
    said += [
        f"16 pictures in {few['16 pictures x 4 steps, distilled']['value']:.2f} s",
        f"not the {took[50]:.1f} s of 50 guided steps ({took[100]:.1f} s of 100)",
        f"Of {student['of']} pictures of held-out pairs {student['right']} are right",
        f"of those in 50 guided steps {teacher['right']}.",
        f"{few['Fréchet distance over the floor, shipped, plain step, steps 50']['value']:.0f} times as far",
    ]
    for group in ("seen", "unseen", "one held out", "two held out", "held out alone", "three", "either order"):
        found, swapped = (two[f"{group}: {what}"]["settings"] for what in ("all right", "swapped"))
        low, high = (percent(end, 1) for end in found["interval"])
        alone = group in ("held out alone", "three")  # of one thing nothing can be swapped; three are never there
        count = "–" if alone else swapped["right"]
        said.append(f"| {found['right']} of {found['of']} | {low} to {high} | {count} |")
    seen = two["judge, fresh drawings: all right"]["settings"]
    said.append(f"right about {seen['right']:,} of {seen['of']:,} fresh drawings")
    peers = (DATA / "benchmarks" / "peers.md").read_text().splitlines()
    said += [line for line in peers if line.startswith("| ")]
    assert [sentence for sentence in said if sentence not in told] == []


def test_the_loss_of_short_runs_shows_half_of_the_pictures_blurred_and_asks_for_all_of_them_sharp():
    x0, seen = draw_many(random_fruits(TRAINING_PAIRS[:2], 50, seed=0)), {}

    def model(x_t, t, tokens):
        seen["x_t"] = x_t
        return x0 + 0.5

    torch.manual_seed(0)
    t, nothing = torch.zeros(len(x0)), torch.zeros(len(x0), MAX_WORDS, dtype=torch.int64)
    loss = bench.blurred_loss(model, x0, t, torch.randn_like(x0), nothing)
    assert loss.item() == pytest.approx(0.25 / 0.3**2)  # of sharp pictures, weighted as at t = 0.3
    sharp = (seen["x_t"] == x0).all(dim=(1, 2, 3))
    assert 35 <= sharp.sum() <= 65
    assert torch.allclose(seen["x_t"].mean(dim=(1, 2, 3)), x0.mean(dim=(1, 2, 3)), atol=0.05)
    rough = (seen["x_t"].diff(dim=-1).square().mean(), x0.diff(dim=-1).square().mean())
    assert rough[0] < 0.8 * rough[1]


# Control 1: the training set


def small_set(*more: Fruit, recorded_as: str | None = None) -> Pictures:
    """One picture of each training pair and then some more, perhaps recorded in a colour that they do not have."""
    fruits = random_fruits(TRAINING_PAIRS, 1, 5)
    noted = fruits + [Fruit(**(vars(f) | {"colour": recorded_as or f.colour})) for f in more]
    return Pictures(draw_many([*fruits, *more]), caption_tokens(noted), noted)


def found(rows: dict) -> tuple:
    """How many held-out pairs by the record, by the captions and to the judge."""
    names = ["training pictures recorded as a held-out pair", "training captions that name a held-out pair"]
    return tuple(rows[name]["value"] for name in [*names, "training pictures the judge names as a held-out pair"])


def test_a_clean_training_set_passes(judge):
    rows = measured(controls.training_set, small_set(), judge, fresh=8, seed=0)
    assert found(rows) == (0, 0, 0)
    held_out = rows["nearest training picture, fresh held-out drawings, median"]
    assert held_out["settings"]["nearest_is_of_the_same_pair"] == 0 and held_out["value"] > 0.1


def test_a_green_banana_in_the_training_set_is_caught(judge):
    rows = measured(controls.training_set, small_set(Fruit(*BANANA)), judge, fresh=8, seed=0)
    recorded, captions, named = found(rows)
    assert recorded == named == 1 and captions == 4  # of middling size, said in four different ways
    settings = rows["training pictures the judge names as a held-out pair"]["settings"]
    assert settings["doubtful"] == [dict(place=56, recorded="green banana", named="green banana")]
    assert settings["of"] == 57 and settings["interval"] == list(Score(1, 57).as_dict()["interval"])


def test_a_green_banana_recorded_as_a_yellow_one_is_caught_by_the_judge(judge):
    rows = measured(controls.training_set, small_set(Fruit(*BANANA), recorded_as="yellow"), judge, fresh=8, seed=0)
    assert found(rows) == (0, 0, 1)
    (doubtful,) = rows["training pictures the judge names as a held-out pair"]["settings"]["doubtful"]
    assert doubtful == dict(place=56, recorded="yellow banana", named="green banana")


def test_held_out_pairs_in_the_training_set_are_near_to_fresh_drawings(judge):
    smuggled = random_fruits(HELD_OUT_PAIRS, 1, controls.FRESH_SEED)
    row = measured(controls.training_set, small_set(*smuggled), judge, fresh=8, seed=0)[
        "nearest training picture, fresh held-out drawings, median"
    ]
    assert row["value"] < 1e-3 and row["settings"]["nearest_is_of_the_same_pair"] == 8
    assert list(row["settings"]["median_for_each_pair"])[1] == "green banana"


# Controls 2 to 5: counting


class NumberJudge:
    """Names pictures that hold the number of their pair in the first pixel."""

    def name(self, x):
        return [ALL_PAIRS[int(number)] for number in x[:, 0, 0, 0].round()]


class AppleJudge:
    """Calls everything a red apple."""

    def name(self, x):
        return [("apple", "red")] * len(x)


def test_the_judges_error_is_the_share_that_it_gets_wrong():
    (row,) = measured(controls.judges_error, AppleJudge(), 128).values()
    assert row["value"] == round(126 / 128, 5) and row["settings"]["wrong"] == 126 and row["settings"]["of"] == 128
    low, high = row["settings"]["interval"]
    assert low < row["value"] < high


def test_seeds_of_sampling_are_counted_together_and_the_least_and_the_most_told(monkeypatch):
    asked = []

    def evaluate(model, judge, *, seed, bar, **options):
        asked.append((seed, options))
        return {"held_out": Score(8 - seed, 8)}

    monkeypatch.setattr(controls, "evaluate", evaluate)
    rows = measured(controls.asked_for, "some network", None, None, range(2, 5), steps=9)
    row = rows["held_out right, some network"]
    assert asked == [(2, {"steps": 9}), (3, {"steps": 9}), (4, {"steps": 9})]
    assert row["value"] == 0.625 and row["settings"]["interval"] == Score(15, 24).as_dict()["interval"]
    assert row["settings"]["least"] == 4 / 8 and row["settings"]["most"] == 6 / 8


def test_a_made_up_word_stands_for_its_pair_alone():
    tokens = controls.label_tokens(ALL_PAIRS)
    assert tokens.shape == (64, MAX_WORDS) and not tokens[:, 1:].any()
    assert sorted(tokens[:, 0].tolist()) == list(range(1, 65)) and controls.LABELS[0] == NO_WORD
    assert decode(controls.label_tokens([BANANA]), controls.LABELS) == ["greenbanana"]


def test_whoever_is_asked_by_label_hears_the_right_word_and_without_words_none():
    heard = []

    def obedient(x_t, t, tokens):
        heard.append(tokens)
        return (tokens[:, :1, None, None] - 1.0).expand_as(x_t)

    model = controls.asked_by_label(obedient)
    scores = evaluate(model, NumberJudge(), per_pair=1, per_seen_pair=1, steps=1, guidance_scale=1)
    assert scores["held_out"] == Score(8, 8) and scores["seen"] == Score(56, 56)
    model(torch.zeros(2, 3, 8, 8), 1.0, torch.zeros(2, MAX_WORDS, dtype=torch.int64))
    assert not heard[-1].any()


def test_the_network_with_labels_never_trains_a_held_out_one(monkeypatch):
    trained = []

    def train(run: Run, x0, tokens, *, steps, **how):
        trained.append(tokens)
        return iter(())

    monkeypatch.setattr(bench, "train", train)
    few = dict(per_pair=1, per_seen_pair=1, steps=1)
    rows = measured(controls.one_label, small_set(), NumberJudge(), training_steps=3, seed=0, **few)
    labels, ordinary = trained
    said = set(decode(labels, controls.LABELS))
    assert len(said) == 56 and "redapple" in said and not said & {c + k for k, c in HELD_OUT_PAIRS}
    assert ordinary.shape == (56, bench.SHORT_RUNS["phrasings"], MAX_WORDS) and len(rows) == 6
    assert rows["held_out right, short run, ordinary captions"]["settings"]["training_steps"] == 3


# Control 6: like real pictures, all together


def test_drawings_are_as_near_as_the_floor_and_one_fruit_again_and_again_is_not(judge):
    g = torch.Generator().manual_seed(1)

    def draughtsman(x_t, t, tokens):
        return draw_many([random_fruit(g, **understand(caption)) for caption in decode(tokens)])

    def one_fruit(x_t, t, tokens):
        return draw_many([Fruit(*BANANA)]).expand_as(x_t)

    options = dict(count=128, steps=1, seed=0, guidances=(1.0,))
    ratio = {m: measured(controls.likeness, m, judge, **options) for m in (draughtsman, one_fruit)}
    ratio = {model: rows["Fréchet distance, guidance 1, over the floor"]["value"] for model, rows in ratio.items()}
    assert 0.6 < ratio[draughtsman] < 1.6 and ratio[one_fruit] > 5


# All together


@pytest.mark.slow
def test_the_whole_script_runs_and_its_table_holds_every_value(tmp_path, monkeypatch, pictures):
    monkeypatch.setattr(sys, "argv", ["controls.py", "--quick", "--out", str(tmp_path)])
    monkeypatch.setattr(controls, "training_pictures", lambda bar: pictures)
    controls.main()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["controls.json", "controls.md", "controls.png"]
    rows = json.loads((tmp_path / "controls.json").read_text())
    table = (tmp_path / "controls.md").read_text()
    assert len(rows) == len({row["name"] for row in rows}) > 20
    assert all(f"| {row['name'].replace('_', ' ')} | " in table for row in rows)


# Scaling: how close to the machine


def test_the_peak_beside_a_piece_of_work_is_the_better_of_before_and_after():
    rising, falling = iter([3.0, 5.0]), iter([7.0, 2.0])
    took, peaks = bench.timed_between_peaks(lambda: None, 3, lambda: next(rising), lambda: next(falling))
    assert took >= 0 and peaks == [5.0, 7.0]


def test_a_convolution_counts_its_way_there_and_both_of_its_gradients(monkeypatch):
    monkeypatch.setattr(scaling, "seconds", lambda work, repeats: [2.0, 1.0, 3.0])
    assert scaling.convolution_peak((2, 8, 4)) == 3 * 2 * 2 * (8 * 8 * 9) * (4 * 4)


def test_the_best_size_wins_and_none_is_tried_after_one_that_takes_long(monkeypatch):
    speeds, tried = {1: 3.0, 2: 9.0, 4: 5.0}, []

    def peak(size, dtype):
        tried.append((size, dtype))
        return speeds[size]

    assert scaling.fastest(peak, [1, 2, 4], torch.float32) == (9.0, 2)
    monkeypatch.setattr(scaling, "PATIENCE", 0.0)
    assert scaling.fastest(peak, [1, 2, 4], torch.bfloat16) == (3.0, 1)
    assert tried == [(1, torch.float32), (2, torch.float32), (4, torch.float32), (1, torch.bfloat16)]


def test_a_share_of_a_peak_is_operations_over_seconds_over_that_peak(monkeypatch):
    monkeypatch.setattr(scaling, "timed_between_peaks", lambda work, repeats, *peaks: (0.5, [8e9, 4e9]))
    rows = measured(scaling.beside_the_peaks, "work", None, int(1e9), [], 7)
    assert [row["value"] for row in rows.values()] == [2.0, 2.0]
    assert [row["settings"]["ratio"] for row in rows.values()] == [0.25, 0.5]


# Scaling: how cost grows


def test_cases_take_turns_and_each_turn_warms_up():
    ran = []
    times = scaling.in_turn({n: lambda n=n: ran.append(n) for n in (1, 2)}, turns=2, least=0.0)
    assert ran == [1, 1, 2, 2, 1, 1, 2, 2] and [len(took) for took in times.values()] == [2, 2]


def test_quick_work_is_repeated_until_its_turn_is_over(monkeypatch):
    monkeypatch.setattr(scaling, "seconds", lambda work, repeats: [0.25] * repeats)
    assert scaling.in_turn({1: None}, turns=2, least=1.0) == {1: [0.25] * 10}


def test_a_sweep_records_medians_each_over_the_first(monkeypatch):
    monkeypatch.setattr(scaling, "in_turn", lambda works, turns, least: {2: [9.0, 1.0, 2.0], 8: [4.0, 4.0, 4.0]})
    rows = measured(scaling.sweep, "work", "batch", {}, scaling.QUICK, lambda count: 2 * count)
    assert [(name, row["value"], row["unit"]) for name, row in rows.items()] == [
        ("work, batch 2", 2.0, "1/s"),
        ("work, batch 8", 4.0, "1/s"),
    ]
    about = dict(axis="batch", at=8, ratio=2.0, ratio_to="batch 2", seconds=4.0, repeats=3, quartiles=[4.0, 4.0])
    assert rows["work, batch 8"]["settings"] == about
    assert rows["work, batch 2"]["settings"]["quartiles"] == [1.5, 5.5]
    assert measured(scaling.sweep, "work", "batch", {}, scaling.QUICK)["work, batch 8"]["value"] == 4.0


@pytest.mark.parametrize(("power", "straight"), [(1, True), (2, False)])
def test_steps_are_held_against_a_straight_line(monkeypatch, power, straight):
    monkeypatch.setattr(scaling, "in_turn", lambda works, turns, least: {n: [3.0 + n**power] * 2 for n in works})
    rows = measured(scaling.sampling_steps, scaling.FULL)
    off = [abs(row["settings"]["measured_over_line"] - 1) for name, row in rows.items() if "straight line" in name]
    assert len(off) == 4 and (max(off) < 1e-9) == straight


def test_a_training_step_has_the_pictures_that_are_asked_for():
    model, seen = Denoiser(channels=(8, 8), width=8), []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    step, loss = bench.our_training(model, small_set(), 3)
    step(), loss()
    assert seen == [3, 3]


def test_threads_are_set_for_each_case_and_put_back_even_after_a_failure(monkeypatch):
    before, seen = torch.get_num_threads(), []
    monkeypatch.setattr(scaling, "training", lambda *_: lambda: seen.append(torch.get_num_threads()))
    monkeypatch.setattr(scaling, "sampling", lambda *_: lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        measured(scaling.threads, None, scaling.QUICK | dict(threads=(before + 1, before + 2)))
    assert seen == ([before + 1] * 2 + [before + 2] * 2) * 2 and torch.get_num_threads() == before


@pytest.mark.slow
def test_scaling_runs_from_end_to_end_and_shows_what_it_recorded(tmp_path, monkeypatch, pictures):
    opened = []

    def training_pictures(path=None, bar=None):
        if path:
            opened.append(len(controls.training_pictures(path).x0))
        return pictures

    tiny = scaling.QUICK | dict(products=(8,), convolutions=((1, 8, 8),), sides=(32, 64), batches=(1, 2), batch=2)
    monkeypatch.setattr(scaling, "QUICK", tiny | dict(repeats=1, steps=(1, 2)))
    monkeypatch.setattr(scaling, "training_pictures", training_pictures)
    monkeypatch.setattr(scaling.weights, "load_denoiser", lambda: Denoiser(channels=(8, 8)))
    monkeypatch.setattr(sys, "argv", ["scaling.py", "--quick", "--out", str(tmp_path)])
    scaling.main()
    assert opened == [14336, 14336, 1792, 1792] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scaling.json", "scaling.md", "scaling.png"]

    rows = {row["name"]: row for row in json.loads((tmp_path / "scaling.json").read_text())}
    table = (tmp_path / "scaling.md").read_text()
    assert all(f"| {name} | " in table for name in rows)
    assert all(
        row["value"] > 0 and row["settings"]["ratio"] > 0 and row["settings"]["ratio_to"] for row in rows.values()
    )
    for who, what in itertools.product(("training", "sampling"), ("matrix products", "convolutions")):
        assert {f"{who}, our network{size}, beside {what}" for size in ("", ", shipped size")} <= rows.keys()
    for axis, values in ("picture size", (32, 64)), ("batch", (1, 2)), ("set size", (14336, 1792)), ("threads", (1, 2)):
        assert rows.keys() >= {f"training, {axis} {value}" for value in values}
    assert rows["training set, memory, set size 1792"]["settings"]["ratio"] == 1 / 8
    assert rows["training set, file, set size 1792"]["settings"]["ratio"] == pytest.approx(1 / 8, rel=0.01)

    by_batch = scaling.draw([*rows.values()]).axes[1]
    for line, name in zip(by_batch.lines, ("training", "a guided step"), strict=True):
        assert line.get_xdata().tolist() == [1, 2]
        assert line.get_ydata().tolist() == [rows[f"{name}, batch {count}"]["value"] for count in (1, 2)]


# Few steps


def test_quality_is_counted_for_each_group_and_each_number_of_steps(judge):
    drawings = controls.fresh_drawings(judge, 128, 1)
    drawn = draw_many([Fruit(kind, colour) for kind, colour in drawings.pairs])

    def draughtsman(x_t, t, tokens):
        here = (drawings.tokens[:, None] == tokens).all(dim=2).int().argmax(dim=0)
        return drawn[here]

    way = ("draughtsman", 1.0, (1, 3, 9))
    rows = measured(few_steps.quality, way, draughtsman, judge, drawings, longest=3, seed=0)
    groups = {"held out": HELD_OUT_PAIRS, "seen": TRAINING_PAIRS}
    for steps, (group, pairs) in itertools.product((1, 3), groups.items()):
        about = rows[f"{group} right, draughtsman, steps {steps}"]["settings"]
        assert about["of"] == sum(pair in pairs for pair in drawings.pairs) and about["right"] >= 0.95 * about["of"]
    assert not any("steps 9" in name for name in rows)
    ratio = rows["Fréchet distance over the floor, draughtsman, steps 3"]
    assert ratio["value"] == pytest.approx(
        rows["Fréchet distance, draughtsman, steps 3"]["value"] / drawings.floor, 1e-3
    )


@pytest.mark.slow
def test_few_steps_runs_from_end_to_end_and_its_table_holds_every_value(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["few_steps.py", "--quick", "--out", str(tmp_path)])
    few_steps.main()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few_steps.json", "few_steps.md", "few_steps.png"]
    rows = json.loads((tmp_path / "few_steps.json").read_text())
    table = (tmp_path / "few_steps.md").read_text()
    for name, _, steps in (few_steps.PLAIN, few_steps.DISTILLED):
        for count in (n for n in steps if n <= few_steps.QUICK["longest"]):
            found = [row["settings"] for row in rows if row["name"] == f"held out right, {name}, steps {count}"]
            assert f"| {name} | {count} | " in table and f"({found[0]['right']} of {found[0]['of']})" in table
    left = few_steps.draw(rows).axes[0]
    assert [line.get_label() for line in left.lines if len(line.get_xdata())] == [
        few_steps.PLAIN[0],
        few_steps.DISTILLED[0],
    ]


# Scenes

RIGHT = Verdict(count=True, kinds=True, colours=True, things=True, order=True, background=None)
SWAPPED = RIGHT._replace(things=False, order=False)


def test_swaps_are_counted_and_shown_and_no_picture_is_chosen():
    answer = Answer(["a red apple and a pear"] * 6, torch.zeros(6, 3, 64, 64), [RIGHT] * 5 + [SWAPPED])
    rows = measured(scenes.asked_for, {"seen": answer}, steps=1)
    assert rows["seen: swapped"]["settings"]["right"] == 1 and rows["seen: all right"]["value"] == round(5 / 6, 5)
    texts = [[text.get_text() for text in ax.texts] for ax in scenes.draw({"seen": answer}).axes]
    assert ["✗" in "".join(text) for text in texts] == [False] * 4 + [True] + [False] * 3
    assert [len(text) for text in texts] == [1] * 5 + [0] * 3  # a row of the first four, a row with the swapped one
    assert len(scenes.draw({"seen": Answer(*(part[:5] for part in answer))}).axes) == 4


@pytest.mark.slow
def test_scenes_run_from_end_to_end_and_their_table_holds_every_value(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["scenes.py", "--quick", "--out", str(tmp_path)])
    scenes.main()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scenes.json", "scenes.md", "scenes.png"]
    rows = json.loads((tmp_path / "scenes.json").read_text())
    table = (tmp_path / "scenes.md").read_text()
    assert {row["name"] for row in rows} >= {"unseen: all right", "three: swapped", "judge, fresh drawings: two"}
    assert all("| " + row["name"].replace(": ", " | ") + " | " in table for row in rows)
