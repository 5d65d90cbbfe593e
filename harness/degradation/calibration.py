"""Whether a model still knows how sure it may be: what a quantization did to the confidence in its answers."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.degradation.binary import CONFIDENCE, NO_INTERVAL, PairedResult
from harness.degradation.clusters import FEWEST, cluster_codes
from harness.degradation.comparison import NOT_CLUSTERED, Differences, paired_result
from harness.metrics.calibration import equal_mass_error

ECE_BINS = 15
RESAMPLES = 499
SURE = 1e-6
"""Confidences are kept this far from 0 and 1 for the log-loss, where one wrong answer would else cost infinitely."""

Floats = NDArray[np.float64]
Labels = NDArray[np.object_]
UNKNOWN = PairedResult(math.nan, math.nan, math.nan, math.nan, NO_INTERVAL.method)


class Forecasts(NamedTuple):
    """A model's answers to one task, in the order of the instances."""

    confidence: Floats
    """``[instances]``: the probability of the answer, 0 to 1 (:func:`harness.metrics.calibration.confidences`)."""
    value: Floats
    """``[instances]``: whether it was right, 0 to 1."""


class CalibrationShift(NamedTuple):
    """Candidate minus reference, each with an interval; less is better in all three."""

    brier: PairedResult
    """Of the mean squared distance of confidence and value."""
    log_loss: PairedResult
    """Of the mean of -ln of the probability that was given to what turned out true, nats."""
    ece: PairedResult
    """Of the expected calibration error in 15 bins of equal mass; only a description, so there is no p-value."""


def calibration_shift(
    reference: Forecasts, candidate: Forecasts, groups: Labels, *, seed: int, confidence: float = CONFIDENCE
) -> CalibrationShift:
    """Compare the calibration of two models on the same instances.

    Brier score and log-loss are proper: a model cannot win by misstating how sure it is; they are means over instances,
    compared as such. The calibration error is none: it is biased upwards (the more, the fewer the instances), can fall
    while a model gets worse, and gets the percentile interval of a paired bootstrap, which inherits that bias. Where
    there is no instance, or any confidence or value is not known, everything is NaN.

    Args:
        reference: its answers.
        candidate: the other model's.
        groups: ``[instances]``, what each belongs to; an empty one stands alone. Whole groups are resampled.
        seed: of the resampling.
        confidence: of the intervals.
    """
    if not len(reference.value) or np.isnan([*reference, *candidate]).any():
        return CalibrationShift(UNKNOWN, UNKNOWN, UNKNOWN)
    brier, log_loss = (
        paired_result(
            Differences(loss(reference), loss(candidate), None, groups, right_or_wrong=False, shares=False),
            seed=seed,
            confidence=confidence,
        )
        for loss in (squared_errors, log_losses)
    )
    return CalibrationShift(brier, log_loss, _ece_shift(reference, candidate, groups, seed, confidence))


def ece(forecasts: Forecasts) -> float:
    """Expected calibration error in 15 bins of equal mass."""
    return equal_mass_error(*forecasts, n_bins=ECE_BINS)


def squared_errors(forecasts: Forecasts) -> Floats:
    """Squared distance of confidence and value, ``[instances]`` (Brier 1950)."""
    return (forecasts.confidence - forecasts.value) ** 2


def log_losses(forecasts: Forecasts) -> Floats:
    """-ln of the probability that was given to what turned out true, ``[instances]``, nats."""
    sure, value = np.clip(forecasts.confidence, SURE, 1 - SURE), forecasts.value
    return np.asarray(-(value * np.log(sure) + (1 - value) * np.log(1 - sure)))


def _ece_shift(
    reference: Forecasts, candidate: Forecasts, groups: Labels, seed: int, confidence: float
) -> PairedResult:
    delta = ece(candidate) - ece(reference)
    n = len(reference.value)
    if n < 2:
        return UNKNOWN._replace(delta=delta)
    units, method = _units(groups)

    def shift(drawn: Floats) -> float:
        rows = np.concatenate([units[i] for i in drawn.astype(int)])
        return ece(Forecasts(*(side[rows] for side in candidate))) - ece(Forecasts(*(side[rows] for side in reference)))

    interval = stats.bootstrap(
        (np.arange(len(units)),),
        shift,
        vectorized=False,
        n_resamples=RESAMPLES,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return PairedResult(delta, float(interval.low), float(interval.high), math.nan, method)


def _units(groups: Labels) -> tuple[list[NDArray[np.intp]], str]:
    """The rows that are drawn together, and how an interval that is found so is called."""
    codes = cluster_codes(groups)
    n_groups, alone = int(codes.max()) + 1, list(np.arange(len(codes))[:, np.newaxis])
    if n_groups == len(codes):
        return alone, "percentile"
    if n_groups < FEWEST:
        return alone, "percentile" + NOT_CLUSTERED
    return np.split(np.argsort(codes, kind="stable"), np.bincount(codes).cumsum()[:-1]), "cluster percentile"
