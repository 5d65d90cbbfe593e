"""exact_match: the answer is a correct reference, letter for letter."""

from __future__ import annotations

from harness.metrics.base import Metric
from harness.types import Answer, Instance


def judge(instance: Instance, answer: Answer) -> float:
    """1 if the stripped answer equals a correct reference, else 0 (HELM's ``exact_match``)."""
    if not answer.valid:
        return 0.0
    return float(any(r.is_correct and r.text.strip() == answer.text.strip() for r in instance.references))


EXACT_MATCH = Metric("exact_match", judge, is_binary=True, higher_is_better=True)
