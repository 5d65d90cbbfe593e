"""One table of a data set: what the Hub calls a config's split, at one revision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

Row = dict[str, Any]

CONVERTED = "refs/convert/parquet"
"""The Hub's own conversion of a data set that is a script, with a folder for each config. Nobody pins its commits."""
MIRROR_ONLY = "offline mirrors only"
"""In the place of a revision: the Hub has no such table."""


@dataclass(frozen=True, slots=True)
class Table:
    """Names one table; ``str()`` of it is for people."""

    dataset: str
    """Id on the Hub, such as ``cais/mmlu``."""
    config: str
    split: str
    revision: str
    """Commit on the Hub, so that the same name means the same rows next year; a branch, where no commit is known; or
    :data:`MIRROR_ONLY`."""

    def __str__(self) -> str:
        return f"{self.dataset} ({self.config}, {self.split})"

    def name(self) -> dict[str, Any]:
        """The parts of the name, for JSON."""
        return {"dataset": self.dataset, "config": self.config, "split": self.split}


class Store(Protocol):
    """Where tables come from."""

    def rows(self, table: Table) -> Iterable[Row]:
        """All rows in their own order.

        Raises:
            MissingTable: the table is not here and cannot be had, or it is damaged.
        """
        ...

    def has(self, table: Table) -> bool:
        """Whether :meth:`rows` would give the table without a download."""
        ...
