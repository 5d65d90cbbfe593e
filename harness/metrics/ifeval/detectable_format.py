"""detectable_format: Markdown, sections, titles and JSON.

IFEval's own patterns take quadratic time on such texts as a thousand "[" in a row; these find the same in one pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from harness.metrics.ifeval.arguments import number, text

_ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def number_bullet_lists(response: str, kwargs: Mapping[str, Any]) -> bool:
    """Exactly ``num_bullets`` lines that begin with ``-``, or with one ``*`` only."""
    stars = re.findall(r"^[^\S\n]*\*[^*].*$", response, re.MULTILINE)
    dashes = re.findall(r"^[^\S\n]*-", response, re.MULTILINE)
    return len(stars) + len(dashes) == number(kwargs, "num_bullets")


def constrained_response(response: str, _kwargs: Mapping[str, Any]) -> bool:
    """One of the three answers that the prompts offer occurs, as it is."""
    return any(answer in response for answer in _ANSWERS)


def number_highlighted_sections(response: str, kwargs: Mapping[str, Any]) -> bool:
    """At least ``num_highlights`` stretches within one line like ``*this*`` or ``**this**``.

    Two stars count where a pair of either kind is found, so that ``**this**`` counts once.
    """
    single = re.findall(r"\*([^\n*]*)\*", response)
    double = re.findall(r"\*\*([^\n*]*)\*\*", response)
    return sum(bool(inside.strip()) for inside in single + double) >= number(kwargs, "num_highlights")


def multiple_sections(response: str, kwargs: Mapping[str, Any]) -> bool:
    """At least ``num_sections`` times the word ``section_spliter`` with a number, such as ``Section 1``."""
    found = re.findall(re.escape(text(kwargs, "section_spliter")) + r"\s?\d+", response)
    return len(found) >= number(kwargs, "num_sections")


def json_format(response: str, _kwargs: Mapping[str, Any]) -> bool:
    """The whole response is JSON, in a Markdown code block or not."""
    body = re.sub(r"\A```(json|Json|JSON)?|```\Z", "", response.strip())
    try:
        json.loads(body)
    except (ValueError, RecursionError):  # nested deeper than Python reads
        return False
    return True


def title(response: str, _kwargs: Mapping[str, Any]) -> bool:
    """A line has something like ``<<this>>``."""
    for line in response.split("\n"):
        begin, end = line.find("<<"), line.rfind(">>")
        if 0 <= begin < end and line[begin:end].lstrip("<").rstrip(">").strip():
            return True
    return False
