"""The panel: right is what all of its judges say, and no two of them learned from the same drawing."""

import pytest
import torch

from course_lib import weights
from course_lib.fruit import pictures as drawn
from course_lib.fruit.pictures import PER_PAIR, TRAINING_SEED, random_fruits
from course_lib.fruit.words import ALL_PAIRS, COLOURS, KINDS, TRAINING_PAIRS
from course_lib.judging import judge as judging
from course_lib.judging.counts import Score
from course_lib.judging.eyes import BUILDS
from course_lib.judging.judge import TEST_SEED, Judge, score, score_drawings
from course_lib.judging.panel import CRISP, DISAGREE, SEATS, Panel, panel_on_drawings, train_panel
from course_lib.tools.files import read_tensors, write_tensors

SMALL = {  # one of each build, and one that looks at larger pictures
    "plain": dict(width=8),
    "broad": dict(build="broad", width=8),
    "apart": dict(build="apart", width=8),
    "squares": dict(build="squares", width=8),
    "crisp": dict(build="apart", width=8, side=CRISP),
}


def small(seed: int = 0) -> Panel:
    torch.manual_seed(seed)
    return Panel(SMALL)


def saying(**said: list[tuple[str, str]]) -> Panel:
    """A panel whose judges have made up their minds."""
    panel = Panel({name: dict(width=8) for name in said})
    for name, pairs in said.items():
        panel.judges[name].name = lambda x, pairs=pairs: pairs[: len(x)]
    return panel


# What all agree on


def test_the_panel_names_what_all_agree_on_kind_and_colour_apart():
    apple, banana, pear = ("apple", "red"), ("banana", "green"), ("pear", "green")
    panel = saying(a=[apple, banana, banana, apple], b=[apple, banana, pear, pear], c=[apple, banana, banana, banana])
    x = torch.zeros(4, 3, 32, 32)
    assert panel.name(x) == [apple, banana, (DISAGREE, "green"), (DISAGREE, DISAGREE)]
    assert score(panel, x, [apple, banana, banana, apple]) == Score(2, 4)
    assert score(panel, x, [(DISAGREE, "green")] * 4).right == 1 and DISAGREE not in (*KINDS, *COLOURS)


def test_a_panel_is_never_more_lenient_than_any_of_its_judges():
    panel, x = small(), torch.rand(64, 3, CRISP, CRISP) * 2 - 1
    each = panel.each(x)
    for i, named in enumerate(panel.name(x)):
        for j, part in enumerate(named):
            said = {pairs[i][j] for pairs in each.values()}
            assert said == {part} if part else len(said) > 1


def test_the_seats_of_the_course_are_of_different_build_and_one_looks_at_larger_pictures():
    seats = {name: Judge(**seat).config for name, seat in SEATS.items()}
    assert len({(seat["build"], seat["side"]) for seat in seats.values()}) == len(SEATS) >= 3
    assert len({seat["build"] for seat in seats.values() if seat["side"] == 32}) >= 3
    assert [name for name, seat in seats.items() if seat["side"] == 128] == ["crisp"]


# Sizes


