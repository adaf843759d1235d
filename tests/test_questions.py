"""The bank of questions, and its file for Moodle: read again by another parser and by Moodle's own rules."""

import contextlib
import importlib
import logging
import random
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from unittest import mock

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "notebooks" / "lectern"))
bank, lessons = (importlib.import_module(name) for name in ("make_questions", "lessons"))
del sys.path[0]
# The other parser holds on to a Markdown of 2018 that no longer starts beside today's setuptools. It is for showing
# questions, and nothing is shown here.
pygiftparser = None  # `make test-lectern` brings it, in a folder of its own
with mock.patch.dict(sys.modules, markdown=ModuleType("markdown")), contextlib.suppress(ModuleNotFoundError):
    pygiftparser = importlib.import_module("pygiftparser.parser")

TITLES = {lesson.number: lesson.title for lesson in lessons.all_lessons()}
SPECIAL = "\\~=#{}:\n%[]<>&\"'`$-*_/ "
PAGE = """# The bank

Prose.

## [2. Learning to denoise](../02_learning_to_denoise.ipynb)

### 02.1 A title: with signs = {~#}

*recall* · `02-017`

Why is $\\nabla_x \\neq \\nu$, and not $\\frac{a}{\\text{b}}$?

- [ ] `{"a": 1} \\n # ~ = \\\\`
  > No: $\\{x : x \\neq 0\\}$.
- [x] $\\nu<x$
  > Yes, \\# and all.

### 02.2 Another title

*apply* · `02-019`

```python
def f(x):
    return {"#": x}  # ~= a line

f("\\n")
```

- [x] it runs
  > It does.
- [ ] it stops
  > It does not,
  > nor may it.
"""


class Read(NamedTuple):
    """A question as a parser of GIFT gives it back; answers: (percent, HTML, HTML of the feedback)."""

    title: str
    markup: str
    text: str
    answers: list[tuple[float, str, str]]
    category: str = ""


# Moodle's rules (question/format/gift/format.php): escaped signs hide behind placeholders while the text is cut up

HIDDEN = {rf"\{sign}": f"&&{ord(sign):03};" for sign in ":#={}~"} | {r"\n": "&&010"}


def hide(text: str) -> str:
    text = text.replace(r"\\", "&&092;")
    for escaped, placeholder in HIDDEN.items():
        text = text.replace(escaped, placeholder)
    return text.replace("&&092;", "\\")


def show(text: str) -> str:
    for escaped, placeholder in HIDDEN.items():
        text = text.replace(placeholder, "\n" if escaped == r"\n" else escaped[1])
    return text.strip()


def by_moodle(file: str) -> list[Read]:
    found, category, block = [], "", []
    for line in [*(line.strip() for line in file.split("\n")), ""]:
        if line and line != "0":  # PHP's `empty`
            block.append("" if line.startswith("//") else line)
            continue
        text, block = hide("\n".join(block).strip()), []
        if text.startswith("$CATEGORY:"):
            category = text[10:].strip()
        elif text:
            found.append(one_by_moodle(text, category))
    return found


def one_by_moodle(text: str, category: str) -> Read:
    assert text.startswith("::")
    title, _, text = text[2:].partition("::")
    start, end = text.index("{"), text.index("}")
    inside, asked = text[start + 1 : end].strip(), text[:start] + text[end + 1 :]
    assert text.endswith("}") and "####" not in inside and "~" in inside
    markup = re.match(r"\[(html|markdown|plain|moodle)\]", asked.strip())
    answers = []
    for answer in inside.replace("=", "~=").split("~"):
        if not (answer := answer.strip()):
            continue
        percent = re.match(r"%-*([0-9]{1,2})\.?([0-9]*)%", answer)
        weight = 100 if answer[0] == "=" else float(percent[1]) if percent else 0
        answer, _, feedback = answer.removeprefix("=").partition("#")
        answers.append((weight, show(answer), show(feedback)))
    return Read(show(title), markup[1], show(asked.strip()[markup.end() :]), answers, category)


def by_pygiftparser(file: str) -> list[Read]:
    """It cuts the file up and takes no escape away, but for the \\n of questions; the rest is done here."""
    logging.disable(logging.WARNING)  # it says that descriptions have no title
    parsed = pygiftparser.parseFile(file.splitlines(keepends=True))
    logging.disable(logging.NOTSET)
    assert all(question.valid and not question.tail.strip() for question in parsed)
    return [
        Read(
            plainly(question.title),
            question.markup,
            plainly(question.text),
            [(one.fraction, plainly(one.answer), plainly(one.feedback)) for one in question.answers.answers],
        )
        for question in parsed
    ]


PARSERS = [by_moodle, by_pygiftparser] if pygiftparser else [by_moodle]
EACH_PARSER = pytest.mark.parametrize("parse", PARSERS)


def plainly(text: str) -> str:
    return re.sub(r"\\(.)", lambda sign: "\n" if sign[1] == "n" else sign[1], text)


# What a text says, from HTML and from Markdown


