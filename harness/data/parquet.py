"""Rows of Parquet files, one table in one file or several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.data.table import Row
from harness.errors import MissingTable

BATCH = 100
"""Rows that are held at once; a table may be larger than memory, and a row a whole book."""


def read_rows(paths: list[Path]) -> Iterable[Row]:
    """All rows, file after file, as often as they are asked for. What ``datasets`` calls ClassLabel is a whole number.

    Raises:
        MissingTable: a file is damaged; at once if that shows at its end, where Parquet keeps the schema.
    """
    for path in paths:
        _open(path).close()
    return _Rows(paths)


def count_rows(paths: list[Path]) -> int:
    """How many rows there are, without reading them; errors as in :func:`read_rows`."""
    total = 0
    for path in paths:
        with _open(path) as file:
            total += file.metadata.num_rows
    return total


class _Rows:
    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    def __iter__(self) -> Iterator[Row]:
        for path in self._paths:
            with _open(path) as file:
                batches = file.iter_batches(BATCH)
                while (batch := _next(batches, path)) is not None:
                    yield from batch.to_pylist()


def _next(batches: Iterator[pa.RecordBatch], path: Path) -> pa.RecordBatch | None:
    try:
        return next(batches, None)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> MissingTable:
    said = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return MissingTable(f"{path} cannot be read as Parquet ({said})", "remove it and get it again")
