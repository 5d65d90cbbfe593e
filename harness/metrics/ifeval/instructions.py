"""The 25 instructions of IFEval by the ids that the data set has (https://arxiv.org/abs/2311.07911)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.metrics.ifeval import (
    change_case,
    combination,
    detectable_content,
    detectable_format,
    keywords,
    language,
    length_constraints,
    punctuation,
    startend,
)

Check = Callable[[str, Mapping[str, Any]], bool]
"""From a response and the instruction's arguments to whether it was followed.

Raises :class:`~harness.metrics.ifeval.arguments.BadArgument` where the arguments are of no use, and nothing else.
"""

_CHECKS: dict[str, tuple[Check, ...]] = {
    "change_case": (change_case.capital_word_frequency, change_case.english_capital, change_case.english_lowercase),
    "combination": (combination.repeat_prompt, combination.two_responses),
    "detectable_content": (detectable_content.number_placeholders, detectable_content.postscript),
    "detectable_format": (
        detectable_format.constrained_response,
        detectable_format.json_format,
        detectable_format.multiple_sections,
        detectable_format.number_bullet_lists,
        detectable_format.number_highlighted_sections,
        detectable_format.title,
    ),
    "keywords": (keywords.existence, keywords.forbidden_words, keywords.frequency, keywords.letter_frequency),
    "language": (language.response_language,),
    "length_constraints": (
        length_constraints.nth_paragraph_first_word,
        length_constraints.number_paragraphs,
        length_constraints.number_sentences,
        length_constraints.number_words,
    ),
    "punctuation": (punctuation.no_comma,),
    "startend": (startend.end_checker, startend.quotation),
}

INSTRUCTIONS: dict[str, Check] = {
    f"{family}:{check.__name__}": check for family, checks in _CHECKS.items() for check in checks
}
