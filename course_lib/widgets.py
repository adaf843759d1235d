"""Things to touch: a training run to watch, noise to drag, words to type, a generation to slide through.

No mathematics lives here: `train` trains, `sample` samples, `show` draws. Long work runs in small portions between
which the kernel hears what the learner does next, so that a new wish takes the place of the old one.
"""

import asyncio
import base64
import html
import re
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from weakref import WeakKeyDictionary

import ipywidgets as ui
import torch
from IPython.display import display
from matplotlib.figure import Figure
from torch import Tensor
from tqdm.auto import tqdm
from traitlets import Unicode

from course_lib import show
from course_lib.broken import FAULTS, BrokenRun, in_order, smooth
from course_lib.captions import VOCABULARY, encode, null_tokens, split_words
from course_lib.data import phrasings, understand
from course_lib.files import RUNS
from course_lib.fruit import BACKGROUNDS, COLOURS, KINDS, draw, random_fruit
from course_lib.noise import add_noise, noise_levels
from course_lib.sample import Frame, denoise_step, generate, sample
from course_lib.slider import Slider
from course_lib.train import Report, Run, train
from course_lib.weights import sampling_of

BLANK = show.png(torch.zeros(3, 1, 1))  # grey, until there is something to show
WIDE = {"description_width": "initial"}  # descriptions are never cut
WRAP, CELL, LABEL = ui.Layout(flex_flow="row wrap"), ui.Layout(width="96px"), ui.Layout(width="150px")
LONG = ui.Layout(width="440px", max_width="100%")
LEVELS = [i / 100 for i in range(101)]  # what the sliders of noise levels can be set to
AXIS = "how often each pixel value occurs, from -3 to 3; lines at -1, 0 and 1"

PLAY_SECONDS = 5.0
SAMPLING_STEPS = 8  # few, so that a look costs little
HISTORY: WeakKeyDictionary[Run, list[Report]] = WeakKeyDictionary()  # what `watch` has seen of each run


def watch(
    run: Run,
    x0: Tensor,
    tokens: Tensor,
    *,
    prompts: Sequence[str] | None = None,
    pause: float = 1.0,
    every: float = 5.0,
    seed: int = 0,
    **options,
) -> list[Report]:
    """Train and look on. Stop the cell when you like: nothing is lost, and running it again goes on from there.

    Every few seconds one figure is redrawn: the loss, and pictures that `run.ema` makes of the same noise each time.
    The time this takes does not count as training. The last figure stays in the saved notebook.

    Args:
        run, x0, tokens: as for `train`.
        prompts: captions for the pictures; None makes eight without a caption.
        pause: rest once this share of the run is done; the next call goes on.
        every: seconds from one figure to the next.
        seed: of the noise that the pictures start from.
        options: for `train`: steps or seconds, batch_size, flip, loss.

    Returns:
        The reports of all steps of this run that were watched, earlier calls included.

    Raises:
        ValueError: as `train` and `encode`.
    """
    asked = null_tokens(8) if prompts is None else encode(prompts)
    reports = HISTORY.setdefault(run, [])
    before, handle, drawn = run.step, None, -float("inf")

    def look() -> None:
        nonlocal handle, drawn
        pictures = generate(
            run.ema,
            asked,
            generator=torch.Generator().manual_seed(seed),
            steps=SAMPLING_STEPS,
            guidance_scale=1.0 if prompts is None else 2.0,
            shape=tuple(x0.shape[1:]),
        )
        figure = show.training([report.loss for report in reports], pictures, f"after {run.step} steps")
        if handle is None:
            handle = display(figure, display_id=True)
        else:
            handle.update(figure)
        drawn = time.perf_counter()

    try:
        for report in show.progress(train(run, x0, tokens, **options)):
            reports.append(report)
            if report.done >= pause:
                break
            if time.perf_counter() - drawn >= every:
                look()
        look()
    except KeyboardInterrupt:
        print(f"Stopped after {run.step} steps. The run is kept: run this cell again, and it goes on from there.")
        return list(reports)
    if run.step == before:
        print(f"This run is already finished, after {run.step} steps. For another one, make a new Run.")
    elif reports[-1].done < 1:
        print(f"Resting after {run.step} steps, {reports[-1].done:.0%} of the run. The next call goes on from there.")
    return list(reports)


