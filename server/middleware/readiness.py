"""No request goes through while the model loads, or once the server stops; those under way are counted."""

from __future__ import annotations

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from server.api.refusals import error_response
from server.api.state import Lifecycle


class Readiness:
    """Answers 503 except while the server is ready. Paths that need no model always work."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle, public: Collection[str]) -> None:
        """Ask ``lifecycle``, except on the ``public`` paths."""
        self._app = app
        self._lifecycle = lifecycle
        self._public = frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"] in self._public:
            await self._app(scope, receive, send)
            return
        error = self._lifecycle.refusal()
        if error is not None:
            await error_response(error)(scope, receive, send)
            return
        with self._lifecycle.request():
            await self._app(scope, receive, send)
