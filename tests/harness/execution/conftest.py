from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.scenarios.base import Data, Scenario
from harness.types import Instance


@pytest.fixture(scope="session")
def scenario_of() -> Callable[..., Scenario]:
    """A scenario with these instances, asked in these ways."""

    def make(test: list[Instance], *adapters: str, train: list[Instance] | None = None, shots: int = 0) -> Scenario:
        metric = "bits_per_byte" if adapters == ("language_modeling",) else "exact_match"
        return Scenario(
            "quiz", "for a test", adapters, metric, lambda: Data(train or [], test), "1", max_tokens=2, n_shots=shots
        )

    return make
