"""What several rooms of the harness need: a served bundled model, made-up instances, and waiting with a deadline."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest

from harness.models.bundled import BUNDLED_MODEL
from harness.models.config import ServeConfig
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.types import Instance, Reference

SLOTS = 4


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The bundled model on a real server. All tests ask it, so none may stop it."""
    log = tmp_path_factory.mktemp("served") / "server.log"
    with ServerProcess(BUNDLED_MODEL, "world", ServeConfig(), log, slots=SLOTS) as server:
        yield server


@pytest.fixture
def endpoint(served: ServerProcess) -> Iterator[Endpoint]:
    """A client of the real server."""
    with Endpoint(served.base_url, "world", alive=served.check_alive) as found:
        yield found


@pytest.fixture
def breaking() -> Iterator[Callable[[int], str]]:
    """Start a server that streams so many completions of one token and breaks off in the next; returns its URL."""
    with ExitStack() as stack:
        yield lambda after: stack.enter_context(_breaking(after))


@contextmanager
def _breaking(after: int) -> Iterator[str]:
    asked = iter(range(1_000_000))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith("tokenize"):
                self._send({"tokens": [1, 2, 3], "prompt": "abc"})
                return
            event = b'data: {"choices": [{"text": "a", "token_ids": [7]}]}\n\n'
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            # What it promises and does not send is a stream broken off.
            self.send_header("Content-Length", str(len(event) + (next(asked) >= after)))
            self.end_headers()
            self.wfile.write(event)

        def do_GET(self) -> None:
            self._send({"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 64}]})

        def _send(self, body: object) -> None:
            text = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Callable[[], bool]], None]:
    """Wait until something is true; fail if it is not within the deadline."""

    def wait(condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"still not so after {seconds} seconds"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def is_gone() -> Callable[[int], bool]:
    """Whether a process has ended; one that nobody has collected yet has ended too."""

    def gone(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return gone


@pytest.fixture(scope="session")
def asked() -> Callable[..., Instance]:
    """An instance: what is asked, and its choices with the right one marked by a star."""

    def make(text: str, *choices: str, name: str = "x-0") -> Instance:
        return Instance(name, text, tuple(Reference(c.removeprefix("*"), c.startswith("*")) for c in choices))

    return make


@pytest.fixture(scope="session")
def refused_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A well-formed GGUF that both preflights let through, and llama.cpp does not."""
    import gguf
    import numpy as np

    path = tmp_path_factory.mktemp("refused") / "refused-F16.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tensor("blk.0.attn_q.weight", np.zeros((256, 256), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="session")
def real_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of the bundled model in eight and in two bits, asked by real servers; tests only read it."""
    folder = tmp_path_factory.mktemp("real")
    words = ["run", "--models", "q8_0,q2_k", "--scenarios", "world_facts,world_choice,world_text", "--no-efficiency"]
    words += ["--max-instances", "40", "--divergence-windows", "10"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    command = [sys.executable, "-m", "harness", *words, "--out", "run", "--cache-dir", "cache"]
    done = subprocess.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, encoding="utf-8", timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def copied_run(real_run: Path, tmp_path: Path) -> Path:
    """A copy of the same that a test may change."""
    return Path(shutil.copytree(real_run, tmp_path / "copied"))
