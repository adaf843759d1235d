"""Build the site, the live page and the book, into build/site: `make site`. All at once, or what was there stays."""

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SITE = ROOT / "build" / "site"
MODULES = HERE / "node_modules"

# What the live page needs from npm, file by file: onnxruntime-web's bundle for WebAssembly alone, and what packs films.
VENDORED = [
    "onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
    "gifenc/dist/gifenc.esm.js",
]
LICENCES = ["gifenc/LICENSE.md", "katex/LICENSE"]  # onnxruntime-web ships none: it lies in licences/

# Where what README.md and data/benchmarks/README.md link to lies in the book.
MOVED = {
    r"notebooks/": "",
    r"(?:data/)?benchmarks/README\.md": "results/index.md",
    r"data/README\.md": "files.md",
    r"data/": "",
    r"CONTRIBUTING\.md": "contributing.md",
    r"(LICENSE(?:-CC-BY-4\.0)?)\b": r"\1.txt",
    r"(CITATION\.cff)": r"\1",
}

PACKED = {".html", ".css", ".js", ".mjs", ".json", ".svg", ".txt", ".md", ".wasm", ".onnx"}
WORTH_PACKING = 1024  # bytes


def moved(text: str, root: str = "", book: str = "") -> str:
    """Markdown with its links as they are in the book; those to elsewhere stay.

    root and book lead to the repository's folder from where the page lies, and to the book's from where it will.
    """
    for old, new in MOVED.items():
        text = re.sub(rf'(?<=\]\(){re.escape(root)}{old}|(?<=src="){re.escape(root)}{old}', book + new, text)
    return text


def sections(readme: str) -> dict[str, str]:
    """The parts of a page by their headings of the second level; "" is what stands before the first."""
    first, *others = re.split(r"^## ", readme, flags=re.MULTILINE)
    return {"": first} | dict(part.split("\n", 1) for part in others)


def opening(template: str, readme: str) -> str:
    """The first page: where the template says `<!-- README: Heading -->`, that part of README.md, and its figure."""
    parts = sections(readme)
    parts["figure"] = re.search(r"^!\[.*?(?=\n## |\Z)", parts.pop(""), re.MULTILINE | re.DOTALL).group()
    return re.sub(r"^<!-- README: (.+) -->$", lambda place: moved(parts[place.group(1)]), template, flags=re.MULTILINE)


def gather(folder: Path) -> None:
    """Lay the sources of the book together: its own files, the lessons, the results, what they show."""
    shutil.copytree(HERE / "book", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("katex.py", "still.py"):
        shutil.copy(HERE / name, folder)
    for path in [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "data").glob("*.png"), ROOT / "CITATION.cff"]:
        shutil.copy(path, folder)
    for name in ("LICENSE", "LICENSE-CC-BY-4.0"):
        shutil.copy(ROOT / name, folder / f"{name}.txt")
    shutil.copytree(ROOT / "notebooks" / "instructor", folder / "instructor", ignore=shutil.ignore_patterns(".*"))
    results = folder / "results"
    results.mkdir()
    for path in (ROOT / "data" / "benchmarks").iterdir():
        if path.suffix in (".md", ".png") and path.name != "README.md":
            shutil.copy(path, results)

    def write(name: str, text: str) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    def read(name: str) -> str:
        return (ROOT / name).read_text(encoding="utf-8")

    write("index.md", opening((HERE / "book" / "index.md").read_text(encoding="utf-8"), read("README.md")))
    write("results/index.md", moved(read("data/benchmarks/README.md")))
    write("files.md", moved(read("data/README.md")))
    write("contributing.md", moved(read("CONTRIBUTING.md")))
    for path in (ROOT / "notebooks" / "instructor").glob("*.md"):
        write(f"instructor/{path.name}", moved(path.read_text(encoding="utf-8"), "../../", "../"))

    shutil.copy(HERE / "live" / "icon.svg", folder / "static")
    katex = folder / "static" / "katex"
    (katex / "fonts").mkdir(parents=True)
    shutil.copy(MODULES / "katex" / "dist" / "katex.min.css", katex)
    for path in (MODULES / "katex" / "dist" / "fonts").glob("*.woff2"):
        shutil.copy(path, katex / "fonts")


def make_book(work: Path, out: Path) -> None:
    """The book by Sphinx, where every warning is an error."""
    gather(work / "book")
    options = ["-W", "--keep-going", "-n", "-q", "-d", work / "doctrees", "-D", f"katex_script={HERE / 'formulas.mjs'}"]
    made = work / "html"  # not yet in its place: beside it, myst-nb leaves the lessons once more
    subprocess.run([sys.executable, "-B", "-m", "sphinx", *options, work / "book", made], check=True)
    for path in [*made.rglob("*.map"), *made.rglob("*macros.html"), made / ".buildinfo", made / "objects.inv"]:
        path.unlink(missing_ok=True)
    shutil.move(made, out)


def make_live(out: Path) -> None:
    """The live page, what runs its networks, and the networks."""
    shutil.copytree(HERE / "live", out, dirs_exist_ok=True)
    vendor = out / "vendor"
    vendor.mkdir()
    for name in VENDORED:
        shutil.copy(MODULES / name, vendor)
    shutil.copytree(HERE / "licences", vendor / "licences")
    for name in LICENCES:
        shutil.copy(MODULES / name, vendor / "licences" / f"{name.partition('/')[0]}.txt")
    command = [sys.executable, "-m", "course_lib", "export", "--to", "page", out / "data"]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)  # it would name a folder that is moved


def pack(path: Path, before: Path) -> None:
    """Write a file once more as .br and once as .gz, for browsers that take them; as last time if it is the same."""
    import brotli  # which whoever only lays the book together need not have

    content = path.read_bytes()
    packed = {
        ".br": lambda: brotli.compress(content, quality=11, lgwin=24),
        ".gz": lambda: gzip.compress(content, 9, mtime=0),
    }
    same = before.is_file() and before.read_bytes() == content
    for ending, make in packed.items():
        old = before.with_name(before.name + ending)
        path.with_name(path.name + ending).write_bytes(old.read_bytes() if same and old.is_file() else make())


def pack_all(site: Path) -> None:
    """Pack all that is worth it."""
    paths = [path for path in site.rglob("*") if path.suffix in PACKED and path.stat().st_size > WORTH_PACKING]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda path: pack(path, SITE / path.relative_to(site)), paths):
            pass


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder that takes the name `path` when all is in it, and in the place of what had the name before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".site-") as work:
        new = Path(work) / "new"
        new.mkdir()
        yield new
        if path.exists():
            path.rename(Path(work) / "old")
        new.rename(path)


def main() -> None:
    if not (MODULES / "katex").is_dir():
        sys.exit("The packages of the page are missing. `make site` fetches them, then builds the site.")
    with whole_folder(SITE) as site, tempfile.TemporaryDirectory(dir=SITE.parent, prefix=".book-") as work:
        make_live(site)
        make_book(Path(work), site / "book")
        pack_all(site)
    size = sum(path.stat().st_size for path in SITE.rglob("*") if path.suffix not in (".br", ".gz"))
    print(f"The site is in {SITE.relative_to(ROOT)}, {size / 1e6:.0f} MB. `make site-open` opens it.")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:  # which has said why
        sys.exit(error.returncode)
