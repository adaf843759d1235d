from itertools import product

import pytest
import torch

from course_lib.captions import MAX_WORDS, decode, encode, known_words, null_tokens, split_words
from course_lib.fruit.prompts import phrasings, understand
from course_lib.fruit.words import BACKGROUNDS, COLOURS, KINDS, SIZES, VOCABULARY


def encode_fruit(caption):
    return encode(caption, VOCABULARY)


def read(caption):
    asked = understand(caption)
    return asked["kind"], asked["colour"], asked["size_word"], asked["background"]


@pytest.mark.parametrize(
    ("caption", "factors"),
    [
        ("red apple", ("apple", "red", None, None)),
        ("a red apple", ("apple", "red", None, None)),
        ("green banana", ("banana", "green", None, None)),
        ("Green Banana!", ("banana", "green", None, None)),
        ("  GREEN\tbanana\n", ("banana", "green", None, None)),
        ("a banana", ("banana", None, None, None)),
        ("an apple that is red", ("apple", "red", None, None)),
        ("a small red apple on a grey background", ("apple", "red", "small", "grey")),
        ("large grapes that are blue", ("grapes", "blue", "large", None)),
        ("a fruit", (None, None, None, None)),
        ("a pink fruit on a white background", (None, "pink", None, "white")),
        ("orange", ("orange", None, None, None)),
        ("an orange banana", ("banana", "orange", None, None)),
        ("green orange", ("orange", "green", None, None)),
        ("orange orange", ("orange", "orange", None, None)),
        ("an orange fruit", (None, "orange", None, None)),
        ("an orange that is orange", ("orange", "orange", None, None)),
        ("a banana that is orange", ("banana", "orange", None, None)),
    ],
)
def test_captions_are_read_as_meant(caption, factors):
    assert encode(caption, VOCABULARY).shape == (1, MAX_WORDS)
    assert read(caption) == factors


def test_every_phrasing_of_every_picture_reads_back_as_its_factors():
    for kind, colour, size, background in product(KINDS, COLOURS, ("", *SIZES), BACKGROUNDS):
        captions = phrasings(kind, colour, size, background)
        assert len(captions) == 8
        encode(captions, VOCABULARY)
        colours, sizes, backgrounds = set(), set(), set()
        for caption in captions:
            said_kind, said_colour, said_size, said_background = read(caption)
            assert said_kind == kind or (said_kind is None and caption.endswith("fruit")), caption
            assert said_colour in (colour, None) and said_size in (size, None), caption
            assert said_background in (background, None), caption
            colours.add(said_colour)
            sizes.add(said_size)
            backgrounds.add(said_background)
        assert colours == {colour, None} and sizes == {size or None, None} and backgrounds == {background, None}


def test_phrasings_are_english():
    assert phrasings("apple", "red")[:3] == ["red apple", "a red apple", "an apple that is red"]
    assert phrasings("apple", "orange", "small", "cream")[5] == "a small orange apple on a cream background"
    assert phrasings("grapes", "orange")[1:3] == ["orange grapes", "grapes that are orange"]
    assert phrasings("orange", "green")[6:] == ["an orange", "a green fruit"]


def test_no_phrasing_is_too_long():
    longest = max(len(p.split()) for k, c in product(KINDS, COLOURS) for p in phrasings(k, c, "large", "white"))
    assert longest <= MAX_WORDS


def test_tokens_name_the_words_and_zeros_follow():
    tokens = encode(["red apple", "a small green banana on a grey background"], VOCABULARY)
    assert tokens.shape == (2, MAX_WORDS) and tokens.dtype == torch.int64
    assert tokens[0].tolist() == [VOCABULARY.index("red"), VOCABULARY.index("apple")] + [0] * (MAX_WORDS - 2)
    assert (tokens[1, :8] > 0).all() and (tokens[1, 8:] == 0).all()


def test_decode_undoes_encode():
    captions = ["red apple", "an orange that is orange", "grapes"]
    assert decode(encode(captions, VOCABULARY), VOCABULARY) == captions


@pytest.mark.parametrize("tokens", ["a red apple", None, [[1, 2]], torch.ones(3, dtype=torch.int64)], ids=str)
def test_what_has_no_rows_of_tokens_is_not_decoded(tokens):
    with pytest.raises(ValueError, match=r"tokens are rows of numbers, \(B, L\), as `encode` gives them"):
        decode(tokens, VOCABULARY)


def test_the_same_words_in_another_order_are_other_tokens():
    assert not torch.equal(encode("orange apple", VOCABULARY), encode("apple orange", VOCABULARY))


def test_each_word_of_the_vocabulary_is_there_once_and_the_first_is_no_word():
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    assert VOCABULARY[0] == "" and VOCABULARY.count("orange") == 1
    assert {*KINDS, *COLOURS, *SIZES, *BACKGROUNDS} <= set(VOCABULARY)


