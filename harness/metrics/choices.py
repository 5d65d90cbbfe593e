"""Accuracy of choices that were scored apart, by other rules than the adapter's own.

``acc``, ``acc_norm`` and ``acc_bytes`` are lm-eval's: the choice whose text is likeliest, as it is, per character of
it, and per byte. Choices that tie for the best get fractional credit, where lm-eval takes the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.metrics.base import Metric
from harness.metrics.golds import credit
from harness.ties import highest
from harness.types import Answer, Instance


def _accuracy(name: str, length: Callable[[str], int]) -> Metric:
    def judge(instance: Instance, answer: Answer) -> float:
        """Share of the best choices that are correct; NaN where choices were not scored apart."""
        if not answer.choice_logprobs or any(map(math.isnan, answer.choice_logprobs)):
            return math.nan
        # An empty choice has no length to divide by.
        pairs = zip(answer.choice_logprobs, instance.references, strict=True)
        scores = [logprob / max(1, length(reference.text)) for logprob, reference in pairs]
        return credit(instance, highest(scores))

    return Metric(name, judge, is_binary=True, higher_is_better=True, needs="choice scores")


CHOICE_ACCURACIES = (
    _accuracy("acc", lambda _text: 1),
    _accuracy("acc_norm", len),
    _accuracy("acc_bytes", lambda text: len(text.encode())),
)
