"""Robustness and fairness as rows of their own: every instance counts for the worst of the forms it was asked in."""

from __future__ import annotations

from typing import get_args

import pandas as pd

from harness.metrics.table import METRICS
from harness.metrics.worst_case import worst_case
from harness.perturbations.base import Group
from harness.perturbations.table import PERTURBATIONS

WORST = {group: f"worst({group})" for group in get_args(Group)}
"""By group: what stands in the column ``perturbation``."""


def worst_cases(scores: pd.DataFrame) -> pd.DataFrame:
    """The worst score of every instance, for each group of which a perturbation was asked.

    Args:
        scores: with the columns of :data:`harness.execution.records.SCORE_COLUMNS`.

    Returns:
        Rows with the same columns, one a model, task, trial, metric, instance and group; none without perturbations.

    Raises:
        RunError: an instance was asked in perturbed form only.
    """
    asked = [PERTURBATIONS[name] for name in scores["perturbation"].unique() if name]
    found = [scores.iloc[:0]]
    for group, label in WORST.items():
        names = [perturbation.name for perturbation in asked if perturbation.group == group]
        for metric, of_metric in scores.groupby("metric", sort=False) if names else ():
            rows = worst_case(of_metric, names, higher_is_better=METRICS[str(metric)].higher_is_better)
            found.append(rows.assign(perturbation=label))
    return pd.concat(found, ignore_index=True)
