"""The training pictures and their captions: 56 of the 64 pairs of kind and colour, drawn once and kept in a file.

Eight pairs, one of each kind, are held out of training in every form: no picture of them, no caption for them.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib import fruit, shapes
from course_lib.captions import EXAMPLE, SIZES, encode, split_words
from course_lib.files import DRAWN, read_tensors, write_tensors
from course_lib.fruit import BACKGROUNDS, COLOURS, KINDS, Fruit, draw, random_fruit

HELD_OUT = {
    "apple": "blue",
    "banana": "green",
    "watermelon": "purple",
    "orange": "green",
    "lemon": "pink",
    "pear": "red",
    "strawberry": "yellow",
    "grapes": "brown",
}
ALL_PAIRS = tuple((kind, colour) for kind in KINDS for colour in COLOURS)
HELD_OUT_PAIRS = tuple(HELD_OUT.items())
TRAINING_PAIRS = tuple(pair for pair in ALL_PAIRS if pair not in HELD_OUT_PAIRS)
PER_PAIR = 256  # 56 x 256 = 14,336 pictures
TRAINING_SEED = 0
SIZE = 32

Bar = Callable[[Iterable], Iterable]  # what shows progress, such as tqdm


def no_bar(items: Iterable) -> Iterable:
    """The progress bar that shows nothing."""
    return items


def from_bytes(x: Tensor) -> Tensor:
    """Bytes, as picture files hold them, to the range of this course: x0 = x / 127.5 - 1.

    Args:
        x: uint8 of any shape, 0 for none of a colour to 255 for all of it.

    Returns:
        x0, float32 of the same shape in [-1, 1].
    """
    return x / 127.5 - 1


def to_bytes(x0: Tensor) -> Tensor:
    """The way back: float32 in [-1, 1] to the nearest uint8."""
    return ((x0 + 1) * 127.5).round().to(torch.uint8)


class Pictures(NamedTuple):
    """Captioned pictures and what was recorded when they were drawn."""

    x0: Tensor  # (N, 3, H, W) float32 in [-1, 1]
    tokens: Tensor  # (N, 8, MAX_WORDS) int64: eight phrasings of each caption
    fruits: list[Fruit]  # N recorded factors


def random_fruits(pairs: Sequence[tuple[str, str]], per_pair: int, seed: int) -> list[Fruit]:
    """Factors of `per_pair` pictures of each (kind, colour), all else at random from the seed."""
    generator = torch.Generator().manual_seed(seed)
    return [random_fruit(generator, kind, colour) for _ in range(per_pair) for kind, colour in pairs]


def draw_many(fruits: Sequence[Fruit], size: int = SIZE, bar: Bar = no_bar) -> Tensor:
    """Draw pictures in portions, with a progress bar: (N, 3, size, size) float32 in [-1, 1]."""
    return torch.cat([draw(fruits[i : i + 256], size) for i in bar(range(0, len(fruits), 256))])


def caption_tokens(fruits: Sequence[Fruit]) -> Tensor:
    """The tokens of all phrasings for each fruit: (N, 8, MAX_WORDS) int64."""
    said = [(f.kind, f.colour, f.size_word, f.background) for f in fruits]
    known = {words: encode(phrasings(*words)) for words in set(said)}
    return torch.stack([known[words] for words in said])


def drawn_once(
    path: str | Path, recipe: Sequence[str], make: Callable[[], tuple[Tensor, list[dict]]]
) -> tuple[Tensor, list[dict]]:
    """Open drawn pictures and their factors, or draw them, if there are none or they follow another recipe.

    Args:
        path: where they are kept.
        recipe: all that decides how they look, such as the text of the renderer.
        make: draws them: (N, 3, H, W) uint8, and N dicts of factors, as JSON can hold them.

    Returns:
        The pictures as bytes, (N, 3, H, W) uint8, and the factors.

    Raises:
        ValueError: the file is damaged.
    """
    drawn_by = hashlib.sha256("".join(recipe).encode()).hexdigest()
    if Path(path).is_file():
        try:
            tensors, about = read_tensors(path)
        except ValueError as error:
            raise ValueError(f"{path} is damaged. Delete it, and the pictures are drawn anew.") from error
        if about.get("drawn_by") == drawn_by:
            return tensors["x0"], about["factors"]
    x0, factors = make()
    write_tensors(path, {"x0": x0}, {"drawn_by": drawn_by, "factors": factors})
    return x0, factors


def training_pictures(path: str | Path = DRAWN / "pictures.safetensors", bar: Bar = no_bar) -> Pictures:
    """Open the training pictures; the first time, draw them.

    They are drawn anew when the file is missing or the renderer has changed since.

    Args:
        path: where they are kept, as bytes.
        bar: shows progress while they are drawn, such as `tqdm`.

    Returns:
        `Pictures` with N = 14,336, H = W = 32, every training pair 256 times.

    Raises:
        ValueError: the file is damaged; the message says what to do.
    """
    recipe = [Path(module.__file__).read_text() for module in (shapes, fruit)]
    recipe += [repr((TRAINING_PAIRS, PER_PAIR, TRAINING_SEED, SIZE))]

    def make() -> tuple[Tensor, list[dict]]:
        fruits = random_fruits(TRAINING_PAIRS, PER_PAIR, TRAINING_SEED)
        return to_bytes(draw_many(fruits, bar=bar)), [asdict(f) for f in fruits]

    x0, factors = drawn_once(path, recipe, make)
    fruits = [Fruit(**factor) for factor in factors]
    return Pictures(from_bytes(x0), caption_tokens(fruits), fruits)


def article(words: str) -> str:
    """Put "a" or "an" before words, and nothing before grapes, which come as many."""
    return words if words.endswith("grapes") else f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def phrasings(kind: str, colour: str, size_word: str = "", background: str = "grey") -> list[str]:
    """Several captions for one picture, from the barest to the fullest; always eight of them.

    Args:
        kind, colour, background: from `KINDS`, `COLOURS`, `BACKGROUNDS`.
        size_word: "small", "large", or "" where the size is not worth a word.
    """
    sized = f"{size_word} {colour} {kind}".strip()
    is_colour = f"that {'are' if kind == 'grapes' else 'is'} {colour}"
    where = f"on a {background} background"
    return [
        f"{colour} {kind}",
        article(f"{colour} {kind}"),
        f"{article(kind)} {is_colour}",
        article(sized),
        f"{article(f'{colour} {kind}')} {where}",
        f"{article(sized)} {where}",
        article(kind),
        f"{article(colour)} fruit",
    ]


def _one_of(name: str, words: Sequence[str]) -> str:
    return f"(?P<{name}>{'|'.join(words)})"


_GRAMMAR = re.compile(
    "(?:an? )?"
    f"(?:{_one_of('size_word', SIZES)} )?"
    f"(?:{_one_of('colour', COLOURS)} )?"
    f"{_one_of('kind', [*KINDS, 'fruit'])}"
    f"(?: that (?:is|are) {_one_of('colour_after', COLOURS)})?"
    f"(?: on an? {_one_of('background', BACKGROUNDS)} background)?"
)


def understand(caption: str) -> dict[str, str | None]:
    """Read what a caption asks for, by the grammar that all training captions follow.

    Word order decides what "orange" is: alone, or last, it is the fruit; before a fruit it is the colour.

    Returns:
        A dict with the keys kind, colour, size_word and background; None where the caption leaves it open.

    Raises:
        TypeError, ValueError: as `encode`; also where all words are known, but say nothing the grammar knows.
    """
    encode(caption)
    text = " ".join(split_words(caption))
    match = _GRAMMAR.fullmatch(text)
    asked = match.groupdict() if match else {}
    if not match or (asked["colour"] and asked["colour_after"]):
        raise ValueError(
            f'"{text}" has known words, but not in an order the model learned. '
            f"Ask for one fruit, with its size, colour and background if you like: {EXAMPLE}."
        )
    return {
        "kind": None if asked["kind"] == "fruit" else asked["kind"],
        "colour": asked["colour"] or asked["colour_after"],
        "size_word": asked["size_word"],
        "background": asked["background"],
    }
