"""The folder that lm-eval reads: ``tasks/NAME.yaml``, ``data/NAME.jsonl`` and a README."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import yaml

from harness.errors import UserError
from harness.interop.lm_eval.readme import readme
from harness.interop.lm_eval.tasks import LeftOut, LmEvalTask, lm_eval_tasks
from harness.interop.source import Source


def write_folder(folder: Path, source: Source, port: int) -> list[str]:
    """Fill an empty folder with what lm-eval is to ask; returns sentences on what it cannot be asked.

    Args:
        folder: where to write.
        source: models and tasks.
        port: of the first model that is yet to be served.

    Raises:
        UserError: lm-eval can ask nothing of it.
    """
    made = [made for task in source.tasks for made in lm_eval_tasks(task)]
    tasks = [task for task in made if isinstance(task, LmEvalTask)]
    left_out = [task for task in made if isinstance(task, LeftOut)]
    told = [f"{task.name} is left out: {task.why}." for task in left_out]
    if not tasks:
        raise UserError(f"lm-eval can ask none of these tasks; name other scenarios. {' '.join(told)}")
    write_tasks(folder, tasks)
    (folder / "README.md").write_text(readme(source, tasks, left_out, port), encoding="utf-8")
    return told


def write_tasks(folder: Path, tasks: Sequence[LmEvalTask]) -> None:
    """Write the tasks. The data are found from the folder that lm-eval is started in, which is to be this one."""
    for name in ("tasks", "data"):
        (folder / name).mkdir()
    for task in tasks:
        data = f"data/{task.name}.jsonl"
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in task.rows)
        (folder / data).write_text("".join(lines), encoding="utf-8")
        where = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": data}}, "test_split": "test"}
        text = yaml.safe_dump({**task.config, **where}, sort_keys=False, allow_unicode=True)
        (folder / "tasks" / f"{task.name}.yaml").write_text(text, encoding="utf-8")
