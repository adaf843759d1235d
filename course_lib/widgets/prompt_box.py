"""Type words, and a picture of them forms."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import ipywidgets as ui
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from course_lib.beyond.attention import SceneDenoiser
from course_lib.beyond.enlarge import Enlarger, enlarging, noise_beside
from course_lib.beyond.quick import frozen
from course_lib.classroom import show
from course_lib.fruit import prompts
from course_lib.fruit.words import BACKGROUNDS, COLOURS, KINDS
from course_lib.fruit.worlds import FRUIT, WORLDS, is_enlarged, read_with, reader_of
from course_lib.model import Denoiser, encode_for
from course_lib.noise import Model
from course_lib.sample import Frame, sample, sampling_of
from course_lib.tools.cells import close_all
from course_lib.tools.files import RUNS
from course_lib.weights import load_enlarger
from course_lib.widgets.panel import CELL, LONG, WRAP, Panel, Picture, check_words, rest
from course_lib.widgets.slider import Slider


def scaled(x: Tensor, width: int) -> int:
    """How large to show each pixel of a picture (3, H, W), so that all of it is about so wide."""
    return max(1, width // x.shape[-1])


def find_enlarger() -> tuple[Enlarger | None, str]:
    """The shipped network that enlarges, if it is there; and what to say where its file is of no use."""
    try:
        return load_enlarger(), ""
    except FileNotFoundError:
        return None, ""
    except (ValueError, OSError) as error:
        return None, f"Pictures stay small. {error}"


class PromptBox(Panel):
    """Type words, press Enter, and watch the picture form while it is computed; a crisp one, enlarged, comes last.

    A model of few steps does not wait for Enter: it draws as one types, whenever the words make sense. The save button
    puts pictures and films into the folder. Without a prompt it begins with a green banana, or with the first word that
    the model knows. Raises TypeError for a model that knows no words, and ValueError for a prompt that it cannot read.
    """

    KEPT = 8  # earlier results in the strip
    FEW_STEPS = 8  # with so many, a picture is there before the next letter is typed
    places: Sequence[ui.VBox] = ()  # of the strip; none yet in a box that is refused
    crisp: ui.Checkbox | None = None  # nor anything to tick
    drew: tuple | None = None  # with how many captions at once, and which versions of its weights, it drew last
    frozen: Model | None = None  # it, once it is frozen

    def __init__(self, model: nn.Module, prompt: str | None = None, *, folder: str | Path = RUNS):
        check_words(model)
        self.model, self.folder = model, Path(folder)
        self.world = WORLDS.get(model.config["world"])
        self.understand, usual = reader_of(model.config), sampling_of(model)
        prompt = ("a green banana" if self.world else model.vocabulary[1]) if prompt is None else prompt
        self.read(prompt)
        self.at_once = usual.steps <= self.FEW_STEPS
        about = dict(description="prompt", placeholder="a red apple", layout=LONG)
        self.words = ui.Text(value=prompt, continuous_update=self.at_once, **about)
        self.go = ui.Button(description="Draw it", button_style="primary")
        self.seed = ui.BoundedIntText(value=0, min=0, max=2**31, description="seed")
        scales = sorted({*(i / 2 for i in range(-4, 17)), usual.guidance_scale})
        counts = sorted({4, 8, 16, 25, 50, 100, usual.steps})
        late = dict(continuous_update=False)
        self.guidance = Slider(description="guidance", options=scales, value=usual.guidance_scale, **late)
        self.steps = Slider(description="steps", options=counts, value=usual.steps, **late)
        self.chips = [
            ui.Button(description=word, tooltip=f"put {word} into the prompt", layout={"width": "auto"})
            for word in (*COLOURS, *(kind for kind in KINDS if kind not in COLOURS))
            if self.world == FRUIT  # they know where in such a sentence a word belongs
        ]
        self.noisy, self.guess = Picture("noisy picture x_t"), Picture("current guess x0_hat")
        self.bar = ui.IntProgress(min=0, max=1, description="ready")
        self.places = [ui.VBox([Picture("", 96), ui.Label()]) for _ in range(self.KEPT)]
        self.strip = ui.HBox(layout=WRAP)
        self.save = ui.Button(description="Save picture and film", disabled=True, layout={"width": "auto"})
        self.enlarger, trouble = find_enlarger() if is_enlarged(model.config) else (None, "")
        self.crisp = ui.Checkbox(value=bool(self.enlarger), description="crisp", indent=False, layout=CELL)
        self.frames: list[Frame] = []
        self.results: list[tuple[str, Tensor]] = []
        columns = [ui.VBox([ui.Label(picture.tooltip), picture]) for picture in (self.noisy, self.guess)]
        super().__init__(
            ui.HBox([self.words, self.go]),
            ui.HBox(self.chips, layout=WRAP),
            ui.HBox([self.seed, self.guidance, self.steps], layout=WRAP),
            ui.HBox(columns, layout=WRAP),
            ui.HBox([self.bar, self.save, *([self.crisp] if self.enlarger else [])]),
            self.strip,
        )
        self.say(trouble)
        self.words.observe(self.hear(self.react), "value")
        for control in (self.seed, self.guidance, self.steps, self.crisp):
            control.observe(self.hear(self.draw), "value")
        self.go.on_click(self.hear(self.draw))
        self.save.on_click(self.hear(self.keep))
        for chip in self.chips:
            chip.on_click(self.hear(self.add_word))

    def add_word(self, chip: ui.Button) -> None:
        """Put a word into the prompt: a colour in place of the colour, a fruit in place of the fruit."""
        try:
            asked = prompts.understand(self.read(self.words.value)[0])
        except ValueError:
            asked = dict.fromkeys(("colour", "kind", "size_word", "background"))
        colour, kind, word = asked["colour"], asked["kind"], chip.description
        if word in KINDS and (word not in COLOURS or colour):  # "orange" is the fruit once there is a colour
            kind = word
        else:
            colour = word
        said = prompts.phrasings(
            kind or KINDS[0], colour or COLOURS[0], asked["size_word"] or "", asked["background"] or BACKGROUNDS[0]
        )  # the fourth names size, colour and kind, the sixth the background too, the last two the kind or the colour
        self.words.value = said[(5 if asked["background"] else 3) if kind and colour else 6 if kind else 7]

    def react(self, change) -> None:
        """Draw what was typed; where each letter is heard, wait while words are on their way."""
        if self.at_once and self.coming(change["old"], change["new"]):
            self.say()
        else:
            self.draw()

    def coming(self, old: str, new: str) -> bool:
        """Whether what was typed is no sentence yet but may become one, or is the old sentence with a space."""
        *before, last = said = new.casefold().split() or [""]
        try:
            self.understand(new)
        except ValueError:
            known = self.model.vocabulary
            return all(word in known for word in before) and any(word.startswith(last) for word in known)
        return said == old.casefold().split()

    def draw(self, change=None) -> None:
        """Begin a new picture; one that is under way is given up. Words it does not know are answered in place."""
        try:
            caption, note = self.read(self.words.value)
        except ValueError as error:
            self.stop()
            self.be_ready()
            return self.say(str(error))
        self.say(note)
        self.start(self.paint(caption))

    def close(self) -> None:
        super().close()
        close_all(*self.places, *filter(None, [self.crisp]))

    def be_ready(self) -> None:
        """Wait for the next wish."""
        self.bar.description, self.save.disabled = "ready", not self.frames

    def fail(self, error: BaseException) -> None:
        self.be_ready()
        super().fail(error)

    def read(self, prompt: str) -> tuple[str, str]:
        """The caption that a prompt is read as, all in words the network knows, and what to say of it."""
        reading = read_with(self.model.config, prompt)
        encode_for(self.model, reading.caption)
        return reading.caption, reading.note

    def moments(self, caption: str) -> Iterator[Frame]:
        """The generation that the controls ask for."""
        how = dict(steps=self.steps.value, guidance_scale=self.guidance.value)
        how |= dict(guidance_interval=sampling_of(self.model).guidance_interval)
        tokens, generator = encode_for(self.model, caption), torch.Generator().manual_seed(self.seed.value)
        model = self.quickest(tokens if self.guidance.value == 1 else tokens.repeat(2, 1))
        return sample(model, tokens, generator=generator, **how)

    def quickest(self, tokens: Tensor) -> Model:
        """The network as it is; once it has drawn such a picture with the same weights, frozen, which is quicker.

        Only the course's own networks: what else a network does when it is called, a frozen one may leave out.
        """
        if type(self.model) not in (Denoiser, SceneDenoiser):
            return self.model
        of = len(tokens), [value._version for value in self.model.state_dict().values()]
        if of != self.drew:
            self.drew, self.frozen = of, None
            return self.model
        self.frozen = self.frozen or frozen(self.model, tokens)
        return self.frozen

    async def paint(self, caption: str) -> None:
        """Make one picture, and show every step of it as it is computed."""
        frames, self.save.disabled = [], True
        self.bar.max, self.bar.value, self.bar.description = self.steps.value, 0, "drawing"
        for frame in self.moments(caption):
            frames.append(frame)
            self.noisy.value, self.guess.value = (show.png(x[0], scaled(x[0], 256)) for x in (frame.x_t, frame.x0_hat))
            self.bar.value = len(frames) - 1
            await rest()
        x = small = frames[-1].x_t
        if self.crisp.value:
            self.bar.description = "enlarging"
            for x in enlarging(self.enlarger, small, generator=noise_beside(self.seed.value)):
                self.guess.value = show.png(x[0], scaled(x[0], 256))
                await rest()
        self.frames = frames
        self.be_ready()
        self.doubt(x)
        self.results = [*self.results, (caption, x[0])][-self.KEPT :]
        for place, (words, x) in zip(self.places, reversed(self.results), strict=False):
            picture, label = place.children
            picture.value, picture.tooltip, label.value = show.png(x, scaled(x, 96)), words, words
        self.strip.children = self.places[: len(self.results)]

    def keep(self, button=None) -> None:
        """Write the last picture as PNG and its film as an animated GIF, under a name made of the words."""
        words, x = self.results[-1]
        name = re.sub(r"\W+", "_", words)[:100]
        try:
            show.save_png(x, self.folder / f"{name}.png", scaled(x, 256))
            show.save_film(self.frames, self.folder / f"{name}.gif")
        except OSError as error:
            return self.say(f"Could not be saved: {error}")
        self.say(f"Saved in {self.folder.name}/ as {name}.png and {name}.gif.")

    def figure(self) -> Figure:
        frames = self.frames or list(self.moments(self.read(self.words.value)[0]))
        self.doubt(frames[-1].x_t)
        return show.film(frames, columns=8)
