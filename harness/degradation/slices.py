"""What a model lost where: slices of the right-or-wrong scenarios that lost more than the rest of what it was asked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest, hypergeom

from harness.degradation.columns import SLICES, table_of
from harness.degradation.multiplicity import benjamini_hochberg
from harness.degradation.pairs import PAIR
from harness.errors import RunError
from harness.metrics.kinds import Kinds
from harness.metrics.table import METRICS

FEWEST = 10
"""Instances of a slice that is looked at."""
LEVEL = 0.05
_SLICE = ["scenario", "adapter", "kind"]


class Counts(NamedTuple):
    """Instances that turned wrong, that turned right, and all."""

    to_wrong: int
    to_right: int
    n: int


def slice_table(instances: pd.DataFrame, reference: str, kinds: Kinds = METRICS) -> pd.DataFrame:
    """Attribute each model's losses to slices.

    A slice is a kind of a scenario, asked in one way. It is attributed a loss if it lost, and lost more than the rest
    of what the model was asked, both at once and after an adjustment for all slices of the model. Damage that is
    everywhere alike is nobody's, and so is noise.

    Args:
        instances: as :data:`harness.execution.records.COLUMNS` has them; originals with a right-or-wrong main metric
            are looked at.
        reference: label of the model that the others are compared with.
        kinds: of the metrics.

    Returns:
        A row for each model but the reference and each slice of at least 10 instances, with the columns of
        :data:`~harness.degradation.columns.SLICES`, by model and slice as they first appear.

    Raises:
        RunError: an instance was asked of one model and not of the reference; it is named.
    """
    is_binary = instances["metric"].map(lambda name: kinds[name].is_binary).astype(bool)
    asked = instances[is_binary & (instances["perturbation"] == "")]
    order = asked[_SLICE].drop_duplicates().agg(tuple, axis=1).tolist() if len(asked) else []
    right = {str(model): _right(part) for model, part in asked.groupby("model", sort=False)}
    rows: list[dict[str, object]] = []
    for model, answers in right.items():
        if model != reference:
            changes = _changes(right.get(reference, answers.iloc[:0]), answers, model)
            rows += [{"model": model} | row for row in _attributed(changes, order)]
    return table_of(rows, SLICES)


def lost(counts: Counts) -> float:
    """One-sided p-value of McNemar's exact test: flips to wrong are no more likely than flips to right."""
    flips = counts.to_wrong + counts.to_right
    return float(binomtest(counts.to_wrong, flips, alternative="greater").pvalue) if flips else 1.0


def lost_more(inside: Counts, outside: Counts) -> float:
    """One-sided p-value of a permutation test: the slice is any such number of all instances.

    The statistic is the net loss inside, flips to wrong less flips to right. All permutations are counted: how many
    of either kind of flip fall into the slice is multivariate hypergeometric. 1 where there is nothing outside.
    """
    n, wrong, right = (a + b for a, b in zip((inside.n, *inside[:2]), (outside.n, *outside[:2]), strict=True))
    to_wrong = np.arange(min(wrong, inside.n) + 1)[:, np.newaxis]
    to_right = np.arange(min(right, inside.n) + 1)
    chances = _drawn(to_wrong, n, wrong, inside.n) * _drawn(to_right, n - wrong, right, inside.n - to_wrong)
    as_much = to_wrong - to_right >= inside.to_wrong - inside.to_right
    return min(float(chances[as_much].sum()), 1.0)


def _drawn(flips: NDArray[np.int_], n: int, of_all: int, size: int | NDArray[np.int_]) -> NDArray[np.float64]:
    """Chances of so many flips among ``size`` of n instances of which ``of_all`` flipped; 0 if ``size`` exceeds n."""
    return np.nan_to_num(hypergeom.pmf(flips, n, of_all, size)) if n else np.asarray(flips == 0, float)


def _right(answers: pd.DataFrame) -> pd.Series:
    """``correct`` by slice, trial and instance."""
    return answers.set_index([*_SLICE, *PAIR])["correct"]


def _changes(reference: pd.Series, candidate: pd.Series, model: str) -> pd.DataFrame:
    """By slice and instance: 1 where it turned right, -1 where it turned wrong, 0 where it stayed.

    Over several trials it turned wrong where it was right less often. What is not known in either is left out.
    """
    alone = reference.index.symmetric_difference(candidate.index)
    if len(alone):
        raise RunError(f"{alone[0][0]}: instance {alone[0][-1]!r} was not asked of both {model} and the reference.")
    twice = [index[index.duplicated()] for index in (reference.index, candidate.index) if index.has_duplicates]
    if twice:
        raise RunError(f"{twice[0][0][0]}: the answer to {twice[0][0][-1]!r} is there twice; run it again.")
    both = pd.DataFrame({"reference": reference, "candidate": candidate}).dropna().astype(int)
    change = (both["candidate"] - both["reference"]).groupby(level=[*_SLICE, "instance_id"]).sum()
    return change.clip(-1, 1).rename("change").reset_index()


def _attributed(changes: pd.DataFrame, order: list[tuple[str, ...]]) -> list[dict[str, object]]:
    """The rows of one model."""
    whole = _counts(changes)
    rows: list[dict[str, object]] = []
    parts = {tuple(map(str, key)): part for key, part in changes.groupby(_SLICE)}
    for key in order:
        inside = _counts(parts[key]) if key in parts else Counts(0, 0, 0)
        if inside.n < FEWEST:
            continue
        outside = Counts(*(all_of - own for all_of, own in zip(whole, inside, strict=True)))
        delta = (inside.to_right - inside.to_wrong) / inside.n
        p_value = max(lost(inside), lost_more(inside, outside))
        rows.append(dict(zip(_SLICE, key, strict=True)) | {"n": inside.n, "delta": delta, "p_value": p_value})
    adjusted = benjamini_hochberg(np.array([row["p_value"] for row in rows], float))
    return [row | {"p_bh": p, "attributed": bool(p <= LEVEL)} for row, p in zip(rows, adjusted, strict=True)]


def _counts(changes: pd.DataFrame) -> Counts:
    return Counts(int((changes["change"] < 0).sum()), int((changes["change"] > 0).sum()), len(changes))
