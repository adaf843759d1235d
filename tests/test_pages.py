"""README.md and data/benchmarks/README.md: their tables are what was measured, and nothing but tables made so."""

import re

import pages
import pytest

FRONT, RESULTS = pages.PAGES
PAGE = pytest.mark.parametrize("path", pages.PAGES, ids=lambda path: str(path.relative_to(pages.ROOT)))
MOST_WORDS = 900  # of the front page, as `wc -w` counts them


def stale(page: str) -> str:
    """What to do about the marked tables that are not as they are measured now; empty if they all are."""
    names = pages.out_of_date(page)
    return f"{', '.join(names)}: not what was measured; run `make tables`" if names else ""


def loose_tables(page: str) -> list[str]:
    """The lines of tables that hold a figure and stand outside the markers; digits in links and code do not count."""
    rest = pages.MARKED.sub("", page)
    rows = [line for line in rest.splitlines() if line.lstrip().startswith("|")]
    return [row for row in rows if re.search(r"\d", re.sub(r"\]\(.*?\)|`.*?`", "", row))]


@PAGE
def test_every_marked_table_is_what_was_measured(path):
    page = path.read_text(encoding="utf-8")
    assert not stale(page), f"{path.relative_to(pages.ROOT)}: {stale(page)}"
    assert pages.rendered(page) == page


@PAGE
def test_every_table_with_a_figure_lies_between_markers(path):
    assert loose_tables(path.read_text(encoding="utf-8")) == []


def test_each_table_that_is_made_stands_on_one_page():
    shown = [match["name"] for path in pages.PAGES for match in pages.marked(path.read_text(encoding="utf-8"))]
    assert sorted(shown) == sorted(pages.TABLES)


def test_the_front_page_is_short():
    count = len(FRONT.read_text(encoding="utf-8").split())
    assert count <= MOST_WORDS, f"README.md has {count} words, and {MOST_WORDS} at most: move some to {RESULTS}"


@PAGE
def test_whatever_the_page_links_to_or_shows_is_there(path):
    page = path.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", page) + re.findall(r'<img src="([^"]+)"', page)
    headings = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()) for line in page.splitlines() if line[:1] == "#"}
    anchors = {"#" + heading.replace(" ", "-") for heading in headings}
    assert [target for target in targets if target[0] == "#" and target not in anchors] == []
    assert [target for target in targets if target[0] != "#" and not (path.parent / target).exists()] == []


# The checks above notice what they are there to notice


@PAGE
def test_a_changed_figure_in_any_table_is_noticed_and_named(path):
    page = path.read_text(encoding="utf-8")
    for match in pages.marked(page):
        row = match["table"].rstrip().splitlines()[-1]
        digit = re.search(r"\d(?=[^\d]*$)", match["table"])
        place = match.start("table") + digit.start()
        changed = page[:place] + str((int(digit[0]) + 1) % 10) + page[place + 1 :]
        assert stale(changed) == f"{match['name']}: not what was measured; run `make tables`"
        assert pages.rendered(changed) == page
        shorter = page.replace(row + "\n", "", 1)
        assert match["name"] in pages.out_of_date(shorter) and pages.rendered(shorter) == page


def test_a_figure_in_a_table_without_markers_is_noticed():
    head = "| what | made by |\n| --- | --- |\n"
    assert loose_tables(head + "| [Lesson](notebooks/00_start_here.ipynb) | `make x1` |\n") == []
    assert loose_tables(head + "| right | 3 of 4 |\n") == ["| right | 3 of 4 |"]


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("<!-- table: headline -->\n", "no partner"),
        ("<!-- table: headline -->\n<!-- table: goals -->\n<!-- end -->\n", "no partner"),
        ("text\n<!-- end -->\n", "no partner"),
        ("<!-- table: nothing -->\n<!-- end -->\n", "no table nothing"),
    ],
)
def test_a_wrong_marker_is_an_error_and_eats_no_text(page, complaint):
    with pytest.raises(ValueError, match=complaint):
        pages.rendered(page)


@pytest.fixture
def copies(tmp_path, monkeypatch):
    """Two small pages instead of the project's own; the tables of both are empty."""
    paths = tmp_path / "README.md", tmp_path / "results.md"
    for path, name in zip(paths, ("headline", "goals"), strict=True):
        path.write_text(f"before\n\n<!-- table: {name} -->\n<!-- end -->\n\nafter\n", encoding="utf-8")
    monkeypatch.setattr(pages, "PAGES", paths)
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    return paths


def test_make_tables_fills_both_pages_and_keeps_the_rest(copies):
    pages.main()
    for path, table in zip(copies, (pages.headline(), pages.goals()), strict=True):
        head, rest = path.read_text(encoding="utf-8").split(table)
        assert head.startswith("before\n\n<!-- table: ") and rest == "\n\n<!-- end -->\n\nafter\n"


def test_a_table_that_cannot_be_made_leaves_both_pages_as_they_were(copies, monkeypatch):
    def missing():
        raise KeyError("held_out right, 30 s of training")

    monkeypatch.setitem(pages.TABLES, "goals", missing)
    before = [path.read_text(encoding="utf-8") for path in copies]
    with pytest.raises(KeyError):
        pages.main()
    assert [path.read_text(encoding="utf-8") for path in copies] == before


# Values as words


def test_a_count_is_told_with_its_interval():
    row = dict(settings=dict(right=1023, of=1024, interval=[0.9945, 0.9998]))
    assert pages.counted(row) == "1,023 of 1,024 (99.5 % to 100 %)"
    assert [pages.percent(share, 1) for share in (0, 0.94141, 1)] == ["0 %", "94.1 %", "100 %"]


def test_a_goal_that_is_usually_missed_was_reached_only_by_luck():
    found = [pages.verdict(value, 0.9, usual) for value, usual in ((0.89, 0.95), (0.94, 0.887), (0.94, 0.91))]
    assert found == ["missed", "only by luck", "yes"]


def test_the_middle_of_nine_runs_is_read_from_the_page_that_keeps_them():
    kept = (pages.DATA / "benchmarks" / "recipe.md").read_text(encoding="utf-8").replace("\n", " ")
    told = ", ".join(pages.percent(pages.nine_runs(budget), 1) for budget in (30, 60)) + " and "
    assert f"The middle ones of all nine are {told}{pages.percent(pages.nine_runs(180), 1)}" in kept


def test_both_pages_may_say_that_no_training_picture_shows_a_held_out_pair():
    fair = pages.measured("controls")
    for what in ("pictures recorded as", "captions that name", "pictures the panel names as"):
        assert fair[f"training {what} a held-out pair"]["value"] == 0
    count = fair["training pictures recorded as a held-out pair"]["settings"]["of"]
    assert f"None of its {count:,} training" in " ".join(FRONT.read_text(encoding="utf-8").split())
