"""The socket that the server listens on."""

from __future__ import annotations

import socket

from server.settings import Settings

BACKLOG = 2048


class CannotListen(Exception):
    """The address cannot be had; the message is one sentence."""


def listen(settings: Settings) -> socket.socket:
    """A socket that listens, inherited or bound here: before the model is loaded, so that a taken port fails at once.

    Raises:
        CannotListen: there is none to be had.
    """
    if settings.fd is not None:
        try:
            inherited = socket.socket(fileno=settings.fd)
            inherited.listen(BACKLOG)
        except OSError as error:
            raise CannotListen(f"cannot listen on file descriptor {settings.fd}: {error.strerror}.") from error
        return inherited
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it, every answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Without it a port could not be used for a minute after the last server on it; with it, two may bind to one port
    # as long as neither listens. So it listens at once: of two, one fails here and not minutes later.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotListen(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another --host or --port."
        ) from error
    return listener


def url(listener: socket.socket) -> str:
    """Where clients find the API."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
