from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import httpx
import numpy as np
import pytest

from server import __main__
from server.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

ROOT = Path(__file__).parents[2]
TIMEOUT = 60


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


def assert_refused(done: subprocess.CompletedProcess[str], said: str) -> None:
    """Exit status 2, and one sentence on standard error that contains ``said``."""
    assert done.returncode == 2
    assert done.stdout == ""
    *log, last = done.stderr.splitlines()
    assert last.startswith("error: ")
    assert last.endswith(".")
    assert said in last
    assert all(line.startswith(("WARNING llama.cpp: ", "ERROR llama.cpp: ")) for line in log)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A well-formed GGUF file that is no model."""
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", "no such architecture")
    writer.add_tensor("weight", np.ones((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tmp_path / "other.gguf"


def test_help_lists_every_option() -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name in Settings.model_fields.keys() - {"model"}:
        assert f"--{name.replace('_', '-')} " in done.stdout
    assert "MODEL" in done.stdout


def test_files_that_are_no_model_are_refused(no_bos: Path, other: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(no_bos.read_bytes()[:1_000_000])
    (tmp_path / "text.gguf").write_text("Once upon a time there was a text file.\n" * 99)
    for path, said in {
        tmp_path / "nowhere.gguf": "nowhere.gguf: there is no such file.",
        tmp_path / "text.gguf": "text.gguf is not a GGUF file: it does not begin with 'GGUF'; download",
        cut: "cut.gguf is cut short: its tensors need",
        other: "other.gguf: llama.cpp cannot load this model (",
    }.items():
        assert_refused(run(path, "--port=0"), said)


COMMANDS = {
    "--port=http m.gguf": "port: Input should be a valid integer",
    "--port=65536 m.gguf": "port: Input should be less than or equal to 65535; see --help.",
    "--slots=0 m.gguf": "slots: Input should be greater than or equal to 1; see --help.",
    "--cache-type-k=q9 m.gguf": "cache-type-k: Input should be 'f32', 'f16'",
    "--log-level=loud m.gguf": "log-level: Input should be 'debug'",
    "--exit-with-stdin=perhaps m.gguf": "exit-with-stdin: ignored explicit argument 'perhaps'; see --help.",
    "--no-such-option m.gguf": "unrecognized arguments: --no-such-option; see --help.",
    "m.gguf n.gguf": "unrecognized arguments: n.gguf; see --help.",
    "": "required: MODEL; see --help.",
    "--port": "argument --port: expected one argument; see --help.",
    "--api-key= m.gguf": "error: api-key: an API key must not be empty; see --help.",
    "--api-key-file=/nowhere m.gguf": "api-key-file: Path does not point to a file; see --help.",
    "--max-body-mib=0 m.gguf": "max-body-mib: Input should be greater than or equal to 1; see --help.",
}


@pytest.mark.parametrize("arguments", COMMANDS)
def test_commands_that_make_no_sense_are_refused(
    arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["server", *arguments.split()])
    assert __main__.main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.endswith(".\n")
    assert err.count("\n") == 1
    assert COMMANDS[arguments] in err


def test_a_bad_option_is_refused_by_the_real_command() -> None:
    assert_refused(run("--port=http", "m.gguf"), "port: Input should be a valid integer")


def test_a_taken_port_is_refused(no_bos: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another --host or --port."
        assert_refused(run(no_bos, f"--port={port}"), said)


@pytest.fixture
def start(start_on: Callable[..., ServerUnderTest], no_bos: Path) -> Callable[..., ServerUnderTest]:
    """Starts a server of this test's own."""
    return partial(start_on, no_bos)


def test_the_address_is_printed(start: Callable[..., ServerUnderTest]) -> None:
    server = start("--alias=some-name")
    match = re.fullmatch(r"serving some-name at (http://127\.0\.0\.1:(\d+)/v1)\n", server.banner)
    assert match
    assert int(match[2]) > 0
    assert httpx.get(f"{match[1]}/models", trust_env=False).json()["data"][0]["id"] == "some-name"
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_an_ipv6_address_is_printed_as_urls_have_it(start: Callable[..., ServerUnderTest]) -> None:
    server = start("--host=::1")
    assert server.url.startswith("http://[::1]:")
    assert server.complete("a", max_tokens=1).choices


def test_a_signal_stops_the_server(start: Callable[..., ServerUnderTest]) -> None:
    server = start()
    server.complete("a", max_tokens=1)
    assert server.stop(signal.SIGTERM) == 0
    assert "Traceback" not in server.log.read_text()


def test_a_standard_input_that_is_closed_already_ends_the_server(no_bos: Path) -> None:
    done = run(no_bos, "--port=0", "--exit-with-stdin")
    assert done.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in done.stderr


WORK = {"prompt": ["a"] * 20, "n": 128, "max_tokens": 900, "temperature": 2}
"""Minutes of it."""


def test_abandoned_work_does_not_keep_the_server(start: Callable[..., ServerUnderTest]) -> None:
    server = start()
    with pytest.raises(httpx.ReadTimeout):
        server.http.post("/v1/completions", json=WORK, timeout=0.5)
    assert server.stop() == 0


def test_what_is_in_flight_is_finished(start: Callable[..., ServerUnderTest]) -> None:
    server = start()
    body = b'{"prompt": "a", "max_tokens": 500, "temperature": 0}'
    head = f"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}"
    with socket.create_connection(("127.0.0.1", server.http.base_url.port), TIMEOUT) as client:
        client.sendall(head.encode() + b"\r\ncontent-type: application/json\r\n\r\n" + body)
        server.http.get("/health")  # what was sent before has arrived when this is answered
        server.process.send_signal(signal.SIGINT)
        assert client.recv(12) == b"HTTP/1.1 200"
    assert server.process.wait(TIMEOUT) == 0
