"""punctuation: no commas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def no_comma(response: str, _kwargs: Mapping[str, Any]) -> bool:
    """There is no ASCII comma."""
    return "," not in response
