"""All scenarios by name. A new one is a new file beside this one, and a line here."""

from __future__ import annotations

from harness.scenarios.base import Scenario
from harness.scenarios.world.scenarios import WORLD_SCENARIOS

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in WORLD_SCENARIOS}
