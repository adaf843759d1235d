"""Scenes: what is held back, what is drawn, what is said about it and understood; and their judge."""

import hashlib
import itertools
import json
import math
from collections import Counter

import pytest
import torch
from PIL import Image

from course_lib import weights
from course_lib.beyond.attention import SceneDenoiser
from course_lib.captions import decode
from course_lib.commands import generate
from course_lib.commands import main as cli
from course_lib.fruit import scene_pictures
from course_lib.fruit.drawing import Fruit
from course_lib.fruit.scene_pictures import (
    COMBINATIONS,
    SCENES_SEED,
    TRAINING_COMBINATIONS,
    WITHHELD,
    Scenes,
    caption_tokens,
    training_list,
    training_scenes,
)
from course_lib.fruit.scene_pictures import scene_tokens as encode
from course_lib.fruit.scene_prompts import MAX_SCENE_WORDS, phrasings, understand
from course_lib.fruit.scenes import WINDOWS, Scene, draw, random_scene
from course_lib.fruit.words import (
    ALL_PAIRS,
    COLOURS,
    HELD_OUT_PAIRS,
    KINDS,
    PALETTE,
    SCENE_VOCABULARY,
    SIZES,
    TRAINING_PAIRS,
)
from course_lib.fruit.words import SCENE_BACKGROUNDS as BACKGROUNDS
from course_lib.fruit.worlds import SCENES
from course_lib.judging import scene_exam, scene_judge
from course_lib.judging.counts import Score
from course_lib.judging.scene_exam import Verdict, compare, questions, score, sentence
from course_lib.judging.scene_judge import SceneJudge, Seen
from course_lib.tools.files import read_tensors
from course_lib.tools.pixels import Bytes
from course_lib.train import random_batches


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads that wait for one another on a busy machine would take most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def listed():
    return training_list()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def things_of(asked):
    return tuple((thing["kind"], thing["colour"]) for thing in asked.things)


def combination(things):
    return tuple(sorted(things, key=TRAINING_PAIRS.index))


# What is held back


def test_one_in_ten_combinations_is_withheld():
    pairs = len(TRAINING_PAIRS)
    assert len(COMBINATIONS) == pairs * (pairs + 1) // 2
    assert len(WITHHELD) == len(set(WITHHELD)) == len(COMBINATIONS) // 10
    assert set(WITHHELD) | set(TRAINING_COMBINATIONS) == set(COMBINATIONS)
    assert not set(WITHHELD) & set(TRAINING_COMBINATIONS)
    if weights.load_scene_judge().config["kinds"] == list(KINDS):  # written down: the shipped weights depend on it
        assert hashlib.sha256(repr(WITHHELD).encode()).hexdigest().startswith("4b15684fba4691d4")


def test_no_training_scene_holds_what_is_held_back(listed):
    assert len(listed) >= 12_000 and {len(scene.fruits) for scene in listed} == {1, 2}
    assert not {thing for scene in listed for thing in scene.things} & set(HELD_OUT_PAIRS)
    together = Counter(combination(scene.things) for scene in listed if len(scene.fruits) == 2)
    assert set(together) == set(TRAINING_COMBINATIONS)
    assert {together[a, b] for a, b in together if a != b} == {6}
    ways = Counter(scene.things for scene in listed if len(scene.fruits) == 2)
    assert {times for (a, b), times in ways.items() if a != b} == {3}  # as often on the left as on the right


