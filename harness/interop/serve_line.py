"""The command that serves a model for other people's programs."""

from __future__ import annotations

import shlex

from harness.interop.models import ExportedModel
from harness.models.config import ServeConfig


def serve_line(model: ExportedModel, port: int) -> str:
    """``harness serve FILE --alias ID --port PORT``, with the options that the model's config has."""
    file = shlex.quote(str(model.file)) if model.file else f"PATH/OF/{shlex.quote(model.file_name)}"
    given, usual = model.serve.model_dump(), ServeConfig().model_dump()
    options = [f"--{name.replace('_', '-')} {value}" for name, value in given.items() if value != usual[name]]
    return " ".join(["harness serve", file, f"--alias {model.id}", f"--port {port}", *options])
