"""Prompts by guidance scales."""

from collections import deque
from collections.abc import Iterator, Sequence

import ipywidgets as ui
import torch
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from course_lib.classroom import show
from course_lib.fruit.reader import printable
from course_lib.fruit.worlds import read_with
from course_lib.model import encode_for
from course_lib.noise import Model
from course_lib.sample import Frame, sample
from course_lib.widgets.panel import CELL, LABEL, Panel, Picture, check_words, close_all, rest

SCALES = (-2, 0, 1, 2, 4, 8)


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
        prompts, scales = [prompts] if isinstance(prompts, str) else list(prompts), list(scales)
        if not prompts or not scales:
            raise ValueError("A grid has at least one prompt and one guidance scale.")
        self.model, self.prompts, self.scales, self.steps, self.seed = model, prompts, scales, steps, seed
        self.tokens = encode_for(model, [read_with(model.config, prompt).caption for prompt in prompts])
        self.begin = ui.Button(description="Fill in", button_style="primary")
        self.halt = ui.Button(description="Stop")
        self.bar = ui.IntProgress(min=0, max=len(prompts) * len(scales))
        self.cells = [[Picture(f"{prompt}, w = {w:g}", 96) for w in scales] for prompt in prompts]
        head = ui.HBox([ui.Label(layout=LABEL), *(ui.Label(f"w = {w:g}", layout=CELL) for w in scales)])
        labels = [ui.Label(printable(prompt), layout=LABEL) for prompt in prompts]
        lines = [ui.HBox([label, *line]) for label, line in zip(labels, self.cells, strict=True)]
        super().__init__(ui.HBox([self.begin, self.halt, self.bar]), head, *lines)
        self.begin.on_click(self.hear(lambda button: self.start(self.fill())))
        self.halt.on_click(self.hear(lambda button: self.stop()))

    def generate(self, row: int, scale: float) -> Iterator[Frame]:
        """The generation of one cell; all cells start from the same noise."""
        how = dict(generator=torch.Generator().manual_seed(self.seed), steps=self.steps, guidance_scale=scale)
        return sample(self.model, self.tokens[row : row + 1], **how)

    async def fill(self) -> None:
        """Compute one cell after another, and show each as soon as it is there."""
        self.bar.value = 0
        for row, line in enumerate(self.cells):
            for cell, scale in zip(line, self.scales, strict=True):
                for frame in self.generate(row, scale):
                    cell.value = show.png(frame.x0_hat[0], scale=3)
                    await rest()
                self.bar.value += 1

    def figure(self) -> Figure:
        cells = tqdm([(row, w) for row in range(len(self.prompts)) for w in self.scales], "filling in", leave=False)
        made = torch.cat([deque(self.generate(row, w), 1).pop().x_t for row, w in cells])
        close_all(getattr(cells, "container", ()))  # in a notebook the bar is a widget
        return show.rows(made.split(len(self.scales)), [f"w = {w:g}" for w in self.scales], self.prompts)
