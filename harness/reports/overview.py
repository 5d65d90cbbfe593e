"""A line a model: what it takes, what it lost, and what can be said about that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.degradation.divergence import SCENARIO as DIVERGENCE
from harness.degradation.verdict import Verdict
from harness.reports import numbers
from harness.reports.rows import main_rows, records, verdict
from harness.results import Run

NOISE = "noise floor"
"""In the place of the null run's verdict."""
MOVED = ("kld_p99", "ppl_ratio", "same_top")
"""Shown where no answer says more."""


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
    kld_p99: str
    ppl_ratio: str
    same_top: str
    speed: str
    verdict: str

    def cells(self, names: Sequence[str]) -> list[str]:
        """Those of these columns."""
        return [getattr(self, name) for name in names]


def columns(run: Run) -> list[str]:
    """The fields of a line that are shown: none that is empty for all models, and :data:`MOVED` without accuracy."""
    lines, nothing = overview(run), ("", numbers.UNKNOWN, NOISE, Verdict.REFERENCE)
    filled = [name for name in Line._fields if any(getattr(line, name) not in nothing for line in lines)]
    return [name for name in filled if name not in MOVED] if "accuracy" in filled else filled


def headings(run: Run) -> Line:
    """What stands above the lines."""
    margin = f"{100 * run.margin:g} point{'' if run.margin == 0.01 else 's'}"
    return Line(
        *("model", "size", "bits", "accuracy", "delta (95% interval)", "", "flips"),
        *("KLD", "KLD p99", "PPL ratio (95% interval)", "same top p", "tok/s"),
        verdict=f"verdict, margin {margin}",
    )


def overview(run: Run) -> list[Line]:
    """The reference first; a null run last."""
    return [
        Line(
            model=row["model"],
            size=numbers.size(row["bytes"]),
            bits=numbers.bits(row["bits_per_weight"]),
            accuracy=numbers.figure(row["value"]),
            delta=numbers.difference(row["delta"], row["ci_low"], row["ci_high"], is_share=True),
            arrow=numbers.arrow(row["delta"], row["ci_low"], row["ci_high"], higher_is_better=True, is_share=True),
            flips=numbers.share(row["flip_rate"]),
            kld=numbers.divergence(row["kld_mean"]),
            **_moved(run, row["model"]),
            speed=numbers.speed(row["decode_tokens_per_second"]),
            verdict=NOISE if row["is_null"] else verdict(row, run.margin, run.kinds),
        )
        for row in records(run.summary)
    ]


def _moved(run: Run, model: str) -> dict[str, str]:
    """The fields of :data:`MOVED`; the table has limits of a ratio as those of its difference from 1."""
    table = run.findings.degradation
    found = {
        row["metric"]: row for row in records(table[(table["model"] == model) & (table["scenario"] == DIVERGENCE)])
    }
    value = {name: found[name]["value"] if name in found else math.nan for name in MOVED}
    low, high = (1 + found["ppl_ratio"][name] if "ppl_ratio" in found else math.nan for name in ("ci_low", "ci_high"))
    return {
        "kld_p99": numbers.divergence(value["kld_p99"]),
        "ppl_ratio": numbers.ratio(value["ppl_ratio"], low, high),
        "same_top": numbers.share(value["same_top"]),
    }


def legend(run: Run) -> list[str]:
    """What the columns mean; nothing of those that are not there."""
    shown, reference = columns(run), run.reference
    table = run.findings.degradation
    judged = main_rows(table[table["model"] != reference], run.kinds)
    first = ["bits: bits a weight."] if "bits" in shown else []
    if "accuracy" in shown:
        first.append(
            f"accuracy: share of right answers to right-or-wrong questions; delta: that minus {reference}'s, on the "
            "same questions. A question asked in several ways counts once, by the first of them; tasks at which "
            f"{reference} only guesses do not count."
        )
    if len(judged):
        first.append("↓ worse, ↑ better; in brackets where the interval includes no change.")
    told = [" ".join(first)] if first else []
    if judged["flip_rate"].notna().any():
        told.append(
            "flips: share of answers that turned wrong or right; of a scenario, how many to wrong (-) and to right (+)."
        )
    if "kld" in shown:
        told.append(
            f"KLD: mean divergence of next-token distributions from {reference}'s, in nats. It shows how much changed, "
            "not whether answers got worse."
        )
    if "kld_p99" in shown:
        told.append(
            "KLD p99: what 1 token in 100 exceeds. PPL ratio: perplexity of the text, divided by "
            f"{reference}'s; away from 1 either way is a change. same top p: share of tokens at which both find the "
            "same one likeliest."
        )
    if "speed" in shown:
        told.append("tok/s: tokens generated a second, median.")
    if not set(judged["verdict"]) <= {""}:
        told.append(
            "verdict: equivalent, no difference beyond the margin either way; non-inferior, no loss beyond it; small "
            "loss, within margin, a loss, shown to be smaller than the margin; degraded, a loss, perhaps within it; "
            "degraded beyond margin, a larger loss; inconclusive, too few questions to say: so many more may settle "
            "it, or it looks like a loss of the margin or more, which more would rather show."
        )
    return told
