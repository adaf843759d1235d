"""What tests of the live page are given: a plain server on a free port of this computer, Chromium, and the page in it.

Needs Chromium, named in $CHROMIUM.
"""

import importlib.util
import os
import threading

import pytest
from browser import OPTIONS, ROOT
from live_page import SITE, Live
from playwright.sync_api import sync_playwright


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
