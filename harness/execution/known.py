"""All scenarios that can be asked: those of the harness, of installed packages and of a user's own files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.adaptation.table import ADAPTERS
from harness.errors import UserError
from harness.metrics.table import METRICS, SET_METRICS
from harness.names import did_you_mean
from harness.scenarios.base import Scenario
from harness.scenarios.own.scenario import load_scenario_file
from harness.scenarios.plugins import plugin_scenarios
from harness.scenarios.table import SCENARIOS

_CHOICE = frozenset(name for name in ADAPTERS if name.startswith("multiple_choice"))
_ANSWERED = _CHOICE | {"generation"}
_RUNNING = frozenset({"language_modeling", "language_modeling_chunks"})
_FITS: dict[str, frozenset[str]] = {
    "greedy_match": frozenset({"continuation"}),
    "bits_per_byte": _RUNNING | {"continuation"},
    "perplexity": _RUNNING | {"continuation"},
    "chain_of_thought_correctness": frozenset({"multiple_choice_joint_chain_of_thought", "generation"}),
    **dict.fromkeys(("acc", "acc_norm", "acc_bytes"), frozenset(name for name in _CHOICE if "separate" in name)),
    **dict.fromkeys(("rr_at_10", "ndcg_at_10"), frozenset({"ranking_binary"})),
    **dict.fromkeys(("num_output_tokens", "inference_runtime"), frozenset(ADAPTERS)),
}
"""Adapters whose answers a metric can judge; of others, those that give an answer in words."""
_OF_DETAILS = ("ifeval_", "bbq_")
"""Metrics that read ``Instance.details``, by the beginning of their names."""


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
            if metric.startswith(_OF_DETAILS):
                raise UserError(f"{path}: the metric {metric} needs more than a YAML file can give; choose another.")
    return {name: scenario for name, scenario in found.items() if name not in known}


def _add(found: dict[str, Scenario], scenario: Scenario, origin: str) -> None:
    if scenario.name in found:
        raise UserError(f"{origin} names a scenario '{scenario.name}', and there is one already; choose another name.")
    check_scenario(scenario, origin)
    found[scenario.name] = scenario


def check_scenario(scenario: Scenario, origin: str) -> None:
    """See that there are such adapters and metrics, and that they fit each other.

    Raises:
        UserError: they do not; the sentence begins with ``origin``.
    """
    methods = [spec.method for spec in scenario.adapters]
    for method in methods:
        if method not in ADAPTERS:
            raise UserError(f"{origin}: there is no adapter '{method}'; {_meant(method, list(ADAPTERS))}")
    known = [*METRICS, *SET_METRICS]
    for metric in scenario.metrics:
        if metric not in known:
            raise UserError(f"{origin}: there is no metric '{metric}'; {_meant(metric, known)}")
        judged = _FITS.get(metric, _ANSWERED)
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


def _meant(given: str, known: list[str]) -> str:
    return did_you_mean(given, known, f"there are {', '.join(known)}")
