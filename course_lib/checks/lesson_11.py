"""The exercises of lesson 11: attention by hand, and a sentence that is hard to draw."""

import math
import re

import torch
from torch import Tensor

from course_lib.checks.engine import RIGHT, UNTOUCHED, Exercise, check, exercise
from course_lib.classroom.wording import shown
from course_lib.fruit.scene_pictures import scene_tokens
from course_lib.fruit.scene_prompts import understand
from course_lib.fruit.words import BACKGROUNDS, COLOURS, KINDS, NAMES, SCENE_BACKGROUNDS
from course_lib.judging.scene_exam import judge_pictures
from course_lib.sample import generate
from course_lib.weights import load_scene_denoiser, load_scene_judge

ASKED, STEPS = 6, 25  # pictures of a hard sentence, and steps to each


def with_nothing(scores: Tensor) -> Tensor:
    """(N, M) scores to the shares of M words, (N, M), beside one more, "nothing", whose score is always 0."""
    return torch.cat([scores, scores.new_zeros(len(scores), 1)], dim=1).softmax(dim=1)[:, :-1]


def attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """What places hear that may turn to nothing: (N, d) questions, (M, d) keys and (M, c) values to (N, c)."""
    return with_nothing(q @ k.T / math.sqrt(q.shape[1])) @ v


def shares(scores: Tensor, there: Tensor) -> Tensor:
    """(N, M) scores to shares that sum to one in each row, none for words that are not `there`, (M,) bool."""
    return scores.masked_fill(~there, -math.inf).softmax(dim=1)


g = torch.Generator().manual_seed(11)


def _asked(places: int, words: int) -> tuple[Tensor, Tensor, Tensor]:
    """Random questions and keys of 3 numbers, values of 2."""
    return tuple(torch.randn(*shape, generator=g) for shape in ((places, 3), (words, 3), (words, 2)))


@exercise(
    attended,
    {
        "four places and two words": _asked(4, 2),
        "three places and five words": _asked(3, 5),
        "four places and a single word": _asked(4, 1),
    },
)
def attention(q, k, v):
    """Lesson 11: what each place hears, softmax(q k / sqrt(d)) v, beside the word "nothing"."""
    fit, d = q @ k.T, q.shape[1]
    beside = torch.cat([fit / math.sqrt(d), fit.new_zeros(len(q), 1)], dim=1).softmax(dim=1)
    return {
        "the scores are no shares yet: the softmax is missing.": fit / math.sqrt(d) @ v,
        "there is no way out yet: the words still share all of the 1. Put nothing's score, 0, into the softmax.": (
            (fit / math.sqrt(d)).softmax(dim=1) @ v
        ),
        'that is the code from above. Divide by the square root of d, and let "nothing" take its share.': (
            fit.softmax(dim=1) @ v
        ),
        "the column you left out is not that of nothing.": beside[:, 1:] @ v,
        "your shares sum to one over the places. They must do so over the words, in each row: dim=1.": (
            (fit / math.sqrt(d)).softmax(dim=0) @ v
        ),
        "the scores are not divided by the square root of d.": with_nothing(fit) @ v,
        "the scores are divided by d, not by its square root.": with_nothing(fit / d) @ v,
        "divide by the square root of d = q.shape[1], not of the number of places.": (
            with_nothing(fit / math.sqrt(len(q))) @ v
        ),
        "the scores are multiplied by the square root of d. Divide.": with_nothing(fit * math.sqrt(d)) @ v,
        "that is the same mixture at every place: where is the question?": v.mean(dim=0).expand(len(q), -1),
        "these are shares of exp(-score): the words that fit worst get most.": with_nothing(-fit / math.sqrt(d)) @ v,
    }


SCORES = torch.randn(4, 5, generator=g)
SOME = torch.tensor([True, True, False, True, False])


@exercise(
    shares,
    {
        "two of five words missing": (SCORES, SOME),
        "every word there": (SCORES, torch.ones(5, dtype=torch.bool)),
        "a single word there": (SCORES, torch.arange(5) == 3),
    },
)
def shares_of_those_there(scores, there):
    """Lesson 11: shares for the words that are there, and none for the others."""
    after = scores.softmax(dim=1) * there
    return {
        "the words that are not there still get a share.": scores.softmax(dim=1),
        "your rows no longer sum to one. What the missing words had must go to the others.": after,
        "a score of 0 is no share of 0: exp(0) is 1. Which number has exp(number) = 0?": (scores * there).softmax(
            dim=1
        ),
        "the wrong words are left out: `there` says which ones are there, ~there which are not.": (
            scores.masked_fill(there, -1e9).softmax(dim=1)
        ),
        "`there` is turned round: only missing words were to get -inf, and `~there` says which are missing.": (
            scores.masked_fill(there, -math.inf).softmax(dim=1)
        ),
        "what the missing words had is now dealt out evenly. The others must keep their proportions.": (
            after + (1 - after.sum(1, keepdim=True)) * there / there.sum()
        ),
    }


NUMBERS = {"three", "four", "five", "six", "seven", "eight", "nine", "ten"}
ORDER = (
    "Name one to three fruits, each as size, colour, kind, "
    'with one and the same joining word between them, such as "and".'
)


def _unread(sentence: str, error: ValueError) -> str:
    """Why a sentence is not understood."""
    words = re.findall(r"\w+", sentence.casefold())
    if number := next((word for word in words if word in NUMBERS or (word.isdecimal() and word not in "012")), None):
        return f'it never learned "{number}": it counts to two. For three, name each, with "and" between them.'
    fruits = {*KINDS, *(name.plural for name in NAMES.values())}
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if word in BACKGROUNDS and word not in COLOURS and (after in fruits or before in ("is", "are")):
            return f"{word} is a background, and no colour of a fruit. The colours are {', '.join(COLOURS)}."
    if (behind := re.search(r"(\w+) background", " ".join(words))) and behind[1] not in SCENE_BACKGROUNDS:
        return f"{behind[1]} is no background. There are {', '.join(SCENE_BACKGROUNDS)}."
    if sum(word in KINDS for word in words) > 3:
        return "those are more than three fruits. Three are hard enough."
    reason = str(error).split(" Ask for ")[0].split(" It knows")[0]
    return f"{reason} {ORDER}" if "not in an order" in reason else reason


@check(Exercise("a red apple and a yellow lemon and a green pear"))
def hard_sentence(attempt: str) -> str:
    """Lesson 11: a sentence of which at most half of six pictures show all that it asks for."""
    if attempt is ...:
        return UNTOUCHED
    if not isinstance(attempt, str):
        return f"Not yet: a sentence is text, between quotes, not {shown(attempt, 60)}."
    try:
        asked = understand(attempt)
    except ValueError as error:
        return f"Not yet: {_unread(attempt, error)}"
    if not all(thing["kind"] and thing["colour"] for thing in asked.things):
        return "Not yet: name the kind and the colour of each fruit, or nobody can say what would be right."
    painted = generate(
        load_scene_denoiser(),
        scene_tokens([attempt] * ASKED),
        generator=torch.Generator().manual_seed(0),
        steps=STEPS,
    )
    right = sum(verdict.all_right for verdict in judge_pictures(load_scene_judge(), painted, [attempt] * ASKED))
    told = f"{right} of {ASKED} pictures show all that it asks for."
    if right > ASKED // 2:
        return f"Not yet: {told} Find a sentence that is harder to draw."
    return f"{RIGHT} {told}" if right else RIGHT
