"""A folder of your own pictures and a file of captions: checked as a whole, then made ready to train on.

Whatever is wrong is said at once, for the whole folder, and nothing is half done: either all pictures come back, or
none and a list of what to mend. Or, if that is asked for, what cannot be used is left out, and told.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import torch

from course_lib.captions import MAX_WORDS, build_vocabulary, encode, split_words
from course_lib.noise import Pictures, Tokens
from course_lib.own.layouts import Entry, read_layout
from course_lib.own.opening import SIZE, BadPicture, check_fit, read_picture
from course_lib.own.opening import crop_and_scale as crop_and_scale
from course_lib.own.opening import prepare as prepare
from course_lib.own.table import Fault, Names, folder_path, shorten
from course_lib.tools.bars import Bar, no_bar
from course_lib.tools.pixels import Bytes, to_bytes

MOST_WORDS = 100  # in one caption of one's own; more are something else
KEPT_WORDS = 32  # of a caption, for longer ones need a larger network
MOST_CAPTIONS = 32  # of one picture
PER_WORD = 40  # characters of a caption for each of its words, as `split_words` allows them
LONGEST_WORD = 100  # in characters; what is longer are several words without spaces
FEW_PICTURES = 100  # with fewer, a network learns them by heart
RARE_WORD = 10  # a word in fewer captions than this is hardly learned
RARE_SHOWN = 5  # of such words
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
    "many": f"pictures have more than {MOST_CAPTIONS} captions",
    "json": "lines are no JSON",
    "record": 'pictures lack "file" or "caption", or these are no texts',
    "text": "text files cannot be read. Write the captions there, as UTF-8",
    "bare": "pictures have no caption. Add a line for each to the captions file, or take them out",
    "bare text": "pictures have no caption. Write one in a text file beside each, or take them out",
    "bare folder": "pictures lie in no folder that is named for what they show. Put them in one, or take them out",
    "bare name": "pictures have names that do not say what they show. Give them others, or take them out",
}


class Folder(NamedTuple):
    """What `open_folder` made of a folder."""

    x0: Pictures | Bytes  # N of them, square, in the order of the captions file
    tokens: Tokens  # (N, L), or (N, K, L) if some picture has several captions, K at most
    vocabulary: tuple[str, ...]  # the words of these captions; place 0 is "no word"
    captions: list[str]  # N, as they stand in the file, cut if they are too long; the first of several
    files: list[str]  # N names
    notes: list[str]  # what is odd, but no reason to stop, and what was left out
    report: list[str]  # what was found


def _told(fault: Fault, table: str) -> str:
    """A fault that is the only one of its kind, or of none."""
    where = ", ".join(filter(None, (table, fault.where)))
    return f"{where}: {fault.said}" if fault.where else fault.said


def _list(table: str, faults: Sequence[Fault]) -> list[str]:
    """All that is wrong with a folder, in lines: each kind of fault once, with examples."""
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
        where = f"{table}: " if table and same[0].where else ""
        lines.append(f"{where}{len(same)} {MANY[same[0].kind]}: {examples}{more}.")
    return lines


def _refusal(folder_name: str, table: str, faults: Sequence[Fault]) -> str:
    """All that is wrong with a folder, as the message of an error."""
    things = "one thing" if len(faults) == 1 else f"{len(faults)} things"
    lines = "".join(f"\n- {line}" for line in _list(table, faults))
    return f"The folder {folder_name} cannot be used yet: {things} to mend.{lines}"


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


def _shortened(caption: str) -> str:
    """A caption without the words that are too many."""
    words = split_words(caption, MOST_WORDS)
    return caption if len(words) <= KEPT_WORDS else " ".join(words[:KEPT_WORDS])


class _Found(NamedTuple):
    """A picture that can be used."""

    name: str
    captions: list[str]
    side: int  # the one it had, in pixels: what was cut to a square, the shorter, or else the longer


def _find(
    entries: Sequence[Entry], names: Names, size: int, fit: str, bar: Bar
) -> tuple[Bytes, list[_Found], list[Fault], dict[str, list[str]]]:
    """The pictures that can be used, what is wrong with the others, and what is odd, each with names of pictures."""
    good, faults, odd = [], [], defaultdict(list)
    pixels = torch.empty(len(entries), 3, size, size, dtype=torch.uint8)  # memory is taken as it is filled
    missing = 0
    for where, name, captions in bar(entries):
        if len(captions) > MOST_CAPTIONS:
            said = f"{shorten(name)} has {len(captions)} captions. Keep {MOST_CAPTIONS} at most."
            faults.append(Fault("many", where, said, shorten(name)))
            captions = []
        checked = [(caption, _unfit(caption, where)) for caption in captions]
        faults += [fault for _, fault in checked if fault]
        if fault := names.fault(name, where, suggest=missing < EXAMPLES):
            missing += fault.kind == "missing"
            faults.append(fault)
            continue
        try:
            picture, side, what = read_picture(names.files[name], size, fit)
        except BadPicture as error:
            faults.append(Fault(error.kind, where, f"{shorten(name)} {error}", shorten(name)))
            continue
        for kind in what:
            odd[kind].append(name)
        if usable := [caption for caption, fault in checked if not fault]:
            pixels[len(good)] = to_bytes(picture)
            good.append(_Found(name, usable, side))
    return Bytes(pixels[: len(good)]), good, faults, odd


def _tokens(captions: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> Tokens:
    """The tokens of each picture's captions: (N, L), or (N, K, L), where a picture with fewer than K has them again."""
    most = max(map(len, captions))
    alike = [said[i % len(said)] for said in captions for i in range(most)]
    tokens = encode(alike, vocabulary, _most_words(alike))
    return tokens if most == 1 else tokens.unflatten(0, (len(captions), most))


