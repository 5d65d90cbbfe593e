"""From the folder of a run to its frames."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.degradation.columns import DEGRADATION, SLICES
from harness.divergence.records import COLUMNS as TOKEN_COLUMNS
from harness.efficiency.samples import DTYPES as SAMPLE_DTYPES
from harness.errors import UserError
from harness.evidence.record import AGAIN, check_record
from harness.execution.gather import frame
from harness.execution.records import SCHEMA, SCORE_SCHEMA
from harness.results import Findings, Measured, Run
from harness.run_spec import SCHEMA_VERSION

RECORD = "run.json"


def load_run(folder: str | Path) -> Run:
    """A run that ``harness run`` wrote, as it was in memory.

    ``run.measured`` and ``run.findings`` have the frames; ``correct`` in them is a nullable boolean.

    Args:
        folder: where ``run.json`` is.

    Raises:
        UserError: there is no run, one that another version wrote, or a file that is missing, broken or without a
            column.
    """
    place = Path(folder)
    record = load_record(place)
    measured = Measured(
        instances=frame(_table(place, "instances", SCHEMA)),
        scores=frame(_table(place, "scores", SCORE_SCHEMA)),
        tokens=_optional(place, "tokens", (column.name for column in TOKEN_COLUMNS)),
        efficiency=_optional(place, "efficiency", SAMPLE_DTYPES),
    )
    findings = Findings(
        degradation=_required(place, "degradation", (column.name for column in DEGRADATION)),
        slices=_optional(place, "slices", (column.name for column in SLICES)),
        notes=record["remarks"],
    )
    return Run(record, measured, findings)


def load_record(folder: Path) -> dict[str, Any]:
    """``run.json``.

    Raises:
        UserError: it is not there, is no record of a run or another version's, or lacks something.
    """
    path = folder / RECORD
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; name one that `harness run` made.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder} is no run: it has no {RECORD}; name a folder that `harness run` made.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error}); {AGAIN}.") from error
    if not isinstance(record, dict) or "schema_version" not in record:
        raise UserError(f"{path} is no record of a run; name a folder that `harness run` made.")
    if record["schema_version"] != SCHEMA_VERSION:
        raise UserError(
            f"{path} has the schema_version {record['schema_version']}, and this version of quant-harness reads "
            f"{SCHEMA_VERSION}; {AGAIN}."
        )
    check_record(record, path)
    return record


def _table(folder: Path, name: str, schema: pa.Schema) -> pa.Table:
    """A frame whose columns have declared types."""
    table = _read(folder, name)
    for field in schema:
        if field.name not in table.column_names:
            raise _without(folder, name, field.name)
        found = table.schema.field(field.name).type
        if found != field.type:
            path = folder / f"{name}.parquet"
            raise UserError(f"{path}: the column '{field.name}' has the type {found} instead of {field.type}; {AGAIN}.")
    return table.select(schema.names)


def _optional(folder: Path, name: str, columns: Iterable[str]) -> pd.DataFrame:
    """A frame of something that a run need not have measured: without rows it need not have columns."""
    table = _read(folder, name)
    return _pandas(table) if not table.num_rows else _with_columns(folder, name, table, columns)


def _required(folder: Path, name: str, columns: Iterable[str]) -> pd.DataFrame:
    return _with_columns(folder, name, _read(folder, name), columns)


def _with_columns(folder: Path, name: str, table: pa.Table, columns: Iterable[str]) -> pd.DataFrame:
    for column in columns:
        if column not in table.column_names:
            raise _without(folder, name, column)
    return _pandas(table)


def _read(folder: Path, name: str) -> pa.Table:
    path = folder / f"{name}.parquet"
    try:
        return pq.read_table(path)
    except FileNotFoundError:
        raise UserError(f"{folder} lacks {path.name}; {AGAIN}.") from None
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path} cannot be read as Parquet ({str(error).rstrip('.')}); {AGAIN}.") from error


def _without(folder: Path, name: str, column: str) -> UserError:
    return UserError(f"{folder / name}.parquet lacks the column '{column}'; {AGAIN}.")


def _pandas(table: pa.Table) -> pd.DataFrame:
    found: pd.DataFrame = table.to_pandas()
    return found
