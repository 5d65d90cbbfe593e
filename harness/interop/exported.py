"""What exports tell of our tasks and instances, and their results tell again: so they come home by our names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.execution.records import choices_of
from harness.execution.tasks import Task
from harness.types import Instance, Request

KEY, TASK_KEY = "quant_harness", "quant_harness_task"
"""Under which they stand in what others keep of an instance, as texts."""


class ExportedTask(BaseModel, strict=True):
    """A task of ours, or a part of it that the other harness asks as a task of its own."""

    scenario: str
    adapter: str
    trial: int
    perturbation: str
    metric: str
    """Our main one."""
    theirs: str = ""
    """The other harness' metric that is the same; empty where it has none, or one of the same name."""
    guess_rate: float
    """Share that guessing gets right, which does not follow from what others see."""


class ExportedInstance(BaseModel, strict=True):
    """An instance of ours."""

    id: str
    kind: str = ""
    group: str = ""
    golds: list[str] = []
    choices: list[str] = []
    right: list[int] = []
    """Which of the choices, counted from 0."""
    labels: list[str] = []
    """Letters of the choices, if the model is to write one."""


def about_task(task: Task, perturbation: str) -> ExportedTask:
    """What is told of a task; :func:`exported_task` reads it."""
    return ExportedTask(
        scenario=task.scenario.name,
        adapter=task.adapter_name,
        trial=task.trial,
        perturbation=perturbation,
        metric=task.metrics[0].name,
        guess_rate=float(task.scenario.guess_rate),
    )


def exported_task(told: object) -> ExportedTask | None:
    """What an export told of a task, as it was or as JSON; None where no export of ours did."""
    try:
        if isinstance(told, str):
            return ExportedTask.model_validate_json(told)
        return ExportedTask.model_validate(told)
    except ValidationError:
        return None


def about_instance(instance: Instance, request: Request) -> str:
    """What is told of an instance, as one text: no reader of JSON takes anything in that for a date."""
    choices, right = choices_of(instance)
    return ExportedInstance(
        id=instance.id,
        kind=instance.kind,
        group=instance.group,
        golds=list(instance.golds),
        choices=choices,
        right=right,
        labels=list(request.labels),
    ).model_dump_json(exclude_defaults=True)


def exported_instance(told: Mapping[str, Any]) -> ExportedInstance | None:
    """What an export told of an instance; None where no export of ours did."""
    try:
        return ExportedInstance.model_validate_json(told[KEY])
    except (KeyError, TypeError, ValidationError):
        return None