def open_folder(
    path: str | Path, size: int = SIZE, bar: Bar = no_bar, skip_bad: bool = False, fit: str = "crop"
) -> Folder:
    """Read a folder of pictures with their captions, or say everything that is wrong with it.

    The folder holds pictures (PNG, JPEG, WebP, GIF, BMP, TIFF, JPEG 2000, and AVIF where Pillow has it; subfolders are
    fine) and `captions.csv`, a text file with the first line `file,caption` and then a line for each picture. What
    else may say what they show, and what is taken if there are several, stands at the top of `layouts`.

    A caption may have up to 100 words, and a word 100 characters; of more than 32 words, the first 32 are used. The
    tokens are as long as the longest needs, with a place for every 40 characters, and never under 12: L =
    tokens.shape[-1]. They are (N, L), or (N, K, L) where pictures have several captions, as `random_batches` takes it.

    size: side of the pictures in pixels, a multiple of 8 from 8 to 256. skip_bad: leave out what cannot be used, and
    say so in the notes. fit: "crop" cuts a square out of the middle, "pad" keeps all of a picture and adds white.

    Raises TypeError if path is no name; FileNotFoundError without a folder or captions in it; ValueError if size or fit
    is wrong, or, with a list of all that must be mended, if something in the folder is, or if with skip_bad nothing is
    left.
    """
    folder = open_bytes(path, size, bar, skip_bad, fit)
    return folder._replace(x0=folder.x0[:])


