"""From what was measured to what follows: pure, so that a run on disk can be recomputed and compared."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.degradation.calibration_rows import calibration_rows
from harness.degradation.chance import chance_notes, tasks_at_chance
from harness.degradation.divergence import divergence_rows
from harness.degradation.generation import generation_rows
from harness.degradation.notes import notes_on
from harness.degradation.sets import set_table
from harness.degradation.slices import slice_table
from harness.degradation.table import degradation_table, in_order
from harness.degradation.worst import worst_cases
from harness.metrics.kinds import Kinds
from harness.metrics.table import SET_METRICS
from harness.results import Findings, Measured, kinds_of, main_metrics


def analyse(record: dict[str, Any], measured: Measured) -> Findings:
    """Compare every model of a run with its reference.

    Args:
        record: ``run.json``, or what will be it; its seed, reference, null run, margin and tasks are read.
        measured: what was answered.

    Raises:
        RunError: an instance was not asked of every model; it is named.
    """
    reference, seed = str(record["reference"]), int(record["seed"])
    instances, scores = measured.instances, measured.scores
    kinds = kinds_of(record)
    # A metric of another harness, whatever its name, was judged there.
    judges = {
        (task["scenario"], task["adapter"]): [
            SET_METRICS[name] for name in task["metrics"] if name in SET_METRICS and name not in kinds
        ]
        for task in record["tasks"]
    }
    guess_rates = {task["scenario"]: float(task["guess_rate"]) for task in record["tasks"]}
    mains = main_metrics(record)
    at_chance = tasks_at_chance(instances, reference, guess_rates)
    says_nothing = {one.task for one in at_chance}
    single = degradation_table(
        pd.concat([scores, _worst_cases(record, scores, kinds)]),
        instances,
        {task: metric for task, metric in mains.items() if task not in says_nothing},
        reference=reference,
        null=record["null"],
        margin=float(record["margin"]),
        seed=seed,
        kinds=kinds,
    )
    together = set_table(instances, judges, reference, seed=seed)
    others = [
        *calibration_rows(instances, reference, seed=seed),
        *generation_rows(instances, reference, seed=seed),
        *divergence_rows(measured.tokens, seed=seed),
    ]
    degradation = in_order(single, together, pd.DataFrame(others))
    return Findings(
        degradation=degradation,
        slices=slice_table(instances, reference, kinds),
        notes=[*chance_notes(at_chance, mains), *notes_on(scores, degradation)],
    )


def _worst_cases(record: dict[str, Any], scores: pd.DataFrame, kinds: Kinds) -> pd.DataFrame:
    """Of an imported run, in which tasks differ in what was done to their instances, only where something was."""
    if "perturbations" not in record:
        return worst_cases(scores, kinds)
    task = pd.MultiIndex.from_frame(scores[["scenario", "adapter"]])
    return worst_cases(scores[task.isin(task[scores["perturbation"] != ""])], kinds, record["perturbations"])
