import csv

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.captions import MAX_WORDS, build_vocabulary, decode
from course_lib.own import folder as module
from course_lib.own.folder import crop_and_scale, open_folder, prepare
from course_lib.own.houses import PAINTS, SKIES, THINGS, scene, write_folder

RED, WHITE, GREEN = (255, 0, 0), (255, 255, 255), (0, 255, 0)


@pytest.fixture
def root(tmp_path):
    """A folder with two good pictures."""
    path = tmp_path / "pets"
    path.mkdir()
    Image.new("RGB", (50, 40), RED).save(path / "cat.png")
    Image.new("RGB", (40, 60), GREEN).save(path / "dog.jpg")
    table(path, ("cat.png", "A red cat!"), ("dog.jpg", "a green dog"))
    return path


def table(path, *lines, head=("file", "caption"), name="captions.csv"):
    with (path / name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *lines])


def refusal(path):
    with pytest.raises(ValueError) as caught:
        open_folder(path)
    return str(caught.value)


def stripes(width, height, **colours):
    """A picture whose middle square is red, with green to both sides."""
    image = Image.new("RGB", (width, height), GREEN)
    side = min(width, height)
    image.paste(RED, ((width - side) // 2, (height - side) // 2, (width + side) // 2, (height + side) // 2))
    return image


def test_a_good_folder_gives_pictures_tokens_and_words(root):
    found = open_folder(root, size=16)
    assert found.x0.shape == (2, 3, 16, 16) and found.x0.dtype == torch.float32
    torch.testing.assert_close(found.x0[0, :, 8, 8], torch.tensor([1.0, -1, -1]))
    assert found.vocabulary == ("", "a", "cat", "dog", "green", "red")
    assert found.tokens.shape == (2, MAX_WORDS) and found.tokens[0, :4].tolist() == [1, 5, 2, 0]
    assert decode(found.tokens, found.vocabulary) == ["a red cat", "a green dog"]
    assert found.files == ["cat.png", "dog.jpg"] and found.captions == ["A red cat!", "a green dog"]


def test_pictures_come_in_the_order_of_the_captions(root):
    there = open_folder(root)
    table(root, ("dog.jpg", "a green dog"), ("cat.png", "a red cat"))
    back = open_folder(root)
    assert torch.equal(there.x0.flip(0), back.x0) and there.vocabulary == back.vocabulary


def test_the_convention_of_hugging_face_is_read_as_well(root):
    ours = open_folder(root)
    (root / "captions.csv").unlink()
    table(root, ("cat.png", "A red cat!"), ("dog.jpg", "a green dog"), head=("file_name", "text"), name="metadata.csv")
    assert torch.equal(open_folder(root).x0, ours.x0) and open_folder(root).captions == ours.captions


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_table_from_any_spreadsheet_is_read(root, between, end, mark):
    lines = [["File ", "note", "caption"], ["cat.png", "x", '"a cat, red"'], ["dog.jpg", "", "dog"], ["", "", ""]]
    text = mark + end.join(between.join(line) for line in lines)
    (root / "captions.csv").write_bytes(text.encode())
    assert open_folder(root).captions == ["a cat, red", "dog"]


def test_a_caption_may_go_over_two_lines_and_the_lines_after_it_are_counted_right(root):
    (root / "captions.csv").write_text('file,caption\ncat.png,"a cat\nthat is red"\ndog.jpg,\n')
    assert "captions.csv, line 4: The caption holds no word" in refusal(root)
    (root / "captions.csv").write_text('file,caption\ncat.png,"a cat\nthat is red"\ndog.jpg,a dog')
    assert decode(open_folder(root).tokens, open_folder(root).vocabulary) == ["a cat that is red", "a dog"]


def test_all_problems_are_told_at_once_with_their_lines(root):
    Image.new("RGB", (9, 9)).save(root / "bird.png")
    (root / "text.png").write_text("no picture")
    whole = (root / "dog.jpg").read_bytes()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)).save(root / "half.png")
    (root / "half.png").write_bytes((root / "half.png").read_bytes()[:5000])
    table(
        root,
        ("cat.png", "a cat"),
        ("dog.jpg", "  "),
        ("cat.png", "a red cat"),
        ("cta.png", "a cat"),
        ("text.png", "a text"),
        ("half.png", "a half"),
        ("", "nothing"),
        ("bird.png", "very " * MAX_WORDS + "long"),
        ("dogs.jpg", "a dog", "too much"),
    )
    Image.new("RGB", (9, 9)).save(root / "owl.GIF")
    lines = refusal(root).split("\n- ")
    assert lines[0] == "The folder pets cannot be used yet: 9 things to mend."
    for line, number, words in zip(lines[1:], (10, 3, 4, 5, 6, 7, 8, 9, None), PROBLEMS, strict=True):
        assert words in line and (number is None or f"captions.csv, line {number}" in line)
    assert (root / "dog.jpg").read_bytes() == whole and str(root) not in refusal(root)


