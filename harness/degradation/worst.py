"""Robustness and fairness as rows of their own: every instance counts for the worst of the forms it was asked in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

import pandas as pd

from harness.metrics.kinds import Kinds
from harness.metrics.table import METRICS
from harness.metrics.worst_case import worst_case
from harness.perturbations.base import Group
from harness.perturbations.table import PERTURBATIONS

WORST = {group: f"worst({group})" for group in get_args(Group)}
"""By group: what stands in the column ``perturbation``."""
GROUPS: Mapping[str, str] = MappingProxyType({name: found.group for name, found in PERTURBATIONS.items()})
"""Of our perturbations."""


def worst_cases(scores: pd.DataFrame, kinds: Kinds = METRICS, groups: Mapping[str, str] = GROUPS) -> pd.DataFrame:
    """The worst score of every instance, for each group of which a perturbation was asked.

    Args:
        scores: with the columns of :data:`harness.execution.records.SCORE_COLUMNS`.
        kinds: of the metrics.
        groups: by perturbation; one that is not there is of none.

    Returns:
        Rows with the same columns, one a model, task, trial, metric, instance and group; none without perturbations.

    Raises:
        RunError: an instance was asked in perturbed form only.
    """
    asked = [name for name in scores["perturbation"].unique() if name]
    found = [scores.iloc[:0]]
    for group, label in WORST.items():
        names = [name for name in asked if groups.get(name) == group]
        for metric, of_metric in scores.groupby("metric", sort=False) if names else ():
            rows = worst_case(of_metric, names, higher_is_better=kinds[str(metric)].higher_is_better)
            found.append(rows.assign(perturbation=label))
    return pd.concat(found, ignore_index=True)
