"""The tasks of all scenarios of a run, and the scenarios that are left out because their data cannot be had."""

from __future__ import annotations

from typing import Any, NamedTuple

from harness.data.hub import Hub
from harness.data.mirror import Mirror
from harness.errors import MissingTable, UserError
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.scenarios.base import Scenario


class Plan(NamedTuple):
    """What a run is going to ask."""

    tasks: list[Task]
    left_out: list[str]
    """A sentence for each scenario that cannot be asked."""
    data: dict[str, dict[str, Any]]
    """By scenario: what its instances are made from, for the record."""


def plan(scenarios: list[Scenario], store: Hub | Mirror, asking: Asking) -> Plan:
    """The tasks of the scenarios whose data is here or can be had.

    Raises:
        UserError: that is none of them, though there are some.
    """
    tasks: list[Task] = []
    missing: list[MissingTable] = []
    data: dict[str, dict[str, Any]] = {}
    for scenario in scenarios:
        try:
            tasks += plan_tasks(scenario, store, asking)
            data[scenario.name] = _data(scenario, store)
        except MissingTable as error:
            missing.append(error)
    if len(missing) == 1 == len(scenarios):
        raise missing[0]
    if missing and len(missing) == len(scenarios):
        raise UserError(f"The data of none of the {len(scenarios)} scenarios can be had: {missing[0]}")
    return Plan(tasks, [f"Left out: {error}" for error in missing], data)


def _data(scenario: Scenario, store: Hub | Mirror) -> dict[str, Any]:
    """The tables that were read, and what else the instances are made from."""
    return {
        "made_from": scenario.made_from,
        "tables": [store.provenance(table) for table in scenario.tables],
        "example_tables": [store.provenance(table) for table in scenario.example_tables if store.has(table)],
    }
