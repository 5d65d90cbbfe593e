"""How long the body of a request may be, and of how many parts."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.api.refusals import error_response
from server.protocol.errors import ApiError, BodyTooLarge, InvalidRequest

MAX_PARTS = 1 << 15
"""Strings, brackets, colons and so on in a body. 32 MiB of empty lists took minutes and gigabytes to be found wrong."""
_UNCOUNTED = b"0123456789, \t\r\n"
"""What prompts of token ids are written with: of those there may be millions."""


class BodyLimit:
    """Takes a body in, and refuses it as soon as it is too long: by what it announces, or by what has come.

    Routes read the whole body in any case. It is read here so that nothing between this and the client can make
    another error of the refusal.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        """Allow ``limit`` bytes."""
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            first: Message | None = await self._read(Headers(scope=scope), receive)
        except ApiError as error:
            await error_response(error)(scope, receive, send)
            return

        async def replay() -> Message:
            nonlocal first
            message, first = first, None
            return message or await receive()

        await self._app(scope, replay, send)

    async def _read(self, headers: Headers, receive: Receive) -> Message:
        """The whole body as one message, or that the client is gone.

        Raises:
            ApiError: it is too long, or of too many parts.
        """
        announced = headers.get("content-length", "0")  # a number, as uvicorn has seen
        self._check(int(announced) if len(announced) < 19 else self._limit + 1)
        chunks: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return message
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            self._check(size)
            more = message.get("more_body", False)
        body = b"".join(chunks)
        if len(body) > MAX_PARTS and count_parts(body) > MAX_PARTS:
            raise InvalidRequest(f"The request body has more than {MAX_PARTS:,} strings, brackets and so on.")
        return {"type": "http.request", "body": body, "more_body": False}

    def _check(self, size: int) -> None:
        if size > self._limit:
            limit = f"{self._limit / 2**20:g} MiB"
            raise BodyTooLarge(f"The body of the request is longer than the {limit} that --max-body-mib allows.")


def count_parts(body: bytes) -> int:
    """Strings of a JSON text, and characters outside of them that are not :data:`_UNCOUNTED`; it need not be JSON."""
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    strings = plain.count(b'"') // 2
    if strings > MAX_PARTS:
        return strings
    return strings + len(b"".join(plain.split(b'"')[::2]).translate(None, _UNCOUNTED))
