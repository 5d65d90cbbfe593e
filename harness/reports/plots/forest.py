"""Differences by scenario with their intervals: one model at a time, or all side by side where there is room."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from harness.degradation.pooled import ALL
from harness.reports import numbers
from harness.reports.plots.base import (
    BAD,
    MUTED,
    PAPER,
    ROW,
    SYMBOLS,
    Json,
    Plot,
    axis,
    clipped,
    colour,
    key,
    row_axis,
    spread,
    tone,
    upright,
    view,
)
from harness.reports.rows import main_rows, records, task_name, verdict
from harness.results import Run

MOST_ROWS = 48
"""Intervals in one drawing."""
EVERY = "all models"
TOGETHER = "all together"
"""The row of all right-or-wrong questions."""


def forest(run: Run) -> Plot | None:
    """Every right-or-wrong scenario of every model; None without any."""
    lines = differences(run)
    if not lines:
        return None
    models = list(dict.fromkeys(line["model"] for line in lines))
    is_cut = any(clipped([100 * line["delta"] for line in lines], run.margin).is_outside)
    views = {EVERY: _drawing(lines, run, named=True)} if len(models) > 1 and len(lines) <= MOST_ROWS else {}
    views |= {model: _drawing([line for line in lines if line["model"] == model], run) for model in models}
    return Plot(
        "forest",
        "Paired differences by scenario",
        f"Each line is the 95% interval of what a scenario lost (left) or won (right) against {run.reference} on the "
        "same questions. Where it crosses zero, no change is shown; left of the dashed line is more than the margin."
        f"{key((tone(line['verdict']) for line in lines), '◀' if is_cut else '')}",
        views,
        ("model", "scenario", "n", "difference (95% interval)", "verdict"),
        [(one["model"], one["task"], str(one["n"]), one["words"], one["told"]) for one in lines],
    )


def differences(run: Run) -> list[dict[str, Any]]:
    """A line a compared model and scenario whose metric is a share, as asked: that of all together first."""
    table = run.findings.degradation
    rows = main_rows(table, run.kinds)
    shares = [name for name, metric in run.kinds.items() if metric.is_share]
    rows = rows[rows["metric"].isin(shares) & (rows["perturbation"] == "")]
    adapters = rows.groupby("scenario")["adapter"].nunique()
    pooled = table[table["scenario"] == ALL]
    found: list[dict[str, Any]] = []
    for line in records(pd.concat([pooled, rows]).dropna(subset=["delta"])):
        several = adapters.get(line["scenario"], 1) > 1
        better = line["scenario"] == ALL or run.kinds[line["metric"]].higher_is_better
        limits = line["delta"], line["ci_low"], line["ci_high"]
        found.append(
            line
            | {
                "task": TOGETHER if line["scenario"] == ALL else task_name(line, several=several),
                "better": better,
                "words": numbers.difference(*limits, is_share=True),
                "told": verdict(line, run.margin, run.kinds),
            }
        )
    order = {model["label"]: place for place, model in enumerate(run.models)}
    return sorted(found, key=lambda line: order[line["model"]])  # pooled rows stay first


def _drawing(lines: list[dict[str, Any]], run: Run, *, named: bool = False) -> Json:
    names, places, heads = [line["task"] for line in lines], list(range(len(lines))), []
    if named:  # by scenario, so that the models stand side by side, below a row with its name
        tasks = {task: number for number, task in enumerate(dict.fromkeys(names))}
        lines = sorted(lines, key=lambda line: tasks[line["task"]])
        names = [line["model"] for line in lines]
        places = [row + tasks[line["task"]] + 1 for row, line in enumerate(lines)]
        heads = [
            _head(line["task"], place - 1) for line, place in zip(lines, places, strict=True) if place - 1 not in places
        ]
    middle, low, high = ([100 * line[name] for line in lines] for name in ("delta", "ci_low", "ci_high"))
    tones = [tone(line["verdict"]) for line in lines]
    shown = clipped(middle, run.margin)
    outside = shown.is_outside
    symbols = ["triangle-left" if out else SYMBOLS[one] for one, out in zip(tones, outside, strict=True)]
    limits = {} if shown.edge is None else {"range": [1.08 * shown.edge, 1.1 * max(*high, 100 * run.margin)]}
    bars = spread(*_within(low, shown.values, high, outside))
    trace = {
        "x": shown.values,
        "y": places,
        "error_x": bars | {"color": MUTED},
        "mode": "markers+text",
        "text": [f"  {value:+.1f}" if out else "" for value, out in zip(middle, outside, strict=True)],
        # Where an arm of the interval reaches into the plot, the figure stands above it.
        "textposition": ["top right" if up else "middle right" for up in bars["array"]],
        "marker": {"color": [colour(one) for one in tones], "symbol": symbols, "size": 9},
        "customdata": [f"{line['model']}, {line['task']}: {line['words']}" for line in lines],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    shapes = [upright(0, MUTED), upright(-100 * run.margin, BAD, "dash")]
    height = 70 + ROW * (len(lines) + len(heads))
    return view(
        [trace],
        height,
        axis("difference, pp", nticks=6, tickangle=0, **limits),
        row_axis(names, places),
        shapes,
        annotations=heads,
    )


def _head(task: str, place: int) -> Json:
    """The name of a scenario in a row of its own, so that it takes no room from the rows below."""
    where = {"xref": "paper", "x": 0, "xanchor": "left", "y": place, "yanchor": "middle"}
    return {**where, "text": f"<b>{task}</b>", "showarrow": False, "bgcolor": PAPER}


def _within(
    low: list[float], middle: list[float], high: list[float], is_outside: list[bool]
) -> tuple[list[float], list[float], list[float]]:
    """The limits; of what stands at the edge only the upper one, which may lie within the plot."""
    return [math.nan if out else limit for limit, out in zip(low, is_outside, strict=True)], middle, high
