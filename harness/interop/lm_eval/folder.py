"""The folder that lm-eval reads: ``tasks/NAME.yaml``, ``data/NAME.jsonl`` and a README with the commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import httpx
import yaml

from harness.errors import RunError, UserError
from harness.interop.lm_eval.readme import readme
from harness.interop.lm_eval.tasks import LeftOut, LmEvalTask, lm_eval_tasks
from harness.interop.served import Served, served_models
from harness.interop.source import Source

_SECONDS = 30


def write_lm_eval(folder: Path, source: Source, port: int) -> list[str]:
    """Write what lm-eval needs to ask the tasks of the models.

    Args:
        folder: an empty one.
        source: what is exported.
        port: of the first model's server; each other one has the next.

    Returns:
        Sentences on what is not asked, or not as a run of ours asks it.

    Raises:
        UserError: lm-eval can ask none of the tasks, or there are more models than ports.
        RunError: an endpoint does not answer.
    """
    found = [one for task in source.tasks for one in lm_eval_tasks(task)]
    tasks = [one for one in found if isinstance(one, LmEvalTask)]
    notes = [f"Left out: {one.name}: {one.why}." for one in found if isinstance(one, LeftOut)]
    if not tasks:
        raise UserError(f"lm-eval can ask none of the tasks. {' '.join(notes)}")
    served = served_models(source, port)
    notes += [*_without_tokenizer(served), *_too_long(tasks, source.context)]
    write_tasks(folder, tasks)
    text = readme(served, source.context, tasks, [*source.notes, *notes])
    (folder / "README.md").write_text(text, encoding="utf-8", errors="backslashreplace")
    return notes


def write_tasks(folder: Path, tasks: Sequence[LmEvalTask]) -> None:
    """Write the tasks. lm-eval looks for the data from the folder that it is started in, which is to be this one."""
    for name in ("tasks", "data"):
        (folder / name).mkdir()
    for task in tasks:
        data = f"data/{task.name}.jsonl"
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in task.rows)
        (folder / data).write_text("".join(lines), encoding="utf-8", errors="backslashreplace")
        where = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": data}}, "test_split": "test"}
        text = yaml.safe_dump({**task.config, **where}, sort_keys=False, allow_unicode=True)
        (folder / "tasks" / f"{task.name}.yaml").write_text(text, encoding="utf-8")


def _without_tokenizer(served: Sequence[Served]) -> list[str]:
    """A sentence for each endpoint whose tokenizer lm-eval cannot ask."""
    return [
        f"{one.model.label}: {one.url} has no tokenizer that lm-eval can ask (GET /tokenizer_info): in its command put "
        "tokenizer_backend=huggingface,tokenizer=FOLDER with the original model's tokenizer."
        for one in served
        if not one.command and not _has_tokenizer(one)
    ]


def _has_tokenizer(served: Served) -> bool:
    try:
        url = f"{served.url.removesuffix('/v1')}/tokenizer_info"
        return httpx.get(url, timeout=_SECONDS, trust_env=False).is_success
    except httpx.HTTPError as error:
        raise RunError(f"{served.model.label}: {served.url} cannot be reached: {error}; start it first.") from error


def _too_long(tasks: Sequence[LmEvalTask], context: int) -> list[str]:
    asked_whole = [task for task in tasks if task.config["output_type"] != "loglikelihood_rolling"]
    return [
        f"{task.name}: prompts of up to {task.longest:,} bytes may not fit the context of {context:,} tokens; lm-eval "
        "cuts off their beginning where a run of ours leaves out examples."
        for task in asked_whole
        if task.longest > context
    ]
