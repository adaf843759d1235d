"""What all things to touch have in common: a box that holds them, pictures in it, work in small portions.

No mathematics lives in this room: `train` trains, `sample` samples, `show` draws. Long work runs in small portions
between which the kernel hears what the learner does next, so that a new wish takes the place of the old one.
"""

import asyncio
import base64
import html
import re
from collections.abc import Coroutine

import ipywidgets as ui
import torch
from IPython.display import display
from traitlets import Unicode

from course_lib.classroom import show
from course_lib.widgets.slider import Slider

BLANK = show.png(torch.zeros(3, 1, 1))  # grey, until there is something to show
WIDE = {"description_width": "initial"}  # descriptions are never cut
WRAP, CELL, LABEL = ui.Layout(flex_flow="row wrap"), ui.Layout(width="96px"), ui.Layout(width="150px")
LONG = ui.Layout(width="440px", max_width="100%")
LEVELS = [i / 100 for i in range(101)]  # what the sliders of noise levels can be set to
PLAY_SECONDS = 5.0


class Panel(ui.VBox):
    """Controls and pictures in one box. Where no kernel runs, its `figure()` is shown instead, never an empty box."""

    def __init__(self, *children: ui.Widget):
        self.message = ui.HTML()
        self.task: asyncio.Task | None = None
        super().__init__([*children, self.message])

    def still(self) -> tuple[dict, dict]:
        """What stands in a page without a kernel: a picture and its name, and what it shows in words."""
        name, figure = re.sub("(?<!^)(?=[A-Z])", " ", type(self).__name__).lower(), self.figure()
        picture = base64.b64encode(show.figure_png(figure)).decode()
        return {"image/png": picture, "text/plain": f"<{name}: run the cell to use it>"}, {"image/png": figure.metadata}

    if hasattr(ui.Widget, "_repr_mimebundle_"):

        def _repr_mimebundle_(self, **options) -> tuple[dict, dict]:
            data, about = self.still()
            return super()._repr_mimebundle_(**options) | data, about

    else:  # ipywidgets 7, which some hosted notebooks have

        def _ipython_display_(self, **options) -> None:
            view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
            data, about = self.still()
            display({"application/vnd.jupyter.widget-view+json": view} | data, about, raw=True)
            self._handle_displayed(**options)

    def say(self, sentence: str = "") -> None:
        """Show a sentence under the controls, or none."""
        self.message.value = f"<p role='status'>{html.escape(sentence)}</p>" if sentence else ""

    def start(self, work: Coroutine) -> None:
        """Begin work that rests after each step; what was under way is given up, so that nothing queues."""
        self.stop()
        self.task = asyncio.ensure_future(work)

    def stop(self) -> None:
        """Give up the work under way, if any."""
        if self.task is not None:
            self.task.cancel()


class Picture(ui.Image):
    """A place for a PNG picture, grey at first; `what` it shows is told to those who cannot see it."""

    tooltip = Unicode(None, allow_none=True).tag(sync=True)  # ipywidgets 7 has none
    description = Unicode().tag(sync=True)  # ipywidgets 8 shows no tooltip, and no picture, where this is missing

    def __init__(self, what: str, width: int = 256, value: bytes = BLANK):
        layout = ui.Layout(width=f"{width}px", max_width="100%", object_fit="contain")
        super().__init__(value=value, format="png", layout=layout, tooltip=what)


async def rest() -> None:
    """Let the kernel hear of new drags and words, which may cancel us."""
    await asyncio.sleep(0.001)


async def play(slider: Slider) -> None:
    """Move a slider from end to end; whoever takes hold of it meanwhile keeps it."""
    for here in slider.options:
        slider.value = here
        await asyncio.sleep(PLAY_SECONDS / len(slider.options))
        if slider.value != here:
            return
