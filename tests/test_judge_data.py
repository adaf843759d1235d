import hashlib
import inspect
import textwrap
from collections import Counter
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from course_lib.captions import MAX_WORDS, decode, encode
from course_lib.fruit import pictures as data
from course_lib.fruit.drawing import Fruit
from course_lib.fruit.pictures import (
    PER_PAIR,
    TRAINING_SEED,
    caption_tokens,
    draw_many,
    random_fruits,
    training_pictures,
)
from course_lib.fruit.prompts import understand
from course_lib.fruit.words import ALL_PAIRS, COLOURS, HELD_OUT_PAIRS, KINDS, TRAINING_PAIRS, VOCABULARY
from course_lib.judging.counts import Score
from course_lib.judging.fruit_exam import HELD_OUT, evaluate
from course_lib.judging.judge import JUDGE_SEED, TEST_SEED, Judge, score, score_drawings, train_judge
from course_lib.sample import generate
from course_lib.tools import kept
from course_lib.tools.files import DATA, read_tensors, write_tensors
from course_lib.tools.kept import code

# What is held out


def test_one_pair_of_each_kind_is_held_out_and_the_course_says_which():
    assert set(HELD_OUT_PAIRS) >= {
        ("banana", "green"),
        ("apple", "blue"),
        ("watermelon", "purple"),
        ("orange", "green"),
        ("lemon", "pink"),
        ("pear", "red"),
        ("strawberry", "yellow"),
        ("grapes", "brown"),
    }
    assert [kind for kind, _ in HELD_OUT_PAIRS] == list(KINDS)


def test_all_other_pairs_are_trained_on():
    assert len(set(ALL_PAIRS)) == len(KINDS) * len(COLOURS) and set(HELD_OUT_PAIRS) <= set(ALL_PAIRS)
    assert set(TRAINING_PAIRS) == set(ALL_PAIRS) - set(HELD_OUT_PAIRS)
    assert {kind for kind, _ in TRAINING_PAIRS} == set(KINDS)
    assert {colour for _, colour in TRAINING_PAIRS} == set(COLOURS)


def test_each_training_pair_is_drawn_equally_often_and_no_held_out_pair_ever():
    count = Counter((f.kind, f.colour) for f in random_fruits(TRAINING_PAIRS, PER_PAIR, TRAINING_SEED))
    assert count == dict.fromkeys(TRAINING_PAIRS, PER_PAIR)


def test_no_training_caption_names_a_held_out_pair():
    tokens = caption_tokens(random_fruits(TRAINING_PAIRS, PER_PAIR, TRAINING_SEED))
    captions = decode(tokens.flatten(0, 1).unique(dim=0), VOCABULARY)
    pairs = {(asked["kind"], asked["colour"]) for asked in map(understand, captions)}
    assert not pairs & set(HELD_OUT_PAIRS)
    assert set(TRAINING_PAIRS) <= pairs


def test_judge_and_tests_have_fruits_of_their_own():
    assert len({TRAINING_SEED, JUDGE_SEED, TEST_SEED}) == 3
    seen = {f for seed in (TRAINING_SEED, JUDGE_SEED) for f in random_fruits(ALL_PAIRS, 5, seed)}
    assert not seen & set(random_fruits(ALL_PAIRS, 5, TEST_SEED))


def test_random_fruits_are_the_same_for_the_same_seed():
    assert random_fruits(TRAINING_PAIRS, 2, 5) == random_fruits(TRAINING_PAIRS, 2, 5)
    assert random_fruits(TRAINING_PAIRS, 2, 5) != random_fruits(TRAINING_PAIRS, 2, 6)


def test_captions_tell_what_was_drawn():
    apple = Fruit("apple", "red", size=0.6, background="white")
    said = decode(caption_tokens([apple])[0], VOCABULARY)
    assert "a small red apple on a white background" in said and "a red fruit" in said


# The file of training pictures


@pytest.fixture
def few(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "PER_PAIR", 1)
    return tmp_path / "pictures.safetensors"


def stop(*args, **options):
    raise KeyboardInterrupt


def test_pictures_are_drawn_once_and_opened_the_next_time(few, monkeypatch):
    drawn = training_pictures(few)
    assert drawn.x0.shape == (len(TRAINING_PAIRS), 3, 32, 32) and drawn.x0.dtype == torch.float32
    assert drawn.tokens.shape == (len(TRAINING_PAIRS), 8, MAX_WORDS) and len(drawn.fruits) == len(TRAINING_PAIRS)
    monkeypatch.setattr(data, "draw", stop)
    opened = training_pictures(few)
    assert torch.equal(opened.x0, drawn.x0) and torch.equal(opened.tokens, drawn.tokens)
    assert opened.fruits == drawn.fruits


def test_pictures_are_those_of_the_recorded_factors_to_the_nearest_byte(few):
    x0, _, fruits = training_pictures(few)
    assert (x0 - draw_many(fruits)).abs().max() <= 1 / 255 + 1e-6


