"""What plots have in common. A colour is the name of a property of the style sheet, so that plots follow the theme."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from harness.degradation.verdict import Verdict

Json = dict[str, Any]

GOOD, UNSURE, BAD, PLAIN = "--good", "--unsure", "--bad", "--accent"
INK, MUTED, LINE, PAPER = "--ink", "--muted", "--line", "--paper"
TONES = {
    Verdict.EQUIVALENT: "good",
    Verdict.NONINFERIOR: "good",
    Verdict.SMALL: "good",
    Verdict.INCONCLUSIVE: "unsure",
    Verdict.DEGRADED: "bad",
    Verdict.BEYOND: "bad",
}
"""Three tones in which verdicts are seen from afar; other words have none."""
SYMBOLS = {"good": "circle", "unsure": "diamond-open", "bad": "x", "": "circle-open"}
"""So that no tone is told by colour alone."""
KEYS = {"good": "● within the margin", "unsure": "◇ undecided", "bad": "✕ a loss", "": "○ none"}
"""The same symbols in a caption."""
FARTHEST = 10
"""Margins that an axis of differences goes down to."""
ROW = 26
"""Pixels a row."""


class Plot(NamedTuple):
    """One figure of the page."""

    name: str
    title: str
    caption: str
    """What is to be seen in it."""
    views: dict[str, Json]
    """By name: what plotly.js draws, ``data`` and ``layout``. Where there are several, the reader chooses."""
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    """The figures behind it, in words."""


def tone(verdict: str) -> str:
    """Of a verdict; empty where it has none."""
    return next((found for word, found in TONES.items() if word == verdict), "")


def colour(tone: str) -> str:
    """The property that holds it."""
    return f"--{tone}" if tone else PLAIN


def key(tones: Iterable[str], triangle: str = "") -> str:
    """What the marks of these tones mean, and a triangle at the edge where one is drawn."""
    seen = set(tones)
    words = [told for tone, told in KEYS.items() if tone in seen]
    beyond = f"; {triangle} lies beyond the edge, its figure beside it" if triangle else ""
    return f" Marks are verdicts: {', '.join(words)}{beyond}."


def compared(summary: pd.DataFrame) -> pd.DataFrame:
    """The models that may be chosen: neither the reference nor its second run."""
    return summary[~summary["is_reference"] & ~summary["is_null"]]


def axis(title: str, **more: Any) -> Json:
    """An axis that does not take the page's scrolling for zooming."""
    lines = {"gridcolor": LINE, "linecolor": LINE, "zerolinecolor": MUTED, "zeroline": False}
    return {"title": {"text": title}, "fixedrange": True, "automargin": True, "ticks": "outside", **lines, **more}


def view(traces: Sequence[Json], height: int, x: Json, y: Json, shapes: Sequence[Json] = (), **more: Any) -> Json:
    """One drawing."""
    layout = {
        "height": height,
        "margin": {"l": 10, "r": 16, "t": 12, "b": 48},
        "xaxis": x,
        "yaxis": y,
        "shapes": list(shapes),
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
        **more,
    }
    return {"data": list(traces), "layout": layout}


def row_axis(names: Sequence[str], places: Sequence[int] = (), **more: Any) -> Json:
    """A vertical axis with a line of text a row, the first on top; one below the other, or at these places."""
    places = list(places or range(len(names)))
    limits = [max(places) + 0.6, -0.6]
    return axis("", tickvals=places, ticktext=list(names), range=limits, showgrid=False, **more) | {"ticks": ""}


def logarithmic(title: str, **more: Any) -> Json:
    """An axis of decades."""
    return axis(title, type="log", dtick=1, tickformat="~g", tickangle=0, **more)


class Clipped(NamedTuple):
    """Differences in points, those far outside set at the edge, so that the others can be told apart."""

    values: list[float]
    is_outside: list[bool]
    edge: float | None
    """The least that is drawn; None where everything is."""


def clipped(points: Sequence[float], margin: float) -> Clipped:
    """Losses of more than :data:`FARTHEST` margins are drawn at that, if something smaller is there to be seen."""
    edge = -100 * FARTHEST * margin
    outside = [value < edge for value in points]
    if all(outside) or not any(outside):
        return Clipped(list(points), [False] * len(points), None)
    return Clipped([max(value, edge) for value in points], outside, edge)


def upright(x: float, colour: str, dash: str = "solid") -> Json:
    """A vertical line through the whole plot."""
    line = {"color": colour, "width": 1, "dash": dash}
    return {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": line, "layer": "below"}


def level(y: float, colour: str, dash: str = "solid") -> Json:
    """A horizontal line through the whole plot."""
    line = {"color": colour, "width": 1, "dash": dash}
    return {"type": "line", "y0": y, "y1": y, "xref": "paper", "x0": 0, "x1": 1, "line": line, "layer": "below"}


def band(low: float, high: float) -> Json:
    """A horizontal band through the whole plot: what the reference differs from itself."""
    where = {"xref": "paper", "x0": 0, "x1": 1, "y0": low, "y1": high}
    return {"type": "rect", **where, "fillcolor": "--noise", "line": {"width": 0}, "layer": "below"}


def spread(low: Sequence[float], middle: Sequence[float], high: Sequence[float]) -> Json:
    """Error bars from limits."""
    up, down = (
        [max(0.0, a - b) if a == a and b == b else 0.0 for a, b in pairs]
        for pairs in (zip(high, middle, strict=True), zip(middle, low, strict=True))
    )
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1.5, "width": 4}
