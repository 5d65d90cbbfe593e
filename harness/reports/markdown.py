"""``report.md``: the same table for a model card or a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.reports import numbers
from harness.reports.rows import HEADINGS, LEGEND, rows_of
from harness.results import Run


def markdown_report(run: Run) -> str:
    """The whole page."""
    lines = [
        "# What quantization cost",
        "",
        *_table(
            ("model", "file", "size", "bits per weight", "sha256"),
            (
                (m["label"], m["file"], numbers.size(m["bytes"]), f"{m['bits_per_weight']:.2f}", m["sha256"][:12])
                for m in run.models
            ),
        ),
    ]
    for model in run.models[1:]:
        lines += ["", f"## {model['label']} against {run.reference}", ""]
        lines += _table(HEADINGS, rows_of(run.findings.degradation, model["label"]))
    lines += ["", LEGEND, "", *(f"- {note}" for note in run.notes)]
    lines += ["", "Run it again with:", "", f"    {run.record['command']}", ""]
    return "\n".join(lines)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A pipe table."""
    return [
        "| " + " | ".join(headings) + " |",
        "|" + " --- |" * len(headings),
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
    ]
