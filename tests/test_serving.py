"""What a class takes: what `classes` counts is there, and what `serving` computes is arithmetic on it."""

import asyncio
import json
import sys

import classes
import nbformat
import pytest
import serving
from nbclient.exceptions import CellExecutionError
from results import Results

PAGE = serving.PAGE.read_text(encoding="utf-8")
MIB = 2**20


def measured(lessons=("01", "05")) -> list[dict]:
    """Rows of a made-up class in which every lesson is alike, but for the last, which takes twice as much."""
    results = Results(0)
    for lesson in lessons:
        times = 2 if lesson == lessons[-1] else 1
        for what, value in zip(serving.WORKS, (300, 90, 50, 10, 4, 2), strict=True):
            results.record(f"{lesson}: {what}", times * value, "any", lesson=lesson)
        for threads in (1, None):
            name = serving.at_once_name(lesson, 8, threads)
            for what in serving.TOGETHER:
                about = dict(lesson=lesson, kernels=8, threads=threads or "all", cores=2)
                results.record(f"{name}: {what}", 100.0 * times, "any", **about)
    for what, value in zip(serving.BEHIND, (100, 90, 2000), strict=True):
        results.record(f"server: {what}", value, "MiB", lesson="none")
    return results.rows


def notebook(folder, *sources: str):
    """A copy of the course with nothing in it but one lesson of these cells."""
    (folder / "notebooks").mkdir()
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "notebooks" / classes.LESSONS["01"].name)
    return classes.Learner(folder, "01", 1)


@pytest.mark.slow
def test_a_learner_is_charged_for_memory_processor_disk_and_children(tmp_path):
    hungry = f"""import os, subprocess, sys, time
held = bytearray(os.urandom(1)) * (200 * {MIB})
child = subprocess.Popen([sys.executable, "-c", "x = b'1' * (150 * {MIB}); import time; time.sleep(60)"])
time.sleep(3)"""
    busy = "end = time.process_time() + 2\nwhile time.process_time() < end:\n    pass\nchild.kill()"
    written = f"with open('x', 'wb') as file:\n    file.write(os.urandom(20 * {MIB})), os.fsync(file.fileno())"
    threads = "assert os.environ['OMP_NUM_THREADS'] == '1' and os.environ['PYTHONPATH'] == os.path.dirname(os.getcwd())"
    learner = notebook(tmp_path, hungry, threads, busy, written)
    took, most = asyncio.run(classes.watched([learner]))
    assert 350 * MIB < learner.peak < 700 * MIB and most == learner.peak
    assert 2 <= learner.processor < 30 and took > 5
    assert learner.slowest[0] >= 2 and classes.size(tmp_path) > 20 * MIB
    if sys.platform == "linux":
        assert 20 * MIB <= learner.written < 60 * MIB


@pytest.mark.slow
def test_a_cell_that_fails_is_named_and_no_kernel_stays(tmp_path):
    learner = notebook(tmp_path, "1 / 0")
    before = {process.pid for process in classes.psutil.Process().children(recursive=True)}
    with pytest.raises(CellExecutionError, match="division by zero"):
        asyncio.run(classes.watched([learner]))
    assert {process.pid for process in classes.psutil.Process().children(recursive=True)} <= before


def test_what_a_learner_needs_is_computed_as_the_page_says():
    needs = serving.needs(measured())
    assert needs["memory"] == pytest.approx((600 + 100) * 1.25 / 1024)
    assert needs["core"] == 2 / 8
    assert needs["disk"] == pytest.approx((90 + 2 + 4) / 1024)
    hours = (serving.MINUTES["01"] + serving.MINUTES["05"]) / 60
    assert needs["hours"] == hours and needs["gib_hours"] == pytest.approx(needs["memory"] * hours)
    assert needs["core_hours"] == pytest.approx((90 + 180) / 3600)
    assert needs["mean"] == pytest.approx(180 / (60 * serving.MINUTES["05"]))


def test_many_need_so_many_times_as_much_and_cost_follows_the_prices():
    rows, n = measured(), serving.needs(measured())
    lines = {line.split("|")[1].strip(): line for line in serving.many(rows).splitlines()[2:]}
    assert [*lines] == ["30", "200", "2,000"]
    assert f"{200 * n['memory'] + 2:,.0f} GiB" in lines["200"] and " 50 " in lines["200"]
    assert f"{2000 * n['disk'] + 2000 / 1024:,.0f} GiB" in lines["2,000"]
    assert f"{30 * n['gib_hours']:,.2f}" in serving.cost(rows, 0, 1)
    each = n["held_core_hours"] * 2 + n["gib_hours"] * 3
    assert f"{2000 * each:,.2f}" in serving.cost(rows, 2, 3)
    with pytest.raises(ValueError, match="below zero"):
        serving.cost(rows, -1, 1)


