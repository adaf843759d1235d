"""Every way in which people keep captions beside their pictures is read, one of them at a time, and nothing else is."""

import csv
import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.captions import MAX_WORDS, decode
from course_lib.commands import main as cli
from course_lib.model import Denoiser, encode_for
from course_lib.own import folder
from course_lib.own.folder import KEPT_WORDS, MOST_CAPTIONS, open_folder
from course_lib.own.houses import write_folder
from course_lib.tools.files import read_tensors
from course_lib.train import random_batches

COLOURS = {"cat.png": (255, 0, 0), "more/dog.jpg": (0, 255, 0)}
SAID = {"cat.png": "a red cat", "more/dog.jpg": "a green dog"}


def picture(path, colour=(0, 0, 255), size=(40, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def root(tmp_path):
    """A folder of two pictures, and nothing that says what they show."""
    for name, colour in COLOURS.items():
        picture(tmp_path / "pets" / name, colour)
    return tmp_path / "pets"


def refusal(path, **how):
    with pytest.raises(ValueError) as caught:
        open_folder(path, **how)
    return str(caught.value)


def jsonl(pairs, file="file_name", caption="text"):
    return "".join(json.dumps({file: name, caption: said}) + "\n" for name, said in pairs.items())


def objects(file, caption):
    return json.dumps([{file: name, caption: said, "more": 1} for name, said in SAID.items()])


def lines(between, pairs=SAID):
    return "".join(f"{name}{between}{said}\n" for name, said in pairs.items())


# each way


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.csv", "file_name,text\n" + lines(",")),
        ("metadata.csv", "text,label,file_name\na red cat,1,cat.png\na green dog,0,more/dog.jpg\n"),
        ("metadata.jsonl", jsonl(SAID)),
        ("metadata.jsonl", "\n" + jsonl(SAID).replace("\n", "\r\n\n")),
        ("metadata.jsonl", jsonl(SAID, "file", "caption")),
        ("captions.json", json.dumps(SAID)),
        ("captions.json", "\ufeff" + json.dumps({name: [said] for name, said in SAID.items()}, indent=2)),
        ("captions.json", objects("file", "caption")),
        ("captions.json", objects("file_name", "text")),
        ("captions.json", objects("filename", "caption")),
        ("captions.txt", lines("\t")),
        ("captions.txt", lines(", ")),
        ("captions.txt", lines("   ")),
        ("captions.txt", "image,caption\n\n" + lines(",").replace("\n", "\r\n")),
        ("captions.csv", lines(",")),
        ("captions.csv", lines(";")),
        ("captions.csv", "a red cat, cat.png\na green dog, more/dog.jpg\n"),
        ("captions.csv", "filename,caption\n" + lines(",")),
        ("captions.csv", "File Name\tText\n" + lines("\t")),
        ("captions.csv", "image,caption\n" + lines(",")),
    ],
)
def test_a_table_of_any_kind_is_read(root, name, text):
    write(root / name, text)
    found = open_folder(root, size=16)
    assert dict(zip(found.files, found.captions, strict=True)) == SAID
    assert found.tokens.shape == (2, MAX_WORDS) and found.x0[:, :, 8, 8].round().tolist() == [[1, -1, -1], [-1, 1, -1]]
    assert found.report[0] == f"The captions in pets were taken from {name}."
    assert not any("cut" in note or "aside" in note for note in found.notes)


@pytest.mark.parametrize(
    "line",
    ["cat.png  a cat, red and small", "cat.png\ta cat, red  and small", "cat.png a cat, red  and small"],
)
def test_only_the_first_gap_in_a_line_parts_file_and_caption(root, line):
    write(root / "captions.txt", f"{line}\nmore/dog.jpg\ta dog")
    found = open_folder(root)
    assert decode(found.tokens, found.vocabulary) == ["a cat red and small", "a dog"]


