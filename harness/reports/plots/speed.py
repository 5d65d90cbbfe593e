"""How fast each model reads and writes."""

from __future__ import annotations

from harness.efficiency.samples import Quantity
from harness.reports import numbers
from harness.reports.plots.base import MUTED, PLAIN, ROW, Plot, axis, row_axis, spread, view
from harness.results import Run

TITLES = {
    Quantity.DECODE: ("decode", "Speed of writing", "Tokens generated a second, one answer at a time"),
    Quantity.PREFILL: ("prefill", "Speed of reading", "Tokens of a prompt read a second"),
}


def speed(run: Run, quantity: Quantity) -> Plot | None:
    """Median and quartiles of the rounds, the reference first; None where it was not timed."""
    samples = run.measured.efficiency
    if samples.empty:
        return None
    samples = samples[(samples["quantity"] == quantity) & samples["value"].notna()]
    labels = [model["label"] for model in run.models if (samples["model"] == model["label"]).any()]
    if not labels:
        return None
    rounds = {label: samples.loc[samples["model"] == label].groupby("round")["value"].median() for label in labels}
    low, middle, high = ([float(rounds[label].quantile(share)) for label in labels] for share in (0.25, 0.5, 0.75))
    name, title, what = TITLES[quantity]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": middle,
        "y": list(range(len(labels))),
        "width": 0.6,
        "marker": {"color": [MUTED if label == run.reference else PLAIN for label in labels], "opacity": 0.85},
        "error_x": spread(low, middle, high) | {"color": "--ink"},
        "hovertemplate": "%{x:.4g} tokens a second<extra></extra>",
    }
    words = [
        (label, *(numbers.speed(value) for value in (m, a, b)), str(len(rounds[label])))
        for label, m, a, b in zip(labels, middle, low, high, strict=True)
    ]
    return Plot(
        name,
        title,
        f"{what}: median of the rounds, and its quartiles. Longer is faster.",
        {"": view([trace], 70 + ROW * len(labels), axis("tokens a second", rangemode="tozero"), row_axis(labels))},
        ("model", "median", "lower quartile", "upper quartile", "rounds"),
        words,
    )
