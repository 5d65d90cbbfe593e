"""Rows of ``scores``, made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

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