@pytest.mark.parametrize("where", ["", "train/"])
@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_an_imagefolder_is_read_where_its_pictures_lie(root, tmp_path, where, name):
    if where:
        root.rename(tmp_path / "train")
        root.mkdir()
        (tmp_path / "train").rename(root / "train")
        picture(root / "test" / "elk.png")
    write(root / where / name, "file_name,text\n" + lines(",") if name.endswith("csv") else jsonl(SAID))
    found = open_folder(root)
    assert found.files == [where + one for one in SAID] and found.captions == [*SAID.values()]
    aside = "Outside the folder train, and so left aside: test/elk.png."
    assert (aside in found.notes) == bool(where)
    picture(root / where / "owl.png")
    assert f"{where}owl.png has no caption. Add a line for it to {where}{name}" in refusal(root)


def test_names_of_an_imagefolder_may_begin_with_train(root, tmp_path):
    root.rename(tmp_path / "train")
    root.mkdir()
    (tmp_path / "train").rename(root / "train")
    write(root / "train" / "metadata.jsonl", jsonl({f"train/{name}": said for name, said in SAID.items()}))
    assert open_folder(root).files == ["train/cat.png", "train/more/dog.jpg"]


def test_a_text_beside_each_picture_is_its_caption_and_its_lines_are_several(root):
    write(root / "cat.txt", "\ufeffa red cat\r\n\r\n  the cat, asleep \r\n")
    write(root / "more" / "dog.TXT", "a green dog")
    write(root / "readme.txt", "about these pictures")
    found = open_folder(root)
    assert found.captions == ["a red cat", "a green dog"] and found.tokens.shape == (2, 2, MAX_WORDS)
    cat, dog = (decode(tokens, found.vocabulary) for tokens in found.tokens)
    assert cat == ["a red cat", "the cat asleep"] and dog == ["a green dog"] * 2
    assert found.report[0].endswith("taken from the text files beside the pictures.")
    assert "Captions: 3, different ones: 3" in found.report[2]


def test_each_of_several_captions_is_trained_on(root):
    write(root / "captions.json", json.dumps({"cat.png": ["a cat", "one cat"], "more/dog.jpg": "a dog"}))
    found = open_folder(root, size=16)
    batches = random_batches(found.x0, found.tokens, torch.Generator().manual_seed(0), batch_size=64)
    assert {*decode(next(batches)[1], found.vocabulary)} == {"", "a cat", "one cat", "a dog"}


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("red apple/0.png", "red apple"),
        ("red/apple/0.png", "red apple"),
        ("red_apple-tree/x/0.png", "red apple tree x"),
        ("train/red_apple/0.png", "red apple"),
        ("train/red/apple/IMG_1.png", "red apple"),
        ("007/0.png", "007"),
        ("train set/0.png", "train set"),
    ],
)
def test_folders_are_captions_but_for_a_leading_train(tmp_path, name, caption):
    picture(tmp_path / name)
    found = open_folder(tmp_path)
    assert found.captions == [caption] and found.files == [name]
    assert found.report[0].endswith("taken from the names of the folders.")


def test_a_class_named_train_among_others_is_a_caption(tmp_path):
    for name in ("train/0.png", "car/0.png", "test/0.png"):
        picture(tmp_path / name)
    assert open_folder(tmp_path).captions == ["car", "test", "train"]
    picture(tmp_path / "train" / "red" / "0.png")
    found = open_folder(tmp_path, skip_bad=True)  # now it is the folder to train from
    assert found.captions == ["car", "red"]
    assert "Outside the folder train, and so left aside: test/0.png." in found.notes
    assert found.report[2] == "Captions: 2, different ones: 2, each 1 word long. Different words: 2."


def test_one_nested_picture_takes_no_caption_away(tmp_path):
    for name in ("cat/0.png", "cat/1.png", "dog/0.png", "dog/old/1.png"):
        picture(tmp_path / name)
    assert open_folder(tmp_path).captions == ["cat", "cat", "dog", "dog old"]


