"""How far generated answers depart from the reference's: in how many, by how much, and after how many tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from scipy.stats import CensoredData, ecdf

from harness.degradation.binary import CONFIDENCE, Interval, normal_reach, share_limits
from harness.degradation.clusters import FEWEST, clustered, count_groups
from harness.degradation.comparison import NOT_CLUSTERED
from harness.keys import QUESTION
from harness.methods import METHODS

SAME, SIMILAR = "same_answer", "edit_similarity"
DEPARTED = {"first_difference_p10": 0.1, "first_difference_p25": 0.25, "first_difference_median": 0.5}
"""Metrics: the number of tokens after which such a share of the answers has departed from the reference's."""
TASK = ["model", "scenario", "adapter", "perturbation"]

Floats = NDArray[np.float64]
Labels = NDArray[np.object_]


def generation_rows(instances: pd.DataFrame, reference: str, *, seed: int) -> Iterator[dict[str, Any]]:
    """Rows with the columns of ``degradation`` for every model but the reference, task and perturbation.

    Args:
        instances: the answers, with the columns of :data:`harness.execution.records.COLUMNS`, each question once a
            model. Only tasks in which sentences are written count, and not those in which a label is.
        reference: label of the model that the others are compared with.
        seed: of the resampling.
    """
    written = instances[instances["adapter"].map(_is_written).astype(bool)]
    theirs = written.loc[written["model"] == reference, [*QUESTION, "answer"]]
    others = written[written["model"] != reference]
    pairs = others.merge(theirs, on=QUESTION, suffixes=("", "_reference"), validate="many_to_one")
    for key, answers in pairs.groupby(TASK, sort=False):
        for row in (*_likeness(answers, seed), *_departures(answers)):
            yield dict(zip(TASK, key, strict=True)) | row


def first_difference(answers: pd.DataFrame) -> pd.DataFrame:
    """After how many tokens answers depart from the reference's: the Kaplan-Meier estimate of those that have not yet.

    An answer that ends without a difference is censored at its end: how it would have gone on is not known.

    Args:
        answers: rows of ``instances``; those without a prediction count for nothing.

    Returns:
        Columns ``tokens``, at which some depart, and ``surviving``, the share of answers that go on like the
        reference's for more tokens than that; no rows where none depart.
    """
    known = answers.dropna(subset=["n_predicted", "n_accepted"])
    tokens = known["n_accepted"].to_numpy(dtype=float)
    differs = tokens < known["n_predicted"].to_numpy(dtype=float)
    if not differs.any():
        return pd.DataFrame({"tokens": [], "surviving": []}, dtype=float)
    found = ecdf(CensoredData(uncensored=tokens[differs], right=tokens[~differs])).sf
    at = np.isin(found.quantiles, tokens[differs])
    return pd.DataFrame({"tokens": found.quantiles[at], "surviving": found.probabilities[at]})


def _likeness(answers: pd.DataFrame, seed: int) -> Iterator[dict[str, Any]]:
    """Means over instances of what lies between 0 and 1, which is the reference's likeness to itself."""
    texts = list(zip(answers["answer"], answers["answer_reference"], strict=True))
    of_instances = answers.assign(
        **{SAME: [float(own == other) for own, other in texts]},
        **{SIMILAR: [float(Levenshtein.normalized_similarity(own, other)) for own, other in texts]},
    ).groupby("instance_id")
    groups = of_instances["group"].first().to_numpy(object)
    for metric in (SAME, SIMILAR):
        differences = of_instances[metric].mean().to_numpy() - 1
        limits, delta = _limits(differences, groups, seed), float(differences.mean())
        yield _counts(groups) | {"metric": metric, "value": 1 + delta, "reference_value": 1.0, "delta": delta} | limits


def _departures(answers: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Quantiles of the first difference: missing where fewer depart; no rows where nothing was predicted."""
    known = answers.dropna(subset=["n_predicted", "n_accepted"])
    if not len(known):
        return
    curve = first_difference(known)
    groups = known.groupby("instance_id")["group"].first().to_numpy(object)
    for metric, share in DEPARTED.items():
        tokens = curve.loc[curve["surviving"] <= 1 - share + 1e-12, "tokens"]
        yield _counts(groups) | {"metric": metric, "value": float(tokens.iloc[0]) if len(tokens) else np.nan}


def _counts(groups: Labels) -> dict[str, Any]:
    n_groups = count_groups(groups)
    return {"n": len(groups)} | ({"n_groups": n_groups} if n_groups < len(groups) else {})


def _limits(differences: Floats, groups: Labels, seed: int) -> dict[str, Any]:
    """Agresti-Min's, as of right-or-wrong answers; no answer is more like the reference's than its own."""
    n_groups = count_groups(groups)
    if FEWEST <= n_groups < len(groups):
        found = clustered(differences, groups, right_or_wrong=True, seed=seed)
    else:
        n, reach = len(differences), normal_reach(CONFIDENCE)
        low, high = share_limits(differences.sum(), (differences**2).sum(), n, reach)
        found = Interval(float(low), float(high), "agresti-min" + (NOT_CLUSTERED if n_groups < n else ""))
    return {"ci_low": found.low, "ci_high": min(found.high, 0.0), "interval": found.method}


def _is_written(adapter: str) -> bool:
    method = METHODS.get(adapter.removesuffix("_chat"))
    return method is not None and method.writes in ("text", "reasons")
