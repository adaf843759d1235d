import csv

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.captions import MAX_WORDS, build_vocabulary, decode, split_words
from course_lib.fruit.worlds import read_with
from course_lib.model import Denoiser, encode_for
from course_lib.own.folder import MOST_WORDS, changed_words, crop_and_scale, open_bytes, open_folder
from course_lib.own.houses import PAINTS, SKIES, THINGS, write_folder

RED, GREEN = (255, 0, 0), (0, 255, 0)


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


def test_a_good_folder_gives_pictures_tokens_and_words(root):
    found = open_folder(root, size=16)
    assert found.x0.shape == (2, 3, 16, 16) and found.x0.dtype == torch.float32
    torch.testing.assert_close(found.x0[0, :, 8, 8], torch.tensor([1.0, -1, -1]))
    assert found.vocabulary == ("", "a", "cat", "dog", "green", "red")
    assert found.tokens.shape == (2, MAX_WORDS) and found.tokens[0, :4].tolist() == [1, 5, 2, 0]
    assert decode(found.tokens, found.vocabulary) == ["a red cat", "a green dog"]
    assert found.files == ["cat.png", "dog.jpg"] and found.captions == ["A red cat!", "a green dog"]


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_pictures_kept_as_bytes_are_the_same_in_a_quarter_of_the_memory(root, fit):
    kept, folder = open_bytes(root, 16, fit=fit), open_folder(root, 16, fit=fit)
    assert torch.equal(kept.x0[:], folder.x0) and torch.equal(kept.tokens, folder.tokens)
    assert kept.x0.x.dtype == torch.uint8 and len(kept.x0) == len(folder.files)
    assert kept[2:] == folder[2:]


def test_what_is_padded_is_told_by_its_longer_side(root):
    assert any("Their shorter sides" in line for line in open_folder(root).report)
    assert any("Their longer sides" in line for line in open_folder(root, fit="pad").report)
    with pytest.raises(ValueError, match="fit must be 'crop' or 'pad'"):
        open_folder(root, fit="middle")


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
    (root / "captions.csv").write_text('file,caption\ncat.png,"a cat\nthat is red"\ndog.jpg,\n', encoding="utf-8")
    assert "captions.csv, line 4: The caption holds no word" in refusal(root)
    (root / "captions.csv").write_text('file,caption\ncat.png,"a cat\nthat is red"\ndog.jpg,a dog', encoding="utf-8")
    assert decode(open_folder(root).tokens, open_folder(root).vocabulary) == ["a cat that is red", "a dog"]


def test_all_problems_are_told_at_once_with_their_lines(root):
    Image.new("RGB", (9, 9)).save(root / "bird.png")
    (root / "text.png").write_text("no picture", encoding="utf-8")
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
        ("bird.png", "very " * 100 + "long"),
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
    "too long: 101 words, 504 characters. Say it in at most 100 words",
    "owl.GIF has no caption",
]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            [f"no{i}.png" for i in range(80)],
            "82 things to mend.\n- captions.csv: 80 lines name a file that is not there: line 2, no0.png; "
            "line 3, no1.png; line 4, no2.png; and 77 more.\n- 2 pictures have no caption. Add a line for each to the "
            "captions file, or take them out: cat.png; dog.jpg.",
        ),
        (
            ["cat", "DOG"],
            "2 things to mend.\n- captions.csv: 2 names lack the ending of their file. Write whole names: "
            "line 2, cat for cat.png; line 3, DOG for dog.jpg.",
        ),
        (
            ["cat", "dog.jpg"],
            "one thing to mend.\n- captions.csv, line 2: cat lacks the ending of its file. Write cat.png.",
        ),
        (
            ["Cat.PNG", "dog.JPG"],
            "2 things to mend.\n- captions.csv: 2 names and their files differ in capital letters. Write them alike: "
            "line 2, Cat.PNG for cat.png; line 3, dog.JPG for dog.jpg.",
        ),
        (
            ["dog.jpg", "pets/cat.png", "cat.jpeg"],
            "3 things to mend.\n- captions.csv: 2 lines name a file that is not there: line 3, pets/cat.png "
            "(cat.png?); line 4, cat.jpeg (cat.png?).\n- cat.png has no caption. Add a line for it to captions.csv, or "
            "take it out.",
        ),
        (
            ["cat.png", "dog.jpg", "x" * 9000],
            "one thing to mend.\n- captions.csv, line 4: there is no file " + "x" * 80 + "….",
        ),
    ],
)
def test_faults_of_one_kind_are_told_once_with_their_number_and_examples(root, names, said):
    table(root, *[(name, "a cat") for name in names])
    assert refusal(root) == f"The folder pets cannot be used yet: {said}"


