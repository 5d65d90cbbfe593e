"""The folder that HELM is started in: models, tasks, run entries, data, and a README with the commands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from harness.interop.asked import without_left_out, write_lines
from harness.interop.helm.custom import CUSTOM, custom_tasks
from harness.interop.helm.models import name_of, write_models
from harness.interop.helm.questions import BITS_PER_BYTE, HelmTask, helm_tasks
from harness.interop.helm.readme import readme
from harness.interop.served import Served
from harness.interop.source import Source

PLUGIN, ENTRIES, CUSTOM_ENTRIES, SCHEMA = "quant_harness.py", "run_entries.conf", "custom_mcqa.conf", "schema.yaml"
"""Names of files in the folder."""


def write_helm(folder: Path, source: Source, port: int) -> list[str]:
    """Write what HELM needs to ask the tasks of the models.

    Args:
        folder: an empty one.
        source: what is exported.
        port: of the first model's server; each other one has the next.

    Returns:
        A sentence for each task that is left out.

    Raises:
        UserError: HELM can ask none of the tasks, or there are more models than ports.
    """
    tasks, left_out = without_left_out((one for task in source.tasks for one in helm_tasks(task)), "HELM")
    served = write_models(folder / "prod_env", source, port)
    for name in ("data", CUSTOM):
        (folder / name).mkdir()
    for task in tasks:
        write_lines(folder / "data" / f"{task.name}.jsonl", task.instances)
    described = {task.name: {"adapter": task.adapter, "metrics": task.metrics} for task in tasks}
    _write(folder / "tasks.json", json.dumps(described, indent=2) + "\n")
    _write(folder / PLUGIN, Path(__file__).with_name("plugin.py").read_text(encoding="utf-8"))
    _write(folder / ENTRIES, _entries(served, (f"quant_harness:task={task.name}" for task in tasks)))
    custom = custom_tasks(source)
    for one in custom:
        write_lines(folder / CUSTOM / f"{one.name}.jsonl", one.instances)
    _write(folder / CUSTOM_ENTRIES, _entries(served, (one.entry for one in custom)))
    _write(folder / SCHEMA, yaml.safe_dump(_schema(tasks), sort_keys=False, allow_unicode=True))
    _write(folder / "README.md", readme(served, tasks, custom, [*source.notes, *left_out]))
    return left_out


def _entries(served: Sequence[Served], descriptions: Iterable[str]) -> str:
    """Run entries in HOCON, every task for every model."""
    lines = [
        f"  {{description: {json.dumps(f'{description},model={name_of(one.model)}')}, priority: 1}}"
        for description in descriptions
        for one in served
    ]
    return "\n".join(["entries: [", *lines, "]", ""])


def _schema(tasks: Sequence[HelmTask]) -> dict[str, Any]:
    """What ``helm-summarize`` needs to put the tasks into tables; it leaves out groups that it does not know."""
    mains = list(dict.fromkeys(task.main for task in tasks))
    # HELM takes no mean over columns of which some are better high and some low.
    judged = {task.name: "likelihood" if task.main == BITS_PER_BYTE else "accuracy" for task in tasks}
    return {
        "metrics": [
            *({"name": name, "display_name": name, "lower_is_better": name == BITS_PER_BYTE} for name in mains),
            {"name": "num_instances", "display_name": "# eval"},
            {"name": "num_train_instances", "display_name": "# train"},
        ],
        "perturbations": [],
        "metric_groups": [
            *(
                {
                    "name": name,
                    "display_name": name.capitalize(),
                    "aggregation_strategies": ["mean"],
                    "metrics": [{"name": "${main_name}", "split": "test"}],
                }
                for name in dict.fromkeys(judged.values())
            ),
            {
                "name": "general_information",
                "display_name": "General information",
                "hide_win_rates": True,
                "metrics": [{"name": name, "split": "test"} for name in ("num_instances", "num_train_instances")],
            },
        ],
        "run_groups": [
            {
                "name": "quant_harness",
                "display_name": "quant-harness",
                "description": "What quant-harness exported",
                "category": "All scenarios",
                "subgroups": [task.name for task in tasks],
            },
            *(
                {
                    "name": task.name,
                    "display_name": task.name,
                    "description": task.task.scenario.description,
                    "metric_groups": [judged[task.name], "general_information"],
                    "category": "All scenarios",
                    "environment": {"main_name": task.main, "main_split": "test"},
                }
                for task in tasks
            ),
        ],
    }


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
