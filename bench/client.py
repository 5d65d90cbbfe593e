"""The HTTP client: one process, which does next to nothing while the time runs.

Bodies are encoded before and answers are parsed after, since the client shares the cores with the server. What it costs
all the same is measured: the CPU time of this process.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import httpx

from bench.setup import BenchError

T = TypeVar("T")
TIMEOUT = 600
EVENT = b"data: "
DONE = b"data: [DONE]"


class Exchange(NamedTuple):
    """Requests that were answered."""

    seconds: float
    """From the first request to the end of the last answer."""
    cpu_seconds: float
    """CPU time of the client meanwhile."""
    answers: list[dict[str, Any]]
    """In the order of the requests."""


def exchange(url: str, bodies: Sequence[dict[str, Any]], *, clients: int) -> Exchange:
    """Send requests by so many parallel clients, each of which takes the next one when its last is answered.

    Raises:
        BenchError: an answer was no success, or none came.
    """
    return _run(_exchange(url, bodies, clients))


def arrivals(url: str, bodies: Sequence[dict[str, Any]]) -> list[list[float]]:
    """Send requests that stream, all at once.

    Returns:
        For each request the time in seconds of every event but the closing one; the clock begins anywhere.

    Raises:
        BenchError: an answer was no success, or had no event.
    """
    return _run(_arrivals(url, bodies))


def _run(asking: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(asking)
    except httpx.TransportError as error:
        raise BenchError(f"a server stopped answering: {error or type(error).__name__}.") from error


async def _exchange(url: str, bodies: Sequence[dict[str, Any]], clients: int) -> Exchange:
    waiting = iter(list(enumerate(_encode(bodies))))
    answers: list[httpx.Response | None] = [None] * len(bodies)

    async def client(http: httpx.AsyncClient) -> None:
        for index, body in waiting:
            answers[index] = await http.post(url, content=body)

    async with _connections(clients) as http:
        begin, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(client(http) for _ in range(clients)))
        seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu
    return Exchange(seconds, cpu_seconds, [_parsed(answer) for answer in answers if answer is not None])


async def _arrivals(url: str, bodies: Sequence[dict[str, Any]]) -> list[list[float]]:
    async def client(http: httpx.AsyncClient, body: bytes) -> list[float]:
        times: list[float] = []
        async with http.stream("POST", url, content=body) as answer:
            if answer.status_code != httpx.codes.OK:
                await answer.aread()
                _parsed(answer)
            # Events are counted, not parsed: a parser would cost more than the server does for a token.
            async for part in answer.aiter_raw():
                times += [time.perf_counter()] * (part.count(EVENT) - part.count(DONE))
        if not times:
            raise BenchError("a stream ended without an event.")
        return times

    async with _connections(len(bodies)) as http:
        return list(await asyncio.gather(*(client(http, body) for body in _encode(bodies))))


def _encode(bodies: Iterable[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(body).encode() for body in bodies]


def _connections(count: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=count, max_keepalive_connections=count)
    return httpx.AsyncClient(
        limits=limits, timeout=TIMEOUT, trust_env=False, headers={"content-type": "application/json"}
    )


def _parsed(answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code != httpx.codes.OK:
        raise BenchError(f"a request was answered with status {answer.status_code}: {answer.text[:500]}")
    parsed: dict[str, Any] = answer.json()
    return parsed
