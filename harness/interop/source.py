"""What is exported: models, and the tasks that they are to be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.hub import Hub
from harness.data.mirror import Mirror
from harness.data.store import open_store
from harness.errors import UserError
from harness.execution.chosen import chosen_scenarios
from harness.execution.plan import Plan, plan
from harness.execution.tasks import Asking, Task
from harness.interop.models import ExportedModel, model_at, model_in, models_of_run
from harness.perturbations.table import find_perturbations

_LABELLED = re.compile(r"([^=/\\]+)=(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Source:
    """Models and tasks."""

    models: tuple[ExportedModel, ...]
    tasks: tuple[Task, ...]
    notes: tuple[str, ...]
    """Sentences on what could not be had, or is not as it was."""
    store: Hub | Mirror
    """Where the tasks' data are from."""

    @property
    def context(self) -> int:
        """Tokens that the smallest context holds. All models' prompts keep to it, so that all are asked alike."""
        return min(model.context for model in self.models)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which scenarios are asked, and where their data are."""

    suites: tuple[str, ...]
    scenarios: tuple[str, ...]
    scenario_files: tuple[Path, ...]
    dataset_dir: Path | None
    asking: Asking


def source_of_models(words: Sequence[str], wanted: Wanted) -> Source:
    """From GGUF files (``FILE`` or ``LABEL=FILE``) and endpoints (``LABEL=URL``), and what is to be asked.

    Raises:
        UserError: a model or a scenario is not there, nothing is to be asked, or two models have one name.
        RunError: an endpoint does not answer.
    """
    if "none" in wanted.scenarios:
        raise UserError("--scenarios none leaves nothing to export; name scenarios, or leave it out for a suite.")
    models = [_model(word) for word in words]
    store = open_store(wanted.dataset_dir)
    planned = _planned(wanted, store)
    return Source(_distinct(models), tuple(planned.tasks), tuple(planned.left_out), store)


def _model(word: str) -> ExportedModel:
    match = None if Path(word).exists() else _LABELLED.fullmatch(word)
    if match is None:
        return model_in(Path(word))
    label, place = match[1], match[2]
    return model_at(label, place) if place.startswith(("http://", "https://")) else model_in(Path(place), label)


def source_of_run(record: Mapping[str, Any]) -> Source:
    """What a run asked, and the models that it asked.

    Args:
        record: its ``run.json``.

    Raises:
        UserError: the run asked no questions, or was imported, or what it asked cannot be had any more.
        RunError: an endpoint of it does not answer any more.
    """
    if imported := record.get("imported"):
        raise UserError(
            f"The run has results of {imported['from']}, and neither its models nor its prompts; name a run of "
            "`harness run`, or GGUF files and LABEL=URL of endpoints."
        )
    if not record["tasks"]:
        raise UserError("The run asked no questions, so there is nothing to export; name one that did.")
    spec = record["spec"]
    models = models_of_run(record)
    wanted = Wanted(
        suites=tuple(spec["suites"]),
        scenarios=tuple(spec["scenarios"]),
        scenario_files=tuple(map(Path, spec["scenario_files"])),
        dataset_dir=Path(spec["dataset_dir"]) if spec["dataset_dir"] else None,
        asking=Asking(
            max_instances=spec["max_instances"],
            seed=spec["seed"],
            trials=spec["trials"],
            chat=spec["chat"],
            perturbations=tuple(find_perturbations(spec["perturbations"])),
        ),
    )
    store = open_store(wanted.dataset_dir)
    planned = _planned(wanted, store)
    asked = {(task["scenario"], task["adapter"], task["trial"]) for task in record["tasks"]}
    # What a model of the run could not do, or what could not be had then, was not asked.
    tasks = [task for task in planned.tasks if (task.scenario.name, task.adapter_name, task.trial) in asked]
    if not tasks:
        raise UserError(f"Nothing that the run asked can be asked any more. {' '.join(planned.left_out)}".rstrip())
    then = {task["scenario"]: task["data"] for task in record["tasks"]}
    changed = [
        f"{name}: its data are not those that the run asked, so its numbers are not comparable with the run's."
        for name, data in planned.data.items()
        if name in then and then[name] != data
    ]
    return Source(_distinct(models), tuple(tasks), (*planned.left_out, *changed), store)


def _planned(wanted: Wanted, store: Hub | Mirror) -> Plan:
    scenarios = chosen_scenarios(wanted.suites, wanted.scenarios, wanted.scenario_files, store)
    return plan(scenarios, store, wanted.asking)


def _distinct(models: Sequence[ExportedModel]) -> tuple[ExportedModel, ...]:
    """The models, if none can be taken for another."""
    for what, names in (("label", [model.label for model in models]), ("id", [model.id for model in models])):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise UserError(
                f"Two models have the {what} '{twice}' and would be mixed up; give one another name, as "
                "LABEL=FILE.gguf or LABEL=URL."
            )
    return tuple(models)