PROBLEMS = [
    'A comma in a caption needs "quotes"',
    "The caption holds no word",
    "cat.png has a caption already, in line 2",
    "there is no file cta.png. Did you mean cat.png?",
    "text.png is no picture that can be opened",
    "half.png is damaged or cut short",
    "no file is named",
    "too long: 13 words",
    "owl.GIF has no caption",
]


def test_a_very_long_list_of_problems_is_counted(root):
    table(root, *[(f"no{i}.png", "a cat") for i in range(80)])
    said = refusal(root)
    assert "82 things to mend" in said and said.count("\n- ") == 51 and said.endswith("and 32 more")


def test_names_cannot_leave_the_folder(root, tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "secret.png")
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    names = ["../secret.png", str(tmp_path / "secret.png"), "..\\secret.png", "C:\\secret.png", "a/../../secret.png"]
    table(root, *[(name, "a secret") for name in [*names, "link.png"]])
    lines = [line for line in refusal(root).split("\n- ")[1:] if "captions.csv, line" in line]
    assert ["out of the folder" in line or "already" in line for line in lines] == [True] * 6
    assert "a link that leads out" in lines[-1]


def test_subfolders_are_fine_and_hidden_files_are_no_pictures(root):
    (root / "more").mkdir()
    Image.new("RGB", (40, 40)).save(root / "more" / "owl.png")
    (root / "._cat.png").write_text("what a computer left there")
    (root / "notes.txt").write_text("no picture")
    lines = ("cat.png", "cat"), ("./dog.jpg", "dog"), ("more\\owl.png", "owl")
    table(root, *lines)
    assert open_folder(root).files == ["cat.png", "dog.jpg", "more/owl.png"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "must begin with the line file,caption but begins with nothing"),
        (b"picture,words\ncat.png,a cat", "begins with picture, words"),
        (b"a" * 1000 + b",b\n", "begins with " + "a" * 80 + "."),
        (b'"' + b"a" * 200_000, "captions.csv, line 1: field larger than field limit"),
        (b"file,caption\n", "names no picture"),
        ("file,caption\ncat.png,a caf\u00e9 cat".encode("latin-1"), "no UTF-8 text"),
        (b'file,caption\ncat.png,"a cat\n', "dog.jpg has no caption"),
    ],
)
def test_a_captions_file_that_cannot_be_read_is_explained(root, content, named):
    (root / "captions.csv").write_bytes(content)
    assert named in refusal(root)


def test_a_missing_folder_or_table_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        open_folder(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="has no captions.csv. Write one: the first line is file,caption"):
        open_folder(tmp_path)


@pytest.mark.parametrize("size", [0, 4, 30, 264, 32.0, "32"])
def test_a_size_that_no_denoiser_takes_is_refused(root, size):
    with pytest.raises(ValueError, match="multiple of 8 from 8 to 256"):
        open_folder(root, size=size)


def test_an_enormous_picture_is_refused_unopened(root, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2_100)
    assert "dog.jpg has too many pixels" in refusal(root)


def test_notes_say_what_is_odd(root):
    Image.new("RGB", (20, 20), RED).save(root / "twin.png")
    table(root, ("cat.png", "a cat"), ("dog.jpg", "a dog"), ("twin.png", "a cat"))
    few, small, twice, rare = open_folder(root).notes
    assert few.startswith("Only 3 pictures") and small.startswith("1 of the pictures are smaller than 32")
    assert "twin.png, the same as cat.png" in twice
    assert rare == "3 words stand in fewer than 5 captions and will hardly be learned: a, cat, dog."


def test_a_large_clean_folder_has_no_notes(tmp_path):
    write_folder(tmp_path, per_caption=5)
    assert open_folder(tmp_path).notes == []


def test_the_bar_is_shown_each_picture(root):
    seen = []
    open_folder(root, bar=lambda items: seen.extend(items) or items)
    assert len(seen) == 2


# preparing a picture


def test_the_middle_square_is_kept():
    for size in ((90, 30), (30, 90), (31, 30), (64, 64)):
        x0 = prepare(stripes(*size), 16)
        assert x0.shape == (3, 16, 16) and (x0[0] > 0.99).all() and (x0[1] < -0.99).all()


