"""The benchmarks in tiny form: a control must notice what it is there to notice, a measurement count what it says."""

import itertools
import json
import subprocess
import sys
import time
from functools import partial

import bench
import choices
import controls
import drawings
import few_steps
import jury as juries
import peers
import pytest
import scaling
import scenes
import torch
from diffusers import UNet2DModel
from peer_networks import ContextUnet, Peer, context_unet
from results import Results

from course_lib.captions import MAX_WORDS, NO_WORD, decode, encode
from course_lib.fruit.drawing import Fruit, random_fruit
from course_lib.fruit.pictures import Pictures, caption_tokens, draw_many, random_fruits
from course_lib.fruit.prompts import phrasings, understand
from course_lib.fruit.scenes import draw, random_scene
from course_lib.fruit.words import ALL_PAIRS, COLOURS, HELD_OUT_PAIRS, KINDS, TRAINING_PAIRS, VOCABULARY
from course_lib.judging.counts import Score
from course_lib.judging.exam import generate_many
from course_lib.judging.fruit_exam import HELD_OUT, evaluate
from course_lib.judging.judge import TEST_SEED
from course_lib.judging.measure import frechet_distance
from course_lib.judging.panel import Panel
from course_lib.judging.scene_exam import Answer, Verdict
from course_lib.judging.scene_judge import Seen
from course_lib.model import Denoiser
from course_lib.noise import add_noise
from course_lib.sample import sampling_of
from course_lib.tools.files import DATA
from course_lib.train import Run, random_levels
from course_lib.weights import load_denoiser

pytestmark = pytest.mark.slow  # as a whole

BANANA = ("banana", "green")


def small_denoiser(path=None) -> Denoiser:
    """An untrained network, quick to ask, in place of a shipped one."""
    return Denoiser(VOCABULARY, channels=(8, 8))


def measured(control, *args, **options) -> dict[str, dict]:
    """What a control records, by name."""
    results = Results(0)
    control(results, *args, **options)
    return {row["name"]: row for row in results.rows}


# Recording


def test_what_benchmarks_say_of_the_shipped_network_is_what_it_is():
    shipped = load_denoiser()
    usual = sampling_of(shipped)
    assert (bench.SHIPPED_GUIDANCE, [*bench.SHIPPED_INTERVAL]) == (usual.guidance_scale, [*usual.guidance_interval])
    size, _ = peers.OURS["ours-shipped-size"]
    assert {name: [*value] if name == "channels" else value for name, value in size.items()} == {
        name: shipped.config[name] for name in size
    }


def test_a_value_is_recorded_with_all_that_it_takes_to_measure_it_again(tmp_path):
    results = Results(7)
    results.record("speed", 1 / 3, "1/s", batch=64)
    results.write(tmp_path / "results.json")
    (row,) = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert list(row) == ["name", "value", "unit", "settings", "machine", "versions", "seed", "command"]
    assert row["value"] == 0.33333 and row["settings"] == {"batch": 64} and row["seed"] == 7
    assert row["machine"]["threads"] == torch.get_num_threads() and row["versions"]["torch"] == torch.__version__


@pytest.mark.parametrize("path", sorted((DATA / "benchmarks").glob("*.json")), ids=lambda path: path.stem)
def test_what_was_measured_is_kept_with_all_that_belongs_to_it(path):
    rows = json.loads(path.read_text(encoding="utf-8"))
    keys = ["name", "value", "unit", "settings", "machine", "versions", "seed", "command"]
    assert rows and all(list(row) == keys and all(row[key] for key in keys[2:6]) and row["command"] for row in rows)
    assert len({row["name"] for row in rows}) == len(rows)


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
    """How many held-out pairs by the record, by the captions and to the panel."""
    names = ["training pictures recorded as a held-out pair", "training captions that name a held-out pair"]
    return tuple(rows[name]["value"] for name in [*names, "training pictures the panel names as a held-out pair"])


def test_a_clean_training_set_passes(judge):
    rows = measured(controls.training_set, small_set(), judge, judge, fresh=8, seed=0)
    assert found(rows) == (0, 0, 0)
    held_out = rows["nearest training picture, fresh held-out drawings, median"]
    assert held_out["settings"]["nearest_is_of_the_same_pair"] == 0 and held_out["value"] > 0.1


def test_a_green_banana_in_the_training_set_is_caught(judge):
    rows = measured(controls.training_set, small_set(Fruit(*BANANA)), judge, judge, fresh=8, seed=0)
    recorded, captions, named = found(rows)
    assert recorded == named == 1 and captions == 4  # of middling size, said in four different ways
    settings = rows["training pictures the judge names as a held-out pair"]["settings"]
    assert settings["doubtful"] == [dict(place=56, recorded="green banana", named="green banana")]
    assert settings["of"] == 57 and settings["interval"] == list(Score(1, 57).as_dict()["interval"])


def test_a_green_banana_recorded_as_a_yellow_one_is_caught_by_the_judge(judge):
    rows = measured(
        controls.training_set, small_set(Fruit(*BANANA), recorded_as="yellow"), judge, judge, fresh=8, seed=0
    )
    assert found(rows) == (0, 0, 1)
    (doubtful,) = rows["training pictures the judge names as a held-out pair"]["settings"]["doubtful"]
    assert doubtful == dict(place=56, recorded="yellow banana", named="green banana")


