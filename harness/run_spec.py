"""What a run is to do, and the record of what it did."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from harness.child_process import usable_cores
from harness.errors import UserError
from harness.execution.plan import Plan
from harness.execution.tasks import Asking
from harness.models.null_run import NULL
from harness.served.base import Served, Source

SCHEMA_VERSION = 2
NO_SCENARIOS = "none"
"""In place of all scenarios: only next-token distributions are compared."""
PACKAGES = ("llama-cpp-python", "numpy", "openai", "pandas", "quant-harness", "scipy", "statsmodels")


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything that decides what a run will find."""

    models: Source
    """Which models are compared."""
    reference: str | None
    """What names the one that the others are compared with; None for the usual one."""
    suites: tuple[str, ...]
    """Names that :func:`harness.scenarios.suites.suite` knows; with ``scenarios`` they add up."""
    scenarios: tuple[str, ...]
    """Selectors as :func:`harness.scenarios.selection.find_scenarios` takes them."""
    scenario_files: tuple[Path, ...]
    """YAML files of the user's own scenarios, all of which are asked."""
    asking: Asking
    margin: float
    """The loss that counts as none, as a share: 0.01 is one percentage point."""
    divergence: bool
    """Whether next-token distributions are compared too."""
    divergence_text: Path | None
    """Over which text; None for the bundled one."""
    divergence_windows: int | None
    """Over so many windows of it, at most; None for all."""
    efficiency: bool
    """Whether speeds are measured too."""
    null: bool
    """Whether the reference is asked a second time, in other batches."""
    dataset_dir: Path | None
    concurrency: int
    out: Path

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            UserError: nothing would be done, or both nothing and something.
        """
        if not self.divergence and self.divergence_text:
            raise UserError("--divergence-text and --no-divergence contradict each other; leave one of them out.")
        if NO_SCENARIOS not in self.scenarios:
            return
        if self.scenarios != (NO_SCENARIOS,) or self.suites or self.scenario_files:
            raise UserError(
                f"--scenarios {NO_SCENARIOS} stands alone: leave out other scenarios, --suite and --scenario-file."
            )
        if not self.divergence:
            raise UserError(f"--scenarios {NO_SCENARIOS} and --no-divergence leave nothing to do; drop one of them.")

    @property
    def asks_questions(self) -> bool:
        """Whether any scenario is wanted."""
        return NO_SCENARIOS not in self.scenarios

    def command(self) -> str:
        """The command line that asks for this run again, into another folder."""
        words = ["harness", "run", *self.models.words()]
        words += ["--reference", self.reference] if self.reference else []
        words += ["--suite", ",".join(self.suites)] if self.suites else []
        words += ["--scenarios", ",".join(self.scenarios)] if self.scenarios else []
        words += [word for path in self.scenario_files for word in ("--scenario-file", str(path))]
        words += ["--seed", str(self.asking.seed), "--margin", f"{100 * self.margin:g}pp"]
        words += ["--divergence-text", str(self.divergence_text)] if self.divergence_text else []
        words += ["--divergence-windows", str(self.divergence_windows or 0)] if self.divergence else ["--no-divergence"]
        words += ["--null"] if self.null else []
        words += [] if self.efficiency else ["--no-efficiency"]
        words += ["--max-instances", str(self.asking.max_instances or 0), "--concurrency", str(self.concurrency)]
        words += ["--trials", str(self.asking.trials)] if self.asking.trials > 1 else []
        words += ["--chat"] if self.asking.chat else []
        changes = ",".join(perturbation.name for perturbation in self.asking.perturbations)
        words += ["--perturbations", changes] if changes else []
        words += ["--dataset-dir", str(self.dataset_dir)] if self.dataset_dir else []
        return shlex.join(words)


def run_record(
    spec: RunSpec,
    models: Sequence[Served],
    plan: Plan,
    divergence: dict[str, Any] | None,
    notes: list[str],
    started: datetime.datetime,
) -> dict[str, Any]:
    """``run.json``: what was run, with what, on what; ``divergence`` says over what distributions were compared."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": spec.command(),
        "spec": _plain(spec),
        "seed": spec.asking.seed,
        "reference": models[0].label,
        "null": NULL if spec.null else None,
        "margin": spec.margin,
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": {"system": platform.system(), "machine": platform.machine(), "cores": usable_cores()},
        "models": [model.record for model in models],
        "tasks": [
            {
                "scenario": task.scenario.name,
                "data": plan.data[task.scenario.name],
                "slices": list(task.scenario.slices),
                "adapter": task.adapter_name,
                "trial": task.trial,
                "metrics": list(task.scenario.metrics),
                "guess_rate": task.scenario.guess_rate,
                "instances": len(task.instances),
                "examples": {kind: [example.id for example in chosen] for kind, chosen in task.examples.items()},
            }
            for task in plan.tasks
        ],
        "divergence": divergence,
        "left_out": plan.left_out,
        "notes": notes,
    }


def _plain(spec: RunSpec) -> dict[str, Any]:
    """The specification as JSON can say it: paths as text, perturbations by name."""
    asking = {item.name: getattr(spec.asking, item.name) for item in fields(spec.asking)}
    asking["perturbations"] = [perturbation.name for perturbation in spec.asking.perturbations]
    others = {item.name: getattr(spec, item.name) for item in fields(spec) if item.name not in ("asking", "models")}
    others["scenario_files"] = [str(path) for path in spec.scenario_files]
    plain = spec.models.plain() | others | asking
    return {key: str(value) if isinstance(value, Path) else value for key, value in plain.items()}
