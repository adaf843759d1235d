"""The pages for who teaches: what they name exists, and their plans add up.

These tests read the pages and the committed notebooks and run none of them.
"""

import importlib
import json
import re
import sys
from pathlib import Path

import pytest

from course_lib.classroom.machine import LESSONS

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks" / "instructor"
sys.path.insert(0, str(ROOT / "notebooks" / "lectern"))
lessons = importlib.import_module("lessons")
del sys.path[0]

PAGES = sorted(FOLDER.glob("*.md"))
NAMES = [f"{name.replace(' ', '_')}" for name in LESSONS]
HEADINGS = [
    "Plan by the minute",
    "Misconceptions",
    "Questions for the room",
    "What goes wrong live, and the way out",
    "Exercises",
    "For the fast",
    "Short of time",
]
ADDRESS = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
SPEED = 130  # words a minute, as lecture.md tells
LOOK, THINK, LIVE = 1 / 12, 1 / 2, 2  # minutes for a slide, for a question, for a live moment


def text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def missing_references(page: str) -> list[str]:
    """The cells and figures in backticks that no lesson, nor the notebook of live moments, has."""
    live = {cell["id"] for cell in json.loads(text("live.ipynb"))["cells"]}
    found = [name for name in re.findall(r"`(live-[\w-]+)`", page) if name not in live]
    for reference in re.findall(r"`(\d\d-[\w-]+(?:/[^`]+)?)`", page):
        try:
            lessons.shown(reference) if "/" in reference else lessons.cell(reference)
        except ValueError as error:
            found.append(str(error))
    return found


def missing_files(page: str, folder: Path) -> list[str]:
    """The relative links that lead nowhere."""
    addresses = [address.split("#")[0] for address in ADDRESS.findall(page) if "://" not in address]
    return [address for address in addresses if address and not (folder / address).exists()]


def slides_of(page: str) -> list[dict]:
    """The slides of the lecture: title, minute, references, words on the slide, and what is said below them."""
    found = []
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title, place, rest = re.match(r"(.+)\n(\*Minute .+)\n\n((?s:.+))", part).groups()
        quoted = " ".join(re.findall(r"^>(.*)$", rest, re.MULTILINE))
        notes = re.sub(r"^>.*$", "", rest, flags=re.MULTILINE)
        minute = int(re.match(r"\*Minute (\d+)\*", place)[1])
        references = re.findall(r"`([^`]+)`", place)
        found.append(dict(title=title, minute=minute, references=references, quoted=quoted, notes=notes))
    return found


def words(text: str) -> int:
    return len(re.findall(r"[\w'’.,-]*\w", text))


def minutes_of(slide: dict) -> float:
    """How long a slide takes: to look, to read its notes aloud, and to wait for answers and for a live moment."""
    notes = slide["notes"]
    said = words(notes.split("**Live.**")[0]) / SPEED
    return LOOK + said + THINK * notes.count("**Ask.**") + LIVE * notes.count("**Live.**")


def plan_problems(page: str, minutes: int) -> list[str]:
    """Rows of the plan that do not go on where the one before ends; its ends are 0 and the minutes of the lesson."""
    table = page.split("## Plan by the minute")[-1].split("\n## ")[0]
    rows = [(int(a), int(b)) for a, b in re.findall(r"^\| *(\d+) *[–-] *(\d+) *\|", table, re.MULTILINE)]
    ends = [0, *(end for _, end in rows)]
    found = [f"{a} to {b} after {end}" for (a, b), end in zip(rows, ends, strict=False) if a != end or b <= a]
    return found + [f"ends at {ends[-1]}, not at {minutes}"] * (ends[-1] != minutes)


def claims() -> list[list[str]]:
    """The rows of the table of claims: number, sentence, cell, what measurement adds."""
    rows = re.findall(r"^\| (\d+ \|.+) \|$", text("sentence_by_sentence.md"), re.MULTILINE)
    return [[column.strip() for column in row.split(" | ")] for row in rows]


