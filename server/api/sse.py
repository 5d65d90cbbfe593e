"""Server-sent events: ``data: {...}`` and an empty line each, ``data: [DONE]`` at a good end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from server.engine.run import Run
from server.protocol.errors import ApiError

DONE = b"data: [DONE]\n\n"


class EventStream(StreamingResponse):
    """The events of one run, which is given up when the client is gone, or never came to read."""

    def __init__(self, run: Run, events: AsyncIterator[dict[str, Any]], *, done: bool = True) -> None:
        """Send ``events``; with ``done``, say so at the end, unless it was an error."""
        super().__init__(
            _encode(events, done=done),
            media_type="text/event-stream",
            headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
        )
        self._run = run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; whatever way this ends, the run ends with it."""
        async with self._run:
            await super().__call__(scope, receive, send)


async def _encode(events: AsyncIterator[dict[str, Any]], *, done: bool) -> AsyncIterator[bytes]:
    try:
        async for event in events:
            yield b"data: " + to_json(event) + b"\n\n"
    except ApiError as error:
        # A client takes [DONE] for success, so an answer that breaks off must not have it.
        yield b"data: " + to_json(error.body().model_dump()) + b"\n\n"
        return
    if done:
        yield DONE
