"""From noise to a green banana: a diffusion model small enough to read in an evening.

Reading order: `noise`, `captions`, `model`, `train`, `sample` are the core. Around it: `fruit` draws the
pictures, `data` collects them, `judge` scores what was generated, `weights` keeps networks in files, `folder`
opens pictures of your own, `convert` speaks the notation of other papers, `show` makes figures, `widgets` things to
touch, `checks` looks at exercises, and `python -m course_lib` is the command line. Beyond one fruit: `scenes` puts two
into a picture, `attention` binds words to things, `scene_judge` scores that.
"""

import os

# Threads that wait for each other spin. Where another program wants the core, they must soon sleep instead: with the
# usual 300,000 turns, one busy program can make training many times slower. Read when torch is first imported,
# so `make` and environment.yml set it too.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

__version__ = "0.1.0"