def test_pictures_are_drawn_anew_when_the_code_has_changed(few, monkeypatch):
    drawn = training_pictures(few)
    tensors, about = read_tensors(few)
    write_tensors(few, {"x0": tensors["x0"] * 0}, about | {"drawn_by": "older code"})
    assert torch.equal(training_pictures(few).x0, drawn.x0)
    assert read_tensors(few)[1] == about


WRITTEN = '''
"""What it is for."""
import math

def double(x):
    """Twice."""
    return 2 * x  # as it says
'''


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        ("Twice.", "Two times.", False),
        ("What it is for.", "Another aim.", False),
        ("  # as it says", "", False),
        ("import math\n", "import math\n\n# what follows\n\n", False),
        ("return 2 * x", "return (2 *\n        x)", False),
        ("2 * x", "3 * x", True),
        ("def double(x)", "def double(x, y=1)", True),
        ("return 2 * x", "return '2 * x'", True),
    ],
)
@pytest.mark.parametrize("indent", ["", "    "])
def test_what_code_does_counts_and_not_how_it_is_written(before, after, counts, indent):
    assert before in WRITTEN
    texts = [textwrap.indent(text, indent) for text in (WRITTEN, WRITTEN.replace(before, after))]
    assert (code(texts[0]) != code(texts[1])) == counts


@pytest.mark.parametrize(("more", "anew"), [("\n# a remark\n", False), ("\nMORE = 1\n", True)])
def test_a_remark_in_the_renderer_draws_nothing_anew(few, monkeypatch, more, anew):
    training_pictures(few)
    longer = SimpleNamespace(getsource=lambda part: inspect.getsource(part) + more)
    monkeypatch.setattr(kept, "inspect", longer)
    monkeypatch.setattr(data, "draw", stop)
    with pytest.raises(KeyboardInterrupt) if anew else nullcontext():
        training_pictures(few)


def test_interrupted_drawing_leaves_no_file(few, monkeypatch):
    monkeypatch.setattr(data, "draw", stop)
    with pytest.raises(KeyboardInterrupt):
        training_pictures(few)
    assert list(few.parent.iterdir()) == []


def test_a_damaged_file_of_pictures_is_refused(few):
    few.write_bytes(b"half a file")
    with pytest.raises(ValueError, match="is damaged. Delete it, and the pictures are drawn anew"):
        training_pictures(few)


def test_drawing_shows_its_progress():
    seen = []

    def bar(items):
        seen.append(len(items))
        return items

    assert draw_many(random_fruits([("apple", "red")], 3, 0), size=8, bar=bar).shape == (3, 3, 8, 8)
    assert seen == [1]


@pytest.mark.slow  # where the pictures are not drawn yet
def test_the_training_pictures_are_as_described(pictures):
    x0, tokens, fruits = pictures
    assert len(x0) == len(tokens) == len(fruits) == len(TRAINING_PAIRS) * PER_PAIR >= 12_000
    assert x0.shape[1:] == (3, 32, 32) and tokens.shape[1:] == (8, MAX_WORDS)
    assert x0.min() >= -1 and x0.max() <= 1 and x0.min() < -0.9 and x0.max() > 0.9
    assert Counter((f.kind, f.colour) for f in fruits) == dict.fromkeys(TRAINING_PAIRS, PER_PAIR)
    assert len(set(fruits)) == len(fruits)


