"""Serve build/site on this computer, and open it: `make site-open`. Ctrl-C ends it.

It reads files and does nothing else, and what it reads is meant for everybody: so it needs no token. It listens on this
computer alone.
"""

import argparse
import contextlib
import mimetypes
import sys
import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SITE = Path(__file__).resolve().parents[2] / "build" / "site"
PACKED = {"br": ".br", "gzip": ".gz"}  # what a browser takes, and how the files are called; the smaller first
TYPES = {  # what the registry of a system may lack or have wrong
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".json": "application/json",
    ".md": "text/plain",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}


class Handler(SimpleHTTPRequestHandler):
    """Files of one folder, packed where the browser takes them so; no lists of what is in a folder."""

    protocol_version = "HTTP/1.1"  # one connection for many files
    packed = None  # "br" or "gzip", when the answer is

    def translate_path(self, path: str) -> str:
        found = Path(super().translate_path(path))
        if path.partition("?")[0].endswith("/"):
            found = found / "index.html"
        taken = [part.partition(";")[0].strip() for part in self.headers.get("Accept-Encoding", "").split(",")]
        self.packed = None
        for name, ending in PACKED.items():
            if name in taken and found.with_name(found.name + ending).is_file():
                self.packed = name
                return f"{found}{ending}"
        return str(found)

    def guess_type(self, path: str) -> str:
        name = Path(path.removesuffix(PACKED[self.packed]) if self.packed else path)
        kind = TYPES.get(name.suffix) or mimetypes.guess_type(name.name)[0] or "application/octet-stream"
        return f"{kind}; charset=utf-8" if kind.startswith("text/") or kind == "application/json" else kind

    def send_response(self, code: int, message: str | None = None) -> None:
        super().send_response(code, message)
        if self.packed and code == 200:
            self.send_header("Content-Encoding", self.packed)
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Cache-Control", "no-cache")  # ask again each time: the site may have been built anew
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")  # with the next: threads, half as long to wait
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")

    def list_directory(self, path: str) -> None:
        self.send_error(404)

    def log_message(self, *arguments) -> None:
        pass


def server(folder: Path = SITE, port: int = 0) -> ThreadingHTTPServer:
    """A server of this folder on 127.0.0.1, on a free port if none is named; `serve_forever` begins it."""
    if not (folder / "index.html").is_file():
        raise FileNotFoundError(f"There is no site in {folder}. `make site` builds it.")
    made = ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(folder)))
    made.daemon_threads = True
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the site of the course on this computer.")
    parser.add_argument("--port", type=int, default=0, help="a free one if none is named")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    options = parser.parse_args()
    try:
        serving = server(port=options.port)
    except (OSError, OverflowError) as error:
        sys.exit(str(error))
    address = f"http://127.0.0.1:{serving.server_port}/"
    print(f"The site is at {address}, the book at {address}book/. Ctrl-C ends it.", flush=True)
    if not options.no_browser:
        webbrowser.open(address)
    with serving, contextlib.suppress(KeyboardInterrupt):
        serving.serve_forever()


if __name__ == "__main__":
    main()
