from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from harness.errors import RunError, UserError
from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import ServeConfig, load_config
from harness.serving import process as module
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess

WaitFor = Callable[[Callable[[], bool]], None]
IsGone = Callable[[int], bool]

PARENT = """
import sys
from pathlib import Path
from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import ServeConfig
from harness.serving.process import ServerProcess
with ServerProcess(BUNDLED_MODEL, "world", ServeConfig(), Path(sys.argv[1]), slots=1) as server:
    print(server.pid, flush=True)
    sys.stdin.read()
"""


def prepare(tmp_path: Path, model: Path = BUNDLED_MODEL, serve: ServeConfig | None = None) -> ServerProcess:
    return ServerProcess(model, "world", serve or ServeConfig(), tmp_path / "server.log", slots=2)


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let this code take the place of the server."""
    monkeypatch.setattr(module, "command", lambda _name: [sys.executable, "-c", code])


def test_a_server_starts_answers_and_stops(tmp_path: Path, is_gone: IsGone) -> None:
    (tmp_path / "server.log").write_text("what the last server said\n")
    with prepare(tmp_path, serve=load_config("f16_kv_q8_0").serve) as server:
        pid, url = server.pid, server.base_url
        health = httpx.get(url.removesuffix("/v1") + "/health", trust_env=False)
        models = httpx.get(url + "/models", trust_env=False).json()
        server.check_alive()
        arguments = psutil.Process(pid).cmdline()
    assert health.is_success
    assert [model["id"] for model in models["data"]] == ["world"]
    assert arguments[arguments.index("--cache-type-k") + 1] == "q8_0"
    assert arguments[arguments.index("--flash-attention") + 1] == "on"
    assert arguments[arguments.index("--batch-size") + 1] == "512"
    assert is_gone(pid)
    assert (tmp_path / "server.log").read_text().startswith("what the last server said\nserving world")
    with socket.socket() as again:
        again.bind(("127.0.0.1", urlsplit(url).port or 0))  # the port is free
    server.stop()  # a second time does nothing


LOADING = """
import http.server, socket, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += 1
        ready = time.monotonic() > begin + 1
        if ready:
            print(Handler.asked, flush=True)
        self.send_response(200 if ready else 503)
        self.end_headers()
    def log_message(self, *_):
        pass
begin = time.monotonic()
server = http.server.HTTPServer(("", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
server.server_activate()
server.serve_forever()
"""


def test_a_server_that_loads_is_asked_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, LOADING)
    with prepare(tmp_path):
        asked = int((tmp_path / "server.log").read_text())
    assert 2 <= asked <= 25


def test_no_server_is_left_after_an_error(tmp_path: Path, is_gone: IsGone) -> None:
    pids: list[int] = []

    def fail(server: ServerProcess) -> None:
        with server:
            pids.append(server.pid)
            raise KeyError

    with pytest.raises(KeyError):
        fail(prepare(tmp_path))
    assert is_gone(pids[0])


def test_a_model_that_llama_cpp_refuses(tmp_path: Path, refused_gguf: Path) -> None:
    with pytest.raises(UserError) as caught:
        prepare(tmp_path, refused_gguf).__enter__()
    said = str(caught.value)
    assert said.startswith(f"{refused_gguf}: llama.cpp ")
    assert "key not found in model" in said  # llama.cpp's own reason, since nobody will see the log


def test_a_model_that_the_server_refuses(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("no model at all, and long enough")
    with pytest.raises(UserError, match=r"text\.gguf is not a GGUF file: it does not begin with 'GGUF'"):
        prepare(tmp_path, tmp_path / "text.gguf").__enter__()


def test_a_server_that_was_killed_is_told_at_the_next_request(tmp_path: Path) -> None:
    with prepare(tmp_path) as server, Endpoint(server.base_url, "world", alive=server.check_alive) as endpoint:
        endpoint.self_test()
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(RunError) as caught:
            endpoint.self_test()
    said = str(caught.value)
    assert said.startswith("The server for world was killed by signal 9. Its log ends with: ")
    assert f"serving world at {server.base_url}" in said


def test_a_parent_that_is_killed_leaves_no_server(tmp_path: Path, is_gone: IsGone, wait_for: WaitFor) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.kill()
    wait_for(lambda: is_gone(pid))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('a'); print('b'); exit(3)", r"ended with status 3\. Its log ends with: a \| b$"),
        ("import os; os.abort()", r"was killed by signal 6\. Its log is empty\.$"),
        ("for i in range(9): print(i)", r"ended with status 0\. Its log ends with: 4 \| 5 \| 6 \| 7 \| 8$"),
    ],
    ids=["status", "abort", "end"],
)
def test_a_server_that_dies_before_it_is_ready(
    code: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, code)
    with pytest.raises(RunError, match=f"^The server for world {said}"):
        prepare(tmp_path).__enter__()


def test_a_refusal_is_found_under_whatever_follows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "print('error: too small'); [print('x') for _ in range(50)]; exit(2)")
    with pytest.raises(UserError, match=r"^too small$"):
        prepare(tmp_path).__enter__()


def test_a_server_that_is_never_ready_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_gone: IsGone
) -> None:
    stand_in(monkeypatch, "import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    monkeypatch.setattr(module, "START_SECONDS", 0.5)
    with pytest.raises(RunError, match=r"^The server for world was not ready after 0\.5 seconds\. Its log ends"):
        prepare(tmp_path).__enter__()
    assert is_gone(int((tmp_path / "server.log").read_text()))


def test_a_server_that_does_not_stop_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_gone: IsGone, wait_for: WaitFor
) -> None:
    deaf = "import os, signal, time; signal.signal(15, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(600)"
    stand_in(monkeypatch, deaf)
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)
    server = prepare(tmp_path)
    server._start()
    log = tmp_path / "server.log"
    wait_for(lambda: log.read_text().endswith("\n"))
    server.stop()
    assert is_gone(int(log.read_text()))
