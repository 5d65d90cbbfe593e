"""One sentence that a person can act on, for each model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.degradation.verdict import Verdict

LOSSES = (Verdict.BEYOND, Verdict.DEGRADED, Verdict.SMALL)
MOST_NAMES = 3


def advice(verdict: str, delta: float, n_more: int | None, lost: Sequence[str]) -> str:
    """What to do with a model, all right-or-wrong scenarios together and each by itself.

    Args:
        verdict: on all of them together; empty where nothing was right or wrong.
        delta: share of right answers minus the reference's.
        n_more: instances that an inconclusive verdict needs; None where more would rather show a loss.
        lost: scenarios in which a loss is shown, the surest first.
    """
    points = f"{abs(100 * delta):.1f} points"
    where = f", in {names(lost)} above all" if lost else ""
    but = f", but not for {names(lost)}, where a loss is shown" if lost else ""
    match verdict:
        case Verdict.BEYOND:
            return f"Do not take it: it loses {points}, more than the margin{where}."
        case Verdict.DEGRADED:
            return f"Take it only if you must: it loses {points}{where}; ask more to see if that is beyond the margin."
        case Verdict.SMALL:
            return f"Take it if you can spare {points}: the loss is shown, and shown to be within the margin{where}."
        case Verdict.EQUIVALENT:
            return f"Fit for use{but}: over all questions, any difference is shown to be within the margin."
        case Verdict.NONINFERIOR:
            return f"Fit for use{but}: over all questions, any loss is shown to be within the margin."
        case Verdict.INCONCLUSIVE if n_more is None and delta < 0:
            return f"Do not count on it: it lost {points} so far{where}; more instances would rather show that loss."
        case Verdict.INCONCLUSIVE:
            more = "more" if n_more is None else f"{n_more:,} more"
            shown = f", though one in {names(lost)} is shown" if lost else ""
            return f"Ask {more} instances: what it loses may be within the margin or beyond{shown}."
        case Verdict.REFERENCE:
            return "What the others are compared with."
        case _ if lost:
            return f"No question was right or wrong; it lost in {names(lost)}."
        case _:
            return "Ask questions that are right or wrong: that texts changed does not say that answers got worse."


def noise_floor(flip_rate: float) -> str:
    """Of the null run."""
    share = "" if math.isnan(flip_rate) else f", and {100 * flip_rate:.1f}% of its answers flipped"
    return f"The noise floor: the reference, asked once more{share}."


def names(scenarios: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b, c and 2 more``."""
    shown, more = scenarios[:MOST_NAMES], len(scenarios) - MOST_NAMES
    words = [*shown, *([f"{more} more"] if more > 0 else [])]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
