"""chain_of_thought_correctness: the letter that a written-out chain of thought ends with."""

from __future__ import annotations

import re

from harness.layout import LETTERS
from harness.metrics.base import Metric
from harness.metrics.golds import credit
from harness.types import Answer, Instance

_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"answer is \(?([A-J])\b",
        r"[aA]nswer:\s*\(?([A-J])\b",
        r"correct answer is [^A-Z]*([A-J])\b",
    )
)
"""HELM's for MMLU-Pro and GPQA, in its order. The second can never match in HELM, whose brackets are escaped; and HELM
also takes the first letter of a word."""


def answered_letter(text: str) -> str | None:
    """The letter that the first matching pattern finds first; None where there is none."""
    found = (pattern.search(text) for pattern in _PATTERNS)
    return next((match[1] for match in found if match), None)


def judge(instance: Instance, answer: Answer) -> float:
    """1 if the letter in the answer's text is that of a correct reference; what the adapter took goes before that."""
    if not answer.valid:
        return 0.0
    if answer.chosen:
        return credit(instance, answer.chosen)
    letter = answered_letter(answer.text)
    lettered = zip(LETTERS, instance.references, strict=False)
    return float(any(reference.is_correct and label == letter for label, reference in lettered))


CHAIN_OF_THOUGHT_CORRECTNESS = Metric(
    "chain_of_thought_correctness", judge, is_binary=True, higher_is_better=True, needs="reasons"
)