def test_a_name_that_differs_in_capitals_is_suggested_before_one_that_looks_alike(root):
    for i in range(20):
        Image.new("RGB", (9, 9)).save(root / f"p{i}.png")
    table(root, ("P0.PNG", "a cat"))
    assert "line 2: P0.PNG and its file differ in capital letters. Write p0.png." in refusal(root)


def test_names_cannot_leave_the_folder(root, tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "secret.png")
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    names = ["../secret.png", str(tmp_path / "secret.png"), "..\\secret.png", "C:\\secret.png", "a/../../secret.png"]
    for name in [*names, "..", f"{root}/../secret.png", f"{root}s/cat.png"]:
        table(root, (name, "a secret"))
        assert "out of the folder" in refusal(root)
    table(root, ("link.png", "a secret"))
    assert "a link that leads out" in refusal(root)


def test_an_absolute_name_inside_the_folder_is_a_name_in_it(root, tmp_path, monkeypatch):
    (tmp_path / "door").symlink_to(root)
    table(root, (str(root / "cat.png"), "a cat"), (str(root / "more" / ".." / "dog.jpg"), "a dog"))
    for path in (root, tmp_path / "door"):
        assert open_folder(path).files == ["cat.png", "dog.jpg"]
    monkeypatch.chdir(root)
    assert open_folder(".").files == ["cat.png", "dog.jpg"]
    table(root, ("cat.png", ""))
    with pytest.raises(ValueError, match="The folder pets cannot"):
        open_folder(".")


def test_a_name_that_comes_back_to_the_folder_is_a_name_in_it(root, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "door").symlink_to(root)
    (root / "inside").symlink_to(tmp_path / "far")
    Image.new("RGB", (40, 40)).save(tmp_path / "far" / "owl.png")
    door = tmp_path / "far" / "door"
    for cat in (
        "../pets/cat.png",
        "more/../../pets/cat.png",
        f"{door}/cat.png",
        f"{root}/cat.png",
        "..\\pets\\cat.png",
    ):
        for owl in ("inside/owl.png", "../pets/inside/owl.png", f"{door}/inside/owl.png"):
            table(root, (cat, "a cat"), ("dog.jpg", "a dog"), (owl, "an owl"))
            for path in (root, door):
                assert open_folder(path).files == ["cat.png", "dog.jpg", "inside/owl.png"]
    table(root, ("../door/cat.png", "a cat"), ("dog.jpg", "a dog"), ("inside/owl.png", "an owl"))
    assert open_folder(door).files[0] == "cat.png"
    (root / "dog.jpg").rename(root / "d:1.jpg")  # no name on Windows, but none that leads elsewhere
    table(root, ("cat.png", "a cat"), ("d:1.jpg", "a dog"), ("inside/owl.png", "an owl"))
    assert open_folder(root).files[1] == "d:1.jpg"
    table(root, ("../pets/cat.png", "a cat"), ("cat.png", "a cat"), ("../pet/cat.png", "a cat"))
    assert "cat.png has a caption already" in refusal(root) and "../pet/cat.png leads out" in refusal(root)


def test_accents_may_be_spelled_in_either_way(root):
    ways = ["caf\u00e9", "cafe\u0301"]
    for there in ways:
        root = root.rename(root.with_name(there))
        for said in ways:
            table(root, (f"{root.parent}/{said}/cat.png", "a cat"), (f"../{said}/dog.jpg", "a dog"))
            assert open_folder(root).files == ["cat.png", "dog.jpg"]