def test_a_picture_in_no_folder_is_told(tmp_path):
    for name in ("cat/0.png", "1.png"):
        picture(tmp_path / name)
    assert "1.png has no caption. It lies in no folder that is named for what it shows." in refusal(tmp_path)
    picture(tmp_path / "2.png")
    assert "2 pictures lie in no folder that is named for what they show." in refusal(tmp_path)
    picture(tmp_path / "_-" / "3.png")
    assert "folder _-: The caption holds no word" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("red_apple_03.png", "red apple"),
        ("Red-Apple (2).JPG", "Red Apple"),
        ("green.banana12.webp", "green banana"),
        ("IMG_20240101_red_apple.png", "red apple"),
        ("pets_at_home.png", "pets at home"),
    ],
)
def test_names_of_files_are_captions_where_nothing_else_is_there(tmp_path, name, caption):
    picture(tmp_path / name)
    found = open_folder(tmp_path)
    assert found.captions == [caption]
    assert found.report[0].endswith("taken from the names of the files.")


CAMERA = ["IMG_0042.png", "DSC01234.jpg", "20240101_120000.png", "a3f9c2d1.png", "x.png", "WhatsApp Image 3 at 4.png"]


@pytest.mark.parametrize("name", [*CAMERA, "Screenshot 2024-01-01 at 10.00.00.png", "frame_0001.png"])
def test_names_that_a_camera_gave_say_nothing(tmp_path, name):
    picture(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="has no captions.csv. Write one"):
        open_folder(tmp_path)


def test_a_few_names_of_a_camera_among_others_are_told(tmp_path):
    for name in ("cat_1.png", "dog_2.png", "IMG_3.png"):
        picture(tmp_path / name)
    assert "IMG_3.png has no caption. Its name does not say what it shows" in refusal(tmp_path)
    assert open_folder(tmp_path, skip_bad=True).captions == ["cat", "dog"]
    write(tmp_path / "owl_4.png", "no picture")
    assert "\n- owl_4.png is no picture that can be opened." in refusal(tmp_path)
    (tmp_path / "owl_4.png").unlink()
    (tmp_path / "dog_2.png").rename(tmp_path / "DSC_2.png")
    with pytest.raises(FileNotFoundError):
        open_folder(tmp_path)


# one way at a time


def test_the_first_way_wins_and_the_others_are_told(root):
    picture(root / "old" / "elk.png")
    ways = ["captions.csv", "metadata.csv", "metadata.jsonl", "train/metadata.jsonl", "captions.json", "captions.txt"]
    said = SAID | {"old/elk.png": "an elk"}
    for name in ways:
        below = {f"../{one}": caption for one, caption in said.items()} if "train" in name else said
        head = "file_name,text\n" if name == "metadata.csv" else "file,caption\n"
        text = jsonl(below) if name.endswith("l") else json.dumps(said) if name.endswith("n") else None
        write(root / name, text or head + lines(",", said))
    write(root / "cat.txt", "a cat")
    write(root / "more" / "dog.txt", "a dog")
    write(root / "old" / "elk.txt", "a beast")
    there = [*ways, "the text files beside the pictures", "the names of the folders"]
    while len(there) > 1:
        aside = f"Left aside, since captions come from {there[0]} first: {', '.join(there[1:])}."
        found = open_folder(root, skip_bad=len(there) == 2)
        assert aside in found.notes, there
        assert found.captions[0] == {2: "a cat"}.get(len(there), "a red cat")
        if len(there) > 2:
            (root / there[0]).unlink()
        there.pop(0)


def test_pictures_of_a_table_that_all_lie_in_one_folder_are_no_second_way(tmp_path):
    picture(tmp_path / "images" / "a.png")
    write(tmp_path / "captions.csv", "file,caption\nimages/a.png,a cat")
    assert not any("aside" in note for note in open_folder(tmp_path).notes)


