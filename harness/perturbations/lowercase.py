"""Everything in lower case, as HELM has it."""

from __future__ import annotations

from random import Random


def lowercase(text: str, _rng: Random) -> str:
    """The text in lower case; nothing is drawn."""
    return text.lower()
