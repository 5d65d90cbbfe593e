"""What the tests of metrics share: asking, and judging what was answered."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from harness.metrics.table import METRICS
from harness.types import Answer, Instance, Reference

Judged = Callable[..., float]
Rows = Callable[..., pd.DataFrame]


@pytest.fixture(scope="session")
def judged() -> Judged:
    """The value of a metric: its name, the choices with the right ones starred, and what was answered."""

    def judge(metric: str, choices: list[str], text: str = "", **more: Any) -> float:
        references = tuple(Reference(choice.removeprefix("*"), choice.startswith("*")) for choice in choices)
        answer = Answer(text, logprob=0, token_logprobs=(), n_bytes=0, **more)
        return METRICS[metric].judge(Instance("x-0", "What?", references), answer)

    return judge


@pytest.fixture(scope="session")
def rows() -> Rows:
    """Rows of ``instances``: columns that are given, and defaults for the others that set metrics read."""

    def make(**columns: list[Any]) -> pd.DataFrame:
        n = len(next(iter(columns.values())))
        defaults = {
            "instance_id": [f"x-{i}" for i in range(n)],
            "answer": [""] * n,
            "gold": [""] * n,
            "golds": [[gold] for gold in columns.get("gold", [""] * n)],
            "valid": [True] * n,
            "choices": [[]] * n,
            "value": [math.nan] * n,
            "logprob": [math.nan] * n,
            "token_logprobs": [[]] * n,
            "choice_logprobs": [[]] * n,
            "details": [""] * n,
        }
        return pd.DataFrame(defaults | columns)

    return make
