"""Paired comparison of right-or-wrong answers."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar

CONFIDENCE = 0.95

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """Confidence limits, and how they were found, as the column ``interval`` calls it."""

    low: float
    high: float
    method: str


NO_INTERVAL = Interval(math.nan, math.nan, "none")


class PairedResult(NamedTuple):
    """The mean difference, candidate minus reference, its confidence interval and p-value."""

    delta: float
    ci_low: float
    ci_high: float
    p_value: float
    interval: str = ""
    """How the interval was found."""


class Flips(NamedTuple):
    """How often the same question changed sides."""

    to_wrong: int
    to_right: int


def count_flips(reference: NDArray[np.bool_], candidate: NDArray[np.bool_]) -> Flips:
    """Discordant pairs of two boolean arrays ``[instances]``."""
    return Flips(int((reference & ~candidate).sum()), int((~reference & candidate).sum()))


def compare_binary(
    reference: NDArray[np.bool_], candidate: NDArray[np.bool_], *, confidence: float = CONFIDENCE
) -> PairedResult:
    """Difference of two paired proportions with the Agresti-Min interval and the exact McNemar test.

    The point estimate is the plain difference of the proportions. Without a single pair everything is NaN, without a
    single flip the p-value is 1.
    """
    n = len(reference)
    if not n:
        return PairedResult(math.nan, math.nan, math.nan, math.nan, NO_INTERVAL.method)
    flips = count_flips(reference, candidate)
    low, high = agresti_min(flips.to_right, flips.to_wrong, n, confidence)
    return PairedResult((flips.to_right - flips.to_wrong) / n, low, high, exact_mcnemar(*flips), "agresti-min")


def exact_mcnemar(to_wrong: int, to_right: int) -> float:
    """Two-sided p-value of the flips' directions being those of a fair coin; 1 without flips."""
    return float(mcnemar([[0, to_wrong], [to_right, 0]], exact=True).pvalue) if to_wrong + to_right else 1.0


def agresti_min(to_right: float, to_wrong: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of (to_right - to_wrong) / n, within [-1, 1]; NaN without a single pair.

    It adds half a pair to each discordant cell (Agresti and Min 2005, Statistics in Medicine 24:729): with few flips,
    where Wald and the percentile bootstrap cover far too little, it stays conservative, and with no flips at all it
    still has a width.
    """
    if n <= 0:
        return math.nan, math.nan
    low, high = share_limits(to_right - to_wrong, to_right + to_wrong, n, normal_reach(confidence))
    return float(low), float(high)


def share_limits(total: ArrayLike, squares: ArrayLike, n: float, reach: float) -> tuple[Floats, Floats]:
    """Agresti-Min's limits from the sums of the differences and of their squares, each difference within [-1, 1].

    Half a pair in each discordant cell is half an observation of 1, half one of -1, and one of 0. So said, it holds for
    shares of the credit as well, where answers tie or are means over trials.

    Args:
        total: sum of the differences; an array stands for many outcomes at once.
        squares: sum of their squares: of right-or-wrong answers, the number of flips.
        n: instances.
        reach: the quantile, such as 1.96.
    """
    middle = np.asarray(total, float) / (n + 2)
    half = reach * np.sqrt(((np.asarray(squares, float) + 1) / (n + 2) - middle**2) / (n + 2))
    return np.maximum(middle - half, -1.0), np.minimum(middle + half, 1.0)


def normal_reach(confidence: float) -> float:
    """How many standard errors a two-sided interval reaches either way."""
    return float(norm.ppf((1 + confidence) / 2))


def tango(to_right: int, to_wrong: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Tango's interval (1998, Statistics in Medicine 17:891): the differences that the score test does not refuse.

    Narrower than :func:`agresti_min` where flips are few, and the yardstick for it. NaN without a single pair.
    """
    if n <= 0:
        return math.nan, math.nan
    reach = normal_reach(confidence)

    def score(delta: float) -> float:
        """Distance of what was seen from ``delta`` in standard errors, these as ``delta`` would have them."""
        a, b = 2 * n, -to_right - to_wrong + (2 * n - to_right + to_wrong) * delta
        wrong = (math.sqrt(max(b * b + 4 * a * to_wrong * delta * (1 - delta), 0.0)) - b) / (2 * a)
        variance = n * (2 * wrong + delta * (1 - delta))
        return (to_right - to_wrong - n * delta) / math.sqrt(max(variance, 1e-300))

    point, edge = (to_right - to_wrong) / n, 1 - 1e-12
    low = -1.0 if point - 1e-12 <= -edge else float(brentq(lambda d: score(d) - reach, -edge, point - 1e-12))
    high = 1.0 if point + 1e-12 >= edge else float(brentq(lambda d: score(d) + reach, point + 1e-12, edge))
    return low, high
