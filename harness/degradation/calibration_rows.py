"""Calibration as rows of ``degradation``: for choices that are scored apart, so that answers have a confidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from harness.degradation.calibration import Forecasts, Labels, calibration_shift, ece, log_losses, squared_errors
from harness.degradation.clusters import count_groups
from harness.metrics.calibration import confidences

BRIER, LOG_LOSS, ECE = "choice_brier", "choice_log_loss", "choice_ece"
"""Metrics; less is better in all three."""


def calibration_rows(instances: pd.DataFrame, reference: str, *, seed: int) -> Iterator[dict[str, Any]]:
    """Rows with the columns of ``degradation``, three a model and task.

    Args:
        instances: the answers, with the columns of :data:`harness.execution.records.COLUMNS`. Originals of the first
            trial count, where right or wrong is known and there was a choice.
        reference: label of the model that the others are compared with.
        seed: of the resampling.
    """
    counts = (instances["perturbation"] == "") & (instances["trial"] == 0) & instances["correct"].notna()
    asked = instances[counts & (instances["choice_logprobs"].map(len) > 1)]
    for (scenario, adapter), of_task in asked.groupby(["scenario", "adapter"], sort=False):
        parts = {
            model: part.set_index("instance_id").sort_index() for model, part in of_task.groupby("model", sort=False)
        }
        both = parts[reference].index
        for part in parts.values():
            both = both.intersection(part.index)
        known = {model: _forecasts(part.loc[both]) for model, part in parts.items()}
        groups = parts[reference].loc[both, "group"].to_numpy(object)
        for model, forecasts in known.items():
            what = {"model": model, "scenario": scenario, "adapter": adapter, "perturbation": "", "n": len(both)}
            for row in _rows(known[reference], forecasts, groups, seed, is_reference=model == reference):
                yield what | row


def _forecasts(rows: pd.DataFrame) -> Forecasts:
    return Forecasts(confidences(rows), rows["value"].to_numpy(float))


def _rows(
    reference: Forecasts, candidate: Forecasts, groups: Labels, seed: int, *, is_reference: bool
) -> Iterator[dict[str, Any]]:
    shift = None if is_reference else calibration_shift(reference, candidate, groups, seed=seed)
    n_groups = count_groups(groups)
    in_groups = {"n_groups": n_groups} if n_groups < len(groups) and not is_reference else {}
    for name, mean, found in (
        (BRIER, lambda side: float(squared_errors(side).mean()), shift and shift.brier),
        (LOG_LOSS, lambda side: float(log_losses(side).mean()), shift and shift.log_loss),
        (ECE, ece, shift and shift.ece),
    ):
        yield {
            "metric": name,
            "value": mean(candidate),
            "reference_value": mean(reference),
            **(found._asdict() if found else {}),
            **in_groups,
        }
