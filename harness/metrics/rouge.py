"""ROUGE: shared n-grams (1 and 2) and longest common subsequence (L) with a reference, as F-measure.

Computed by rouge-score with stemming, as HELM does. Its words are runs of ASCII letters and digits, so a text in
another script has none and gets 0.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from harness.metrics.base import Metric
from harness.metrics.golds import Compare, best_of_golds


@cache
def _scorer(kind: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([kind], use_stemmer=True)


def _f_measure(kind: str) -> Compare:
    def compare(gold: str, text: str) -> float:
        return float(_scorer(kind).score(gold, text)[kind].fmeasure)

    return compare


ROUGE = tuple(
    Metric(name, best_of_golds(_f_measure(kind)), is_binary=False, higher_is_better=True)
    for name, kind in (("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL"))
)
