"""A row a model: what it takes, what it lost, and what follows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd

from harness.degradation.advice import LOSSES, advice, noise_floor
from harness.degradation.divergence import SCENARIO as DIVERGENCE
from harness.degradation.pooled import ALL
from harness.degradation.verdict import Verdict
from harness.metrics.kinds import Kinds

GOOD = (Verdict.EQUIVALENT, Verdict.NONINFERIOR)
"""What is said of a model that keeps within the margin, and of which no loss is shown."""
COLUMNS = [
    *("model", "is_reference", "is_null", "bytes", "bits_per_weight", "n", "value", "delta", "ci_low", "ci_high"),
    *("flip_rate", "kld_mean", "kld_low", "kld_high", "ppl_ratio", "same_top"),
    *("prefill_tokens_per_second", "decode_tokens_per_second", "verdict", "n_more", "advice"),
]


def summary_table(
    degradation: pd.DataFrame,
    efficiency: pd.DataFrame,
    models: Sequence[Mapping[str, Any]],
    *,
    reference: str,
    null: str | None,
    kinds: Kinds,
) -> pd.DataFrame:
    """The models as the record has them: the reference first, a null run last. What is not known of one is NaN.

    Args:
        degradation: with the columns of :data:`harness.degradation.columns.DEGRADATION`.
        efficiency: a row a model, as :func:`harness.efficiency.samples.efficiency_table` gives it.
        models: ``models`` of ``run.json``.
        reference: label of what the others are compared with.
        null: label of its second run, if there was one.
        kinds: of the metrics.
    """
    rows: list[dict[str, object]] = []
    speeds = {row["model"]: row for row in efficiency.to_dict("records")}
    own_kld = 0.0 if (degradation["scenario"] == DIVERGENCE).any() else math.nan  # known only where it was measured
    for model in models:
        label = model["label"]
        of_model = degradation[degradation["model"] == label]
        pooled = _row(of_model[of_model["scenario"] == ALL])
        moved = of_model[of_model["scenario"] == DIVERGENCE].set_index("metric")
        rows.append(
            {name: pooled[name] for name in ("n", "value", "delta", "ci_low", "ci_high", "flip_rate", "n_more")}
            | {name: math.nan if model[name] is None else model[name] for name in ("bytes", "bits_per_weight")}
            | {
                "model": label,
                "is_reference": label == reference,
                "is_null": label == null,
                "kld_mean": own_kld if label == reference else _value(moved, "kld_mean", "value"),
                "kld_low": _value(moved, "kld_mean", "ci_low"),
                "kld_high": _value(moved, "kld_mean", "ci_high"),
                "ppl_ratio": _value(moved, "ppl_ratio", "value"),
                "same_top": _value(moved, "same_top", "value"),
                "prefill_tokens_per_second": speeds[label]["prefill_tokens_per_second"],
                "decode_tokens_per_second": speeds[label]["decode_tokens_per_second"],
                "verdict": str(Verdict.REFERENCE) if label == reference else pooled["verdict"],
                "advice": _advice(pooled, of_model, kinds, is_reference=label == reference, is_null=label == null),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": "int64", "n_more": "Int64"})


def _row(pooled: pd.DataFrame) -> dict[str, Any]:
    """The row of all right-or-wrong questions together, or what stands for none."""
    found = cast("list[dict[str, Any]]", pooled.to_dict("records"))
    nothing = dict.fromkeys(("value", "delta", "ci_low", "ci_high", "flip_rate"), math.nan)
    return found[0] if found else nothing | {"n": 0, "verdict": "", "n_more": pd.NA}


def _advice(
    pooled: Mapping[str, Any], of_model: pd.DataFrame, kinds: Kinds, *, is_reference: bool, is_null: bool
) -> str:
    """A model's verdict is that of all right-or-wrong questions together; losses of single scenarios are named."""
    if is_null:
        return noise_floor(pooled["flip_rate"])
    if is_reference:
        return advice(Verdict.REFERENCE, 0.0, None, [])
    shown = of_model[of_model["verdict"].isin(LOSSES) & (of_model["scenario"] != ALL)]
    if pooled["verdict"]:  # which is about points, so only what is counted in points is named beside it
        shown = shown[shown["metric"].isin([name for name, metric in kinds.items() if metric.is_share])]
    if pooled["verdict"] in GOOD:
        shown = shown[shown["verdict"] != Verdict.SMALL]
    surest_first = shown.sort_values("p_holm", kind="stable")["scenario"].unique()
    n_more = None if pd.isna(pooled["n_more"]) else int(pooled["n_more"])
    return advice(pooled["verdict"], pooled["delta"], n_more, list(map(str, surest_first)))


def _value(moved: pd.DataFrame, metric: str, column: str) -> float:
    return float(moved[column][metric]) if metric in moved.index else math.nan