@pytest.mark.parametrize("side", [32, 64, 96, CRISP, 2 * CRISP])
def test_larger_pictures_are_averaged_for_each_judge_and_the_crisp_one_is_asked_from_128_pixels_on(side):
    panel, looked = small(), {}
    for name, judge in panel.judges.items():
        judge.name = lambda x, name=name: looked.update({name: x}) or [("apple", "red")] * len(x)
    x = torch.rand(3, 3, side, side) * 2 - 1
    assert panel.name(x) == [("apple", "red")] * 3
    assert list(looked) == [name for name in SMALL if name != "crisp" or side >= CRISP]
    for name, seen in looked.items():
        own = CRISP if name == "crisp" else 32
        average = torch.nn.functional.avg_pool2d(x, side // own)
        assert seen.shape == (3, 3, own, own) and torch.allclose(seen, average, atol=1e-6)


def test_pictures_are_seen_as_a_display_shows_them_in_portions_and_there_may_be_none():
    panel, x = small(), torch.randn(300, 3, 32, 32)
    assert panel.name(x) == panel.name(x.clamp(-1, 1))
    assert panel.name(x)[298:] == panel.name(x[298:]) and panel.name(x[:0]) == []


@pytest.mark.parametrize("shape", [(2, 3, 48, 48), (2, 3, 16, 16), (2, 3, 32, 64), (2, 3, 33, 33)])
def test_other_sizes_are_refused(shape):
    with pytest.raises(ValueError, match="looks at squares of 32 pixels or a multiple, not "):
        small().name(torch.zeros(shape))


@pytest.mark.parametrize("x", [torch.zeros(3, 32, 32), torch.zeros(1, 3, 32, 32, dtype=torch.uint8), None])
def test_what_is_no_batch_of_pictures_is_refused(x):
    with pytest.raises(ValueError, match="Pictures"):
        small().name(x)


def test_naming_changes_nothing():
    panel, x = small(), torch.rand(8, 3, 32, 32)
    before = {name: value.clone() for name, value in panel.state_dict().items()}
    panel.name(x)
    assert all(torch.equal(value, before[name]) for name, value in panel.state_dict().items())


# Learning


def test_each_judge_has_drawings_of_its_own(monkeypatch):
    asked, draw = [], judging.random_fruits
    monkeypatch.setattr(judging, "random_fruits", lambda *what: asked.append(what[2]) or draw(*what))
    panel = Panel({name: dict(width=8) for name in SEATS})
    list(train_panel(panel, steps=1, per_pair=1))
    assert len(asked) == len(SEATS)
    seeds = {*asked, TEST_SEED, TRAINING_SEED, judging.JUDGE_SEED}
    assert len(seeds) == len(SEATS) + 3
    lots = [set(random_fruits(ALL_PAIRS, 20, seed)) for seed in seeds - {TRAINING_SEED}]
    lots.append(set(random_fruits(TRAINING_PAIRS, PER_PAIR, TRAINING_SEED)))
    assert len(set.union(*lots)) == sum(map(len, lots))


def test_a_panel_learns_and_the_same_seed_gives_the_same_panel():
    def trained():
        panel = Panel({name: SMALL[name] for name in ("broad", "squares")})
        return panel, list(train_panel(panel, steps=30, per_pair=1))

    torch.manual_seed(0)
    a, losses = trained()
    torch.manual_seed(0)
    b, _ = trained()
    assert len(losses) == 2 * 30 and not any(part.training for part in a.modules())
    for start in (0, 30):
        assert sum(losses[start + 25 : start + 30]) < 0.95 * sum(losses[start : start + 5])
    assert all(torch.equal(p, b.state_dict()[name]) for name, p in a.state_dict().items())


def test_each_judge_and_all_together_are_counted_on_fresh_drawings_pair_by_pair(monkeypatch):
    monkeypatch.setattr(drawn, "draw", lambda fruits, size: torch.zeros(len(fruits), 3, size, size))
    wanted = [(f.kind, f.colour) for f in random_fruits(ALL_PAIRS, 2, TEST_SEED)][:100]
    blind = [("apple", "red")] * 100
    found = panel_on_drawings(saying(good=wanted, blind=blind), count=100)
    assert found["good"] == Score(100, 100) and found["all"] == found["blind"] == Score(2, 100)
    pairs = {name: one for name, one in found.items() if name not in ("good", "blind", "all")}
    assert list(pairs) == [f"{colour} {kind}" for kind, colour in ALL_PAIRS]
    assert pairs.pop("red apple") == Score(2, 2) and not any(one.right for one in pairs.values())
    assert sum(one.of for one in pairs.values()) == 98


# In files


def test_saved_and_loaded_it_is_the_same(tmp_path):
    panel, x = small(), torch.rand(16, 3, CRISP, CRISP) * 2 - 1
    weights.save(panel, tmp_path / "panel.safetensors", seed=0)
    again = weights.load_panel(tmp_path / "panel.safetensors")
    assert again.each(x) == panel.each(x) and again.config == panel.config and not again.training


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (dict(seats={"plain": dict(build="eagle")}), f"build='eagle' is unknown; choose one of .*{[*BUILDS][-1]}"),
        (dict(seats={"plain": dict(build=["plain"])}), "is unknown; choose one of"),
        (dict(seats={"plain": dict(side=48)}), "squares of 32 pixels or a multiple, not side=48"),
        (dict(seats={"plain": dict(side=0)}), "side must be a whole number"),
        (dict(seats={"plain": dict(side="large")}), "side must be a whole number"),
        (dict(seats={"crisp": SMALL["crisp"]}), "needs a judge of pictures of 32 pixels, and none of .'crisp'. is"),
        (dict(seats={}), "needs a judge of pictures of 32 pixels"),
        (dict(seats=[]), "needs a judge of pictures of 32 pixels"),
        (dict(seats=["plain"]), ""),
        (dict(seats={"plain": 3}), ""),
        (dict(seats={"a.b": dict(width=8)}), "a.b"),
        (dict(seats={"plain": dict(width=0)}), "width must be a whole number"),
        (dict(seats={"plain": dict(kinds=["apple"])}), ""),
        (dict(seats={"squares": dict(build="squares", side=3200)}), "far more weights than it holds"),
        (dict(seats={"plain": dict(width=80_000)}), "far more weights than it holds"),
        (dict(kinds=None), ""),
        (dict(judges=3), "judges"),
    ],
    ids=str,
)
def test_a_file_whose_settings_make_no_panel_is_refused(tmp_path, settings, said):
    path = tmp_path / "panel.safetensors"
    weights.save(Panel({"plain": dict(width=8)}), path)
    tensors, about = read_tensors(path)
    write_tensors(path, tensors, about | {"config": about["config"] | settings})
    with pytest.raises(ValueError, match=f"The settings in .* make no Panel: .*{said}"):
        weights.load_panel(path)


def test_a_file_of_one_judge_is_no_panel_and_the_other_way_round(tmp_path):
    weights.save(Judge(width=8), tmp_path / "judge.safetensors")
    weights.save(small(), tmp_path / "panel.safetensors")
    with pytest.raises(ValueError, match="holds a Judge, but a Panel is needed"):
        weights.load_panel(tmp_path / "judge.safetensors")
    with pytest.raises(ValueError, match="holds a Panel, but a Judge is needed"):
        weights.load_judge(tmp_path / "panel.safetensors")


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("side", [32, 64, CRISP])
def test_every_build_looks_at_pictures_of_the_side_it_is_made_for(build, side):
    judge = Judge(width=8, build=build, side=side)
    assert judge.features(torch.zeros(2, 3, side, side)).shape == (2, 128)
    with pytest.raises(ValueError, match=f"{side}, {side}"):
        judge.name(torch.zeros(2, 3, 2 * side, 2 * side))


@pytest.mark.slow
@pytest.mark.parametrize("side", [32, pytest.param(CRISP, marks=pytest.mark.twice)])  # crisp ones take long to draw
def test_each_judge_of_the_shipped_panel_is_right_about_fresh_drawings(side):
    panel = weights.load_panel()
    counts = panel_on_drawings(panel, 2000, side)
    asked = [name for name, judge in panel.judges.items() if judge.config["side"] <= side]
    assert all(counts[name].of == 2000 and counts[name].right >= 0.995 * 2000 for name in asked)
    if side == 32:
        assert score_drawings(panel).right == counts["all"].right