class Words(HTMLParser):
    def __init__(self, html: str):
        super().__init__()
        self.said, self.code, self.in_pre = "", [], False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.in_pre |= tag == "pre"
        self.said += " " * (tag in ("p", "pre"))

    def handle_endtag(self, tag):
        self.in_pre &= tag != "pre"

    def handle_data(self, data):
        self.said += data
        if self.in_pre:
            self.code = [*self.code[:-1], "".join(self.code[-1:]) + data]


MARKS = re.compile(r"```\w*\n(.*?)```|\$\$(.+?)\$\$|\$(.+?)\$|`([^`]+)`|\*(\w[^*\n]*)\*|\\([#])", re.DOTALL)


def said(markdown: str) -> list[str]:
    """The words of a text of the bank, formulas as Moodle's filter finds them."""

    def bare(found: re.Match) -> str:
        code, display, inline, *rest = found.groups()
        if display or inline:
            return rf"\[{display}\]" if display else rf"\({inline}\)"
        return code or next(filter(None, rest))

    return MARKS.sub(bare, markdown).split()


def same(found: list[Read], questions) -> None:
    """Assert that these questions came back: texts, weights, feedback, and code with its line breaks."""
    assert [one.title for one in found] == [f"{question.id} {question.title}" for question in questions]
    for one, question in zip(found, questions, strict=True):
        assert one.markup == "html"
        assert Words(one.text).said.split() == said(question.text), question.id
        assert Words(one.text).code == re.findall(r"^```\w*\n(.*?)^```", question.text, re.DOTALL | re.MULTILINE)
        assert [weight for weight, _, _ in one.answers] == [100 * answer.right for answer in question.answers]
        for (_, text, feedback), answer in zip(one.answers, question.answers, strict=True):
            assert Words(text).said.split() == said(answer.text), question.id
            assert Words(feedback).said.split() == said(answer.feedback), question.id


@pytest.fixture(scope="module")
def questions():
    return bank.read(bank.BANK.read_text(encoding="utf-8"))


def right(question) -> int:
    return [answer.right for answer in question.answers].index(True)


def test_sixty_questions_of_all_lessons_and_levels(questions):
    assert len(questions) == 60
    per_lesson = Counter(int(question.id[:2]) for question in questions)
    assert per_lesson.keys() == TITLES.keys() and all(3 <= per_lesson[n] <= 6 for n in per_lesson if n)
    assert all(18 <= count <= 22 for count in Counter(question.level for question in questions).values())
    assert all(len(question.answers) == 4 for question in questions)
    assert all(len({answer.text for answer in question.answers}) == 4 for question in questions)
    assert [question.id for question in questions] == sorted(question.id for question in questions)
    signs = [question.text + "".join(answer.text for answer in question.answers) for question in questions]
    assert sum(bool(re.search(r"[$`]", text)) for text in signs) >= 20


def test_neither_place_nor_length_gives_the_right_answer_away(questions):
    places = [right(question) for question in questions]
    assert all(10 <= places.count(place) <= 20 for place in range(4))
    assert all(len(set(places[i : i + 3])) > 1 for i in range(len(places) - 2))
    lengths = [[len(answer.text) for answer in question.answers] for question in questions]
    here = [length.pop(place) for length, place in zip(lengths, places, strict=True)]
    assert sum(mine >= max(others) for mine, others in zip(here, lengths, strict=True)) <= 20
    assert sum(mine <= min(others) for mine, others in zip(here, lengths, strict=True)) <= 20


def test_no_question_of_the_lessons_comes_again(questions):
    asked = []
    for lesson in lessons.all_lessons():
        for cell in lesson.cells:
            asked += re.findall(r"^\*\*\d+\. (.+)\*\*$", cell.words, re.MULTILINE)
    assert len(asked) >= 40
    known = [set(re.findall(r"\w+", text.lower())) for text in asked]
    for question in questions:
        words = set(re.findall(r"\w+", question.text.lower()))
        assert all(len(words & others) < 0.5 * len(words | others) for others in known), question.id


@EACH_PARSER
def test_the_bank_comes_back_from_its_file(questions, parse):
    found = parse(bank.gift(questions, TITLES))
    same(found, questions)
    formulas = re.findall(r"\\\((.+?)\\\)", " ".join(Words(one.text).said for one in found))
    assert any("{" in tex and "\\" in tex for tex in formulas)


@EACH_PARSER
def test_signs_that_gift_uses_come_back(parse):
    questions = bank.read(PAGE)
    found = parse(bank.gift(questions, TITLES))
    same(found, questions)
    assert r"\(\nabla_x \neq \nu\)" in Words(found[0].text).said
    assert r"\(\{x : x \neq 0\}\)" in Words(found[0].answers[0][2]).said
    assert Words(found[1].text).code == ['def f(x):\n    return {"#": x}  # ~= a line\n\nf("\\n")\n']


