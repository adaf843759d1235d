"""What this processor can do, and how much of it other programs leave."""

import os
import time


def precision() -> str:
    """ "bfloat16" where the processor has instructions for products in it, which take a fraction of the time.

    Elsewhere "float32": without them bfloat16 is many times slower.
    """
    import torch

    able = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of PyTorch do not tell
    return "bfloat16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"


def cores_left(seconds: float = 0.3) -> float:
    """How many cores' time this process gets beside others, when it computes with all its threads for so long."""
    import torch

    x = torch.ones(384, 384)
    began, used = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        x @ x
    return (time.process_time() - used) / (time.perf_counter() - began)


def threads_beside(left: float, usual: int) -> int:
    """With how many threads to compute where others leave so many cores, and PyTorch would take `usual`.

    Threads that share a core with another program make all wait that need their part: on two cores, one of them busy,
    one thread is faster than two. What OMP_NUM_THREADS says goes.
    """
    return usual if "OMP_NUM_THREADS" in os.environ else min(usual, max(1, round(left)))
