"""The race in tiny form: both marks count, lengths and seeds are run by the rules, and the page says what was found."""

import json
import os
import statistics
import subprocess
from functools import partial
from pathlib import Path

import pytest
import race
import race_recipes
import torch
from drawings import fresh_drawings
from race_recipes import ENTRIES, Recipe
from race_rules import (
    CURVE_SEEDS,
    FULL,
    HELD_OUT_NAMES,
    LENGTHS,
    MOST,
    SEEDS,
    due,
    outcome,
    outcomes,
    reaches,
    shortest,
)
from results import Results

from course_lib import train as training
from course_lib.captions import decode
from course_lib.fruit.drawing import Fruit, random_fruit
from course_lib.fruit.pictures import Pictures, caption_tokens, draw_many, random_fruits
from course_lib.fruit.prompts import understand
from course_lib.fruit.words import HELD_OUT_PAIRS, TRAINING_PAIRS, VOCABULARY
from course_lib.judging.panel import Panel
from course_lib.model import Denoiser
from course_lib.tools.files import DATA, write_tensors
from course_lib.train import denoising_loss

TINY = dict(channels=(8, 16), width=8)


def found(length: float = 30, seed: int = 0, right: int = 500, distance: float = 4.0, entry: str = "today") -> dict:
    """What came of an attempt; what is wrong is wrong of the last pair first."""
    each = {name: max(0, min(64, right - 64 * place)) for place, name in enumerate(HELD_OUT_NAMES)}
    about = dict(entry=entry, length=length, seed=seed, date="2026-11-28", code="abc", right=right, of=512, per_pair=64)
    about |= dict(right_of_each_pair=each, distance=distance, peak_tflops=0.4, matmul_tflop=0.4 * length + 0.1 * seed)
    return about | dict(recipe=ENTRIES[entry].settings() | FULL)


GOOD, BAD = dict(right=500, distance=4.0), dict(right=300, distance=9.0)


def nine(length: float = 30, reached: int = MOST, **about) -> list[dict]:
    return [found(length, seed, **(GOOD if seed < reached else BAD), **about) for seed in range(SEEDS)]


def rows_of(attempts: list[dict]) -> list[dict]:
    results = Results(0)
    for about in attempts:
        results.record(f"{about['entry']} {about['length']} {about['seed']}", about["right"] / 512, "share", **about)
    return results.rows


# Marks, and what is run


@pytest.mark.parametrize(
    ("right", "distance", "both"), [(487, 5.0, True), (486, 1.0, False), (512, 5.01, False), (0, 90.0, False)]
)
def test_an_attempt_reaches_both_marks_or_none(right, distance, both):
    assert reaches(found(right=right, distance=distance)) == both


def test_the_middle_and_the_spread_of_the_seeds_are_told_and_the_worst_pair():
    rights, distances = [480, 512, 490, 500, 505, 511, 470, 495, 499], [4, 3, 6, 2.5, 4.5, 3.5, 9, 4.2, 4.1]
    here = [found(60, seed, r, d) for seed, (r, d) in enumerate(zip(rights, distances, strict=True))]
    o = outcome(here)
    assert (o.length, o.seeds, o.reached) == (60, 9, 6)  # 480 and 470 are too few, 6 and 9 too far
    assert o.right == tuple(100 * n / 512 for n in (499, 470, 512))
    assert o.distance == (statistics.median(distances), 2.5, 9) and o.matmul == pytest.approx((24.4, 24.0, 24.8))
    assert o.worst == f"{HELD_OUT_NAMES[-1]}, {499 - 7 * 64} of 64"


def ran(lengths, seeds: int, outcome_of) -> list[tuple[float, int]]:
    """All that an entry runs, in this order, where outcome_of(length, seed) says whether both marks are reached."""
    attempts, order = [], []
    while (todo := due(lengths, seeds, attempts)) is not None:
        order.append(todo)
        attempts.append(found(*todo, **(GOOD if outcome_of(*todo) else BAD)))
    return order