def test_held_out_pairs_in_the_training_set_are_near_to_fresh_drawings(judge):
    smuggled = random_fruits(HELD_OUT_PAIRS, 1, drawings.FRESH_SEED)
    row = measured(controls.training_set, small_set(*smuggled), judge, judge, fresh=8, seed=0)[
        "nearest training picture, fresh held-out drawings, median"
    ]
    assert row["value"] < 1e-3 and row["settings"]["nearest_is_of_the_same_pair"] == 8
    assert list(row["settings"]["median_for_each_pair"])[1] == "green banana"


# Controls 2 to 5: counting


class NumberJudge:
    """Names pictures that hold the number of their pair in the first pixel."""

    def name(self, x):
        return [ALL_PAIRS[int(number)] for number in x[:, 0, 0, 0].round()]


JURY = juries.Jury(None, dict.fromkeys(("held_out", "seen", *HELD_OUT), Score(31, 32)))  # whoever judges


class AppleJudge:
    """Calls everything a red apple."""

    def name(self, x):
        return [("apple", "red")] * len(x)


def test_the_judges_error_is_the_share_that_it_gets_wrong():
    panel = Panel({"a": dict(width=8), "b": dict(width=8)})
    panel.judges["a"].name = panel.judges["b"].name = AppleJudge().name
    rows = measured(controls.own_error, panel, AppleJudge(), 128, 0)
    names = [f"{who} wrong about fresh drawings" for who in ("panel", "judge", "a of the panel", "b of the panel")]
    for row in (rows[name] for name in names):
        assert row["value"] == round(126 / 128, 5) and row["settings"]["wrong"] == 126 and row["settings"]["of"] == 128
        low, high = row["settings"]["interval"]
        assert low < row["value"] < high
    for who in ("panel", "judge"):
        held_out = rows[f"{who} wrong about fresh drawings of held-out pairs"]["settings"]
        assert held_out["wrong"] == held_out["of"] == 128
    assert list(held_out) == ["wrong", "of", "interval"]
    by_pair = rows["panel wrong about fresh drawings"]["settings"]["pairs"]
    assert len(by_pair) == 64 and {name for name, one in by_pair.items() if one["right"]} == {"red apple"}
    by_pair = rows["panel wrong about fresh drawings of held-out pairs"]["settings"]["pairs"]
    assert list(by_pair) == list(HELD_OUT) and {one["of"] for one in by_pair.values()} == {16}


def test_what_one_judge_of_the_panel_gets_wrong_the_panel_gets_wrong():
    panel = Panel({"a": dict(width=8), "b": dict(width=8)})
    wanted = [(f.kind, f.colour) for f in random_fruits(ALL_PAIRS, 1, TEST_SEED)]
    panel.judges["a"].name = lambda x: wanted[: len(x)]
    panel.judges["b"].name = lambda x: [*wanted[:-1], ("pear", "red")][: len(x)]
    rows = measured(controls.own_error, panel, AppleJudge(), 64, 0)
    wrong = {who: rows[f"{who} wrong about fresh drawings"]["settings"]["wrong"] for who in ("a of the panel", "panel")}
    assert wrong == {"a of the panel": 0, "panel": 1}
    assert rows["panel wrong about fresh drawings"]["settings"]["worst_pair"].endswith(", 0 of 1 right")


def test_the_worst_pair_is_found_over_all_seeds_and_the_panels_own_count_stands_beside():
    a = {"held_out": Score(3, 8), "green banana": Score(1, 4), "blue apple": Score(2, 4)}
    b = {"held_out": Score(6, 8), "green banana": Score(4, 4), "blue apple": Score(2, 4)}
    assert juries.worst_pair([a, b]) == {"worst_pair": "blue apple, 4 of 8 right"}
    assert juries.worst_pair([a]) == {"worst_pair": "green banana, 1 of 4 right"}
    assert juries.worst_pair([{"seen": Score(1, 2), "green banana": Score(0, 0)}]) == {}
    assert JURY.beside("green banana") == {"panel_on_fresh_drawings": "31 of 32 right"}


def test_seeds_of_sampling_are_counted_together_and_the_least_and_the_most_told(monkeypatch):
    asked = []

    def evaluate(model, judge, *, seed, bar, **options):
        asked.append((seed, options))
        return {"held_out": Score(8 - seed, 8), "blue apple": Score(2, 2), "green banana": Score(1, 2)}

    monkeypatch.setattr(controls, "evaluate", evaluate)
    rows = measured(controls.asked_for, "some network", [None] * 3, JURY, 2, steps=9)
    row = rows["held_out right, some network"]
    assert asked == [(2, {"steps": 9}), (3, {"steps": 9}), (4, {"steps": 9})]
    assert row["value"] == 0.625 and row["settings"]["interval"] == Score(15, 24).as_dict()["interval"]
    assert row["settings"]["least"] == 4 / 8 and row["settings"]["most"] == 6 / 8
    assert row["settings"]["worst_pair"] == "green banana, 3 of 6 right"
    assert row["settings"]["panel_on_fresh_drawings"] == "31 of 32 right"
    assert "worst_pair" not in rows["blue apple right, some network"]["settings"]
    several = measured(controls.asked_for, "networks", ["a", "b"], JURY, 2)["held_out right, networks"]["settings"]
    assert "interval" not in several and several["most"] == 6 / 8


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


