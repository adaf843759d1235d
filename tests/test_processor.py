"""What the processor is asked, and how many threads follow."""

import os
import subprocess
import sys

import pytest
import torch

from course_lib.tools.processor import cores_left, precision, threads_beside


@pytest.mark.parametrize(
    ("able", "chosen"),
    [
        ({"avx512_bf16": True}, "bfloat16"),
        ({"amx_bf16": True, "avx512_bf16": False}, "bfloat16"),
        ({"avx512_f": True, "avx512_bf16": False, "amx_tile": False}, "float32"),
        ({"architecture": "aarch64"}, "float32"),
    ],
    ids=str,
)
def test_bfloat16_is_for_processors_with_instructions_for_it(monkeypatch, able, chosen):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert precision() == chosen


def test_where_pytorch_does_not_tell_it_is_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert precision() == "float32"


@pytest.mark.parametrize(
    ("left", "usual", "threads"),
    [(2.0, 2, 2), (1.7, 2, 2), (1.3, 2, 1), (0.4, 2, 1), (3.1, 4, 3), (0.1, 4, 1), (64.0, 4, 4)],
)
def test_there_is_a_thread_for_each_core_that_others_leave(monkeypatch, left, usual, threads):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads_beside(left, usual) == threads
    monkeypatch.setenv("OMP_NUM_THREADS", str(usual))  # whoever says it knows better
    assert threads_beside(left, usual) == usual


def test_programs_that_work_leave_less():
    cores = os.cpu_count()
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * cores)]
    try:
        assert 0 < cores_left(1.0) < 0.8 * cores
    finally:
        for other in others:
            other.kill()
            other.wait()
