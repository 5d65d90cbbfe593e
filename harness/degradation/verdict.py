"""What is said of a quantization: one word, from the limits of its difference."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

from harness.degradation.power import needed_noninferiority


class Verdict(StrEnum):
    """What can be said of a difference, the margin being the loss that would matter."""

    BEYOND = "degraded beyond margin"
    SMALL = "small loss, within margin"
    DEGRADED = "degraded"
    EQUIVALENT = "equivalent"
    NONINFERIOR = "non-inferior"
    INCONCLUSIVE = "inconclusive"
    REFERENCE = "reference"
    """Of the reference itself."""


class Limits(NamedTuple):
    """A difference, candidate minus reference, where more is better, and limits of its two-sided intervals."""

    delta: float
    low90: float
    high90: float
    low95: float
    high95: float


class Judged(NamedTuple):
    """A verdict, and how many more instances an inconclusive one takes.

    None for other verdicts, and where more instances would rather show a loss than that there is none.
    """

    verdict: Verdict
    n_more: int | None


def judge(limits: Limits, *, n: int, flip_high: float, holm_significant: bool, margin: float) -> Judged:
    """The first of these that is true, with ``high95`` the upper limit of the two-sided 95% interval.

    ==  =================================================  =========================
    1   Holm-significant loss, high95 < -margin            degraded beyond margin
    2   Holm-significant loss, low90 > -margin             small loss, within margin
    3   Holm-significant loss                              degraded
    4   low90 > -margin and high90 < margin                equivalent (TOST at 5%)
    5   low90 > -margin                                    non-inferior (at 5%)
    6   otherwise, and where a limit is not known          inconclusive
    ==  =================================================  =========================

    The first one asks for Holm's level too: of thirty tasks of 100 instances, on which nothing was lost, one would
    otherwise have its 95% interval beyond a margin of a point in 21% of cases (at 10% flips).

    Args:
        limits: of the difference.
        n: instances so far; of clusters, as many independent ones as they are worth.
        flip_high: upper limit of the flip rate's interval, from which the needed instances are counted.
        holm_significant: whether the p-value that was adjusted for all tasks is at most 5%.
        margin: the loss that would matter, as a share: 0.01 is one point.
    """
    verdict = _verdict(limits, margin, is_loss=holm_significant and limits.delta < 0)
    return Judged(verdict, _more(limits.delta, n, flip_high, margin) if verdict is Verdict.INCONCLUSIVE else None)


def _verdict(limits: Limits, margin: float, *, is_loss: bool) -> Verdict:
    within = limits.low90 > -margin
    if is_loss:
        if limits.high95 < -margin:
            return Verdict.BEYOND
        return Verdict.SMALL if within else Verdict.DEGRADED
    if within:
        return Verdict.EQUIVALENT if limits.high90 < margin else Verdict.NONINFERIOR
    return Verdict.INCONCLUSIVE


def _more(delta: float, n: int, flip_high: float, margin: float) -> int | None:
    """Instances beyond ``n`` until non-inferiority is shown four times of five, if nothing is lost.

    None where a loss of the margin or more is seen: more instances would rather show that. Where n is enough already,
    a smaller loss is seen: then until it is shown to be within the margin, if it is as seen.
    """
    if math.isnan(flip_high) or delta <= -margin:
        return None
    needed = needed_noninferiority(flip_high, margin)
    if needed <= n and delta < 0:
        needed = needed_noninferiority(max(flip_high, -delta), margin, delta=delta)
    return needed - n if needed > n else None
