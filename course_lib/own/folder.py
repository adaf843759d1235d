"""A folder of your own pictures and a file of captions: checked as a whole, then made ready to train on.

Whatever is wrong is said at once, for the whole folder, and nothing is half done: either all pictures come back, or
none and a list of what to mend.
"""

import csv
import difflib
import io
import posixpath
import unicodedata
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from course_lib.captions import build_vocabulary, encode, split_words
from course_lib.noise import Pictures, Tokens
from course_lib.tools.bars import Bar, no_bar

SIZE = 32  # side of a training picture in pixels
CAPTION_FILES = {"captions.csv": ("file", "caption"), "metadata.csv": ("file_name", "text")}  # name: its two columns
ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".avif"}
FEW_PICTURES = 100  # with fewer, a network learns them by heart
RARE_WORD = 5  # a word in fewer captions than this is hardly learned
MOST_PROBLEMS = 50  # are listed; more are counted


class Folder(NamedTuple):
    """What `open_folder` made of a folder."""

    x0: Pictures  # N of them, square, in the order of the captions file
    tokens: Tokens
    vocabulary: tuple[str, ...]  # the words of these captions; place 0 is "no word"
    captions: list[str]  # N, as they stand in the file
    files: list[str]  # N names
    notes: list[str]  # what is odd, but no reason to stop


def crop_and_scale(pixels: Tensor) -> Tensor:
    """Cut the largest square out of the middle and scale bytes to [-1, 1]: x0 = pixels / 127.5 - 1.

    pixels are (3, H, W) uint8, x0 is (3, S, S) float32 in [-1, 1], with S = min(H, W). Of an odd rest, the larger half
    is cut off at the bottom or on the right.
    """
    height, width = pixels.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[:, top : top + side, left : left + side].float() / 127.5 - 1


def prepare(image: Image.Image, size: int = SIZE) -> Tensor:
    """Any picture to a square one for training: turned upright, on white, in colour, centre-cropped, resized.

    The resizing averages over the pixels that become one (antialiasing), so that thin lines fade and do not flicker.
    The image may have any mode and size; x0 is (3, size, size) float32 in [-1, 1].
    """
    image = ImageOps.exif_transpose(image)  # a camera held upright says so beside its pixels
    if image.mode.startswith("I") or image.mode == "F":  # grey in 16 bits or more: Pillow would clip at 255
        grey = np.asarray(image, dtype=np.float64)
        top = grey.max() if image.mode == "F" else 65535.0
        image = Image.fromarray((255 * grey / max(top, 1e-9)).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))  # whole pixels, where ImageOps.fit would cut through them
    small = square.resize((size, size), Image.Resampling.BICUBIC)
    return crop_and_scale(torch.from_numpy(np.array(small)).permute(2, 0, 1))


def _read_captions(path: Path) -> tuple[list[tuple[int, str, str]], list[str]]:
    """The captions file as (line, file name, caption), and what is wrong with it."""
    wanted = CAPTION_FILES[path.name]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return [], [f'{path.name} is no UTF-8 text. In a spreadsheet, save it as "CSV UTF-8".']
    between = max(",;\t", key=text.split("\n", 1)[0].count)  # not every spreadsheet writes commas
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between)
    lines, problems = [], []
    try:
        columns = [name.strip().casefold() for name in next(reader, [])]
        if not set(wanted) <= set(columns):
            found = ", ".join(columns) or "nothing"
            return [], [f"{path.name} must begin with the line {','.join(wanted)} but begins with {found:.80}."]
        for cells in reader:
            where = f"{path.name}, line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(columns):
                problems.append(f'{where}: more columns than in the first line. A comma in a caption needs "quotes".')
                continue
            cells += [""] * (len(columns) - len(cells))
            name, caption = (cells[columns.index(column)].strip() for column in wanted)
            lines.append((reader.line_num, name, caption))
    except csv.Error as error:
        problems.append(f"{path.name}, line {reader.line_num}: {error}.")
    return lines, problems


def _listing(root: Path) -> dict[str, Path]:
    """All files below a folder by their names in it, hidden ones left out. A name is only ever looked up here."""
    found = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
    shown = {name: path for name, path in found.items() if not any(part.startswith(".") for part in name.split("/"))}
    return {unicodedata.normalize("NFC", name): path for name, path in shown.items()}