def test_the_network_with_labels_never_trains_a_held_out_one_and_shuffled_captions_are_others_captions(
    monkeypatch, judge
):
    trained = []

    def train(run: Run, x0, tokens, *, steps, **how):
        trained.append(tokens)
        return iter(())

    monkeypatch.setattr(bench, "train_on", train)
    size = dict(steps=1, training_steps=3, training_seeds=2)
    few = dict(per_pair=1, per_seen_pair=1)
    likened = drawings.fresh_drawings(judge, 64, 0)
    rows = measured(controls.short_runs, small_set(), likened, JURY._replace(panel=judge), judge, size, 0, **few)
    ordinary, again, shuffled, _, labels, _ = trained
    said = set(decode(labels, controls.LABELS))
    assert len(said) == 56 and "redapple" in said and not said & {c + k for k, c in HELD_OUT_PAIRS}
    assert ordinary.shape == (56, bench.SHORT_RUNS["phrasings"], MAX_WORDS) and torch.equal(ordinary, again)
    moved = (ordinary != shuffled).flatten(1).any(dim=1).sum()
    assert moved > 50 and sorted(ordinary.flatten(1).tolist()) == sorted(shuffled.flatten(1).tolist())
    about = rows["held_out right, short run, shuffled captions"]["settings"]
    assert about["training_steps"] == 3 and about["training_seeds"] == [0, 1] and about["of"] == 2 * 8
    assert sum("Fréchet" in name for name in rows) == 2


# Control 6: like real pictures, all together


def test_drawings_are_as_near_as_the_floor_and_one_fruit_again_and_again_is_not(judge):
    g = torch.Generator().manual_seed(1)

    def draughtsman(x_t, t, tokens):
        return draw_many([random_fruit(g, **understand(caption)) for caption in decode(tokens, VOCABULARY)])

    def one_fruit(x_t, t, tokens):
        return draw_many([Fruit(*BANANA)]).expand_as(x_t)

    options = dict(drawings=drawings.fresh_drawings(judge, 128, 0), steps=1, seed=0, guidances=(1.0,))
    ratio = {m: measured(controls.likeness, m, judge, **options) for m in (draughtsman, one_fruit)}
    ratio = {model: rows["Fréchet distance, guidance 1, over the floor"]["value"] for model, rows in ratio.items()}
    assert 0.6 < ratio[draughtsman] < 1.6 and ratio[one_fruit] > 5


def test_drawings_of_which_every_second_is_mirrored_are_compared_too(judge):
    x0 = draw_many(random_fruits([("banana", "yellow")], 64, seed=0))
    likened = drawings.Drawings([("banana", "yellow")] * 64, None, x0, drawings.features(judge, x0), 2.0)
    rows = measured(controls.likeness, None, judge, likened, steps=1, seed=0, guidances=())
    half = torch.stack([x.flip(-1) if i % 2 == 0 else x for i, x in enumerate(x0)])
    far = frechet_distance(drawings.features(judge, half), likened.seen)
    name = "Fréchet distance, other drawings, every second mirrored, over the floor"
    assert rows[name]["value"] == pytest.approx(far / 2, rel=1e-3) and far > 1


def test_what_is_lost_on_the_way_back_from_a_level_is_measured_at_that_level(judge, monkeypatch):
    monkeypatch.setattr(controls, "NOISED_TO", (0.2, 0.8))
    likened, asked = drawings.fresh_drawings(judge, 64, 0), []

    def forgetful(x_t, t, tokens):
        asked.append(t)
        here = (likened.tokens[:, None] == tokens).all(dim=2).int().argmax(dim=0)
        return likened.others[here] if t < 0.3 else torch.zeros_like(x_t)

    rows = measured(controls.where_it_is_lost, forgetful, judge, likened, steps=2, seed=0)
    low, high = (rows[f"Fréchet distance, drawings noised to t = {t}, over the floor"]["value"] for t in (0.2, 0.8))
    assert low == pytest.approx(1, abs=0.05) and high > 5 and max(asked) == pytest.approx(0.8)


# All together


@pytest.mark.slow
def test_the_whole_script_runs_and_its_table_holds_every_value(tmp_path, monkeypatch, pictures, small_panel):
    monkeypatch.setattr(sys, "argv", ["controls.py", "--quick", "--out", str(tmp_path)])
    monkeypatch.setattr(controls, "training_pictures", lambda bar, times=1: pictures)
    controls.main()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["controls.json", "controls.md", "controls.png"]
    rows = json.loads((tmp_path / "controls.json").read_text(encoding="utf-8"))
    table = (tmp_path / "controls.md").read_text(encoding="utf-8")
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