def test_lengths_are_climbed_until_one_is_enough_and_beyond_it_a_few_seeds_are_run():
    order = ran((240, 15, 30, 45, 480, 60, 120), SEEDS, lambda length, seed: length >= 45)
    seeds_at = {length: [seed for at, seed in order if at == length] for length in dict(order)}
    assert list(seeds_at) == [15, 30, 45, 60, 120, 240]  # 480 is nobody's usual length
    assert seeds_at[15] == seeds_at[30] == [0, 1, 2, 3, 4]  # five have failed: nine cannot mend it
    assert seeds_at[45] == [*range(SEEDS)] and seeds_at[60] == seeds_at[240] == [*range(CURVE_SEEDS)]


def test_a_length_is_run_to_the_end_while_it_may_still_be_enough():
    assert ran((15,), SEEDS, lambda length, seed: seed >= SEEDS - MOST) == [(15, seed) for seed in range(SEEDS)]
    assert ran((15,), CURVE_SEEDS, lambda *_: True) == [(15, seed) for seed in range(CURVE_SEEDS)]
    assert due((15, 30), SEEDS, [found(15, 1, **GOOD)]) == (15, 0), "a seed that is missing is not forgotten"


def test_an_entrys_time_is_the_shortest_length_that_is_enough_for_all_its_seeds():
    assert shortest(outcomes([*nine(60), *nine(30, MOST - 1), *nine(120)])).length == 60
    assert shortest(outcomes(nine(30, MOST - 1))) is None
    assert shortest(outcomes(nine(30, SEEDS)[:CURVE_SEEDS])) is None, "three seeds are no record"


# One attempt


def test_the_peak_is_a_median_and_matmul_seconds_are_seconds_times_peak(monkeypatch, tmp_path):
    assert race.peak_of([1.0, 9.0, 2.0], n=1000) == pytest.approx(2 * 1000**3 / 2.0 / 1e12)
    monkeypatch.setattr(race, "peak_times", iter([[0.5], [0.1, 0.2]]).__next__)
    monkeypatch.setitem(ENTRIES, "tiny", Recipe("tiny", config=TINY))
    asked = {}

    def train(name, seconds, seed, path):
        write_tensors(path, Denoiser(VOCABULARY, **TINY).state_dict(), dict(seconds=12.5, steps=7))

    def judging(model, recipe, seed):
        asked.update(model=model, recipe=recipe, seed=seed)
        return dict(right=1, of=2)

    about = race.attempt(train, "tiny", 12, 3, judging)
    peak = 2 * 2048**3 / 0.2 / 1e12
    assert about["peak_tflops"] == pytest.approx(peak, rel=1e-3)
    assert about["matmul_tflop"] == pytest.approx(12.5 * peak, rel=1e-3)
    assert (about["length"], about["trained_seconds"], about["trained_steps"], about["seed"]) == (12, 12.5, 7, 3)
    assert asked["recipe"] is ENTRIES["tiny"] and asked["seed"] == 3 and about["right"] == 1


@pytest.fixture(scope="module")
def few():
    fruits = random_fruits(TRAINING_PAIRS, 1, 5)
    return Pictures(draw_many(fruits), caption_tokens(fruits), fruits)


def test_an_entry_is_trained_as_its_recipe_says_for_as_long_as_it_says(few):
    seen = []

    def loss(model, x0, t, eps, tokens):
        seen.append((len(x0), training.FALL, model.config["channels"]))
        return denoising_loss(model, x0, t, eps, tokens)

    usual = training.FALL
    recipe = Recipe("", config=TINY, batch_size=6, loss=loss, patches=dict(FALL=0.9))
    ema, spent, steps = race_recipes.train_here(recipe, few, 0.5, 0)
    assert len(seen) == steps > 0 and set(map(str, seen)) == {str((6, 0.9, [8, 16]))}
    assert usual == training.FALL
    assert 0.5 <= spent < 5 and not ema.training
    assert recipe.settings()["loss"] == "loss" and recipe.settings() == json.loads(json.dumps(recipe.settings()))


def test_another_projects_network_trains_in_its_own_way_and_a_step_under_way_counts(few, monkeypatch):
    class Slow:
        asked, network = None, torch.nn.Linear(1, 1)

        def train(self, pictures, seconds, generator):
            for _ in range(9):
                race_recipes.time.sleep(0.2)
                yield

    monkeypatch.setitem(race_recipes.PEERS, "slow", Slow)
    network, spent, steps = race_recipes.train_here(Recipe("", peer="slow"), few, 0.3, 0)
    assert network is Slow.network and steps == 2 and spent >= 0.4


