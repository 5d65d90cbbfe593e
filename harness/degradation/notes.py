"""What a reader must know before trusting the degradation table: sentences on what it leaves out."""

from __future__ import annotations

import pandas as pd

from harness.degradation.clusters import FEWEST
from harness.degradation.comparison import NOT_CLUSTERED
from harness.degradation.pooled import ALL


def notes_on(scores: pd.DataFrame, degradation: pd.DataFrame) -> list[str]:
    """Sentences on values that are missing, and on groups that are too few.

    Args:
        scores: with the columns of :data:`harness.execution.records.SCORE_COLUMNS`.
        degradation: with those of :data:`~harness.degradation.columns.DEGRADATION`.
    """
    return [*_missing(scores), *_not_clustered(degradation)]


def _missing(scores: pd.DataFrame) -> list[str]:
    """On originals; of the forms by perturbations, ``n`` says how many could be compared."""
    originals = scores[scores["perturbation"] == ""]
    found: list[str] = []
    for (scenario, adapter, metric), of_task in originals.groupby(["scenario", "adapter", "metric"], sort=False):
        without = of_task[of_task["value"].isna()]
        if len(without):
            total = of_task["instance_id"].nunique()
            found.append(
                f"{scenario} ({adapter}), {metric}: {without['instance_id'].nunique()} of {total} instances have an "
                f"answer without a value (in {', '.join(map(str, without['model'].unique()))}); comparisons count the "
                "others."
            )
    return found


def _not_clustered(degradation: pd.DataFrame) -> list[str]:
    marked = degradation["interval"].str.endswith(NOT_CLUSTERED) & (degradation["perturbation"] == "")
    scenarios = [str(name) for name in degradation.loc[marked, "scenario"].unique() if name != ALL]
    if not scenarios:
        return []
    return [
        f"Instances come in fewer than {FEWEST} groups, too few for intervals that allow for what a group has in "
        f"common, so the intervals may be too narrow: {', '.join(scenarios)}."
    ]
