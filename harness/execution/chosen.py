"""The scenarios that are meant: those of suites, those that are named, and the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.data.hub import Hub
from harness.data.mirror import Mirror
from harness.execution.known import known_scenarios, own_scenarios
from harness.scenarios.base import Scenario
from harness.scenarios.selection import find_scenarios
from harness.scenarios.suites import suite


def chosen_scenarios(
    suites: Sequence[str], selectors: Sequence[str], files: Sequence[Path], store: Hub | Mirror
) -> list[Scenario]:
    """The scenarios of ``suites``, those of ``selectors``, and those of the user's ``files``, each wholly or in slices.

    Raises:
        UserError: a name is unknown, a file has a fault, or there is nothing at all.
    """
    known = known_scenarios()
    own = own_scenarios(files, known)
    of_suites = [selector for name in suites for selector in suite(name, known, store)]
    named = {selector.partition(":")[0] for selector in selectors}
    not_named = [name for name in own if name not in named]
    return find_scenarios([*of_suites, *selectors, *not_named], known | own)
