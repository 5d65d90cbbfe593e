"""A gate before a real server, behind which it looks like a host that offers less."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Literal

import httpx
import pytest

from harness.serving.process import ServerProcess

KNOWN = ("id", "object", "created", "owned_by")
JSON = "application/json"
Beside = Literal["nothing", "failures", "tokenizer"]
"""What there is beside ``/v1``: nothing; a gateway without anything behind it; a tokenizer, but ids are no prompts."""


class Gate(ThreadingHTTPServer):
    """Lets completions and the list of models through, and nothing of tokenizers, contexts and sizes."""

    def __init__(self, url: str, key: str | None, most: float, beside: Beside) -> None:
        """Let in whoever has ``key``; cut the connections of all completions after the first ``most``."""
        super().__init__(("127.0.0.1", 0), Visit)
        self.inner = url
        self.key = key
        self.left = most
        self.beside = beside

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was cut is no news."""


class Visit(BaseHTTPRequestHandler):
    """One request."""

    server: Gate

    def do_GET(self) -> None:
        if not self._refused():
            if self.path == "/v1/models":
                cards = httpx.get(f"{self.server.inner}/models", trust_env=False).json()["data"]
                self._send(200, {"data": [{name: card[name] for name in KNOWN} for card in cards]})
            else:
                self._beside("GET")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._refused():
            return
        if self.path != "/v1/completions":
            self._beside("POST", body)
            return
        if self.server.beside == "tokenizer" and _has_ids(body["prompt"]):
            self._send(400, {"error": {"message": "A prompt is a string."}})
            return
        self.server.left -= 1
        if self.server.left < 0:
            self.close_connection = True
            self.connection.close()
            return
        if self.server.beside != "tokenizer":
            body.pop("echo", None)  # ignored without a word
        found = httpx.post(f"{self.server.inner}/completions", json=body, timeout=60, trust_env=False)
        self._write(found.status_code, found.content, found.headers.get("content-type", JSON))

    def _beside(self, method: str, body: object = None) -> None:
        if self.server.beside == "failures":
            self._write(502, b"Bad gateway", "text/plain")
        elif self.server.beside == "tokenizer":
            url = self.server.inner.removesuffix("/v1") + self.path
            found = httpx.request(method, url, json=body, timeout=60, trust_env=False)
            self._write(found.status_code, found.content, found.headers.get("content-type", JSON))
        else:
            self._send(404, {"error": {"message": "Not found."}})

    def _refused(self) -> bool:
        refuses = self.server.key is not None and self.headers["Authorization"] != f"Bearer {self.server.key}"
        if refuses:
            self._send(401, {"error": {"message": "No such key."}})
        return refuses

    def _send(self, status: int, body: object) -> None:
        self._write(status, json.dumps(body).encode(), JSON)

    def _write(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _has_ids(prompt: object) -> bool:
    return isinstance(prompt, list) and any(not isinstance(part, str) for part in prompt)


@contextmanager
def gate(url: str, key: str | None, most: float, beside: Beside) -> Iterator[str]:
    with Gate(url, key, most, beside) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


@pytest.fixture
def fenced(served: ServerProcess) -> Iterator[Callable[..., str]]:
    """Put a gate before the bundled model, with these arguments; gives its URL."""
    with ExitStack() as stack:
        yield lambda key=None, most=float("inf"), beside="nothing": stack.enter_context(
            gate(served.base_url, key, most, beside)
        )
