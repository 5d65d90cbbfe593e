"""The findings in a terminal of 80 columns."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from harness.degradation.pooled import ALL
from harness.reports import numbers
from harness.reports.overview import columns, headings, legend, overview
from harness.reports.recommendation import recommend
from harness.reports.rows import HEADINGS, Row, main_rows, rows_of
from harness.results import Run

COLOURS = {"↓": "red", "↑": "green"}
MOST_ROWS = 16
"""Of a model with more, only those are shown in which something is seen."""
SHOWN = ("scenario", "metric", "value", "delta", "arrow", "flips")


def print_table(console: Console, run: Run) -> None:
    """A line a model, then a block for each that is compared with the reference."""
    _print_overview(console, run)
    for model in run.models:
        if model["label"] == run.null:
            _print_noise(console, run)
        elif model["label"] != run.reference:
            _print_rows(console, model["label"], run)
    flips = ", flips in report.html" if run.measured.instances["correct"].notna().any() else ""
    console.print(f"\nFurther metrics, n and p-values are in degradation.csv{flips}.\n", highlight=False)
    for note in [*legend(run), *run.notes]:
        console.print(note, style="dim", highlight=False)


def _print_overview(console: Console, run: Run) -> None:
    shown = columns(run)
    table = _overview(run, shown)
    wide = console.options.update(max_width=10 * console.width)
    apart = "verdict" in shown and Measurement.get(console, wide, table).maximum > console.width
    if apart:  # verdicts in lines of their own: no figure is ever cut
        table = _overview(run, shown[:-1])
    console.print()
    console.print(table)
    if apart:
        console.print(f"\n{headings(run).verdict}", style="bold", highlight=False)
        for line in overview(run)[1:]:
            console.print(f"{line.model}: {line.verdict or 'none'}", highlight=False)
    found = recommend(run)
    console.print(f"\n{found.headline}", style="bold", highlight=False)
    for reason in found.reasons:
        console.print(reason, highlight=False)


def _overview(run: Run, shown: list[str]) -> Table:
    table = _table(headings(run).cells(shown))
    for line in overview(run):
        table.add_row(*line.cells(shown), style=COLOURS.get(line.arrow))
    return table


def _print_noise(console: Console, run: Run) -> None:
    """Of the null run one line: its answers are the reference's but for a few, so its rows say next to nothing."""
    table = main_rows(run.findings.degradation, run.kinds)
    own = table[(table["model"] == run.null) & (table["perturbation"] == "") & table["flip_rate"].notna()]
    own = own[own["scenario"] != ALL]  # questions that are there already
    if own.empty:
        return
    flips, asked = int((own["flips_to_wrong"] + own["flips_to_right"]).sum()), int(own["n"].sum())
    told = f"{numbers.count(flips)} of {numbers.count(asked)} answers flipped; its rows are in degradation.csv."
    console.print(f"\n{run.null}: {told}", highlight=False)


def _print_rows(console: Console, label: str, run: Run) -> None:
    rows = list(rows_of(run.findings.degradation, label, run.margin, run.kinds))
    shown = rows if len(rows) <= MOST_ROWS else [row for row in rows if row.arrow in COLOURS]
    if not rows:
        return
    console.print(f"\n{label} against {run.reference}", style="bold", highlight=False)
    if shown:
        table = _table([heading for heading, name in zip(HEADINGS, Row._fields, strict=True) if name in SHOWN])
        for row in shown:
            table.add_row(*(getattr(row, name) for name in SHOWN), style=COLOURS.get(row.arrow))
        console.print(table)
    if len(shown) < len(rows):
        console.print(f"In {len(rows) - len(shown)} of {len(rows)} rows no change is shown.", highlight=False)


def _table(names: list[str]) -> Table:
    """Where it gets tight, the names of models, scenarios and metrics go on in the next line."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for name in names:
        words = name in ("model", "scenario", "metric") or name.startswith("verdict")
        table.add_column(
            name, justify="left" if words or not name else "right", no_wrap=not words, overflow="fold", min_width=0
        )
    return table