def test_a_training_step_is_divided_into_convolutions_muon_and_the_rest():
    step, _ = bench.our_training(Denoiser(VOCABULARY, channels=(8, 8)), small_set(), 8)
    rows = measured(scaling.where_the_time_goes, "a step", step, 2)
    shares = {name: row["settings"]["ratio"] for name, row in rows.items()}
    assert sum(shares.values()) == pytest.approx(1) and all(0.01 < share < 0.99 for share in shares.values())

    def slow_step() -> None:
        step()
        time.sleep(1)

    slow = measured(scaling.where_the_time_goes, "a step", slow_step, 1)
    assert slow["a step, the rest"]["settings"]["ratio"] > 0.6 and slow["a step, the rest"]["value"] > 1
    linear, x = torch.nn.Linear(64, 64), torch.ones(8, 64)
    none = measured(scaling.where_the_time_goes, "products", lambda: linear(x), 2)
    assert none["products, convolutions"]["value"] == none["products, Muon"]["value"] == 0


def test_what_is_said_to_run_in_bfloat16_does():
    layer, inside = torch.nn.Linear(8, 8), []
    layer.register_forward_hook(lambda _, inputs, answer: inside.append(answer.dtype))
    x = torch.randn(4, 8)
    answer = bench.in_bfloat16(layer)(x)
    assert inside == [torch.bfloat16] and answer.dtype == torch.float32
    assert 0 < (answer - layer(x)).abs().max() < 0.1


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
    model, seen = Denoiser(VOCABULARY, channels=(8, 8), width=8), []
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
    monkeypatch.setattr(scaling.weights, "load_denoiser", small_denoiser)
    monkeypatch.setattr(sys, "argv", ["scaling.py", "--quick", "--out", str(tmp_path)])
    scaling.main()
    assert opened == [14336, 14336, 1792, 1792] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scaling.json", "scaling.md", "scaling.png"]

    rows = {row["name"]: row for row in json.loads((tmp_path / "scaling.json").read_text(encoding="utf-8"))}
    table = (tmp_path / "scaling.md").read_text(encoding="utf-8")
    assert all(f"| {name} | " in table for name in rows)
    assert all(
        row["value"] > 0 and row["settings"]["ratio"] > 0 and row["settings"]["ratio_to"] for row in rows.values()
    )
    kinds = ("training", "sampling"), ("", ", shipped size"), ("", ", bfloat16"), ("matrix products", "convolutions")
    for who, size, said, what in itertools.product(*kinds):
        assert f"{who}, our network{size}{said}, beside {what}" in rows
    assert {f"a training step, our network, {part}" for part in ("convolutions", "Muon", "the rest")} <= rows.keys()
    for axis, values in ("picture size", (32, 64)), ("batch", (1, 2)), ("set size", (14336, 1792)), ("threads", (1, 2)):
        assert rows.keys() >= {f"training, {axis} {value}" for value in values}
    ways = {"training, shipped size": ("plain", "fewer products", "fewer products, bfloat16")}
    for name, values in (ways | {"one picture": ("plain", "frozen")}).items():
        assert rows.keys() >= {f"{name}, way {value}" for value in values}
    for state in ("idle machine", "one core busy"):
        assert rows.keys() >= {f"training, {state}, threads {count}" for count in (1, 2)}
    assert rows["training set, memory, set size 1792"]["settings"]["ratio"] == 1 / 8
    assert rows["training set, file, set size 1792"]["settings"]["ratio"] == pytest.approx(1 / 8, rel=0.01)

    by_batch = scaling.draw([*rows.values()]).axes[1]
    for line, name in zip(by_batch.lines, ("training", "a guided step"), strict=True):
        assert line.get_xdata().tolist() == [1, 2]
        assert line.get_ydata().tolist() == [rows[f"{name}, batch {count}"]["value"] for count in (1, 2)]


# Choices


def test_each_choice_changes_the_training_it_is_about(monkeypatch):
    monkeypatch.setattr(choices.show, "progress", lambda reports, leave: reports)
    monkeypatch.setattr(choices, "SHORT_RUNS", choices.SHORT_RUNS | dict(batch_size=4))
    pictures = small_set()

    def guess(model) -> list[float]:
        return model(pictures.x0[:4], 0.5, pictures.tokens[:4, 0]).flatten()[::97].tolist()

    there = {name: choice for name, choice in choices.CHOICES.items() if name != "compiled"}
    guesses = {name: guess(choices.trained(choice, pictures, 64, 0)) for name, choice in there.items()}
    base = pytest.approx(guesses[choices.BASE], abs=1e-5)
    same = {name for name, found in guesses.items() if found == base}
    assert same <= {choices.BASE, "memory: channels first"}
    assert guess(choices.trained(choices.CHOICES[choices.BASE], pictures, 64, 0)) == base  # nothing stayed behind


@pytest.mark.parametrize(
    ("run", "rates"),
    [(choices.CosineRun, [1, 0.75, 0.25]), (choices.WarmRun, [1 / 3, 2 / 3, 1])],
)
def test_a_learning_rate_follows_the_schedule_of_its_name(run, rates, monkeypatch):
    seen = []
    monkeypatch.setattr(Run, "update", lambda self, loss, learning_rate: seen.append(learning_rate))
    some = run(Denoiser(VOCABULARY, channels=(8, 8)), learning_rate=2.0, seed=0)
    some.steps = 3 if run is choices.CosineRun else 30
    for some.step in range(3):
        some.update(None, 2.0)
    assert seen == pytest.approx([2 * rate for rate in rates])


