"""Paired comparison of right-or-wrong answers."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar

CONFIDENCE = 0.95


class PairedResult(NamedTuple):
    """The mean difference, candidate minus reference, its confidence interval and p-value."""

    delta: float
    ci_low: float
    ci_high: float
    p_value: float


class Flips(NamedTuple):
    """How often the same question changed sides."""

    to_wrong: int
    to_right: int


def count_flips(reference: NDArray[np.bool_], candidate: NDArray[np.bool_]) -> Flips:
    """Discordant pairs of two boolean arrays ``[instances]``."""
    return Flips(int((reference & ~candidate).sum()), int((~reference & candidate).sum()))


def compare_binary(reference: NDArray[np.bool_], candidate: NDArray[np.bool_]) -> PairedResult:
    """Difference of two paired proportions with the Agresti-Min interval and the exact McNemar test.

    The interval adds half a pair to each discordant cell (Agresti and Min 2005, Statistics in Medicine 24:729): with
    few flips, where Wald and the percentile bootstrap cover far too little, it stays conservative, and with no flips
    at all it still has a width. The point estimate stays the plain difference of the proportions.
    """
    flips = count_flips(reference, candidate)
    n = len(reference)
    low, high = agresti_min(flips.to_right, flips.to_wrong, n)
    table = [[0, flips.to_wrong], [flips.to_right, 0]]
    p_value = float(mcnemar(table, exact=True).pvalue) if sum(flips) else 1.0
    return PairedResult((flips.to_right - flips.to_wrong) / n, low, high, p_value)


def agresti_min(to_right: int, to_wrong: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of (to_right - to_wrong) / n, within [-1, 1]."""
    right, wrong, total = to_right + 0.5, to_wrong + 0.5, n + 2
    middle = (right - wrong) / total
    error = math.sqrt(((right + wrong) / total - middle**2) / total)
    reach = float(norm.ppf((1 + confidence) / 2)) * error
    return max(middle - reach, -1.0), min(middle + reach, 1.0)