def test_no_training_caption_names_what_is_held_back(listed):
    for scene in listed[:: len(listed) // 1500]:
        for caption in phrasings(scene):
            things = things_of(understand(caption))
            assert not set(things) & set(HELD_OUT_PAIRS)
            if len(things) == 2:
                assert combination(things) not in set(WITHHELD)


def test_each_thing_that_is_withheld_together_is_seen_with_others():
    seen = {thing for pair in TRAINING_COMBINATIONS for thing in pair if pair[0] != pair[1]}
    assert seen == set(TRAINING_PAIRS)


# The scene


def test_the_same_seed_gives_the_same_scene_and_picture():
    a, b, c = (random_scene(generator(seed), [("apple", "red"), (None, None)]) for seed in (1, 1, 2))
    assert a == b != c
    assert torch.equal(draw([a], 32), draw([b], 32))
    assert a.fruits[0].kind == "apple" and random_scene(generator(), [("pear", "red")], "blue").background == "blue"


def test_pictures_are_float_in_the_range_and_alone_as_in_company():
    some = [random_scene(generator(n), [(None, None)] * n) for n in (1, 2, 3)]
    pictures = draw(some, 40)
    assert pictures.shape == (3, 3, 40, 40) and pictures.dtype == torch.float32
    assert pictures.min() >= -1 and pictures.max() <= 1
    for picture, scene in zip(pictures, some, strict=True):
        torch.testing.assert_close(draw([scene], 40)[0], picture, atol=1e-4, rtol=0)


def test_one_scene_at_every_size():
    scene = [random_scene(generator(3), [("apple", "red"), ("lemon", "yellow")])]
    large = torch.nn.functional.avg_pool2d(draw(scene, 128), 4)
    assert (draw(scene, 32) - large).abs().mean() < 0.02


def colour_centres(picture, colours):
    """Where, from -1 (left) to 1 (right), the pixels lie that are nearest to each colour."""
    palette = torch.tensor([PALETTE[colour] for colour in colours]) * 2 - 1
    far = (picture[None] - palette[:, :, None, None]).square().sum(1).sqrt()
    close = (far < 0.6).float()
    return (close * torch.linspace(-1, 1, picture.shape[2])).sum((1, 2)) / close.sum((1, 2)).clamp(min=1)


def test_what_is_left_in_the_record_is_left_in_the_picture():
    kinds = list(itertools.islice(itertools.cycle(KINDS), 9))
    some = [
        random_scene(generator(i), [(a, "red"), (b, "blue")], "grey")
        for i, (a, b) in enumerate(zip(kinds, kinds[1:], strict=False))
    ]
    for picture in draw(some, 32):
        left, right = colour_centres(picture, ["red", "blue"])
        assert left < -0.1 and right > 0.1
    (three,) = draw([random_scene(generator(), [("apple", "red"), ("pear", "yellow"), ("lemon", "blue")], "grey")], 48)
    left, middle, right = colour_centres(three, ["red", "yellow", "blue"])
    assert left < -0.4 and -0.2 < middle < 0.2 and right > 0.4


@pytest.mark.parametrize("count", [2, 3])
def test_fruits_hardly_hide_one_another(count):
    """Of the discs of large oranges side by side, at least four fifths are to be seen."""
    colours = ("red", "blue", "red")[:count]
    large = random_scene(generator(), [("orange", colour, "large") for colour in colours], "grey")
    (picture,) = draw([large], 64)
    for colour in set(colours):
        far = (picture - torch.tensor(PALETTE[colour])[:, None, None] * 2 + 1).norm(dim=0)
        radius = [WINDOWS[count][0] * f.size / 2 for f in large.fruits if f.colour == colour]
        assert (far < 0.9).float().mean() > 0.8 * sum(math.pi * r * r for r in radius)


def test_one_lamp_lights_the_scene():
    bright = [Scene((Fruit("apple", "red"),), light=light) for light in (-80.0, 80.0)]
    left, right = (picture[:, :, :16].mean() - picture[:, :, 16:].mean() for picture in draw(bright, 32))
    assert left > right  # the lamp's side is the brighter one
    one, other = (Scene((Fruit("apple", "red", light=light, background="black"),)) for light in (-80, 80))
    assert torch.equal(draw([one], 16), draw([other], 16))  # those of the fruit itself do not count


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scene(()), "one, two or three fruits, not 0"),
        (lambda: Scene((Fruit("apple", "red"),) * 4), "not 4"),
        (lambda: Scene((Fruit("apple", "red"),), background="mauve"), "mauve"),
        (lambda: draw([]), "at least one"),
        (lambda: draw([Scene((Fruit("apple", "red"),))], 4), "from 8 to 1024"),
        (lambda: phrasings(random_scene(generator(), [(None, None)] * 3)), "this scene has more"),
    ],
)
def test_what_is_no_scene_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Captions


