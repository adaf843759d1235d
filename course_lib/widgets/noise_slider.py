"""Drag the noise level of a picture."""

import ipywidgets as ui
import torch
from matplotlib.figure import Figure

from course_lib.classroom import show
from course_lib.fruit.drawing import draw, random_fruit
from course_lib.fruit.worlds import FRUIT, read_for
from course_lib.noise import add_noise, noise_levels
from course_lib.widgets.panel import LEVELS, LONG, WRAP, Panel, Picture, play
from course_lib.widgets.slider import Slider

AXIS = "how often each pixel value occurs, from -3 to 3; lines at -1, 0 and 1"


class NoiseSlider(Panel):
    """Drag the noise level, and picture and histogram follow; change the words; press play."""

    def __init__(self, caption: str = "a red apple", *, size: int = 128, seed: int = 0):
        read_for(FRUIT, caption)  # refuses words that ask for no fruit
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"`size` is the side of the picture in pixels, a whole number from 1 on, not {size!r}.")
        self.size, self.seed = size, seed
        self.words = ui.Text(value=caption, description="picture", continuous_update=False)
        self.t = Slider(description="noise level t", options=LEVELS, layout=LONG)
        self.play = ui.Button(description="Play", icon="play", tooltip="from picture to noise")
        self.picture, self.histogram = Picture("noisy picture x_t"), Picture("histogram of the pixel values", 420)
        self.eps = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))
        shown = [self.picture, ui.VBox([self.histogram, ui.Label(AXIS)])]
        super().__init__(self.words, ui.HBox([self.t, self.play], layout=WRAP), ui.HBox(shown, layout=WRAP))
        self.draw()
        self.words.observe(self.hear(self.draw), "value")
        self.t.observe(self.hear(self.redraw), "value")
        self.play.on_click(self.hear(lambda button: self.start(play(self.t))))

    def draw(self, change=None) -> None:
        """Draw the fruit that the words ask for; words that ask for none leave the picture and say why."""
        try:
            reading = read_for(FRUIT, self.words.value)
        except ValueError as error:
            return self.say(str(error))
        asked = FRUIT.understand(reading.caption)
        self.x0 = draw([random_fruit(torch.Generator().manual_seed(self.seed), **asked)], self.size)
        self.say(reading.note)
        self.redraw()

    def redraw(self, change=None) -> None:
        """Show picture and histogram at the slider's level."""
        self.x_t = add_noise(self.x0, self.t.value, self.eps)
        self.picture.value = show.png(self.x_t[0], scale=2)
        self.histogram.value = show.png(show.histogram_picture(self.x_t[0]))

    def figure(self) -> Figure:
        levels = noise_levels(4).flip(0)
        x_t = add_noise(self.x0.expand(5, -1, -1, -1), levels, self.eps.expand(5, -1, -1, -1))
        return show.row(x_t, [f"t = {t:.2f}" for t in levels], height=1.6)