def test_a_linked_folder_is_a_folder_and_may_run_in_circles(root, tmp_path):
    Image.new("RGB", (40, 40)).save(root / "owl.png")
    (root / "inside").mkdir()
    (root / "owl.png").rename(root / "inside" / "owl.png")
    (root / "linked").symlink_to(root / "inside")
    (root / "inside" / "circle").symlink_to(root)
    lines = ("cat.png", "a cat"), ("dog.jpg", "a dog")
    table(root, *lines, ("linked/owl.png", "an owl"))
    found = open_folder(root)
    assert found.files == ["cat.png", "dog.jpg", "linked/owl.png"] and not any("Links" in note for note in found.notes)
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "elsewhere" / "elk.png")
    (root / "far").symlink_to(tmp_path / "elsewhere")
    table(root, *lines, ("linked/owl.png", "an owl"), ("far/elk.png", "an elk"))
    assert "Links lead out of the folder to far/elk.png." in open_folder(root).notes


def test_subfolders_are_fine_and_hidden_files_are_no_pictures(root):
    (root / "more").mkdir()
    Image.new("RGB", (40, 40)).save(root / "more" / "owl.png")
    (root / "._cat.png").write_text("what a computer left there", encoding="utf-8")
    (root / "notes.txt").write_text("no picture", encoding="utf-8")
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
        (b'"file,caption\ncat.png,a cat', "captions.csv, line 1: a quote is never closed"),
        (b"file,caption\n" + b'cat.png,"a cat\n' + b"x" * 200_000, "line 2: field larger than field limit"),
        (
            b"caption,file,x\na red cat, by day,cat.png\ndog,dog.jpg,",
            "there is no file by day, but cat.png in another column.",
        ),
        ("file,caption\ncat.png,a cat".encode("utf-16"), "no UTF-8 text"),
        ("file,caption\ncat.png,a cat".encode("utf-16-le"), 'Save it as "CSV UTF-8"'),
        (b"file,caption,\ncat.png,a cat, red\ndog.jpg,a dog,\n", "line 2: more columns than in the first line"),
    ],
)
def test_a_captions_file_that_cannot_be_read_is_explained(root, content, named):
    (root / "captions.csv").write_bytes(content)
    assert named in refusal(root)


@pytest.mark.parametrize(
    ("content", "captions"),
    [
        ("file,caption\ncat.png,a cat,\ndog.jpg,a dog,,\n", ["a cat", "a dog"]),
        ('file,caption\ncat.png, "a cat, red"\ndog.jpg, a dog', ["a cat, red", "a dog"]),
        ("file, caption, note\ncat.png, a cat, mine\ndog.jpg, a dog, yours", ["a cat", "a dog"]),
    ],
)
def test_harmless_commas_and_spaces_are_no_faults(root, content, captions):
    (root / "captions.csv").write_text(content, encoding="utf-8")
    found = open_folder(root)
    assert found.captions == captions and len(found.notes) == 2


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('file,caption\ncat.png,"a red cat\ndog.jpg,a green dog', 2),
        ('file,caption\ncat.png,a red cat\ndog.jpg,"a green dog', 3),
        ('file,caption\ncat.png,a red cat\ndog.jpg,"a green dog\n', 3),
        ('file,caption\r\ncat.png,"a cat\r\n that is red"\r\ndog.jpg,"a green dog\r\n\r\n', 4),
        ('file,caption\ncat.png,"a red cat\ndog.jpg,"a green dog"\n', 2),
        ('file;note;caption\ncat.png;"a\nb";"a red cat\ndog.jpg;;"a green dog; asleep"\n', 3),
        ('caption,file\n"a red cat,cat.png\n"a green dog",dog.jpg\n', 2),
        ('caption,file\na red cat,cat.png\n"a green dog,dog.jpg', 3),
    ],
)
def test_a_quote_that_is_never_closed_is_told_and_nothing_that_it_swallows(root, content, line):
    (root / "captions.csv").write_bytes(content.encode())
    said = f"captions.csv, line {line}: a quote is never closed. Write one at the end of the caption."
    assert refusal(root).endswith(f"one thing to mend.\n- {said}")


@pytest.mark.parametrize(
    "content",
    ["caption,file,x\na red cat, by day,cat.png\na dog,dog.jpg,", "file,caption\ncat.png,a cat, red\ndog.jpg,dog"],
)
def test_a_picture_in_a_line_with_a_comma_too_many_is_not_said_to_have_no_caption(root, content):
    (root / "captions.csv").write_text(content, encoding="utf-8")
    assert "one thing to mend" in refusal(root) and 'A comma in a caption needs "quotes".' in refusal(root)


