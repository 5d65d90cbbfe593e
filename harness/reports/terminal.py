"""The degradation table in a terminal of 80 columns."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from harness.reports import numbers
from harness.reports.rows import HEADINGS, LEGEND, rows_of
from harness.results import Run


def print_table(console: Console, run: Run) -> None:
    """One block for each model that is compared with the reference."""
    reference, *others = run.models
    for model in others:
        console.print(f"\n{describe(model)}, against {describe(reference)}", style="bold", highlight=False)
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
        for heading in HEADINGS[:-1]:  # p-values are in the files; the intervals say more, in less room
            # Where it gets tight, the name of a scenario goes on in the next line; no figure is ever cut.
            name = heading == "scenario"
            table.add_column(
                heading, justify="left" if name or not heading else "right", no_wrap=not name, overflow="fold"
            )
        for row in rows_of(run.findings.degradation, model["label"]):
            style = {"↓": "red", "↑": "green"}.get(row.arrow)
            table.add_row(*row[:-1], style=style)
        console.print(table)
    console.print()
    for note in [LEGEND, *run.notes]:
        console.print(note, style="dim", highlight=False)


def describe(model: dict[str, Any]) -> str:
    """``q4_k_m (3.3 MB, 4.8 bits a weight)``."""
    return f"{model['label']} ({numbers.size(model['bytes'])}, {model['bits_per_weight']:.1f} bits a weight)"
