"""Ranking: how near the top the relevant passages come when all are sorted by their scores.

Passages with equal scores have no order of their own: the value is the mean over all orders of them, so that neither
the data set's order nor chance decides. (HELM leaves them in the order of the data set.)
"""

from __future__ import annotations

import math

import numpy as np

from harness.metrics.base import Metric
from harness.types import Answer, Instance

K = 10
"""Ranks that count."""


def _has_scores(answer: Answer) -> bool:
    return bool(answer.choice_logprobs) and not any(map(math.isnan, answer.choice_logprobs))


def judge_rr(instance: Instance, answer: Answer) -> float:
    """1 / rank of the first relevant passage, 0 beyond :data:`K`; NaN for an answer without scores."""
    if not _has_scores(answer):
        return math.nan
    is_relevant = np.array([reference.is_correct for reference in instance.references])
    scores = np.array(answer.choice_logprobs)
    if not is_relevant.any():
        return 0.0
    best = scores[is_relevant].max()
    before = int((scores > best).sum())
    tied, relevant = int((scores == best).sum()), int((scores[is_relevant] == best).sum())
    # Of all orders of the tied, this share has its first relevant one at place i, counted from 0.
    shares = (math.comb(tied - i - 1, relevant - 1) / math.comb(tied, relevant) for i in range(tied - relevant + 1))
    return sum(share / (before + i + 1) for i, share in enumerate(shares) if before + i < K)


def judge_ndcg(instance: Instance, answer: Answer) -> float:
    """Discounted cumulative gain of the first :data:`K`, over that of the best order (scikit-learn's ``ndcg_score``).

    Relevant passages gain 1. 0 where none is relevant; NaN for an answer without scores.
    """
    if not _has_scores(answer):
        return math.nan
    is_relevant = np.array([[reference.is_correct for reference in instance.references]], float)
    if is_relevant.size == 1:  # scikit-learn refuses to rank one passage
        return float(is_relevant[0, 0])
    from scipy.stats import rankdata
    from sklearn.metrics import ndcg_score

    # Ranks sort as the scores do, and are finite even where a score is not.
    ranks = rankdata(np.array([answer.choice_logprobs]), method="dense", axis=1)
    return float(ndcg_score(is_relevant, ranks, k=K))


RR_AT_10 = Metric("rr_at_10", judge_rr, is_binary=False, higher_is_better=True, needs="passage scores")
NDCG_AT_10 = Metric("ndcg_at_10", judge_ndcg, is_binary=False, higher_is_better=True, needs="passage scores")