class Panel(ui.VBox):
    """Controls and pictures in one box. Where no kernel runs, its `figure()` is shown instead, never an empty box."""

    def __init__(self, children: Sequence[ui.Widget]):
        self.message = ui.HTML()
        self.task: asyncio.Task | None = None
        super().__init__([*children, self.message])

    def _repr_mimebundle_(self, **options) -> dict:
        name = re.sub("(?<!^)(?=[A-Z])", " ", type(self).__name__).lower()
        still = {
            "image/png": base64.b64encode(show.figure_png(self.figure())).decode(),
            "text/plain": f"<{name}: run the cell to use it>",
        }
        return super()._repr_mimebundle_(**options) | still

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

    description = Unicode().tag(sync=True)  # ipywidgets 8 shows no tooltip, and no picture, where this is missing

    def __init__(self, what: str, width: int = 256, value: bytes = BLANK):
        layout = ui.Layout(width=f"{width}px", max_width="100%", object_fit="contain")
        super().__init__(value=value, format="png", layout=layout, tooltip=what)


async def _rest() -> None:
    """Let the kernel hear of new drags and words, which may cancel us."""
    await asyncio.sleep(0.001)


async def _play(slider: Slider) -> None:
    """Move a slider from end to end; whoever takes hold of it meanwhile keeps it."""
    for here in slider.options:
        slider.value = here
        await asyncio.sleep(PLAY_SECONDS / len(slider.options))
        if slider.value != here:
            return


class NoiseSlider(Panel):
    """Drag the noise level, and picture and histogram follow; change the words; press play.

    Args:
        caption: which fruit to draw, in the words of the training captions.
        size: side of the picture in pixels.
        seed: of the drawing and of the noise.
    """

    def __init__(self, caption: str = "a red apple", *, size: int = 128, seed: int = 0):
        understand(caption)  # refuses words that ask for no fruit
        self.size, self.seed = size, seed
        self.words = ui.Text(value=caption, description="picture", continuous_update=False)
        self.t = Slider(description="noise level t", options=LEVELS, layout=LONG)
        self.play = ui.Button(description="Play", icon="play", tooltip="from picture to noise")
        self.picture, self.histogram = Picture("noisy picture x_t"), Picture("histogram of the pixel values", 420)
        self.eps = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))
        super().__init__(
            [
                self.words,
                ui.HBox([self.t, self.play], layout=WRAP),
                ui.HBox([self.picture, ui.VBox([self.histogram, ui.Label(AXIS)])], layout=WRAP),
            ]
        )
        self.draw()
        self.words.observe(self.draw, "value")
        self.t.observe(self.redraw, "value")
        self.play.on_click(lambda button: self.start(_play(self.t)))

    def draw(self, change=None) -> None:
        """Draw the fruit that the words ask for; words that ask for none leave the picture and say why."""
        try:
            asked = understand(self.words.value)
        except ValueError as error:
            self.say(str(error))
            return
        generator = torch.Generator().manual_seed(self.seed)
        self.x0 = draw([random_fruit(generator, **asked)], self.size)
        self.say()
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


class PairExplorer(Panel):
    """Pick two noise levels: input, target, the network's answer, and what separates the two.

    Args:
        model: any callable (x_t, t) -> x0_hat.
        x0: (1, 3, H, W) float32 in [-1, 1], the clean picture.
        seed: of the noise.
    """

    TITLES = ("input x_t", "target x_s", "answer", "difference x 5")

    def __init__(self, model: Callable, x0: Tensor, *, seed: int = 0):
        self.model, self.x0 = model, x0
        self.eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed))
        self.t = Slider(description="from level t", options=LEVELS, value=0.6, layout=LONG)
        self.s = Slider(description="to level s", options=LEVELS, value=0.5, layout=LONG)
        self.pictures = [Picture(title, 160) for title in self.TITLES]
        columns = [ui.VBox([ui.Label(t), p]) for t, p in zip(self.TITLES, self.pictures, strict=True)]
        super().__init__([self.t, self.s, ui.HBox(columns, layout=WRAP)])
        self.redraw()
        for level in (self.t, self.s):
            level.observe(self.redraw, "value")

    def pair(self, t: float, s: float) -> list[Tensor]:
        """The four pictures (3, H, W) of a step from t to s."""
        x_t, x_s = add_noise(self.x0, t, self.eps), add_noise(self.x0, s, self.eps)
        with torch.no_grad():
            answer = denoise_step(x_t, self.model(x_t, t), t, s)
        return [x_t[0], x_s[0], answer[0], 5 * (answer - x_s)[0]]

    def redraw(self, change=None) -> None:
        """Show the pair at the two levels; where s is not below t there is no step, and the last pair stays."""
        if self.s.value >= self.t.value:
            return self.say("A step takes noise away: s must be below t.")
        self.say()
        self.shown = self.pair(self.t.value, self.s.value)
        for picture, x in zip(self.pictures, self.shown, strict=True):
            picture.value = show.png(x, scale=5)

    def figure(self) -> Figure:
        return show.row(self.shown, self.TITLES, height=2.4)


