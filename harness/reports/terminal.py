"""The degradation table in a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from harness.models.candidates import Candidate
from harness.reports import numbers
from harness.reports.rows import HEADINGS, LEGEND, rows_of


def print_table(console: Console, degradation: pd.DataFrame, candidates: Sequence[Candidate], notes: list[str]) -> None:
    """One block for each model that is compared with the reference."""
    reference, *others = candidates
    for candidate in others:
        console.print(f"\n{describe(candidate)}, against {describe(reference)}", style="bold", highlight=False)
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
        for heading in HEADINGS[:-1]:  # p-values are in the files; the intervals say more, in less room
            # Where it gets tight, the name of a scenario goes on in the next line; no figure is ever cut.
            name = heading == "scenario"
            table.add_column(
                heading, justify="left" if name or not heading else "right", no_wrap=not name, overflow="fold"
            )
        for row in rows_of(degradation, candidate.label):
            style = {"↓": "red", "↑": "green"}.get(row.arrow)
            table.add_row(*row[:-1], style=style)
        console.print(table)
    console.print()
    for note in [LEGEND, *notes]:
        console.print(note, style="dim", highlight=False)


def describe(candidate: Candidate) -> str:
    """``q4_k_m (3.3 MB, 4.8 bits a weight)``."""
    facts = candidate.facts
    return f"{candidate.label} ({numbers.size(facts.bytes)}, {facts.bits_per_weight:.1f} bits a weight)"