def test_noise_levels_are_changed_as_their_name_says():
    generator = torch.Generator().manual_seed(0)
    drawn = {
        name: choice.levels(20_000, generator)
        for name, choice in choices.CHOICES.items()
        if isinstance(choice, choices.Choice) and choice.levels is not random_levels
    }
    n = {name: torch.logit(t[t < 1].double()) for name, t in drawn.items()}
    for name, middle, width in (
        ("levels: N(0, 1), not N(0.5, 1)", 0, 1),
        ("levels: N(1, 1)", 1, 1),
        ("levels: N(0.5, 4)", 0.5, 2),
    ):
        assert n[name].mean() == pytest.approx(middle, abs=0.05) and n[name].std() == pytest.approx(width, abs=0.05)
    even = drawn["levels: all alike"]
    assert (even[even < 1] < 0.25).float().mean() == pytest.approx(0.25, abs=0.02)
    assert all(float((t == 1).float().mean()) == pytest.approx(1 / 16, abs=0.01) for t in drawn.values())


def test_what_a_choice_costs_is_measured_beside_the_recipe(monkeypatch):
    def begun(choice, pictures, count, seed):
        run = Run(Denoiser(VOCABULARY, channels=(8, 8)))

        def steps():
            while True:
                run.seconds += 3.0 if choice.options else 1.0
                yield

        return run, steps()

    monkeypatch.setattr(choices, "begun", begun)
    twice = choices.Choice(options=dict(batch_size=2 * bench.SHORT_RUNS["batch_size"]))
    assert choices.cost(twice, None, 5) == 1.5


def test_each_way_of_asking_is_another_and_one_scale_for_all_levels_is_ordinary_guidance(judge):
    size = choices.QUICK | dict(per_pair=2, steps=4)
    likened, asked, distances = drawings.fresh_drawings(judge, 64, 0), {}, {}

    def noted(x_t, t, tokens):
        asked[name].append((round(float(t[0]), 3), len(x_t)))
        return 0.5 * x_t * t.reshape(-1, 1, 1, 1) + 0.005 * tokens.sum(dim=1)[:, None, None, None]

    for name, way in ({choices.BASE: choices.Way()} | choices.WAYS).items():
        asked[name] = []
        found = choices.asked(way, noted, JURY._replace(panel=judge), judge, likened, size, 0)
        assert found.held_out.of == 16 and found.seen.of == 56 and list(found.pairs) == list(HELD_OUT)
        distances[name] = found.distance
    assert (
        len({round(distance, 6) for distance in distances.values()}) >= len(distances) - 2
    )  # of few levels some agree
    levels = {name: sorted({t for t, _ in calls}) for name, calls in asked.items()}
    assert levels[choices.BASE] == [0.25, 0.5, 0.75, 1.0] and len(levels["sampler: 8 steps"]) == 8
    assert levels["sampler: levels closer together near t = 0"][0] < 0.25
    assert levels["sampler: levels closer together near t = 1"][-2] > 0.75
    once = {t for t, count in asked["guidance: 3 from t = 0.3 to 0.82, else 1"] if count in (16, 56, 64)}
    assert once == {0.25, 1.0}
    name = "as usual"
    asked[name] = []
    usual = dict(generator=torch.Generator().manual_seed(0), steps=4, guidance_scale=2.0)
    tokens = encode([phrasings(*pair)[1] for pair in HELD_OUT_PAIRS for _ in range(2)], VOCABULARY)
    generate_many(noted, tokens, **usual), generate_many(noted, encode(["a red apple"] * 56, VOCABULARY), **usual)
    distance = drawings.distance_over_floor(noted, judge, likened, "", **usual)
    assert distance == pytest.approx(distances["guidance: 2"], rel=1e-4)


@pytest.fixture
def two_choices(tmp_path, monkeypatch):
    """`choices.main`, whose training and asking are made up, and what it trained."""
    trained = []

    def training(choice, pictures, count, seed):
        trained.append(seed)

    found = choices.Found(Score(1, 2), Score(1, 2), 3.0, {"blue apple": Score(1, 1), "green banana": Score(0, 1)})
    monkeypatch.setattr(choices, "shipped_jury", lambda: JURY)
    monkeypatch.setattr(choices, "CHOICES", {choices.BASE: choices.Choice(), "other": choices.Choice()})
    monkeypatch.setattr(choices, "cost", lambda choice, *_: 1.25)
    monkeypatch.setattr(choices, "trained", training)
    monkeypatch.setattr(choices, "asked", lambda *_: found)
    monkeypatch.setattr(choices, "training_pictures", lambda bar, times=1: None)
    monkeypatch.setattr(sys, "argv", ["choices.py", "--quick", "--out", str(tmp_path)])
    return trained


