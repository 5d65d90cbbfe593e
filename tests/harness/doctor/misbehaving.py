"""A proxy before a real server that changes what goes through it, so that one thing is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx

Body = dict[str, Any]


def as_it_is(body: Body, *_: Any) -> Body:
    """No change."""
    return body


@dataclass(frozen=True)
class Tampering:
    """What is done to requests and answers; each function changes and returns a body."""

    request: Callable[[Body, Ask], Body] = as_it_is
    """Of a completion; it may ask the server itself."""
    answer: Callable[[Body, Body], Body] = as_it_is
    """Of a completion: the answer, and the request that was sent."""
    event: Callable[[bytes], bytes] = lambda line: line
    """A line of a stream."""
    routes: dict[str, Callable[[Body], Body]] | None = None
    """Answers of other routes."""
    inputs: dict[str, Callable[[Body], Body]] | None = None
    """Requests to other routes."""
    refusal: bytes | None = None
    """In place of the body of an error."""


Ask = Callable[[str, Body], Body]


@contextmanager
def misbehaving(url: str, tampering: Tampering) -> Iterator[str]:
    """The URL of a proxy to the server whose root is ``url``."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:

        def ask(path: str, body: Body) -> Body:
            found: Body = client.post(path, json=body).json()
            return found

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body in one packet: apart, the second waits 40 ms for the first to be confirmed

            def do_GET(self) -> None:
                self._reply(client.get(self.path), (tampering.routes or {}).get(self.path, as_it_is))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                change = (tampering.routes or {}).get(self.path, as_it_is)
                if self.path == "/v1/completions":
                    body = tampering.request(body, ask)
                    change = lambda answer: tampering.answer(answer, body)  # noqa: E731
                body = (tampering.inputs or {}).get(self.path, as_it_is)(body)
                self._reply(client.post(self.path, json=body), change)

            def _reply(self, response: httpx.Response, change: Callable[[Body], Body]) -> None:
                content = response.content
                if response.is_error:
                    content = content if tampering.refusal is None else tampering.refusal
                elif response.headers["content-type"].startswith("text/event-stream"):
                    content = b"".join(tampering.event(line) for line in content.splitlines(keepends=True))
                elif content:
                    content = json.dumps(change(response.json())).encode()
                self.send_response(response.status_code)
                self.send_header("Content-Type", response.headers.get("content-type", "application/json"))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/v1"
            finally:
                server.shutdown()
