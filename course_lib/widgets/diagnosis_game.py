"""What is wrong with these runs?"""

from collections.abc import Mapping

import ipywidgets as ui
from matplotlib.figure import Figure

from course_lib.classroom import show
from course_lib.classroom.broken import FAULTS, BrokenRun, in_order, smooth
from course_lib.widgets.panel import WIDE, Panel, Picture


class DiagnosisGame(Panel):
    """A broken run's pictures and its loss: choose the cause of each letter, and hear what gives it away."""

    def __init__(self, ward: Mapping[str, BrokenRun], causes: Mapping[str, str] | None = None):
        self.ward, self.causes = ward, dict(causes or in_order())
        if (
            not isinstance(ward, Mapping)
            or not {"healthy", *self.causes.values()} <= ward.keys()
            or {*map(type, ward.values())} != {BrokenRun}
        ):
            raise ValueError(
                "The game needs the healthy run and a broken one for each cause, as `broken.load()` gives."
            )
        self.run = ui.ToggleButtons(options=list(self.causes), description="run", style={"button_width": "3em"})
        self.picture = Picture("pictures and loss of the run", 900)
        self.choice = ui.Dropdown(options=["choose the cause", *FAULTS], description="What is wrong?", style=WIDE)
        self.right: set[str] = set()
        super().__init__(self.run, self.picture, self.choice)
        self.turn()
        self.run.observe(self.hear(self.turn), "value")
        self.choice.observe(self.hear(self.answer), "value")

    def run_figure(self, letter: str) -> Figure:
        """Pictures and loss of one run beside the loss of the healthy one, without its name."""
        run = self.ward[self.causes[letter]]
        curves = {f"run {letter}": smooth(run.losses), "healthy": smooth(self.ward["healthy"].losses)}
        return show.beside(show.grid(run.pictures, columns=4), curves, f"run {letter}")

    def turn(self, change=None) -> None:
        """Show the run whose letter is pressed."""
        self.choice.index = 0
        self.say()
        self.picture.value = show.figure_png(self.run_figure(self.run.value))

    def answer(self, change) -> None:
        """Say whether the choice is right; if not, where to look."""
        cause = self.causes[self.run.value]
        if change.new not in FAULTS:
            return
        if change.new != cause:
            return self.say(f"Not {change.new}. {FAULTS[cause].look}")
        self.right.add(self.run.value)
        found = f"({len(self.right)} of {len(self.causes)})"
        self.say(f"Right: {cause}. {FAULTS[cause].wrong} {FAULTS[cause].remedy} {found}")

    def figure(self) -> Figure:
        return self.run_figure(next(iter(self.causes)))
