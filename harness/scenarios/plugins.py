"""Scenarios of other packages, by the entry point group ``harness.scenarios``."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable

from harness.errors import UserError
from harness.scenarios.base import Scenario

GROUP = "harness.scenarios"


def plugin_scenarios() -> dict[str, list[Scenario]]:
    """By package: what its entry points give. An entry point is a ``Scenario``, or is called and returns several.

    Raises:
        UserError: a package cannot be loaded or gives something else; the sentence names it and the reason.
    """
    found: dict[str, list[Scenario]] = {}
    for entry in importlib.metadata.entry_points(group=GROUP):
        package = entry.dist.name if entry.dist else entry.value
        try:
            given = entry.load()
            scenarios = [given] if isinstance(given, Scenario) else list(given())
        except Exception as error:  # another package's code may raise anything
            reason = str(error).rstrip(".") or type(error).__name__
            raise _broken(package, entry.name, reason) from error
        found.setdefault(package, []).extend(_checked(package, entry.name, scenarios))
    return found


def _checked(package: str, entry: str, given: Iterable[object]) -> list[Scenario]:
    scenarios: list[Scenario] = []
    for one in given:
        if not isinstance(one, Scenario):
            raise _broken(package, entry, f"it gave a {type(one).__name__} instead of a Scenario")
        scenarios.append(one)
    return scenarios


def _broken(package: str, entry: str, reason: str) -> UserError:
    return UserError(
        f"The scenarios of the package {package} (entry point '{entry}') cannot be loaded: {reason}; mend it or "
        "uninstall it."
    )
