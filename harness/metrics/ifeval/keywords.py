"""keywords: which words and letters a response has, and how often. Case never matters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.metrics.ifeval.arguments import BadArgument, holds, text, texts


def existence(response: str, kwargs: Mapping[str, Any]) -> bool:
    """Every one of ``keywords`` occurs, be it inside a longer word."""
    return all(re.search(re.escape(word), response, re.IGNORECASE) for word in texts(kwargs, "keywords"))


def frequency(response: str, kwargs: Mapping[str, Any]) -> bool:
    """``keyword`` occurs less than, or at least, ``frequency`` times (``relation``), be it inside longer words."""
    found = re.findall(re.escape(text(kwargs, "keyword")), response, re.IGNORECASE)
    return holds(len(found), kwargs, "relation", "frequency")


def forbidden_words(response: str, kwargs: Mapping[str, Any]) -> bool:
    """None of ``forbidden_words`` occurs as a word of its own."""
    return not any(
        re.search(rf"\b{re.escape(word)}\b", response, re.IGNORECASE) for word in texts(kwargs, "forbidden_words")
    )


def letter_frequency(response: str, kwargs: Mapping[str, Any]) -> bool:
    """``letter`` occurs less than, or at least, ``let_frequency`` times (``let_relation``).

    Two rows ask for "#" and "!". They are counted as they are, like in the later version of IFEval's own code; the
    version that HELM copied draws another letter at random instead.
    """
    letter = text(kwargs, "letter")
    if len(letter) != 1:
        raise BadArgument(f"'letter' should be one letter, but is {letter!r}")
    return holds(response.lower().count(letter.lower()), kwargs, "let_relation", "let_frequency")