class Trajectory(Panel):
    """Slide through recorded generations, each with the noisy picture above and the current guess below.

    Args:
        films: {name: all frames that `sample` yielded}; they may differ in their number of steps.
        which: which picture of each batch.
    """

    def __init__(self, films: Mapping[str, Sequence[Frame]], *, which: int = 0):
        self.films, self.which = {name: list(frames) for name, frames in films.items()}, which
        self.place = Slider(description="done, %", options=list(range(101)), layout=LONG)
        self.play = ui.Button(description="Play", icon="play", tooltip="from noise to picture")
        self.titles = {name: ui.Label() for name in self.films}
        self.pictures = {name: Picture(f"{name}: x_t above, x0_hat below", 180) for name in self.films}
        columns = [ui.VBox([ui.Label(name), self.titles[name], self.pictures[name]]) for name in self.films]
        legend = ui.Label("above the noisy picture x_t, below the current guess x0_hat")
        super().__init__([ui.HBox([self.place, self.play], layout=WRAP), legend, ui.HBox(columns, layout=WRAP)])
        self.redraw()
        self.place.observe(self.redraw, "value")
        self.play.on_click(lambda button: self.start(_play(self.place)))

    def redraw(self, change=None) -> None:
        """Show every film at the slider's place."""
        for name, frames in self.films.items():
            frame = frames[round(self.place.value / 100 * (len(frames) - 1))]
            both = torch.stack([frame.x_t[self.which], frame.x0_hat[self.which]])
            self.titles[name].value = f"t = {frame.t:.2f}"
            self.pictures[name].value = show.png(show.grid(both, columns=1), scale=5)

    def figure(self) -> Figure:
        films = [[frames[round(i / 5 * (len(frames) - 1))] for i in range(6)] for frames in self.films.values()]
        lines = [[getattr(f, part)[self.which] for f in film] for film in films for part in ("x_t", "x0_hat")]
        labels = [label for name in self.films for label in (name, "guess")]
        return show.rows(lines, [f"{20 * i} %" for i in range(6)], labels)


