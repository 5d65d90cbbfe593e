"""Whether a model still knows how sure it may be: what a quantization did to the confidence in its answers."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.degradation.binary import CONFIDENCE, NO_INTERVAL, PairedResult
from harness.degradation.continuous import compare_continuous
from harness.metrics.calibration import equal_mass_error

ECE_BINS = 15
RESAMPLES = 499
SURE = 1e-6
"""Confidences are kept this far from 0 and 1 for the log-loss, where one wrong answer would else cost infinitely."""

Floats = NDArray[np.float64]
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
    reference: Forecasts, candidate: Forecasts, *, seed: int, confidence: float = CONFIDENCE
) -> CalibrationShift:
    """Compare the calibration of two models on the same instances.

    Brier score and log-loss are proper: a model cannot win by misstating how sure it is; they are means over instances,
    compared as such. The calibration error is none: it is biased upwards (the more, the fewer the instances), can fall
    while a model gets worse, and gets the percentile interval of a paired bootstrap, which inherits that bias. Where
    there is no instance, or any confidence or value is not known, everything is NaN.
    """
    if not len(reference.value) or np.isnan([*reference, *candidate]).any():
        return CalibrationShift(UNKNOWN, UNKNOWN, UNKNOWN)
    brier, log_loss = (
        compare_continuous(loss(reference), loss(candidate), seed=seed, confidence=confidence)
        for loss in (squared_errors, log_losses)
    )
    return CalibrationShift(brier, log_loss, _ece_shift(reference, candidate, seed, confidence))


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


def _ece_shift(reference: Forecasts, candidate: Forecasts, seed: int, confidence: float) -> PairedResult:
    def shift(*sides: Floats) -> float:
        return ece(Forecasts(*sides[2:])) - ece(Forecasts(*sides[:2]))

    delta = shift(*reference, *candidate)
    if len(reference.value) < 2:
        return UNKNOWN._replace(delta=delta)
    interval = stats.bootstrap(
        (*reference, *candidate),
        shift,
        paired=True,
        vectorized=False,
        n_resamples=RESAMPLES,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return PairedResult(delta, float(interval.low), float(interval.high), math.nan, "percentile")
