from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from made_run import make_run

from harness.columns import Column, schema
from harness.degradation.table import in_order
from harness.divergence.records import no_tokens
from harness.efficiency.samples import samples_frame
from harness.execution.records import COLUMNS, SCORE_COLUMNS
from harness.results import Findings, Measured, Run

NAN = float("nan")
FILLED = [
    *("model", "scenario", "adapter", "perturbation", "metric", "n", "value", "reference_value"),
    *("delta", "ci_low", "ci_high", "p_value", "flips_to_wrong", "flips_to_right", "flip_rate", "verdict", "n_more"),
]
TASKS = (
    ("world_facts", "generation", "", "exact_match"),
    ("world_choice", "multiple_choice_separate_original", "", "exact_match"),
    ("world_choice", "multiple_choice_joint", "", "exact_match"),
    ("world_text", "language_modeling", "", "bits_per_byte"),
    ("all", "", "", "accuracy"),
    ("divergence", "next_token", "", "kld_mean"),
)
NOTHING = (NAN, NAN, NAN, NAN, None, None, NAN)
SAID = "reference", None
UNSURE, BEYOND = "inconclusive", "degraded beyond margin"
FIGURES = {
    "f16": [
        (400, 0.9625, 0.9625, *NOTHING, *SAID),
        (400, 1.0, 1.0, *NOTHING, *SAID),
        (400, 0.25, 0.25, *NOTHING, *SAID),
        (200, 0.81234, 0.81234, *NOTHING, *SAID),
        (800, 0.98125, 0.98125, *NOTHING, *SAID),
    ],
    "q8_0": [
        (400, 0.965, 0.9625, 0.0025, -0.0071, 0.012, 1.0, 1, 2, 0.0075, "non-inferior", None),
        (400, 1.0, 1.0, 0.0, -0.0049, 0.0049, 1.0, 0, 0, 0.0, "equivalent", None),
        (400, 0.2875, 0.25, 0.0375, 0.0166, 0.0581, 2e-4, 1, 16, 0.0425, "non-inferior", None),
        (200, 0.81231, 0.81234, -0.00003, -0.00031, -0.00001, 0.04, None, None, NAN, "", None),
        (800, 0.9825, 0.98125, 0.00125, -0.0036, 0.0061, 1.0, 1, 2, 0.00375, "equivalent", None),
        (8192, 0.00061, 0.0, 0.00061, 0.00052, 0.0007, NAN, None, None, NAN, "", None),
    ],
    "q2_k": [
        (400, 0.3275, 0.9625, -0.635, -0.6796, -0.5841, 0.0, 256, 2, 0.645, BEYOND, None),
        (400, 0.9975, 1.0, -0.0025, -0.0094, 0.0045, 1.0, 1, 0, 0.0025, UNSURE, 1240),
        (400, 0.25, 0.25, 0.0, -0.0926, 0.0926, 1.0, 180, 180, 0.9, UNSURE, None),
        (200, 1.90123, 0.81234, 1.08889, 1.0512, 1.1307, 0.0001, None, None, NAN, "degraded", None),
        (800, 0.6625, 0.98125, -0.31875, -0.3514, -0.2852, 0.0, 257, 2, 0.32375, BEYOND, None),
        (8192, 0.6123, 0.0, 0.6123, 0.58, 0.65, NAN, None, None, NAN, "", None),
    ],
}


@pytest.fixture
def degradation() -> pd.DataFrame:
    """A table as a run makes it: little lost, much lost, nothing to say."""
    rows = [
        (model, *task, *figures)
        for model, of_model in FIGURES.items()
        for task, figures in zip(TASKS, of_model, strict=False)
    ]
    return in_order(pd.DataFrame(rows, columns=FILLED))


@pytest.fixture
def varied(degradation: pd.DataFrame) -> pd.DataFrame:
    """The same with a second metric, a set metric, a perturbation and the worst cases of the first task."""
    facts = degradation[degradation["scenario"] == "world_facts"]
    forms = [("", "f1_score"), *((form, "exact_match") for form in ("lowercase", "worst(robustness)")), ("", "brier")]
    more = [facts.assign(perturbation=form, metric=metric) for form, metric in forms]
    more.append(facts.assign(perturbation="worst(robustness)", metric="f1_score"))
    more.append(facts.assign(perturbation="worst(fairness)"))
    return in_order(degradation, *more)


@pytest.fixture
def models() -> list[dict[str, Any]]:
    """What a record knows of the reference and the two that are compared with it."""

    def model(label: str, size: int, bits: float, name: str, note: str | None = None) -> dict[str, Any]:
        return {
            "label": label,
            "file": name,
            "sha256": label.encode().hex().ljust(64, "0"),
            "bytes": size,
            "bits_per_weight": bits,
            "note": note,
        }

    return [
        model("f16", 11_305_984, 16.0, "world-f16.gguf"),
        model("q8_0", 6_032_768, 8.504, "world|q8_0.gguf"),
        model("q2_k", 2_345_678, 2.96, "world-q2_k.gguf", note="It is not what it promises."),
    ]


@pytest.fixture
def as_run(models: list[dict[str, Any]]) -> Callable[..., Run]:
    """A run that found a table."""

    def make(degradation: pd.DataFrame, notes: Sequence[str] = (), **record: Any) -> Run:
        known = {
            "schema_version": 2,
            "command": "harness run --models q8_0,q2_k",
            "seed": 0,
            "started": "2026-11-23T01:02:03+00:00",
            "versions": {"python": "3.11.7", "quant-harness": "0.1.0"},
            "machine": {"system": "Linux", "machine": "x86_64", "cores": 2},
            "reference": "f16",
            "null": None,
            "margin": 0.01,
            "models": models,
            "left_out": [],
            "notes": [],
        }
        nothing = pd.DataFrame()
        instances, scores = (frame([], columns) for columns in (COLUMNS, SCORE_COLUMNS))
        return Run(
            known | record,
            Measured(instances, scores, no_tokens(), samples_frame([])),
            Findings(degradation, nothing, list(notes)),
        )

    return make


def frame(rows: list[dict[str, Any]], columns: Sequence[Column[pa.DataType]]) -> pd.DataFrame:
    """Rows as a run holds them, with all of its columns."""
    return pa.Table.from_pylist(rows, schema(columns)).to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)


@pytest.fixture(scope="session")
def made() -> Run:
    """A run with everything: four models and the reference's second run, tokens, speeds."""
    return make_run(("f16", "q8_0", "q4_k_m", "q2_k", "null"))
