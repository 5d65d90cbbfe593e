"""How many instances a question takes, before anything is asked or after a first run."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from harness.degradation.comparison import compare
from harness.degradation.pairs import pairs, with_answers
from harness.degradation.pooled import ALL, pooled
from harness.degradation.power import detectable, needed_equivalence, needed_mcnemar, needed_noninferiority
from harness.errors import UserError
from harness.evidence.judged import judged_metrics
from harness.names import unknown
from harness.results import Run


class Needed(NamedTuple):
    """Instances that answer each of three questions four times of five, at 5%."""

    flip_rate: float
    """Share of the answers that change sides, either way."""
    effect: float
    """The design effect: how many of these instances are worth one that stands alone."""
    noninferiority: int
    """Until no loss of the margin is shown, if there is none at all."""
    equivalence: int
    """Until no difference of the margin is shown, either way, if there is none."""
    difference: int | None
    """Until McNemar's test finds a loss as large as the margin; None where so few flips cannot make it."""


class NeededHere(NamedTuple):
    """What one model and scenario of a run still needs."""

    model: str
    scenario: str
    adapter: str
    n: int
    """Instances so far."""
    needed: Needed
    """By the upper limit of its flip rate's interval: so many are enough even if it is that high."""
    n_more: int
    """Instances that non-inferiority still takes."""


def needed(flip_rate: float, margin: float, effect: float = 1.0) -> Needed:
    """Instances that are needed.

    Args:
        flip_rate: share of the answers that change sides, above 0.
        margin: the loss that would matter, as a share.
        effect: the design effect of clusters; 1 where each instance stands alone.
    """

    def times(n: int) -> int:
        return math.ceil(n * effect)

    return Needed(
        *(flip_rate, effect),
        times(needed_noninferiority(flip_rate, margin)),
        times(needed_equivalence(flip_rate, margin)),
        times(needed_mcnemar(flip_rate, margin)) if margin <= flip_rate else None,
    )


def shown_by(n: int, flip_rate: float, effect: float = 1.0) -> float:
    """The least loss that n instances show four times of five, as a share; NaN where they show none."""
    return detectable(int(n / effect), flip_rate)


def needed_of(
    run: Run, margin: float, *, effect: float | None = None, scenarios: Sequence[str] = ()
) -> list[NeededHere]:
    """What every model and right-or-wrong scenario of a run needs, by the flip rates that it saw.

    Args:
        run: a run.
        margin: the loss that would matter, as a share.
        effect: the design effect of clusters; None for that of the differences that the run saw, by which the run's
            own intervals and verdicts go.
        scenarios: names; without any, all.

    Raises:
        UserError: a scenario is not in the run, or knows no right and wrong, or the reference itself guesses there.
        RunError: an instance was not asked of every model; it is named.
    """
    mains = judged_metrics(run)
    table = run.findings.degradation
    table = table[(table["perturbation"] == "") & table["flip_high"].notna() & (table["model"] != (run.null or ""))]
    rows = [
        row
        for row in table.to_dict("records")
        if row["scenario"] == ALL or mains.get((row["scenario"], row["adapter"])) == row["metric"]
    ]
    if not rows:
        raise UserError(
            "The run has no right-or-wrong scenario that says anything, so there are no flip rates to plan with."
        )
    known = dict.fromkeys(row["scenario"] for row in rows)
    for name in scenarios:
        if name not in known:
            raise UserError(f"--scenarios: {unknown('right-or-wrong scenario of this run', name, known)}.")
    chosen = [row for row in rows if not scenarios or row["scenario"] in scenarios]
    effects = {} if effect is not None else _effects(run, {_key(row) for row in chosen})
    found: list[NeededHere] = []
    for row in chosen:
        takes = needed(row["flip_high"], margin, effects[_key(row)] if effect is None else effect)
        more = max(0, takes.noninferiority - row["n"])
        found.append(NeededHere(row["model"], row["scenario"], row["adapter"], row["n"], takes, more))
    return found


def _key(row: dict[Hashable, Any]) -> tuple[str, str, str, str]:
    return row["model"], row["scenario"], row["adapter"], row["metric"]


def _effects(run: Run, wanted: Collection[tuple[str, str, str, str]]) -> dict[tuple[str, str, str, str], float]:
    """The design effects of these rows of ``degradation``, from the pairs that they were made of."""
    answered = with_answers(run.measured.scores, run.measured.instances)
    originals = answered[answered["perturbation"] == ""]
    every = pd.concat([originals, pooled(originals, judged_metrics(run), run.kinds)], ignore_index=True)
    asked = {(scenario, adapter, metric) for _, scenario, adapter, metric in wanted}
    rows = every[pd.MultiIndex.from_frame(every[["scenario", "adapter", "metric"]]).isin(asked)]
    found: dict[tuple[str, str, str, str], float] = {}
    for task, model, paired in pairs(rows, run.reference):
        key = (model, task["scenario"], task["adapter"], task["metric"])
        if key in wanted:
            figures: dict[str, Any] = compare(paired, seed=int(run.record["seed"]), judged=True, is_reference=False)
            found[key] = figures["effect"]
    return found
