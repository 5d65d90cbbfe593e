"""A server's life: it answers while it loads, finishes or fails what is under way, and goes."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import httpx
import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

ROOT = Path(__file__).parents[2]
TIMEOUT = 60
LONG: dict[str, Any] = {"prompt": "a", "n": 128, "max_tokens": 1900, "temperature": 2, "ignore_eos": True}
"""Minutes of work."""


class Starting:
    """A server that may not be ready yet."""

    def __init__(self, model: Path, *options: str, port: int = 0) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            self.port = listener.getsockname()[1]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "server", model, "--fd", str(listener.fileno()), "--threads=1", *options],
                cwd=ROOT,
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=TIMEOUT, trust_env=False)

    def first_answer(self, path: str) -> httpx.Response:
        """The answer to the first request that can be sent; the socket is there before anybody listens."""
        while True:
            try:
                return self.http.get(path)
            except httpx.ConnectError:
                assert self.process.poll() is None, self.process.communicate()

    def end(self) -> tuple[int, str, str]:
        """Wait for the end: status, standard output, standard error."""
        out, err = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, out, err


@pytest.fixture
def begin() -> Iterator[Callable[..., Starting]]:
    """Begins a server, and ends it after the test."""
    begun: list[Starting] = []

    def get(model: Path, *options: str) -> Starting:
        begun.append(Starting(model, *options))
        return begun[-1]

    yield get
    for each in begun:
        each.http.close()
        each.process.kill()
        each.process.communicate()


def test_it_answers_while_it_loads(begin: Callable[..., Starting], bundled: Path) -> None:
    server = begin(bundled, "--alias=mine")
    first = server.first_answer("/v1/models")
    assert first.status_code == 503
    assert "is loading" in first.json()["error"]["message"]
    assert int(first.headers["retry-after"]) > 0
    assert server.http.get("/").status_code == 200
    health = server.http.get("/health")
    assert (health.status_code, health.content) == (503, b"")
    while server.http.get("/health").status_code == 503:
        pass
    assert server.process.stdout is not None
    assert server.process.stdout.readline() == f"serving mine at http://127.0.0.1:{server.port}/v1\n"
    assert server.http.get("/v1/models").json()["data"][0]["id"] == "mine"
    server.process.terminate()
    assert server.end() == (0, "", "")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_can_be_stopped_while_it_loads(begin: Callable[..., Starting], bundled: Path, how: signal.Signals) -> None:
    server = begin(bundled)
    assert server.first_answer("/health").status_code == 503
    server.process.send_signal(how)
    status, _, err = server.end()
    assert (status, err) == (0, "")


def test_a_model_that_cannot_be_loaded_ends_it(begin: Callable[..., Starting], tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", "no such architecture")
    writer.add_tensor("weight", np.ones((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    status, out, err = begin(tmp_path / "other.gguf").end()
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"error: {tmp_path}/other.gguf: llama.cpp cannot load this model (")
    assert "Traceback" not in err


@pytest.fixture
def start(start_on: Callable[..., ServerUnderTest], bundled: Path) -> Callable[..., ServerUnderTest]:
    """Starts a server of this test's own."""
    return partial(start_on, bundled)


def running(server: ServerUnderTest) -> float:
    """How many sequences are being decoded."""
    found = re.search(r"^vllm:num_requests_running\S* (\S+)$", server.http.get("/metrics").text, re.MULTILINE)
    assert found
    return float(found[1])


def wait_until_running(server: ServerUnderTest, count: int = 1) -> None:
    while running(server) < count:
        pass


def wait_until_draining(server: ServerUnderTest) -> None:
    while server.http.get("/health").status_code == 200:
        pass


def test_what_is_not_finished_in_time_fails(start: Callable[..., ServerUnderTest]) -> None:
    server = start("--drain-seconds=0.5")
    with ThreadPoolExecutor(2) as pool:
        streamed = pool.submit(server.post, LONG | {"n": 1, "stream": True})
        wait_until_running(server)
        whole = pool.submit(server.post, LONG)
        wait_until_running(server, 2)
        server.process.send_signal(signal.SIGTERM)
        answer, stream = whole.result(), streamed.result()
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "unavailable"
    assert stream.status_code == 200
    *events, last = stream.text.strip().split("\n\n")
    assert events
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "unavailable"
    assert server.process.wait(TIMEOUT) == 0
    assert "Traceback" not in server.log.read_text()


def test_new_requests_are_refused_while_old_ones_finish(start: Callable[..., ServerUnderTest]) -> None:
    server = start("--drain-seconds=60")
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(server.post, {"prompt": "a", "n": 16, "max_tokens": 200, "ignore_eos": True})
        wait_until_running(server)
        server.process.send_signal(signal.SIGTERM)
        wait_until_draining(server)
        refused = server.post({"prompt": "a", "max_tokens": 1})
        assert refused.status_code == 503
        assert "is shutting down" in refused.json()["error"]["message"]
        assert len(old.result().json()["choices"]) == 16
    assert server.process.wait(TIMEOUT) == 0


def test_a_closed_standard_input_is_a_stop_like_another(start: Callable[..., ServerUnderTest]) -> None:
    server = start("--drain-seconds=60")
    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(server.post, {"prompt": "a", "n": 16, "max_tokens": 200, "ignore_eos": True})
        wait_until_running(server)
        assert server.process.stdin is not None
        server.process.stdin.close()
        wait_until_draining(server)
        server.process.send_signal(signal.SIGTERM)  # as supervisors do that want to be sure
        assert old.result().status_code == 200
    assert server.process.wait(TIMEOUT) == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(start: Callable[..., ServerUnderTest], how: signal.Signals) -> None:
    server = start("--drain-seconds=600")
    with ThreadPoolExecutor(1) as pool:
        broken = pool.submit(server.post, LONG)
        wait_until_running(server)
        server.process.send_signal(signal.SIGTERM)
        wait_until_draining(server)
        server.process.send_signal(how)
        assert server.process.wait(TIMEOUT) == -how
        with pytest.raises(httpx.TransportError):
            broken.result()
    assert "Traceback" not in server.log.read_text()


def test_of_two_servers_on_one_port_one_gets_it(bundled: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "server", bundled, f"--port={port}", "--threads=1", "--exit-with-stdin"]
    both = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    with both[0], both[1]:
        ready = [process.stdout.readline() for process in both if process.stdout is not None]
        assert sorted(map(bool, ready)) == [False, True]
        loser = both[ready.index("")]
        assert loser.stderr is not None
        assert loser.stderr.read().startswith(f"error: cannot listen on 127.0.0.1:{port}: Address already in use; ")
        assert loser.wait(TIMEOUT) == 2
        for process in both:
            assert process.stdin is not None
            process.stdin.close()
        assert both[1 - both.index(loser)].wait(TIMEOUT) == 0
