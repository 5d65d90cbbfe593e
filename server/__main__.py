"""``python -m server MODEL.gguf``: load a model and serve it until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from types import FrameType

from pydantic import ValidationError
from pydantic_settings import CliApp, SettingsError

from server.engine.llama import LlamaError
from server.gguf_check import BadGguf, check_gguf
from server.listener import CannotListen, listen
from server.settings import Settings
from server.supervisor import StopSwitch, Supervisor

EXIT_USAGE = 2
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
        return _refuse(f"{option}: {problem['msg'].removeprefix('Value error, ')}; see --help.")
    except SettingsError as error:
        return _refuse(f"{str(error).removeprefix('error parsing CLI: ')}; see --help.")
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    stop = StopSwitch()
    _stop_on_signals(stop)
    if settings.exit_with_stdin:
        threading.Thread(target=_stop_when_stdin_closes, args=(stop,), name="lifeline", daemon=True).start()
    try:
        check_gguf(settings.model)
        supervisor = Supervisor(settings, listen(settings), stop)
        asyncio.run(supervisor.run())
    except (BadGguf, LlamaError, CannotListen) as error:
        return _refuse(str(error))
    if supervisor.loading:
        sys.stdout.flush()
        os._exit(0)
    return 0


def _stop_on_signals(stop: StopSwitch) -> None:
    """The first signal asks the server to stop; from then on signals end the process, as they do any other."""

    def ask(_signal: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        stop.throw()

    for each in _SIGNALS:
        signal.signal(each, ask)


def _stop_when_stdin_closes(stop: StopSwitch) -> None:
    """A supervisor that dies, however it dies, closes our standard input: no server outlives its harness."""
    with contextlib.suppress(OSError):  # there was none
        # Not sys.stdin: Python aborts at its end where a thread still waits in there.
        while os.read(0, 4096):
            pass
    stop.throw()


def _refuse(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
