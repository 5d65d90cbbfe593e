"""Samples of speed and memory, and the table that follows from them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from harness.columns import COUNT, MAYBE_COUNT, NUMBER, TEXT, Column


class Quantity(StrEnum):
    """What a sample is of."""

    PREFILL = "prefill_tokens_per_second"
    DECODE = "decode_tokens_per_second"
    FIRST_TOKEN = "seconds_to_first_token"
    PEAK_RSS = "peak_rss_bytes"
    GPU = "gpu_bytes"


class Sample(NamedTuple):
    """A row of ``efficiency.parquet``."""

    model: str
    round: int
    """From 1; 0 for what was read when the model's questions had been asked."""
    quantity: Quantity
    value: float


DTYPES = {"model": "str", "round": "int64", "quantity": "str", "value": "float64"}
COLUMNS = (
    Column("model", TEXT, "label of the model"),
    Column("bytes", MAYBE_COUNT, "of its file, or of all parts; missing where no file is known"),
    Column("bits_per_weight", NUMBER, "8 bytes / parameters; missing likewise"),
    Column(
        "prefill_tokens_per_second", NUMBER, "tokens of a prompt over the time to the first token, median of the rounds"
    ),
    Column("prefill_iqr", NUMBER, "spread of the rounds: upper less lower quartile; missing with one round"),
    Column(
        "decode_tokens_per_second", NUMBER, "tokens after the first over their time, one stream, median of the rounds"
    ),
    Column("decode_iqr", NUMBER, "spread of the rounds"),
    Column("first_token_p50", NUMBER, "seconds from sending a short question to its first token, median of all rounds"),
    Column("first_token_p95", NUMBER, "its 95th percentile"),
    Column("peak_rss_bytes", NUMBER, "most main memory that the server ever had, pages of the file included"),
    Column("gpu_bytes", NUMBER, "memory on GPUs, 0 without one"),
    Column("rounds", COUNT, "how many were timed"),
)
"""Of ``efficiency.csv``."""


_Found = dict[tuple[str, str], dict[int, list[float]]]
"""Values by model and quantity, and in these by round."""


def samples_frame(samples: Sequence[Sample]) -> pd.DataFrame:
    """Samples as a frame, whose columns are there without any too."""
    return pd.DataFrame(samples, columns=list(DTYPES)).astype(DTYPES)


def efficiency_table(samples: pd.DataFrame, models: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """What the samples say, a row a model; pure.

    Args:
        samples: ``efficiency.parquet``; NaN is no sample. A model without any has missing values.
        models: ``models`` of ``run.json``, whose order the table has.
    """
    found: _Found = defaultdict(lambda: defaultdict(list))
    known = samples if len(samples) else samples_frame(())
    for label, number, quantity, value in zip(*(known[name].tolist() for name in DTYPES), strict=True):
        if not math.isnan(value):
            found[label, quantity][number].append(value)
    rows = [_row(model, found) for model in models]
    types = {column.name: column.type for column in COLUMNS}
    return pd.DataFrame(rows, columns=list(types)).astype(types)


def _row(model: Mapping[str, Any], found: _Found) -> tuple[Any, ...]:
    prefill, decode, first, resident, gpu = (found[model["label"], quantity] for quantity in Quantity)
    speeds, generated = ([median(values) for values in rounds.values()] for rounds in (prefill, decode))
    return (
        *(model["label"], model["bytes"], model["bits_per_weight"]),
        *(_quantile(speeds, 0.5), _spread(speeds), _quantile(generated, 0.5), _spread(generated)),
        *(_quantile(_all(first), 0.5), _quantile(_all(first), 0.95)),
        *(max(_all(resident), default=math.nan), max(_all(gpu), default=math.nan)),
        len(prefill.keys() | decode.keys()),
    )


def _all(rounds: Mapping[int, list[float]]) -> list[float]:
    return [value for values in rounds.values() for value in values]


def _quantile(values: list[float], share: float) -> float:
    return float(np.quantile(values, share)) if values else math.nan


def _spread(values: list[float]) -> float:
    return _quantile(values, 0.75) - _quantile(values, 0.25) if len(values) > 1 else math.nan
