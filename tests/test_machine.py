import platform
import re
from importlib.metadata import version

import nbformat
import pytest
import torch

from course_lib.classroom import machine
from course_lib.tools.files import DATA


def test_cores_and_memory_are_those_a_process_can_have():
    total, free = machine.memory()
    assert 0 < free <= total
    assert machine.cores() >= 1


def test_the_limits_of_a_container_count(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    total, _ = machine.memory()
    monkeypatch.setattr(machine.psutil, "cpu_count", lambda logical: 8)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: range(6), raising=False)
    assert machine.cores() == 6
    (tmp_path / "cpu.max").write_text("max 100000\n", encoding="utf-8")
    assert machine.cores() == 6
    (tmp_path / "cpu.max").write_text("300000 100000\n", encoding="utf-8")
    assert machine.cores() == 3
    (tmp_path / "cpu.max").write_text("20000 100000\n", encoding="utf-8")
    assert machine.cores() == 1
    (tmp_path / "memory.current").write_text(f"{2**28}\n", encoding="utf-8")
    (tmp_path / "memory.max").write_text("max\n", encoding="utf-8")
    assert machine.memory()[0] == total
    (tmp_path / "memory.max").write_text(f"{2**29}\n", encoding="utf-8")
    assert machine.memory() == pytest.approx((0.5, 0.25))


def test_nothing_stands_in_the_way_of_a_good_machine():
    assert machine.concerns((3, 12), cores=4, threads=4, free=8) == []


@pytest.mark.parametrize(
    ("python", "cores", "threads", "free", "said"),
    [
        ((3, 10), 2, 2, 8, "Python 3.10 is too old"),
        ((3, 12), 2, 2, 1.5, "Only 1.5 GiB"),
        ((3, 12), 8, 1, 8, r"1 of your 8 cores.*set_num_threads\(8\)"),
        ((3, 12), 2, 8, 8, r"8 threads on 2 cores.*set_num_threads\(2\)"),
    ],
)
def test_each_concern_is_said_in_words(python, cores, threads, free, said):
    (concern,) = machine.concerns(python, cores, threads, free)
    assert re.search(said, concern)


def test_the_report_names_versions_and_what_is_in_the_way(monkeypatch):
    monkeypatch.setattr(machine, "cores", torch.get_num_threads)
    monkeypatch.setattr(machine, "memory", lambda: (8.0, 4.0))
    text = machine.report().data
    assert f"| Python | {platform.python_version()} |" in text and f"| torch | {version('torch')} |" in text
    assert text.endswith("\n\n" + machine.READY)
    monkeypatch.setattr(machine, "memory", lambda: (8.0, 1.0))
    assert machine.READY not in machine.report().data and "- **Mind:** Only 1.0 GiB" in machine.report().data


def test_steps_take_some_time_and_the_warm_up_does_not_count(monkeypatch):
    monkeypatch.setattr(machine.timeit, "repeat", lambda work, number, repeat: [100, 200, 2, 1, 3][: number * repeat])
    assert machine._median_seconds(lambda: None, 3) == 2
    monkeypatch.undo()
    assert 0 < machine.training_step_seconds(1) < 60
    assert 0 < machine.sampling_step_seconds(1) < 60


def test_the_forecast_scales_what_goes_with_the_machine_and_only_that(monkeypatch):
    monkeypatch.setattr(machine, "LESSONS", {"00 a": (20, 40, 10), "01 b": (100, 0, 30)})
    alike, slow = machine.forecast(machine.REFERENCE_STEP).data, machine.forecast(6 * machine.REFERENCE_STEP).data
    assert "| 00 a | 20 min | about 50 s |" in alike and "| 01 b | 100 min | about 30 s |" in alike
    assert "| **about 2 hours** | **about 80 s** |" in alike
    assert "| 00 a | 20 min | about 1.7 min |" in slow and "| 01 b | 100 min | about 3.0 min |" in slow


def test_all_ten_lessons_are_in_the_forecast():
    assert [name[:2] for name in machine.LESSONS] == [f"{number:02}" for number in range(10)]
    assert machine.about(2) == "about 5 s" and machine.about(720) == "about 12 min"


@pytest.mark.parametrize("path", sorted((DATA.parent / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_the_minutes_are_those_that_the_lesson_names(path):
    opening = nbformat.read(path, as_version=4).cells[0].source
    (minutes,) = [of[0] for name, of in machine.LESSONS.items() if name[:2] == path.name[:2]]
    assert int(re.search(r"about (\d+) minutes", opening).group(1)) == minutes
