"""Paired comparison of values on a scale, such as bits per byte."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.degradation.binary import CONFIDENCE, PairedResult

RESAMPLES = 9999
FEW = 20
"""Below this many pairs the bootstrap is too narrow: its 95% interval missed a true zero in 17% of nulls at n = 3 and
in 8% at n = 20, so a t interval takes its place."""


def compare_continuous(reference: NDArray[np.float64], candidate: NDArray[np.float64], *, seed: int) -> PairedResult:
    """Mean paired difference with a BCa bootstrap (few pairs: t) interval and a sign-flip permutation test.

    Where every difference is the same there is nothing to resample: the interval is that one value. With a single
    pair nothing can be said about spread: interval and p-value are NaN.
    """
    differences = candidate - reference
    delta = float(differences.mean())
    if len(differences) < 2:
        return PairedResult(delta, math.nan, math.nan, math.nan)
    if np.ptp(differences) == 0:
        return PairedResult(delta, delta, delta, 1.0 if delta == 0 else _permutation(differences, seed))
    low, high = _t_interval(differences) if len(differences) < FEW else _bootstrap(differences, seed)
    return PairedResult(delta, low, high, _permutation(differences, seed))


def _t_interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    interval = stats.ttest_1samp(differences, 0).confidence_interval(CONFIDENCE)
    return float(interval.low), float(interval.high)


def _bootstrap(differences: NDArray[np.float64], seed: int) -> tuple[float, float]:
    interval = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def _permutation(differences: NDArray[np.float64], seed: int) -> float:
    """Two-sided p-value of the mean under random signs; exact where all sign patterns can be counted."""
    result = stats.permutation_test(
        (differences, np.zeros_like(differences)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)
