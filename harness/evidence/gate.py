"""Whether a run stays within a margin: three answers, of which one is that it is not known.

A model passes if every chosen scenario does, each at its own 5% and without a correction: to say that *all* are within
the margin every one of them has to be shown, so more scenarios make it harder and never easier (an intersection-union
test). Single alarms are adjusted already (Holm), before their verdict is given.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import pandas as pd

from harness.analysis import analyse
from harness.degradation.divergence import ADAPTER as KLD_ADAPTER
from harness.degradation.divergence import SCENARIO as DIVERGENCE
from harness.degradation.pooled import ALL
from harness.degradation.verdict import Verdict
from harness.errors import UserError
from harness.metrics.table import METRICS
from harness.names import unknown
from harness.results import Run

KLD = "kld_mean"


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
    """Limits of the 95% interval of ``delta``."""
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
    table = run.findings.degradation
    if margin != run.margin:
        table = analyse(run.record | {"margin": margin}, run.measured).degradation
    labels = _labels(run, models)
    rows = table[table["model"].isin(labels) & (table["perturbation"] == "")]
    judged = rows[_is_main(rows, run.main_metrics)]
    chosen, notes = _chosen(judged, scenarios)
    checks = [_check(row) for row in chosen.to_dict("records")]
    if max_kld is not None:
        checks += _divergences(rows, labels, max_kld)
    if not checks:
        raise UserError(
            "The run has no scenario that can be held against a margin; ask one that knows right and wrong."
        )
    return Gated(sorted(checks, key=lambda check: labels.index(check.model)), notes)


def _labels(run: Run, asked: Sequence[str]) -> list[str]:
    known = [model["label"] for model in run.models if model["label"] not in (run.reference, run.null)]
    for name in asked:
        if name not in known:
            raise UserError(f"--models: {unknown('model of this run that is compared', name, known)}.")
    if not known:
        raise UserError("The run compares no model with its reference; there is nothing to gate.")
    return [label for label in known if not asked or label in asked]


def _is_main(rows: pd.DataFrame, mains: dict[tuple[str, str], str]) -> pd.Series:
    keys = zip(rows["scenario"], rows["adapter"], rows["metric"], strict=True)
    return pd.Series([s == ALL or mains.get((s, a)) == m for s, a, m in keys], rows.index, dtype=bool)


def _chosen(judged: pd.DataFrame, scenarios: Collection[str]) -> tuple[pd.DataFrame, list[str]]:
    """The rows of these scenarios, and a note on those that no margin in points can judge."""
    known = list(dict.fromkeys(judged["scenario"]))
    for name in scenarios:
        if name not in known:
            raise UserError(f"--scenarios: {unknown('scenario of this run', name, known)}.")
    wanted = scenarios or [name for name in known if name != ALL]
    rows = judged[judged["scenario"].isin(wanted)]
    is_share = (rows["scenario"] == ALL) | rows["metric"].map(lambda name: name in METRICS and METRICS[name].is_share)
    others = list(dict.fromkeys(f"{row.scenario} ({row.metric})" for row in rows[~is_share].itertuples()))
    if others and scenarios:
        raise UserError(f"--scenarios: {others[0]} is not measured in points, so a margin says nothing of it; drop it.")
    note = f"Not held against the margin, because they are not measured in points: {', '.join(others)}."
    return rows[is_share], [note] if others else []


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


def _divergences(rows: pd.DataFrame, labels: list[str], most: float) -> list[Check]:
    """One check a model: its whole interval below or above what is accepted, or else nothing is known."""
    found = rows[(rows["scenario"] == DIVERGENCE) & (rows["metric"] == KLD)]
    by_model = {row["model"]: row for row in found.to_dict("records")}
    for label in labels:
        if label not in by_model:
            raise UserError(f"--max-kld: the run has no divergence of {label}; run it again without --no-divergence.")
    return [_divergence(by_model[label], most) for label in labels]


def _divergence(row: dict[Any, Any], most: float) -> Check:
    value, low, high = row["value"], row["ci_low"], row["ci_high"]
    if high <= most:
        outcome, verdict = Outcome.WITHIN, f"at most {most:g}"
    elif low > most or math.isinf(value):
        outcome, verdict = Outcome.BEYOND, f"above {most:g}"
    else:
        why = ": too few windows for an interval" if math.isnan(high) else ""
        outcome, verdict = Outcome.INCONCLUSIVE, f"{Verdict.INCONCLUSIVE}{why}"
    return Check(row["model"], DIVERGENCE, KLD_ADAPTER, KLD, outcome, verdict, value, low, high, int(row["n"]), None)
