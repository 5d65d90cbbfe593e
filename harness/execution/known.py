"""All scenarios that can be asked: those of the harness, of installed packages and of a user's own files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.errors import UserError
from harness.methods import METHODS
from harness.metrics.base import Metric, SetMetric
from harness.metrics.table import METRICS, SET_METRICS
from harness.names import did_you_mean
from harness.scenarios.base import Scenario
from harness.scenarios.own.scenario import load_scenario_file
from harness.scenarios.plugins import plugin_scenarios
from harness.scenarios.table import SCENARIOS

_METRICS: dict[str, Metric | SetMetric] = {**METRICS, **SET_METRICS}


def known_scenarios() -> dict[str, Scenario]:
    """Those of the harness and of installed packages, by name.

    Raises:
        UserError: a package has a fault, or repeats a name.
    """
    found = dict(SCENARIOS)
    for package, scenarios in plugin_scenarios().items():
        for scenario in scenarios:
            _add(found, scenario, f"The package {package}")
    return found


def own_scenarios(files: Iterable[Path], known: Mapping[str, Scenario]) -> dict[str, Scenario]:
    """Those of the user's files, by name.

    Raises:
        UserError: a file has a fault, or the name of a scenario in ``known`` or in another file.
    """
    found = dict(known)
    for path in files:
        scenario = load_scenario_file(path)
        _add(found, scenario, str(path))
        for metric in scenario.metrics:
            if _METRICS[metric].reads_details:
                raise UserError(f"{path}: the metric {metric} needs more than a YAML file can give; choose another.")
    return {name: scenario for name, scenario in found.items() if name not in known}


def _add(found: dict[str, Scenario], scenario: Scenario, origin: str) -> None:
    if scenario.name in found:
        raise UserError(f"{origin} names a scenario '{scenario.name}', and there is one already; choose another name.")
    check_scenario(scenario, origin)
    found[scenario.name] = scenario


def check_scenario(scenario: Scenario, origin: str) -> None:
    """See that there are such adapters and metrics, each once, and that they fit each other.

    Raises:
        UserError: they do not; the sentence begins with ``origin``.
    """
    methods = [spec.method for spec in scenario.adapters]
    _check_names(origin, scenario, "adapter", methods, list(METHODS))
    _check_names(origin, scenario, "metric", scenario.metrics, list(_METRICS))
    for metric in scenario.metrics:
        judged = _judged_by(_METRICS[metric])
        unfit = [method for method in methods if method not in judged]
        # The main metric must judge every way of asking, another one at least one of them.
        if unfit and (metric == scenario.metrics[0] or len(unfit) == len(methods)):
            raise UserError(
                f"{origin}: the metric {metric} cannot judge what the adapter {unfit[0]} asks; it judges "
                f"{', '.join(sorted(judged))}."
            )
    if scenario.metrics[0] not in METRICS:
        raise UserError(
            f"{origin}: the first metric must judge single answers, and {scenario.metrics[0]} judges all together; put "
            "another one before it."
        )


def _check_names(origin: str, scenario: Scenario, what: str, given: Sequence[str], known: list[str]) -> None:
    """See that there are names, each of something that is known, and none twice: results are told apart by them."""
    if not given:
        raise UserError(f"{origin}: '{scenario.name}' has no {what}; name at least one.")
    for name, count in Counter(given).items():
        if name not in known:
            meant = did_you_mean(name, known, f"there are {', '.join(known)}")
            raise UserError(f"{origin}: there is no {what} '{name}'; {meant}")
        if count > 1:
            raise UserError(f"{origin}: '{scenario.name}' names the {what} {name} {count} times; name it once.")


def _judged_by(metric: Metric | SetMetric) -> list[str]:
    """The adapters whose answers have what a metric needs."""
    return [name for name, method in METHODS.items() if metric.needs is None or metric.needs in method.gives]
