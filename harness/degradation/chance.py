"""Whether the reference itself knows better than chance: if not, a task cannot show what quantization cost."""

from __future__ import annotations

import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from harness.degradation.binary import CONFIDENCE


def tasks_at_chance(instances: pd.DataFrame, reference: str) -> list[str]:
    """One sentence for each multiple-choice task whose Wilson interval for the reference includes guessing."""
    found: list[str] = []
    asked = instances[(instances["model"] == reference) & (instances["choices"].map(len) > 1)]
    for (scenario, adapter), of_task in asked.groupby(["scenario", "adapter"], sort=False):
        chance = float((1 / of_task["choices"].map(len)).mean())
        right, n = int(of_task["correct"].sum()), len(of_task)
        low, high = proportion_confint(right, n, alpha=1 - CONFIDENCE, method="wilson")
        if low <= chance <= high:
            found.append(
                f"{scenario} ({adapter}): the reference is no better than chance ({right / n:.3f} of {chance:.3f}), "
                "so this task says nothing about quantization."
            )
    return found
