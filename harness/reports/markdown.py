"""``report.md``: the same table for a model card or a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from harness.models.candidates import Candidate
from harness.reports import numbers
from harness.reports.rows import HEADINGS, LEGEND, rows_of


def markdown_report(degradation: pd.DataFrame, candidates: Sequence[Candidate], notes: list[str], command: str) -> str:
    """The whole page."""
    reference, *others = candidates
    lines = [
        "# What quantization cost",
        "",
        *_table(
            ("model", "file", "size", "bits per weight", "sha256"),
            (
                (
                    c.label,
                    c.facts.path.name,
                    numbers.size(c.facts.bytes),
                    f"{c.facts.bits_per_weight:.2f}",
                    c.facts.sha256[:12],
                )
                for c in candidates
            ),
        ),
    ]
    for candidate in others:
        lines += ["", f"## {candidate.label} against {reference.label}", ""]
        lines += _table(HEADINGS, rows_of(degradation, candidate.label))
    lines += ["", LEGEND, "", *(f"- {note}" for note in notes)]
    lines += ["", "Run it again with:", "", f"    {command}", ""]
    return "\n".join(lines)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A pipe table."""
    return [
        "| " + " | ".join(headings) + " |",
        "|" + " --- |" * len(headings),
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
    ]
