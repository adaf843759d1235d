"""What takes long to draw is drawn once and kept in a file, until the recipe changes."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from course_lib.tools.files import read_tensors, write_tensors


def drawn_once(
    path: str | Path, recipe: Sequence[str], make: Callable[[], tuple[Tensor, list[dict]]]
) -> tuple[Tensor, list[dict]]:
    """Open drawn pictures and their factors, or draw them, if there are none or they follow another recipe.

    Args:
        path: where they are kept.
        recipe: all that decides how they look, such as the text of the renderer.
        make: draws them: (N, 3, H, W) uint8, and N dicts of factors, as JSON can hold them.

    Returns:
        The pictures as bytes, (N, 3, H, W) uint8, and the factors.

    Raises:
        ValueError: the file is damaged.
    """
    drawn_by = hashlib.sha256("".join(recipe).encode()).hexdigest()
    if Path(path).is_file():
        try:
            tensors, about = read_tensors(path)
        except ValueError as error:
            raise ValueError(f"{path} is damaged. Delete it, and the pictures are drawn anew.") from error
        if about.get("drawn_by") == drawn_by:
            return tensors["x0"], about["factors"]
    x0, factors = make()
    write_tensors(path, {"x0": x0}, {"drawn_by": drawn_by, "factors": factors})
    return x0, factors
