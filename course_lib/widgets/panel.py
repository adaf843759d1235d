"""What all things to touch have in common: a box that holds them, pictures in it, work in small portions.

No mathematics lives in this room: `train` trains, `sample` samples, `show` draws. Long work runs in small portions
between which the kernel hears what the learner does next, so that a new wish takes the place of the old one.

What a cell showed before it was run again is closed, with all its parts: see `tools/cells.py`.
"""

import asyncio
import base64
import html
import re
from collections.abc import Callable, Coroutine

import ipywidgets as ui
import torch
from IPython.display import display
from traitlets import Unicode

from course_lib.classroom import show
from course_lib.classroom.wording import stops_with
from course_lib.fruit.reader import printable
from course_lib.noise import Model
from course_lib.tools.cells import close_all, take_place
from course_lib.widgets.slider import Slider

BLANK = show.png(torch.zeros(3, 1, 1))  # grey, until there is something to show
WIDE = {"description_width": "initial"}  # descriptions are never cut
WRAP, CELL, LABEL = {"flex_flow": "row wrap"}, {"width": "96px"}, {"width": "150px"}
LONG = {"width": "440px", "max_width": "100%"}
LEVELS = [i / 100 for i in range(101)]  # what the sliders of noise levels can be set to
PLAY_SECONDS = 5.0


def check_words(model: Model) -> None:
    """Refuse, with a TypeError, a model that no prompt can be put to."""
    if len(getattr(model, "vocabulary", ())) < 2 or not {"world", "max_words"} <= {*getattr(model, "config", {})}:
        raise TypeError(
            "A prompt needs a network that knows words, such as `load_denoiser()` gives. "
            f"This {type(model).__name__} has no `vocabulary`, or no `config` that says how it reads."
        )


class Panel(ui.VBox):
    """Controls and pictures in one box. Where no kernel runs, its `figure()` is shown instead, never an empty box."""

    task: asyncio.Task | None = None
    failed = False  # whether the message says so

    def __init__(self, *children: ui.Widget):
        self.message = ui.HTML()
        super().__init__([*children, self.message])
        take_place(self.close)

    def close(self) -> None:
        """Give up the work under way, and let go of all parts."""
        self.stop()
        close_all(self)

    def still(self) -> tuple[dict, dict]:
        """What stands in a page without a kernel: a picture and its name, and what it shows in words."""
        name = re.sub("(?<!^)(?=[A-Z])", " ", type(self).__name__).lower()
        told = {"text/plain": f"<{name}: run the cell to use it>"}
        try:
            figure = self.figure()
            picture = base64.b64encode(show.figure_png(figure)).decode()
        except Exception as error:  # the box says so, and can be used
            self.fail(error)
            return told, {}
        return told | {"image/png": picture}, {"image/png": figure.metadata}

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
        self.message.value = f"<p role='status'>{html.escape(printable(sentence))}</p>" if sentence else ""

    def doubt(self, x: torch.Tensor) -> None:
        """Say so where a picture holds values that are no numbers: it looks like any other mistake."""
        if not x.isfinite().all():
            self.say("The network answers with values that are no finite numbers (NaN), so this is no picture.")

    def fail(self, error: BaseException) -> None:
        """Say what went wrong, and be ready for the next try."""
        self.failed = True
        self.say(f"This stopped with {stops_with(error)}")

    def hear(self, do: Callable) -> Callable:
        """What answers a control: `do`, which gets its event; where that fails, the panel says so."""

        def answer(event) -> None:
            if self.failed:
                self.failed = False
                self.say()
            try:
                do(event)
            except Exception as error:
                self.fail(error)

        return answer

    def start(self, work: Coroutine) -> None:
        """Begin work that rests after each step; what was under way is given up, so that nothing queues."""
        self.stop()
        self.task = asyncio.ensure_future(work)
        self.task.add_done_callback(self.end)

    def end(self, task: asyncio.Task) -> None:
        """Work is over: say so if it failed."""
        if not task.cancelled() and task.exception() and task is self.task:
            self.fail(task.exception())

    def stop(self) -> None:
        """Give up the work under way, if any."""
        if self.task is not None:
            self.task.cancel()


class Picture(ui.Image):
    """A place for a PNG picture, grey at first; `what` it shows is told to those who cannot see it."""

    tooltip = Unicode(None, allow_none=True).tag(sync=True)  # ipywidgets 7 has none
    description = Unicode().tag(sync=True)  # ipywidgets 8 shows no tooltip, and no picture, where this is missing

    def __init__(self, what: str, width: int = 256, value: bytes = BLANK):
        layout = {"width": f"{width}px", "max_width": "100%", "object_fit": "contain"}
        super().__init__(value=value, format="png", layout=layout, tooltip=printable(what))


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
