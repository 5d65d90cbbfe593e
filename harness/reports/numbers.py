"""Figures as people read them. Pure functions; NaN becomes an empty string, and a dash in what is known of a file.

Values are shown with three decimals. Differences of shares are percentage points with one decimal, those of other
metrics have four decimals; a difference always carries its sign.
"""

from __future__ import annotations

import math

MISSING = ""
UNKNOWN = "–"
"""Of a model that is no file of ours: its size, its hash."""


def size(n_bytes: float) -> str:
    """``7.9 MB``: powers of 1,000, as download pages count."""
    if math.isnan(n_bytes):
        return UNKNOWN
    value = float(n_bytes)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def bits(per_weight: float, decimals: int = 1) -> str:
    """``4.5``: bits a weight."""
    return UNKNOWN if math.isnan(per_weight) else f"{per_weight:.{decimals}f}"


def figure(value: float) -> str:
    """One value of a metric."""
    return MISSING if math.isnan(value) else f"{value:.3f}"


def share(value: float) -> str:
    """``2.1%``; what is not zero is never shown as zero."""
    if math.isnan(value):
        return MISSING
    return "<0.1%" if 0 < value < 0.0005 else f"{100 * value:.1f}%"


def divergence(nats: float) -> str:
    """Two digits that count, and at most four decimals: ``0.61``, ``0.021``, ``<0.0001``."""
    if not math.isfinite(nats):
        return MISSING if math.isnan(nats) else "infinite"
    if abs(nats) < 0.00005:
        return "0" if nats == 0 else "<0.0001"
    decimals = min(4, max(0, 1 - math.floor(math.log10(abs(nats)))))
    return f"{nats:.{decimals}f}"


def speed(per_second: float) -> str:
    """Whole tokens a second, with a decimal below ten."""
    return MISSING if math.isnan(per_second) else f"{per_second:.{0 if per_second >= 9.95 else 1}f}"


def times(ratio: float) -> str:
    """``3.2``: how many times as large."""
    return f"{ratio:.1f}" if ratio < 99.95 else f"{ratio:.0f}"


def count(value: int) -> str:
    """``3,092``."""
    return f"{value:,}"


def difference(delta: float, low: float, high: float, *, is_share: bool) -> str:
    """``-0.6 pp (-1.2 .. +0.1)``: a difference and its interval."""
    if math.isnan(delta):
        return MISSING
    interval = "no interval" if math.isnan(low) else f"{signed(low, is_share)} .. {signed(high, is_share)}"
    return f"{signed(delta, is_share)}{' pp' if is_share else ''} ({interval})"


def ratio(value: float, low: float, high: float) -> str:
    """``1.0123 (1.0100 .. 1.0147)``: a ratio and its interval."""
    if math.isnan(value):
        return MISSING
    shown = [f"{one:.4f}" if one < 1000 else f"{one:.4g}" for one in (value, low, high)]
    return f"{shown[0]} ({'no interval' if math.isnan(low) else f'{shown[1]} .. {shown[2]}'})"


def signed(value: float, is_share: bool) -> str:
    """A difference without its unit: percentage points, or four decimals."""
    scale, decimals = (100, 1) if is_share else (1, 4)
    # Adding 0.0 turns the -0.0 that rounding leaves behind into 0.0.
    return f"{round(scale * value, decimals) + 0.0:+.{decimals}f}"


def arrow(delta: float, low: float, high: float, *, higher_is_better: bool, is_share: bool) -> str:
    """``↓`` for worse and ``↑`` for better; in brackets where the interval includes no change, or there is none.

    Nothing beside a difference that is shown as zero.
    """
    if math.isnan(delta) or float(signed(delta, is_share)) == 0:
        return MISSING
    sign = "↑" if (delta > 0) == higher_is_better else "↓"
    return sign if low > 0 or high < 0 else f"({sign})"


def p_value(value: float) -> str:
    """Three decimals, and never a zero."""
    return MISSING if math.isnan(value) else "<0.001" if value < 0.0005 else f"{value:.3f}"
