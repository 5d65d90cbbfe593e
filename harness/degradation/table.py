"""``scores`` to ``degradation``: for each task and metric a row a model, paired with the reference."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from harness.degradation.binary import compare_binary, count_flips
from harness.degradation.continuous import compare_continuous
from harness.errors import RunError

TASK = ["scenario", "adapter", "perturbation", "metric"]
TASK_ORDER = ["model", "scenario", "adapter"]
PAIR = ["trial", "instance_id"]
COLUMNS = [
    "model",
    *TASK,
    "n",
    "value",
    "reference_value",
    "delta",
    "ci_low",
    "ci_high",
    "p_value",
    "flips_to_wrong",
    "flips_to_right",
]


def degradation_table(scores: pd.DataFrame, reference: str, *, seed: int) -> pd.DataFrame:
    """Compare every model with the reference, task by task.

    Args:
        scores: one row a model, trial, instance, perturbation and metric, with the columns of
            :data:`harness.execution.records.SCORE_COLUMNS`.
        reference: label of the model that the others are compared with.
        seed: for the bootstrap and the permutation test.

    Returns:
        A row for each model and task with :data:`COLUMNS`, in the order in which they first appear. ``n`` counts
        instances; over several trials an instance's value is their mean, and flips are counted in every one. ``delta``
        is value minus reference value, in the metric's own unit. The reference has rows of its own, without a
        comparison; flips are missing where the metric knows no right and wrong.

    Raises:
        RunError: an instance was asked of one model and not of the reference, or the other way round; it is named.
    """
    rows: list[dict[str, object]] = []
    for task, of_task in scores.groupby(TASK, sort=False):
        base = of_task[of_task["model"] == reference].set_index(PAIR)
        for model, of_model in of_task.groupby("model", sort=False):
            paired = _paired(base, of_model.set_index(PAIR), str(model), " / ".join(str(part) for part in task if part))
            row = dict(zip(TASK, task, strict=True)) | _compare(paired, seed, is_reference=model == reference)
            rows.append({"model": model} | row)
    return in_order(pd.DataFrame(rows, columns=COLUMNS))


def in_order(*tables: pd.DataFrame) -> pd.DataFrame:
    """The tables as one, by model and then by scenario and adapter, each in the order in which it first appears."""
    table = pd.concat([table for table in tables if len(table)], ignore_index=True).reindex(columns=COLUMNS)
    order = {column: {name: i for i, name in enumerate(table[column].unique())} for column in TASK_ORDER}
    table = table.sort_values(TASK_ORDER, key=lambda values: values.map(order[str(values.name)]), kind="stable")
    table = table.reset_index(drop=True)
    return table.astype({"n": "int64", "flips_to_wrong": "Int64", "flips_to_right": "Int64"})


def _paired(base: pd.DataFrame, other: pd.DataFrame, model: str, task: str) -> pd.DataFrame:
    """Reference and candidate side by side, by trial and instance."""
    alone = base.index.symmetric_difference(other.index)
    if len(alone):
        raise RunError(
            f"{task}: instance {alone[0][1]!r} was not asked of both {model} and the reference; run them again."
        )
    if base.index.has_duplicates or other.index.has_duplicates:
        raise RunError(f"{task}: an instance of {model} or the reference is there twice; run them again.")
    columns = ["value", "correct"]
    suffixes = ("_reference", "_candidate")
    paired = base[[*columns, "weight"]].merge(other[columns], left_index=True, right_index=True, suffixes=suffixes)
    return paired.sort_index()  # resampling goes by position: the order of the rows must not decide the interval


def _compare(paired: pd.DataFrame, seed: int, *, is_reference: bool) -> dict[str, object]:
    # An instance without a value in either model cannot be compared; n says how many could.
    paired = paired.dropna(subset=["value_reference", "value_candidate"])
    values = paired[["value_reference", "value_candidate", "weight"]].astype(float).groupby("instance_id").mean()
    reference, candidate, weights = (values[column].to_numpy() for column in values)
    row: dict[str, object] = {
        "n": len(values),
        "value": float(np.average(candidate, weights=weights)) if len(values) else math.nan,
        "reference_value": float(np.average(reference, weights=weights)) if len(values) else math.nan,
    }
    if is_reference or paired.empty:
        return row | {"delta": math.nan, "ci_low": math.nan, "ci_high": math.nan, "p_value": math.nan}
    if paired["correct_reference"].isna().any():
        return row | compare_continuous(reference, candidate, weights, seed=seed)._asdict()
    right = paired["correct_reference"].astype(bool).to_numpy(), paired["correct_candidate"].astype(bool).to_numpy()
    flips = count_flips(*right)
    # Ties between choices earn a share of the credit, and so do several trials on average: no longer right or wrong.
    whole = {*reference, *candidate} <= {0.0, 1.0}
    if whole:
        result = compare_binary(reference == 1, candidate == 1)
    else:
        result = compare_continuous(reference, candidate, weights, seed=seed)
    return row | result._asdict() | {"flips_to_wrong": flips.to_wrong, "flips_to_right": flips.to_right}
