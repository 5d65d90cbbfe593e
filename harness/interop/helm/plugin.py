# mypy: ignore-errors
"""The tasks of a ``harness export helm`` folder as run specs of crfm-helm 0.5.16: ``quant_harness:task=NAME``.

Give this file to ``helm-run --plugins``. It needs HELM alone, and ``tasks.json`` and ``data`` beside it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from helm.benchmark.adaptation.adapter_spec import AdapterSpec
from helm.benchmark.metrics.metric import MetricSpec
from helm.benchmark.run_spec import RunSpec, run_spec_function
from helm.benchmark.scenarios.scenario import Instance, Scenario, ScenarioSpec
from helm.common.codec import from_jsonl

FOLDER = Path(__file__).resolve().parent


class ExportedScenario(Scenario):
    """The instances of one task, its solved examples first; all keep the ids that they have in our runs."""

    name = "quant_harness"
    description = "A task that quant-harness exported"
    tags: ClassVar[list[str]] = []

    def __init__(self, task: str) -> None:
        """Take the name of the task."""
        super().__init__()
        self.task = task

    def get_instances(self, output_path: str) -> list[Instance]:  # noqa: ARG002
        """All of them; ``output_path`` is where HELM would keep downloads."""
        return from_jsonl((FOLDER / "data" / f"{self.task}.jsonl").read_text(encoding="utf-8"), Instance)


@run_spec_function("quant_harness")
def exported_task(task: str) -> RunSpec:
    """One task of the folder."""
    tasks = json.loads((FOLDER / "tasks.json").read_text(encoding="utf-8"))
    if task not in tasks:
        raise ValueError(f"{FOLDER} has no task {task!r}; it has {', '.join(tasks)}.")
    spec = tasks[task]
    return RunSpec(
        name=f"quant_harness:task={task}",
        scenario_spec=ScenarioSpec(class_name=f"{__name__}.ExportedScenario", args={"task": task}),
        adapter_spec=AdapterSpec(**spec["adapter"]),
        metric_specs=[MetricSpec(class_name=one["class_name"], args=one["args"]) for one in spec["metrics"]],
        groups=[task],
    )
