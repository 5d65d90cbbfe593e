"""Whether a run stays within a margin: three answers, of which one is that it is not known.

A model passes if every chosen scenario does, each at its own 5% and without a correction: to say that *all* are within
the margin every one of them has to be shown, so more scenarios make it harder and never easier (an intersection-union
test). Single alarms are adjusted already (Holm), before their verdict is given.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Any, NamedTuple

import pandas as pd

from harness.analysis import analyse
from harness.degradation.divergence import ADAPTER as KLD_ADAPTER
from harness.degradation.divergence import SCENARIO as DIVERGENCE
from harness.degradation.pooled import ALL
from harness.degradation.verdict import Verdict
from harness.errors import UserError
from harness.evidence.judged import judged_metrics
from harness.metrics.kinds import Kinds
from harness.names import unknown
from harness.results import Run

KLD, KLD_BOUND = "kld_mean", "kld_bound_mean"


class Outcome(IntEnum):
    """What is known; the numbers are exit codes."""

    WITHIN = 0
    BEYOND = 1
    INCONCLUSIVE = 2


OUTCOMES = {
    Verdict.EQUIVALENT: Outcome.WITHIN,
    Verdict.NONINFERIOR: Outcome.WITHIN,
    Verdict.SMALL: Outcome.WITHIN,
    Verdict.BEYOND: Outcome.BEYOND,
    Verdict.DEGRADED: Outcome.INCONCLUSIVE,  # a loss for certain, on either side of the margin
    Verdict.INCONCLUSIVE: Outcome.INCONCLUSIVE,
}


class Check(NamedTuple):
    """One model in one scenario."""

    model: str
    scenario: str
    adapter: str
    metric: str
    outcome: Outcome
    verdict: str
    """In words."""
    delta: float
    ci_low: float
    ci_high: float
    """Limits of the 95% interval of ``delta``; of a KLD from a compact store, the upper limit of the most it can be."""
    n: int
    n_more: int | None
    """Instances that would settle it; None where that is not known."""


class Gated(NamedTuple):
    """What became of all of them."""

    checks: list[Check]
    notes: list[str]

    @property
    def outcome(self) -> Outcome:
        """Beyond if any is, else inconclusive if any is, else within."""
        found = {check.outcome for check in self.checks}
        return next((one for one in (Outcome.BEYOND, Outcome.INCONCLUSIVE) if one in found), Outcome.WITHIN)


def gate(
    run: Run,
    *,
    margin: float,
    scenarios: Sequence[str] = (),
    models: Sequence[str] = (),
    max_kld: float | None = None,
) -> Gated:
    """Hold a run against a margin, which may be another than its own.

    Args:
        run: a run.
        margin: the loss that counts as none, as a share: 0.01 is one point.
        scenarios: names; ``all`` is the questions of all right-or-wrong scenarios together. Without names, every
            scenario on its own.
        models: labels; without any, every model but the reference and its null run.
        max_kld: mean divergence of next-token distributions that is still accepted, in nats.

    Raises:
        UserError: a name is not known, what is asked for was not measured, or nothing is left to look at.
    """
    if margin != run.margin:
        run = replace(run, findings=analyse(run.record | {"margin": margin}, run.measured))
    table = run.findings.degradation
    labels = _labels(run, models)
    rows = table[table["model"].isin(labels) & (table["perturbation"] == "")]
    main, judged = (rows[_is_main(rows, mains)] for mains in (run.main_metrics, judged_metrics(run)))
    chosen, notes = _chosen(main, judged, scenarios, run.kinds)
    checks = [_check(row) for row in chosen.to_dict("records")]
    if max_kld is not None:
        checks += _divergences(run, rows, labels, max_kld)
    if not checks:
        raise UserError(
            "The run has no scenario that can be held against a margin; ask one that knows right and wrong, or give "
            "--max-kld."
        )
    return Gated(sorted(checks, key=lambda check: labels.index(check.model)), notes)


def _labels(run: Run, asked: Sequence[str]) -> list[str]:
    known = [model["label"] for model in run.models if model["label"] not in (run.reference, run.null)]
    if not known:
        raise UserError(f"The run has no model beside its reference {run.reference}, so there is nothing to gate.")
    for name in asked:
        if name not in known:
            raise UserError(f"--models: {unknown('model of this run that is compared', name, known)}.")
    return [label for label in known if not asked or label in asked]


def _is_main(rows: pd.DataFrame, mains: dict[tuple[str, str], str]) -> pd.Series:
    keys = zip(rows["scenario"], rows["adapter"], rows["metric"], strict=True)
    return pd.Series([s == ALL or mains.get((s, a)) == m for s, a, m in keys], rows.index, dtype=bool)


def _chosen(
    main: pd.DataFrame, judged: pd.DataFrame, scenarios: Collection[str], kinds: Kinds
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of these scenarios, and notes on those that say nothing, or that no margin in points can judge."""
    known = list(dict.fromkeys(main["scenario"]))
    for name in scenarios:
        _check_name(name, known, set(judged["scenario"]))
    wanted = scenarios or [name for name in known if name != ALL]
    silent = main[main["scenario"].isin(wanted) & ~main.index.isin(judged.index)]
    guessed = list(dict.fromkeys(f"{row.scenario} ({row.adapter})" for row in silent.itertuples()))
    notes = [f"Not looked at, because the reference itself guesses there: {', '.join(guessed)}."] if guessed else []
    rows = judged[judged["scenario"].isin(wanted)]
    has_points = rows["metric"].map(lambda name: name in kinds and kinds[name].is_share)
    is_share = (rows["scenario"] == ALL) | has_points.astype(bool)  # of no rows, a map has another type
    others = list(dict.fromkeys(f"{row.scenario} ({row.metric})" for row in rows[~is_share].itertuples()))
    if others and scenarios:
        raise UserError(f"--scenarios: {others[0]} is not measured in points, so a margin says nothing of it; drop it.")
    if others:
        notes.append(f"Not held against the margin, because they are not measured in points: {', '.join(others)}.")
    return rows[is_share], notes


