"""From cells to slides: what of a lesson, or of the lecture's page, is seen by the room, and what is said.

The metadata of the lessons' cells say where a slide begins; what is shown of a cell follows from what it is:

    heading                              the slide's title
    picture                              as large as it can be, with one short line of its "What to see"
    formula, table                       shown
    "Before you run it", `guess`         a question with its answers to choose from
    a few lines of code, and what they printed: shown; the lines that drew a picture only if they fit beside it
    exercise, questions, recap           shown, without hints and answers
    all else                             speaker notes
"""

import ast
import re
import textwrap
from dataclasses import dataclass, field

from lessons import REFERENCE, Cell, Figure, Lesson, shown

FEW_LINES = 9  # of code that a room can read
FULL = 12  # lines of code and of what it printed, counted as they are broken on a slide
WIDTH = 76  # letters of such a line
SHORT = 110  # letters of a line below a picture
HEADING = re.compile(r"^#{1,3} (.+)$", re.MULTILINE)
FOLDED = re.compile(r"<details>\s*<summary>(.+?)</summary>(.+?)</details>", re.DOTALL)
BEFORE = re.compile(r"\*\*Before you ([^*]+?):\*\* ")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\([^)\s]*\)")
STILL = re.compile(r"\((?:On a page w|W)here nothing runs: ([^()]+?)\.?\)")  # what a widget's picture shows
TO_READERS = re.compile(r"(?:then )?(?:slide|look|read|compare|try|move|pull)\b", re.IGNORECASE)
TASK = ("Exercise", "Experiment")


@dataclass
class Slide:
    """What is shown, in the order of the page, and what is said; all in Markdown but for pictures and code."""

    id: str  # of the cell that it begins with
    title: str
    kind: str = ""  # opening, task, guess, or empty
    minutes: str = ""  # that an exercise takes
    below: bool = False  # under the slide before it, not beside it
    shows: list[tuple[str, object, bool]] = field(default_factory=list)  # (what, content, comes later)
    line: str = ""  # the short line below a picture
    notes: list[str] = field(default_factory=list)

    def show(self, what: str, content: object, later: bool = False) -> None:
        self.shows.append((what, content, later))

    @property
    def figures(self) -> list[Figure]:
        return [content for what, content, _ in self.shows if what == "figure"]


def of_lesson(lesson: Lesson) -> list[Slide]:
    """The slides of a lesson; ValueError, with the cell, if they cannot be made of it."""
    if not any(cell.slide for cell in lesson.cells):
        raise ValueError(
            f"{lesson.name} has no slide metadata: give its cells slide types in JupyterLab's property inspector."
        )
    slides: list[Slide] = []
    for cell, previous in zip(lesson.cells, [None, *lesson.cells], strict=False):
        if cell.slide == "skip":
            continue
        if not slides and cell.slide != "slide":
            raise ValueError(f"`{cell.id}` comes before the first slide of {lesson.name}: make it a slide, or skip it.")
        if cell.words:
            _words(slides, cell)
        else:
            _code(slides, cell, introduction(slides[-1].notes) if previous.words else "")
    for slide, following in zip(slides, [*slides[1:], None], strict=True):
        if slide.shows:
            continue
        if following and following.title == slide.title:  # a title alone says little
            following.id, following.below, following.notes[:0] = slide.id, slide.below, slide.notes
        elif slide.notes:
            slide.show("words", re.sub(r":$", ".", first_sentence(slide.notes[0])))
    return [slide for slide in slides if slide.shows]


def of_lecture(page: str) -> list[Slide]:
    """The slides of the lecture's page, lecture.md; ValueError, with the slide, if they cannot be made of it."""
    slides = []
    for number, part in enumerate(re.split(r"^## ", page, flags=re.MULTILINE)[1:], 1):
        title, _, rest = part.partition("\n")
        place, _, rest = rest.strip().partition("\n\n")
        if not re.match(r"\*Minute \d+\*", place):
            raise ValueError(f"The lecture's slide '{title.strip()}' has no line such as *Minute 4* below its title.")
        slide = Slide(f"slide-{number}", title.strip(), kind="opening" if number == 1 and "`" not in place else "")
        if quoted := re.match(r"(?:>.*(?:\n|$))+", rest):
            slide.show("words", re.sub(r"^> ?", "", quoted.group(), flags=re.MULTILINE).strip())
            rest = rest[quoted.end() :]
        for reference in re.findall(r"`([^`]+)`", place):
            try:
                found = shown(reference)
            except ValueError as error:
                raise ValueError(f"The lecture's slide '{slide.title}': {error}") from error
            if isinstance(found, str):
                slide.show(REFERENCE.fullmatch(reference)["what"], found)
            for figure in found if isinstance(found, list) else []:
                slide.show("figure", figure)
        slide.notes = [re.match(r"\*(Minute \d+)\*", place)[1] + ".", *paragraphs(rest)]
        slides.append(slide)
    if not slides:
        raise ValueError("The lecture has no slides: each begins with a line such as '## Title'.")
    return slides


