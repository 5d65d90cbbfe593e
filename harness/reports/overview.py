"""A line a model: what it takes, what it lost, and what can be said about that."""

from __future__ import annotations

from typing import NamedTuple

from harness.reports import numbers
from harness.reports.rows import records, verdict
from harness.results import Run

NOISE = "noise floor"
"""In the place of the null run's verdict."""


class Line(NamedTuple):
    """One model; empty where nothing is known."""

    model: str
    size: str
    bits: str
    accuracy: str
    delta: str
    arrow: str
    flips: str
    kld: str
    speed: str
    verdict: str


def headings(run: Run) -> Line:
    """What stands above the lines."""
    margin = f"{100 * run.margin:g} point{'' if run.margin == 0.01 else 's'}"
    return Line(
        *("model", "size", "bits", "accuracy", "delta (95% interval)", "", "flips", "KLD", "tok/s"),
        verdict=f"verdict, margin {margin}",
    )


def overview(run: Run) -> list[Line]:
    """The reference first; a null run last."""
    return [
        Line(
            model=row["model"],
            size=numbers.size(row["bytes"]),
            bits=f"{row['bits_per_weight']:.1f}",
            accuracy=numbers.figure(row["value"]),
            delta=numbers.difference(row["delta"], row["ci_low"], row["ci_high"], is_share=True),
            arrow=numbers.arrow(row["delta"], row["ci_low"], row["ci_high"], higher_is_better=True, is_share=True),
            flips=numbers.share(row["flip_rate"]),
            kld=numbers.divergence(row["kld_mean"]),
            speed=numbers.speed(row["decode_tokens_per_second"]),
            verdict=NOISE if row["is_null"] else verdict(row, run.margin),
        )
        for row in records(run.summary)
    ]


def legend(run: Run) -> list[str]:
    """What the columns mean, a sentence a column."""
    return [
        "bits: bits a weight. accuracy: share of right answers to right-or-wrong questions; delta: that minus "
        f"{run.reference}'s, on the same questions. A question asked in several ways counts once, by the first of "
        f"them; tasks at which {run.reference} only guesses do not count. ↓ worse, ↑ better; in brackets where the "
        "interval includes no change.",
        "flips: share of answers that turned wrong or right; of a scenario, how many turned wrong (-) and right (+).",
        f"KLD: mean divergence of next-token distributions from {run.reference}'s, in nats. It shows how much changed, "
        "not whether answers got worse. tok/s: tokens generated a second, median.",
        "verdict: equivalent, no difference beyond the margin either way; non-inferior, no loss beyond it; small loss, "
        "within margin, a loss, shown to be smaller than the margin; degraded, a loss, perhaps within it; degraded "
        "beyond margin, a larger loss; inconclusive, too few questions to say: so many more may settle it, or it looks "
        "like a loss of the margin or more, which more would rather show.",
    ]
