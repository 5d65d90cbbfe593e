"""Whether the reference itself knows better than chance: if not, a task cannot show what quantization cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from harness.degradation.binary import CONFIDENCE
from harness.methods import short_name


class AtChance(NamedTuple):
    """A task on which the reference is not shown to do better than guessing."""

    scenario: str
    adapter: str
    share: float
    """Of right answers, 0 to 1; ties count with their share."""
    guess_rate: float
    """What guessing gives."""

    @property
    def task(self) -> tuple[str, str]:
        """Scenario and adapter."""
        return self.scenario, self.adapter


def tasks_at_chance(instances: pd.DataFrame, reference: str, guess_rates: Mapping[str, float]) -> list[AtChance]:
    """The right-or-wrong tasks on which the reference is not shown to do better than guessing.

    Args:
        instances: as for :func:`~harness.degradation.table.degradation_table`.
        reference: label of the reference.
        guess_rates: share of right answers that guessing gives, by scenario.
    """
    found: list[AtChance] = []
    originals = instances["perturbation"] == ""
    asked = instances[(instances["model"] == reference) & originals & instances["correct"].notna()]
    for (scenario, adapter), of_task in asked.groupby(["scenario", "adapter"], sort=False):
        chance = guess_rates[str(scenario)]
        values = of_task.groupby("instance_id")["value"].mean()  # over trials, and with a share of the credit for ties
        right, n = float(values.sum()), len(values)
        low, _ = proportion_confint(right, n, alpha=1 - CONFIDENCE, method="wilson")
        if right == 0 or low <= chance:  # of no right answers at all, rounding may put the limit above zero
            found.append(AtChance(str(scenario), str(adapter), right / n, chance))
    return found


def chance_notes(found: Sequence[AtChance], tasks: Collection[tuple[str, str]]) -> list[str]:
    """A sentence on them, if there are any; ``tasks`` are all that were asked, by scenario and adapter."""
    if not found:
        return []
    scenarios = [scenario for scenario, _ in tasks]
    named = [
        (f"{one.scenario} ({short_name(one.adapter)})" if scenarios.count(one.scenario) > 1 else one.scenario)
        + f" ({one.share:.3f} against {one.guess_rate:.3f})"
        for one in found
    ]
    which = "this task says" if len(found) == 1 else "these tasks say"
    what = "has no verdict and is" if len(found) == 1 else "have no verdict and are"
    return [
        f"The reference is not shown to do better than guessing, so {which} nothing about quantization, {what} not "
        f"counted in the whole: {', '.join(named)}."
    ]
