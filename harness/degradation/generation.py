"""How far generated answers depart from the reference's: where first, in how many, and by how much."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rapidfuzz.distance import Levenshtein
from scipy.stats import CensoredData, ecdf

from harness.methods import METHODS

PAIR = ["scenario", "adapter", "trial", "instance_id", "perturbation"]
GROUP = ["model", "scenario", "adapter", "perturbation"]


def generation_rows(instances: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Generated answers of each model against the reference's, a row a model, scenario, adapter and perturbation.

    Args:
        instances: the frame of that name.
        reference: label of the model that the others are compared with.

    Returns:
        Columns ``model``, ``scenario``, ``adapter``, ``perturbation``, ``n``; ``same_answer``, the share of answers
        that are the reference's, character by character; ``edit_distance``, the mean of Levenshtein distances, each
        divided by the length of the longer answer, 0 to 1; ``first_difference``, the median number of tokens before
        the first other one, NaN where fewer than half of the answers have one, or none were compared by tokens.
    """
    written = instances[instances["adapter"].map(_is_written).astype(bool)]
    theirs = written[written["model"] == reference][[*PAIR, "answer"]].rename(columns={"answer": "reference_answer"})
    pairs = written[written["model"] != reference].merge(theirs, on=PAIR)
    rows = [
        {
            **dict(zip(GROUP, key, strict=True)),
            "n": len(group),
            "same_answer": float((group["answer"] == group["reference_answer"]).mean()),
            "edit_distance": float(np.mean(list(map(_distance, group["answer"], group["reference_answer"])))),
            "first_difference": _median(first_difference(group)),
        }
        for key, group in pairs.groupby(GROUP, sort=False)
    ]
    return pd.DataFrame(rows, columns=[*GROUP, "n", "same_answer", "edit_distance", "first_difference"])


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


def _median(curve: pd.DataFrame) -> float:
    below = curve[curve["surviving"] <= 0.5]
    return float(below["tokens"].iloc[0]) if len(below) else float("nan")


def _distance(answer: str, other: str) -> float:
    return float(Levenshtein.normalized_distance(answer, other))


def _is_written(adapter: str) -> bool:
    method = METHODS.get(adapter.removesuffix("_chat"))
    return method is not None and method.writes != "nothing"