def test_a_table_under_another_name_is_not_passed_over(root):
    write(root / "Labels.csv", "file,caption\n" + lines(","))
    (root / "more" / "dog.jpg").rename(root / "dog.jpg")
    with pytest.raises(FileNotFoundError, match="has Labels.csv but no captions.csv. Rename it"):
        open_folder(root)
    write(root / "cat.txt", "a cat")
    write(root / "dog.txt", "a dog")
    assert open_folder(root).captions == ["a cat", "a dog"]
    write(root / "Metadata.csv", "file_name,text\n" + lines(","))
    with pytest.raises(FileNotFoundError, match="has Metadata.csv but no metadata.csv. Rename it"):
        open_folder(root)


# what is wrong


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("captions.json", "{", "captions.json, line 1: this is no JSON: Expecting property name"),
        ("captions.json", '{"cat.png": "a cat",\n  "more/dog.jpg"}', "captions.json, line 2: this is no JSON"),
        ("captions.json", "", "captions.json, line 1: this is no JSON"),
        ("captions.json", "[" * 200_000, "captions.json, line 1: this is no JSON"),
        ("captions.json", "[]", "captions.json names no picture"),
        ("captions.json", "3", "captions.json must hold a mapping"),
        ("captions.json", '["cat.png"]', 'captions.json, entry 1: a picture needs "file" and "caption", both texts'),
        ("captions.json", '[{"file": "cat.png"}, {"text": "a"}]', 'captions.json: 2 pictures lack "file" or "caption"'),
        ("captions.json", '{"cat.png": 7}', 'captions.json, entry 1: a picture needs "file" and "caption"'),
        ("captions.json", '{"cat.png": []}', "entry 1: a picture needs"),
        ("captions.json", '{"../pets/\\ud800.png": "a cat"}', "entry 1: a picture needs"),
        ("captions.json", '{"../pets/\\u0000.png": "a cat"}', "entry 1: a picture needs"),
        ("captions.json", '{"cat.png": "half a \\ud83d"}', "entry 1: a picture needs"),
        ("captions.json", '{"cat.png": ["a cat", null]}', "entry 1: a picture needs"),
        ("captions.json", '{"cat.png": "", "cat.png": "b"}', "entry 2: cat.png has a caption already, in entry 1"),
        ("captions.json", json.dumps({"cat.png": ["a cat"] * 33}), "entry 1: cat.png has 33 captions. Keep 32 at most"),
        ("metadata.jsonl", "{}\nno", "metadata.jsonl, line 2: this is no JSON"),
        ("metadata.jsonl", jsonl({"no.png": "a"}), "metadata.jsonl, line 1: there is no file no.png."),
        ("metadata.jsonl", jsonl({"../elk.png": "a"}), "line 1: ../elk.png leads out of the folder"),
        ("metadata.csv", "train/cat.png,a\n", "metadata.csv, line 1: there is no file train/cat.png"),
        ("captions.txt", "cat.png", "captions.txt, line 1: The caption holds no word"),
        ("captions.txt", "\n\n", "captions.txt names no picture"),
        ("captions.csv", "cat.png,a cat, red\n", "captions.csv, line 1: more than two columns. A comma in a caption"),
    ],
)
def test_a_table_that_cannot_be_read_is_explained(root, name, text, said):
    write(root / name, text)
    assert said in refusal(root) and said in refusal(root, skip_bad=True)


@pytest.mark.parametrize("name", ["captions.json", "captions.txt", "metadata.jsonl", "cat.txt"])
@pytest.mark.parametrize("content", ['{"cat.png": "a"}'.encode("utf-16"), '{"cat.png": "\u00e9"}'.encode("latin-1")])
def test_what_is_no_text_is_told(root, name, content):
    (root / name).write_bytes(content)
    assert f"{name} is no UTF-8 text" in refusal(root)


