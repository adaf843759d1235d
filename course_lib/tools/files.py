"""Files are written whole or not at all, and tensors live in safetensors files, never in pickles."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

PACKAGE = Path(__file__).resolve().parents[1]
CHECKOUT = not (PACKAGE / "data").is_dir()  # else a wheel was installed, which carries the shipped files inside
DATA = PACKAGE.parent / "data" if CHECKOUT else PACKAGE / "data"  # the shipped files
# What is trained and drawn stays in the project; an installed package may be read-only, so there the current folder.
RUNS = PACKAGE.parent / "runs" if CHECKOUT else Path("runs")
DRAWN = DATA if CHECKOUT else RUNS  # the training pictures


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Write a file so that nobody ever sees half of it. Raises OSError if its folder cannot be made or written.

    Yields a temporary path in the same folder (made if missing); when the block ends well, that file takes the
    name `path` in one step; when it raises or is interrupted, it is removed and `path` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp's files are private
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_tensors(path: str | Path, tensors: dict[str, Tensor], about: dict) -> None:
    """Write tensors, and a JSON-able dict that says what they are, to a safetensors file, whole or not at all."""
    with whole_file(path) as temporary:
        tensors = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
        save_file(tensors, temporary, metadata={"about": json.dumps(about)})


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """Read what `write_tensors` wrote. Raises FileNotFoundError, or ValueError for a pickle and a damaged file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path}. `python -m course_lib train` makes weights of your own, "
            "`make weights` the shipped files anew."
        )
    with path.open("rb") as file:
        start = file.read(9)  # a safetensors file has the length of its header here, then a brace
    if start[8:] != b"{" and start[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise ValueError(
            f"{path} is a pickle, as torch.save writes them. Opening one can run any program hidden in it, "
            "so this course reads safetensors files only."
        )
    try:
        with safe_open(path, framework="pt") as file:
            about = dict(json.loads(file.metadata()["about"]))
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118
    except (SafetensorError, TypeError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path} is cut short, damaged, or no file of this course ({error}). "
            "Fetch it again, or make the shipped files anew with `make weights`."
        ) from error
