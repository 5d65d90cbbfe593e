"""Figures as people read them. Pure functions; ``None`` and NaN become an empty string.

Values are shown with three decimals. Differences of shares are percentage points with one decimal, those of other
metrics have four decimals; a difference always carries its sign.
"""

from __future__ import annotations

import math

MISSING = ""


def size(n_bytes: int) -> str:
    """``7.9 MB``: powers of 1,000, as download pages count."""
    value = float(n_bytes)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def figure(value: float) -> str:
    """One value of a metric."""
    return MISSING if math.isnan(value) else f"{value:.3f}"


def difference(delta: float, low: float, high: float, *, is_share: bool) -> str:
    """``-0.6 pp (-1.2 .. +0.1)``: a difference and its interval."""
    if math.isnan(delta):
        return MISSING
    scale, decimals, unit = (100, 1, " pp") if is_share else (1, 4, "")

    def signed(value: float) -> str:
        # Adding 0.0 turns the -0.0 that rounding leaves behind into 0.0.
        return f"{round(scale * value, decimals) + 0.0:+.{decimals}f}"

    interval = "no interval" if math.isnan(low) else f"{signed(low)} .. {signed(high)}"
    return f"{signed(delta)}{unit} ({interval})"


def arrow(low: float, high: float, *, higher_is_better: bool) -> str:
    """``↓`` where the interval says worse, ``↑`` where it says better, nothing where it includes no change."""
    if math.isnan(low) or low <= 0 <= high:
        return MISSING
    return "↑" if (low > 0) == higher_is_better else "↓"


def p_value(value: float) -> str:
    """Three decimals, and never a zero."""
    return MISSING if math.isnan(value) else "<0.001" if value < 0.0005 else f"{value:.3f}"
