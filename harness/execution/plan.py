"""The tasks of all scenarios of a run, and the scenarios that are left out because their data cannot be had."""

from __future__ import annotations

from typing import NamedTuple

from harness.data.table import Store
from harness.errors import MissingTable, UserError
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.scenarios.base import Scenario


class Plan(NamedTuple):
    """What a run is going to ask."""

    tasks: list[Task]
    left_out: list[str]
    """A sentence for each scenario that cannot be asked."""


def plan(scenarios: list[Scenario], store: Store, asking: Asking) -> Plan:
    """The tasks of the scenarios whose data is here or can be had.

    Raises:
        UserError: that is none of them.
    """
    tasks: list[Task] = []
    missing: list[MissingTable] = []
    for scenario in scenarios:
        try:
            tasks += plan_tasks([scenario], store, asking)
        except MissingTable as error:
            missing.append(error)
    if len(missing) == 1 == len(scenarios):
        raise missing[0]
    if len(missing) == len(scenarios):
        raise UserError(f"The data of none of the {len(scenarios)} scenarios can be had: {missing[0]}")
    return Plan(tasks, [f"Left out: {error}" for error in missing])
