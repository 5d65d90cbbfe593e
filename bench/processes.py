"""Our server, and any other process that is measured, from start to end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx

from bench.setup import BenchError, Inputs

ROOT = Path(__file__).parents[1]
STOP_SECONDS = 30
START_SECONDS = 120
POLL_SECONDS = 0.05


class Serving(NamedTuple):
    """A server that is ready."""

    url: str
    """Where completions are asked for."""
    pid: int


@contextlib.contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the end of the block; its standard error goes to ``log``."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUANT_SERVER_")}
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
    with process:  # closes the pipes
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def our_server(inputs: Inputs, model: Path, *more: str) -> Iterator[Serving]:
    """Serve a model until the end of the block, with ``more`` options than those that all comparisons share.

    Raises:
        BenchError: it did not start.
    """
    log = inputs.scratch / f"our-server-{model.stem}.log"
    options = [*inputs.setup.for_our_server(), "--port=0", "--exit-with-stdin", *more]
    with running([sys.executable, "-m", "server", str(model.resolve()), *options], log) as process:
        assert process.stdout is not None
        banner = process.stdout.readline().decode().split()
        if not banner:
            raise BenchError(f"our server did not start with {model.name}: {last_line(log)}")
        url = banner[-1].removesuffix("/v1")
        await_health(process, url, log)
        yield Serving(f"{url}/v1/completions", process.pid)


def await_health(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until a server answers that it is ready.

    Raises:
        BenchError: it ended instead, or took too long.
    """
    deadline = time.monotonic() + START_SECONDS
    while not _is_healthy(f"{url}/health"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"{log.stem} did not start: {last_line(log)}")
        time.sleep(POLL_SECONDS)


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def last_line(log: Path) -> str:
    """The last thing that a process said, or that it said nothing."""
    lines = log.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it does not say why.")
