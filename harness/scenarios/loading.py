"""Loading a scenario's instances: its tables first, and whatever is wrong with a row told by its number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.data.hub import Hub
from harness.data.table import Row, Store, Table
from harness.errors import MissingTable
from harness.scenarios.base import Data, Scenario


def load_data(scenario: Scenario, store: Store) -> Data:
    """The instances of a scenario. Tables that a download would get are got first, those of its examples too.

    Raises:
        MissingTable: a table cannot be had, or the scenario cannot read one of its rows; the sentence names the
            scenario, the table and the row.
    """
    watched = _Watched(store)
    # Examples may be missing in a mirror, which is all there is; on the Hub they would be there to be had.
    needed = (*scenario.tables, *scenario.example_tables) if isinstance(store, Hub) else scenario.tables
    try:
        for table in needed:
            if not store.has(table):
                store.rows(table)
        return scenario.load(watched)
    except MissingTable as error:
        raise error.of(scenario.name) from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        if watched.at is None:
            raise
        raise MissingTable(
            f"{scenario.name}: {watched.at} cannot be read ({_reason(error)})",
            "the scenario needs the columns and types that the table has on the Hub; check where it came from",
        ) from error


class _Watched:
    """A store that remembers which row it gave last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.at: str | None = None
        """In words; None before the first row."""

    def rows(self, table: Table) -> Iterable[Row]:
        return _Rows(self, table, self._store.rows(table))

    def has(self, table: Table) -> bool:
        return self._store.has(table)


class _Rows:
    """Rows of a table, which may be passed through again."""

    def __init__(self, watched: _Watched, table: Table, rows: Iterable[Row]) -> None:
        self._watched, self._table, self._rows = watched, table, rows

    def __iter__(self) -> Iterator[Row]:
        for number, row in enumerate(self._rows, 1):
            self._watched.at = f"row {number} of {self._table}"
            yield row
        self._watched.at = str(self._table)


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no column {error}"
    return str(error).rstrip(".") or type(error).__name__