def open_bytes(
    path: str | Path, size: int = SIZE, bar: Bar = no_bar, skip_bad: bool = False, fit: str = "crop"
) -> Folder:
    """The same with its pictures as `Bytes`, in a quarter of the memory: 50,000 of 64 pixels take 0.6 GB."""
    root = folder_path(path)
    check_fit(fit)
    if type(size) is not int or size % 8 or not 8 <= size <= 256:
        raise ValueError(f"size must be a multiple of 8 from 8 to 256, not {size!r}.")
    if root.is_file():
        raise NotADirectoryError(f"{path} is a file. Name the folder that holds the pictures and their captions.csv.")
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {root}.")
    names = Names(root)
    layout = read_layout(names)
    table, faults, notes = layout.table, [*layout.faults], [*layout.notes]
    if not layout.entries and not faults:
        faults.append(Fault("", "", f"{layout.way} names no picture.", ""))
    swallowed = any(fault.kind == "quote" for fault in faults)
    x0, good, unusable, odd = _find(layout.entries, names, size, fit, bar)
    faults += unusable
    if layout.entries and not swallowed:  # a captions file that could not be read says nothing about the pictures
        bare = names.bare()
        faults += [layout.without_caption(name) for name in bare if name not in layout.aside]
        if beside := [name for name in bare if name in layout.aside]:
            notes.append(f"Outside the folder train, and so left aside: {_these(beside)}.")
    if faults and not (good and skip_bad):
        raise ValueError("Nothing is left. " * skip_bad + _refusal(root.name, table, faults))
    notes += [f"Left out: {line}" for line in _list(table, faults)]
    files, said, sides = map(list, zip(*good, strict=True))
    captions = [[*map(_shortened, those)] for those in said]
    every = [caption for those in captions for caption in those]
    if cut := sum(now != was for now, was in zip(every, (one for those in said for one in those), strict=True)):
        those = "1 caption is" if cut == 1 else f"{cut} captions are"
        notes.append(f"{those} longer than {KEPT_WORDS} words: what comes after these is not used.")
    vocabulary = build_vocabulary(every, MOST_WORDS)
    odd["Links lead out of the folder to {}."] = names.linked_outside(files)
    notes += [what.format(_these(them)) for what, them in odd.items() if them]
    notes = _notes(x0, every, files, sides, size) + notes
    report = _report(root.name, layout.way, every, sides, "shorter" if fit == "crop" else "longer", len(vocabulary) - 1)
    return Folder(x0, _tokens(captions, vocabulary), vocabulary, [one[0] for one in captions], files, notes, report)


def _report(folder_name: str, way: str, captions: list[str], sides: list[int], which: str, words: int) -> list[str]:
    """What was found in a folder."""
    low, high = min(sides), max(sides)
    pixels = f"all {low} pixels" if low == high else f"{low} to {high} pixels"
    lengths = [len(split_words(caption, MOST_WORDS)) for caption in captions]
    few, many = min(lengths), max(lengths)
    long = f"{few} to " * (few < many) + f"{many} word" + "s" * (many > 1)
    different = len(set(captions))
    return [
        f"The captions in {folder_name} were taken from {way}.",
        f"Pictures: {len(sides)}. Their {which} sides: {pixels}.",
        f"Captions: {len(captions)}, different ones: {different}, each {long} long. Different words: {words}.",
    ]


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


def _some(words: Sequence[str], shown: int = 10) -> str:
    """The first of some words, as a message shows them."""
    return ", ".join(map(shorten, words[:shown])) + (f" and {len(words) - shown} more" if len(words) > shown else "")


def _these(names: Sequence[str]) -> str:
    """Some pictures, as a note names them."""
    return shorten(names[0]) if len(names) == 1 else f"{len(names)} pictures, such as {shorten(names[0])}"


def _notes(x0: Bytes, captions: list[str], files: list[str], sides: list[int], size: int) -> list[str]:
    """What is odd in a good folder."""
    notes = []
    if len(files) < FEW_PICTURES:
        count = "one picture" if len(files) == 1 else f"{len(files)} pictures"
        notes.append(f"Only {count}: a network learns so few by heart. Aim for {FEW_PICTURES} or more.")
    if small := [name for name, side in zip(files, sides, strict=True) if side < size]:
        notes.append(f"Smaller than {size} pixels, and so enlarged: {_these(small)}.")
    first: dict[bytes, str] = {}
    twins = [(name, first.setdefault(sha256(x.numpy()).digest(), name)) for name, x in zip(files, x0.x, strict=True)]
    if twins := [pair for pair in twins if pair[0] != pair[1]]:
        notes.append(f"There more than once: {_these([name for name, _ in twins])}, the same as {twins[0][1]}.")
    counts = Counter(word for caption in captions for word in set(split_words(caption, MOST_WORDS)))
    if rare := sorted((count, word) for word, count in counts.items() if count < RARE_WORD):
        stand = "1 word stands" if len(rare) == 1 else f"{len(rare)} words stand"
        those = _some([word for _, word in rare], RARE_SHOWN)  # the rarest first: a misspelling is among them
        notes.append(f"{stand} in fewer than {RARE_WORD} captions and will hardly be learned: {those}.")
    return notes
