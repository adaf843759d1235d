"""Progress bars: whoever works long takes one from its caller, and shows nothing by default."""

import contextlib
from collections.abc import Callable, Iterable, Iterator

from tqdm.auto import tqdm

from course_lib.tools.cells import close_all, take_place

Bar = Callable[[Iterable], Iterable]  # what shows progress, such as tqdm


def no_bar(items: Iterable) -> Iterable:
    """The progress bar that shows nothing."""
    return items


@contextlib.contextmanager
def bar(items: Iterable | None = None, description: str = "", leave: bool = True, **options) -> Iterator[tqdm]:
    """A tqdm bar. A widget is closed in the end, or, where the bar is to `leave`, once its cell is run again."""
    with tqdm(items, desc=description, leave=leave, **options) as shown:
        widgets = [shown.container] if hasattr(shown, "container") else []
        if widgets and leave:
            take_place(lambda: close_all(*widgets))
        try:
            yield shown
        finally:
            if widgets and not leave:
                shown.close()  # which still needs them
                close_all(*widgets)


def progress(reports: Iterable, description: str = "training", leave: bool = True) -> Iterator:
    """Pass the reports of `train` on, and show a bar with loss and time left, which stays there if it is to `leave`."""
    style = "{desc} {percentage:3.0f} %|{bar}| {remaining} left{postfix}"
    # smoothing: one slow step hardly moves the time left
    with bar(None, description, leave, total=100, bar_format=style, smoothing=0.05) as shown:
        for report in reports:
            shown.update(100 * report.done - shown.n)
            if report.step % 10 == 1 or report.done == 1:
                shown.set_postfix_str(f"loss {report.loss:.3f}, {report.pictures_per_second:.0f} pictures/s")
            yield report
