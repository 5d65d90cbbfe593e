"""API keys: known by their SHA-256 alone."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.api.refusals import error_response
from server.protocol.errors import Unauthorized


class ApiKeys:
    """Refuses a request without a key, once there are keys. Paths that hold nothing to protect are free."""

    def __init__(self, app: ASGIApp, digests: Collection[str], public: Collection[str]) -> None:
        """Ask for one of the keys that have these SHA-256 (in hexadecimal), except on the ``public`` paths."""
        self._app = app
        self._digests = tuple(digests)
        self._public = frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and self._digests and scope["path"] not in self._public:
            given = _given(Headers(scope=scope))
            if not any([self._is_known(key) for key in given]):
                what = "The API key is none of this server's" if given else "This server asks for an API key"
                error = Unauthorized(f"{what}; send one as 'Authorization: Bearer KEY' or as 'X-Api-Key: KEY'.")
                await error_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_known(self, key: bytes) -> bool:
        """Compared with every key to the end, so that the time tells nothing."""
        digest = hashlib.sha256(key).hexdigest()
        return any([hmac.compare_digest(digest, known) for known in self._digests])


def _given(headers: Headers) -> list[bytes]:
    """The keys that a request brings, as bytes."""
    keys = headers.getlist("x-api-key")
    for value in headers.getlist("authorization"):
        scheme, _, key = value.partition(" ")
        if scheme.lower() == "bearer" and key.strip():
            keys.append(key.strip())
    return [key.encode("latin-1") for key in keys]
