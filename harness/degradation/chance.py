"""Whether the reference itself knows better than chance: if not, a task cannot show what quantization cost."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from harness.degradation.binary import CONFIDENCE


def tasks_at_chance(instances: pd.DataFrame, reference: str, guess_rates: Mapping[str, float]) -> list[str]:
    """A sentence on the right-or-wrong tasks on which the reference is not shown to do better than guessing, if any.

    Args:
        instances: as for :func:`~harness.degradation.table.degradation_table`.
        reference: label of the reference.
        guess_rates: share of right answers that guessing gives, by scenario.
    """
    found: list[str] = []
    adapters = instances.groupby("scenario")["adapter"].nunique()
    originals = instances["perturbation"] == ""
    asked = instances[(instances["model"] == reference) & originals & instances["correct"].notna()]
    for (scenario, adapter), of_task in asked.groupby(["scenario", "adapter"], sort=False):
        chance = guess_rates[str(scenario)]
        values = of_task.groupby("instance_id")["value"].mean()  # over trials, and with a share of the credit for ties
        right, n = float(values.sum()), len(values)
        low, _ = proportion_confint(right, n, alpha=1 - CONFIDENCE, method="wilson")
        if right == 0 or low <= chance:  # of no right answers at all, rounding may put the limit above zero
            task = f"{scenario} ({adapter})" if adapters[str(scenario)] > 1 else str(scenario)
            found.append(f"{task} ({right / n:.3f} against {chance:.3f})")
    if not found:
        return []
    which = "this task says" if len(found) == 1 else "these tasks say"
    return [
        f"The reference is not shown to do better than guessing, so {which} nothing about quantization: "
        f"{', '.join(found)}."
    ]
