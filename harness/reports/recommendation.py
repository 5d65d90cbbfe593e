"""Which quantization to take, in words; and that it is not known, where it is not."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pandas as pd

from harness.degradation.advice import names
from harness.degradation.summary import GOOD
from harness.degradation.verdict import Verdict
from harness.efficiency.samples import Quantity, samples_frame
from harness.reports import numbers
from harness.reports.losses import Loss, losses_of
from harness.reports.rows import looks_lost, records
from harness.results import Run

WITHIN = (*GOOD, Verdict.SMALL)
BAD = (Verdict.BEYOND, Verdict.DEGRADED)
MOST_LOSSES = 5
"""Scenarios that are told one by one."""
REASONS = {
    Verdict.EQUIVALENT: "its answers are as often right as {reference}'s, within {margin}",
    Verdict.NONINFERIOR: "it loses less than {margin} against {reference}",
    Verdict.SMALL: "it loses a little against {reference}, and that is shown to be less than {margin}",
}


class Recommendation(NamedTuple):
    """What to do, and why."""

    model: str | None
    """What to take; None where this run cannot say."""
    headline: str
    reasons: list[str]


def recommend(run: Run) -> Recommendation:
    """The smallest file that is shown to keep within the margin; with a loss that is shown only if there is no other.

    One that lost more than the margin in a single scenario is taken only if all of them did, and never without saying.
    Where several would do as well and the size of one is not known, none is taken.
    Divergence alone recommends nothing: near the reference it does not tell what becomes of answers.
    """
    summary = run.summary
    reference = records(summary[summary["is_reference"]])[0]
    others = summary[~summary["is_reference"] & ~summary["is_null"]].sort_values("bytes", kind="stable")
    rows = records(others)
    if not rows:
        return Recommendation(None, "There is nothing to choose from.", ["Only the reference was asked."])
    if all(not row["verdict"] for row in rows):
        why = (
            "No verdict can be given: no scenario with right or wrong answers was asked at which "
            f"{run.reference} does better than guessing."
        )
        more = "Divergence shows how much a quantization changed, not whether its answers got worse."
        return Recommendation(None, "This run does not say which to take.", [why, more])
    lost = {row["model"]: losses_of(run, row["model"]) for row in rows}
    fitting = [row for row in rows if row["verdict"] in WITHIN]
    if fitting:
        ranks = [(_goes_beyond(lost[row["model"]]), row["verdict"] not in GOOD) for row in fitting]
        alike = [row for row, rank in zip(fitting, ranks, strict=True) if rank == min(ranks)]
        if len(alike) > 1 and any(math.isnan(row["bytes"]) for row in alike):
            return _any_of(alike, lost, run)
        return _take(alike[0], rows, reference, lost, run)  # of those alike, the first is the smallest
    unsure = [row for row in rows if row["verdict"] == Verdict.INCONCLUSIVE]
    if unsure:
        reasons = [*(_unsure(row, run) for row in unsure[:3]), *_ask_again(unsure, run)]
        return Recommendation(None, "This run does not yet say which to take.", reasons)
    headline = f"Stay with {run.reference}, or try larger quantizations."
    return Recommendation(None, headline, ["All of these lose answers, more than chance explains."])


def _any_of(rows: list[dict[str, Any]], lost: dict[str, list[Loss]], run: Run) -> Recommendation:
    """What can be said where nobody knows which is the smallest."""
    reasons = [f"{row['model']}: {_why(row, run)} ({_interval(row)})." for row in rows]
    reasons += [f"{row['model']}: {loss.sentence}" for row in rows for loss in lost[row["model"]][:MOST_LOSSES]]
    unknown = [row["model"] for row in rows if math.isnan(row["bytes"])]
    reasons.append(f"The size of {names(unknown)} is not known, so this run does not say which of them to take.")
    return Recommendation(None, f"{names([row['model'] for row in rows])} keep within the margin.", reasons)


def _why(row: dict[str, Any], run: Run) -> str:
    """One of :data:`REASONS`."""
    margin = f"{100 * run.margin:g} percentage point{'' if run.margin == 0.01 else 's'}"
    return REASONS[Verdict(row["verdict"])].format(reference=run.reference, margin=margin)


def _take(
    row: dict[str, Any],
    rows: list[dict[str, Any]],
    reference: dict[str, Any],
    lost: dict[str, list[Loss]],
    run: Run,
) -> Recommendation:
    own = sorted(lost[row["model"]], key=lambda loss: not loss.matters)
    why = _why(row, run)
    reasons = [f"{why[0].upper()}{why[1:]} ({_interval(row)})."]
    reasons += [loss.sentence for loss in own[:MOST_LOSSES]]
    reasons += [f"It lost in {len(own) - MOST_LOSSES} more scenarios."] if len(own) > MOST_LOSSES else []
    gains = _gains(row, reference, speed_ratio(run, row["model"]))
    reasons += [f"It is {gains} than {run.reference}."] if gains else []
    smaller = [one for one in rows if one["bytes"] < row["bytes"]]
    worse = [one["model"] for one in smaller if one["verdict"] in BAD]
    reasons += [f"Smaller files lose more: {', '.join(worse)}."] if worse else []
    reasons += [_passed_over(one, lost[one["model"]]) for one in smaller if one["verdict"] in WITHIN]
    unsure = [one for one in smaller if one["verdict"] == Verdict.INCONCLUSIVE]
    reasons += [*(_unsure(one, run) for one in unsure), *_ask_again(unsure, run)]
    return Recommendation(row["model"], _headline(row["model"], own), reasons)


def _headline(model: str, lost: list[Loss]) -> str:
    """``Take q4_k_m, but not for world_facts: it lost 3.1 points there.``"""
    severe = [loss for loss in lost if loss.matters]
    if not severe:
        return f"Take {model}."
    there = f": it lost {severe[0].points} there" if len(severe) == 1 else ""
    return f"Take {model}, but not for {names([loss.task for loss in severe])}{there}."


def _passed_over(row: dict[str, Any], lost: list[Loss]) -> str:
    """Why a smaller file is not taken, although it keeps within the margin in all."""
    beyond = [loss.task for loss in lost if loss.is_beyond]
    if beyond:
        return f"{row['model']} is smaller, but lost more than the margin in {names(beyond)}."
    return f"{row['model']} is smaller, but is shown to lose, though within the margin ({_interval(row)})."


def _goes_beyond(lost: list[Loss]) -> bool:
    return any(loss.is_beyond for loss in lost)


def _interval(row: dict[str, Any]) -> str:
    difference = numbers.difference(row["delta"], row["ci_low"], row["ci_high"], is_share=True)
    return f"{difference.replace(' (', ', 95% interval ').removesuffix(')')}, {numbers.count(row['n'])} questions"


def speed_ratio(run: Run, model: str) -> float:
    """How many times as fast as the reference it writes; NaN where their rounds overlap, or were not timed.

    On a busy machine medians differ by far more than the models do: only when the quartiles are apart is it said.
    """
    samples = run.measured.efficiency
    decode = samples[samples["quantity"] == Quantity.DECODE] if len(samples) else samples_frame(())
    own, base = (decode.loc[decode["model"] == label, "value"] for label in (model, run.reference))
    if own.quantile(0.25) > base.quantile(0.75) or own.quantile(0.75) < base.quantile(0.25):
        return float(own.median() / base.median())
    return math.nan


def _gains(row: dict[str, Any], reference: dict[str, Any], faster: float) -> str:
    """``3.2 times smaller and 1.7 times faster``; only what is so."""
    smaller = reference["bytes"] / row["bytes"]
    gains = [f"{numbers.times(smaller)} times smaller"] if smaller >= 1.05 else []
    gains += [f"{numbers.times(faster)} times faster"] if faster >= 1.05 else []
    return " and ".join(gains)


def _unsure(row: dict[str, Any], run: Run) -> str:
    if not pd.isna(row["n_more"]):
        return f"{row['model']} needs some {numbers.count(int(row['n_more']))} more instances for a verdict."
    if looks_lost(row, run.margin, run.kinds):
        return f"{row['model']} looks like a loss beyond the margin ({_interval(row)}); more would rather show that."
    return f"Of {row['model']} this run cannot say whether its loss is within the margin."


def _ask_again(unsure: list[dict[str, Any]], run: Run) -> list[str]:
    """What to type for verdicts on all of these; nothing where the run had no limit, or more would not help.

    The limit is one of each scenario, so it grows as all questions together have to.
    """
    limit = run.record.get("spec", {}).get("max_instances")
    needs = [1 + int(row["n_more"]) / row["n"] for row in unsure if not pd.isna(row["n_more"]) and row["n"]]
    return [f"Ask again with --max-instances {math.ceil(limit * max(needs))}."] if limit and needs else []
