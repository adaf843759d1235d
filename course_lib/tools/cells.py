"""What a cell of a notebook showed before it was run again: nobody sees it any more, so its widgets are closed.

A kernel keeps every widget alive until it is closed, for the browser may still show it; so does the notebook, in `Out`.
"""

import sys
from collections.abc import Callable, Iterable, Iterator

SHOWN: dict[str, tuple[str, list[Callable]]] = {}  # cells: which time it was run, and what closes what it showed then


def held(widgets: Iterable) -> Iterator:
    """Widgets, and all that they hold: children, layouts, styles."""
    kind = sys.modules["ipywidgets"].Widget  # whoever has a widget has loaded this, which not everybody has installed
    for widget in widgets:
        if isinstance(widget, kind):
            yield widget
            values = [getattr(widget, name) for name in widget.keys]  # noqa: SIM118 - no dict
            yield from held([*values, *getattr(widget, "children", ())])


def close_all(*widgets) -> None:
    """Let the kernel and the browser forget these widgets, and all that they hold."""
    for widget in list(held(widgets)):
        sys.modules["ipywidgets"].Widget.close(widget)  # past what a panel's own `close` does besides


def running_cell() -> tuple[str, str] | None:
    """The cell of a notebook that is being run, and this time of it; None elsewhere.

    Where a front end gives cells no name, their text is one.
    """
    ipython = sys.modules.get("IPython")  # loaded wherever a cell is run
    request = getattr(ipython and ipython.get_ipython(), "get_parent", dict)()
    if request.get("header", {}).get("msg_type") != "execute_request":  # someone touches a control
        return None
    return request["metadata"].get("cellId") or request["content"]["code"], request["header"]["msg_id"]


def take_place(close: Callable[[], None]) -> None:
    """Close what this cell showed when it was run before; `close` is for what it shows now, once it is run again."""
    if cell := running_cell():
        time, earlier = SHOWN.get(cell[0], (cell[1], []))
        if time != cell[1]:
            for close_earlier in earlier:
                close_earlier()
            earlier = []
        SHOWN[cell[0]] = cell[1], [*earlier, close]