def test_columns_that_are_swapped_are_not_taken_for_a_comma(root):
    table(root, ("cat.png", "a cat", ""), ("dog.jpg", "a dog", ""), head=("caption", "file", "notes"))
    assert "2 lines name a file that is not there: line 2, a cat" in refusal(root)


@pytest.mark.parametrize(
    "content",
    [
        "file,caption,notes\ncat.png,a cat,by day\ndog.jpg,a dog,mine",
        "file,caption,n\ncat.png,a cat,red\ndog.jpg,a dog\nb.png,b",
    ],
)
def test_a_caption_cut_at_a_comma_without_a_space_is_noticed_where_it_is_likely(root, content):
    Image.new("RGB", (40, 40)).save(root / "b.png")
    (root / "captions.csv").write_text(content + "\nb.png,b,mine" * ("b.png" not in content), encoding="utf-8")
    assert any("1 caption may be cut at a comma, in line 2:" in note for note in open_folder(root).notes)


def test_a_caption_cut_at_a_comma_is_noticed(root):
    (root / "captions.csv").write_text("file,caption,note\ncat.png,a cat, red,\ndog.jpg,a dog,mine", encoding="utf-8")
    assert any("1 caption may be cut at a comma, in line 2:" in note for note in open_folder(root).notes)


def test_what_is_there_but_no_picture_is_called_what_it_is(root):
    (root / "a.png").mkdir()
    (root / "b.png").symlink_to(root / "nowhere.png")
    (root / "cat.png").rename(root / ".c.png")
    said = ["a.png is a folder", "b.png is a link that leads nowhere", ".c.png is hidden"]
    for words in said:
        table(root, (words.split()[0], "a cat"), ("dog.jpg", "a dog"))
        assert f"line 2: {words}" in refusal(root) and "there is no file" not in refusal(root)
    table(root, *[(words.split()[0], "a cat") for words in said], ("dog.jpg", "a dog"))
    assert "3 names are those of folders, hidden files or broken links. Name pictures: line 2, a.png" in refusal(root)


@pytest.mark.parametrize("act", [open_folder, write_folder])
def test_a_folder_without_a_name_is_refused(act):
    for path in (None, 3, b"pets", ["pets"]):
        with pytest.raises(TypeError, match="path must be the name of a folder, such as 'my_pictures', not "):
            act(path)
    with pytest.raises(ValueError, match="path is empty"):
        act("")


