"""From noise to a green banana: a diffusion model small enough to read in an evening.

The evening: `noise`, `captions`, `model`, `train`, `sample`, in this order. All else lives in rooms, each importing
only what stands before it: `tools`, `fruit`, `own`, `beyond`, `judging`, `weights`, `classroom`, `checks`, `widgets`,
`commands`. A room says in its first line who lives there.
"""

import os

# Threads that wait for each other spin. Where another program wants the core, they must soon sleep instead: with the
# usual 300,000 turns, one busy program can make training many times slower. Read when torch is first imported,
# so `make` and environment.yml set it too.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

__version__ = "0.1.0"
