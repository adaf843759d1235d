"""Two neighbours on the road of noise, and the network's step between them."""

from collections.abc import Callable

import ipywidgets as ui
import torch
from matplotlib.figure import Figure
from torch import Tensor

from course_lib.classroom import show
from course_lib.noise import Pictures, add_noise
from course_lib.sample import denoise_step
from course_lib.widgets.panel import LEVELS, LONG, WRAP, Panel, Picture
from course_lib.widgets.slider import Slider


class PairExplorer(Panel):
    """Pick two noise levels: input, target, the network's answer for one picture x0, and what separates the two."""

    TITLES = ("input x_t", "target x_s", "answer", "difference x 5")

    def __init__(self, model: Callable[[Pictures, float], Pictures], x0: Pictures, *, seed: int = 0):
        self.model, self.x0 = model, x0
        self.eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed))
        self.shown = self.pair(0.6, 0.5)  # before there are widgets: a model may be refused
        self.t = Slider(description="from level t", options=LEVELS, value=0.6, layout=LONG)
        self.s = Slider(description="to level s", options=LEVELS, value=0.5, layout=LONG)
        self.pictures = [Picture(title, 160) for title in self.TITLES]
        columns = [ui.VBox([ui.Label(t), p]) for t, p in zip(self.TITLES, self.pictures, strict=True)]
        super().__init__(self.t, self.s, ui.HBox(columns, layout=WRAP))
        self.redraw()
        for level in (self.t, self.s):
            level.observe(self.hear(self.redraw), "value")

    def pair(self, t: float, s: float) -> list[Tensor]:
        """The four pictures (3, H, W) of a step from t to s."""
        x_t, x_s = add_noise(self.x0, t, self.eps), add_noise(self.x0, s, self.eps)
        with torch.no_grad():
            x0_hat = self.model(x_t, t)
        if getattr(x0_hat, "shape", None) != x_t.shape:
            given = f"shape {tuple(x0_hat.shape)}" if isinstance(x0_hat, Tensor) else f"a {type(x0_hat).__name__}"
            raise ValueError(f"The model answers with {given} to pictures of shape {tuple(x_t.shape)}.")
        answer = denoise_step(x_t, x0_hat, t, s)
        return [x_t[0], x_s[0], answer[0], 5 * (answer - x_s)[0]]

    def redraw(self, change=None) -> None:
        """Show the pair at the two levels; where s is not below t there is no step, and the last pair stays."""
        if self.s.value >= self.t.value:
            return self.say("A step takes noise away: s must be below t.")
        self.say()
        self.shown = self.pair(self.t.value, self.s.value)
        self.doubt(self.shown[2])
        for picture, x in zip(self.pictures, self.shown, strict=True):
            picture.value = show.png(x, scale=5)

    def figure(self) -> Figure:
        return show.row(self.shown, self.TITLES, height=2.4)