def _check_name(name: str, known: Collection[str], judged: Collection[str]) -> None:
    if not known:
        raise UserError("--scenarios: the run asked no questions; leave that out, and give --max-kld.")
    if name == ALL and name not in known:
        raise UserError(
            f"--scenarios {ALL}: the run has no right-or-wrong questions that say anything; ask other scenarios."
        )
    if name not in known:
        raise UserError(f"--scenarios: {unknown('scenario of this run', name, known)}.")
    if name not in judged:
        raise UserError(f"--scenarios: {name} says nothing, because the reference itself guesses there; drop it.")


def _check(row: dict[Any, Any]) -> Check:
    verdict = row["verdict"] or str(Verdict.INCONCLUSIVE)  # nothing could be compared
    more = row["n_more"]
    return Check(
        *(row["model"], row["scenario"], row["adapter"], row["metric"]),
        OUTCOMES[Verdict(verdict)],
        verdict,
        *(row["delta"], row["ci_low"], row["ci_high"]),
        int(row["n"]),
        None if pd.isna(more) else int(more),
    )


def _divergences(run: Run, rows: pd.DataFrame, labels: list[str], most: float) -> list[Check]:
    """One check a model: its whole interval below or above what is accepted, or else nothing is known."""
    if run.record["divergence"] is None:
        if "imported" in run.record:
            raise UserError("--max-kld: results of another harness have no divergence; only `harness run` measures it.")
        raise UserError("--max-kld: the run measured no divergence; run it again without --no-divergence.")
    of_text = rows[rows["scenario"] == DIVERGENCE]
    found, bounds = (
        {row["model"]: row for row in of_text[of_text["metric"] == metric].to_dict("records")}
        for metric in (KLD, KLD_BOUND)
    )
    for label in labels:
        if label not in found:
            raise UserError(
                f"--max-kld: {label} reads the text as other tokens than {run.reference}, so their distributions "
                "cannot be compared; leave it out with --models."
            )
    return [_divergence(found[label], bounds[label]["value"], most) for label in labels]


def _divergence(row: dict[Any, Any], bound: float, most: float) -> Check:
    """A compact store gives the least that the divergence can be, and ``bound`` is how much more it is at most."""
    value, low, high = row["value"], row["ci_low"], row["ci_high"] + bound
    if high <= most:
        outcome, verdict = Outcome.WITHIN, f"at most {most:g}"
    elif low > most or math.isinf(value):
        outcome, verdict = Outcome.BEYOND, f"above {most:g}"
    elif row["ci_high"] <= most:
        outcome, verdict = Outcome.INCONCLUSIVE, f"{Verdict.INCONCLUSIVE}: a compact store cannot tell so exactly"
    else:
        why = ": too few windows for an interval" if math.isnan(high) else ""
        outcome, verdict = Outcome.INCONCLUSIVE, f"{Verdict.INCONCLUSIVE}{why}"
    return Check(row["model"], DIVERGENCE, KLD_ADAPTER, KLD, outcome, verdict, value, low, high, int(row["n"]), None)