def _words(slides: list[Slide], cell: Cell) -> None:
    """Add a Markdown cell: what it says about the picture above it belongs to the slide of that picture."""
    before, title, after = split(cell.words)
    if slides and before:
        see = [part for part in before if part.startswith("*What to see:*")]
        if see and not any(what in ("figure", "text") for what, _, _ in slides[-1].shows):
            raise ValueError(f"`{cell.id}` says what to see, but the cell above it shows nothing: run it, and save.")
        if see and not slides[-1].line:
            slides[-1].line = short_line(see[0])
        slides[-1].notes += before
    if cell.slide in ("slide", "subslide"):
        below = cell.slide == "subslide"
        name, _, minutes = (title or _title(slides)).removesuffix(")").partition(" (")
        slides.append(Slide(cell.id, name, _kind(title, cell.words), minutes, below))
    elif title:
        raise ValueError(f"`{cell.id}` has a heading, '{title}', but begins no slide: make it a slide or a subslide.")
    slide, later = slides[-1], cell.slide == "fragment"
    questions = []
    for part in after:
        plain = FOLDED.sub("", part).strip()
        if cell.slide == "notes" or not plain:
            slide.notes.append(unfold(part))
        elif slide.kind == "questions" and re.match(r"\*\*\d+\. ", part):
            questions.append(part.strip("*"))
        elif part.startswith("$$"):
            slide.show("formula", part.strip("$").strip(), later)
        elif found := BEFORE.match(part):
            slide.kind = slide.kind or "guess"
            asked = part[found.end() :]
            if len(asked) < SHORT / 2 and slide.notes and not slide.notes[-1].endswith(":"):
                asked = f"{last_sentence(slide.notes[-1])} {asked[:1].upper()}{asked[1:]}"
            slide.show("question", (f"Before you {found[1]}", asked[:1].upper() + asked[1:]), later)
        elif _is_shown(slide.kind, part):
            slide.show("words", part, later)
        else:
            slide.notes.append(part)
    if questions:
        slide.show("words", "\n".join(questions), later)


def _title(slides: list[Slide]) -> str:
    """The heading that goes on: what follows an exercise belongs to the section that the exercise is in."""
    return next(slide.title for slide in reversed(slides) if slide.kind != "task")


def _kind(title: str, words: str) -> str:
    if words.startswith("# "):
        return "opening"
    if title.startswith(TASK):
        return "task"
    return {"Questions": "questions", "Recap": "recap"}.get(title, "")


def _is_shown(kind: str, part: str) -> bool:
    """Whether a paragraph is for the room: the rest is said."""
    return kind == "task" or bool(re.match(r"- |1\. |\|", part)) or (kind == "opening" and part.startswith("**"))


def _code(slides: list[Slide], cell: Cell, said: str) -> None:
    """Add a code cell: its picture, or its few lines and what they printed, below the sentence that leads to them."""
    later, call = cell.slide == "fragment", _call(cell.code)
    if cell.slide in ("slide", "subslide"):
        slides.append(Slide(cell.id, _title(slides), "guess" if call and call[0] == "guess" else "", below=True))
    slide = slides[-1]
    if call and call[0] == "told":
        slide.notes.append(f"**Answer:** {call[1][-1]}.")
        return
    if call and call[0] == "guess" and cell.slide != "notes":
        about, *answers = call[1]
        if not any(what == "question" for what, _, _ in slide.shows):
            slide.show("question", ("Your guess", about[0].upper() + about[1:]))
        slide.show("answers", answers, later)
        return
    code = re.sub(r"\n{3,}", "\n\n", source(cell.markdown) or cell.code)
    if cell.slide != "notes" and said and not slide.shows and not cell.figures:
        slide.show("words", said, later)
    if cell.slide == "notes" or not _fits(code, cell):
        slide.notes.append(f"```python\n{code}\n```")
    else:
        slide.show("code", code, later)
    if cell.text and (cell.slide == "notes" or cell.figures):
        slide.notes.append(f"```text\n{cell.text}\n```")
    if cell.slide != "notes":
        for number, figure in enumerate(cell.figures):
            if number and len(cell.figures) > 2:  # too many for one slide
                slides.append(slide := Slide(f"{cell.id}-{number + 1}", slide.title, below=True))
            slide.show("figure", figure, later)
        if cell.text and not cell.figures:
            slide.show("text", cell.text, later)


