"""Which store a run reads its tables from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.data.hub import Hub
from harness.data.mirror import Mirror


def open_store(folder: Path | None, say: Callable[[str], None] = lambda _line: None) -> Hub | Mirror:
    """The mirror in ``folder``, or the Hub, which tells ``say`` of every download.

    Raises:
        UserError: there is no such folder.
    """
    return Mirror(folder) if folder else Hub(say)
