"""``report.md``: the findings for a model card or a pull request."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from harness.reports import numbers
from harness.reports.overview import columns, headings, legend, overview
from harness.reports.recommendation import recommend
from harness.reports.rows import HEADINGS, rows_of
from harness.results import Run


def markdown_report(run: Run) -> str:
    """The whole page."""
    found = recommend(run)
    lines = ["# What quantization cost", "", f"**{found.headline}** {' '.join(found.reasons)}", ""]
    shown = columns(run)
    lines += _table(headings(run).cells(shown), [line.cells(shown) for line in overview(run)])
    for model in run.models:
        rows = list(rows_of(run.findings.degradation, model["label"], run.margin, run.kinds))
        if model["label"] != run.reference and rows:
            lines += ["", f"## {model['label']} against {run.reference}", "", *_table(HEADINGS, rows)]
    lines += ["", "## How to read this", "", *(f"- {line}" for line in legend(run))]
    if run.notes:
        lines += ["", "## Notes", "", *(f"- {note}" for note in run.notes)]
    lines += ["", "## What was run", "", *_table(("model", "file", "size", "bits per weight", "sha256"), files(run))]
    lines += ["", versions(run), "", "Run it again with:", "", f"    {run.record['command']}", ""]
    return "\n".join(lines)


def versions(run: Run) -> str:
    """``Started ... with quant-harness 0.1.0, ... on Linux x86_64, 2 cores.``"""
    packages = ", ".join(f"{name} {version}" for name, version in run.record["versions"].items())
    machine: dict[str, Any] = run.record["machine"]
    where = f"{machine['system']} {machine['machine']}, {machine['cores']} cores"
    return f"Started {run.record['started']}, on {where}, with {packages}."


def files(run: Run) -> list[tuple[str, ...]]:
    """A row a model: its label, its file or where it came from, its size, bits per weight and SHA-256."""
    return [
        (
            *(model["label"], _origin(model), numbers.size(_known(model["bytes"]))),
            *(numbers.bits(_known(model["bits_per_weight"]), 2), model["sha256"] or numbers.UNKNOWN),
        )
        for model in run.models
    ]


def _origin(model: dict[str, Any]) -> str:
    """The name of a file, the URL of an endpoint, or the folder of another harness' results."""
    if model["file"]:
        return str(model["file"])
    endpoint, imported = model.get("endpoint"), model.get("imported")
    if endpoint:
        return f"{endpoint['model']} at {endpoint['url']}" if endpoint.get("model") else str(endpoint["url"])
    return f"{imported['path']} ({imported['from']})" if imported else numbers.UNKNOWN


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A pipe table."""
    return [
        "| " + " | ".join(headings) + " |",
        "|" + " --- |" * len(headings),
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
    ]
