"""detectable_content: placeholders and postscripts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.metrics.ifeval.arguments import number, text

_MARKERS = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
"""The two that the data have may have spaces inside."""


def number_placeholders(response: str, kwargs: Mapping[str, Any]) -> bool:
    """At least ``num_placeholders`` stretches within one line like ``[this]``."""
    # Outside in, "[[a]" is one. Found by hand, since a pattern would look for the end once for every bracket.
    found = 0
    for line in response.split("\n"):
        end = 0
        while (begin := line.find("[", end)) >= 0 and (end := line.find("]", begin)) >= 0:
            found += 1
    return found >= number(kwargs, "num_placeholders")


def postscript(response: str, kwargs: Mapping[str, Any]) -> bool:
    """``postscript_marker`` occurs, in either case and anywhere."""
    marker = text(kwargs, "postscript_marker")
    return bool(re.search(_MARKERS.get(marker, re.escape(marker.lower())), response.lower()))
