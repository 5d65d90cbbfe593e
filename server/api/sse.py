"""Server-sent events: ``data: {...}`` and an empty line each, ``data: [DONE]`` at a good end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from server.api.execution import while_connected
from server.engine.run import Run
from server.protocol.errors import ApiError

DONE = b"data: [DONE]\n\n"
STREAMED: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}
"""For the documents of a route that streams when it is asked to."""


class EventStream(StreamingResponse):
    """The events of one run, which is given up when the client is gone, or never came to read."""

    def __init__(self, run: Run, events: AsyncIterator[dict[str, Any]], *, done: bool = True) -> None:
        """Send ``events``, of which there is at least one; with ``done``, say so at the end, unless it was an error."""
        super().__init__(
            (), media_type="text/event-stream", headers={"cache-control": "no-cache", "x-accel-buffering": "no"}
        )
        self._run = run
        self._events = events
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; whatever way this ends, the run ends with it.

        Raises:
            ApiError: it failed before there was anything to send, so that the client can still be told by a status.
            ClientGone: there is no client.
        """
        async with self._run:
            first = await while_connected(anext(self._events), receive)
            self.body_iterator = _encode(first, self._events, done=self._done)
            await super().__call__(scope, receive, send)


async def _encode(first: dict[str, Any], others: AsyncIterator[dict[str, Any]], *, done: bool) -> AsyncIterator[bytes]:
    yield _event(first)
    try:
        async for event in others:
            yield _event(event)
    except ApiError as error:
        # A client takes [DONE] for success, so an answer that breaks off must not have it.
        yield _event(error.body().model_dump())
        return
    if done:
        yield DONE


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + to_json(data) + b"\n\n"
