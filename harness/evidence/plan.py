"""How many instances a question takes, before anything is asked or after a first run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.degradation.pooled import ALL
from harness.degradation.power import (
    design_effect,
    detectable,
    needed_equivalence,
    needed_mcnemar,
    needed_noninferiority,
)
from harness.errors import UserError
from harness.names import unknown
from harness.results import Run


class Clusters(NamedTuple):
    """How instances hang together."""

    size: float = 1
    """Instances that share a subject or a document, on average."""
    icc: float = 0
    """How alike their differences are: correlation within a cluster, 0 to 1."""

    @property
    def effect(self) -> float:
        """How many instances are worth one that stands alone."""
        return design_effect(self.size, self.icc)


ALONE = Clusters()


class Needed(NamedTuple):
    """Instances that answer each of three questions four times of five, at 5%."""

    flip_rate: float
    """Share of the answers that change sides, either way."""
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


def needed(flip_rate: float, margin: float, clusters: Clusters = ALONE) -> Needed:
    """Instances that are needed.

    Args:
        flip_rate: share of the answers that change sides, above 0.
        margin: the loss that would matter, as a share.
        clusters: what instances come in.
    """

    def times(n: int) -> int:
        return math.ceil(n * clusters.effect)

    return Needed(
        flip_rate,
        times(needed_noninferiority(flip_rate, margin)),
        times(needed_equivalence(flip_rate, margin)),
        times(needed_mcnemar(flip_rate, margin)) if margin <= flip_rate else None,
    )


def shown_by(n: int, flip_rate: float, clusters: Clusters = ALONE) -> float:
    """The least loss that n instances show four times of five, as a share; NaN where they show none."""
    return detectable(int(n / clusters.effect), flip_rate)


def needed_of(
    run: Run, margin: float, clusters: Clusters = ALONE, *, scenarios: Sequence[str] = ()
) -> list[NeededHere]:
    """What every model and right-or-wrong scenario of a run needs, by the flip rates that it saw.

    Raises:
        UserError: a scenario is not in the run, or knows no right and wrong.
    """
    mains = run.main_metrics
    table = run.findings.degradation
    table = table[(table["perturbation"] == "") & table["flip_high"].notna() & (table["model"] != (run.null or ""))]
    rows = [
        row
        for row in table.to_dict("records")
        if row["scenario"] == ALL or mains.get((row["scenario"], row["adapter"])) == row["metric"]
    ]
    known = dict.fromkeys(row["scenario"] for row in rows)
    for name in scenarios:
        if name not in known:
            raise UserError(f"--scenarios: {unknown('right-or-wrong scenario of this run', name, known)}.")
    found: list[NeededHere] = []
    for row in rows:
        if not scenarios or row["scenario"] in scenarios:
            takes = needed(row["flip_high"], margin, clusters)
            more = max(0, takes.noninferiority - row["n"])
            found.append(NeededHere(row["model"], row["scenario"], row["adapter"], row["n"], takes, more))
    if not found:
        raise UserError("The run has no right-or-wrong scenario, so it has no flip rates to plan with.")
    return found