def test_texts_beside_pictures_that_are_missing_empty_or_too_long_are_told(root):
    write(root / "cat.txt", "\n \n")
    assert "- cat.txt: The caption holds no word" in refusal(root)
    assert "- more/dog.jpg has no caption. Write one in more/dog.txt beside it, or take it out." in refusal(root)
    write(root / "cat.txt", "a\n" * (MOST_CAPTIONS + 1))
    assert "cat.txt: cat.png has 33 captions" in refusal(root)
    write(root / "cat.txt", "a" * 200_000)
    write(root / "more" / "dog.txt", "a" * 200_000)
    assert "- 2 text files cannot be read. Write the captions there, as UTF-8: cat.txt; more/dog.txt." in refusal(root)


# guards


def test_pipes_and_devices_are_never_opened(root):
    for name in ("cat.txt", "captions.json", "metadata.jsonl", "captions.txt", "captions.csv", "owl.png"):
        os.mkfifo(root / name)  # whoever opens it waits for ever
    (root / "metadata.csv").symlink_to("/dev/zero")
    write(root / "more" / "dog.txt", "a dog")
    assert "- cat.png has no caption. Write one in cat.txt beside it" in refusal(root)
    assert open_folder(root, skip_bad=True).files == ["more/dog.jpg"]


@pytest.mark.parametrize("name", ["captions.csv", "metadata.csv", "metadata.jsonl", "captions.json", "captions.txt"])
def test_a_table_outside_the_folder_is_not_read(root, tmp_path, name):
    write(tmp_path / "secret", "cat.png,secret\n")
    (root / name).symlink_to(tmp_path / "secret")
    assert f"{name} is a link that leads out of the folder. Put the file itself inside." in refusal(root)
    assert "cat.png" not in refusal(root)


def test_a_train_folder_outside_the_folder_is_not_read(root, tmp_path):
    (tmp_path / "home" / "pets").mkdir(parents=True)
    write(root / "metadata.jsonl", jsonl(SAID))
    (tmp_path / "home" / "pets" / "train").symlink_to(root)
    assert "train/metadata.jsonl is a link that leads out" in refusal(tmp_path / "home" / "pets")


def test_texts_and_pictures_outside_the_folder_are_not_read(root, tmp_path):
    write(tmp_path / "secret.txt", "a secret")
    (root / "cat.txt").symlink_to(tmp_path / "secret.txt")
    write(root / "more" / "dog.txt", "a dog")
    assert "cat.txt is a link that leads out of the folder" in refusal(root)
    found = open_folder(root, skip_bad=True)
    assert found.captions == ["a dog"] and "secret" not in found.vocabulary
    picture(tmp_path / "elk.png")
    (tmp_path / "class" / "elk").mkdir(parents=True)
    picture(tmp_path / "class" / "cat" / "0.png")
    (tmp_path / "class" / "elk" / "0.png").symlink_to(tmp_path / "elk.png")
    assert "elk/0.png is a link that leads out of the folder" in refusal(tmp_path / "class")


def test_hidden_folders_and_files_are_no_captions(tmp_path):
    for name in ("cat/0.png", ".trash/1.png", "cat/.old.png"):
        picture(tmp_path / name)
    write(tmp_path / "cat" / ".0.txt", "hidden")
    assert open_folder(tmp_path).files == ["cat/0.png"]


# what cannot be used is left out, if that is asked for


