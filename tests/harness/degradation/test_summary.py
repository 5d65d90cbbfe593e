from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pytest

from harness.degradation.summary import COLUMNS, summary_table
from harness.degradation.table import in_order
from harness.metrics.table import METRICS

Frames = Callable[..., pd.DataFrame]
RIGHT, WRONG = [1.0] * 300, [1.0] * 200 + [0.0] * 100
TEXT = ("text", "language_modeling", "bits_per_byte")


def models(*labels: str) -> list[dict[str, Any]]:
    return [{"label": label, "bytes": 100 - i, "bits_per_weight": 16.0 - i} for i, label in enumerate(labels)]


def summary(degradation: pd.DataFrame, labels: Sequence[str], null: str | None = None) -> pd.DataFrame:
    speeds = pd.DataFrame({"model": labels, "prefill_tokens_per_second": 10.0, "decode_tokens_per_second": 2.0})
    return summary_table(degradation, speeds, models(*labels), reference="f16", null=null, kinds=METRICS).set_index(
        "model"
    )


@pytest.fixture
def three(scores: Frames, compared: Frames) -> pd.DataFrame:
    """A reference, a model that lost its sums, and a null run."""
    by = {"f16": (RIGHT, RIGHT), "q2_k": (RIGHT, WRONG), "null": (RIGHT, RIGHT)}
    parts = [scores(m, values, s) for m, both in by.items() for s, values in zip(("facts", "sums"), both, strict=True)]
    return compared(*parts, null="null")


def test_a_row_a_model_in_the_order_of_the_record(three: pd.DataFrame) -> None:
    found = summary(three, ["f16", "q2_k", "null"], "null")
    assert [found.index.name, *found.columns] == COLUMNS
    assert found["is_reference"].tolist() == [True, False, False]
    assert found["is_null"].tolist() == [False, False, True]
    assert found["verdict"].tolist() == ["reference", "degraded beyond margin", ""]
    assert found["n"].tolist() == [600, 600, 600]
    assert found["value"].tolist() == [1, pytest.approx(5 / 6), 1]
    assert found["bytes"].tolist() == [100, 99, 98]
    assert found["decode_tokens_per_second"].tolist() == [2, 2, 2]


def test_advice_names_the_scenarios_that_lost(three: pd.DataFrame) -> None:
    advice = summary(three, ["f16", "q2_k", "null"], "null")["advice"]
    assert advice["f16"] == "What the others are compared with."
    assert advice["q2_k"] == "Do not take it: it loses 16.7 points, more than the margin, in sums above all."
    assert advice["null"] == "The noise floor: the reference, asked once more, and 0.0% of its answers flipped."


def test_divergence_is_taken_from_its_rows(three: pd.DataFrame) -> None:
    what = {"model": "q2_k", "scenario": "divergence", "adapter": "next_token", "n": 9}
    moved = [
        {"metric": "kld_mean", "value": 0.5, "ci_low": 0.4, "ci_high": 0.6},
        {"metric": "same_top", "value": 0.9},
        {"metric": "ppl_ratio", "value": 1.1},
    ]
    found = summary(in_order(three, pd.DataFrame([what | one for one in moved])), ["f16", "q2_k", "null"], "null")
    assert found.loc["q2_k", ["kld_mean", "kld_low", "kld_high", "ppl_ratio", "same_top"]].tolist() == [
        *(0.5, 0.4, 0.6, 1.1, 0.9)
    ]
    assert found.loc["f16", "kld_mean"] == 0
    assert found.loc["null", ["kld_mean", "kld_low", "ppl_ratio"]].isna().all()


def test_where_no_divergence_was_measured_the_reference_has_none_either(three: pd.DataFrame) -> None:
    assert summary(three, ["f16", "q2_k", "null"], "null")["kld_mean"].isna().all()


def test_without_right_or_wrong_there_is_no_verdict(scores: Frames, compared: Frames) -> None:
    table = compared(*(scores(m, [0.5] * 30, *TEXT) for m in ("f16", "q8_0")))
    found = summary(table, ["f16", "q8_0"])
    assert found["verdict"].tolist() == ["reference", ""]
    assert found["n"].tolist() == [0, 0]
    assert found.loc["q8_0", ["value", "delta", "flip_rate", "n_more"]].isna().all()
    assert found.loc["q8_0", "advice"].startswith("Ask questions that are right or wrong")


def test_a_run_of_nothing_has_rows_of_nothing() -> None:
    found = summary(in_order(), ["f16", "q8_0"])
    assert found["verdict"].tolist() == ["reference", ""]
    assert found["n"].tolist() == [0, 0]
