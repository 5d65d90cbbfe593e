"""The main job, from a specification to a folder of results: prepare, serve, ask, compare, write."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from harness.child_process import usable_cores
from harness.degradation.chance import tasks_at_chance
from harness.degradation.table import degradation_table
from harness.display import Display
from harness.errors import UserError
from harness.execution.records import SCHEMA
from harness.execution.runner import run_task
from harness.execution.tasks import Task, plan_tasks
from harness.models.candidates import Candidate, prepare
from harness.reports.files import run_folder, write_run
from harness.reports.markdown import markdown_report
from harness.run_spec import RunSpec, run_record
from harness.scenarios.table import find_scenarios
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run found; all of it is on disk too."""

    candidates: list[Candidate]
    instances: pd.DataFrame
    degradation: pd.DataFrame
    notes: list[str]


def run(spec: RunSpec, display: Display) -> RunResult:
    """Do the whole job.

    Raises:
        UserError: something in the specification is wrong, or a model cannot be served; nothing was asked or written.
        RunError: a server or an answer failed; no server is left running and no folder half-written.
    """
    started = datetime.datetime.now(datetime.UTC)
    tasks = plan_tasks(find_scenarios(list(spec.scenarios)), max_instances=spec.max_instances, seed=spec.seed)
    with run_folder(spec.out) as folder:
        candidates, notes = prepare(
            spec.base,
            list(spec.models),
            spec.reference,
            cache_dir=spec.cache_dir,
            threads=usable_cores(),
            say=display.say,
        )
        tasks, more = _try_all(candidates, tasks, spec.concurrency, folder, display)
        rows: list[dict[str, Any]] = []
        with display.running(len(candidates) * sum(len(task.instances) for task in tasks)):
            for candidate in candidates:
                rows += _ask_all(candidate, tasks, spec.concurrency, folder, display)
        instances = pa.Table.from_pylist(rows, SCHEMA)
        frame = instances.to_pandas().astype({"correct": "boolean"})
        reference = candidates[0].label
        degradation = degradation_table(frame, reference, seed=spec.seed)
        guess_rates = {task.scenario.name: task.scenario.guess_rate for task in tasks}
        notes = [*notes, *more, *tasks_at_chance(frame, reference, guess_rates)]
        report = markdown_report(degradation, candidates, notes, spec.command())
        write_run(folder, instances, degradation, run_record(spec, candidates, tasks, notes, started), report)
    return RunResult(candidates, frame, degradation, notes)


@contextmanager
def _serving(candidate: Candidate, concurrency: int, folder: Path) -> Iterator[Endpoint]:
    """A server of its own for one model, and the endpoint in front of it, found fit for scoring."""
    label = candidate.label
    log = folder / f"server-{label}.log"
    with (
        ServerProcess(candidate.facts.path, label, candidate.serve, log, slots=concurrency) as server,
        Endpoint(server.base_url, label, alive=server.check_alive) as endpoint,
    ):
        endpoint.self_test()
        yield endpoint


def _try_all(
    candidates: list[Candidate], tasks: list[Task], concurrency: int, folder: Path, display: Display
) -> tuple[list[Task], list[str]]:
    """Start every model once before the first question: hours of answers are not lost to the last one's bad file.

    Returns:
        The tasks as they fit all models' contexts, and a sentence on each one that had to change.
    """
    fitted: dict[str, Task | None] = {task.label: task for task in tasks}
    for candidate in candidates:
        display.say(f"{candidate.label}: checking that it can be served")
        with _serving(candidate, concurrency, folder) as endpoint:
            fitted = {label: task and task.fitted(endpoint.fits) for label, task in fitted.items()}
    notes: list[str] = []
    for task in tasks:
        left = fitted[task.label]
        if left is None:
            notes.append(f"{task.label}: left out, because its questions do not fit the context of every model.")
        elif len(left.examples) < len(task.examples):
            notes.append(
                f"{task.label}: asked after {len(left.examples)} examples instead of {len(task.examples)}, "
                "because more do not fit the context of every model."
            )
    remaining = [task for task in fitted.values() if task]
    if not remaining:
        raise UserError("--scenarios: no question of these scenarios fits the context of every model; choose others.")
    return remaining, notes


def _ask_all(
    candidate: Candidate, tasks: list[Task], concurrency: int, folder: Path, display: Display
) -> list[dict[str, Any]]:
    """All tasks, put to one model."""
    label = candidate.label
    rows: list[dict[str, Any]] = []
    display.say(f"{label}: starting its server")
    with _serving(candidate, concurrency, folder) as endpoint:
        for task in tasks:
            display.say(f"{label}: {task.label}")
            new = run_task(endpoint, label, task, concurrency=concurrency, tick=display.tick)
            mean = sum(row["value"] for row in new) / len(new)
            display.finished(f"{label}: {task.label}, {task.metric.name} {mean:.3f} over {len(new)}")
            rows += new
    return rows