def test_a_missing_folder_or_table_says_what_to_do(tmp_path, root):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        open_folder(tmp_path / "none")
    with pytest.raises(NotADirectoryError, match="is a file. Name the folder"):
        open_folder(root / "cat.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="has no captions.csv. Write one: the first line is file,caption"):
        open_folder(tmp_path / "empty")


@pytest.mark.parametrize(
    ("name", "todo"),
    [
        ("Captions.CSV", "Rename it to captions.csv"),
        ("captions.csv.txt", "Rename it to captions.csv"),
        ("labels.csv", "Rename it to captions.csv"),
        ("captions", "Rename it to captions.csv"),
        ("captions.xlsx", 'save it as "CSV UTF-8" with the name captions.csv'),
        ("Metadata.csv", "Rename it to metadata.csv"),
        ("metadata.json", "Write a text file metadata.csv instead, with the first line file_name,text"),
    ],
)
def test_a_captions_file_of_another_name_is_recognised(root, name, todo):
    (root / "captions.csv").rename(root / name)
    if (root / "captions.csv").exists():
        pytest.skip("to this file system, capitals are no difference")
    with pytest.raises(FileNotFoundError, match=f"has {name} but no .*{todo}"):
        open_folder(root)


def test_a_tilde_is_the_home_folder(root, monkeypatch):
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.setenv("USERPROFILE", str(root.parent))
    assert open_folder("~/pets").files == ["cat.png", "dog.jpg"]
    write_folder("~/houses", per_caption=1)
    assert (root.parent / "houses" / "captions.csv").exists()


ANY_PICTURE = "jfif jpe jp2 heif heic avif APNG svg dng mpo j2c jpc jpf qoi exr icns srw pef insp cur jpg.txt PNG.part"


@pytest.mark.parametrize("ending", ANY_PICTURE.split())
def test_no_picture_is_left_out_in_silence(root, ending):
    (root / f"owl.{ending}").write_bytes(b"whatever it holds")
    assert f"owl.{ending} has no caption" in refusal(root)


@pytest.mark.parametrize("name", ["owl", "owl.data", "owl.jpg (1)", "owl.jpg_large"])
def test_a_picture_without_its_ending_is_one_by_how_it_begins(root, name):
    Image.new("RGB", (40, 40)).save(root / name, format="JPEG")
    assert f"{name} has no caption" in refusal(root)


def test_what_lies_beside_a_picture_is_none(root):
    for name in ("cat.png.txt", "dog.jpg.json", "dog.xmp", "README", "archive.zip"):
        (root / name).write_text("about a picture", encoding="utf-8")
    assert open_folder(root).files == ["cat.png", "dog.jpg"]


def test_captions_may_be_longer_than_those_of_the_fruit(root):
    long = "a cat that lies on the sofa beside the window and sleeps while it rains outside"
    table(root, ("cat.png", long), ("dog.jpg", "a dog"))
    found = open_folder(root)
    assert found.tokens.shape == (2, 16) and decode(found.tokens, found.vocabulary) == [long, "a dog"]
    network = Denoiser(found.vocabulary, channels=(8,), max_words=found.tokens.shape[1])
    assert torch.equal(encode_for(network, found.captions), found.tokens)
    assert network(found.x0, torch.ones(2), found.tokens).shape == found.x0.shape


@pytest.mark.parametrize(
    "caption",
    [
        " ".join(f"{i:02}{'w' * 59}" for i in range(20)),
        "a red house " + "-" * 600 + " at night",
        "a red house" + " " * 3900 + "at night",
        " ".join(["\u0390" * 30] * 16),  # of which small letters are three each
        "a" * 100,
    ],
)
def test_a_caption_of_many_characters_is_taken_by_its_folder_and_its_network(root, caption):
    table(root, ("cat.png", caption), ("dog.jpg", "a dog"))
    found = open_folder(root)
    network = Denoiser(found.vocabulary, channels=(8,), max_words=found.tokens.shape[1])
    assert decode(found.tokens, found.vocabulary)[0] == " ".join(split_words(caption, MOST_WORDS))
    assert torch.equal(encode_for(network, caption), found.tokens[:1])
    assert torch.equal(encode_for(network, read_with(network.config, caption).caption), found.tokens[:1])


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        ("\u732b" * 560, "the word " + "\u732b" * 80 + "… has 560 characters. Put spaces between words."),
        ("a cat" + "-" * 5000, "too long: 2 words, 5005 characters. Say it in at most 4000 characters."),
        ("w " * 101, "too long: 101 words, 201 characters. Say it in at most 100 words."),
    ],
)
def test_a_caption_that_is_too_long_is_refused_with_its_line_and_a_true_reason(root, caption, said):
    table(root, ("cat.png", "a cat"), ("dog.jpg", caption))
    assert "captions.csv, line 3: " in refusal(root) and said in refusal(root)
    table(root, ("cat.png", caption), ("dog.jpg", caption))
    assert "captions.csv: 2 captions h" in refusal(root) and "line 2" in refusal(root)


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
    assert few.startswith("Only 3 pictures") and small == "Smaller than 32 pixels, and so enlarged: twin.png."
    assert twice == "There more than once: twin.png, the same as cat.png."
    assert rare == "3 words stand in fewer than 10 captions and will hardly be learned: dog, cat, a."


def test_a_large_clean_folder_has_no_notes(tmp_path):
    write_folder(tmp_path, per_caption=5)
    assert open_folder(tmp_path).notes == []


def test_the_bar_is_shown_each_picture(root):
    seen = []
    open_folder(root, bar=lambda items: seen.extend(items) or items)
    assert len(seen) == 2


# parts that lesson 12 asks a learner for


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
    monkeypatch.setattr("course_lib.own.table.listing", lambda path: {})
    assert "2 lines name a file that is not there: line 2, cat.png; line 3, dog.jpg." in refusal(root)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("a b", "a b c", "grew by c."),
        ("a b", "a c d", "grew by c, d and lost b."),
        ("a b", "a", "lost b."),
        ("a", " ".join(f"w{i:02}" for i in range(30)), "w08, w09 and 20 more and lost a."),
    ],
)
def test_a_run_is_told_how_its_words_changed(before, now, said):
    told = changed_words(before.split(), now.split())
    assert said in told and "start a new run" in told and len(told) < 300
