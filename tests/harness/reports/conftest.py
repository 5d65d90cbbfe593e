from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from harness.degradation.table import COLUMNS, in_order
from harness.models.candidates import Candidate
from harness.models.config import ServeConfig
from harness.models.gguf_facts import GgufFacts

NAN = float("nan")
TASKS = (
    ("world_facts", "generation", "", "exact_match"),
    ("world_choice", "multiple_choice_separate_original", "", "exact_match"),
    ("world_choice", "multiple_choice_joint", "", "exact_match"),
    ("world_text", "language_modeling", "", "bits_per_byte"),
)
FIGURES = {
    "f16": [
        (400, 0.9625, 0.9625, NAN, NAN, NAN, NAN, None, None),
        (400, 1.0, 1.0, NAN, NAN, NAN, NAN, None, None),
        (400, 0.25, 0.25, NAN, NAN, NAN, NAN, None, None),
        (200, 0.81234, 0.81234, NAN, NAN, NAN, NAN, None, None),
    ],
    "q8_0": [
        (400, 0.965, 0.9625, 0.0025, -0.0071, 0.012, 1.0, 1, 2),
        (400, 1.0, 1.0, 0.0, -0.0049, 0.0049, 1.0, 0, 0),
        (400, 0.2875, 0.25, 0.0375, 0.0166, 0.0581, 2e-4, 1, 16),
        (200, 0.81231, 0.81234, -0.00003, -0.00031, -0.00001, 0.04, None, None),
    ],
    "q2_k": [
        (400, 0.3275, 0.9625, -0.635, -0.6796, -0.5841, 0.0, 256, 2),
        (400, 0.9975, 1.0, -0.0025, -0.0094, 0.0045, 1.0, 1, 0),
        (400, 0.25, 0.25, 0.0, -0.0926, 0.0926, 1.0, 180, 180),
        (200, 1.90123, 0.81234, 1.08889, 1.0512, 1.1307, 0.0001, None, None),
    ],
}


@pytest.fixture
def degradation() -> pd.DataFrame:
    """A table as a run makes it: little lost, much lost, nothing to say."""
    rows = [
        (model, *task, *figures)
        for model, of_model in FIGURES.items()
        for task, figures in zip(TASKS, of_model, strict=True)
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"flips_to_wrong": "Int64", "flips_to_right": "Int64"})


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
def candidates() -> list[Candidate]:
    """The reference and the two that are compared with it."""

    def candidate(label: str, size: int, bits: float, name: str, note: str | None = None) -> Candidate:
        facts = GgufFacts(
            path=Path("/somewhere", name),
            bytes=size,
            sha256=label.encode().hex().ljust(64, "0"),
            architecture="llama",
            name="world",
            file_type=label.upper(),
            parameters=5_648_384,
            bits_per_weight=bits,
            tensor_types={},
            context_length=2048,
            vocabulary_size=4096,
            has_bos=False,
            tensors=(),
        )
        return Candidate(label, facts, ServeConfig(), note=note)

    return [
        candidate("f16", 11_305_984, 16.0, "world-f16.gguf"),
        candidate("q8_0", 6_032_768, 8.504, "world|q8_0.gguf"),
        candidate("q2_k", 2_345_678, 2.96, "world-q2_k.gguf", note="It is not what it promises."),
    ]
