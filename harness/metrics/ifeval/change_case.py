"""change_case: all in capitals, none in capitals, some words in capitals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.metrics.ifeval.arguments import holds
from harness.metrics.ifeval.language import is_in_language
from harness.metrics.ifeval.segmentation import tokens


def capital_word_frequency(response: str, kwargs: Mapping[str, Any]) -> bool:
    """Less than, or at least, ``capital_frequency`` words in capitals (``capital_relation``); "I" is one of them."""
    in_capitals = sum(token.isupper() for token in tokens(response))
    return holds(in_capitals, kwargs, "capital_relation", "capital_frequency")


def english_capital(response: str, _kwargs: Mapping[str, Any]) -> bool:
    """There are letters, all of them capitals, and the language is English."""
    return response.isupper() and is_in_language(response, "en")


def english_lowercase(response: str, _kwargs: Mapping[str, Any]) -> bool:
    """There are letters, none of them a capital, and the language is English."""
    return response.islower() and is_in_language(response, "en")
