"""Clients that go away: what they asked for ends, whether it was running or waiting, streamed or not."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from answers import ask, events_of

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

LONG: dict[str, Any] = {"prompt": "The", "max_tokens": 1000, "ignore_eos": True, "seed": 1}
"""Takes a second or so; many of them take long."""


class Gauges(NamedTuple):
    """What ``/metrics`` says of sequences."""

    running: float
    waiting: float
    aborted: float


IDLE = (0, 0)


def gauges(server: ServerUnderTest) -> Gauges:
    text = server.http.get("/metrics").text
    patterns = (r"num_requests_running{.*", r"num_requests_waiting{.*", r'request_success_total{.*"abort".*')
    found = [re.search(rf"^vllm:{pattern}}} (\S+)$", text, re.M) for pattern in patterns]
    return Gauges(*(float(match[1]) if match else 0 for match in found))


def until(server: ServerUnderTest, condition: Callable[[Gauges], bool]) -> Gauges:
    """Ask until it is so."""
    end = time.monotonic() + 20
    while not condition(found := gauges(server)):
        assert time.monotonic() < end, found
    return found


class Client:
    """A connection with one request on it, that can be closed at any time."""

    def __init__(self, server: ServerUnderTest, body: dict[str, Any], path: str = "/v1/completions") -> None:
        url = httpx.URL(server.url)
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {url.host}:{url.port}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
        )
        self._socket = socket.create_connection((url.host, url.port or 80), timeout=60)
        self._socket.sendall(head.encode() + content)

    def read_some(self) -> bytes:
        """Wait for the next bytes of the answer."""
        return self._socket.recv(1 << 16)

    def read_all(self) -> bytes:
        """The whole answer."""
        return b"".join(iter(self.read_some, b""))

    def go_away(self) -> None:
        """Close the connection."""
        self._socket.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """A :class:`Client`; all have gone away at the end."""
    clients: list[Client] = []

    def make(*arguments: Any) -> Client:
        clients.append(Client(*arguments))
        return clients[-1]

    yield make
    for client in clients:
        client.go_away()


@pytest.fixture
def narrow(serve: Callable[..., ServerUnderTest], no_bos: Path) -> ServerUnderTest:
    """One sequence at a time, and room for few more."""
    server = serve(no_bos, "--slots=1", "--max-waiting=50")
    until(server, lambda now: now[:2] == IDLE)
    return server


@pytest.mark.parametrize("path", ["/v1/completions", "/completion"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_running_request_ends_with_its_client(
    narrow: ServerUnderTest, connect: Callable[..., Client], stream: bool, path: str
) -> None:
    before = gauges(narrow)
    client = connect(narrow, LONG | {"stream": stream, "n": 50}, path)
    until(narrow, lambda now: now.running == 1)
    if stream:
        assert client.read_some().startswith(b"HTTP/1.1 200")
    client.go_away()
    after = until(narrow, lambda now: now[:2] == IDLE)
    assert 0 < after.aborted - before.aborted <= 50
    assert narrow.complete("The", max_tokens=2).choices[0].text


@pytest.mark.parametrize("stream", [True, False])
def test_a_waiting_request_ends_with_its_client(
    narrow: ServerUnderTest, connect: Callable[..., Client], stream: bool
) -> None:
    before = gauges(narrow)
    first = connect(narrow, LONG | {"n": 25, "stream": True})
    assert first.read_some()
    second = connect(narrow, LONG | {"n": 24, "stream": stream})
    until(narrow, lambda now: now.waiting > 24)
    # No room for forty more, until the second client is gone; the first one is being served all the while.
    assert narrow.post(LONG | {"n": 40}).status_code == 429
    second.go_away()
    after = until(narrow, lambda now: now.waiting <= 24)
    assert after.waiting > 0
    assert after.aborted == before.aborted + 24
    third = connect(narrow, LONG | {"n": 24, "max_tokens": 1})
    until(narrow, lambda now: now.waiting >= 24)
    first.go_away()
    assert third.read_all().startswith(b"HTTP/1.1 200")
    until(narrow, lambda now: now[:2] == IDLE)


def test_the_next_one_need_not_wait_for_what_nobody_wants(
    serve: Callable[..., ServerUnderTest], no_bos: Path, connect: Callable[..., Client]
) -> None:
    server = serve(no_bos, "--slots=1")
    begin = time.monotonic()
    ask(server, LONG)
    alone = time.monotonic() - begin
    for _ in range(5):
        client = connect(server, LONG | {"n": 5, "stream": True})
        assert client.read_some()
        client.go_away()
    begin = time.monotonic()
    ask(server, LONG | {"max_tokens": 1})
    assert time.monotonic() - begin < 5 * alone  # all of them would take 25 times as long


def test_a_client_that_goes_away_before_its_first_token(
    serve: Callable[..., ServerUnderTest], no_bos: Path, connect: Callable[..., Client]
) -> None:
    """Its prompt is still being computed, and no header has been sent."""
    server = serve(no_bos, "--batch-size=16", "--slots=2")
    body = LONG | {"prompt": [[token] * 900 for token in range(90)], "cache_prompt": False, "max_tokens": 1}
    for stream in (True, False):
        before = gauges(server)
        client = connect(server, body | {"stream": stream})
        until(server, lambda now: now.running == 2)
        client.go_away()
        assert until(server, lambda now: now[:2] == IDLE).aborted > before.aborted


def test_the_log_is_silent_about_it(narrow: ServerUnderTest) -> None:
    assert narrow.log.read_text() == ""


def test_two_hundred_clients_of_whom_a_third_goes_away(steady_server: ServerUnderTest) -> None:
    until(steady_server, lambda now: now[:2] == IDLE)
    bodies: list[dict[str, Any]] = [
        {"prompt": f"{'The ruler of ' * (i % 5)}{i}", "max_tokens": 12, "seed": i, "stream": i % 2 == 0}
        for i in range(200)
    ]
    expected = [ask(steady_server, body | {"stream": False})["choices"][0]["text"] for body in bodies]
    url = f"{steady_server.url}/completions"

    async def stay(client: httpx.AsyncClient, body: dict[str, Any]) -> str:
        answer = await client.post(url, json=body)
        assert answer.status_code == 200
        if not body["stream"]:
            text: str = answer.json()["choices"][0]["text"]
            return text
        return "".join(event["choices"][0]["text"] for event in events_of(answer.content))

    async def go_away(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
        long = body | {"max_tokens": 900, "ignore_eos": True, "stream": True}
        async with client.stream("POST", url, json=long) as answer:
            chunks = answer.aiter_raw()
            for _ in range(1 + body["seed"] % 4):
                await anext(chunks, None)

    async def all_at_once() -> list[str | None]:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(timeout=120, limits=limits, trust_env=False) as client:
            return await asyncio.gather(
                *(go_away(client, body) if i % 3 == 0 else stay(client, body) for i, body in enumerate(bodies))
            )

    found = asyncio.run(all_at_once())
    assert [text for i, text in enumerate(found) if i % 3] == [text for i, text in enumerate(expected) if i % 3]
    until(steady_server, lambda now: now[:2] == IDLE)