def test_a_category_for_each_lesson_and_a_tag_for_each_level(questions):
    file = bank.gift(questions, TITLES)
    found = by_moodle(file)
    for one, question in zip(found, questions, strict=True):
        lesson = f"{question.id[:2]}. {TITLES[int(question.id[:2])]}"
        assert one.category == f"$course$/top/From noise to a green banana/{lesson}"
        assert f"\n// [id:{question.id}] [tag:{question.level}] `{question.cell}`\n::{question.id} " in file
    slash = by_moodle(bank.gift(bank.read(PAGE), {2: "Noise/no noise"}))
    assert slash[0].category.endswith("/02. Noise//no noise")


@pytest.mark.parametrize("seed", range(40))
def test_any_text_comes_back(seed):
    """Printable characters, the special ones most of all: as code, which Markdown leaves alone, and in the title."""
    rng = random.Random(seed)
    others = [chr(code) for code in range(32, 0x2FFF) if chr(code).isprintable()]

    def text() -> str:
        return "".join(rng.choice(rng.choice([SPECIAL, others])) for _ in range(rng.randint(1, 60))).replace("```", "")

    codes = [f"{text()}\n" for _ in range(5)]
    asked, *rest = (f"````\n{code}````" for code in codes)
    answers = tuple(bank.Answer(i == 0, *rest[2 * i : 2 * i + 2]) for i in range(2))
    title = "T" + text().replace("\n", " ").replace("&&", "&").strip()
    file = bank.gift([bank.Question("02.1", title, "recall", "02-017", asked, answers)], TITLES)
    for parse in PARSERS:
        (found,) = parse(file)
        (_, first, second), (_, third, fourth) = found.answers
        assert [Words(html).code for html in (found.text, first, second, third, fourth)] == [[code] for code in codes]
    assert by_moodle(file)[0].title == f"02.1 {title}"
    wild = text().replace("&&", "&").strip()
    assert show(hide(bank.escaped(wild))) == wild


@pytest.mark.parametrize(
    "old, new, sentence",
    [
        ("- [x] $", "- [ ] $", "Question '02.1 A title: with signs = {~#}' has no right answers: mark one of them"),
        ("- [ ] it stops", "- [x] it stops", "Question '02.2 Another title' has 2 right answers"),
        ("  > It does.\n", "", "Question '02.2 Another title': no feedback for the answer 'it runs'"),
        ("  > It does.\n", "  >\n", "Question '02.2 Another title': no feedback for the answer 'it runs'"),
        ("`02-019`", "`02-999`", "Question '02.2 Another title': No lesson has a cell `02-999`"),
        ("`02-019`", "`03-032`", "Question '02.2 Another title': `03-032` is a cell of another lesson than 02"),
        ("### 02.2 A", "### 02.1 A", "Question 02.1 is there twice"),
        ("*apply*", "*solve*", "Question '02.2 Another title' has the level 'solve': choose one of recall,"),
        ("*apply* · ", "", "Question '02.2 Another title': begin it with '### 02.3 A title', and below it"),
        ("### 02.2 A", "### A", "Question 'Another title': begin it with"),
        ("### 02.2 A", "## 02.2 A", "'## 02.2 Another title' has answers: begin a question with '### 02.3 A title'"),
        ("### 02.2 A", "#### 02.2 A", "'#### 02.2 Another title' has answers: begin a question with"),
        ("- [x] it runs", "- [X] it runs", "Question '02.2 Another title' has an answer marked '[X]'"),
        ("- [x] it runs", "- [] it runs", "Question '02.2 Another title' has an answer marked '[]'"),
        ("it runs\n", "\n", "Question '02.2 Another title' has an answer without words"),
        ("- [ ] it stops\n  > It does not,\n  > nor may it.\n", "", "'02.2 Another title' has no choice of answers"),
        (PAGE[PAGE.index("```") : PAGE.index("- [x] it")], "", "Question '02.2 Another title' asks nothing"),
        (PAGE[PAGE.index("### 02.1") :], "", "The bank has no questions"),
    ],
)
def test_a_wrong_form_is_named_and_the_file_stays(tmp_path, old, new, sentence):
    page, out = tmp_path / "questions.md", tmp_path / "questions.gift"
    assert PAGE.count(old) == 1
    page.write_text(PAGE.replace(old, new), encoding="utf-8")
    out.write_text("as it was", encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        bank.main(page, out)
    assert sentence in stopped.value.code and "\n" not in stopped.value.code
    assert out.read_text(encoding="utf-8") == "as it was" and len(list(tmp_path.iterdir())) == 2


def test_a_page_that_is_no_text_or_not_there_is_named(tmp_path):
    page, out = tmp_path / "questions.md", tmp_path / "questions.gift"
    with pytest.raises(SystemExit, match=r"questions\.md"):
        bank.main(page, out)
    page.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SystemExit, match=r"questions\.md is no text in UTF-8"):
        bank.main(page, out)
    assert not out.exists()


def test_the_file_is_written(tmp_path, capsys):
    out = tmp_path / "new" / "questions.gift"
    bank.main(out=out)
    assert len(by_moodle(out.read_text(encoding="utf-8"))) == 60
    assert capsys.readouterr().out == f"60 questions: import {out} into Moodle's question bank, as GIFT.\n"
