"""`harness serve`: the server on its own."""

from __future__ import annotations

import os

import typer

from harness.child_process import command, environment


def serve(context: typer.Context) -> None:
    """Serve one GGUF model over OpenAI's API; all options are the server's own: `harness serve --help`."""
    settings = {name: value for name, value in os.environ.items() if name.startswith("QUANT_SERVER_")}
    words = [*command("server"), *context.args]
    # In place of this process, so that signals and the exit status are the server's.
    os.execve(words[0], words, environment() | settings)