def test_choices_are_recorded_once_and_a_file_of_another_recipe_is_not_added_to(tmp_path, monkeypatch, two_choices):
    choices.main()
    choices.main()
    assert two_choices == [0, 1, 0, 1]
    rows = json.loads((tmp_path / "choices.json").read_text(encoding="utf-8"))
    assert len(rows) == len({row["name"] for row in rows}) == 3 * (2 + len(choices.WAYS)) + 2
    page = (tmp_path / "choices.md").read_text(encoding="utf-8")
    assert "| other | 50 %, 50 % | green banana, 0 of 2 right | 50 %, 50 % | 3.0, 3.0 | 1.25 |" in page
    assert "31 of 32 fresh drawings of held-out pairs" in page
    steps = {row["settings"]["choice"]: row["settings"].get("steps") for row in rows if "Fréchet" in row["name"]}
    assert steps["sampler: 50 steps, not 25"] == 50 and steps["other"] == choices.QUICK["steps"]

    kept = [row for row in rows if row["settings"]["choice"] not in ("other", "sampler: 8 steps")]
    gone = rows[0] | dict(name="held out right, no more", settings=rows[0]["settings"] | dict(choice="no more"))
    (tmp_path / "choices.json").write_text(
        json.dumps([*kept, gone]), encoding="utf-8"
    )  # stopped half way, and a choice has gone since
    choices.main()
    again = json.loads((tmp_path / "choices.json").read_text(encoding="utf-8"))
    assert {row["name"] for row in again} == {row["name"] for row in rows}
    assert choices.names_of(again) == [choices.BASE, *choices.WAYS, "other"]

    monkeypatch.setattr(choices, "shipped_jury", lambda: JURY._replace(fresh=dict.fromkeys(JURY.fresh, Score(1, 2))))
    with pytest.raises(SystemExit, match="Delete it"):  # another panel counts otherwise
        choices.main()
    monkeypatch.setattr(choices, "shipped_jury", lambda: JURY)
    monkeypatch.setattr(choices, "SHORT_RUNS", choices.SHORT_RUNS | dict(learning_rate=1.0))
    with pytest.raises(SystemExit, match="Delete it"):
        choices.main()
    assert json.loads((tmp_path / "choices.json").read_text(encoding="utf-8")) == again


def test_what_is_far_too_slow_here_is_left_out(tmp_path, monkeypatch, two_choices, capsys):
    slow = choices.CHOICES["other"]
    monkeypatch.setattr(choices, "cost", lambda choice, *_: 100.0 if choice is slow else 1.0)
    monkeypatch.setattr(choices, "CHOICES", {choices.BASE: choices.Choice(prepare=print), "other": slow})
    choices.main()
    assert "other: 100 times slower, and left out" in capsys.readouterr().err
    assert "other" not in (tmp_path / "choices.md").read_text(encoding="utf-8")


# The minute


@pytest.mark.slow
def test_the_minute_runs_from_end_to_end_and_its_table_holds_every_value(tmp_path, monkeypatch, small_panel):
    monkeypatch.setattr(sys, "argv", ["bench.py", "--quick", "--out", str(tmp_path)])
    monkeypatch.setattr(bench, "QUICK", bench.QUICK | dict(budgets=(0.2, 0.4)))
    blocks = dict(layers_per_block=1, block_out_channels=(32, 32), down_block_types=("DownBlock2D",) * 2)
    small = partial(UNet2DModel, sample_size=32, in_channels=3, out_channels=3, up_block_types=("UpBlock2D",) * 2)
    monkeypatch.setattr(bench, "course_unet", partial(small, **blocks))
    monkeypatch.setattr(bench, "matrix_multiply_peak", partial(bench.matrix_multiply_peak, 256))
    bench.main()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "results.md", "results.png"]
    rows = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    table = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert all(f"| {row['name'].replace('_', ' ')} | " in table for row in rows)
    assert all(row["settings"] for row in rows)
    assert len(rows[-2]["settings"]["for_each_seed"]) == 1 and "shipped weights" in rows[-2]["name"]
    trained = [row["settings"] for row in rows if row["name"].endswith("s of training")]
    assert len(trained) == 8
    beside = table.split("| what | the panel | one judge alone |")[1]
    shares = [row for row in rows if row["unit"] == "share"]
    assert len(shares) == 9 and all(row["name"].replace("_", " ") in beside for row in shares)
    assert all(row["settings"]["panel_on_fresh_drawings"] in beside for row in shares)
    assert sum("worst_pair" in row["settings"] for row in shares) == 3
    assert all(len(about.get("right_for_each_seed", about.get("for_each_seed"))) == 2 for about in trained)


# Peers


@pytest.mark.parametrize("t", [0.02, 0.5, 0.9, 1.0])
def test_a_peer_that_guesses_the_noise_exactly_guesses_the_picture(t):
    x0, eps, shown = draw_many(random_fruits(TRAINING_PAIRS[:4], 1, 0)), torch.randn(4, 3, 32, 32), []

    def network(net, x_t, level, labels):
        shown.append((level, labels.tolist()))
        return (x_t - (1 - level) * x0) / level

    peer = Peer(torch.nn.Identity(), None, network, None, batch_size=4, noisiest=0.95)
    x_t = add_noise(x0, t, eps)
    guess = peer.guess(
        x_t, torch.full((4,), t), encode([phrasings(*pair)[1] for pair in TRAINING_PAIRS[:4]], VOCABULARY)
    )
    ((level, labels),) = shown
    assert level == pytest.approx(min(t, 0.95)) and labels == [
        [KINDS.index(kind), COLOURS.index(colour)] for kind, colour in TRAINING_PAIRS[:4]
    ]
    assert torch.allclose(guess, x0, atol=1e-3)


