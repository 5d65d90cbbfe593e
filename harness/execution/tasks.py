"""A task: one scenario asked in one way, with its instances and examples chosen. The same for every model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from harness.adaptation.base import Adapter
from harness.adaptation.examples import choose_examples, choose_instances
from harness.adaptation.table import ADAPTERS
from harness.metrics.base import Metric
from harness.metrics.table import METRICS
from harness.scenarios.base import Scenario
from harness.types import Instance, Request

N_LONGEST = 4
"""How many of the longest prompts are tried for size; length in characters is not quite length in tokens."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of every model in one scenario and one way."""

    scenario: Scenario
    adapter_name: str
    adapter: Adapter
    metric: Metric
    examples: tuple[Instance, ...]
    instances: tuple[Instance, ...]

    @property
    def label(self) -> str:
        """For people: the scenario, and the adapter where the scenario has several."""
        return self.scenario.name if len(self.scenario.adapters) == 1 else f"{self.scenario.name} ({self.adapter_name})"

    def request(self, instance: Instance) -> Request:
        """The request that asks one instance."""
        return self.adapter.adapt(instance, list(self.examples), self.scenario)

    def fitted(self, fits: Callable[[Request], bool]) -> Task | None:
        """The task with as many of its examples as leave room for every question; None where none is enough.

        Examples are dropped for all instances alike, so that all are asked in the same way.
        """
        by_length = sorted(self.instances, key=lambda instance: -max(map(len, self.request(instance).prompts)))
        for count in range(len(self.examples), -1, -1):
            shorter = dataclasses.replace(self, examples=self.examples[:count])
            if all(fits(shorter.request(instance)) for instance in by_length[:N_LONGEST]):
                return shorter
        return None


def plan_tasks(scenarios: list[Scenario], *, max_instances: int | None, seed: int) -> list[Task]:
    """The tasks of a run, from one seed."""
    tasks: list[Task] = []
    for scenario in scenarios:
        data = scenario.load()
        examples = tuple(choose_examples(data.train, scenario.n_shots, seed))
        instances = tuple(choose_instances(data.test, max_instances, seed))
        tasks += [
            Task(scenario, name, ADAPTERS[name], METRICS[scenario.metric], examples, instances)
            for name in scenario.adapters
        ]
    return tasks
