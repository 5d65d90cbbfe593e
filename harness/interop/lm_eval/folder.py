"""The folder that lm-eval reads: ``tasks/NAME.yaml``, ``data/NAME.jsonl`` and a README with the commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import httpx
import yaml

from harness.errors import RunError
from harness.interop.asked import too_long, without_left_out, write_lines
from harness.interop.lm_eval.readme import readme
from harness.interop.lm_eval.tasks import LmEvalTask, lm_eval_tasks
from harness.interop.served import Served, served_models
from harness.interop.source import Source

_SECONDS = 30
_TOO_LONG = "lm-eval cuts off the beginning, where a run of ours leaves out examples"


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
    tasks, notes = without_left_out((one for task in source.tasks for one in lm_eval_tasks(task)), "lm-eval")
    served = served_models(source, port)
    asked_whole = [task for task in tasks if task.config["output_type"] != "loglikelihood_rolling"]
    notes += [*_without_tokenizer(served), *too_long(asked_whole, source.context, _TOO_LONG)]
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
        write_lines(folder / data, task.rows)
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
