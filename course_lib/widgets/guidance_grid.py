"""Prompts by guidance scales."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import ipywidgets as ui
import torch
from matplotlib.figure import Figure

from course_lib.classroom import show
from course_lib.classroom.wording import shown
from course_lib.fruit.reader import printable
from course_lib.fruit.worlds import read_with
from course_lib.model import encode_for
from course_lib.noise import Model, noise_levels
from course_lib.sample import Frame, sample
from course_lib.tools.bars import bar
from course_lib.widgets.panel import CELL, LABEL, Panel, Picture, check_words, rest

SCALES = (-2, 0, 1, 2, 4, 8)


def numbers(scales: Sequence[float]) -> list[float]:
    """Guidance scales as finite numbers; ValueError for what is none."""
    try:
        found = [float("nan" if isinstance(w, str) else w) for w in scales]
    except (TypeError, ValueError, OverflowError):
        found = [math.nan]
    if not all(map(math.isfinite, found)):
        raise ValueError(f"Guidance scales are finite numbers, such as (0, 2, 4), not {shown(scales, 60)}.")
    return found


class GuidanceGrid(Panel):
    """Prompts by guidance scales, filled in one by one from the same noise; stop it when you have seen enough."""

    def __init__(
        self,
        model: Model,
        prompts: Sequence[str],
        scales: Sequence[float] = SCALES,
        *,
        steps: int | None = None,
        seed: int = 0,
    ):
        check_words(model)
        self.model, self.scales, self.steps, self.seed = model, numbers(scales), steps, seed
        prompts = [prompts] if isinstance(prompts, str) or not isinstance(prompts, Iterable) else list(prompts)
        if not prompts or not self.scales:
            raise ValueError("A grid has at least one prompt and one guidance scale.")
        noise_levels(1 if steps is None else steps)  # refuses what is no number of steps
        readings = [read_with(model.config, prompt) for prompt in prompts]
        self.tokens = encode_for(model, [reading.caption for reading in readings])
        self.prompts = [reading.caption if reading.differs else reading.typed for reading in readings]
        self.note = "; ".join(reading.note for reading in readings if reading.differs)
        self.begin = ui.Button(description="Fill in", button_style="primary")
        self.halt = ui.Button(description="Stop")
        self.bar = ui.IntProgress(min=0, max=len(self.prompts) * len(self.scales))
        self.cells = [[Picture(f"{prompt}, w = {w:g}", 96) for w in self.scales] for prompt in self.prompts]
        head = ui.HBox([ui.Label(layout=LABEL), *(ui.Label(f"w = {w:g}", layout=CELL) for w in self.scales)])
        labels = [ui.Label(printable(prompt), layout=LABEL) for prompt in self.prompts]
        lines = [ui.HBox([label, *line]) for label, line in zip(labels, self.cells, strict=True)]
        super().__init__(ui.HBox([self.begin, self.halt, self.bar]), head, *lines)
        self.say(self.note)
        self.begin.on_click(self.hear(lambda button: self.start(self.fill())))
        self.halt.on_click(self.hear(lambda button: self.stop()))

    def generate(self, row: int, scale: float) -> Iterator[Frame]:
        """The generation of one cell; all cells start from the same noise."""
        how = dict(generator=torch.Generator().manual_seed(self.seed), steps=self.steps, guidance_scale=scale)
        return sample(self.model, self.tokens[row : row + 1], **how)

    async def fill(self) -> None:
        """Compute one cell after another, and show each as soon as it is there."""
        self.bar.value = 0
        self.say(self.note)
        for row, line in enumerate(self.cells):
            for cell, scale in zip(line, self.scales, strict=True):
                for frame in self.generate(row, scale):
                    cell.value = show.png(frame.x0_hat[0], scale=3)
                    await rest()
                self.doubt(frame.x_t)
                self.bar.value += 1

    def figure(self) -> Figure:
        cells = [(row, w) for row in range(len(self.prompts)) for w in self.scales]
        with bar(cells, "filling in", leave=False) as cells:
            made = torch.cat([deque(self.generate(row, w), 1).pop().x_t for row, w in cells])
        self.doubt(made)
        return show.rows(made.split(len(self.scales)), [f"w = {w:g}" for w in self.scales], self.prompts)
