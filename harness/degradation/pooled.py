"""All right-or-wrong questions of a run as one task, for the verdict on a model as a whole."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from harness.metrics.kinds import Kinds

ALL, ACCURACY = "all", "accuracy"
"""What stands for the scenario and the metric of these rows; their adapter is empty."""

Mains = Mapping[tuple[str, str], str]
"""By scenario and adapter, in the order asked: the name of the main metric."""


def pooled(scores: pd.DataFrame, mains: Mains, kinds: Kinds) -> pd.DataFrame:
    """The rows that count for a model as a whole, as rows of one more task.

    Every original instance of every scenario whose main metric knows right and wrong, each counting once: where a
    scenario is asked in several ways, the first of them. Groups stay groups, each within its scenario.

    Args:
        scores: with the columns of :data:`harness.execution.records.SCORE_COLUMNS`, and maybe others.
        mains: main metrics.
        kinds: of the metrics.
    """
    asked = pd.MultiIndex.from_frame(scores[["scenario", "adapter", "metric"]])
    chosen = asked.isin(_chosen(mains, kinds)) & (scores["perturbation"] == "")
    rows = scores[chosen]
    if not len(rows):
        return rows
    groups = np.where(rows["group"] == "", "", rows["scenario"] + "/" + rows["group"])
    names = rows["scenario"] + "/" + rows["instance_id"]
    return rows.assign(scenario=ALL, adapter="", metric=ACCURACY, instance_id=names, group=groups)


def _chosen(mains: Mains, kinds: Kinds) -> list[tuple[str, str, str]]:
    """Scenario, adapter and metric; the adapter is the first of each scenario."""
    found: dict[str, tuple[str, str, str]] = {}
    for (scenario, adapter), metric in mains.items():
        if kinds[metric].is_binary:
            found.setdefault(scenario, (scenario, adapter, metric))
    return list(found.values())
