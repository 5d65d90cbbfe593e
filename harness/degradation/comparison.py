"""One model's pairs with the reference in one task, as a row of figures."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.degradation.binary import CONFIDENCE, PairedResult, agresti_min, compare_binary, count_flips
from harness.degradation.clusters import clustered, clustered_p, clustering_effect, count_groups
from harness.degradation.continuous import compare_continuous, compare_shares
from harness.degradation.flips import wilson
from harness.degradation.power import detectable
from harness.degradation.sequential import e_value
from harness.degradation.verdict import Limits

NOT_CLUSTERED = ", not clustered"
"""What ends the name of an interval that takes no account of groups, because there are too few of them."""
VERDICT_CONFIDENCE = 0.9
"""Of the second interval that verdicts look at; its lower limit is the one-sided 95% limit."""

Floats = NDArray[np.float64]


class Differences(NamedTuple):
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
        return len(self.reference) > self.n_groups

    @property
    def n_groups(self) -> int:
        """Those that stand alone counted."""
        return count_groups(self.groups)


def compare(rows: pd.DataFrame, *, seed: int, judged: bool, is_reference: bool) -> dict[str, object]:
    """The row of ``degradation`` from its ``n`` to its ``detectable``, as far as there is something to say.

    An instance without a value in either model cannot be compared; ``n`` says how many could.

    Args:
        rows: as :class:`~harness.degradation.pairs.Pairs` has them.
        seed: of the bootstrap and the permutation test.
        judged: whether a verdict is to be given. Then the row has beside its columns what :mod:`judging
            <harness.degradation.judging>` looks at: :class:`~harness.degradation.verdict.Limits` and ``effect``, how
            many of these instances are worth one that stands alone.
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
    differences = Differences(reference, candidate, None if np.ptp(weights) == 0 else weights, groups, whole, knows)
    result = paired_result(differences, seed=seed)
    effect = clustering_effect(candidate - reference, groups) if differences.have_groups else 1.0
    row |= result._asdict()
    if differences.have_groups:
        row["n_groups"] = differences.n_groups
    if judged:
        row |= verdict_limits(differences, result, seed=seed)._asdict() | {"effect": effect}
    return row | (_flips(rows, n, effect, independent=not differences.have_groups) if knows else {})


def paired_result(differences: Differences, *, seed: int, confidence: float = CONFIDENCE) -> PairedResult:
    """The mean difference, its interval and p-value: with an account of groups where there are some, and not too few.

    Args:
        differences: at least one.
        seed: of the bootstrap and the permutation test.
        confidence: of the two-sided interval.
    """
    reference, candidate, weights, groups, right_or_wrong, shares = differences
    p_value = math.nan
    if differences.have_groups:
        change = candidate - reference
        p_value = clustered_p(change, groups, weights=weights, seed=seed)
        interval = clustered(change, groups, weights=weights, confidence=confidence, right_or_wrong=shares, seed=seed)
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


def verdict_limits(differences: Differences, result: PairedResult, *, seed: int) -> Limits:
    """What a verdict looks at.

    Args:
        differences: at least one.
        result: theirs, from :func:`paired_result`, at 95%.
        seed: of the bootstrap.
    """
    narrower = paired_result(differences, seed=seed, confidence=VERDICT_CONFIDENCE)
    low90, high90 = _limits(differences, narrower, VERDICT_CONFIDENCE)
    return Limits(result.delta, low90, high90, *_limits(differences, result, CONFIDENCE))


def _limits(differences: Differences, result: PairedResult, confidence: float) -> tuple[float, float]:
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
