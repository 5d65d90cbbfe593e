"""What the tests of tasks and their answers share: scenarios, tasks and a small model whose tokens are bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.adaptation.window import ByteWindow, Window
from harness.data.store import open_store
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.types import Instance


@pytest.fixture(scope="session")
def window_of() -> Callable[[int], Window]:
    """A model with a context of so many bytes."""
    return ByteWindow


@pytest.fixture(scope="session")
def scenario_of() -> Callable[..., Scenario]:
    """A scenario with these instances, asked in these ways; ``spec`` are other fields of its ``AdapterSpec``."""

    def make(
        test: list[Instance],
        *methods: str,
        train: list[Instance] | None = None,
        shots: int = 0,
        metrics: tuple[str, ...] | None = None,
        **spec: Any,
    ) -> Scenario:
        only_text = methods == ("language_modeling",)
        return Scenario(
            name="quiz",
            description="for a test",
            adapters=tuple(
                AdapterSpec(method=method, **{"n_shots": shots, "max_tokens": 2} | spec) for method in methods
            ),
            metrics=metrics or (("bits_per_byte",) if only_text else ("exact_match",)),
            load=lambda _store: Data(train or [], test),
            made_from="1",
        )

    return make


@pytest.fixture(scope="session")
def tasks_of() -> Callable[..., list[Task]]:
    """The tasks of scenarios, all instances of them unless ``asking`` says otherwise."""

    def plan(*scenarios: Scenario, **asking: Any) -> list[Task]:
        settled = Asking(**{"max_instances": None, "seed": 0} | asking)
        return [task for scenario in scenarios for task in plan_tasks(scenario, open_store(None), settled)]

    return plan
