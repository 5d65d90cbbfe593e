"""How well a model predicts a text: bits per byte, and perplexity per token."""

from __future__ import annotations

import math

import pandas as pd

from harness.metrics.base import Metric, SetMetric
from harness.types import Answer, Instance


def judge(_instance: Instance, answer: Answer) -> float:
    """-log2 P(text) / bytes, over the scored tokens (HELM's ``bits_per_byte``); NaN where nothing was scored."""
    return -answer.logprob / math.log(2) / answer.n_bytes if answer.n_bytes else math.nan


def _bytes(answer: Answer) -> float:
    return float(answer.n_bytes)


def judge_perplexity(rows: pd.DataFrame) -> float:
    """exp(-sum of ``logprob`` / number of ``token_logprobs``) over all rows; NaN where nothing was scored.

    HELM's ``perplexity``. Texts of all lengths are pooled, so it is no mean over them.
    """
    n_tokens = int(rows["token_logprobs"].map(len).sum())
    if not n_tokens:
        return math.nan
    try:
        return math.exp(-float(rows["logprob"].sum()) / n_tokens)
    except OverflowError:
        return math.inf


BITS_PER_BYTE = Metric(
    "bits_per_byte",
    judge,
    is_binary=False,
    higher_is_better=False,
    is_share=False,
    weight=_bytes,
    needs="likelihood",
)
PERPLEXITY = SetMetric("perplexity", judge_perplexity, higher_is_better=False, is_share=False, needs="likelihood")