def test_what_a_training_left_in_a_file_answers_as_it_did(few, monkeypatch, tmp_path):
    made = {}

    def train_here(*args):
        made["network"] = Denoiser(VOCABULARY, **TINY).eval()
        torch.nn.init.normal_(made["network"].leave[-1].weight)
        return made["network"], 1.5, 9

    monkeypatch.setattr(race_recipes, "train_here", train_here)
    monkeypatch.setattr(race_recipes, "training_pictures", lambda bar: few)
    recipe = Recipe("", config=TINY)
    race_recipes.train_to_file(recipe, 1, 0, tmp_path / "x.safetensors")
    model, about = race_recipes.asked_network(recipe, tmp_path / "x.safetensors")
    x, t, tokens = few.x0[:2], torch.tensor([0.3, 0.9]), few.tokens[:2, 0]
    assert torch.equal(model(x, t, tokens), made["network"](x, t, tokens)) and about["seconds"] == 1.5


@pytest.mark.parametrize(("off", "vocabulary"), [(0.1, VOCABULARY), (0.0, VOCABULARY[::-1]), (0.0, VOCABULARY)])
def test_a_network_of_earlier_code_is_refused_if_it_answers_otherwise_here(off, vocabulary, few, tmp_path):
    network = Denoiser(VOCABULARY, **TINY).eval().requires_grad_(False)
    asked = dict(x_t=few.x0[:2], t=torch.tensor([0.3, 0.9]), tokens=few.tokens[:2, 0])
    asked["x0_hat"] = network(*asked.values()) + off
    tensors = network.state_dict() | {f"asked.{name}": value for name, value in asked.items()}
    write_tensors(tmp_path / "x.safetensors", tensors, dict(seconds=1.0, steps=1, vocabulary=list(vocabulary)))
    opened = partial(race_recipes.asked_network, Recipe("", config=TINY, commit="c22f206"), tmp_path / "x.safetensors")
    if off or vocabulary != VOCABULARY:
        with pytest.raises(ValueError, match="does not answer as that of c22f206"):
            opened()
    else:
        assert torch.allclose(opened()[0](*list(asked.values())[:3]), asked["x0_hat"])


def test_all_of_the_panel_count_each_pair_and_the_same_way_of_asking_makes_all_pictures(judge, monkeypatch):
    g, asked = torch.Generator().manual_seed(1), []

    def draughtsman(x_t, t, tokens):
        return draw_many([random_fruit(g, **understand(caption)) for caption in decode(tokens, VOCABULARY)])

    def bananas(x_t, t, tokens):
        return draw_many([Fruit("banana", "green")]).expand_as(x_t)

    def generate_many(*args, _generate_many=race.generate_many, **how):
        asked.append({name: value for name, value in how.items() if name != "generator"})
        return _generate_many(*args, **how)

    monkeypatch.setattr(race, "generate_many", generate_many)
    likened = fresh_drawings(judge, 128, 0)
    recipe = Recipe("", guidance_scale=1.0, guidance_interval=(0.1, 0.7), steps=1)
    panel = Panel({"one": dict(), "two": dict()})
    panel.judges["one"] = panel.judges["two"] = judge
    judged = partial(race.judged, recipe=recipe, seed=0, per_pair=2, judge=judge, drawings=likened)
    good, poor = judged(draughtsman, panel=panel), judged(bananas, panel=panel)
    assert good["right"] == good["of"] == 16 and 0.5 < good["distance"] < 2 and good["drawings"] == 128
    assert poor["right_of_each_pair"] == {name: 2 * (name == "green banana") for name in HELD_OUT_NAMES}
    assert poor["right"] == 2 and poor["distance"] > 5 and list(poor["right_of_each_pair"])[1] == "green banana"
    assert asked == [dict(steps=1, guidance_scale=1.0, guidance_interval=(0.1, 0.7))] * 4
    panel.judges["two"] = Panel({"one": dict()}).judges["one"].eval()  # who knows nothing, so that all seldom agree
    strict = judged(draughtsman, panel=panel)
    assert strict["right"] < 16 and strict["right_to_the_judge_alone"] == 16