def test_the_network_written_from_its_description_trains_and_hears_its_context():
    torch.manual_seed(0)
    x, time, words = torch.randn(2, 3, 32, 32), torch.full((2, 1), 0.5), torch.eye(16)[:2]
    network = ContextUnet().eval()
    assert network(x, time, words).shape == x.shape
    assert not torch.allclose(network(x, time, words), network(x, time, 0 * words))
    peer = context_unet()
    before = [value.clone() for value in peer.network.parameters()]
    steps = peer.train(small_set(), 1.0, torch.Generator().manual_seed(0))
    next(steps)
    assert all(not torch.equal(a, b) for a, b in zip(before, peer.network.parameters(), strict=True) if a.ndim > 1)


def peer_rows(name: str, processor: str) -> list[dict]:
    """What `peers` records of a network, made up."""
    results = Results(0)
    about = dict(peers.COUNTED, peer=name, minutes=[1.0])
    for group in ("held_out", "seen"):
        more = about | dict(after_minutes=1.0, right=3, of=4)
        results.record(f"{name}: {group} right, 1 min of training", 0.75, "share", **more)
    results.record(f"{name}: training", 10.0, "pictures per second", **about)
    results.record(f"{name}: 64 pictures x 50 steps", 2.0, "s", guided=True, **about)
    results.record(f"{name}: peak memory of training", 100.0, "MiB", **about)
    return [row | dict(machine=row["machine"] | dict(processor=processor)) for row in results.rows]


def test_a_peer_is_measured_once_and_never_beside_those_of_another_machine(tmp_path, monkeypatch):
    here, asked = Results(0).about["machine"]["processor"], []

    def process(command, **options):
        asked.append(command[command.index("--only") + 1])
        rows = peer_rows(asked[-1], here)
        return subprocess.CompletedProcess(command, asked[-1] == "context-unet", "a line\n" + json.dumps(rows))

    monkeypatch.setattr(peers.subprocess, "run", process)
    call = ["peers.py", "--minutes", "1", "--out", str(tmp_path), "--only"]
    monkeypatch.setattr(sys, "argv", [*call, "ours", "context-unet"])
    assert peers.main() == 1 and peers.main() == 1
    assert asked == ["ours", "context-unet", "context-unet"]  # what failed is tried again
    assert "| ours | 10.0 | 75 % | 75 % | 2.0 s | 100 MiB |" in (tmp_path / "peers.md").read_text(encoding="utf-8")

    alone = [row | dict(settings=row["settings"] | dict(counted_by="one judge")) for row in peer_rows("ours", here)]
    (tmp_path / "peers.json").write_text(json.dumps(alone), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [*call, "diffusers-hf-course"])
    with pytest.raises(SystemExit, match="ours of another machine, or not counted by the panel"):
        peers.main()

    rows = peer_rows("ours", "another")
    (tmp_path / "peers.json").write_text(json.dumps(rows), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [*call, "diffusers-hf-course"])
    with pytest.raises(SystemExit, match="ours of another machine"):
        peers.main()
    assert json.loads((tmp_path / "peers.json").read_text(encoding="utf-8")) == rows
    (tmp_path / "peers.json").write_text(json.dumps(rows + peer_rows("context-unet", "another")), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [*call, "ours", "context-unet"])
    assert peers.main() == 1 and asked[-2:] == ["ours", "context-unet"]
    assert {
        row["machine"]["processor"] for row in json.loads((tmp_path / "peers.json").read_text(encoding="utf-8"))
    } == {here}


# Few steps


def test_quality_is_counted_for_each_group_and_each_number_of_steps(judge):
    likened = drawings.fresh_drawings(judge, 128, 1)
    drawn = draw_many([Fruit(kind, colour) for kind, colour in likened.pairs])

    def draughtsman(x_t, t, tokens):
        here = (likened.tokens[:, None] == tokens).all(dim=2).int().argmax(dim=0)
        return drawn[here]

    way = ("draughtsman", 1.0, (1, 3, 9))
    jury = JURY._replace(panel=judge)
    rows = measured(few_steps.quality, way, draughtsman, jury, judge, likened, longest=3, seed=0)
    groups = {"held out": HELD_OUT_PAIRS, "seen": TRAINING_PAIRS}
    for steps, (group, pairs) in itertools.product((1, 3), groups.items()):
        about = rows[f"{group} right, draughtsman, steps {steps}"]["settings"]
        assert about["of"] == sum(pair in pairs for pair in likened.pairs) and about["right"] >= 0.95 * about["of"]
        assert about["panel_on_fresh_drawings"] == "31 of 32 right" and ("worst_pair" in about) == (group == "held out")
    assert not any("steps 9" in name for name in rows)
    ratio = rows["Fréchet distance over the floor, draughtsman, steps 3"]
    assert ratio["value"] == pytest.approx(
        rows["Fréchet distance, draughtsman, steps 3"]["value"] / likened.floor, 1e-3
    )