def test_making_small_averages_and_does_not_skip():
    board = np.indices((64, 64)).sum(0) % 2 * 255  # a chessboard of single pixels: grey from afar
    assert prepare(Image.fromarray(board.astype(np.uint8)), 16)[:, 2:-2, 2:-2].abs().max() < 0.05


def test_values_reach_both_ends_and_no_further():
    image = Image.new("L", (64, 64))
    image.paste(255, (32, 0, 64, 64))
    x0 = prepare(image, 32)
    assert x0.min() == -1 and x0.max() == 1 and torch.equal(x0[0], x0[2])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "I;16", "F"])
def test_every_kind_of_picture_is_made_three_colours(mode):
    white = Image.fromarray(np.full((20, 20), 65535, dtype=np.uint16))
    white = white.convert(mode) if mode.startswith("I") else Image.new("RGB", (20, 20), WHITE).convert(mode)
    white.load()
    x0 = prepare(white, 8)
    assert x0.shape == (3, 8, 8) and (x0 > 0.98).all()


def test_grey_in_sixteen_bits_keeps_its_greys():
    x0 = prepare(Image.fromarray(np.full((20, 20), 32768, dtype=np.uint16)), 8)
    assert x0.abs().max() < 0.01


def test_what_is_transparent_becomes_white():
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    assert (prepare(image, 8) == 1).all()
    half = Image.new("RGBA", (20, 20), (255, 0, 0, 128))
    torch.testing.assert_close(prepare(half, 8)[:, 4, 4], torch.tensor([1.0, 0, 0]), atol=0.01, rtol=0)
    palette = Image.new("P", (20, 20), 0)
    palette.info["transparency"] = 0
    assert (prepare(palette, 8) == 1).all()


def test_a_photograph_taken_upright_is_turned(tmp_path):
    image = Image.new("RGB", (64, 64), RED)
    image.paste(GREEN, (0, 0, 64, 32))  # green above
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    image.save(tmp_path / "photo.png", exif=exif)
    x0 = prepare(Image.open(tmp_path / "photo.png"), 16)
    assert (x0[1, :, 12:] > 0.9).all() and (x0[0, :, :4] > 0.9).all()


def test_a_large_photograph_is_like_itself_made_small(root):
    big = scene("boat", "red", "by day", torch.Generator().manual_seed(0)).resize((1600, 1200))
    big.save(root / "cat.png")
    plain = open_folder(root).x0[0]
    big.save(root / "dog.jpg", quality=95)
    assert (open_folder(root).x0[1] - plain).abs().mean() < 0.03


# parts that lesson 08 asks a learner for


def test_the_vocabulary_is_sorted_with_no_word_first_and_each_word_once():
    words = build_vocabulary(["A red cat", "a cat, and a dog"])
    assert words == ("", "a", "and", "cat", "dog", "red")
    assert build_vocabulary([]) == ("",)


def test_crop_and_scale_takes_the_middle():
    pixels = torch.arange(3 * 5 * 8).reshape(3, 5, 8).to(torch.uint8)
    x0 = crop_and_scale(pixels)
    assert x0.shape == (3, 5, 5)
    torch.testing.assert_close(x0, pixels[:, :, 1:6] / 127.5 - 1)
    assert crop_and_scale(pixels.mT).shape == (3, 5, 5)
    assert crop_and_scale(torch.tensor([0, 255]).byte().expand(3, 2, 2)).unique().tolist() == [-1, 1]


# the scenes


def test_the_scenes_differ_by_caption_and_within_a_caption(tmp_path):
    write_folder(tmp_path, per_caption=2)
    found = open_folder(tmp_path)
    assert len(found.files) == 48 and set(found.captions) == {
        f"a {paint} {thing} {time}" for thing in THINGS for paint in PAINTS for time in SKIES
    }
    nearest = torch.cdist(found.x0.flatten(1), found.x0.flatten(1)).fill_diagonal_(9e9).min()
    assert nearest > 1


def test_the_scenes_are_the_same_for_the_same_seed(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_folder(tmp_path / name, per_caption=1, seed=seed)
    a, b, c = (open_folder(tmp_path / name).x0 for name in "abc")
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_what_is_left_out_is_not_there_and_must_exist(tmp_path):
    write_folder(tmp_path, per_caption=2, leave_out=["a red boat at night"])
    assert len(open_folder(tmp_path).files) == 46 and "a red boat at night" not in open_folder(tmp_path).captions
    with pytest.raises(ValueError, match="No scene is called 'a green boat'"):
        write_folder(tmp_path, leave_out=["a green boat"])


def test_the_list_of_names_is_all_there_is_to_open(root, monkeypatch):
    monkeypatch.setattr(module, "_listing", lambda path: {})
    assert refusal(root).count("there is no file") == 2