def _fits(code: str, cell: Cell) -> bool:
    """Whether there is room for code beside what it shows."""
    lines = code.split("\n")
    if cell.figures:
        narrow = all(figure.width < 1.5 * figure.height for figure in cell.figures)
        return narrow and len(lines) > 1 and max(map(len, lines)) <= 45
    broken = sum(1 + len(line) // WIDTH for line in [*lines, *cell.text.split("\n")])
    return len(lines) <= FEW_LINES and broken <= FULL


def _call(code: str) -> tuple[str, list[str]] | None:
    """The name and the words of a cell that only asks for a guess or tells the answer."""
    try:
        (line,) = ast.parse(code).body
        name, words = line.value.func.id, [ast.literal_eval(word) for word in line.value.args]
    except (SyntaxError, ValueError, AttributeError):
        return None
    return (name, words) if name in ("guess", "told") else None


def source(markdown: str) -> str:
    """The Python in what `show.source` answers, without its docstring; empty if there is none."""
    found = re.search(r"```python\n(.+?)```", markdown, re.DOTALL)
    return textwrap.dedent(re.sub(r'\n\s*"""(?:.|\n)*?"""', "", found[1], count=1)).strip("\n") if found else ""


def split(words: str) -> tuple[list[str], str, list[str]]:
    """A Markdown cell as paragraphs before its first heading, that heading, and the paragraphs after it.

    Without a heading, what it says of the picture above comes before, and all else after.
    """
    if heading := HEADING.search(FOLDED.sub(lambda found: " " * len(found[0]), words)):
        return paragraphs(words[: heading.start()]), heading[1], paragraphs(words[heading.end() :])
    parts = paragraphs(words)
    count = len(parts) and parts[0].startswith("*What to see:*")
    return parts[:count], "", parts[count:]


def paragraphs(words: str) -> list[str]:
    """The paragraphs of a text; a folded part, and a piece of code, is one."""
    pieces = re.split(r"(<details>.*?</details>|^```.*?^```)", words, flags=re.DOTALL | re.MULTILINE)
    parts = [[piece] if piece.startswith(("<details>", "```")) else re.split(r"\n\s*\n", piece) for piece in pieces]
    return [part.strip() for some in parts for part in some if part.strip()]


def unfold(words: str) -> str:
    """Hints and answers as paragraphs that begin with their name."""
    return FOLDED.sub(lambda found: f"**{found[1]}.** {found[2].strip()}", words)


def first_sentence(words: str) -> str:
    return re.split(r"""(?<=[.!?])\**\s+(?=[A-Z*(`$"])""", words, maxsplit=1)[0]


def introduction(notes: list[str]) -> str:
    """The sentence that leads to a piece of code, if it is short: the last of what was said before."""
    said = last_sentence(notes[-1]) if notes and not notes[-1].startswith(("```", "**", "*What", "- ", "|")) else ""
    return said if len(LINK.sub(r"\1", said)) <= 1.3 * SHORT else ""


def last_sentence(words: str) -> str:
    return re.split(r"(?<=[.!?])\s+(?=[A-Z])", words)[-1]


def short_line(see: str) -> str:
    """One short line of a "What to see": its first sentence, or as much of it as stands for itself; empty if none.

    What only tells a reader how to look, such as "Look for ...", is passed over.
    """
    rest = LINK.sub(r"\1", see.removeprefix("*What to see:*").strip())
    if still := STILL.search(rest):
        rest = still[1]
    while rest:
        said = first_sentence(rest)
        rest = rest.removeprefix(said).strip()
        if len(said) < SHORT / 3 and rest and len(said + first_sentence(rest)) < SHORT:  # such as "A valley."
            said += " " + first_sentence(rest)
        for end in (None, "; ", ": ", ", and ", ", so ", ", but ", ", with "):
            part = said.split(end)[0] if end else said
            if len(part) <= SHORT and not TO_READERS.match(part):
                return part[:1].upper() + part[1:].rstrip(".") + ("" if part.endswith(("?", "!")) else ".")
    return ""
