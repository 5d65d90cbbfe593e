"""How many instances a question takes, and what so many could have shown.

The textbook's formulas stand on a normal distribution, and promise more than the exact McNemar test and the Agresti-Min
interval keep where flips are few. So the formulas only say where to begin to search: what is returned is the least n
at which the very test, or the very interval, of the table succeeds as often as wanted, over all outcomes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binom, norm

from harness.degradation.binary import share_limits

ALPHA, POWER, MARGIN = 0.05, 0.8, 0.01
MANY_FLIPS = 400
"""With more expected flips than that, the formulas of the intervals are off by a thousandth or so."""
MANY_FLIPS_TESTED = 10_000
"""The same for McNemar's test, once it has got its :data:`EXACT` instances more."""
EXACT = 2.0
"""What the exact test takes beyond the normal one, in instances times the difference: a flip or so either way."""
TAIL = 1e-9
"""Outcomes beyond these quantiles are left out."""

Floats = NDArray[np.float64]


def design_effect(size: float, icc: float) -> float:
    """What clusters of ``size`` instances with this intra-cluster correlation multiply the needed instances by."""
    return 1 + (size - 1) * icc


@lru_cache(maxsize=4096)
def needed_noninferiority(flip_rate: float, margin: float = MARGIN, *, delta: float = 0.0, power: float = POWER) -> int:
    """Instances until the 90% interval's lower limit is above ``-margin`` with this chance.

    Args:
        flip_rate: share of the instances that change sides, either way; 0 to 1.
        margin: the loss that would matter, as a share: 0.01 is one point.
        delta: the true difference, above ``-margin`` and at most the flip rate in size.
        power: chance to succeed, if so.

    Raises:
        ValueError: no number of instances can show it.
    """
    _check(flip_rate, delta)
    if not delta > -margin:
        raise ValueError(f"a loss of {-delta} cannot be shown to be within a margin of {margin}.")
    start = ((_z(1 - ALPHA) + _z(power)) / (margin + delta)) ** 2 * (flip_rate - delta**2)
    if start * flip_rate > MANY_FLIPS:
        return math.ceil(start)
    return _search(lambda n: power_noninferiority(n, flip_rate, margin, delta=delta), power, start)


def needed_equivalence(flip_rate: float, margin: float = MARGIN, *, power: float = POWER) -> int:
    """Instances until the 90% interval lies within ``(-margin, margin)`` with this chance, if there is no difference.

    Two one-sided tests (TOST) at 5% each. Arguments as for :func:`needed_noninferiority`.
    """
    _check(flip_rate, 0.0)
    start = ((_z(1 - ALPHA) + _z((1 + power) / 2)) / margin) ** 2 * flip_rate
    if start * flip_rate > MANY_FLIPS:
        return math.ceil(start)
    return _search(lambda n: power_equivalence(n, flip_rate, margin), power, start)


def needed_mcnemar(flip_rate: float, delta: float = MARGIN, *, power: float = POWER) -> int:
    """Instances until the exact two-sided McNemar test finds a true difference of ``delta`` at 5% with this chance.

    Raises:
        ValueError: ``delta`` is 0 or larger than the flip rate, which cannot be.
    """
    _check(flip_rate, delta)
    if delta == 0:
        raise ValueError("no number of instances shows a difference of 0.")
    spread = _z(1 - ALPHA / 2) * math.sqrt(flip_rate) + _z(power) * math.sqrt(flip_rate - delta**2)
    start = (spread / delta) ** 2
    if start * flip_rate > MANY_FLIPS_TESTED:
        return math.ceil(start + EXACT / abs(delta))
    return _search(lambda n: power_mcnemar(n, flip_rate, delta), power, start)


@lru_cache(maxsize=4096)
def detectable(n: int, flip_rate: float, *, power: float = POWER) -> float:
    """The least loss that the exact McNemar test finds at 5% with this chance (minimum detectable effect), as a share.

    A loss is at least as many flips, so a larger one than ``flip_rate`` is taken to come with a flip rate of its own
    size, in one direction. NaN where n instances cannot show any loss: below 6, where even six losses of six prove
    nothing.
    """
    if n < 1 or math.isnan(flip_rate):
        return math.nan

    def missing(loss: float) -> float:
        return power_mcnemar(n, max(flip_rate, loss), loss) - power

    if missing(1.0) < 0:
        return math.nan
    return float(brentq(missing, 1e-9, 1.0, xtol=1e-6))


def power_noninferiority(n: int, flip_rate: float, margin: float, *, delta: float = 0.0) -> float:
    """Chance that the lower limit of the 90% interval is above ``-margin``."""
    return _chance(lambda low, _: low > -margin, n, flip_rate, delta)


def power_equivalence(n: int, flip_rate: float, margin: float, *, delta: float = 0.0) -> float:
    """Chance that the 90% interval lies within ``(-margin, margin)``."""
    return _chance(lambda low, high: (low > -margin) & (high < margin), n, flip_rate, delta)


def power_mcnemar(n: int, flip_rate: float, delta: float) -> float:
    """Chance that the exact two-sided McNemar test refuses equality at 5%, in either direction."""
    if n < 1 or flip_rate == 0:
        return 0.0
    flips = np.arange(*_range(n, flip_rate))
    critical = np.asarray(binom.ppf(ALPHA / 2, flips, 0.5))
    # The most flips of the rarer kind that are still significant; -1 where none are.
    critical = critical - (binom.cdf(critical, flips, 0.5) > ALPHA / 2)
    rare = (1 - abs(delta) / flip_rate) / 2
    refused = binom.cdf(critical, flips, rare) + binom.cdf(critical, flips, 1 - rare)
    return float(binom.pmf(flips, n, flip_rate) @ refused)


def _chance(holds: Callable[[Floats, Floats], NDArray[np.bool_]], n: int, flip_rate: float, delta: float) -> float:
    """How probable the outcomes are whose 90% interval ``holds``."""
    if n < 1:
        return 0.0
    gain, loss = (flip_rate + delta) / 2, (flip_rate - delta) / 2
    to_right, to_wrong = np.arange(*_range(n, gain)), np.arange(*_range(n, loss))[:, np.newaxis]
    limits = share_limits(to_right - to_wrong, to_right + to_wrong, n, _z(1 - ALPHA))
    share = gain / (1 - loss) if loss < 1 else 0.0
    chances = binom.pmf(to_wrong, n, loss) * binom.pmf(to_right, np.maximum(n - to_wrong, 0), min(share, 1.0))
    return float(chances[holds(*limits)].sum())


def _range(n: int, rate: float) -> tuple[int, int]:
    """The counts that matter of n at this rate, as arguments of ``arange``."""
    return int(binom.ppf(TAIL, n, rate)), int(binom.isf(TAIL, n, rate)) + 1


def _search(reached: Callable[[int], float], power: float, start: float) -> int:
    """The least n that reaches the power, near ``start``.

    Single outcomes come and go as n grows, so the power has small teeth; the search goes by doubling and halving, and
    may end on either side of one.
    """
    low, high = 0, max(math.ceil(start), 1)
    while reached(high) < power:
        low, high = high, 2 * high
    while high - low > max(1, high // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= power else (middle, high)
    return high


def _check(flip_rate: float, delta: float) -> None:
    if not abs(delta) <= flip_rate <= 1:
        raise ValueError(f"a difference of {delta} does not come of a flip rate of {flip_rate}.")


@lru_cache
def _z(probability: float) -> float:
    return float(norm.ppf(probability))
