"""The site's sources, how they are laid together, and how the site is served.

Neither npm nor Sphinx nor a browser is needed here; `make test-site` has what needs them.
"""

import importlib
import json
import re
import sys
import threading
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "notebooks" / "site"
SOURCES = [path for folder in ("book", "live") for path in sorted((HERE / folder).rglob("*")) if path.is_file()]
SOURCES += sorted(path for path in HERE.glob("*") if path.suffix in (".py", ".js", ".mjs"))
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def site():
    """The programs of the site."""
    sys.path.insert(0, str(HERE))
    yield {name: importlib.import_module(name) for name in ("make_site", "serve")}
    sys.path.remove(str(HERE))


@pytest.fixture
def gathered(site, tmp_path, monkeypatch):
    """The sources of the book, laid together; in place of the npm package two small files."""
    katex = tmp_path / "modules" / "katex" / "dist"
    (katex / "fonts").mkdir(parents=True)
    (katex / "katex.min.css").write_text("", encoding="utf-8")
    (katex / "fonts" / "a.woff2").write_bytes(b"")
    monkeypatch.setattr(site["make_site"], "MODULES", tmp_path / "modules")
    site["make_site"].gather(tmp_path / "book")
    return tmp_path / "book"


# ---------------------------------------------------------------- the sources


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(HERE).as_posix())
def test_no_source_loads_anything_from_elsewhere(path):
    """Links that a reader may follow are fine; what a page would fetch by itself is not."""
    text = path.read_text(encoding="utf-8")
    fetched = r"""(?:src|srcset|data-src)=["']?(?:https?:)?//|url\(["']?(?:https?:)?//|@import|<link[^>]*https?://"""
    fetched += r"""|(?:from|import|import\(|fetch\()\s*["'](?:https?:)?//"""
    assert not re.findall(fetched, text)
    assert text.count("\n") <= 400 or path.suffix not in (".py", ".js", ".mjs")


def test_npm_packages_have_exact_versions_and_the_lock_names_no_registry():
    package = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))
    wanted = package["dependencies"] | package["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    assert {"katex", "axe-core", "onnxruntime-web"} <= set(wanted)
    assert all(lock["packages"][f"node_modules/{name}"]["version"] == version for name, version in wanted.items())
    assert not [name for name, about in lock["packages"].items() if "resolved" in about]


def test_the_book_holds_every_lesson_in_order_and_no_place_is_left_unfilled(gathered):
    index = (gathered / "index.md").read_text(encoding="utf-8")
    assert "<!-- README" not in index
    assert "[0-9]*" in index.split("```{toctree}")[1]  # Sphinx sorts what a pattern finds
    assert [path.stem for path in sorted(gathered.glob("[0-9]*"))] == LESSONS
    linked = re.findall(r"\]\((\d\d_\w+)\.ipynb\)", index)
    assert linked == LESSONS
    for path in gathered.glob("*.ipynb"):
        assert path.read_bytes() == (ROOT / "notebooks" / path.name).read_bytes()


def test_each_link_of_the_laid_together_pages_leads_to_a_file(gathered):
    pages = [*gathered.rglob("*.md")]
    assert len(pages) > 10
    for page in pages:
        for link in re.findall(r'\]\(([^)#\s]+)|src="([^"]+)"', page.read_text(encoding="utf-8")):
            link = "".join(link)
            if not re.match(r"https?:|mailto:", link):
                assert (page.parent / link).is_file(), f"{page.name}: {link}"


def test_a_part_that_the_readme_lacks_is_not_left_out_in_silence(site):
    readme = "# A\n\n![Noise.](data/x.png)\n\n*Words.*\n\n## One\n\nSee [it](notebooks/01_a.ipynb), [more](LICENSE).\n"
    opening = site["make_site"].opening
    assert opening("<!-- README: One -->", readme).strip() == "See [it](01_a.ipynb), [more](LICENSE.txt)."
    assert opening("<!-- README: figure -->", readme).strip() == "![Noise.](x.png)\n\n*Words.*"
    with pytest.raises(KeyError, match="Two"):
        opening("<!-- README: Two -->", readme)


def test_the_notation_names_what_the_library_names():
    table = (HERE / "book" / "notation.md").read_text(encoding="utf-8").split("\n## ")[0]
    names = [re.search(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines() if line.startswith("| ")][1:]
    names = {name.group(1) for name in names if name}
    assert {"x0", "eps", "t", "x_t", "x0_hat", "tokens", "guidance_scale"} <= names
    library = "".join((ROOT / "course_lib" / f"{name}.py").read_text(encoding="utf-8") for name in ("noise", "sample"))
    assert not [name for name in names if not re.search(rf"\b{name}\b", library)]


# ---------------------------------------------------------------- whole, and served


def test_a_site_is_there_whole_or_the_old_one_stays(site, tmp_path):
    whole_folder = site["make_site"].whole_folder
    for text in ("old", "new"):
        with whole_folder(tmp_path / "site") as folder:
            (folder / text).write_text(text, encoding="utf-8")
        assert [path.name for path in (tmp_path / "site").iterdir()] == [text]
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "site") as folder:
        (folder / "half").write_text("", encoding="utf-8")
        raise RuntimeError
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.fixture
def served(site, tmp_path):
    folder = tmp_path / "site"
    (folder / "book").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("not for you", encoding="utf-8")
    for name in ("index.html", "app.mjs", "net.wasm", "net.onnx", "book/index.html"):
        for ending in ("", ".br", ".gz"):  # the server does not look into what it sends
            (folder / f"{name}{ending}").write_text(f"{name}{ending}", encoding="utf-8")
    (folder / "plain.txt").write_text("plain", encoding="utf-8")
    (folder / "empty").mkdir()
    with site["serve"].server(folder) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}/"
        serving.shutdown()


def ask(address: str, encoding: str = "identity") -> tuple[str, Message]:
    request = urllib.request.Request(address, headers={"Accept-Encoding": encoding})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode(), answer.headers


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "text/html; charset=utf-8"),
        ("book/", "text/html; charset=utf-8"),
        ("app.mjs", "text/javascript; charset=utf-8"),
        ("net.wasm", "application/wasm"),
        ("net.onnx", "application/octet-stream"),
    ],
)
def test_a_file_is_served_in_the_packing_that_the_browser_takes(served, name, kind):
    file = f"{name}index.html" if not name or name.endswith("/") else name
    for taken, encoding, ending in (
        ("identity", None, ""),
        ("gzip, deflate, br;q=0.9, zstd", "br", ".br"),
        ("gzip", "gzip", ".gz"),
    ):
        content, headers = ask(served + name, taken)
        assert content == f"{file}{ending}" and headers["Content-Encoding"] == encoding
        assert headers["Content-Type"] == kind and headers["Vary"] == "Accept-Encoding"


def test_what_is_not_packed_is_served_as_it_is(served):
    content, headers = ask(served + "plain.txt?x=/", "gzip, br")
    assert content == "plain" and "Content-Encoding" not in headers


@pytest.mark.parametrize("name", ["empty/", "no.html", "../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt"])
def test_there_are_no_lists_and_nothing_outside_the_folder_is_served(served, name):
    with pytest.raises(urllib.error.HTTPError) as error:
        ask(served + name, "br")
    assert error.value.code == 404 and "Content-Encoding" not in error.value.headers


def test_without_a_site_the_server_says_what_to_do(site, tmp_path):
    with pytest.raises(FileNotFoundError, match="make site"):
        site["serve"].server(tmp_path)
