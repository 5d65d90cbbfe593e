"""Where other people's programs find the models: at servers that run, or at those that a command is to start."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import UserError
from harness.interop.models import ExportedModel
from harness.interop.serve_line import serve_line
from harness.interop.source import Source

MOST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Served:
    """A model at the place where it will be asked."""

    model: ExportedModel
    url: str
    """With ``/v1``."""
    command: str
    """What starts its server, for a shell; empty where it runs already."""


def served_models(source: Source, port: int) -> list[Served]:
    """Where each model will be: those that are yet to be served on ``port`` and the ones after it.

    Raises:
        UserError: there are more models than ports.
    """
    served: list[Served] = []
    for model in source.models:
        if model.url:
            served.append(Served(model, model.url, ""))
            continue
        at = port + sum(1 for one in served if one.command)
        if at > MOST_PORT:
            raise UserError(f"--port: {port} leaves no port for {model.label}; give a lower one.")
        served.append(Served(model, f"http://127.0.0.1:{at}/v1", serve_line(model, at)))
    return served
