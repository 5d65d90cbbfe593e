"""Single scenarios in which a model is shown to lose, whatever holds for all of them together."""

from __future__ import annotations

from typing import Any, NamedTuple

from harness.degradation.advice import LOSSES
from harness.degradation.pooled import ALL
from harness.degradation.verdict import Verdict
from harness.reports import numbers
from harness.reports.rows import main_rows, records, task_name
from harness.results import Run

HOW_MUCH = {
    Verdict.BEYOND: "more than the margin",
    Verdict.DEGRADED: "perhaps more than the margin",
    Verdict.SMALL: "less than the margin",
}


class Loss(NamedTuple):
    """What was lost in one scenario."""

    task: str
    points: str
    """``3.1 points``; empty where the metric is no share, and so has no margin."""
    verdict: Verdict
    sentence: str

    @property
    def is_beyond(self) -> bool:
        """Whether the loss is shown to be more than the margin."""
        return self.verdict is Verdict.BEYOND

    @property
    def matters(self) -> bool:
        """Whether the loss is not shown to be within the margin, and there is one."""
        return bool(self.points) and self.verdict is not Verdict.SMALL


def losses_of(run: Run, model: str) -> list[Loss]:
    """The scenarios whose verdict is a loss, the surest first."""
    table = main_rows(run.findings.degradation, run.kinds)
    adapters = table.groupby("scenario")["adapter"].nunique()
    lost = table[(table["model"] == model) & table["verdict"].isin(LOSSES) & (table["scenario"] != ALL)]
    rows = records(lost.sort_values("p_holm", kind="stable"))
    return [
        _loss(row, task_name(row, several=adapters[row["scenario"]] > 1), is_share=run.kinds[row["metric"]].is_share)
        for row in rows
    ]


def _loss(row: dict[str, Any], task: str, *, is_share: bool) -> Loss:
    verdict = Verdict(row["verdict"])
    if not is_share:
        difference = numbers.difference(row["delta"], row["ci_low"], row["ci_high"], is_share=False)
        return Loss(task, "", verdict, f"In {task} its {row['metric']} got worse: {difference}.")
    points = f"{abs(100 * row['delta']):.1f} points"
    limits = " .. ".join(numbers.signed(row[name], True) for name in ("ci_low", "ci_high"))
    return Loss(task, points, verdict, f"In {task} it lost {points} ({limits}), {HOW_MUCH[verdict]}.")
