"""The same questions for HELM's own ``custom_mcqa``, which needs no plugin and asks in HELM's own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.interop.helm.questions import CALIBRATED, JOINT, Json, helm_instance
from harness.interop.source import Source
from harness.scenarios.loading import load_data

CUSTOM = "custom"
"""The folder of its data."""
_METHODS = (JOINT, "multiple_choice_separate_original", CALIBRATED)


@dataclass(frozen=True, slots=True)
class CustomTask:
    """A run of ``custom_mcqa``."""

    name: str
    """Of the file with its instances, too."""
    entry: str
    """HELM's description of it, without a model."""
    instances: Sequence[Json]
    """HELM's instances, those that it may draw examples from first."""


def custom_tasks(source: Source) -> list[CustomTask]:
    """A run for each scenario with choices and each way of asking it that ``custom_mcqa`` has.

    HELM draws examples itself, as we do with seed 0, so a scenario's file has all that ours were drawn from.
    """
    found: dict[str, CustomTask] = {}
    for task in source.tasks:
        method, n_shots = task.spec.method, task.spec.n_shots
        if method not in _METHODS or task.is_chat:
            continue
        # custom_mcqa scores single choices without examples, whatever it is told.
        draws = method == JOINT and n_shots > 0
        name = f"{task.scenario.name}{'-examples' if draws else ''}"
        pool = load_data(task.scenario, source.store).train if draws else []
        instances = [
            *(helm_instance(example, "train") for example in pool),
            *(helm_instance(one, "test") for one in task.instances if not one.perturbation),
        ]
        # HELM takes the path from a folder below benchmark_output, which is beside this one.
        path = f"../../../{CUSTOM}/{name}.jsonl"
        entry = f"custom_mcqa:path={path},num_train_instances={n_shots if draws else 0},method={method}"
        found.setdefault(entry, CustomTask(name, entry, instances))
    return list(found.values())
