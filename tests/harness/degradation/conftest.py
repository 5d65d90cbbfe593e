"""Rows of ``scores``, made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from harness.degradation.table import degradation_table
from harness.metrics.table import METRICS

BINARY = ("exact_match", "quasi_exact_match")


@pytest.fixture(scope="session")
def scores() -> Callable[..., pd.DataFrame]:
    """The scores of one model in one task: a value an instance, in the order of their ids."""

    def make(
        model: str,
        values: Sequence[float],
        scenario: str = "facts",
        adapter: str = "generation",
        metric: str = "exact_match",
        *,
        perturbation: str = "",
        trial: int = 0,
        weights: Sequence[float] | float = 1.0,
        groups: Sequence[str] | str = "",
    ) -> pd.DataFrame:
        found = np.array(values, float)
        correct = [value == 1 if metric in BINARY and not np.isnan(value) else None for value in found]
        return pd.DataFrame(
            {
                "model": model,
                "scenario": scenario,
                "adapter": adapter,
                "trial": trial,
                "instance_id": [f"{scenario}-{i:04}" for i in range(len(found))],
                "perturbation": perturbation,
                "group": groups,
                "metric": metric,
                "value": found,
                "weight": weights,
                "correct": pd.array(correct, "boolean"),
            }
        )

    return make


@pytest.fixture(scope="session")
def compared() -> Callable[..., pd.DataFrame]:
    """The degradation table of scores; each task's main metric is its first, and answers are letters.

    A right answer is ``a``; a wrong one is ``b``, or what ``wrong`` says by model.
    """

    def make(
        *parts: pd.DataFrame,
        wrong: Mapping[str, str] = {},
        margin: float = 0.01,
        seed: int = 0,
        null: str | None = None,
    ) -> pd.DataFrame:
        whole = pd.concat(parts, ignore_index=True)
        first = whole.drop_duplicates(["scenario", "adapter"])
        mains = {(str(s), str(a)): str(m) for s, a, m in first[["scenario", "adapter", "metric"]].to_numpy()}
        answers = whole["model"].map(lambda model: wrong.get(model, "b")).mask(whole["value"] == 1, "a")
        instances = whole.assign(answer=answers).drop_duplicates(
            ["model", "scenario", "adapter", "trial", "instance_id", "perturbation"]
        )
        return degradation_table(
            whole, instances, mains, reference="f16", null=null, margin=margin, seed=seed, kinds=METRICS
        )

    return make
