"""Drop a point of noise on the plane of the two fruits, and watch it travel."""

import ipywidgets as ui
import torch
from anywidget import AnyWidget
from matplotlib.figure import Figure
from traitlets import Dict, List, Unicode

from course_lib.classroom import plane
from course_lib.noise import Model
from course_lib.sample import Frame
from course_lib.widgets.panel import LONG, WRAP, Panel, play
from course_lib.widgets.slider import Slider

PLACES = [i / 10 for i in range(-22, 23)]  # where a point can be dropped, right and up
STEPS = [1, 2, 3, 5, 10, 20, 50]
TOLD = {"": "no fruit, between the two", "banana": "the banana", "apple": "the apple"}


class Ground(AnyWidget):
    """The plane itself: it draws a road, and tells where someone points. The picture is the browser's own (SVG)."""

    backdrop = Unicode().tag(sync=True)  # the address of the picture that lies under all
    at = List([0.0, 0.0]).tag(sync=True)  # where someone has pointed: right, up
    shown = Dict().tag(sync=True)  # road and guesses, each [[right, up], ...]; here, a place in them; colour; words

    _esm = """
    export default {
        render({ model, el }) {
            const reach = %(reach)s;
            const make = (name, attributes) => {
                const made = document.createElementNS("http://www.w3.org/2000/svg", name);
                for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
                return made;
            };
            el.classList.add("course-ground");
            const svg = make("svg", { viewBox: `${-reach} ${-reach} ${2 * reach} ${2 * reach}`, role: "img" });
            const under = { x: -reach, y: -reach, width: 2 * reach, height: 2 * reach, href: model.get("backdrop") };
            const image = make("image", under);
            const line = { fill: "none", "stroke-width": 0.035 };
            const road = make("polyline", line);
            const hopes = make("polyline", { ...line, stroke: "#222", "stroke-width": 0.02, "stroke-dasharray": 0.05 });
            const arrow = make("line", { stroke: "#222", "stroke-width": 0.02 });
            const guess = make("path", { stroke: "#222", "stroke-width": 0.04 });
            const point = make("circle", { r: 0.07, stroke: "white", "stroke-width": 0.02 });
            svg.append(image, hopes, road, arrow, guess, point);
            el.append(svg);

            const draw = () => {
                const shown = model.get("shown");
                if (!shown.road) return;
                const listed = (points) => points.map(([x, y]) => `${x},${-y}`).join(" ");
                const [x, y] = shown.road[shown.here], [a, b] = shown.guesses[shown.here];
                road.setAttribute("points", listed(shown.road));
                road.setAttribute("stroke", shown.colour);
                point.setAttribute("fill", shown.colour);
                hopes.setAttribute("points", listed(shown.guesses.slice(0, shown.here + 1)));
                for (const [key, value] of Object.entries({ x1: x, y1: -y, x2: a, y2: -b })) {
                    arrow.setAttribute(key, value);
                }
                guess.setAttribute("d", `M${a - 0.07},${-b - 0.07} l0.14,0.14 m0,-0.14 l-0.14,0.14`);
                point.setAttribute("cx", x);
                point.setAttribute("cy", -y);
                svg.setAttribute("aria-label", shown.words);
            };
            const drop = (event) => {
                if (event.type === "pointermove" && !event.buttons) return;
                const box = svg.getBoundingClientRect();
                const across = (event.clientX - box.left) / box.width, down = (event.clientY - box.top) / box.height;
                model.set("at", [(2 * across - 1) * reach, (1 - 2 * down) * reach]);
                model.save_changes();
            };
            svg.addEventListener("pointerdown", drop);
            svg.addEventListener("pointermove", drop);
            model.on("change:shown", draw);
            draw();
        },
    };
    """ % {"reach": plane.REACH}  # noqa: UP031 - braces are JavaScript's
    _css = """
    .course-ground { width: 440px; max-width: 100%; }
    .course-ground svg { display: block; border: 1px solid #bbb; cursor: crosshair; touch-action: none; }
    """


class FlowPlane(Panel):
    """Drop a point by pointing or with two sliders; choose the number of steps; walk along its road and see its guess.

    The model is called as (x_t, t), as `plane.road` does; x0 are the points of the fruits, which lie under the road.
    """

    def __init__(self, model: Model, x0: plane.Points, *, place: tuple[float, float] = (-0.3, 1.6)):
        self.model, self.x0 = model, x0
        plane.check_points(x0)
        self.film = self.travel(*place, STEPS[-2])  # before there are widgets: a model may be refused
        self.x = Slider(description="start, right", options=PLACES, value=place[0], layout=LONG)
        self.y = Slider(description="start, up", options=PLACES, value=place[1], layout=LONG)
        self.steps = Slider(description="steps", options=STEPS, value=STEPS[-2], layout=LONG)
        self.done = Slider(description="done, %", options=list(range(101)), layout=LONG)
        self.play = ui.Button(description="Play", icon="play", tooltip="from the noise to the fruit")
        self.ground, self.title = Ground(backdrop=plane.ground(x0)), ui.HTML()
        walk = ui.HBox([self.done, self.play], layout=WRAP)
        legend = ui.Label("● the point x_t    × its guess x0_hat    click or drag to drop the point elsewhere")
        controls = ui.VBox([self.x, self.y, self.steps, walk, self.title])
        super().__init__(ui.HBox([ui.VBox([self.ground, legend]), controls], layout=WRAP))
        self.start_anew()
        for control in (self.x, self.y, self.steps):
            control.observe(self.hear(self.start_anew), "value")
        self.done.observe(self.hear(self.redraw), "value")
        self.ground.observe(self.hear(self.drop), "at")
        self.play.on_click(self.hear(lambda button: self.start(play(self.done))))

    def travel(self, x: float, y: float, steps: int) -> list[Frame]:
        """All moments of one point's road."""
        return plane.road(self.model, torch.tensor([x, y])[None, :, None, None], steps)

    def drop(self, change) -> None:
        """Take the place where someone pointed for the start."""
        self.x.value, self.y.value = change.new

    def start_anew(self, change=None) -> None:
        """Work out the road from where the sliders are."""
        self.film = self.travel(self.x.value, self.y.value, self.steps.value)
        self.redraw()

    def redraw(self, change=None) -> None:
        """Show the road, and the point and its guess at the place of the slider."""
        self.say()
        here = round(self.done.value / 100 * (len(self.film) - 1))
        frame = self.film[here]
        way, hopes = (torch.stack([getattr(f, part)[0].flatten() for f in self.film]) for part in ("x_t", "x0_hat"))
        self.doubt(torch.cat([way, hopes]))
        (ends,), (guess,) = plane.fruit_of(self.film[-1].x_t), plane.fruit_of(frame.x0_hat)
        words = f"At t = {frame.t:.2f} the guess lies on {TOLD[guess]}. This road ends on {TOLD[ends]}."
        self.title.value = f"<p>{words}</p>"
        self.ground.shown = dict(
            road=way.nan_to_num().tolist(), guesses=hopes.nan_to_num().tolist(), here=here, words=words
        ) | dict(colour=plane.ROADS[ends])

    def figure(self) -> Figure:
        films = {f"{n} step{'s' * (n > 1)}": self.travel(self.x.value, self.y.value, n) for n in (1, 3, 20)}
        return plane.roads(films, self.x0, guesses=True)