def test_the_old_code_lies_beside_ours_only_as_long_as_it_is_asked_for(tmp_path, monkeypatch):
    git = partial(race_recipes.git, root=tmp_path)
    git("init", "--quiet")
    (tmp_path / "recipe.txt").write_text("old", encoding="utf-8")
    git("add", ".")
    git("-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "-m", "old")
    commit = git("rev-parse", "--short", "HEAD")
    (tmp_path / "recipe.txt").write_text("new", encoding="utf-8")
    folder = tmp_path / "build" / f"race-{commit}"
    folder.mkdir(parents=True)  # what a race that was killed left
    for error in (None, KeyboardInterrupt):
        try:
            with race_recipes.worktree(commit, tmp_path) as tree:
                assert tree == folder and (tree / "recipe.txt").read_text(encoding="utf-8") == "old"
                if error:
                    raise error
        except KeyboardInterrupt:
            pass
        assert not folder.exists() and len(git("worktree", "list").splitlines()) == 1
    with pytest.raises(RuntimeError, match="git worktree says"), race_recipes.worktree("0" * 40, tmp_path):
        pass


def test_only_an_entry_of_earlier_code_asks_for_it_and_a_training_that_fails_is_told(monkeypatch, tmp_path):
    started, trees = [], []

    def run(command, cwd, env):
        started.append((command, cwd, env["PYTHONPATH"]))
        return subprocess.CompletedProcess(command, 3 if "9" in command else 0)

    def tree(commit):
        trees.append(commit)
        return Path("old")

    monkeypatch.setattr(race_recipes.subprocess, "run", run)
    monkeypatch.setenv("PYTHONPATH", "new")
    for name in ("today", "diffusers-course", "c22f206"):
        assert trees == []
        race_recipes.train_apart(name, 1.5, 4, tmp_path / "x", tree)
    assert trees == ["c22f206"] and [path.split(os.pathsep)[0] for _, _, path in started] == ["new", "new", "old"]
    assert started[-1][1] == Path("old") and {"1.5", "4", str(tmp_path / "x")} <= {*started[-1][0]}
    with pytest.raises(RuntimeError, match="training of today ended with status 3"):
        race_recipes.train_apart("today", 1.5, 9, tmp_path / "x", tree)


# The whole race


def test_entries_take_turns_each_attempt_is_kept_at_once_and_what_is_kept_is_not_run_again(monkeypatch):
    for name in ("c22f206", "today"):
        monkeypatch.setitem(ENTRIES, name, Recipe("", lengths=(15, 30), commit="c22f206" * (name == "c22f206")))
    results, ran, kept = Results(0), [], []

    def run(name, length, seed):
        if len(ran) == 7:
            raise KeyboardInterrupt
        ran.append((name, length, seed))
        return found(length, seed, entry=name, **GOOD)

    with pytest.raises(KeyboardInterrupt):
        race.race(["c22f206", "today"], results, FULL, run, lambda: kept.append(len(results.rows)))
    assert ran[:3] == [("c22f206", 15, 0), ("today", 15, 0), ("c22f206", 15, 1)] and kept == [1, 2, 3, 4, 5, 6, 7]
    before = [*ran]
    ran.clear()
    again = Results(0)
    again.rows = json.loads(json.dumps(results.rows))
    run_more = lambda *todo: ran.append(todo) or found(*todo[1:], entry=todo[0], **GOOD)  # noqa: E731
    race.race(["c22f206", "today"], again, FULL, run_more, lambda: None)
    assert not {*before} & {*ran} and len(before) + len(ran) == 2 * (SEEDS + CURVE_SEEDS) == len(again.rows)
    assert [row["seed"] for row in again.rows] == [row["settings"]["seed"] for row in again.rows]
    race.check_alike(again.rows, ["today"], FULL, again.about["machine"])


def test_what_was_measured_otherwise_or_elsewhere_is_not_mixed():
    rows = rows_of([found()])
    machine = rows[0]["machine"]
    with pytest.raises(ValueError, match="other settings"):
        race.check_alike(rows, ["today"], FULL | dict(per_pair=1), machine)
    with pytest.raises(ValueError, match="another machine"):
        race.check_alike(rows, ["today"], FULL, machine | dict(threads=99))
    race.check_alike(rows, ["c22f206"], FULL, machine | dict(threads=99))
    race.check_alike(rows, ["today"], FULL, None)


@pytest.mark.parametrize(("reached", "holds"), [(MOST, True), (MOST - 1, False)])
def test_a_record_is_verified_by_all_its_seeds_at_its_length_or_as_many_matmul_seconds(reached, holds, monkeypatch):
    rows, ran = rows_of(nine(60)), []
    machine = rows[0]["machine"]

    def run(name, length, seed):
        ran.append((name, length, seed))
        return found(length, seed, **(GOOD if seed < reached else BAD))

    assert race.verified("today", rows, machine, run) == holds
    assert ran == [("today", 60, seed) for seed in range(SEEDS)]
    ran.clear()
    monkeypatch.setattr(race, "peak_times", lambda: [2 * 2048**3 / 0.8e12])  # twice as fast as 0.4 TFLOP/s
    assert race.verified("today", rows, machine | dict(threads=99), run) == holds
    assert ran == [("today", 30.5, seed) for seed in range(SEEDS)]  # 24.4 TFLOP
    with pytest.raises(ValueError, match="no time to verify"):
        race.verified("today", rows_of(nine(60, MOST - 1)), machine, run)


def test_the_page_is_written_from_what_was_measured_and_says_how_far_who_never_arrives_got():
    never = [found(at, seed, 40, 33.25, "diffusers-course") for at in (60, 240) for seed in range(3)]
    rows = rows_of([*never, *nine(30, 2), *nine(60, 6)])
    text = race.page(rows)
    lines = {line.split(" | ")[0].strip("| "): line for line in text.split("## Every length")[0].splitlines()}
    assert "| 60 s | 6 of 9 | 97.7 % (58.6 to 97.7) |" in lines["today"]
    assert "| 4.00 (4.00 to 9.00) | 24.4 (24.0 to 24.8) |" in lines["today"]
    assert lines["today"].endswith('| `make race RACE="--verify today"` |')
    assert "| not in 240 s | 0 of 3 | 7.8 % (7.8 to 7.8) |" in lines["diffusers-course"]
    assert "33.25" in lines["diffusers-course"] and "--verify" not in lines["diffusers-course"]
    assert "c22f206" not in lines and text.count("\n| today |") == 3 and text.count("\n| diffusers-course |") == 3
    figure = race.draw(rows)
    (counts, distances) = ([line for line in ax.lines if len(line.get_xdata()) == 2] for ax in figure.axes)
    assert [60, 240] in [list(line.get_xdata()) for line in counts]
    assert [33.25, 33.25] in [list(line.get_ydata()) for line in distances]


def test_the_committed_page_is_what_was_measured():
    path = DATA / "benchmarks" / "race.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    assert (DATA / "benchmarks" / "race.md").read_text(encoding="utf-8") == race.page(rows), 'make race RACE="--page"'


def test_every_entry_can_be_told_and_built():
    assert len({json.dumps(recipe.settings()) for recipe in ENTRIES.values()}) == len(ENTRIES)
    for recipe in ENTRIES.values():
        assert recipe.about and {*recipe.lengths} & {*LENGTHS} and recipe.seeds <= SEEDS
        assert recipe.peer or Denoiser(VOCABULARY, **recipe.config)
    assert len(HELD_OUT_PAIRS) * FULL["per_pair"] == 512


@pytest.mark.slow
def test_a_tiny_race_runs_from_the_command_line_and_leaves_its_page(monkeypatch, tmp_path, judge):
    panel = Panel({"one": dict()})
    panel.judges["one"] = judge
    monkeypatch.setattr(race.weights, "load_panel", lambda: panel)
    monkeypatch.setattr(race, "ENTRIES", dict(ENTRIES))
    monkeypatch.setattr("sys.argv", ["race.py", "--quick", "--only", "today", "--out", str(tmp_path)])
    assert race.main() == 0
    rows = json.loads((tmp_path / "race.json").read_text(encoding="utf-8"))
    assert [row["settings"]["length"] for row in rows] == [0.5] and rows[0]["settings"]["trained_seconds"] >= 0.5
    assert (tmp_path / "race.md").read_text(encoding="utf-8") == race.page(rows) and (tmp_path / "race.png").exists()
