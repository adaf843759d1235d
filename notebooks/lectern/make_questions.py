"""Make the bank of questions a file for Moodle: `make questions`.

    build/questions.gift     from notebooks/instructor/questions.md, in Moodle's GIFT format

In Moodle: Question bank, Import, GIFT format, this file. Each lesson becomes a category, each question keeps its id and
its level as a tag, and Moodle shuffles the answers. The file is written whole, or what was there stays.

Texts go over as HTML. In Markdown Moodle would eat the backslashes of formulas, and its MathJax filter looks for
`\\(...\\)` and `\\[...\\]` in HTML.
"""

import re
import sys
from html import escape
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]
from lessons import all_lessons, cell  # noqa: E402

from course_lib.tools.files import whole_file  # noqa: E402

BANK = ROOT / "notebooks" / "instructor" / "questions.md"
OUT = ROOT / "build" / "questions.gift"
COURSE = "From noise to a green banana"
LEVELS = ("recall", "understand", "apply")
HEAD = re.compile(r"(?P<id>\d\d\.\d+) (?P<title>\S.*)\n\n\*(?P<level>\w+)\* · `(?P<cell>[\w-]+)`\n\n")
ANSWER = re.compile(r"^- \[(.*?)\] ?", re.MULTILINE)


class Answer(NamedTuple):
    """One of a question's answers: is it the right one, its text, and what to say to whoever chose it (Markdown)."""

    right: bool
    text: str
    feedback: str


class Question(NamedTuple):
    """A question of the bank. `id` is "02.3", `level` one of LEVELS, `cell` the cell that answers it, "02-039"."""

    id: str
    title: str
    level: str
    cell: str
    text: str  # Markdown
    answers: tuple[Answer, ...]


def read(page: str) -> list[Question]:
    """The questions of the bank's page; ValueError, with the question, where one has not the form of the others."""
    questions = []
    for part in re.split(r"^(?=##)", page, flags=re.MULTILINE):
        if part.startswith("### "):
            questions.append(_question(part.removeprefix("### ")))
        elif ANSWER.search(part):
            raise ValueError(f"'{part.splitlines()[0]}' has answers: begin a question with '### 02.3 A title'.")
    if not questions:
        raise ValueError("The bank has no questions: begin each with '### 02.3 A title'.")
    ids = [question.id for question in questions]
    for id in ids:
        if ids.count(id) > 1:
            raise ValueError(f"Question {id} is there twice: give one of them another number.")
    return questions


def _question(part: str) -> Question:
    name = part.partition("\n")[0]
    if not (head := HEAD.match(part)):
        raise ValueError(f"Question '{name}': begin it with '### 02.3 A title', and below it '*recall* · `02-039`'.")
    if head["level"] not in LEVELS:
        raise ValueError(f"Question '{name}' has the level '{head['level']}': choose one of {', '.join(LEVELS)}.")
    try:
        cell(head["cell"])
    except ValueError as error:
        raise ValueError(f"Question '{name}': {error}") from error
    if head["cell"][:2] != head["id"][:2]:
        raise ValueError(f"Question '{name}': `{head['cell']}` is a cell of another lesson than {head['id'][:2]}.")
    text, *found = ANSWER.split(part[head.end() :])
    answers = tuple(_answer(name, *pair) for pair in zip(found[::2], found[1::2], strict=True))
    right = sum(answer.right for answer in answers)
    if not text.strip():
        raise ValueError(f"Question '{name}' asks nothing: write it below the line with its level and its cell.")
    if len(answers) < 2:
        raise ValueError(f"Question '{name}' has no choice of answers: write each as '- [ ] text', '- [x]' if right.")
    if right != 1:
        raise ValueError(f"Question '{name}' has {right or 'no'} right answers: mark one of them with '- [x]'.")
    return Question(head["id"], head["title"].strip(), head["level"], head["cell"], text.strip(), answers)


def _answer(name: str, mark: str, item: str) -> Answer:
    text, _, feedback = re.sub(r"^  ", "", item, flags=re.MULTILINE).strip().partition("\n>")
    if mark not in (" ", "x"):
        raise ValueError(f"Question '{name}' has an answer marked '[{mark}]': write '[x]' if right, else '[ ]'.")
    if not text.strip() or text.startswith(">"):
        raise ValueError(f"Question '{name}' has an answer without words: write them behind its '- [{mark}]'.")
    if not (feedback := re.sub(r"^> ?", "", feedback, flags=re.MULTILINE).strip()):
        start = text.splitlines()[0]
        raise ValueError(f"Question '{name}': no feedback for the answer '{start}'. Write it below, behind '  > '.")
    return Answer(mark == "x", text.strip(), feedback)


def html(markdown: str) -> str:
    """Markdown as the HTML that goes to Moodle, formulas as `\\(...\\)` or `\\[...\\]`.

    Braces, and a backslash before n, become entities. Some readers of GIFT end the answers at any closing brace and
    break the line at the \\n of \\neq, though both are escaped: now there is nothing to misread.
    """
    md = MarkdownIt("commonmark").use(dollarmath_plugin, allow_labels=False)
    md.add_render_rule("math_inline", lambda _, tokens, i, *rest: rf"\({escape(tokens[i].content)}\)")
    md.add_render_rule("math_block", lambda _, tokens, i, *rest: f"<p>\\[{escape(tokens[i].content.strip())}\\]</p>\n")
    made = md.render(markdown).strip().replace("{", "&#123;").replace("}", "&#125;")
    return re.sub(r"\\(?=n)", "&#92;", made)


def escaped(text: str) -> str:
    r"""Any text for GIFT: `\ # = ~ { } :` with a backslash in front, and \n for the end of a line.

    Blank lines end a question and Moodle cuts the spaces off both ends of each line, so the text becomes one line.
    """
    return re.sub(r"[\\#=~{}:]", r"\\\g<0>", text).replace("\n", r"\n")


def gift(questions: list[Question], titles: dict[int, str]) -> str:
    """The GIFT file. titles: the number of each lesson to its title, for the category."""
    blocks = [f"// {COURSE}: {len(questions)} questions"]
    lesson = None
    for question in sorted(questions, key=lambda one: int(one.id[:2])):
        if question.id[:2] != lesson:
            lesson = question.id[:2]
            # Moodle takes these names as they stand, but for a slash, which begins a category below
            blocks.append(f"$CATEGORY: $course$/top/{COURSE}/{lesson}. {titles[int(lesson)].replace('/', '//')}")
        lines = [f"// [id:{question.id}] [tag:{question.level}] `{question.cell}`"]
        lines.append(f"::{escaped(f'{question.id} {question.title}')}::[html]{escaped(html(question.text))}{{")
        for answer in question.answers:
            sign = "=" if answer.right else "~"
            lines.append(f"\t{sign}{escaped(html(answer.text))}#{escaped(html(answer.feedback))}")
        blocks.append("\n".join([*lines, "}"]))
    return "\n\n".join(blocks) + "\n"


def main(bank: Path = BANK, out: Path = OUT) -> None:
    """Write the file, or end with a sentence that says what is wrong."""
    try:
        questions = read(bank.read_text(encoding="utf-8"))
        text = gift(questions, {lesson.number: lesson.title for lesson in all_lessons()})
        with whole_file(out) as path:
            path.write_text(text, encoding="utf-8", newline="\n")
    except UnicodeDecodeError:
        sys.exit(f"{bank} is no text in UTF-8: save it as such.")
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    place = out.relative_to(ROOT) if out.is_relative_to(ROOT) else out
    print(f"{len(questions)} questions: import {place} into Moodle's question bank, as GIFT.")


if __name__ == "__main__":
    main()
