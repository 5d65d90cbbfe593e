"""From the folders of another harness to a run: read, paired, compared."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.analysis import analyse
from harness.child_process import usable_cores
from harness.divergence.records import no_tokens
from harness.efficiency.samples import samples_frame
from harness.errors import UserError
from harness.interop.imports.answered import ModelTask
from harness.interop.imports.combine import combine
from harness.interop.imports.helm import read_helm
from harness.interop.imports.labels import labels_of
from harness.interop.imports.lm_eval import read_lm_eval
from harness.interop.imports.suspicions import suspicions
from harness.names import unknown
from harness.results import Measured, Run

Reader = Callable[[Path, str | None], list[ModelTask]]
READERS: dict[str, Reader] = {"helm": read_helm, "lm-eval": read_lm_eval}
NAMES = {"helm": "HELM", "lm-eval": "lm-eval"}
"""As they write themselves."""
SCHEMA_VERSION = 2
PACKAGES = ("numpy", "pandas", "quant-harness", "scipy", "statsmodels")


@dataclass(frozen=True, slots=True)
class ImportSpec:
    """Everything that decides what is made of another harness' results."""

    harness: str
    """A key of :data:`READERS`."""
    words: tuple[str, ...]
    """Folders, or ``LABEL=FOLDER``."""
    reference: str | None
    """A model's name or label, or what begins one; None for the model of the first folder."""
    metrics: tuple[str, ...]
    """What tasks are judged by that have it, instead of the other harness' first."""
    margin: float
    """The loss that counts as none, as a share."""
    seed: int
    """Of resampling."""

    def command(self) -> str:
        """The command line that makes the same again."""
        words = ["harness", "import", self.harness, *self.words]
        words += ["--reference", self.reference] if self.reference else []
        words += [word for name in self.metrics for word in ("--metric", name)]
        return shlex.join([*words, "--margin", f"{100 * self.margin:g}pp", "--seed", str(self.seed)])


def import_run(spec: ImportSpec) -> Run:
    """Read results and compare every model with the reference.

    Raises:
        UserError: a folder or file is not what it should be, there are fewer than two models, or nothing that both
            were asked; it is told which.
    """
    started = datetime.datetime.now(datetime.UTC)
    folders = _read_all(spec.words, READERS[spec.harness])
    labels = labels_of(folders, spec.reference)
    tasks = [task for of_folder in folders for task in of_folder]
    known = list(dict.fromkeys(metric for task in tasks for metric in task.metrics))
    for name in spec.metrics:
        if name not in known:
            raise UserError(f"--metric: {unknown('metric of these results', name, known)}.")
    found = combine(tasks, labels, spec.metrics)
    measured = Measured(found.instances, found.scores, no_tokens(), samples_frame([]))
    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "command": spec.command(),
        "spec": {"metrics": list(spec.metrics)},
        "imported": {"from": spec.harness},
        "seed": spec.seed,
        "reference": next(iter(labels.values())),
        "null": None,
        "margin": spec.margin,
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES}
        | _versions(tasks),
        "machine": {"system": platform.system(), "machine": platform.machine(), "cores": usable_cores()},
        "models": [_record_of_model(name, label, tasks, spec) for name, label in labels.items()],
        "tasks": found.tasks,
        "metrics": found.kinds,
        "perturbations": found.groups,
        "divergence": None,
        "left_out": found.left_out,
        "notes": [_whose(spec.harness), *found.notes, *suspicions(found.instances, next(iter(labels.values())))],
    }
    return Run(record, measured, analyse(record, measured))


def _whose(harness: str) -> str:
    return f"The judgements of single answers are {NAMES[harness]}'s own; what is compared and concluded is ours."


def _read_all(words: Sequence[str], reader: Reader) -> list[list[ModelTask]]:
    """What each folder holds.

    Raises:
        UserError: one is no folder of that harness, or two are called alike.
    """
    labels = [label for label, _ in map(_label_and_folder, words) if label]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice:
        raise UserError(
            f"Two folders are called '{twice}'; give each model a label of its own, or put one model's results below "
            "one folder."
        )
    return [_read(word, reader) for word in words]


def _label_and_folder(word: str) -> tuple[str, str]:
    label, equals, path = word.partition("=")
    return (label, path) if equals and not Path(word).exists() else ("", word)


def _read(word: str, reader: Reader) -> list[ModelTask]:
    """What a folder holds; a label before it stands for its one model."""
    label, path = _label_and_folder(word)
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder.")
    found = reader(folder, None)
    names = list(dict.fromkeys(task.model for task in found))
    if label and len(names) > 1:
        raise UserError(f"{word}: the folder has {len(names)} models ({', '.join(names)}); label folders of one each.")
    return reader(folder, label) if label else found


def _versions(tasks: Sequence[ModelTask]) -> dict[str, str]:
    """Of the other harness; several where models were asked by several."""
    found: dict[str, list[str]] = {}
    for task in tasks:
        for name, version in task.versions.items():
            found.setdefault(name, []).append(version)
    return {name: " and ".join(dict.fromkeys(versions)) for name, versions in found.items()}


def _record_of_model(name: str, label: str, tasks: Sequence[ModelTask], spec: ImportSpec) -> dict[str, Any]:
    sources = list(dict.fromkeys(task.source for task in tasks if task.model == name))
    folder = sources[0].parent if len(sources) > 1 or sources[0].is_file() else sources[0]
    nothing = ("file", "architecture", "sha256", "bytes", "hub", "parameters", "bits_per_weight", "context_length")
    return {
        "label": label,
        **dict.fromkeys((*nothing, "vocabulary_size", "quantize", "note")),
        **{"name": name, "files": [], "tensor_types": {}, "serve": {}},
        "imported": {"from": spec.harness, "path": folder.name},
    }
