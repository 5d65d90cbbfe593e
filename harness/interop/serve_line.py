"""The command that serves a model for other people's programs."""

from __future__ import annotations

import shlex

from harness.interop.models import ExportedModel
from harness.models.config import ServeConfig


def serve_line(model: ExportedModel, port: int) -> str:
    """``harness serve FILE --alias ID --port PORT``, with what the model's config says otherwise than all do."""
    given, usual = model.serve.model_dump(), ServeConfig().model_dump()
    pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in given.items() if value != usual[name]]
    options = [word for pair in pairs for word in pair]
    return shlex.join(["harness", "serve", str(model.file), "--alias", model.id, "--port", str(port), *options])
