"""Calibration: whether answers are right as often as their probabilities say.

Names and definitions are HELM's (which takes them from Kumar et al. 2019, arXiv 1909.10155), but for three points. Ties
in confidence have no order: their values are averaged before they are ranked. Fractional credit counts as it is, where
HELM rounds it down. And where choices are scored apart, the confidence is the probability that the model gives the
choice that was taken, if it has to be one of them: a softmax over the choices' log-probabilities, which are sums over
their tokens. HELM's ``max_prob`` is the largest of a softmax over means per token, which are no log-probabilities of
anything: the longer the choices, the more alike they make them. ``brier`` is not in HELM.

Every function reads the rows of one model and task: ``value`` (the main metric, 0 to 1), ``logprob`` (of the answer,
nats), ``answer``, ``choices`` and ``choice_logprobs`` (empty where choices were not scored apart). All give NaN where a
value is not between 0 and 1, where a confidence is not known, and where an endpoint said 0 for every log-probability.
Below some 300 rows ``ece_10_bin`` says little.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.metrics.base import SetMetric

Floats = NDArray[np.float64]
Judge = Callable[[pd.DataFrame], float]

N_BINS = 10
COVERAGE = 0.1
"""Share of the answers that ``selective_acc@10`` looks at."""


def confidences(rows: pd.DataFrame) -> Floats:
    """One confidence a row, 0 to 1: the probability of a generated answer; of choices, that of the one that was taken.

    NaN where it is not known. Computed for all rows at once, since intervals take hundreds of passes.
    """
    found: Floats = np.exp(np.minimum(0.0, rows["logprob"].to_numpy(float)))
    lengths = rows["choice_logprobs"].map(len).to_numpy(int)
    found[lengths == 1] = 1.0  # there was nothing else to take; and the column ``choices`` is empty
    has_choices = lengths > 1
    if has_choices.any():
        several, lengths = rows[has_choices], lengths[has_choices]
        begins = np.cumsum(lengths) - lengths
        scores = np.concatenate(several["choice_logprobs"].tolist())
        weights = np.exp(scores - np.repeat(np.maximum.reduceat(scores, begins), lengths))
        texts = np.array(list(itertools.chain.from_iterable(several["choices"])), object)
        is_taken = (texts == np.repeat(several["answer"].to_numpy(object), lengths)).astype(bool)
        # An answer that is none of the choices leaves only NaN, which fmax otherwise passes over.
        taken = np.fmax.reduceat(np.where(is_taken, weights, np.nan), begins)
        found[has_choices] = taken / np.add.reduceat(weights, begins)
    return found


def _known(judge: Callable[[Floats, Floats], float]) -> Judge:
    """From confidences and values to rows, and NaN for rows that cannot be judged."""

    def of_rows(rows: pd.DataFrame) -> float:
        values, found = rows["value"].to_numpy(float), confidences(rows)
        is_judged = bool(((values >= 0) & (values <= 1) & ~np.isnan(found)).all())
        if not is_judged or (found == 1).all():
            return math.nan
        return float(judge(found, values))

    return of_rows


def _error(bins: NDArray[np.intp], confidence: Floats, value: Floats) -> float:
    """Distance of mean confidence and mean value in each bin, weighted by the rows in it."""
    return float(np.abs(np.bincount(bins, weights=confidence - value)).sum() / len(bins))


def equal_mass_error(confidence: Floats, value: Floats, n_bins: int = N_BINS) -> float:
    """Bins with as many rows each. Borders lie between confidences, so equal ones are never parted."""
    parts = np.array_split(np.sort(confidence), min(n_bins, len(confidence)))
    borders = [(low[-1] + high[0]) / 2 for low, high in itertools.pairwise(parts)]
    return _error(np.searchsorted(np.unique(borders), confidence), confidence, value)


def _ece_1_bin(confidence: Floats, value: Floats) -> float:
    return abs(float(confidence.mean() - value.mean()))


def _accuracies(confidence: Floats, value: Floats) -> Floats:
    """Mean value of the k most confident rows, for every k from 1."""
    fair = pd.Series(value).groupby(confidence).transform("mean").to_numpy()
    in_order = fair[np.argsort(-confidence, kind="stable")]
    accuracies: Floats = np.cumsum(in_order) / np.arange(1, len(in_order) + 1)
    return accuracies


def _selective_accuracy(confidence: Floats, value: Floats) -> float:
    return float(_accuracies(confidence, value)[int(COVERAGE * len(value))])


def _coverage_area(confidence: Floats, value: Floats) -> float:
    return float(_accuracies(confidence, value).mean())


def _brier(confidence: Floats, value: Floats) -> float:
    """Mean squared distance of confidence and value (Brier 1950), of the answer that was given."""
    return float(((confidence - value) ** 2).mean())


CALIBRATION = (
    SetMetric("ece_10_bin", _known(equal_mass_error), higher_is_better=False, reads_logprobs=True),
    SetMetric("ece_1_bin", _known(_ece_1_bin), higher_is_better=False, reads_logprobs=True),
    SetMetric("selective_acc@10", _known(_selective_accuracy), higher_is_better=True, reads_logprobs=True),
    SetMetric("selective_cov_acc_area", _known(_coverage_area), higher_is_better=True, reads_logprobs=True),
    SetMetric("brier", _known(_brier), higher_is_better=False, reads_logprobs=True),
)