class PromptBox(Panel):
    """Type words, press Enter, and watch the picture form while it is computed.

    A distilled model does not wait for Enter: it draws as one types, whenever the words make sense.

    Args:
        model: a denoiser that knows the words of the course.
        prompt: what stands in the box at first.
        folder: where the save button puts pictures and films.
    """

    KEPT = 8  # earlier results in the strip

    def __init__(self, model: Callable, prompt: str = "a green banana", *, folder: str | Path = RUNS):
        self.model, self.folder = model, Path(folder)
        self.at_once = hasattr(model, "distilled_steps")
        about = dict(description="prompt", placeholder="a red apple", layout=LONG)
        self.words = ui.Text(value=prompt, continuous_update=self.at_once, **about)
        self.go = ui.Button(description="Draw it", button_style="primary")
        self.seed = ui.BoundedIntText(value=0, min=0, max=2**31, description="seed")
        usual = sampling_of(model, steps=25, guidance_scale=2)
        scales, counts = [i / 2 for i in range(-4, 17)], sorted({4, 8, 16, 25, 50, 100, usual["steps"]})
        self.guidance = Slider(
            description="guidance", options=scales, value=usual["guidance_scale"], continuous_update=False
        )
        self.steps = Slider(description="steps", options=counts, value=usual["steps"], continuous_update=False)
        self.chips = [
            ui.Button(description=word, tooltip=f"put {word} into the prompt", layout=ui.Layout(width="auto"))
            for word in (*COLOURS, *(kind for kind in KINDS if kind not in COLOURS))
        ]
        self.noisy, self.guess = Picture("noisy picture x_t"), Picture("current guess x0_hat")
        self.bar = ui.IntProgress(min=0, max=1, description="ready")
        self.strip = ui.HBox(layout=WRAP)
        self.save = ui.Button(description="Save picture and film", disabled=True, layout=ui.Layout(width="auto"))
        self.frames: list[Frame] = []
        self.results: list[tuple[str, Tensor]] = []
        columns = [
            ui.VBox([ui.Label("noisy picture x_t"), self.noisy]),
            ui.VBox([ui.Label("current guess x0_hat"), self.guess]),
        ]
        super().__init__(
            [
                ui.HBox([self.words, self.go]),
                ui.HBox(self.chips, layout=WRAP),
                ui.HBox([self.seed, self.guidance, self.steps], layout=WRAP),
                ui.HBox(columns, layout=WRAP),
                ui.HBox([self.bar, self.save]),
                self.strip,
            ]
        )
        self.words.observe(self.hear, "value")
        for control in (self.seed, self.guidance, self.steps):
            control.observe(self.draw, "value")
        self.go.on_click(self.draw)
        self.save.on_click(self.keep)
        for chip in self.chips:
            chip.on_click(self.add_word)

    def add_word(self, chip: ui.Button) -> None:
        """Put a word into the prompt: a colour in place of the colour, a fruit in place of the fruit."""
        try:
            asked = understand(self.words.value)
        except ValueError:
            asked = dict.fromkeys(("colour", "kind", "size_word", "background"))
        colour, kind, word = asked["colour"], asked["kind"], chip.description
        if word in KINDS and (word not in COLOURS or colour):  # "orange" is the fruit once there is a colour
            kind = word
        else:
            colour = word
        said = phrasings(
            kind or KINDS[0], colour or COLOURS[0], asked["size_word"] or "", asked["background"] or BACKGROUNDS[0]
        )  # the fourth names size, colour and kind, the sixth the background too, the last two the kind or the colour
        self.words.value = said[(5 if asked["background"] else 3) if kind and colour else 6 if kind else 7]

    def hear(self, change) -> None:
        """Draw what was typed; where each letter is heard, wait while words are on their way."""
        if self.at_once and self.coming(change["old"], change["new"]):
            self.say()
        else:
            self.draw()

    @staticmethod
    def coming(old: str, new: str) -> bool:
        """Whether what was typed is no sentence yet but may become one, or is the old sentence with a space."""
        *before, last = said = new.casefold().split() or [""]
        try:
            understand(new)
        except ValueError:
            return all(word in VOCABULARY for word in before) and any(word.startswith(last) for word in VOCABULARY)
        return said == old.casefold().split()

    def draw(self, change=None) -> None:
        """Begin a new picture; one that is under way is given up. Words it does not know are answered in place."""
        try:
            understand(self.words.value)
        except ValueError as error:
            self.stop()
            self.bar.description, self.save.disabled = "ready", not self.frames
            return self.say(str(error))
        self.say()
        self.start(self.paint(self.words.value))

    def moments(self, prompt: str) -> Iterator[Frame]:
        """The generation that the controls ask for."""
        options = dict(steps=self.steps.value, guidance_scale=self.guidance.value)
        return sample(self.model, encode(prompt), generator=torch.Generator().manual_seed(self.seed.value), **options)

    async def paint(self, prompt: str) -> None:
        """Make one picture, and show every step of it as it is computed."""
        frames, self.save.disabled = [], True
        self.bar.max, self.bar.value, self.bar.description = self.steps.value, 0, "drawing"
        for frame in self.moments(prompt):
            frames.append(frame)
            self.noisy.value, self.guess.value = (show.png(x[0], scale=8) for x in (frame.x_t, frame.x0_hat))
            self.bar.value = len(frames) - 1
            await _rest()
        self.frames, self.save.disabled, self.bar.description = frames, False, "ready"
        self.results = [*self.results, (prompt, frames[-1].x_t[0])][-self.KEPT :]
        self.strip.children = [
            ui.VBox([Picture(words, 96, show.png(x, scale=3)), ui.Label(words)]) for words, x in reversed(self.results)
        ]

    def keep(self, button=None) -> None:
        """Write the last picture as PNG and its film as an animated GIF, under a name made of the words."""
        name = "_".join(split_words(self.results[-1][0]))
        try:
            show.save_png(self.frames[-1].x_t[0], self.folder / f"{name}.png", scale=8)
            show.save_film(self.frames, self.folder / f"{name}.gif")
        except OSError as error:
            return self.say(f"Could not be saved: {error}")
        self.say(f"Saved in {self.folder.name}/ as {name}.png and {name}.gif.")

    def figure(self) -> Figure:
        return show.film(self.frames or list(self.moments(self.words.value)), columns=8)


