"""A folder of your own pictures and a file of captions: checked as a whole, then made ready to train on.

Whatever is wrong is said at once, for the whole folder, and nothing is half done: either all pictures come back, or
none and a list of what to mend.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from course_lib.captions import MAX_WORDS, build_vocabulary, encode, split_words
from course_lib.noise import Pictures, Tokens
from course_lib.own.opening import SIZE, BadPicture, read_picture
from course_lib.own.opening import crop_and_scale as crop_and_scale
from course_lib.own.opening import prepare as prepare
from course_lib.own.table import Fault, Names, captions_file, folder_path, read_captions, shorten
from course_lib.tools.bars import Bar, no_bar

MOST_WORDS = 100  # in one caption of one's own
PER_WORD = 40  # characters of a caption for each of its words, as `split_words` allows them
LONGEST_WORD = 100  # in characters; what is longer are several words without spaces
FEW_PICTURES = 100  # with fewer, a network learns them by heart
RARE_WORD = 5  # a word in fewer captions than this is hardly learned
EXAMPLES = 3  # of faults of one kind are told; more are counted
MANY = {  # the kinds of faults, where there are several of one
    "columns": 'lines have more columns than the first line. A comma in a caption needs "quotes"',
    "comma": 'lines name a file further on than they should. A comma in a caption needs "quotes"',
    "quote": "quotes are never closed. Write one at the end of each caption",
    "empty": "captions hold no word",
    "long": f"captions have more than {MOST_WORDS} words",
    "wide": f"captions have more than {PER_WORD * MOST_WORDS} characters",
    "unspaced": f"captions hold a word of more than {LONGEST_WORD} characters. Put spaces between words",
    "unnamed": "lines name no file",
    "twice": "lines name a file that has a caption already. Keep one of them for each",
    "outside": "names lead out of the folder. Put the pictures inside",
    "ending": "names lack the ending of their file. Write whole names",
    "case": "names and their files differ in capital letters. Write them alike",
    "missing": "lines name a file that is not there",
    "unusable": "names are those of folders, hidden files or broken links. Name pictures",
    "large": "pictures have too many pixels. Make them smaller, a thousand pixels wide is plenty",
    "closed": "pictures may not be read by you. Change their permissions",
    "format": "files are no pictures that can be opened. Save them as PNG or JPEG",
    "damaged": "pictures are damaged or cut short. Save them again",
    "bare": "pictures have no caption. Add a line for each to the captions file, or take them out",
}


class Folder(NamedTuple):
    """What `open_folder` made of a folder."""

    x0: Pictures  # N of them, square, in the order of the captions file
    tokens: Tokens
    vocabulary: tuple[str, ...]  # the words of these captions; place 0 is "no word"
    captions: list[str]  # N, as they stand in the file
    files: list[str]  # N names
    notes: list[str]  # what is odd, but no reason to stop


def _told(fault: Fault, table: str) -> str:
    """A fault that is the only one of its kind, or of none."""
    return f"{table}, {fault.where}: {fault.said}" if fault.where else fault.said


def _refusal(folder_name: str, table: str, faults: Sequence[Fault]) -> str:
    """All that is wrong with a folder, as the message of an error: each kind of fault once, with examples."""
    kinds = defaultdict(list)
    for i, fault in enumerate(faults):
        kinds[fault.kind or i].append(fault)
    lines = []
    for same in kinds.values():
        if len(same) == 1:
            lines.append(_told(same[0], table))
            continue
        examples = "; ".join(", ".join(filter(None, (fault.where, fault.about))) for fault in same[:EXAMPLES])
        more = f"; and {len(same) - EXAMPLES} more" if len(same) > EXAMPLES else ""
        where = f"{table}: " if same[0].where else ""
        lines.append(f"{where}{len(same)} {MANY[same[0].kind]}: {examples}{more}.")
    things = "one thing" if len(faults) == 1 else f"{len(faults)} things"
    return f"The folder {folder_name} cannot be used yet: {things} to mend." + "".join(f"\n- {line}" for line in lines)


def _unfit(caption: str, where: str) -> Fault | None:
    """What is wrong with a caption."""
    try:
        words = split_words(caption, max(len(caption), MOST_WORDS))
    except ValueError as error:  # there is none
        return Fault("empty", where, str(error), "")
    said = f"The caption is too long: {len(words)} words, {len(caption)} characters. Say it in at most"
    if len(words) > MOST_WORDS:
        return Fault("long", where, f"{said} {MOST_WORDS} words.", "")
    if len(caption) > PER_WORD * MOST_WORDS:
        return Fault("wide", where, f"{said} {PER_WORD * MOST_WORDS} characters.", "")
    if len(word := max(words, key=len)) > LONGEST_WORD:
        said = f"the word {shorten(word)} has {len(word)} characters. Put spaces between words."
        return Fault("unspaced", where, said, shorten(word))
    return None


def _most_words(captions: Sequence[str]) -> int:
    """How many words a network must take for these captions, as they stand or with blanks alone between the words."""
    said = [split_words(caption, MOST_WORDS) for caption in captions]
    characters = max(map(len, [*captions, *map(" ".join, said)]))
    return max(MAX_WORDS, *map(len, said), -(-characters // PER_WORD))


def open_folder(path: str | Path, size: int = SIZE, bar: Bar = no_bar) -> Folder:
    """Read a folder of pictures with their captions, or say everything that is wrong with it.

    The folder holds pictures (PNG, JPEG, WebP, GIF, BMP, TIFF, JPEG 2000, and AVIF where Pillow has it; subfolders are
    fine) and `captions.csv`, a text file with the first line `file,caption` and then a line for each picture. Instead,
    `metadata.csv` with the columns `file_name,text` may be there, as the `imagefolder` of Hugging Face's `datasets`
    has it. A caption may have up to 100 words, and a word 100 characters; the tokens are as long as the longest
    needs, with a place for every 40 characters, and never under 12.

    size: side of the pictures in pixels, a multiple of 8 from 8 to 256. Raises TypeError if path is no name;
    FileNotFoundError without a folder or a captions file in it; ValueError if size is wrong, or if something in the
    folder is, with a list of all that must be mended.
    """
    root = folder_path(path)
    if type(size) is not int or size % 8 or not 8 <= size <= 256:
        raise ValueError(f"size must be a multiple of 8 from 8 to 256, not {size!r}.")
    if root.is_file():
        raise NotADirectoryError(f"{path} is a file. Name the folder that holds the pictures and their captions.csv.")
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root.absolute()}.")
    table = captions_file(root)
    lines, faults, notes = read_captions(table)
    if not lines and not faults:
        faults.append(Fault("", "", f"{table.name} names no picture.", ""))
    names = Names(root)
    names.captioned |= {names.within(fault.about) for fault in faults} & names.files.keys()
    swallowed = any(fault.kind == "quote" for fault in faults)
    good: list[tuple[str, str, Tensor, int]] = []  # name, caption, picture, the shorter side it had
    odd: dict[str, list[str]] = defaultdict(list)  # what is odd, and the names of the pictures
    for line, name, caption in bar(lines):
        where, name, before = f"line {line}", names.within(name), len(faults)
        if fault := _unfit(caption, where):
            faults.append(fault)
        few = sum(fault.kind == "missing" for fault in faults) < EXAMPLES
        if fault := names.fault(name, line, suggest=few):
            faults.append(fault)
            continue
        try:
            picture, side, what = read_picture(names.files[name], size)
        except BadPicture as error:
            faults.append(Fault(error.kind, where, f"{shorten(name)} {error}", shorten(name)))
            continue
        for kind in what:
            odd[kind].append(name)
        if len(faults) == before:
            good.append((name, caption, picture, side))
    if lines and not swallowed:  # a captions file that could not be read says nothing about the pictures
        for name in names.bare():
            said = f"{shorten(name)} has no caption. Add a line for it to {table.name}, or take it out."
            faults.append(Fault("bare", "", said, shorten(name)))
    if faults:
        raise ValueError(_refusal(root.name, table.name, faults))
    files, captions, pictures, sides = map(list, zip(*good, strict=True))
    x0, vocabulary = torch.stack(pictures), build_vocabulary(captions, MOST_WORDS)
    tokens = encode(captions, vocabulary, _most_words(captions))
    odd["Links lead out of the folder to {}."] = names.linked_outside(files)
    notes += [what.format(_these(them)) for what, them in odd.items() if them]
    return Folder(x0, tokens, vocabulary, captions, files, _notes(x0, captions, files, sides, size) + notes)


def changed_words(before: Iterable[str], now: Iterable[str]) -> str:
    """Why a run on the words before cannot go on with those of its folder now, in a sentence for its owner."""
    before, now = set(before), set(now)
    changes = [
        f"{verb} {_some(sorted(words))}" for verb, words in (("grew by", now - before), ("lost", before - now)) if words
    ]
    return (
        f"Since it began, the vocabulary of the folder {' and '.join(changes)}. A network keeps the words it began "
        "with, so start a new run: leave --resume out and choose another --out."
    )


def _some(words: Sequence[str]) -> str:
    """The first of some words, as a message shows them."""
    return ", ".join(map(shorten, words[:10])) + (f" and {len(words) - 10} more" if len(words) > 10 else "")


def _these(names: Sequence[str]) -> str:
    """Some pictures, as a note names them."""
    return shorten(names[0]) if len(names) == 1 else f"{len(names)} pictures, such as {shorten(names[0])}"


def _notes(x0: Pictures, captions: list[str], files: list[str], sides: list[int], size: int) -> list[str]:
    """What is odd in a good folder."""
    notes = []
    if len(files) < FEW_PICTURES:
        count = "one picture" if len(files) == 1 else f"{len(files)} pictures"
        notes.append(f"Only {count}: a network learns so few by heart. Aim for {FEW_PICTURES} or more.")
    if small := [name for name, side in zip(files, sides, strict=True) if side < size]:
        notes.append(f"Smaller than {size} pixels, and so enlarged: {_these(small)}.")
    first: dict[bytes, str] = {}
    twins = [(name, first.setdefault(x.numpy().tobytes(), name)) for name, x in zip(files, x0, strict=True)]
    if twins := [pair for pair in twins if pair[0] != pair[1]]:
        notes.append(f"There more than once: {_these([name for name, _ in twins])}, the same as {twins[0][1]}.")
    counts = Counter(word for caption in captions for word in set(split_words(caption, MOST_WORDS)))
    if rare := sorted(word for word, count in counts.items() if count < RARE_WORD):
        stand = "1 word stands" if len(rare) == 1 else f"{len(rare)} words stand"
        notes.append(f"{stand} in fewer than {RARE_WORD} captions and will hardly be learned: {_some(rare)}.")
    return notes
