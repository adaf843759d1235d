"""What takes long to draw is drawn once and kept in a file, until the recipe changes."""

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from course_lib.tools.files import read_tensors, write_tensors


def drawn_once(
    path: str | Path, recipe: Sequence, make: Callable[[], tuple[Tensor, list[dict]]]
) -> tuple[Tensor, list[dict]]:
    """Open drawn pictures and their factors, or make them, if there are none or they follow another recipe.

    The pictures are (N, 3, H, W) uint8, the factors N dicts, as JSON can hold them. The recipe is all that decides how
    they look: modules and functions, whose code counts, and a tuple of values. Raises ValueError for a damaged file.
    """
    text = "".join(repr(part) if isinstance(part, tuple) else code(inspect.getsource(part)) for part in recipe)
    drawn_by = hashlib.sha256(text.encode()).hexdigest()
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


def named_for(path: str | Path, times: int) -> Path:
    """The file beside this one that holds so many times as many pictures: pictures-4.safetensors; itself for once."""
    path = Path(path)
    return path if times == 1 else path.with_stem(f"{path.stem}-{times}")


def code(source: str) -> str:
    """What a text in Python does: without comments, docstrings, blank lines and the ways to break a line."""
    tree = ast.parse(textwrap.dedent(source))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
