"""combination: two responses in one, and the request before the response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.metrics.ifeval.arguments import text


def two_responses(response: str, _kwargs: Mapping[str, Any]) -> bool:
    """Two different parts with ``******`` between them; it may stand before and after them too."""
    parts = [part.strip() for part in response.split("******")]
    given = [part for part in parts if part]
    return all(parts[1:-1]) and len(given) == 2 and given[0] != given[1]


def repeat_prompt(response: str, kwargs: Mapping[str, Any]) -> bool:
    """The response begins with ``prompt_to_repeat``; case does not matter."""
    return response.strip().lower().startswith(text(kwargs, "prompt_to_repeat").lower())
