"""Jobs run for a request: with a deadline, given up when the client is gone, failures as the client is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from fastapi import Request
from starlette.types import Receive

from server.api.state import Served
from server.engine.run import Run
from server.engine.sequence import Job, Result
from server.engine.ticket import QueueFull, SequenceFailed, ShuttingDown
from server.protocol.errors import DeadlineExceeded, EngineFailure, InvalidRequest, Overloaded, Unavailable

T = TypeVar("T")


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


def start(jobs: list[Job], served: Served, *, stream: bool) -> Run:
    """Begin the jobs.

    Raises:
        InvalidRequest: this model only embeds; what it would generate is noise.
        Overloaded: too much is waiting.
        Unavailable: the server is stopping.
    """
    if not served.engine.generates:
        raise InvalidRequest(
            "This model has an encoder or only embeds, so it completes nothing here; try /v1/embeddings."
        )
    with engine_errors():
        return served.engine.start(jobs, stream=stream)


async def results(jobs: list[Job], request: Request, served: Served) -> list[Result]:
    """All results.

    Raises:
        ApiError: what the client is to be told.
        ClientGone: there is no client.
    """
    async with start(jobs, served, stream=False) as run:
        with engine_errors():
            async with asyncio.timeout(served.settings.request_timeout):
                return await while_connected(run.results(), request.receive)


async def updates(run: Run, served: Served) -> AsyncIterator[list[int]]:
    """What :meth:`Run.updates` yields.

    Raises:
        ApiError: what the client is to be told.
    """
    deadline = asyncio.get_running_loop().time() + served.settings.request_timeout
    changes = run.updates()
    with engine_errors():
        while True:
            # Around the engine's part alone: a client that reads slowly is told of the deadline too.
            async with asyncio.timeout_at(deadline):
                try:
                    changed = await anext(changes)
                except StopAsyncIteration:
                    return
            yield changed


async def while_connected(work: Awaitable[T], receive: Receive) -> T:
    """Await ``work``, but no longer than the client does; the request's body has been read before.

    Raises:
        ClientGone: the connection was closed.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@contextmanager
def engine_errors() -> Iterator[None]:
    """The engine's errors as the client is told of them."""
    try:
        yield
    except QueueFull:
        raise Overloaded("The server has as many requests waiting as it accepts; try again later.") from None
    except ShuttingDown:
        raise Unavailable("The server is shutting down; send the request to another one, or again later.") from None
    except SequenceFailed as error:
        raise EngineFailure(f"The request could not be computed: {error}.") from error
    except TimeoutError:
        raise DeadlineExceeded(
            "The request took longer than this server allows; ask for less at once, or raise --request-timeout."
        ) from None