class GuidanceGrid(Panel):
    """Prompts by guidance scales, filled in one by one from the same noise; stop it when you have seen enough.

    Args:
        model: a denoiser.
        prompts: one for each row.
        scales: one for each column.
        steps, seed: of the sampling.
    """

    def __init__(
        self,
        model: Callable,
        prompts: Sequence[str],
        scales: Sequence[float] = (-2, 0, 1, 2, 4, 8),
        *,
        steps: int = 25,
        seed: int = 0,
    ):
        self.model, self.prompts, self.scales, self.steps, self.seed = model, list(prompts), list(scales), steps, seed
        self.tokens = encode(self.prompts)
        self.begin = ui.Button(description="Fill in", button_style="primary")
        self.halt = ui.Button(description="Stop")
        self.bar = ui.IntProgress(min=0, max=len(prompts) * len(scales))
        self.cells = [[Picture(f"{prompt}, w = {w:g}", 96) for w in scales] for prompt in prompts]
        head = ui.HBox([ui.Label(layout=LABEL), *(ui.Label(f"w = {w:g}", layout=CELL) for w in scales)])
        lines = [ui.HBox([ui.Label(p, layout=LABEL), *line]) for p, line in zip(prompts, self.cells, strict=True)]
        super().__init__([ui.HBox([self.begin, self.halt, self.bar]), head, *lines])
        self.begin.on_click(lambda button: self.start(self.fill()))
        self.halt.on_click(lambda button: self.stop())

    def generate(self, row: int, scale: float) -> Iterator[Frame]:
        """The generation of one cell; all cells start from the same noise."""
        generator = torch.Generator().manual_seed(self.seed)
        tokens = self.tokens[row : row + 1]
        return sample(self.model, tokens, generator=generator, steps=self.steps, guidance_scale=scale)

    async def fill(self) -> None:
        """Compute one cell after another, and show each as soon as it is there."""
        self.bar.value = 0
        for row, line in enumerate(self.cells):
            for cell, scale in zip(line, self.scales, strict=True):
                for frame in self.generate(row, scale):
                    cell.value = show.png(frame.x0_hat[0], scale=3)
                    await _rest()
                self.bar.value += 1

    def figure(self) -> Figure:
        cells = tqdm([(row, w) for row in range(len(self.prompts)) for w in self.scales], "filling in", leave=False)
        made = torch.cat([deque(self.generate(row, w), 1).pop().x_t for row, w in cells])
        return show.rows(made.split(len(self.scales)), [f"w = {w:g}" for w in self.scales], self.prompts)


class DiagnosisGame(Panel):
    """A broken run's pictures and its loss: choose the cause, and hear what gives it away.

    Args:
        ward: the runs, as `broken.load` gives them.
        causes: the letters of the game and the cause behind each.
    """

    def __init__(self, ward: Mapping[str, BrokenRun], causes: Mapping[str, str] | None = None):
        self.ward, self.causes = ward, dict(causes or in_order())
        self.run = ui.ToggleButtons(options=list(self.causes), description="run", style={"button_width": "3em"})
        self.picture = Picture("pictures and loss of the run", 900)
        self.choice = ui.Dropdown(options=["choose the cause", *FAULTS], description="What is wrong?", style=WIDE)
        self.right: set[str] = set()
        super().__init__([self.run, self.picture, self.choice])
        self.turn()
        self.run.observe(self.turn, "value")
        self.choice.observe(self.answer, "value")

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
        self.say(
            f"Right: {cause}. {FAULTS[cause].wrong} {FAULTS[cause].remedy} ({len(self.right)} of {len(self.causes)})"
        )

    def figure(self) -> Figure:
        return self.run_figure(next(iter(self.causes)))
