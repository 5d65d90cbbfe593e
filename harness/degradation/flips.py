"""How sure a share is: flips in either direction, answers that changed."""

from __future__ import annotations

import math

from statsmodels.stats.proportion import proportion_confint

from harness.degradation.binary import CONFIDENCE


def wilson(count: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's interval (1927) of ``count / n``, within [0, 1]; NaN where n is 0.

    Args:
        count: 0 to ``n``; a mean over trials need not be whole.
        n: instances.
        confidence: of the two-sided interval.
    """
    if not n > 0:
        return math.nan, math.nan
    low, high = proportion_confint(count, n, alpha=1 - confidence, method="wilson")
    # At the borders rounding may put a limit on the wrong side of the share itself.
    return max(min(float(low), count / n), 0.0), min(max(float(high), count / n), 1.0)
