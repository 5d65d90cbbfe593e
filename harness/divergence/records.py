"""The columns of ``tokens``: one row a model and scored token, what the model's and the reference's rows say of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from harness.columns import Column, schema
from harness.divergence.windows import Windows
from harness.serving.divergence import ComparedWindow

COLUMNS = (
    Column("model", pa.string(), "label of the model; the reference has no rows"),
    Column("window", pa.int64(), "of the text, from 0"),
    Column("position", pa.int64(), "of the token in its window"),
    Column("token", pa.int64(), "its id"),
    Column("logprob", pa.float64(), "its natural log-probability in the model"),
    Column("reference_logprob", pa.float64(), "and in the reference"),
    Column("kld", pa.float64(), "KL(reference, model) in nats over the whole vocabulary; of a compact store the least"),
    Column("kld_bound", pa.float64(), "how much more it is at most: 0 for an exact store"),
    Column("kld_reverse", pa.float64(), "KL(model, reference) in nats"),
    Column("same_top", pa.bool_(), "whether the likeliest token is the same; of several, the lowest id counts"),
    Column("reference_top", pa.float64(), "probability of the reference's likeliest token"),
    Column("near_tie", pa.bool_(), "whether the reference's two likeliest tokens are within 0.0001 of each other"),
)
SCHEMA = schema(COLUMNS)


def token_frame(model: str, windows: Windows, compared: Sequence[ComparedWindow]) -> pd.DataFrame:
    """The rows of one model, window by window.

    Args:
        model: its label.
        windows: what was asked.
        compared: the answer to each window, with one entry a scored token.
    """
    n_windows, n_scored = len(windows.tokens), windows.n_ctx - windows.score_from
    where = {
        "window": np.repeat(np.arange(n_windows), n_scored),
        "position": np.tile(np.arange(windows.score_from, windows.n_ctx), n_windows),
        "token": np.array(windows.tokens, np.int64)[:, windows.score_from :].ravel(),
    }
    values = {name: np.concatenate([getattr(one, name) for one in compared]) for name in ComparedWindow.model_fields}
    names = [column.name for column in COLUMNS]
    return pd.DataFrame({"model": model} | where | values, columns=names)


def no_tokens() -> pd.DataFrame:
    """The frame of a run that compared no distributions."""
    found: pd.DataFrame = SCHEMA.empty_table().to_pandas()
    return found
