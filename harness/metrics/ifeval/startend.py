"""startend: how a response ends, and what it is wrapped in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.metrics.ifeval.arguments import text


def end_checker(response: str, kwargs: Mapping[str, Any]) -> bool:
    """The last words are ``end_phrase``; case and quotation marks around the response do not matter."""
    return response.strip().strip('"').lower().endswith(text(kwargs, "end_phrase").lower())


def quotation(response: str, _kwargs: Mapping[str, Any]) -> bool:
    """The response begins with a straight double quotation mark, and ends with another."""
    stripped = response.strip()
    return len(stripped) > 1 and stripped.startswith('"') and stripped.endswith('"')
