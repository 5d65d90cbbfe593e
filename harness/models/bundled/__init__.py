"""The bundled reference model: a small Llama that knows a made-up world. docs/bundled-model.md says how it was made."""

from __future__ import annotations

from pathlib import Path

BUNDLED_MODEL = Path(__file__).with_name("world-f16.gguf")
"""The GGUF that a run without ``--model`` takes as its base."""