def test_the_sentences_of_the_plan_are_understood():
    apple, banana = ({"kind": k, "colour": c, "size_word": None} for k, c in (("apple", "red"), ("banana", "green")))
    assert understand("a red apple and a green banana") == ((apple, banana), True, None)
    assert understand("a red apple beside a green banana") == ((apple, banana), False, None)
    assert understand("A green banana to the left of a red apple!") == ((banana, apple), True, None)
    assert understand("a green banana to the right of a red apple") == ((apple, banana), True, None)
    assert things_of(understand("two yellow lemons")) == (("lemon", "yellow"),) * 2
    small = {"kind": "pear", "colour": "purple", "size_word": "small"}
    assert understand("a small purple pear on a green background") == ((small,), False, "green")
    assert len(understand("a red apple and a green banana and an orange").things) == 3
    assert things_of(understand("two orange oranges")) == (("orange", "orange"),) * 2
    assert things_of(understand("two bunches of grapes that are green")) == (("grapes", "green"),) * 2


def test_captions_and_what_is_understood_agree(listed):
    for scene in listed[:: len(listed) // 700]:
        said = phrasings(scene)
        assert len(said) == 8
        for caption in said:
            asked = understand(caption)
            true = scene.things
            if len(true) == 1:  # a caption may leave the kind or the colour open
                true = tuple((k and t[0], c and t[1]) for (k, c), t in zip(things_of(asked), true, strict=True))
            same = things_of(asked) == true if asked.in_order else Counter(things_of(asked)) == Counter(true)
            assert same and asked.background in (None, scene.background)
            if asked.in_order:
                words = [thing["size_word"] or "" for thing in asked.things]
                assert all(word in ("", f.size_word) for word, f in zip(words, scene.fruits, strict=True))


def test_the_captions_name_first_what_stands_on_the_left_or_say_right():
    for caption in phrasings(Scene((Fruit("apple", "red"), Fruit("banana", "yellow")))):
        assert (caption.index("apple") < caption.index("banana")) == ("right" not in caption)


@pytest.mark.parametrize("joint", scene_exam.JOINTS)
def test_each_way_of_joining_is_learned_with_sizes_and_without(joint):
    apple = Fruit("apple", "red", 0.6)
    differ, same = (phrasings(Scene((apple, Fruit("banana", "yellow", size)))) for size in (0.9, 0.6))
    small_and_large = [c for c in differ if joint in c and "small" in c and "large" in c]
    assert small_and_large and all("a small red apple" in c and "a large yellow banana" in c for c in small_and_large)
    assert any(joint in caption and "small" not in caption for caption in same)


def test_every_caption_fits_the_tokens(listed):
    captions = phrasings(listed[-1])
    tokens = encode(captions)
    assert tokens.shape == (8, MAX_SCENE_WORDS) and decode(tokens, SCENE_VOCABULARY) == captions
    longest = Scene((Fruit("watermelon", "red", 0.6), Fruit("pear", "blue", 0.6)), background="green")
    assert encode(phrasings(longest)).shape == (8, MAX_SCENE_WORDS)
    assert len(encode("a small red apple and a large pink pear and a small blue lemon on a green background")) == 1


@pytest.mark.parametrize(
    ("caption", "message"),
    [
        ("a red mango and a pear", 'never learned the word "mango"'),
        ("a red appel and a pear", 'Did you mean "apple"'),
        ("two apple", "not in an order"),
        ("two a lemons", "not in an order"),
        ("apples", "not in an order"),
        ("a red apple to the left of", "not in an order"),
        ("an apple and a pear to the left of a lemon", "not in an order"),
        ("an apple and a pear and a lemon and an orange", "not in an order"),
        ("an apple on a blue background and a pear", "not in an order"),
        ("", "holds no word"),
        ("red " * 30, "at most 20 words"),
    ],
)
def test_a_bad_caption_is_refused_and_told_why(caption, message):
    with pytest.raises(ValueError, match=message):
        understand(caption)


# The file of training scenes


def test_scenes_are_drawn_once_and_opened_the_next_time(tmp_path, monkeypatch):
    few = training_list()[::1500]
    monkeypatch.setattr(scene_pictures, "training_list", lambda times: few)
    drawn = training_scenes(tmp_path / "scenes.safetensors")
    assert drawn.x0[torch.tensor([0, 1])].shape == (2, 3, 64, 64) and len(drawn.x0) == len(few)
    assert drawn.tokens.shape == (len(few), 8, MAX_SCENE_WORDS) and drawn.scenes == few
    assert drawn.x0[:].dtype == torch.float32 and drawn.x0[:].abs().max() <= 1
    monkeypatch.setattr(scene_pictures, "draw_many", None)
    opened = training_scenes(tmp_path / "scenes.safetensors")
    assert torch.equal(opened.x0.x, drawn.x0.x) and opened.scenes == few


# The judge


ASKED = understand("a red apple to the left of a green banana on a white background")
RIGHT = Seen((("apple", "red"), ("banana", "green")), ("", "large"), "white")


@pytest.mark.parametrize(
    ("things", "background", "wrong"),
    [
        (RIGHT.things, "white", set()),
        (RIGHT.things[::-1], "white", {"order"}),
        (RIGHT.things, "blue", {"background"}),
        ((("apple", "green"), ("banana", "red")), "white", {"things", "order", "swapped"}),
        ((("apple", "red"), ("banana", "red")), "white", {"colours", "things", "order"}),
        ((("apple", "red"), ("pear", "green")), "white", {"kinds", "things", "order"}),
        ((("apple", "red"),), "white", {"count", "kinds", "colours", "things", "order"}),
    ],
)
def test_a_verdict_names_what_is_wrong(things, background, wrong):
    verdict = compare(ASKED, Seen(things, ("",) * len(things), background))
    found = {name for name in Verdict._fields if getattr(verdict, name) is False}
    assert found | ({"swapped"} if verdict.swapped else set()) == wrong
    assert verdict.all_right == (not wrong)


def test_beside_asks_for_no_order_and_what_was_not_asked_has_no_score():
    verdict = compare(understand("a green banana beside a red apple"), RIGHT)
    assert verdict.all_right and verdict.order is None and verdict.background is None
    scores = score([verdict, compare(ASKED, RIGHT)])
    assert scores["all right"] == Score(2, 2) and scores["order"] == Score(1, 1) and scores["swapped"] == Score(0, 2)


@pytest.mark.parametrize(
    ("caption", "things", "sizes", "right"),
    [
        ("a red apple and a green banana", "ab", ("small", "large"), None),
        ("a small red apple and a large green banana", "ab", ("small", "large"), True),
        ("a small red apple and a large green banana", "ab", ("large", "small"), False),
        ("a small red apple and a large green banana", "ba", ("large", "small"), False),  # and the order is wrong
        ("a small red apple beside a large green banana", "ba", ("large", "small"), True),
        ("a small red apple beside a large green banana", "ba", ("small", "large"), False),
        ("a red apple and a large green banana", "ab", ("small", "large"), True),
        ("a red apple and a large green banana", "ab", ("small", ""), False),
        ("a small red apple beside a large red apple", "aa", ("large", "small"), True),
        ("a small red apple to the left of a large red apple", "aa", ("large", "small"), False),
        ("two large red apples", "aa", ("large", "large"), True),
        ("two large red apples", "aa", ("large", ""), False),
        ("a large red apple", "ab", ("large", ""), False),
    ],
)
def test_a_size_is_right_on_its_own_thing(caption, things, sizes, right):
    row = tuple({"a": ("apple", "red"), "b": ("banana", "green")}[thing] for thing in things)
    verdict = compare(understand(caption), Seen(row, sizes, "white"))
    assert verdict.sizes == right and (right is not False or not verdict.all_right)


def test_every_group_of_questions_asks_for_what_it_says():
    asked = {group: [things_of(understand(c)) for c in captions] for group, captions in questions(60).items()}
    assert all(len(group) == 60 for group in asked.values())
    rare, usual = set(HELD_OUT_PAIRS), set(TRAINING_PAIRS)
    assert all(combination(things) in set(TRAINING_COMBINATIONS) for things in asked["seen"])
    assert all(combination(things) in set(WITHHELD) for things in asked["unseen"])
    assert all(len(set(things) & rare) == 1 and len(set(things) & usual) == 1 for things in asked["one held out"])
    assert all(len(set(things) & rare) == 2 for things in asked["two held out"])
    assert all(len(things) == 1 and things[0] in rare for things in asked["held out alone"])
    assert all(len(set(things)) == 3 and set(things) <= usual for things in asked["three"])
    assert all(combination(things) in set(TRAINING_COMBINATIONS) for things in asked["either order"])
    assert all(len(set(things)) == 2 for things in asked["either order"])
    assert {understand(caption).in_order for caption in questions(60)["either order"]} == {False}
    assert all(combination(things) in set(TRAINING_COMBINATIONS) for things in asked["sizes"])
    sized = [[thing["size_word"] for thing in understand(caption).things] for caption in questions(60)["sizes"]]
    assert {tuple(words) for words in sized} == {("small", "large"), ("large", "small")}
    assert questions(60) == questions(60) != questions(60, seed=1)
    assert [len(things_of(understand(caption))) for caption in questions(1)["three"]] == [3]


def test_a_sentence_asks_for_its_things_in_their_order():
    row = (("apple", "red"), ("banana", "green"))
    assert sentence(row, 0) == "a red apple and a green banana"
    assert [understand(sentence(row, form)).in_order for form in range(4)] == [True, True, True, False]
    assert all(things_of(understand(sentence(row, form, "blue"))) == row for form in range(4))
    assert sentence((("grapes", "red"),) * 2, 1, "blue") == "two bunches of red grapes on a blue background"


def test_the_judge_has_drawings_of_its_own():
    seeds = {SCENES_SEED, scene_judge.JUDGE_SEED, scene_judge.TEST_SEED}
    assert len(seeds) == 3
    some = scene_judge.judged_scenes(400, scene_judge.JUDGE_SEED)
    assert Counter(len(scene.fruits) for scene in some) == {1: 100, 2: 200, 3: 100}
    assert {thing for scene in some for thing in scene.things} == set(ALL_PAIRS)
    assert not set(some) & set(scene_judge.judged_scenes(400, scene_judge.TEST_SEED))


def test_a_judge_learns_and_the_same_seed_gives_the_same_judge():
    def trained():
        torch.manual_seed(0)
        judge = SceneJudge(width=8)
        return judge, list(scene_judge.train_judge(judge, steps=8, drawings=8))

    (a, losses), (b, _) = trained(), trained()
    assert sum(losses[-3:]) < 0.95 * sum(losses[:3])
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_the_judge_says_what_it_sees_in_the_words_of_the_course():
    judge = SceneJudge(width=8).eval()
    seen = judge.see(torch.randn(5, 3, 64, 64))
    for one in seen:
        assert 1 <= len(one.things) <= 3 and set(one.things) <= set(itertools.product(KINDS, COLOURS))
        assert one.background in BACKGROUNDS and len(one.sizes) == len(one.things)
        assert set(one.sizes) <= set(SIZES)
    with pytest.raises(ValueError, match=r"shape \(B, 3, 64, 64\) are needed here, not .*\(1, 3, 32, 32\)"):
        judge.see(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match="leaves open"):
        scene_exam.judge_pictures(judge, torch.zeros(1, 3, 64, 64), ["an apple and a pear"])
    with pytest.raises(ValueError, match="1 pictures and 2 captions"):
        scene_exam.judge_pictures(judge, torch.zeros(1, 3, 64, 64), ["a red apple"] * 2)


def test_evaluate_has_every_question_answered_by_its_picture():
    class Painter:
        """A judge that reads the number of the caption from the first pixel."""

        def see(self, x):
            said = [c for captions in questions(4).values() for c in captions]
            asked = [understand(said[int(n)]) for n in x[:, 0, 0, 0].round()]
            sizes = [tuple(thing["size_word"] or "" for thing in a.things) for a in asked]
            return [Seen(things_of(a), some, a.background or "grey") for a, some in zip(asked, sizes, strict=True)]

    numbers = {tuple(row): i for i, row in enumerate(encode([c for g in questions(4).values() for c in g]).tolist())}

    def model(x_t, t, tokens):
        number = [float(numbers[tuple(row)]) for row in tokens.tolist()]
        return torch.tensor(number).reshape(-1, 1, 1, 1).expand_as(x_t)

    answers = scene_exam.evaluate(model, Painter(), count=4, steps=1, guidance_scale=1)
    assert list(answers) == list(questions(4))
    assert all(score(answer.verdicts)["all right"] == Score(4, 4) for answer in answers.values())


# The command line


@pytest.fixture
def untrained(monkeypatch, tmp_path):
    torch.manual_seed(0)
    weights.save(SceneDenoiser(**SCENES.settings(), channels=(8, 16), width=16), tmp_path / "d.safetensors")
    weights.save(SceneJudge(width=8), tmp_path / "j.safetensors")
    monkeypatch.setattr(weights.load_scene_denoiser, "__defaults__", (tmp_path / "d.safetensors",))
    monkeypatch.setattr(weights.load_scene_judge, "__defaults__", (tmp_path / "j.safetensors",))
    monkeypatch.setitem(generate.SHIPPED, "scenes", tmp_path / "d.safetensors")
    return tmp_path / "d.safetensors"


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


@pytest.mark.parametrize("caption", ["a green banana to the left of a red apple", "a pear on a blue background"])
def test_generate_finds_the_denoiser_that_knows_the_words(tmp_path, untrained, caption):
    out = tmp_path / "o.png"
    assert run("generate", caption, "--steps", 1, "--out", out) == 0
    assert Image.open(out).size == (256, 256)
    assert run("generate", caption, "--steps", 1, "--out", out, "--weights", untrained) == 0


def test_draw_draws_scenes_too(tmp_path):
    out = tmp_path / "o.png"
    assert run("draw", "two yellow lemons", "a red apple and a pear", "--size", 16, "--out", out) == 0
    assert Image.open(out).size == (34, 16)


def test_the_command_line_refuses_what_no_denoiser_understands(tmp_path, capsys):
    for command in ("draw", "generate"):
        assert run(command, "a red mango and a pear", "--out", tmp_path / "o.png") == 2
        said = capsys.readouterr()
        assert '"mango"' in said.err and "a red pear and a pear" in said.err
        assert said.err.count("\n") == 1 and said.out == ""
        assert run(command, "an apple to the left", "--out", tmp_path / "o.png") == 2
        assert "stands in the middle" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_scenes_are_trained_on_and_the_run_is_resumed(tmp_path, capsys, monkeypatch):
    few = training_list()[::1500]
    x0 = Bytes(torch.zeros(len(few), 3, 64, 64, dtype=torch.uint8))
    made = Scenes(x0, caption_tokens(few), few)
    monkeypatch.setattr("course_lib.fruit.scene_pictures.training_scenes", lambda bar, times=1: made)
    flips = []

    def spy(*drawn, generator, flip, batch_size):
        flips.append(flip)
        return random_batches(*drawn, generator, flip=flip, batch_size=2)

    monkeypatch.setattr("course_lib.train.random_batches", spy)
    options = ["train", "--scenes", "--channels", 8, 16, "--out", tmp_path]
    assert run(*options, "--steps", 1) == 0
    assert run(*options, "--steps", 2, "--resume") == 0
    assert run("train", "--steps", 3, "--out", tmp_path, "--resume") == 0  # the run knows that it is one of scenes
    assert flips == [False, False, False]
    assert weights.load_scene_denoiser(tmp_path / "denoiser.safetensors").vocabulary == SCENE_VOCABULARY


def test_evaluate_prints_scores_of_every_group(tmp_path, capsys, untrained):
    sheet = tmp_path / "wrong.png"
    options = ["evaluate", "--scenes", "--weights", untrained, "--per-group", 1, "--steps", 1, "--wrong", sheet]
    assert run(*options, "--json") == 0
    said = capsys.readouterr()
    scores = json.loads(said.out)
    assert list(scores) == list(questions(1)) and said.out.count("\n") == 1
    assert {named["all right"]["of"] for named in scores.values()} == {1}
    wrong = sum(named["all right"]["right"] == 0 for named in scores.values())
    assert said.err.count("place") == wrong and sheet.exists() == (wrong > 0)
    assert run(*options) == 0
    assert "swapped" in capsys.readouterr().out


def test_the_judge_of_scenes_is_trained_by_a_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(scene_judge, "SceneJudge", lambda: SceneJudge(width=8))
    quick = scene_judge.train_judge
    monkeypatch.setattr(scene_judge, "train_judge", lambda *a, **b: quick(*a, drawings=4, **b))
    fresh = scene_exam.score_drawings
    monkeypatch.setattr(scene_exam, "score_drawings", lambda judge, bar: fresh(judge, 8))
    out = tmp_path / "judge.safetensors"
    assert run("judge", "--scenes", "--steps", 1, "--out", out) == 0
    assert "of 8 fresh drawings" in capsys.readouterr().out
    about = read_tensors(out)[1]["about"]
    assert about["fresh"]["all right"]["of"] == 8 and {"one", "two", "three"} <= about["fresh"].keys()
    assert weights.load_scene_judge(out).config["width"] == 8
