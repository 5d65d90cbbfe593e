"""Efficiency: how much was generated, and how long it took (HELM's ``num_output_tokens`` and ``inference_runtime``).

Requests share the server with others that are under way, so a time says how fast the run went, not how fast the model
is alone; ``--concurrency 1`` makes it the latter. Where it is measured, no model gets the reference's answers as
predictions. HELM's "denoised" runtime needs a table of known machines and is left
out.
"""

from __future__ import annotations

import math

import pandas as pd

from harness.metrics.base import Metric, SetMetric
from harness.types import Answer, Instance


def _n_tokens(_instance: Instance, answer: Answer) -> float:
    """Tokens of the answer, generated or scored."""
    return float(len(answer.token_logprobs))


def _runtime(rows: pd.DataFrame) -> float:
    """Mean of the column ``seconds``: from sending a request to having its answer."""
    return float(rows["seconds"].mean()) if len(rows) else math.nan


NUM_OUTPUT_TOKENS = Metric(
    "num_output_tokens",
    _n_tokens,
    is_binary=False,
    higher_is_better=True,
    is_share=False,
    needs=None,
    reads_logprobs=True,
)
INFERENCE_RUNTIME = SetMetric("inference_runtime", _runtime, higher_is_better=False, is_share=False, needs=None)
