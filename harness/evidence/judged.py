"""Which tasks of a run a verdict is given on."""

from __future__ import annotations

import pandas as pd

from harness.degradation.verdict import Verdict
from harness.results import Run


def judged_metrics(run: Run) -> dict[tuple[str, str], str]:
    """Main metrics by scenario and adapter, but for tasks at which the reference guesses: these say nothing.

    The row of the reference says which they are: it has a verdict just where others can have one.
    """
    table = run.findings.degradation
    is_judged = (table["model"] == run.reference) & (table["verdict"] == str(Verdict.REFERENCE))
    rows = pd.MultiIndex.from_frame(table.loc[is_judged, ["scenario", "adapter", "metric"]])
    return {task: metric for task, metric in run.main_metrics.items() if (*task, metric) in rows}
