"""A slider that says what it sets: the browser's own control, which keyboards and screen readers know."""

from anywidget import AnyWidget
from traitlets import Bool, Float, Int, List, Unicode, Union, default, validate


class Slider(AnyWidget):
    """A slider from the first to the last of some numbers, with its name on the left and its number on the right.

    The sliders of ipywidgets 8 show their name to the eye only; a screen reader says a number and not what it is.
    Raises TraitError for a value that is no number.
    """

    description = Unicode().tag(sync=True)  # what it sets
    options = List().tag(sync=True)  # the numbers that it can be set to, in order
    value = Union([Int(), Float()]).tag(sync=True)  # at first the first option; between two it goes to the nearest
    continuous_update = Bool(True).tag(sync=True)  # tell the kernel while it is dragged, not only once it is let go

    _esm = """
    export default {
        render({ model, el }) {
            const options = model.get("options");
            const digits = Math.max(...options.map((option) => (String(option).split(".")[1] ?? "").length));

            el.classList.add("course-slider");
            el.innerHTML = `<label><span></span><input type="range"><span aria-hidden="true"></span></label>`;
            const [name, input, readout] = el.firstChild.children;
            name.textContent = model.get("description");
            input.max = options.length - 1;
            input.dataset.lmSuppressShortcuts = "";  // else the arrow keys of JupyterLab go from cell to cell

            const say = () => {
                readout.textContent = options[input.value].toFixed(digits);
                input.setAttribute("aria-valuetext", readout.textContent);
            };
            const show = () => {
                input.value = options.indexOf(model.get("value"));
                say();
            };
            const send = () => {
                model.set("value", options[input.value]);
                model.save_changes();
            };
            input.addEventListener("input", say);
            input.addEventListener(model.get("continuous_update") ? "input" : "change", send);
            model.on("change:value", show);
            show();
        },
    };
    """
    _css = """
    .course-slider { width: 300px; margin: 2px; color: var(--jp-ui-font-color1); font-size: var(--jp-ui-font-size1); }
    .course-slider label { display: flex; align-items: center; gap: 8px; height: 28px; }
    .course-slider label > :first-child { min-width: 80px; text-align: right; white-space: nowrap; }
    .course-slider input { flex: 1; min-width: 0; accent-color: var(--jp-brand-color1); }
    .course-slider label > :last-child { min-width: 5ch; font-variant-numeric: tabular-nums; }
    """

    @default("value")
    def _first(self) -> float:
        return self.options[0]

    @validate("value")
    def _nearest(self, proposal) -> float:
        return min(self.options, key=lambda option: abs(option - proposal.value))
