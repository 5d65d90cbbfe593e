"""One server subprocess a model. llama.cpp can abort a whole process, so it never runs in this one."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

import httpx

from harness.child_process import command, environment
from harness.errors import RunError, UserError
from harness.models.config import ServeConfig

START_SECONDS = 600
"""A large model may take minutes to read from a slow disk."""
STOP_SECONDS = 10
LOG_LINES = 5
REFUSAL = "error: "
"""What the server's sentence about bad input begins with."""


class ServerProcess:
    """``python -m server`` on a free port of the loopback address; a context manager that leaves nothing running."""

    def __init__(
        self, model: Path, alias: str, serve: ServeConfig, log: Path, *, slots: int, store: Path | None = None
    ) -> None:
        """Prepare to serve ``model`` under the name ``alias``.

        Args:
            model: a GGUF file.
            alias: what requests call it.
            serve: how the engine is to hold it.
            log: to the end of which everything goes that the server prints.
            slots: sequences under way at once.
            store: folder in which it may record next-token distributions, and find those of others.
        """
        self._model = model
        self._alias = alias
        self._serve = serve
        self._log = log
        self._slots = slots
        self._store = store
        self._process: subprocess.Popen[bytes] | None = None
        self.base_url = ""

    def __enter__(self) -> ServerProcess:
        """Start the server and wait until it is ready.

        Raises:
            UserError: the server refused the model.
            RunError: the server died or did not become ready.
        """
        try:
            self._start()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        # The socket is bound here and inherited, so no other process can take the port in between.
        with socket.socket() as listener, self._log.open("ab") as log:
            listener.bind(("127.0.0.1", 0))
            self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            arguments = [str(self._model), "--alias", self._alias, *_options(self._serve)]
            arguments += ["--fd", str(listener.fileno()), "--exit-with-stdin", "--slots", str(self._slots)]
            arguments += ["--divergence-dir", str(self._store)] if self._store else []
            self._process = subprocess.Popen(
                [*command("server"), *arguments],
                env=environment(),
                stdin=subprocess.PIPE,  # held open by us alone: when we die, however we die, the server sees it close
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
                start_new_session=True,  # Ctrl-C in a terminal reaches us only; we stop the server in our own order
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(trust_env=False) as client:
            while time.monotonic() < deadline:
                self.check_alive()
                with contextlib.suppress(httpx.TransportError):  # not listening yet
                    if client.get(self.base_url.removesuffix("/v1") + "/health", timeout=5).is_success:
                        return
                time.sleep(0.05)  # it is loading; the loop's condition is the answer of /health
        raise RunError(f"The server for {self._alias} was not ready after {START_SECONDS} seconds. {self.last_words()}")

    def check_alive(self) -> None:
        """Raise, with the server's own last words, if it is no longer running."""
        status = self._process.poll() if self._process else None
        if status is None:
            return
        if status == 2:
            raise UserError(self.last_words())
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        raise RunError(f"The server for {self._alias} {how}. {self.last_words()}")

    def last_words(self) -> str:
        """The last lines of the server's log; its own refusal alone where there is one, whatever follows it."""
        lines = self._log.read_text(errors="replace").splitlines()
        refusals = [line.removeprefix(REFUSAL) for line in lines if line.startswith(REFUSAL)]
        if refusals:
            return refusals[-1]
        return "Its log ends with: " + " | ".join(lines[-LOG_LINES:]) if lines else "Its log is empty."

    @property
    def pid(self) -> int:
        """Process id, for measurements."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Ask the server to stop, and kill it if it does not; returns when it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _options(serve: ServeConfig) -> list[str]:
    """A config's ``serve`` section as options of the server."""
    return [
        *("--cache-type-k", serve.cache_type_k),
        *("--cache-type-v", serve.cache_type_v),
        *("--flash-attention", serve.flash_attention),
        *("--gpu-layers", str(serve.gpu_layers)),
        *("--batch-size", str(serve.batch_size)),
    ]
