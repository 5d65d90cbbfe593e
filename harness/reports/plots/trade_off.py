"""What was lost against what was saved: divergence and accuracy by the size of the file."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from harness.reports import numbers
from harness.reports.plots.base import (
    MUTED,
    SYMBOLS,
    Clipped,
    Json,
    Plot,
    axis,
    band,
    clipped,
    colour,
    compared,
    key,
    level,
    logarithmic,
    spread,
    tone,
    view,
)
from harness.reports.rows import records
from harness.results import Run

HEIGHT = 380
MOST_LABELS = 14
"""Of more models, only those on the line have their names in the plot; all have them in the table below."""


def divergence_by_size(run: Run) -> Plot | None:
    """Mean KLD on a logarithmic axis, the files that none beats in both on a line; None without any of known size."""
    found = compared(run.summary)
    found = found[found["bytes"].notna() & (found["kld_mean"] > 0) & np.isfinite(found["kld_mean"])]
    found = found.sort_values("bytes", kind="stable")
    if found.empty:
        return None
    best = pareto(found["bytes"].to_list(), found["kld_mean"].to_list())
    front = found[best]
    unit, scale = _unit(found["bytes"].max())
    line = {
        "x": (front["bytes"] / scale).to_list(),
        "y": front["kld_mean"].to_list(),
        "mode": "lines",
        "line": {"color": MUTED, "width": 1, "dash": "dot", "shape": "hv"},
        "hoverinfo": "skip",
    }
    shapes, floor = _noise(run)
    points = _points(found, scale, "kld_mean", ("kld_low", "kld_high"), best)
    ranges = [_range(*limits) for limits in found[["kld_mean", "kld_low", "kld_high"]].itertuples(index=False)]
    sizes = [numbers.size(size) for size in found["bytes"]]
    rows = list(zip(found["model"], sizes, ranges, ["yes" if on else "no" for on in best], strict=True))
    return Plot(
        "kld-by-size",
        "Size against divergence",
        f"Lower left is better: a smaller file whose next tokens are closer to {run.reference}'s. No file on the "
        f"dotted line is beaten in both. {floor}{key(map(tone, found['verdict']))}",
        {"": view([line, points], HEIGHT, _size_axis(unit), logarithmic("mean KLD, nats (log)"), shapes)},
        ("model", "size", "mean KLD, nats (95% interval)", "on the line"),
        rows,
    )


def accuracy_by_size(run: Run) -> Plot | None:
    """What share of right answers was lost, with its interval; None without right-or-wrong questions or sizes."""
    found = compared(run.summary).dropna(subset=["delta", "bytes"]).sort_values("bytes", kind="stable")
    if found.empty:
        return None
    found = found.assign(**{name: 100 * found[name] for name in ("delta", "ci_low", "ci_high")})
    unit, scale = _unit(found["bytes"].max())
    shapes = [level(0, MUTED), level(-100 * run.margin, "--bad", "dash")]
    null = run.summary[run.summary["is_null"]].dropna(subset=["ci_low", "ci_high"])
    noise = ""
    if len(null):
        low, high = (100 * float(null[name].iloc[0]) for name in ("ci_low", "ci_high"))
        shapes.append(band(low, high))
        noise = f" The band is the interval of {run.reference} against itself ({low:+.1f} .. {high:+.1f})."
    points = _points(found, scale, "delta", ("ci_low", "ci_high"), [True] * len(found))
    shown = clipped(found["delta"].to_list(), run.margin)
    y = axis("difference in accuracy, pp")
    if shown.edge is not None:
        y |= {"range": [1.15 * shown.edge, _top(found["ci_high"], run.margin)]}
        points = _at_the_edge(points, shown)
    rows = [
        (
            r["model"],
            numbers.size(r["bytes"]),
            numbers.difference(r["delta"] / 100, r["ci_low"] / 100, r["ci_high"] / 100, is_share=True),
            r["verdict"],
        )
        for r in records(found)
    ]
    return Plot(
        "accuracy-by-size",
        "Size against accuracy",
        f"Points of accuracy lost or won against {run.reference}, with 95% intervals. Below the dashed line is more "
        f"than the margin of {100 * run.margin:g} pp; an interval across it leaves the question open."
        f"{noise}{key(map(tone, found['verdict']), '' if shown.edge is None else '▼')}",
        {"": view([points], HEIGHT, _size_axis(unit), y, shapes)},
        ("model", "size", "difference (95% interval)", "verdict"),
        rows,
    )


def pareto(sizes: list[int], losses: list[float]) -> list[bool]:
    """Whether no other is at most as large and loses at most as much, and is better in one of the two."""
    pairs = list(zip(sizes, losses, strict=True))
    return [not any(a <= x and b <= y and (a, b) != (x, y) for a, b in pairs) for x, y in pairs]


def _points(found: pd.DataFrame, scale: float, what: str, limits: tuple[str, str], named: list[bool]) -> Json:
    """A point a model with its interval and its name."""
    tones = [tone(word) for word in found["verdict"]]
    few = len(found) <= MOST_LABELS
    x = (found["bytes"] / scale).to_list()
    middle = found[what].to_list()
    low, high = (found[limit].to_list() for limit in limits)
    return {
        "x": x,
        "y": middle,
        "error_y": spread(low, middle, high) | {"color": MUTED},
        "mode": "markers+text",
        "text": [f"  {name}  " if few or on else "" for name, on in zip(found["model"], named, strict=True)],
        # The dotted line comes from above and leaves to the right.
        "textposition": ["middle left" if value > 0.3 * max(x) else "bottom right" for value in x],
        "customdata": [f"{name}: {value:.4g}" for name, value in zip(found["model"], middle, strict=True)],
        "hovertemplate": "%{customdata}<extra></extra>",
        "cliponaxis": False,
        "marker": {"color": [colour(one) for one in tones], "symbol": [SYMBOLS[one] for one in tones], "size": 11},
    }


def _at_the_edge(points: Json, shown: Clipped) -> Json:
    """What is outside as an arrow at the edge, its figure beside its name; of its interval what lies within."""
    symbols = points["marker"]["symbol"]
    ups, downs = points["error_y"]["array"], points["error_y"]["arrayminus"]
    risen = [max(0.0, y + up - at) for y, up, at in zip(points["y"], ups, shown.values, strict=True)]
    bars = {
        "array": risen,
        "arrayminus": [0.0 if out else down for down, out in zip(downs, shown.is_outside, strict=True)],
    }
    texts = [
        f"{text.rstrip()} {value:+.1f}  " if out else text
        for text, value, out in zip(points["text"], points["y"], shown.is_outside, strict=True)
    ]
    arrows = ["triangle-down" if out else symbol for symbol, out in zip(symbols, shown.is_outside, strict=True)]
    return points | {
        "y": shown.values,
        "text": texts,
        "error_y": points["error_y"] | bars,
        "marker": points["marker"] | {"symbol": arrows},
    }


def _top(high: pd.Series, margin: float) -> float:
    """Above every interval, with some room."""
    return 1.1 * max(float(high.max()), 100 * margin)


def _noise(run: Run) -> tuple[list[Json], str]:
    """What stands for the reference against itself, and what is to be said of it."""
    null = run.summary[run.summary["is_null"]]
    if null.empty or math.isnan(null["kld_mean"].iloc[0]):
        return [], "The reference was not run a second time (--null), so its own noise is not known."
    mean, low, high = (float(null[name].iloc[0]) for name in ("kld_mean", "kld_low", "kld_high"))
    if not 0 < mean < math.inf:
        return [], "The reference's second run did not diverge at all."
    shapes = [level(mean, MUTED, "dash")]
    shapes += [band(low, high)] if 0 < low < high < math.inf else []
    return shapes, f"The dashed line is the reference against itself ({numbers.divergence(mean)}): noise."


def _unit(largest: float) -> tuple[str, float]:
    return ("GB", 1e9) if largest >= 1e9 else ("MB", 1e6)


def _size_axis(unit: str) -> Json:
    return axis(f"size of the file, {unit}", rangemode="tozero")


def _range(value: float, low: float, high: float) -> str:
    if math.isnan(low):
        return numbers.divergence(value)
    return f"{numbers.divergence(value)} ({numbers.divergence(low)} .. {numbers.divergence(high)})"
