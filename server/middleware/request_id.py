"""A name for every request, and a last word on those that fail in ways nobody thought of."""

from __future__ import annotations

import logging
import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.api.refusals import error_response
from server.protocol.errors import ApiError

logger = logging.getLogger("server")


class RequestId:
    """Puts ``x-request-id`` on every response; makes a 500 of what escapes a route, its details in the log alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = f"req-{secrets.token_hex(12)}"
        started = False

        async def send_named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["x-request-id"] = name
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        except Exception:
            if started:  # the answer breaks off: uvicorn closes the connection and logs why
                raise
            logger.exception("%s %.200r failed as %s", scope["method"], scope["path"], name)
            error = ApiError("The server failed on this request; its log says why.")
            await error_response(error)(scope, receive, send_named)
