"""Where tables come from: a folder with the same tables as the Hub, or the Hub through ``datasets``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.data.table import Row, Store, Table
from harness.errors import UserError


class Mirror:
    """A folder with ``{dataset}/{config}/{split}.parquet``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rows(self, table: Table) -> Iterable[Row]:
        """All rows of the file."""
        import datasets

        if not self.has(table):
            raise UserError(f"{self._path(table)} is not there.")
        rows: Iterable[Row] = datasets.Dataset.from_parquet(str(self._path(table)))
        return rows

    def has(self, table: Table) -> bool:
        """Whether the file is there."""
        return self._path(table).is_file()

    def _path(self, table: Table) -> Path:
        return self._folder / table.dataset / table.config / f"{table.split}.parquet"


def open_store(folder: Path | None) -> Store:
    """The mirror in ``folder``, or the Hub."""
    return Mirror(folder or Path())
