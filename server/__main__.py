"""``python -m server MODEL.gguf``: load a model and serve it until told to stop."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from types import FrameType

import uvicorn
from pydantic import ValidationError
from pydantic_settings import CliApp, SettingsError

from server.app import create_app
from server.engine.engine import Engine
from server.engine.llama import LlamaError
from server.gguf_check import BadGguf, check_gguf
from server.settings import Settings

EXIT_USAGE = 2
DRAIN_SECONDS = 3
"""How long requests in flight may take to finish once the server is told to stop."""


def main() -> int:
    """Run the server.

    Returns:
        0 after a requested stop, 2 for bad input (one sentence on standard error says what).
    """
    try:
        settings = CliApp.run(Settings)
    except ValidationError as error:
        problem = error.errors()[0]
        option = ".".join(map(str, problem["loc"])).replace("_", "-")
        return _refuse(f"{option}: {problem['msg']}; see --help.")
    except SettingsError as error:
        return _refuse(f"{str(error).removeprefix('error parsing CLI: ')}; see --help.")
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    if settings.exit_with_stdin:
        threading.Thread(target=_stop_when_stdin_closes, name="lifeline", daemon=True).start()
    try:
        check_gguf(settings.model)
        listener = _listen(settings)
        engine = Engine(settings)
    except (BadGguf, LlamaError, _CannotListen) as error:
        return _refuse(str(error))
    model_id = settings.alias or settings.model.stem
    host, port = listener.getsockname()[:2]
    print(f"serving {model_id} at http://{f'[{host}]' if ':' in host else host}:{port}/v1", flush=True)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(engine, model_id),
            log_level=settings.log_level,
            access_log=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn raises the signal that stopped it once more when it is done; with these handlers that is no second death.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.run(sockets=[listener])
    engine.close()
    return 0


class _CannotListen(Exception):
    """The address cannot be had; the message is one sentence."""


def _listen(settings: Settings) -> socket.socket:
    """The socket to serve on: inherited, or bound here, before the model is loaded: a taken port fails at once."""
    if settings.fd is not None:
        return socket.socket(fileno=settings.fd)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it, every answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise _CannotListen(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another --host or --port."
        ) from error
    return listener


def _stop_when_stdin_closes() -> None:
    """A supervisor that dies, however it dies, closes our standard input: no server outlives its harness."""
    with contextlib.suppress(OSError):  # there was none
        # Not sys.stdin: Python aborts at its end where a thread still waits in there.
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _refuse(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
