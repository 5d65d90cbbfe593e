"""How divergence is spread over tokens, and what became of perplexity."""

from __future__ import annotations

import math

import numpy as np

from harness.reports import numbers
from harness.reports.plots.base import MUTED, PLAIN, ROW, Plot, axis, logarithmic, row_axis, spread, upright, view
from harness.results import Run

LABELLED = ("median", "maximum")
QUANTILES = {"median": 0.5, "90%": 0.9, "99%": 0.99, "99.9%": 0.999, "maximum": 1.0}
FLOOR = 1e-9
"""Nats below which nothing is drawn, on an axis that has no zero: float16 stores no less."""


def divergence_spread(run: Run) -> Plot | None:
    """Percentiles of KLD over all tokens, on a logarithmic axis; None without tokens."""
    tokens = run.measured.tokens
    if tokens.empty:
        return None
    found: dict[str, list[float]] = {}
    for model in tokens["model"].unique():
        kld = tokens.loc[tokens["model"] == model, "kld"].to_numpy(np.float64)
        kld = kld[np.isfinite(kld)]
        if len(kld):
            found[str(model)] = [*(float(value) for value in np.quantile(kld, list(QUANTILES.values()))), kld.mean()]
    if not found:
        return None
    models = list(found)
    columns = np.maximum(np.array(list(found.values())), FLOOR).T
    places = list(range(len(models)))
    traces = [
        {
            "x": [value for model in zip(columns[0], columns[-2], strict=True) for value in (*model, None)],
            "y": [place for place in places for _ in range(3)],
            "mode": "lines",
            "line": {"color": MUTED, "width": 2},
            "hoverinfo": "skip",
        }
    ]
    names = [*QUANTILES, "mean"]
    symbols = ["circle", *["line-ns"] * 4, "diamond-open"]
    for name, symbol, values in zip(names, symbols, columns, strict=True):
        traces.append(
            {
                "x": values.tolist(),
                "y": places,
                "mode": "markers+text" if name in LABELLED else "markers",
                "text": [name if place == 0 else "" for place in places],
                "textposition": "top center",
                "cliponaxis": False,
                "marker": {"color": PLAIN, "symbol": symbol, "size": 10, "line": {"width": 2, "color": PLAIN}},
                "customdata": [f"{model}: {name} {numbers.divergence(v)}" for model, v in _pairs(models, values)],
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        )
    tokens_each = len(tokens) // max(1, tokens["model"].nunique())
    return Plot(
        "kld-spread",
        "Spread of divergence over tokens",
        f"Each line goes from the median token to the worst of {numbers.count(tokens_each)}, with ticks at 90%, 99% "
        "and 99.9%; the diamond is the mean. Most tokens hardly change; the right end is what a reader may notice.",
        {"": view(traces, 110 + ROW * len(models), logarithmic("KLD, nats (log)"), row_axis(models))},
        ("model", *QUANTILES, "mean"),
        [(model, *(numbers.divergence(value) for value in values)) for model, values in found.items()],
    )


def perplexity(run: Run) -> Plot | None:
    """Perplexity over the reference's, with its interval; None where it is not known."""
    table = run.findings.degradation
    rows = table[table["metric"] == "ppl_ratio"].dropna(subset=["value"])
    rows = rows[rows["value"] < math.inf]
    if rows.empty:
        return None
    models, middle = rows["model"].to_list(), rows["value"].to_list()
    low, high = ((rows["reference_value"] + rows[name]).to_list() for name in ("ci_low", "ci_high"))
    trace = {
        "x": middle,
        "y": list(range(len(models))),
        "error_x": spread(low, middle, high) | {"color": MUTED},
        "mode": "markers",
        "marker": {"color": PLAIN, "size": 9},
        "customdata": [f"{model}: {value:.4f}" for model, value in zip(models, middle, strict=True)],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    words = [
        (model, f"{value:.4f}", "no interval" if math.isnan(a) else f"{a:.4f} .. {b:.4f}")
        for model, value, a, b in zip(models, middle, low, high, strict=True)
    ]
    return Plot(
        "perplexity",
        "Perplexity ratio",
        f"Perplexity on the same text over {run.reference}'s, with 95% intervals: 1 is no change, 1.05 is 5% more.",
        {"": view([trace], 70 + ROW * len(models), axis("ratio", nticks=6), row_axis(models), [upright(1, MUTED)])},
        ("model", "ratio", "95% interval"),
        words,
    )


def _pairs(models: list[str], values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[tuple[str, float]]:
    return list(zip(models, map(float, values), strict=True))