def _read_picture(path: Path, size: int) -> tuple[Tensor, int]:
    """A prepared picture and the shorter side it had. Raises ValueError in plain words."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                side = min(image.size)
                image.draft(None, (2 * size, 2 * size))  # a large JPEG is unpacked no larger than needed
                return prepare(image, size), side
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError("has too many pixels. Make it smaller, a thousand pixels wide is plenty.") from error
    except UnidentifiedImageError as error:
        raise ValueError("is no picture that can be opened. Save it as PNG or JPEG.") from error
    except Exception as error:  # a damaged file can make a decoder fail in any way
        raise ValueError(f"is damaged or cut short ({error}). Save it again.") from error


def _name_problem(name: str, told: dict[str, int], known: dict[str, Path], root: Path, suggest: bool) -> str:
    """What is wrong with the name of a file in a captions file; "" if nothing is."""
    if not name:
        return "no file is named."
    if name in told:
        return f"{name} has a caption already, in line {told[name]}. Keep one of the two."
    if name.startswith(("/", "../")) or name[1:2] == ":":
        return f"{name} leads out of the folder. Put the picture inside."
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1) if suggest else []  # slow in a large folder
        return f"there is no file {name}." + (f" Did you mean {near[0]}?" if near else "")
    if not known[name].resolve().is_relative_to(root.resolve()):
        return f"{name} is a link that leads out of the folder. Put the picture itself inside."
    return ""


def _refusal(folder_name: str, problems: list[str]) -> str:
    """All that is wrong with a folder, as the message of an error."""
    more = [f"and {len(problems) - MOST_PROBLEMS} more"] if len(problems) > MOST_PROBLEMS else []
    listed = "".join(f"\n- {problem}" for problem in [*problems[:MOST_PROBLEMS], *more])
    things = "one thing" if len(problems) == 1 else f"{len(problems)} things"
    return f"The folder {folder_name} cannot be used yet: {things} to mend.{listed}"


def open_folder(path: str | Path, size: int = SIZE, bar: Bar = no_bar) -> Folder:
    """Read a folder of pictures with their captions, or say everything that is wrong with it.

    The folder holds pictures (PNG, JPEG, WebP, GIF, BMP, TIFF; subfolders are fine) and `captions.csv`, a text file
    with the first line `file,caption` and then a line for each picture. Instead, `metadata.csv` with the columns
    `file_name,text` may be there, as the `imagefolder` of Hugging Face's `datasets` has it.

    size: side of the pictures in pixels, a multiple of 8 from 8 to 256. Raises FileNotFoundError without a folder or a
    captions file in it; ValueError if something in it is wrong, or size is, with a list of all that must be mended.
    """
    root = Path(path)
    if type(size) is not int or size % 8 or not 8 <= size <= 256:
        raise ValueError(f"size must be a multiple of 8 from 8 to 256, not {size!r}.")
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    caption_files = [root / name for name in CAPTION_FILES if (root / name).is_file()]
    if not caption_files:
        raise FileNotFoundError(
            f"The folder {root.name} has no captions.csv. Write one: the first line is file,caption "
            "and each line after it names a picture and says what it shows, such as cat_1.jpg,a black cat"
        )
    lines, problems = _read_captions(caption_files[0])
    table, known = caption_files[0].name, _listing(root)
    if not lines and not problems:
        problems.append(f"{table} names no picture.")

    told: dict[str, int] = {}  # each name and the line that has it
    good: list[tuple[str, str, Tensor, int]] = []  # name, caption, picture, the shorter side it had
    for line, name, caption in bar(lines):
        name = unicodedata.normalize("NFC", posixpath.normpath(name.replace("\\", "/"))) if name else ""
        found = []
        try:
            split_words(caption)
        except ValueError as error:
            found.append(str(error))
        if problem := _name_problem(name, told, known, root, suggest=len(problems) < MOST_PROBLEMS):
            found.append(problem)
        else:
            try:
                picture, side = _read_picture(known[name], size)
            except ValueError as error:
                found.append(f"{name} {error}")
        told.setdefault(name, line)
        problems += [f"{table}, line {line}: {problem}" for problem in found]
        if not found:
            good.append((name, caption, picture, side))
    if lines:  # a captions file that could not be read says nothing about the pictures
        for name in known:
            if Path(name).suffix.casefold() in ENDINGS and name not in told:
                problems.append(f"{name} has no caption. Add a line for it to {table}, or take it out.")
    if problems:
        raise ValueError(_refusal(root.name, problems))
    files, captions, pictures, sides = map(list, zip(*good, strict=True))
    x0, vocabulary = torch.stack(pictures), build_vocabulary(captions)
    notes = _notes(x0, captions, files, sides, size)
    return Folder(x0, encode(captions, vocabulary), vocabulary, captions, files, notes)


def _notes(x0: Pictures, captions: list[str], files: list[str], sides: list[int], size: int) -> list[str]:
    """What is odd in a good folder."""
    notes = []
    if len(files) < FEW_PICTURES:
        notes.append(f"Only {len(files)} pictures: a network learns so few by heart. Aim for {FEW_PICTURES} or more.")
    if small := sum(side < size for side in sides):
        notes.append(f"{small} of the pictures are smaller than {size} pixels and were enlarged.")
    first: dict[bytes, str] = {}
    twins = [(name, first.setdefault(x.numpy().tobytes(), name)) for name, x in zip(files, x0, strict=True)]
    if twins := [pair for pair in twins if pair[0] != pair[1]]:
        notes.append(f"{len(twins)} of the pictures come twice, such as {twins[0][0]}, the same as {twins[0][1]}.")
    counts = Counter(word for caption in captions for word in set(split_words(caption)))
    if rare := sorted(word for word, count in counts.items() if count < RARE_WORD):
        some = ", ".join(rare[:10]) + (", …" if len(rare) > 10 else "")
        notes.append(f"{len(rare)} words stand in fewer than {RARE_WORD} captions and will hardly be learned: {some}.")
    return notes
