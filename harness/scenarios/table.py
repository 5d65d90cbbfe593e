"""All scenarios by name. A new one is a new file beside this one, and a line here."""

from __future__ import annotations

from harness.scenarios.base import Scenario
from harness.scenarios.generated.scenarios import GENERATED_SCENARIOS
from harness.scenarios.hub.multiple_choice import MULTIPLE_CHOICE_SCENARIOS
from harness.scenarios.hub.text import TEXT_SCENARIOS
from harness.scenarios.world.scenarios import WORLD_SCENARIOS

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (*WORLD_SCENARIOS, *MULTIPLE_CHOICE_SCENARIOS, *TEXT_SCENARIOS, *GENERATED_SCENARIOS)
}
