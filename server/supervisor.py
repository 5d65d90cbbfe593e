"""A server from its start to its end: it answers while the model loads, and finishes what it can before it stops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import uvicorn

from server.api.state import Lifecycle, Served
from server.app import create_app
from server.divergence.formats import compile_kernels
from server.engine.engine import Engine
from server.engine.llama import VERSION
from server.listener import url
from server.settings import Settings

FLUSH_SECONDS = 1
"""How long clients may take to read that their request has failed because the server stops."""


class StopSwitch:
    """Asks the server to stop: once, from any thread, or from a signal's handler."""

    def __init__(self) -> None:
        self._thrown = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event = asyncio.Event()

    def throw(self) -> None:
        """Ask it."""
        self._thrown = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server has stopped
                self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Wait until somebody asks."""
        self._loop = asyncio.get_running_loop()
        if not self._thrown:
            await self._event.wait()


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: what a signal means is decided in :mod:`server.__main__`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Supervisor:
    """Runs one server."""

    def __init__(self, settings: Settings, listener: socket.socket, stop: StopSwitch) -> None:
        self._settings = settings
        self._listener = listener
        self._stop = stop
        self._lifecycle = Lifecycle()
        self.loading = True
        """Whether the thread that loads the model may still be in llama.cpp, which cannot be interrupted."""

    async def run(self) -> None:
        """Serve until told to stop.

        Raises:
            LlamaError: the model could not be loaded.
        """
        server = _Server(
            uvicorn.Config(
                create_app(self._settings, self._lifecycle),
                log_level=self._settings.log_level,
                access_log=False,
                server_header=False,
                ws="none",
                timeout_graceful_shutdown=FLUSH_SECONDS,
            )
        )
        stopped = asyncio.create_task(self._stop.wait())
        serving = asyncio.create_task(server.serve([self._listener]))
        loaded = self._load()
        engine: Engine | None = None
        try:
            await asyncio.wait((loaded, stopped, serving), return_when=asyncio.FIRST_COMPLETED)
            if loaded.done():
                self.loading = False
                engine = loaded.result()
                self._open(engine)
                await asyncio.wait((stopped, serving), return_when=asyncio.FIRST_COMPLETED)
                await self._drain(engine)
        finally:
            stopped.cancel()
            server.should_exit = True
            await serving
            if engine is not None:
                # The model is not freed: a thread may still be tokenizing with it, and the process ends anyway.
                engine.stop()

    def _load(self) -> asyncio.Future[Engine]:
        """Load the model in a thread that does not keep the process alive."""
        loaded: Future[Engine] = Future()

        def load() -> None:
            try:
                if self._settings.divergence_dir is not None:
                    compile_kernels()
                loaded.set_result(Engine(self._settings))
            except Exception as error:
                loaded.set_exception(error)

        threading.Thread(target=load, name="loader", daemon=True).start()
        return asyncio.wrap_future(loaded)

    def _open(self, engine: Engine) -> None:
        model_id = self._settings.model_id
        self._lifecycle.open(Served(engine, model_id, int(time.time()), VERSION))
        print(f"serving {model_id} at {url(self._listener)}", flush=True)

    async def _drain(self, engine: Engine) -> None:
        """Let requests under way finish, and fail those that do not."""
        self._lifecycle.drain()
        if not await self._lifecycle.idle(self._settings.drain_seconds):
            await asyncio.to_thread(engine.stop)
            await self._lifecycle.idle(FLUSH_SECONDS)