# Counting


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [(31, 32, 0.8426, 0.9945), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_the_interval_is_wilsons(right, of, low, high):
    assert Score(right, of).interval == pytest.approx((low, high), abs=1e-4)
    expected = {"right": right, "of": of, "interval": pytest.approx([low, high], abs=1e-4)}
    assert Score(right, of).as_dict() == expected


class ColourBlindJudge:
    """Names pictures that hold the number of their pair in the first pixel; takes every blue for a green."""

    def name(self, x):
        pairs = [ALL_PAIRS[int(number)] for number in x[:, 0, 0, 0].round()]
        return [(kind, "green" if colour == "blue" else colour) for kind, colour in pairs]


def test_a_picture_is_right_when_kind_and_colour_are():
    count, kinds = len(ALL_PAIRS), len(KINDS)
    x = torch.arange(float(count)).reshape(count, 1, 1, 1).expand(count, 3, 32, 32)
    assert score(ColourBlindJudge(), x, ALL_PAIRS) == Score(count - kinds, count)
    assert score(ColourBlindJudge(), x, [(kind, "green") for kind, _ in ALL_PAIRS]) == Score(2 * kinds, count)
    assert score(ColourBlindJudge(), x, [list(pair) for pair in ALL_PAIRS]).right == count - kinds


@pytest.mark.parametrize("count", [1, 3])
def test_as_many_pairs_as_pictures_are_needed(count):
    with pytest.raises(ValueError, match=f"2 pictures and {count} pairs"):
        score(ColourBlindJudge(), torch.zeros(2, 3, 32, 32), [("apple", "red")] * count)


def test_evaluate_asks_for_every_pair_and_counts_what_is_right():
    def obedient(x_t, t, tokens):
        if not tokens.any():
            return torch.zeros_like(x_t)
        asked = [understand(caption) for caption in decode(tokens, VOCABULARY)]
        number = [ALL_PAIRS.index((a["kind"], a["colour"])) for a in asked]
        return torch.tensor(number, dtype=torch.float32).reshape(-1, 1, 1, 1).expand_as(x_t)

    bars = []
    options = {"per_pair": 3, "per_seen_pair": 2, "steps": 2, "guidance_scale": 1, "bar": lambda x: bars.append(x) or x}
    scores = evaluate(obedient, ColourBlindJudge(), **options)
    wanted = dict.fromkeys(HELD_OUT, Score(3, 3)) | {"blue apple": Score(0, 3)}
    for group, pairs, each in (("held_out", HELD_OUT_PAIRS, 3), ("seen", TRAINING_PAIRS, 2)):
        wrong = sum(colour == "blue" for _, colour in pairs)
        wanted[group] = Score(each * (len(pairs) - wrong), each * len(pairs))
    assert scores == wanted
    assert len(bars) == 1


def test_evaluate_asks_in_words_that_training_used():
    said = set(decode(caption_tokens([Fruit(*pair) for pair in ALL_PAIRS]).flatten(0, 1), VOCABULARY))
    asked = set()

    def model(x_t, t, tokens):
        asked.update(decode(tokens, VOCABULARY))
        return x_t

    evaluate(model, Judge(width=8), per_pair=1, per_seen_pair=1, steps=1, guidance_scale=1)
    assert len(asked) == len(ALL_PAIRS) and asked <= said


def test_evaluate_gives_the_same_scores_for_the_same_seed():
    def model(x_t, t, tokens):
        return (40 + x_t * 10).clamp(0, 63).mean((1, 2, 3), keepdim=True).expand_as(x_t)

    a, b = (evaluate(model, ColourBlindJudge(), per_pair=2, per_seen_pair=1, steps=1) for _ in range(2))
    assert a == b


def test_the_judge_wants_pictures_of_its_size():
    with pytest.raises(ValueError, match=r"shape \(B, 3, 32, 32\) are needed here, not .*\(2, 3, 64, 64\)"):
        Judge(width=8).name(torch.zeros(2, 3, 64, 64))


def test_the_judge_sees_what_a_display_shows():
    judge, x = Judge(width=8), torch.randn(2, 3, 32, 32) * 3
    assert torch.equal(judge.features(x), judge.features(x.clamp(-1, 1)))
    assert judge.features(x).shape == (2, 128)


def test_a_judge_learns_and_the_same_seed_gives_the_same_judge():
    def trained():
        torch.manual_seed(0)
        judge = Judge(width=8)
        return judge, list(train_judge(judge, steps=40, per_pair=1))

    (a, losses), (b, _) = trained(), trained()
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


# The shipped files: what they must be able to do. They fail where a file is missing.


def test_the_shipped_files_are_small():
    files = [DATA / "judge.safetensors", DATA / "denoiser.safetensors"]
    assert sum(file.stat().st_size for file in files) < 15_000_000


@pytest.mark.slow
def test_the_judge_is_right_about_fresh_drawings(judge):
    result = score_drawings(judge, 2000)
    assert result.of == 2000 and result.right >= 0.995 * result.of


@pytest.mark.slow
def test_no_training_picture_looks_like_a_held_out_pair(judge, pictures):
    named = [pair for x in pictures.x0.split(512) for pair in judge.name(x)]
    recorded = [(f.kind, f.colour) for f in pictures.fruits]
    right = sum(a == b for a, b in zip(named, recorded, strict=True))
    assert right >= 0.995 * len(recorded)
    held_out = sum(pair in HELD_OUT_PAIRS for pair in named)
    assert held_out <= 0.001 * len(recorded)  # the judge's own mistakes: a learned or mislabelled pair has 256


@pytest.mark.slow
def test_the_shipped_denoiser_makes_what_it_never_saw(denoiser, judge):
    bananas = [("banana", "green")] * 32
    others = [pair for pair in HELD_OUT_PAIRS if pair != ("banana", "green") for _ in range(8)]
    pairs = bananas + others
    tokens = encode([f"{colour} {kind}" for kind, colour in pairs], VOCABULARY)
    generator = torch.Generator().manual_seed(11)
    made = torch.cat([generate(denoiser, some, generator=generator, steps=25) for some in tokens.split(44)])
    assert score(judge, made[:32], bananas).right >= 28
    eight_of_each = slice(24, None)
    assert score(judge, made[eight_of_each], pairs[eight_of_each]).right >= 0.9 * 64


def test_every_shipped_file_is_described_and_has_its_checksum():
    told = (DATA / "README.md").read_text(encoding="utf-8")
    shipped = [p for p in DATA.glob("[!.]*.*") if p.name != "README.md" and not p.match("pictures*.safetensors")]
    assert {"denoiser.safetensors", "judge.safetensors"} <= {path.name for path in shipped}
    for path in shipped:
        assert f"| `{path.name}` |" in told
        assert f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" in told  # else: make checksums
