"""What tests in a browser are given: Chromium, named in $CHROMIUM, the built site on a free port, and its live page."""

import importlib.util
import os
import threading

import pytest
from live_page import ROOT, SITE, Live
from playwright.sync_api import sync_playwright

OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def address():
    path = ROOT / "notebooks" / "site" / "serve.py"
    serve = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("serve", path))
    spec.loader.exec_module(serve)
    with serve.server(SITE) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=os.environ["CHROMIUM"], args=OPTIONS.split())
        yield browser
        browser.close()


@pytest.fixture
def live(chromium, address, request):
    """The live page; a test may say how it is opened."""
    opened = Live(chromium, address, **getattr(request, "param", {}))
    yield opened
    opened.close()