def test_what_is_bad_is_left_out_with_a_line_for_each_kind(root):
    said = SAID | {"lost_and_gone.webp": "a", "cat.png ": "again", "bad.png": "a picture"}
    write(root / "captions.csv", "file,caption\n" + lines(",", said))
    write(root / "bad.png", "no picture")
    for i in range(4):
        picture(root / f"{i}.png")
    assert "7 things to mend" in refusal(root)
    found = open_folder(root, skip_bad=True)
    assert found.files == [*SAID] and found.x0.shape[0] == len(found.tokens) == 2
    assert [note for note in found.notes if note.startswith("Left out: ")] == [
        "Left out: captions.csv, line 4: there is no file lost_and_gone.webp.",
        "Left out: captions.csv, line 5: cat.png has a caption already, in line 2. Keep one of the two.",
        "Left out: captions.csv, line 6: bad.png is no picture that can be opened. Save it as PNG or JPEG.",
        "Left out: 4 pictures have no caption. Add a line for each to the captions file, or take them out: "
        "0.png; 1.png; 2.png; and 1 more.",
    ]


def test_of_several_captions_the_good_ones_are_kept(root):
    write(root / "cat.txt", "a cat\n!!!\none cat")
    write(root / "more" / "dog.txt", "?")
    assert "2 captions hold no word: cat.txt; more/dog.txt." in refusal(root)
    found = open_folder(root, skip_bad=True)
    assert found.files == ["cat.png"] and decode(found.tokens[0], found.vocabulary) == ["a cat", "one cat"]


def test_a_folder_of_which_nothing_is_left_is_refused(root):
    write(root / "captions.csv", "file,caption\nno.png,a cat\n")
    said = refusal(root, skip_bad=True)
    assert said.startswith("Nothing is left. The folder pets cannot be used yet: 3 things to mend.\n- captions.csv")


# long captions


def test_the_longest_caption_decides_up_to_32_words_and_longer_ones_are_cut(root):
    words = [f"w{i:02}" for i in range(40)]
    write(root / "captions.json", json.dumps({"cat.png": " ".join(words[:20]), "more/dog.jpg": "a dog"}))
    assert open_folder(root).tokens.shape == (2, 20)
    write(root / "captions.json", json.dumps({"cat.png": " ".join(words), "more/dog.jpg": " ".join(words[:32])}))
    found = open_folder(root)
    assert found.tokens.shape == (2, KEPT_WORDS) and found.captions == [" ".join(words[:32])] * 2
    assert len(found.vocabulary) == 1 + KEPT_WORDS
    assert "1 caption is longer than 32 words: what comes after these is not used." in found.notes
    network = Denoiser(found.vocabulary, channels=(8,), max_words=found.tokens.shape[-1])
    assert torch.equal(encode_for(network, found.captions), found.tokens)


# the report


def test_the_report_says_what_was_found(root):
    picture(root / "old" / "elk.png", size=(99, 60))
    write(root / "captions.txt", lines("\t", SAID | {"old/elk.png": "a red elk by night"}))
    assert open_folder(root).report == [
        "The captions in pets were taken from captions.txt.",
        "Pictures: 3. Their shorter sides: 40 to 60 pixels.",
        "Captions: 3, different ones: 3, each 3 to 5 words long. Different words: 8.",
    ]
    write(root / "captions.txt", lines("\t", dict.fromkeys([*SAID, "old/elk.png"], "a pet")))
    assert open_folder(root).report[2] == "Captions: 3, different ones: 1, each 2 words long. Different words: 2."


def test_advice_names_five_rare_words_the_rarest_first(tmp_path):
    said = {f"{i:03}.png": f"a {'cat' if i < 99 else 'cta'} {'very ' * (i < 9)}big" for i in range(100)}
    said["099.png"] += " one two three four five"
    for i, name in enumerate(said):
        picture(tmp_path / name, (i, 2 * i, 255))
    with (tmp_path / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "caption"), *said.items()])
    assert open_folder(tmp_path).notes == [
        "7 words stand in fewer than 10 captions and will hardly be learned: cta, five, four, one, three and 2 more."
    ]


# the command line


@pytest.fixture
def houses(tmp_path):
    write_folder(tmp_path / "houses", per_caption=1)
    return tmp_path / "houses"


def run(*arguments):
    return cli.main(["train", "--channels", "8", "--steps", "1", *map(str, arguments)])


