"""What this processor can do, and how much of it other programs leave."""

import os


def precision() -> str:
    """ "bfloat16" where the processor has instructions for products in it, which take a fraction of the time.

    Elsewhere "float32": without them bfloat16 is many times slower.
    """
    import torch

    able = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of PyTorch do not tell
    return "bfloat16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"


def busy_cores(seconds: float = 0.5) -> float:
    """How many cores work while this process waits so long, and so for others; 0 where psutil is not installed.

    Counts the cores that this process may use.
    """
    try:
        import psutil
    except ImportError:
        return 0.0
    shares = psutil.cpu_percent(seconds, percpu=True)
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(shares))
    return sum(shares[core] for core in usable if core < len(shares)) / 100


def threads_beside(others: float, usual: int) -> int:
    """With how many threads to compute where others keep so many cores busy, and PyTorch would take `usual`.

    One for each core that is left: threads that share a core with another program make all wait that need their part,
    so that on two cores with one busy, one thread is faster than two. At least one; what OMP_NUM_THREADS says goes.
    """
    return usual if "OMP_NUM_THREADS" in os.environ else max(1, round(usual - others))