LECTURE = slides_of(text("lecture.md"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_cell_and_every_link_that_a_page_names_exists(path):
    page = path.read_text(encoding="utf-8")
    assert missing_references(page) == []
    assert missing_files(page, path.parent) == []


def test_a_cell_or_a_link_that_is_not_there_is_found():
    page = "`06-014` `06-999` `06-014/figure 7` `06-016/figure 1` `live-999` `live-001`"
    assert len(missing_references(page)) == 3
    page = "[a](../06_the_green_banana.ipynb#x) [b](nowhere.md) [c](https://example.org/x)"
    assert missing_files(page, FOLDER) == ["nowhere.md"]


@pytest.mark.parametrize("name", NAMES)
def test_every_lesson_has_its_page_with_the_same_headings_and_a_plan_that_adds_up(name):
    page = text(f"{name}.md")
    number = int(name[:2])
    assert page.startswith(f"# {number}. {lessons.lesson(ROOT / 'notebooks' / f'{name}.ipynb').title}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == HEADINGS
    assert plan_problems(page, dict(zip(NAMES, LESSONS.values(), strict=True))[name][0]) == []


def test_a_plan_that_does_not_add_up_is_found():
    plan = "## Plan by the minute\n\n| minute | what |\n| --- | --- |\n| 0–3 | a |\n| 3–9 | b |\n\n## Next\n"
    assert plan_problems(plan, 9) == []
    assert plan_problems(plan, 10) == ["ends at 9, not at 10"]
    assert plan_problems(plan.replace("3–9", "4–9"), 9) == ["4 to 9 after 3"]
    assert plan_problems("no plan", 9) == ["ends at 0, not at 9"]


def test_the_lecture_has_few_words_on_its_slides_and_notes_below_each():
    assert 30 <= len(LECTURE) <= 40
    assert len({slide["title"] for slide in LECTURE}) == len(LECTURE)
    for slide in LECTURE:
        assert words(slide["title"]) <= 7, slide["title"]
        assert words(slide["quoted"]) <= 20, slide["title"]
        assert "**Say.**" in slide["notes"], slide["title"]
    pictures = [slide for slide in LECTURE if any("/" not in name for name in slide["references"])]
    assert len(pictures) >= 0.85 * len(LECTURE)


def test_each_slide_shows_one_figure_that_exists():
    for slide in LECTURE:
        found = [lessons.shown(reference) for reference in slide["references"]]
        assert sum(len(one) for one in found if isinstance(one, list)) <= 1, slide["title"]


def test_the_lecture_takes_fifty_minutes():
    minutes = [slide["minute"] for slide in LECTURE]
    assert minutes[0] == 0 and minutes == sorted(set(minutes)) and minutes[-1] <= 50
    passed = 0.0
    for slide in LECTURE:
        assert abs(slide["minute"] - passed) < 1.5, slide["title"]
        passed += minutes_of(slide)
    assert 47 <= passed <= 51


def sums(page: str) -> list[tuple[int, int]]:
    """Of each column of a table that ends in a bold number: that number, and the sum of what stands above it."""
    found = []
    for table in re.findall(r"(?:^\|.+\|\n)+", page, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        for *above, last in zip(*rows, strict=True):
            if total := re.fullmatch(r"\*\*(\d+)\*\*", last):
                found.append((int(total[1]), sum(int(cell) for cell in above if cell.isdigit())))
    return found


def test_the_plans_add_up_and_that_of_the_lecture_agrees_with_its_slides():
    page = text("index.md")
    assert len(sums(page)) >= 5 and all(total == summed for total, summed in sums(page))
    assert sums("| a | b |\n| 3 | x |\n| 4 | y |\n| **8** | |\n") == [(8, 7)]
    plan = page.split("### One lecture of 50 minutes")[1].split("\n### ")[0]
    minutes = [int(minute) for minute in re.findall(r"^\| (\d+) \|", plan, re.MULTILINE)]
    begins = {slide["minute"] for slide in LECTURE}
    assert {sum(minutes[:i]) for i in range(len(minutes))} <= begins


def test_a_third_of_the_slides_ask_and_every_question_has_an_answer():
    asked = [slide for slide in LECTURE if "**Ask.**" in slide["notes"]]
    assert len(LECTURE) / 4 <= len(asked) <= len(LECTURE) / 2
    assert all(slide["notes"].count("**Ask.**") == slide["notes"].count("*Answer:*") for slide in LECTURE)


def test_each_live_moment_has_its_cell_and_a_figure_to_fall_back_on():
    live = [slide for slide in LECTURE if "**Live.**" in slide["notes"]]
    cells = {cell["id"]: cell for cell in json.loads(text("live.ipynb"))["cells"]}
    assert list(cells) == [f"live-{number:03}" for number in range(1, len(cells) + 1)]
    run = [re.search(r"`(live-\d+)`", slide["notes"])[1] for slide in live]
    figures = [id for id, cell in cells.items() if "image/png" in str(cell.get("outputs"))]
    assert run == figures and len(run) == 3
    assert all("If it fails" in slide["notes"] and lessons.shown(slide["references"][0]) for slide in live)
    for id in run:
        assert sum(bool(line.strip()) for line in cells[id]["source"]) <= 6
        metadata = cells[id]["outputs"][-1]["metadata"]
        assert metadata["image/png"]["alt"]


def test_every_claim_has_a_number_a_cell_and_what_measurement_adds():
    rows = claims()
    assert 28 <= len(rows) <= 40
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        _, sentence, cell, measured = row  # four columns
        assert len(sentence) > 10 and re.fullmatch(r"`\d\d-[\w-]+`", cell) and len(measured) > 30, row
    known = " ".join(sentence.lower() for _, sentence, _, _ in rows)
    for part in ("supervised learning", "hundreds of millions", "noisy watermelon", "green banana", "text or pictures"):
        assert part in known
