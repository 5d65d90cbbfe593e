"""What scenarios are tested with: tables of invented rows, the offline mirror, and a model that reads bytes."""

from __future__ import annotations

import fnmatch
import json
import os
from pathlib import Path

import pytest

from harness.adaptation.window import ByteWindow
from harness.data.table import Row, Store, Table

INVENTED = Path(__file__).parent / "invented"
MIRROR = os.environ.get("HARNESS_DATASET_DIR")


class InventedStore:
    """Rows of our own with the Hub's schemas: ``invented/*.json``, each ``{"DATASET/CONFIG/SPLIT": [row, ...]}``.

    A star in a key stands for any text, so that configs that look alike share their rows.
    """

    def __init__(self) -> None:
        self._tables: dict[str, list[Row]] = {}
        for path in sorted(INVENTED.glob("*.json")):
            tables: dict[str, list[Row]] = json.loads(path.read_text(encoding="utf-8"))
            assert not tables.keys() & self._tables.keys(), f"{path.name} repeats a table of another file"
            self._tables |= tables

    def rows(self, table: Table) -> list[Row]:
        name = _name(table)
        found = self._tables.get(name)
        if found is not None:
            return found
        return next(rows for pattern, rows in self._tables.items() if fnmatch.fnmatchcase(name, pattern))

    def has(self, table: Table) -> bool:
        return any(fnmatch.fnmatchcase(_name(table), pattern) for pattern in self._tables)


def _name(table: Table) -> str:
    return f"{table.dataset}/{table.config}/{table.split}"


@pytest.fixture(scope="session")
def invented() -> Store:
    """All invented tables."""
    return InventedStore()


@pytest.fixture(scope="session")
def window() -> ByteWindow:
    """A model whose tokens are bytes."""
    return ByteWindow()


@pytest.fixture(scope="session")
def mirror() -> Store:
    """The real tables of the offline mirror; without one the test is skipped."""
    if not MIRROR:
        pytest.skip("HARNESS_DATASET_DIR names no mirror")
    from harness.data.store import open_store

    return open_store(Path(MIRROR))
