"""All scenarios by name. A new one is a new file beside this one, and a line here."""

from __future__ import annotations

import difflib

from harness.errors import UserError
from harness.scenarios.base import Scenario
from harness.scenarios.world.scenarios import WORLD_SCENARIOS

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in WORLD_SCENARIOS}


def find_scenarios(names: list[str]) -> list[Scenario]:
    """The scenarios of these names, in this order.

    Raises:
        UserError: a name is unknown, and the sentence offers the closest one; or there is none at all.
    """
    if not names:
        raise UserError("--scenarios names nothing; `harness scenarios` lists what there is.")
    for name in names:
        if name not in SCENARIOS:
            close = difflib.get_close_matches(name, SCENARIOS, 1)
            hint = f"did you mean '{close[0]}'?" if close else "`harness scenarios` lists them."
            raise UserError(f"--scenarios: there is no scenario '{name}'; {hint}")
    return [SCENARIOS[name] for name in dict.fromkeys(names)]
