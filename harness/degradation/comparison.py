"""One model's pairs with the reference in one task, as a row of figures."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.degradation.binary import CONFIDENCE, PairedResult, agresti_min, compare_binary, count_flips
from harness.degradation.clusters import cluster_codes, clustered, clustered_p
from harness.degradation.continuous import compare_continuous, compare_shares
from harness.degradation.flips import wilson
from harness.degradation.power import detectable
from harness.degradation.sequential import e_value

NOT_CLUSTERED = ", not clustered"
"""What ends the name of an interval that takes no account of groups, because there are too few of them."""
VERDICT_CONFIDENCE = 0.9
"""Of the second interval that verdicts look at; its lower limit is the one-sided 95% limit."""

Floats = NDArray[np.float64]


class _Differences(NamedTuple):
    """One entry an instance that has a value in both models; means over trials."""

    reference: Floats
    candidate: Floats
    weights: Floats | None
    """None where all weigh the same."""
    groups: NDArray[np.object_]
    right_or_wrong: bool
    """Whether every value is 0 or 1; ties earn a share of the credit, and so do several trials on average."""
    shares: bool
    """Whether the values are such shares of the credit, or 0 or 1."""

    @property
    def have_groups(self) -> bool:
        """Whether some instances share a group."""
        return len(self.reference) > int(cluster_codes(self.groups).max(initial=-1)) + 1


def compare(rows: pd.DataFrame, *, seed: int, judged: bool, is_reference: bool) -> dict[str, object]:
    """The row of ``degradation`` from its ``n`` to its ``detectable``, as far as there is something to say.

    An instance without a value in either model cannot be compared; ``n`` says how many could.

    Args:
        rows: as :class:`~harness.degradation.pairs.Pairs` has them.
        seed: of the bootstrap and the permutation test.
        judged: whether a verdict is to be given. Then the row has beside its columns what :mod:`judging
            <harness.degradation.judging>` looks at: limits for it (``low90``, ``high90``, ``low95``, ``high95``), and
            ``effect``, how many of these instances are worth an independent one.
        is_reference: whether both are the same model: there is nothing to compare.
    """
    rows = rows.dropna(subset=["value_reference", "value_candidate"])
    values = rows[["value_reference", "value_candidate", "weight"]].astype(float).groupby("instance_id").mean()
    reference, candidate, weights = (values[column].to_numpy() for column in values)
    n = len(values)
    row: dict[str, object] = {
        "n": n,
        "value": float(np.average(candidate, weights=weights)) if n else math.nan,
        "reference_value": float(np.average(reference, weights=weights)) if n else math.nan,
    }
    if is_reference or not n:
        return row
    knows = bool(rows[["correct_reference", "correct_candidate"]].notna().all(axis=None))
    whole = knows and {*reference, *candidate} <= {0.0, 1.0}
    groups = rows["group"].groupby("instance_id").first().to_numpy(object)
    differences = _Differences(reference, candidate, None if np.ptp(weights) == 0 else weights, groups, whole, knows)
    result = _result(differences, CONFIDENCE, seed)
    effect = _effect(differences, result)
    row |= result._asdict()
    if differences.have_groups:
        row["n_groups"] = int(cluster_codes(groups).max()) + 1
    if judged:
        low90, high90 = _limits(differences, _result(differences, VERDICT_CONFIDENCE, seed), VERDICT_CONFIDENCE)
        low95, high95 = _limits(differences, result, CONFIDENCE)
        row |= {"low90": low90, "high90": high90, "low95": low95, "high95": high95, "effect": effect}
    return row | (_flips(rows, n, effect, independent=not differences.have_groups) if knows else {})


def _result(differences: _Differences, confidence: float, seed: int) -> PairedResult:
    """With an account of groups where there are some, and not too few."""
    reference, candidate, weights, groups, right_or_wrong, shares = differences
    p_value = math.nan
    if differences.have_groups:
        change = candidate - reference
        p_value = clustered_p(change, groups, weights=weights, seed=seed)
        interval = clustered(change, groups, weights=weights, confidence=confidence, shares=shares, seed=seed)
        if interval.method != "none":
            delta = float(np.average(change, weights=weights))
            return PairedResult(delta, interval.low, interval.high, p_value, interval.method)
    if right_or_wrong:
        found = compare_binary(reference == 1, candidate == 1, confidence=confidence)
    elif shares and weights is None:
        found = compare_shares(reference, candidate, seed=seed, confidence=confidence)
    else:
        found = compare_continuous(reference, candidate, weights, seed=seed, confidence=confidence)
    if differences.have_groups:  # too few for an interval, but not for a p-value
        return found._replace(interval=found.interval + NOT_CLUSTERED, p_value=p_value)
    return found


def _effect(differences: _Differences, result: PairedResult) -> float:
    """The design effect: the squared width of the interval over that of as many independent answers, at least 1."""
    if not differences.right_or_wrong or not differences.have_groups:
        return 1.0
    flips = count_flips(differences.reference == 1, differences.candidate == 1)
    low, high = agresti_min(flips.to_right, flips.to_wrong, len(differences.reference))
    return max(((result.ci_high - result.ci_low) / (high - low)) ** 2, 1.0)


def _limits(differences: _Differences, result: PairedResult, confidence: float) -> tuple[float, float]:
    """The interval of a share, and no narrower than that of as many right-or-wrong answers without a flip.

    Else three answers that happen to differ by the same would prove that nothing changes.
    """
    low, high = result.ci_low, result.ci_high
    if differences.right_or_wrong:
        return low, high
    least, most = agresti_min(0, 0, len(differences.reference), confidence)
    return min(low, result.delta + least), max(high, result.delta + most)


def _flips(rows: pd.DataFrame, n: int, effect: float, *, independent: bool) -> dict[str, object]:
    """What changed sides, counted in every trial; rates are means over trials."""
    reference, candidate = (rows[f"correct_{side}"].astype(bool) for side in ("reference", "candidate"))
    to_wrong, to_right = count_flips(reference.to_numpy(), candidate.to_numpy())
    rate = float((reference != candidate).groupby("instance_id").mean().mean())
    low, high = wilson(rate * n, n)
    answers = rows[["answer_reference", "answer_candidate"]]
    found: dict[str, object] = {
        "flips_to_wrong": to_wrong,
        "flips_to_right": to_right,
        "flip_rate": rate,
        "flip_low": low,
        "flip_high": high,
        "detectable": detectable(int(n / effect), rate),
    }
    if answers.notna().all(axis=None):
        wrong = ~reference & ~candidate
        found["answer_changes"] = int((wrong & (answers.iloc[:, 0] != answers.iloc[:, 1])).sum())
    if independent and len(rows) == n:
        found["e_value"] = e_value(to_wrong, to_right)
    return found
