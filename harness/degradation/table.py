"""``instances`` to ``degradation``: one row a model, scenario, adapter and metric, paired with the reference."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from harness.degradation.binary import compare_binary, count_flips
from harness.degradation.continuous import compare_continuous
from harness.errors import RunError

TASK = ["scenario", "adapter", "metric"]
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


def degradation_table(instances: pd.DataFrame, reference: str, *, seed: int) -> pd.DataFrame:
    """Compare every model with the reference, task by task.

    Args:
        instances: one row a model and instance, with the columns ``model``, ``scenario``, ``adapter``, ``metric``,
            ``instance_id``, ``value`` and ``correct`` (null where the metric is not right-or-wrong).
        reference: label of the model that the others are compared with.
        seed: for the bootstrap and the permutation test.

    Returns:
        A row for each model and task with :data:`COLUMNS`, in the order in which they first appear. ``delta`` is value
        minus reference value, in the metric's own unit. The reference has rows of its own, without a comparison; flips
        are missing where the metric knows no right and wrong.

    Raises:
        RunError: an instance was asked of one model and not of the reference, or the other way round; it is named.
    """
    rows: list[dict[str, object]] = []
    for task, of_task in instances.groupby(TASK, sort=False):
        base = of_task[of_task["model"] == reference].set_index("instance_id")
        for model, of_model in of_task.groupby("model", sort=False):
            paired = _paired(base, of_model.set_index("instance_id"), str(model), " / ".join(map(str, task)))
            row = dict(zip(TASK, task, strict=True)) | _compare(paired, seed, is_reference=model == reference)
            rows.append({"model": model} | row)
    table = pd.DataFrame(rows, columns=COLUMNS)
    order = {model: i for i, model in enumerate(instances["model"].unique())}
    table = table.sort_values("model", key=lambda column: column.map(order), kind="stable", ignore_index=True)
    return table.astype({"n": "int64", "flips_to_wrong": "Int64", "flips_to_right": "Int64"})


def _paired(base: pd.DataFrame, other: pd.DataFrame, model: str, task: str) -> pd.DataFrame:
    """Reference and candidate side by side, by instance."""
    alone = base.index.symmetric_difference(other.index)
    if len(alone):
        raise RunError(
            f"{task}: instance {alone[0]!r} was not asked of both {model} and the reference; run them again."
        )
    if base.index.has_duplicates or other.index.has_duplicates:
        raise RunError(f"{task}: an instance of {model} or the reference is there twice; run them again.")
    columns = ["value", "correct"]
    paired = base[columns].add_suffix("_reference").join(other[columns].add_suffix("_candidate"))
    return paired.sort_index()  # resampling goes by position: the order of the rows must not decide the interval


def _compare(paired: pd.DataFrame, seed: int, *, is_reference: bool) -> dict[str, object]:
    # An instance without a value in either model cannot be compared; n says how many could.
    paired = paired.dropna(subset=["value_reference", "value_candidate"])
    reference = paired["value_reference"].to_numpy(float)
    candidate = paired["value_candidate"].to_numpy(float)
    row: dict[str, object] = {
        "n": len(paired),
        "value": float(candidate.mean()) if len(paired) else math.nan,
        "reference_value": float(reference.mean()) if len(paired) else math.nan,
    }
    if is_reference or paired.empty:
        return row | {"delta": math.nan, "ci_low": math.nan, "ci_high": math.nan, "p_value": math.nan}
    if paired["correct_reference"].isna().any():
        return row | compare_continuous(reference, candidate, seed=seed)._asdict()
    flips = count_flips(reference.astype(bool), candidate.astype(bool))
    result = compare_binary(reference.astype(np.bool_), candidate.astype(np.bool_))
    return row | result._asdict() | {"flips_to_wrong": flips.to_wrong, "flips_to_right": flips.to_right}
