"""A folder with tables of data sets, ``{dataset}/{config}/{split}.parquet``, whose columns are those on the Hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.data.parquet import count_rows, read_rows
from harness.data.table import Row, Table
from harness.errors import MissingTable, UserError

_PART = re.compile(r"-(\d{5})-of-(\d{5})\.parquet")


class Mirror:
    """All there is: what is not in the folder is not looked for elsewhere."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UserError(f"--dataset-dir: there is no folder {folder}; name one, or leave it out to use the Hub.")
        self._root = folder
        self._hashes: dict[Path, str] = {}

    def rows(self, table: Table) -> Iterable[Row]:
        """All rows of the table's file or files.

        Raises:
            MissingTable: the file, or a part of the table, is missing or damaged.
        """
        return read_rows(self._files(table))

    def has(self, table: Table) -> bool:
        """Whether all of the table's files are there."""
        try:
            return bool(self._files(table))
        except MissingTable:
            return False

    def count(self, table: Table) -> int | None:
        """Rows, without reading them; None where the table is not here."""
        return count_rows(self._files(table)) if self.has(table) else None

    def provenance(self, table: Table) -> dict[str, Any]:
        """For a run's record, of a table that is here: its name, the SHA-256 of its files and its number of rows.

        Raises:
            MissingTable: a file is missing or damaged.
        """
        files = [{"name": path.name, "sha256": self._sha256(path)} for path in self._files(table)]
        return table.name() | {"rows": self.count(table), "source": "mirror", "files": files}

    def _sha256(self, path: Path) -> str:
        """Read once, for a file may be large and several tasks may be made of it."""
        if path not in self._hashes:
            with path.open("rb") as file:
                self._hashes[path] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._hashes[path]

    def _files(self, table: Table) -> list[Path]:
        """One file, or all parts ``{split}-00000-of-00002.parquet`` in their order."""
        folder = self._root / table.dataset / table.config
        single = folder / f"{table.split}.parquet"
        if single.is_file():
            return [single]
        for path in sorted(folder.glob(f"{table.split}-*.parquet")):
            part = _PART.fullmatch(path.name.removeprefix(table.split))
            if part:
                total = int(part[2])
                parts = [folder / f"{table.split}-{i:05}-of-{total:05}.parquet" for i in range(total)]
                missing = next((one for one in parts if not one.is_file()), None)
                if missing:
                    raise _not_there(missing)
                return parts
        raise _not_there(single)


def _not_there(path: Path) -> MissingTable:
    return MissingTable(
        f"{path} is not there",
        "add the file, or leave out --dataset-dir and run `harness scenarios prefetch {scenario}`",
    )
