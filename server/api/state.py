"""What every route needs to know of the server it runs in, and what that server is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from fastapi import Depends, Request

from server.engine.engine import Engine
from server.protocol.errors import Unavailable
from server.settings import Settings


@dataclass(frozen=True, slots=True)
class Served:
    """The one model that this process serves."""

    engine: Engine
    id: str
    """The name that clients use."""
    created: int
    """Unix time of the start."""
    fingerprint: str
    """Which engine computed the answers."""

    @property
    def settings(self) -> Settings:
        """What the operator chose."""
        return self.engine.settings


class Stage(Enum):
    """What the server is doing."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"


class Lifecycle:
    """The way of a server from loading to its end. Used in the event loop's thread alone."""

    def __init__(self) -> None:
        self.stage = Stage.LOADING
        self.served: Served | None = None
        """The model, once it is loaded."""
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def open(self, served: Served) -> None:
        """The model is loaded: requests are answered from here on."""
        self.served = served
        self.stage = Stage.READY

    def drain(self) -> None:
        """Take no more requests; those under way go on."""
        self.stage = Stage.DRAINING

    def refusal(self) -> Unavailable | None:
        """Why a request that comes now is not answered."""
        if self.stage is Stage.LOADING:
            return Unavailable("The model is loading; try again in a moment.")
        if self.stage is Stage.DRAINING:
            return Unavailable("The server is shutting down; send the request to another one, or again later.")
        return None

    @contextmanager
    def request(self) -> Iterator[None]:
        """While the block runs, a request is under way."""
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if self._under_way == 0:
                self._idle.set()

    async def idle(self, seconds: float) -> bool:
        """Wait until no request is under way, but no longer than that; whether it came so far."""
        if not self._idle.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), seconds)
        return self._idle.is_set()


def _lifecycle(request: Request) -> Lifecycle:
    lifecycle: Lifecycle = request.app.state.lifecycle
    return lifecycle


ServerLifecycle = Annotated[Lifecycle, Depends(_lifecycle)]


def _served(lifecycle: ServerLifecycle) -> Served:
    if lifecycle.served is None:
        raise lifecycle.refusal() or AssertionError
    return lifecycle.served


ServedModel = Annotated[Served, Depends(_served)]