def test_the_null_caption_is_all_zeros_and_reads_as_nothing():
    assert torch.equal(null_tokens(3), torch.zeros(3, MAX_WORDS, dtype=torch.int64))
    assert decode(null_tokens(2), VOCABULARY) == ["", ""]


def test_another_vocabulary_can_be_used():
    words = ("", "two", "apples")
    assert encode("Two apples", words)[0, :3].tolist() == [1, 2, 0]
    with pytest.raises(ValueError, match='"red".*It knows: two, apples'):
        encode("red apples", words)


@pytest.mark.parametrize("ask", [encode_fruit, understand])
@pytest.mark.parametrize(
    ("caption", "word", "nearest"),
    [("bananna", "bananna", "banana"), ("a gren apple", "gren", "green"), ("two apples", "two", None)],
)
def test_an_unknown_word_is_named_with_its_nearest_and_the_vocabulary(ask, caption, word, nearest):
    with pytest.raises(ValueError) as error:
        ask(caption)
    message = str(error.value)
    assert f'never learned the word "{word}"' in message
    assert all(known in message for known in VOCABULARY)
    assert nearest is None or f'Did you mean "{nearest}"?' in message


@pytest.mark.parametrize("ask", [encode_fruit, understand])
@pytest.mark.parametrize("caption", ["", "   ", "\t\n", "?!...", '""'])
def test_a_caption_without_a_word_is_refused(ask, caption):
    with pytest.raises(ValueError, match='holds no word.*"a red apple"'):
        ask(caption)


@pytest.mark.parametrize("ask", [encode_fruit, understand])
@pytest.mark.parametrize("caption", ["a" * 10_000, "red " * 2_500, "red " * (MAX_WORDS + 1), "a" + " " * 9_999])
def test_a_long_caption_is_refused_in_a_short_message(ask, caption):
    with pytest.raises(ValueError, match=f"too long.*at most {MAX_WORDS} words") as error:
        ask(caption)
    assert len(str(error.value)) < 2_000


def test_a_long_unknown_word_is_cut_in_the_message():
    with pytest.raises(ValueError, match=r'"x{40}…"') as error:
        encode("x" * 400, VOCABULARY)
    assert len(str(error.value)) < 2_000


@pytest.mark.parametrize(
    ("vocabulary", "said"),
    [
        ([f"word{i}" for i in range(5_000)], 'Did you mean "word77" or .* It knows the 5000 words of its captions'),
        (["x" * 400 + "y" * i for i in range(1, 5)], "It knows the 4 words of its captions"),
    ],
)
def test_a_large_vocabulary_is_counted_and_not_listed(vocabulary, said):
    with pytest.raises(ValueError, match=f"never learned the word.*{said}, its `vocabulary`") as error:
        encode("wort77", ("", *vocabulary))
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("ask", [encode_fruit, understand])
@pytest.mark.parametrize(
    ("caption", "word"),
    [("красное яблоко", "красное"), ("红苹果", "红苹果"), ("3 apple", "3"), ("a 🍌", "🍌"), ("a\x00", "a\\x00")],
)
def test_other_scripts_numbers_and_emoji_are_unknown_words(ask, caption, word):
    with pytest.raises(ValueError, match="never learned the word") as error:
        ask(caption)
    assert f'"{word}"' in str(error.value)


@pytest.mark.parametrize("ask", [encode_fruit, understand, split_words])
@pytest.mark.parametrize("caption", [None, 3, 2.5, [None]])
def test_what_is_no_text_is_refused(ask, caption):
    with pytest.raises(TypeError, match='A caption is text, such as "a red apple".*not '):
        ask(caption)


@pytest.mark.parametrize(
    "caption",
    [
        "apple red",
        "banana banana",
        "red",
        "a",
        "a red green apple",
        "a red apple that is red",
        "a grey apple",
        "red apple on a background",
        "red apple on a blue background",
        "apple on",
        "an apple that is",
        "a a apple",
    ],
)
def test_known_words_in_an_order_never_learned_are_refused(caption):
    encode(caption, VOCABULARY)
    with pytest.raises(ValueError, match=f'"{caption}" has known words, but not in an order the model learned'):
        understand(caption)


@pytest.mark.parametrize("none", [[], (), iter(())])
def test_no_caption_at_all_is_refused(none):
    with pytest.raises(ValueError, match='There is no caption here. Write for example "a red apple"'):
        encode(none, VOCABULARY)


@pytest.mark.parametrize("word", ["\x1b", "\x07pear", "\ud800", "\u202egnat", "\x1b[31m"])
def test_what_a_screen_would_act_on_is_shown_escaped(word):
    with pytest.raises(ValueError, match="never learned") as refused:
        known_words(word, VOCABULARY)
    assert str(refused.value).isprintable()
