"""What two runs have not in common, in sentences: files, seeds, settings, data, versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.results import Run

SWITCHES = {
    "null": ("--null", True),
    "chat": ("--chat", True),
    "divergence": ("--no-divergence", False),
    "efficiency": ("--no-efficiency", False),
}
"""Options without a value, by their names in the specification, and what these are where they are given."""
VALUES = {
    "max_instances": "--max-instances",
    "trials": "--trials",
    "perturbations": "--perturbations",
    "divergence_text": "--divergence-text",
    "divergence_windows": "--divergence-windows",
    "concurrency": "--concurrency",
}
NO_VALUE = {"max_instances": "all", "divergence_windows": "all", "divergence_text": "the bundled one"}
"""How None reads."""


def changes(before: Run, after: Run) -> list[str]:
    """Whatever, beside the answers, differs between two runs and may be why the answers do."""
    return [*_models(before, after), *_settings(before.record, after.record), *_data(before.record, after.record)]


def _models(before: Run, after: Run) -> Iterator[str]:
    first, second = ({model["label"]: model for model in run.models} for run in (before, after))
    for label in [*first, *(label for label in second if label not in first)]:
        if label not in second:
            yield f"{label} is only in the first run."
        elif label not in first:
            yield f"{label} is only in the second run."
        elif not (first[label]["sha256"] and second[label]["sha256"]):
            yield f"Whether {label} is the same file in both runs is not known."
        elif first[label]["sha256"] != second[label]["sha256"]:
            hashes = (model[label]["sha256"][:12] for model in (first, second))
            yield f"{label} is another file (SHA-256 {' and '.join(hashes)})."
        elif first[label]["serve"] != second[label]["serve"]:
            yield f"{label} is the same file and was served with other settings."
    if before.reference != after.reference:
        yield f"The runs have other references ({before.reference} and {after.reference})."


def _settings(first: dict[str, Any], second: dict[str, Any]) -> Iterator[str]:
    if first["seed"] != second["seed"]:
        yield f"The seeds differ ({first['seed']} and {second['seed']}), so other instances and examples were drawn."
    if first["margin"] != second["margin"]:
        yield f"Another --margin ({100 * first['margin']:g} pp and {100 * second['margin']:g} pp)."
    specs = [record.get("spec", {}) for record in (first, second)]
    both = specs[0].keys() & specs[1].keys()
    for name, (option, given) in SWITCHES.items():
        if name in both and specs[0][name] != specs[1][name]:
            yield f"{option} was given in the {'first' if specs[0][name] == given else 'second'} run only."
    for name, option in VALUES.items():
        if name in both and specs[0][name] != specs[1][name]:
            yield f"Another {option} ({' and '.join(_value(name, spec[name]) for spec in specs)})."
    for name in sorted(first["versions"].keys() | second["versions"].keys()):
        versions = [record["versions"].get(name, "none") for record in (first, second)]
        if versions[0] != versions[1]:
            yield f"Another version of {name} ({' and '.join(versions)})."


def _value(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return NO_VALUE.get(name, "none") if value is None else str(value)


def _data(first: dict[str, Any], second: dict[str, Any]) -> Iterator[str]:
    data = [{task["scenario"]: task["data"] for task in record["tasks"]} for record in (first, second)]
    for scenario in data[0]:
        if scenario in data[1] and data[0][scenario] != data[1][scenario]:
            yield f"{scenario} was made from other data."
