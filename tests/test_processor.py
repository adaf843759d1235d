"""What the processor is asked, and how many threads follow."""

import subprocess
import sys

import pytest
import torch

from course_lib.tools.processor import busy_cores, precision, threads_beside


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
    ("others", "usual", "threads"),
    [(0.0, 2, 2), (0.3, 2, 2), (1.0, 2, 1), (2.0, 2, 1), (1.0, 4, 3), (9.0, 4, 1), (0.9, 1, 1)],
)
def test_there_is_a_thread_for_each_core_that_others_leave(monkeypatch, others, usual, threads):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads_beside(others, usual) == threads
    monkeypatch.setenv("OMP_NUM_THREADS", str(usual))  # whoever says it knows better
    assert threads_beside(others, usual) == usual


def test_a_program_that_works_keeps_a_core_busy():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            assert busy_cores(1.0) > 0.4
        finally:
            other.kill()


def test_without_psutil_nobody_else_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert busy_cores() == 0.0
