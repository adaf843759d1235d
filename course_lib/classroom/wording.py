"""What is shown of something that a learner made: one line, whatever it is."""

from course_lib.fruit.reader import printable


def one_line(text: str) -> str:
    """Text on one line, with what a screen would act on escaped."""
    return printable(" ".join(text.split()))


def shown(value: object, length: int = 80) -> str:
    """A value as Python writes it, on one line, cut; one that cannot be written is told by its type."""
    try:
        return one_line(repr(value))[:length]
    except Exception:  # a learner's own `__repr__`
        return f"a {type(value).__name__}"


def stops_with(error: BaseException) -> str:
    """What an error says, with its name in front: "ValueError: math domain error"."""
    try:
        said = str(error)
    except Exception:  # a learner's own `__str__`
        said = ""
    name = type(error).__name__
    return one_line(f"{name}: {said}") if said else name