@pytest.mark.slow
def test_few_steps_runs_from_end_to_end_and_its_table_holds_every_value(tmp_path, monkeypatch, small_panel):
    monkeypatch.setattr(sys, "argv", ["few_steps.py", "--quick", "--out", str(tmp_path)])
    monkeypatch.setattr(few_steps.weights, "load_denoiser", small_denoiser)
    few_steps.main()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few_steps.json", "few_steps.md", "few_steps.png"]
    rows = json.loads((tmp_path / "few_steps.json").read_text(encoding="utf-8"))
    table = (tmp_path / "few_steps.md").read_text(encoding="utf-8")
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

RIGHT = Verdict(count=True, kinds=True, colours=True, things=True, sizes=None, order=True, background=None)
SWAPPED = RIGHT._replace(things=False, order=False)


def test_swaps_are_counted_and_shown_and_no_picture_is_chosen():
    answer = Answer(["a red apple and a pear"] * 6, torch.zeros(6, 3, 64, 64), [RIGHT] * 5 + [SWAPPED])
    rows = measured(scenes.asked_for, {"seen": answer}, steps=1)
    assert rows["seen: swapped"]["settings"]["right"] == 1 and rows["seen: all right"]["value"] == round(5 / 6, 5)
    texts = [[text.get_text() for text in ax.texts] for ax in scenes.draw({"seen": answer}).axes]
    assert ["✗" in "".join(text) for text in texts] == [False] * 4 + [True] + [False] * 3
    assert [len(text) for text in texts] == [1] * 5 + [0] * 3  # a row of the first four, a row with the swapped one
    assert len(scenes.draw({"seen": Answer(*(part[:5] for part in answer))}).axes) == 4


def test_each_form_of_sentence_is_counted_by_itself():
    captions = ["a red apple and a pear", "a pear to the left of a red apple", "a red apple and a banana"]
    rows = measured(scenes.by_form, Answer(captions, torch.zeros(3, 3, 64, 64), [RIGHT, RIGHT, SWAPPED]), "sizes")
    right = {name: (row["settings"]["right"], row["settings"]["of"]) for name, row in rows.items()}
    assert right == {"sizes, joined by and: all right": (1, 2), "sizes, joined by to the left of: all right": (1, 1)}


def test_what_appears_in_place_of_three_is_counted():
    things = (("apple", "red"), ("pear", "green"), ("pear", "green"))

    class Looker:
        def see(self, x):
            rows = (things[:2], things[1:], (("banana", "red"),))
            return [Seen(row, ("",) * len(row), "white") for row in rows][: len(x)]

    answer = Answer(["a red apple and a green pear and a yellow lemon"] * 3, torch.zeros(3, 3, 64, 64), [])
    rows = measured(scenes.what_appears, Looker(), answer, "three")
    right = {name: row["settings"]["right"] for name, row in rows.items() if row["settings"]["right"]}
    assert right == {
        "three: 2 in the picture": 2,
        "three: 1 in the picture": 1,
        "three: 2 of the things asked for": 1,
        "three: 1 of the things asked for": 1,
        "three: 0 of the things asked for": 1,
    }
    assert len(rows) == 3 + 4


def test_other_drawings_are_as_far_from_drawings_as_drawings_are_and_grey_pictures_further():
    class Looker:
        def features(self, x):
            return x.mean(dim=(2, 3))  # how red, green and blue

    captions = ["a red apple beside a green pear", "two yellow lemons on a green background", "a small pink pear"] * 20
    things = [(("apple", "red"), ("pear", "green")), (("lemon", "yellow"),) * 2, (("pear", "pink", "small"),)] * 20
    grounds, g = [None, "green", None] * 20, torch.Generator().manual_seed(5)
    drawn = draw([random_scene(g, one, ground) for one, ground in zip(things, grounds, strict=True)])
    three = Answer(["a red apple and a green pear and a yellow lemon"] * 9, torch.ones(9, 3, 64, 64), [])

    def far(made):
        answers = {"seen": Answer(captions, made, []), "three": three}
        row = measured(scenes.likeness, Looker(), answers)["Fréchet distance over the floor"]
        assert row["settings"]["pictures"] == 60 and row["settings"]["floor"] > 0
        return row["value"]

    assert far(drawn) < 8 < far(torch.zeros(60, 3, 64, 64)) / 2


@pytest.mark.slow
def test_scenes_run_from_end_to_end_and_their_table_holds_every_value(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["scenes.py", "--quick", "--out", str(tmp_path)])
    scenes.main()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scenes.json", "scenes.md", "scenes.png"]
    rows = json.loads((tmp_path / "scenes.json").read_text(encoding="utf-8"))
    table = (tmp_path / "scenes.md").read_text(encoding="utf-8")
    assert {row["name"] for row in rows} >= {"unseen: all right", "three: swapped", "judge, fresh drawings: two"}
    counted = [row for row in rows if row["unit"] == "share"]
    assert all("| " + row["name"].replace(": ", " | ") + " | " in table for row in counted)
    (far,) = (row for row in rows if row not in counted)
    assert f"Fréchet distance over the floor, 28 pictures, without those of three: {far['value']:.1f}" in table