def test_the_page_holds_all_tables_and_they_are_as_measured():
    assert sorted(match["name"] for match in serving.MARKED.finditer(PAGE)) == sorted(serving.TABLES)
    rows = serving.read(classes.DATA / "benchmarks" / "class.json")
    assert serving.rendered(PAGE, rows) == PAGE
    made = serving.rendered(PAGE, measured())
    assert serving.UNMEASURED not in made and serving.rendered(made, []) == serving.rendered(PAGE, [])
    with pytest.raises(ValueError, match="There is no table fruit"):
        serving.rendered("<!-- table: fruit -->\n\n<!-- end -->", [])


def test_only_a_whole_measurement_is_written_into_the_page(tmp_path):
    rows = measured()
    assert serving.missing(rows, ["01", "05"]) == []
    assert serving.missing(rows, ["01", "04", "05"])[0] == "04: peak memory"
    assert serving.missing([r for r in rows if not r["name"].startswith("05, 8")], ["01", "05"])
    assert serving.missing([], ["01"])
    page = tmp_path / "serving.md"
    page.write_text(PAGE, encoding="utf-8")
    serving.write_page(rows, page)
    assert page.read_text(encoding="utf-8") == serving.rendered(PAGE, rows)


def run(monkeypatch, *arguments) -> None:
    monkeypatch.setattr(sys, "argv", ["classes.py", *map(str, arguments)])
    classes.main()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lessons", "99"], "There is no lesson 99. There are 00, 01"),
        (["--at-once", "1"], "There is no lesson 1"),
        (["--kernels", "1"], "a class has at least 2"),
        (["--prices", "1", "1"], "has no 00: peak memory yet"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(monkeypatch, tmp_path, arguments, said):
    with pytest.raises(SystemExit, match=said):
        run(monkeypatch, *arguments, "--out", tmp_path)
    assert not [*tmp_path.iterdir()]


def test_a_file_that_is_no_measurement_is_refused_and_stays(monkeypatch, tmp_path):
    for text in ("not JSON", "{}x", '[{"name": "x"}]', '[{"name": "01: colour", "value": 1, "settings": {}}]', "[3]"):
        (tmp_path / "class.json").write_text(text, encoding="utf-8")
        with pytest.raises(SystemExit, match="holds no measurements of a class"):
            run(monkeypatch, "--out", tmp_path)
        assert (tmp_path / "class.json").read_text(encoding="utf-8") == text
    rows = [row | {"machine": {"processor": "another"}} for row in measured()]
    (tmp_path / "class.json").write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(SystemExit, match="measured on another machine"):
        run(monkeypatch, "--out", tmp_path)


def test_what_is_measured_already_is_not_measured_again(monkeypatch, tmp_path):
    called = []

    def alone(results, lesson):
        called.append(lesson)
        for row in measured((lesson,)):
            if row["name"].startswith(f"{lesson}: "):
                results.rows.append(row)

    def at_once(results, lesson, kernels, threads):
        called.append((lesson, threads))
        name = serving.at_once_name(lesson, kernels, threads)
        results.rows += [row for row in measured((lesson,)) if row["name"].startswith(f"{name}: ")]

    def server(results):
        results.rows += [row for row in measured() if row["name"].startswith("server: ")]

    monkeypatch.setattr(classes, "measure_alone", alone)
    monkeypatch.setattr(classes, "measure_at_once", at_once)
    monkeypatch.setattr(classes, "measure_server", server)
    monkeypatch.setattr(classes, "bar", list)
    given = ("--lessons", "01", "04", "--at-once", "01", "--out", tmp_path)
    run(monkeypatch, *given)
    assert called == ["01", "04", ("01", 1), ("01", None)]
    names = [row["name"] for row in json.loads((tmp_path / "class.json").read_text(encoding="utf-8"))]
    assert names == sorted(names, key=serving.place) and len(names) == len({*names}) == 2 * 6 + 2 * 4 + 3
    page = (tmp_path / "class.md").read_text(encoding="utf-8")
    assert page.startswith("# A class") and page.count("| 04 |") == 1 and page.count("| 01 | 8 |") == 2
    called.clear()
    run(monkeypatch, *given)
    assert called == []
    run(monkeypatch, "--lessons", "06", "--at-once", "--out", tmp_path)
    assert called == ["06"]
    run(monkeypatch, "--lessons", "04", "--at-once", "--again", "--out", tmp_path)
    assert called == ["06", "04"]
    assert {path.name for path in tmp_path.iterdir()} == {"class.json", "class.md"}
