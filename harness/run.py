"""The main job, from a specification to a folder of results: prepare, serve, ask, compare, write."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.child_process import usable_cores
from harness.degradation.chance import tasks_at_chance
from harness.degradation.table import degradation_table
from harness.display import Display
from harness.execution.runner import run_task
from harness.execution.tasks import Task, plan_tasks
from harness.models.bundled import BUNDLED_MODEL
from harness.models.candidates import Candidate, prepare
from harness.reports.files import run_folder, write_run
from harness.reports.markdown import markdown_report
from harness.scenarios.table import find_scenarios
from harness.scenarios.world.facts import WORLD_SEED
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess

SCHEMA_VERSION = 1
PACKAGES = ("llama-cpp-python", "numpy", "openai", "pandas", "quant-harness", "scipy", "statsmodels")


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything that decides what a run will find."""

    base: Path
    models: tuple[str, ...]
    reference: str | None
    scenarios: tuple[str, ...]
    max_instances: int | None
    seed: int
    concurrency: int
    out: Path
    cache_dir: Path

    def command(self) -> str:
        """The command line that asks for this run again, into another folder."""
        words = ["harness", "run", "--models", ",".join(self.models)]
        words += ["--model", str(self.base)] if self.base != BUNDLED_MODEL else []
        words += ["--reference", self.reference] if self.reference else []
        words += ["--scenarios", ",".join(self.scenarios), "--seed", str(self.seed)]
        words += ["--max-instances", str(self.max_instances or 0), "--concurrency", str(self.concurrency)]
        return shlex.join(words)


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
        UserError: something in the specification is wrong; nothing was started or written.
        RunError: a server or an answer failed; no server is left running and no folder half-written.
    """
    started = datetime.datetime.now(datetime.UTC)
    scenarios = find_scenarios(list(spec.scenarios))
    with run_folder(spec.out) as folder:
        candidates = prepare(
            spec.base,
            list(spec.models),
            spec.reference,
            cache_dir=spec.cache_dir,
            threads=usable_cores(),
            say=display.say,
        )
        tasks = plan_tasks(scenarios, max_instances=spec.max_instances, seed=spec.seed)
        rows: list[dict[str, Any]] = []
        with display.running(len(candidates) * sum(len(task.instances) for task in tasks)):
            for candidate in candidates:
                rows += _ask_all(candidate, tasks, spec.concurrency, folder, display)
        instances = pd.DataFrame(rows).astype({"correct": "boolean"})
        reference = candidates[0].label
        degradation = degradation_table(instances, reference, seed=spec.seed)
        notes = [candidate.note for candidate in candidates if candidate.note] + tasks_at_chance(instances, reference)
        report = markdown_report(degradation, candidates, notes, spec.command())
        write_run(folder, instances, degradation, _record(spec, candidates, tasks, notes, started), report)
    return RunResult(candidates, instances, degradation, notes)


def _ask_all(
    candidate: Candidate, tasks: list[Task], concurrency: int, folder: Path, display: Display
) -> list[dict[str, Any]]:
    """All tasks, put to one model on a server of its own."""
    label = candidate.label
    log = folder / f"server-{label}.log"
    rows: list[dict[str, Any]] = []
    display.say(f"{label}: starting its server")
    with ServerProcess(candidate.facts.path, label, candidate.serve, log, slots=concurrency) as server:
        endpoint = Endpoint(server.base_url, label, alive=server.check_alive)
        endpoint.self_test()
        for task in tasks:
            display.say(f"{label}: {task.label}")
            new = run_task(endpoint, label, task, concurrency=concurrency, tick=display.tick)
            mean = sum(row["value"] for row in new) / len(new)
            display.finished(f"{label}: {task.label}, {task.metric.name} {mean:.3f} over {len(new)}")
            rows += new
        endpoint.close()
    return rows


def _record(
    spec: RunSpec, candidates: list[Candidate], tasks: list[Task], notes: list[str], started: datetime.datetime
) -> dict[str, Any]:
    """``run.json``: what was run, with what, on what."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": spec.command(),
        "spec": {key: str(value) if isinstance(value, Path) else value for key, value in asdict(spec).items()},
        "seeds": {"run": spec.seed, "world": WORLD_SEED},
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": {"system": platform.system(), "machine": platform.machine(), "cores": usable_cores()},
        "models": [_record_of_model(candidate) for candidate in candidates],
        "tasks": [
            {
                "scenario": task.scenario.name,
                "adapter": task.adapter_name,
                "metric": task.metric.name,
                "instances": len(task.instances),
                "examples": [example.id for example in task.examples],
            }
            for task in tasks
        ],
        "notes": notes,
    }


def _record_of_model(candidate: Candidate) -> dict[str, Any]:
    facts, config = candidate.facts, candidate.config
    return {
        "label": candidate.label,
        "file": facts.path.name,
        "sha256": facts.sha256,
        "bytes": facts.bytes,
        "parameters": facts.parameters,
        "bits_per_weight": facts.bits_per_weight,
        "tensor_types": facts.tensor_types,
        "quantize": config.quantize.model_dump(mode="json") if config and config.quantize else None,
        "serve": candidate.serve.model_dump(mode="json"),
        "note": candidate.note,
    }
