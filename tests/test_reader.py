"""What people type is read as a caption, or refused with the reason and the nearest caption."""

import json
import random
import subprocess
import sys
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_lib.fruit import prompts, scene_prompts
from course_lib.fruit.reader import Unread, read
from course_lib.fruit.words import COLOURS, KINDS, SCENE_BACKGROUNDS, SIZES, VOCABULARY
from course_lib.fruit.worlds import FRUIT, SCENES, read_for, unquoted, world_for

ROOT = Path(__file__).resolve().parents[1]
PROMPTS = json.loads((ROOT / "tests/prompts.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", PROMPTS, ids=lambda case: ascii(case["prompt"])[:60])
def test_a_prompt_is_read_as_it_is_meant_or_refused_with_the_nearest(case):
    if "caption" in case:
        assert read(case["prompt"]).caption == case["caption"]
        return
    with pytest.raises(Unread) as refused:
        read(case["prompt"])
    assert case["error"].casefold() in str(refused.value).casefold() and str(refused.value).isprintable()
    assert refused.value.suggestion == case["suggestion"]
    if case["suggestion"]:
        assert f'"{case["suggestion"]}"' in str(refused.value)


def asks_for_the_same(caption):
    said, again = (scene_prompts.understand(text) for text in (caption, read(caption).caption))
    return said == again


def test_every_caption_of_one_fruit_is_read_as_it_was_learned():
    for kind, colour, size_word, background in product(KINDS, COLOURS, SIZES, SCENE_BACKGROUNDS):
        for caption in prompts.phrasings(kind, colour, size_word, background):
            assert asks_for_the_same(caption), caption


def test_captions_of_two_fruits_are_read_as_they_were_learned():
    fruits = [SimpleNamespace(kind=k, colour=c, size_word=s) for k, c, s in product(KINDS, COLOURS, SIZES)]
    chance = random.Random(0)
    pairs = [chance.sample(fruits, 2) for _ in range(1500)] + [[fruit, fruit] for fruit in fruits]
    for pair in pairs:
        for caption in scene_prompts.phrasings(
            SimpleNamespace(fruits=pair, background=chance.choice(SCENE_BACKGROUNDS))
        ):
            assert asks_for_the_same(caption), caption


def random_texts(count):
    chance = random.Random(1)
    typed = [word for case in PROMPTS for word in case["prompt"].split()] + [*VOCABULARY, "\x00", "\ud800", "\x1b[31m"]
    for _ in range(count):
        yield " ".join(chance.choices(typed, k=chance.randint(0, 9)))
        letters = (range(32, 127), range(0x3000), range(0x110000))
        yield "".join(chr(chance.choice(chance.choice(letters))) for _ in range(chance.randint(0, 30)))


def test_any_text_gives_an_understood_caption_or_a_printable_refusal_with_a_caption_that_is_taken():
    for text in random_texts(2_000):
        try:
            scene_prompts.understand(read(text).caption)
        except Unread as refused:
            assert str(refused).isprintable() and len(str(refused)) < 300, ascii(text)
            assert refused.suggestion is None or read(refused.suggestion).caption == refused.suggestion, ascii(text)


@pytest.mark.parametrize("what", [None, 3, ["a red apple"]])
def test_what_is_no_text_is_refused(what):
    with pytest.raises(TypeError, match="A caption is text"):
        read(what)


@pytest.mark.parametrize("typed", ["red apple", "A red apple!", "the red apple", "a red-apple", "a red apple 🍎"])
def test_case_articles_and_punctuation_are_no_other_words(typed):
    assert read(typed).note == ""


def test_other_words_are_told():
    assert read("a big banana, green").note == "understood as: a large green banana"


def test_a_network_of_one_fruit_refuses_two_and_offers_the_first():
    assert world_for(["a red apple"]) is FRUIT and world_for(["2 pears", "an apple"]) is SCENES
    assert read_for(SCENES, "2 pears").caption == "two pears"
    with pytest.raises(Unread, match='one fruit.*Did you mean "a red apple"'):
        read_for(FRUIT, "a red apple and a pear")
    with pytest.raises(Unread, match='white.*Did you mean "a pear"'):
        read_for(FRUIT, "a pear on blue")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["green", "banana"], ["green banana"]),
        (["a", "red", "apple"], ["a red apple"]),
        (["a red", "apple"], ["a red apple"]),
        (["apple", "banana"], ["apple", "banana"]),
        (["a red apple", "a gren pear"], ["a red apple", "a gren pear"]),
        (["gren"], ["gren"]),
    ],
)
def test_a_prompt_without_quotes_is_joined(typed, meant):
    assert unquoted(typed) == meant


def test_the_command_reads_line_by_line_and_loads_no_torch():
    program = "import sys; from course_lib.commands.main import main; main(['read', '--json']); "
    program += "assert 'torch' not in sys.modules"
    typed = b"a big banana\n\n\xff apple\r\nbananna"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, input=typed, capture_output=True)
    assert done.returncode == 0, done.stderr
    big, empty, spoilt, spelt = map(json.loads, done.stdout.splitlines())
    assert big == {"prompt": "a big banana", "caption": "a large banana"}
    assert empty["prompt"] == "" and empty["suggestion"] is None and "holds no word" in empty["error"]
    assert spoilt == {"prompt": "\ufffd apple", "caption": "an apple"}
    assert spelt["suggestion"] == "a banana" and set(spelt) == {"prompt", "error", "suggestion"}
