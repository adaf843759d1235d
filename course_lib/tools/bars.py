"""Progress bars: whoever works long takes one from its caller, and shows nothing by default."""

from collections.abc import Callable, Iterable, Iterator

from tqdm.auto import tqdm

Bar = Callable[[Iterable], Iterable]  # what shows progress, such as tqdm


def no_bar(items: Iterable) -> Iterable:
    """The progress bar that shows nothing."""
    return items


def progress(reports: Iterable, description: str = "training", leave: bool = True) -> Iterator:
    """Pass the reports of `train` on, and show a bar with loss and time left, which stays there if it is to `leave`."""
    style = "{desc} {percentage:3.0f} %|{bar}| {remaining} left{postfix}"
    # smoothing: one slow step hardly moves the time left
    with tqdm(total=100, desc=description, leave=leave, bar_format=style, smoothing=0.05) as bar:
        for report in reports:
            bar.update(100 * report.done - bar.n)
            if report.step % 10 == 1 or report.done == 1:
                bar.set_postfix_str(f"loss {report.loss:.3f}, {report.pictures_per_second:.0f} pictures/s")
            yield report