def test_training_begins_with_a_report_and_a_sheet(tmp_path, capsys, houses):
    sheet = tmp_path / "new" / "sheet.png"
    assert run("--folder", houses, "--sheet", sheet, "--out", tmp_path / "run") == 0
    said = capsys.readouterr()
    for line in ("taken from captions.csv.", "Pictures: 24. Their shorter sides: ", "different ones: 24", "Only 24"):
        assert line in said.err and line not in said.out
    assert f"{sheet} shows all of the pictures as the network will see them." in said.err
    with Image.open(sheet) as image:
        assert image.format == "PNG" and image.size == (2 * (8 * 34 - 2), 2 * (3 * 34 - 2))
        shown = torch.from_numpy(np.array(image)[:64:2, :64:2]).permute(2, 0, 1)
    torch.testing.assert_close(shown / 127.5 - 1, open_folder(houses).x0[0], atol=0.01, rtol=0)


def test_a_sheet_shows_at_most_64_pictures_from_all_over_the_folder(tmp_path, capsys):
    write_folder(tmp_path / "houses", per_caption=3)
    assert run("--folder", tmp_path / "houses", "--sheet", tmp_path / "s.png", "--out", tmp_path / "run") == 0
    assert "s.png shows 64 of the pictures" in capsys.readouterr().err
    assert Image.open(tmp_path / "s.png").size == (2 * (8 * 34 - 2),) * 2


def test_a_sheet_that_fails_leaves_nothing(tmp_path, monkeypatch, capsys, houses):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    (tmp_path / "s.png").write_bytes(b"as it was")
    assert run("--folder", houses, "--sheet", tmp_path / "s.png", "--out", tmp_path / "run") == 1
    assert (tmp_path / "s.png").read_bytes() == b"as it was" and not (tmp_path / "run").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"houses", "s.png"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--sheet s.png", "Add --folder, or leave out --sheet."),
        ("--scenes --skip-bad --sheet s.png", "Add --folder, or leave out --sheet and --skip-bad."),
        ("--enlarge --skip-bad", "Add --folder, or leave out --skip-bad."),
        ("--folder houses --sheet s.gif", "A picture can be a file that ends in"),
        ("--folder houses --sheet houses/s.png", "Put it outside the folder"),
        ("--folder houses --sheet pipe.png", "is a pipe or a device"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_work(tmp_path, monkeypatch, capsys, houses, options, said):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.png")
    monkeypatch.setattr(folder, "open_folder", None)
    assert run(*options.split(), "--out", "run") == 2
    assert said in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"houses", "pipe.png"}


def test_a_run_goes_on_with_what_is_left_of_its_folder(tmp_path, capsys, houses):
    (houses / "red_house_000.png").write_bytes(b"no picture")
    out = ["--out", tmp_path / "run"]
    assert run("--folder", houses, *out) == 2
    assert run("--folder", houses, "--skip-bad", *out) == 0
    assert "Left out: captions.csv, line 2: red_house_000.png is no picture" in capsys.readouterr().err
    assert read_tensors(tmp_path / "run" / "run.safetensors")[1]["about"]["skip_bad"] is True
    assert cli.main(["train", "--resume", "--steps", "2", *map(str, out)]) == 0
    assert "Left out: captions.csv, line 2" in capsys.readouterr().err


def test_several_long_captions_a_picture_are_trained_on_and_asked_for(tmp_path, capsys, root):
    long = "a red cat that lies on the sofa beside the window and sleeps while it rains"
    write(root / "cat.txt", f"a cat\n{long}")
    write(root / "more" / "dog.txt", "a dog")
    assert run("--folder", root, "--out", tmp_path / "run") == 0
    weights = ["--weights", str(tmp_path / "run" / "denoiser.safetensors"), "--steps", "1"]
    assert cli.main(["generate", long, *weights, "--out", str(tmp_path / "o.png")]) == 0
