"""Comparison of what judges a whole set of answers and is no mean over them: BLEU of a corpus, calibration errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from harness.degradation.binary import CONFIDENCE, NO_INTERVAL, PairedResult
from harness.metrics.base import SetMetric

RESAMPLES = 200
"""Enough for the first digit of an interval; each resample judges both sets anew, which takes BLEU 50 ms."""

Judge = Callable[[pd.DataFrame], float]
Trials = Sequence[pd.DataFrame]
"""One model's rows of ``instances`` for one task, trial by trial: in each the same instances in the same order."""


def compare_sets(judge: Judge, reference: Trials, candidate: Trials, *, seed: int) -> PairedResult:
    """Difference of a set's judgement with a percentile interval of the paired bootstrap; no p-value.

    Args:
        judge: from rows of ``instances`` to one figure.
        reference: the reference's rows, in the same order as
        candidate: the other model's.
        seed: of the resampling, which draws the same instances on both sides and in all trials.
    """
    delta = judge_trials(judge, candidate) - judge_trials(judge, reference)
    n = len(reference[0])
    if n < 2 or math.isnan(delta):
        return PairedResult(delta, *NO_INTERVAL[:2], math.nan, NO_INTERVAL.method)
    rng = np.random.default_rng(seed)
    deltas: list[float] = []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, n, n)
        expected, found = (judge_trials(judge, [trial.iloc[rows] for trial in side]) for side in (reference, candidate))
        deltas.append(found - expected)
    known = np.array([value for value in deltas if not math.isnan(value)])
    if not len(known):
        return PairedResult(delta, *NO_INTERVAL[:2], math.nan, NO_INTERVAL.method)
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return PairedResult(delta, float(low), float(high), math.nan, "percentile")


def judge_trials(judge: Judge, trials: Trials) -> float:
    """Mean over the trials, each judged by itself (so in HELM too)."""
    return float(np.mean([judge(trial) for trial in trials]))


def set_table(
    instances: pd.DataFrame, metrics: Mapping[tuple[str, str], Sequence[SetMetric]], reference: str, *, seed: int
) -> pd.DataFrame:
    """Rows for the degradation table, one a model, task, perturbation and set metric.

    Args:
        instances: of all models, with the columns of :data:`harness.execution.records.COLUMNS`.
        metrics: by scenario and adapter.
        reference: label of the model that the others are compared with.
        seed: of the resampling.
    """
    rows: list[dict[str, object]] = []
    keys = ["scenario", "adapter", "perturbation"]
    for task, of_task in instances.groupby(keys, sort=False):
        scenario, adapter, _ = map(str, task)
        parts = {
            str(model): [trial.sort_values("instance_id", ignore_index=True) for _, trial in part.groupby("trial")]
            for model, part in of_task.groupby("model", sort=False)
        }
        base = parts[reference]
        for metric in metrics.get((scenario, adapter), ()):
            expected = judge_trials(metric.judge, base)
            for model, trials in parts.items():
                same = model == reference
                result = None if same else compare_sets(metric.judge, base, trials, seed=seed)
                row = dict(zip(keys, task, strict=True)) | {
                    "model": model,
                    "metric": metric.name,
                    "n": len(trials[0]),
                    "value": expected if same else judge_trials(metric.judge, trials),
                    "reference_value": expected,
                }
                rows.append(row | (result._asdict() if result else {}))
    return pd.DataFrame(rows)
