"""Robustness and fairness: each instance counts for the worst that any of its forms got."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from harness.errors import RunError

_KEYS = ["model", "scenario", "adapter", "trial", "metric", "instance_id"]


def worst_case(rows: pd.DataFrame, perturbations: Collection[str], *, higher_is_better: bool) -> pd.DataFrame:
    """The worst row of every instance, over the original and the perturbations of one group (HELM's worst case).

    Args:
        rows: answers with the columns ``instance_id``, ``perturbation`` (empty for the original) and ``value``, and, if
            there are several, ``model``, ``scenario``, ``adapter``, ``trial`` and ``metric``, which set them apart.
        perturbations: names of the group's perturbations; rows of others are not looked at.
        higher_is_better: whether the least value is the worst one, or the greatest (which HELM forgets).

    Returns:
        One of the rows for every instance, in the order in which the instances first appear. A value that is not known
        is the worst of all; the original is taken before perturbations that are just as bad.

    Raises:
        RunError: an instance was asked in perturbed form only; it is named.
    """
    of_group = rows[rows["perturbation"].isin(["", *perturbations])]
    keys = [key for key in _KEYS if key in rows.columns]
    is_original = of_group["perturbation"] == ""
    has_original = is_original.groupby([of_group[key] for key in keys]).transform("any")
    if not has_original.all():
        name = of_group.loc[~has_original, "instance_id"].iloc[0]
        raise RunError(f"Instance {name!r} was asked only with a perturbation; ask it as it is too.")
    worst_first = of_group.assign(_changed=~is_original).sort_values(
        ["value", "_changed"], ascending=[higher_is_better, True], na_position="first", kind="stable"
    )
    in_order = of_group[keys].drop_duplicates()
    return in_order.merge(worst_first.drop_duplicates(keys), on=keys, how="left")[list(rows.columns)]
