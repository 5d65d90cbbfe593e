"""Scenario by quantization: what was lost where, as cells in words and shades."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

from harness.metrics.kinds import Kind
from harness.reports import numbers
from harness.reports.rows import main_rows, records, task_name
from harness.results import Run

STEPS = (1, 2, 5, 10)
"""Margins at which the shade changes."""


class Cell(NamedTuple):
    """One scenario of one model."""

    words: str
    """The difference; in the metric's own unit where it is no share."""
    shade: str
    """``loss-1`` to ``loss-4``, ``gain-1`` to ``gain-4``, or ``none`` within the margin."""
    shown: bool
    """Whether the interval excludes no change."""


class HeatMap(NamedTuple):
    """All scenarios; a model that was not asked one has an empty cell there."""

    models: list[str]
    rows: list[tuple[str, str, list[Cell]]]
    """Scenario, metric (and whether less of it is better) and a cell a model."""
    legend: list[tuple[str, str]]
    """Shades and what they mean."""


def heat_map(run: Run) -> HeatMap:
    """Of every task as asked, by its main metric."""
    table = main_rows(run.findings.degradation, run.kinds)
    table = table[(table["perturbation"] == "") & (table["model"] != run.reference)]
    adapters = table.groupby("scenario")["adapter"].nunique()
    models = [model["label"] for model in run.models if model["label"] in set(table["model"])]
    rows: dict[tuple[str, str], dict[str, Cell]] = {}
    for line in records(table):
        kind = run.kinds[line["metric"]]
        less = "" if kind.higher_is_better else ", less is better"
        key = task_name(line, several=adapters[line["scenario"]] > 1), f"{line['metric']}{less}"
        rows.setdefault(key, {})[line["model"]] = _cell(line, run.margin, kind)
    empty = Cell("", "none", shown=False)
    cells = [(*key, [of.get(model, empty) for model in models]) for key, of in rows.items()]
    return HeatMap(models, cells, _legend(run.margin))


def _cell(line: dict[str, Any], margin: float, metric: Kind) -> Cell:
    delta = line["delta"]
    if math.isnan(delta):
        return Cell("", "none", shown=False)
    shown = line["ci_low"] > 0 or line["ci_high"] < 0
    better = (delta > 0) == metric.higher_is_better
    # The margin is one of shares.
    step = sum(abs(delta) >= size * margin for size in STEPS) if metric.is_share else int(shown)
    shade = f"{'gain' if better else 'loss'}-{step}" if step else "none"
    return Cell(numbers.signed(delta, metric.is_share), shade, shown)


def _legend(margin: float) -> list[tuple[str, str]]:
    points = [f"{100 * margin * step:g}" for step in STEPS]
    ranges = [*(f"{low} to {high}" for low, high in itertools.pairwise(points)), f"{points[-1]} pp or more"]
    losses, gains = ([(f"{what}-{n}", words) for n, words in enumerate(ranges, 1)] for what in ("loss", "gain"))
    losses[-1], gains[-1] = (losses[-1][0], f"lost {ranges[-1]}"), (gains[-1][0], f"won {ranges[-1]}")
    return [*reversed(losses), ("none", f"less than {points[0]}"), *gains]
