"""What a run is to do, and the record of what it did."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.child_process import usable_cores
from harness.execution.tasks import Task
from harness.models.bundled import BUNDLED_MODEL
from harness.models.candidates import Candidate

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


def run_record(
    spec: RunSpec, candidates: list[Candidate], tasks: list[Task], notes: list[str], started: datetime.datetime
) -> dict[str, Any]:
    """``run.json``: what was run, with what, on what."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": spec.command(),
        "spec": {key: str(value) if isinstance(value, Path) else value for key, value in asdict(spec).items()},
        "seed": spec.seed,
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": {"system": platform.system(), "machine": platform.machine(), "cores": usable_cores()},
        "models": [_record_of_model(candidate) for candidate in candidates],
        "tasks": [
            {
                "scenario": task.scenario.name,
                "data": task.scenario.data_version,
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
        "name": facts.name,
        "architecture": facts.architecture,
        "sha256": facts.sha256,
        "bytes": facts.bytes,
        "parameters": facts.parameters,
        "bits_per_weight": facts.bits_per_weight,
        "tensor_types": facts.tensor_types,
        "context_length": facts.context_length,
        "vocabulary_size": facts.vocabulary_size,
        "quantize": config.quantize.model_dump(mode="json") if config and config.quantize else None,
        "serve": candidate.serve.model_dump(mode="json"),
        "note": candidate.note,
    }
