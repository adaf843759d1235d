"""Slide through a generation."""

from collections.abc import Iterable, Mapping, Sequence

import ipywidgets as ui
import torch
from matplotlib.figure import Figure

from course_lib.classroom import show
from course_lib.fruit.reader import printable
from course_lib.sample import Frame
from course_lib.widgets.panel import LONG, WRAP, Panel, Picture, play
from course_lib.widgets.slider import Slider


class Trajectory(Panel):
    """Slide through named generations, recorded from `sample` in any number of steps; `which` picture of each batch."""

    def __init__(self, films: Mapping[str, Sequence[Frame]], *, which: int = 0):
        films = films if isinstance(films, Mapping) else {}
        self.films = {name: list(film) if isinstance(film, Iterable) else [] for name, film in films.items()}
        if not self.films or not all(map(self.is_film, self.films.values())) or {*map(type, self.films)} != {str}:
            raise ValueError("Give recorded generations by name: {name: list(sample(...)), ...}.")
        fewest = min(len(frames[0].x_t) for frames in self.films.values())
        if not isinstance(which, int) or not -fewest <= which < fewest:
            raise ValueError(f"`which` is the place of a picture in each batch, 0 to {fewest - 1} here, not {which!r}.")
        self.which = which
        self.place = Slider(description="done, %", options=list(range(101)), layout=LONG)
        self.play = ui.Button(description="Play", icon="play", tooltip="from noise to picture")
        self.titles = {name: ui.Label() for name in self.films}
        self.pictures = {name: Picture(f"{name}: x_t above, x0_hat below", 180) for name in self.films}
        columns = [ui.VBox([ui.Label(printable(name)), self.titles[name], self.pictures[name]]) for name in self.films]
        legend = ui.Label("above the noisy picture x_t, below the current guess x0_hat")
        super().__init__(ui.HBox([self.place, self.play], layout=WRAP), legend, ui.HBox(columns, layout=WRAP))
        self.redraw()
        self.place.observe(self.hear(self.redraw), "value")
        self.play.on_click(self.hear(lambda button: self.start(play(self.place))))

    @staticmethod
    def is_film(frames: list) -> bool:
        """Whether these are moments of a generation, at least one."""
        return bool(frames) and all(isinstance(frame, Frame) for frame in frames)

    def redraw(self, change=None) -> None:
        """Show every film at the slider's place."""
        self.say()
        for name, frames in self.films.items():
            frame = frames[round(self.place.value / 100 * (len(frames) - 1))]
            both = torch.stack([frame.x_t[self.which], frame.x0_hat[self.which]])
            self.doubt(both)
            self.titles[name].value = f"t = {frame.t:.2f}"
            self.pictures[name].value = show.png(show.grid(both, columns=1), scale=5)

    def figure(self) -> Figure:
        films = [[frames[round(i / 4 * (len(frames) - 1))] for i in range(5)] for frames in self.films.values()]
        lines = [[getattr(f, part)[self.which] for f in film] for film in films for part in ("x_t", "x0_hat")]
        labels = [label for name in self.films for label in (name, "guess")]
        return show.rows(lines, [f"{25 * i} %" for i in range(5)], labels)
