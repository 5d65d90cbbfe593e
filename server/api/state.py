"""What every route needs to know of the server it runs in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from server.engine.engine import Engine
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


def _served(request: Request) -> Served:
    served: Served = request.app.state.served
    return served


ServedModel = Annotated[Served, Depends(_served)]
