"""Files are written whole or not at all, and tensors live in safetensors files, never in pickles."""

import hashlib
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
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
    """Write a file so that nobody ever sees half of it.

    Yields a temporary path in the same folder (made if missing); when the block ends well, that file takes the
    name `path` in one step; when it raises or is interrupted, it is removed and `path` stays as it was. A link stays a
    link, and its target is written. A file that was there keeps its permissions.

    Raises OSError if the folder cannot be made or written, the disk is full, or `path` is no regular file; what is
    written to the null device is lost, as it should be.
    """
    path = _target(path)
    if path == Path(os.devnull):
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder) / "lost"
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(4)}{path.suffix}")
    try:
        temporary.touch(0o666, exist_ok=False)  # less the umask, which the system takes off
        mode = stat.S_IMODE((path if path.exists() else temporary).stat().st_mode)
        temporary.chmod(mode | stat.S_IWUSR)  # before anything private is in it
        yield temporary
        temporary.chmod(mode)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno and error.filename in (None, str(temporary)):
            raise type(error)(error.errno, error.strerror, str(path)) from error  # the name that its reader knows
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _target(path: str | Path) -> Path:
    """The file that a path, or the link it is, leads to; OSError if no file can be written there."""
    found, mode = Path(os.path.realpath(path) if Path(path).is_symlink() else path), stat.S_IFREG
    if found.is_symlink():
        raise OSError(f"{path} is a link that leads back to itself. Name a file.")
    if Path(path).exists():
        mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{path} is a folder. Name a file.")
    if not stat.S_ISREG(mode) and found != Path(os.devnull):
        raise OSError(f"{path} is a pipe or a device, and only a file can be written whole. Name a file.")
    return found


def write_tensors(path: str | Path, tensors: dict[str, Tensor], about: dict) -> None:
    """Write tensors, and a JSON-able dict that says what they are, to a safetensors file, whole or not at all.

    Raises OSError as `whole_file`. Beside the dict stands a checksum of all that is in the file. Both are one entry of
    its metadata, a list, since the order of several entries changes from one writing to the next.
    """
    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    metadata = {"about": json.dumps([about, checksum(tensors, about)])}
    with whole_file(path) as temporary:
        try:
            save_file(tensors, temporary, metadata=metadata)
        except SafetensorError as error:  # not the OSError that it tells of, such as a full disk
            raise OSError(f"{path} could not be written: {error}") from error


def checksum(tensors: dict[str, Tensor], about: dict) -> str:
    """SHA-256 of tensors, their names, shapes and dtypes, and what is said about them."""
    found = hashlib.sha256(json.dumps(about).encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """Read what `write_tensors` wrote; files of earlier versions and of others may have no checksum.

    Raises FileNotFoundError, IsADirectoryError, or ValueError for a pickle and a damaged file.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted((file.name for file in path.glob("*.safetensors")), key=lambda name: "denoiser" not in name)
        raise IsADirectoryError(f"{path} is a folder. Name a file in it{f', such as {files[0]}' if files else ''}.")
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
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            said = file.metadata()["about"]
        about = json.loads(said)
        if isinstance(about, list):
            about = about[0]
            if said != json.dumps([about, checksum(tensors, about)]):
                raise ValueError("its checksum is not that of its contents")
        return tensors, dict(about)
    except (SafetensorError, TypeError, LookupError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is cut short, damaged, or no file of this course ({error}). "
            "Fetch it again, or make the shipped files anew with `make weights`."
        ) from error
