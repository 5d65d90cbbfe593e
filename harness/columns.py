"""Columns of a run's files: declared once where they are filled, read by whoever writes, checks or documents them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import pyarrow as pa

Type = TypeVar("Type", pa.DataType, str)
"""Arrow's type of what is measured, pandas' name of it for what is found."""

TEXT, NUMBER, COUNT, MAYBE_COUNT, TRUTH = "str", "float64", "int64", "Int64", "bool"
"""pandas' names: texts are empty and numbers NaN where there is nothing to say."""


class Column(NamedTuple, Generic[Type]):
    """One column."""

    name: str
    type: Type
    meaning: str


def schema(columns: Sequence[Column[pa.DataType]]) -> pa.Schema:
    """What a Parquet file with these columns declares, their meanings included."""
    return pa.schema([pa.field(one.name, one.type, metadata={"meaning": one.meaning}) for one in columns])
