"""Rows of figures to verdicts: all tests of a run adjusted together, losses held against the noise of a null run."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from harness.degradation.multiplicity import holm
from harness.degradation.pooled import ALL
from harness.degradation.verdict import Limits, Verdict, judge
from harness.metrics.kinds import Kind, Kinds

ALPHA = 0.05
_LOSSES = {Verdict.SMALL: 1, Verdict.DEGRADED: 2, Verdict.BEYOND: 3}


class _Said(NamedTuple):
    verdict: Verdict | None
    n_more: int | None


def judge_rows(table: pd.DataFrame, *, null: str | None, margin: float, kinds: Kinds) -> pd.DataFrame:
    """``p_holm``, ``verdict`` and ``n_more`` for rows that are to be judged.

    Args:
        table: rows of main metrics of originals, each with the figures of
            :func:`~harness.degradation.comparison.compare`; none of the reference.
        null: label of the null run, which is the noise itself and has no verdict; None where there was none.
        margin: the loss that counts as none, as a share.
        kinds: of the metrics.
    """
    own = table["model"] != (null or "")
    p_holm = _adjusted(table, own)
    judged = [
        _judged(row, p, margin, kinds.get(row["metric"])) if mine and row["n"] else None
        for row, p, mine in zip(table.to_dict("records"), p_holm, own, strict=True)
    ]
    return pd.DataFrame(
        {
            "p_holm": p_holm,
            "verdict": pd.array([str(one.verdict) if one and one.verdict else "" for one in judged], "object"),
            "n_more": pd.array([one.n_more if one else None for one in judged], "Int64"),
        },
        table.index,
    )


def milder(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Verdicts of the comparison with the reference where they stand against the null run too, else what that says.

    A loss stands if the second comparison finds one at least as bad. All else is as the first has it.

    Args:
        first: of the comparison with the reference, from :func:`judge_rows`.
        second: of the comparison with the null run, with the same index.
    """
    severity = [verdicts["verdict"].map(_LOSSES).fillna(0) for verdicts in (first, second)]
    falls = severity[0] > severity[1]
    columns = ["verdict", "n_more"]
    return first.assign(**{column: first[column].mask(falls, second[column]) for column in columns})


def _adjusted(table: pd.DataFrame, own: pd.Series) -> pd.Series:
    """Holm's p-values; the family is every task of every model, and each model's pooled row.

    So a run as a whole raises a false alarm with a chance of at most 5%. Where only one scenario is pooled, its test is
    the same once more, and is not counted again.
    """
    is_pooled = table["scenario"] == ALL
    repeated = table.loc[~is_pooled & table["flip_rate"].notna(), "scenario"].nunique() == 1
    family = own & ~(is_pooled & repeated)
    p_holm = pd.Series(holm(table["p_value"].where(family)), table.index)
    if repeated:
        known = dict(zip(table.loc[family, "p_value"], p_holm[family], strict=True))
        p_holm = p_holm.mask(own & is_pooled, table["p_value"].map(known))
    return p_holm


def _judged(row: Mapping[Hashable, Any], p_holm: float, margin: float, metric: Kind | None) -> _Said:
    """Shares are judged by the margin; of other figures, such as bits per byte, only a loss can be shown.

    The pooled accuracy is no metric, and more of it is better.
    """
    better = 1 if metric is None or metric.higher_is_better else -1
    significant = p_holm <= ALPHA
    if metric is not None and not metric.is_share:
        return _Said(Verdict.DEGRADED if significant and better * row["delta"] < 0 else None, None)
    effect = row["effect"]
    low90, high90 = sorted((better * row["low90"], better * row["high90"]))
    low95, high95 = sorted((better * row["low95"], better * row["high95"]))
    found = judge(
        Limits(better * row["delta"], low90, high90, low95, high95),
        n=int(row["n"] / effect),
        flip_high=row["flip_high"],
        holm_significant=significant,
        margin=margin,
    )
    return _Said(found.verdict, found.n_more and math.ceil(found.n_more * effect))
