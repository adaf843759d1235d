import platform
import re
from importlib.metadata import version
from types import SimpleNamespace

import pytest
import torch

from course_lib.classroom import machine


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


def write_all(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n", encoding="utf-8")


GB = 2**30
TREES = {  # what the files of a container's limits say: (its groups, files, memory in all and free, cores)
    "version 2, much of it copies of files": (
        "0::/",
        {"memory.max": 4 * GB, "memory.current": 3 * GB, "memory.stat": f"file {2 * GB}\ninactive_file {2 * GB}"},
        (4, 3),
        8,
    ),
    "version 2, no copies": ("0::/", {"memory.max": 4 * GB, "memory.current": 3 * GB}, (4, 1), 8),
    "version 2, a limit on the group above": (
        "0::/user/session",
        {"user/memory.max": 2 * GB, "user/memory.current": GB, "user/session/memory.max": "max"}
        | {"user/cpu.max": "200000 100000", "user/session/cpu.max": "max 100000"},
        (2, 1),
        2,
    ),
    "version 1": (
        "4:memory:/docker/x\n1:cpu,cpuacct:/docker/x",  # the names outside; inside, the container's group is the root
        {"memory/memory.limit_in_bytes": 4 * GB, "memory/memory.usage_in_bytes": 3 * GB}
        | {"memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {GB}"}
        | {"cpu/cpu.cfs_quota_us": 300000, "cpu/cpu.cfs_period_us": 100000},
        (4, 2),
        3,
    ),
    "version 1, a group of its own": (
        "4:memory:/a/b",
        {"memory/memory.limit_in_bytes": 2**63 - 4096, "memory/memory.usage_in_bytes": GB}
        | {"memory/a/b/memory.limit_in_bytes": GB, "memory/a/b/memory.usage_in_bytes": GB // 2},
        (1, 0.5),
        8,
    ),
    "version 1, no limits": (
        "4:memory:/\n1:cpu:/",
        {"memory/memory.limit_in_bytes": 2**63 - 4096, "memory/memory.usage_in_bytes": GB}
        | {"cpu/cpu.cfs_quota_us": -1, "cpu/cpu.cfs_period_us": 100000},
        (64, 32),
        8,
    ),
    "no limits of any sort": ("", {}, (64, 32), 8),
}


@pytest.mark.parametrize(("groups", "files", "memory", "cores"), TREES.values(), ids=TREES)
def test_the_limits_of_every_sort_of_container_count(tmp_path, monkeypatch, groups, files, memory, cores):
    write_all(tmp_path, {"groups": groups} | files)
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    about = SimpleNamespace(total=64 * GB, available=32 * GB)
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: about)
    monkeypatch.setattr(machine.psutil, "cpu_count", lambda logical: 8)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: range(8), raising=False)
    assert machine.memory() == pytest.approx(memory)
    assert machine.cores() == cores


def test_a_busy_machine_is_said_to_be_one(monkeypatch):
    monkeypatch.setattr(machine.psutil, "cpu_percent", lambda seconds: 80.0)
    assert machine.busy() == 0.8
    (concern,) = machine.concerns((3, 12), cores=4, threads=4, free=8, others=machine.busy())
    assert "80 % of the processor" in concern
    assert "| other programs | keep 80 % of the processor busy |" in machine.report().data


@pytest.mark.parametrize("measure", [machine.training_step_seconds, machine.sampling_step_seconds])
def test_measuring_leaves_chance_as_it_was(measure):
    before = torch.get_rng_state()
    measure(1)
    assert torch.equal(torch.get_rng_state(), before)


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
    monkeypatch.setattr(machine, "busy", lambda: 0.1)
    text = machine.report().data
    assert f"| Python | {platform.python_version()} |" in text and f"| torch | {version('torch')} |" in text
    assert text.endswith("\n\n" + machine.READY)
    monkeypatch.setattr(machine, "memory", lambda: (8.0, 1.0))
    assert machine.READY not in machine.report().data and "- **Mind:** Only 1.0 GiB" in machine.report().data


def test_steps_take_some_time_and_the_warm_up_does_not_count(monkeypatch):
    monkeypatch.setattr(machine.timeit, "repeat", lambda work, number, repeat: [100, 200, 2, 1, 3][: number * repeat])
    assert machine._mean_seconds(lambda: None, 3) == 2
    monkeypatch.setattr(machine.timeit, "repeat", lambda work, number, repeat: [100, 200, 1, 1, 4])
    assert machine._mean_seconds(lambda: None, 3) == 2, "an interruption counts"
    monkeypatch.undo()
    assert 0 < machine.training_step_seconds(1) < 60
    assert 0 < machine.sampling_step_seconds(1) < 60


def test_the_forecast_scales_what_goes_with_the_machine_and_only_that(monkeypatch):
    monkeypatch.setattr(machine, "LESSONS", {"00 a": (20, 40, 10), "01 b": (100, 0, 30)})
    alike, slow = machine.forecast(machine.REFERENCE_STEP).data, machine.forecast(6 * machine.REFERENCE_STEP).data
    assert "| 00 a | 20 min | about 50 s |" in alike and "| 01 b | 100 min | about 30 s |" in alike
    assert "| **about 2 hours** | **about 80 s** |" in alike
    assert "takes 336 ms, 6.0 times as long" in slow
    assert "| 00 a | 20 min | about 1.7 min |" in slow and "| 01 b | 100 min | about 3.0 min |" in slow


def test_all_lessons_are_in_the_forecast():
    assert [name[:2] for name in machine.LESSONS] == [f"{number:02}" for number in range(14)]
    assert machine.about(2) == "about 5 s" and machine.about(720) == "about 12 min"
