"""The controls of tests/benchmarks in tiny form: each must notice what it is there to notice."""

import json
import sys

import bench
import controls
import pytest
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
from course_lib.fruit import Fruit, random_fruit
from course_lib.judge import Score, evaluate
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

    def train(run: Run, x0, tokens, *, steps, batch_size, flip):
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
