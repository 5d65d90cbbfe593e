"""Rows of ``tokens``, from made-up logits of a reference and of models that are it with noise."""

from __future__ import annotations

import numpy as np
import pandas as pd


def token_rows(
    model: str = "q4_0",
    *,
    n_windows: int = 12,
    n_scored: int = 20,
    n_vocabulary: int = 50,
    noise: float = 0.3,
    seed: int = 0,
) -> pd.DataFrame:
    """As a run writes them; the reference is the same for the same seed and sizes."""
    rng = np.random.default_rng(seed)
    shape = (n_windows * n_scored, n_vocabulary)
    reference = 3 * rng.standard_normal(shape)
    moved = reference + noise * rng.standard_normal(shape)
    log_p, log_q = (logits - np.log(np.exp(logits).sum(1, keepdims=True)) for logits in (reference, moved))
    rows, token = np.arange(shape[0]), rng.integers(0, n_vocabulary, shape[0])
    best = np.sort(reference, axis=1)
    return pd.DataFrame(
        {
            "model": model,
            "window": np.repeat(np.arange(n_windows), n_scored),
            "position": np.tile(np.arange(n_scored), n_windows),
            "token": token,
            "logprob": log_q[rows, token],
            "reference_logprob": log_p[rows, token],
            "kld": (np.exp(log_p) * (log_p - log_q)).sum(1),
            "kld_bound": 0.0,
            "kld_reverse": (np.exp(log_q) * (log_q - log_p)).sum(1),
            "same_top": reference.argmax(1) == moved.argmax(1),
            "reference_top": np.exp(log_p).max(1),
            "near_tie": best[:, -1] - best[:, -2] < 1e-4,
        }
    )
