"""quant-harness: says, with evidence, what quantizing a language model costs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.results import Run

__all__ = ["load_run"]

# Read by the Hub's library when it is first imported, whichever part of ours that needs it.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def load_run(folder: str | Path) -> Run:
    """A run on disk, for notebooks: its record, what was measured and what was found, as pandas frames.

    Args:
        folder: the folder that ``harness run`` made.

    Raises:
        UserError: there is no run, one that another version wrote, or a file that is missing, broken or without a
            column.
    """
    from harness.evidence.load import load_run as load  # pandas takes seconds, and not every use of ours needs it

    return load(folder)
