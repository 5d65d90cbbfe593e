"""Which names of this server a request may be for.

A web page can have its own name resolve to a private address ("DNS rebinding"); the browser then takes this server for
the page's own and lets it read every answer. The name is still the page's: so names are refused that nobody gave us.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.api.refusals import error_response
from server.protocol.errors import UnknownHost


class Hosts:
    """Refuses a request whose ``Host`` is neither an address, nor ``localhost``, nor on the operator's list."""

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = {"localhost", *(name.lower().rstrip(".") for name in allowed)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            given = Headers(scope=scope).getlist("host")
            wrong = next((host for host in given if not self._is_ours(host)), None)
            if wrong is not None:
                error = UnknownHost(
                    f"This server does not go by the name {wrong[:100]!r}; its operator can allow it with "
                    "--allowed-hosts."
                )
                await error_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        """Whether a ``Host`` header, with or without a port, is one of ours."""
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]") if name.startswith("[") else name)
        except ValueError:
            return name.lower().rstrip(".") in self._allowed
        return True
