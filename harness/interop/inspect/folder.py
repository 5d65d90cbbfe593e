"""The folder that Inspect is started in: ``tasks.py``, what it needs, ``data/NAME.jsonl``, and a README."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.interop.asked import too_long, without_left_out, write_lines
from harness.interop.inspect.readme import readme
from harness.interop.inspect.tasks import InspectTask, inspect_tasks
from harness.interop.served import served_models
from harness.interop.source import Source

SUPPORT = "quant_harness.py"
_TOO_LONG = (
    "the server refuses those, where a run of ours leaves out examples or asks in windows; `--no-fail-on-error` goes "
    "on without them"
)
_HEAD = '''"""Tasks that quant-harness exported: ``inspect eval tasks.py``, or ``tasks.py@NAME`` for one of them."""

from inspect_ai import Task, task
from quant_harness import exported
'''
_TASK = '''

@task
def {name}(bos: str = "") -> Task:
    """{n} questions."""
    return exported("{name}", bos)
'''


def write_inspect(folder: Path, source: Source, port: int) -> list[str]:
    """Write what Inspect needs to ask the tasks of the models.

    Args:
        folder: an empty one.
        source: models and tasks.
        port: of the first model that is yet to be served; each other one has the next.

    Returns:
        Sentences on what is not asked, or not as a run of ours asks it.

    Raises:
        UserError: Inspect can ask none of the tasks, or there are more models than ports.
    """
    tasks, notes = without_left_out((one for task in source.tasks for one in inspect_tasks(task)), "Inspect")
    served = served_models(source, port)
    notes += too_long(tasks, source.context, _TOO_LONG)
    write_tasks(folder, tasks)
    (folder / "README.md").write_text(readme(served, tasks, [*source.notes, *notes]), encoding="utf-8")
    return notes


def write_tasks(folder: Path, tasks: Sequence[InspectTask]) -> None:
    """Write the tasks and their data."""
    (folder / SUPPORT).write_bytes(Path(__file__).with_name(SUPPORT).read_bytes())
    functions = (_TASK.format(name=task.name, n=len(task.rows)) for task in tasks)
    (folder / "tasks.py").write_text(_HEAD + "".join(functions), encoding="utf-8")
    specs = {task.name: task.spec for task in tasks}
    (folder / "tasks.json").write_text(json.dumps(specs, indent=2) + "\n", encoding="utf-8")
    (folder / "data").mkdir()
    for task in tasks:
        write_lines(folder / "data" / f"{task.name}.jsonl", task.rows)
