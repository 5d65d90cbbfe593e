"""What kind of figure a metric of another harness is: by its name, by what that harness says, or by its values."""

from __future__ import annotations

import math
from collections.abc import Collection

from harness.metrics.kinds import ForeignMetric, Kind
from harness.metrics.table import METRICS

RIGHT_OR_WRONG = ForeignMetric(is_binary=True, higher_is_better=True, is_share=True)
SHARE = ForeignMetric(is_binary=False, higher_is_better=True, is_share=True)
MORE = ForeignMetric(is_binary=False, higher_is_better=True, is_share=False)
LESS = ForeignMetric(is_binary=False, higher_is_better=False, is_share=False)

KNOWN: dict[str, Kind] = {
    **METRICS,
    **dict.fromkeys(("acc_mutual_info", "em", "exact", "exact_set_match", "quasi_contains"), RIGHT_OR_WRONG),
    **dict.fromkeys(("f1", "iou_set_match", "max_prob"), SHARE),
    **dict.fromkeys(("logprob", "num_output_tokens"), MORE),
    **dict.fromkeys(("inference_runtime", "ln_perplexity", "ln_word_perplexity", "ln_byte_perplexity"), LESS),
}
"""Ours, many of which HELM and lm-eval call the same, and others of theirs."""


def kind_of(name: str, values: Collection[float], higher_is_better: bool | None) -> ForeignMetric:
    """The kind of a metric.

    Args:
        name: such as ``exact_match``, ``exact_match@5`` (HELM: of five answers the best) or ``exact_match,strict``
            (lm-eval: after a filter).
        values: all of them; NaN where there is none.
        higher_is_better: as the other harness says; None where it does not.

    Returns:
        Right or wrong if its name says so and no value lies outside 0 and 1; of an unknown name if all are one of the
        two. A share if all lie between 0 and 1.
    """
    known = KNOWN.get(name.partition(",")[0].partition("@")[0])
    seen = [value for value in values if not math.isnan(value)]
    within = all(0 <= value <= 1 for value in seen)
    better = higher_is_better if higher_is_better is not None else known is None or known.higher_is_better
    is_binary = within and (known.is_binary if known else set(seen) <= {0.0, 1.0})
    return ForeignMetric(is_binary, better, is_share=within and (known is None or known.is_share))
