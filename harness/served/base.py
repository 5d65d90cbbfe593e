"""What a run wants of each of its models, whoever serves it, and of those who name them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from harness.execution.abilities import Ability
from harness.serving.endpoint import Endpoint


class Served(Protocol):
    """One model of a run, and how to come by its endpoint."""

    @property
    def label(self) -> str:
        """What tables call it; unique in a run."""
        ...

    @property
    def ability(self) -> Ability:
        """What its endpoint can do."""
        ...

    @property
    def vocabulary_size(self) -> int | None:
        """Tokens in its vocabulary, where that is known."""
        ...

    @property
    def bytes_to_load(self) -> int | None:
        """Bytes of the file that its server will load; None where that runs already."""
        ...

    @property
    def record(self) -> dict[str, Any]:
        """Its entry in ``models`` of ``run.json``: the same keys for all, null where something is not known."""
        ...

    def open(self, *, slots: int, store: Path | None) -> AbstractContextManager[Endpoint]:
        """Its endpoint, fit for what :attr:`ability` says.

        Args:
            slots: sequences that a server that is started now has under way at once.
            store: folder in which a server that is started now may record next-token distributions.

        Raises:
            UserError: a server refused the model.
            RunError: a server or an endpoint failed.
        """
        ...


class Prepared(NamedTuple):
    """Models that can be served."""

    models: Sequence[Served]
    """The reference first, its null run last if there is one."""
    notes: list[str]
    """Sentences that a reader must know."""


class Source(Protocol):
    """The models that a command line names."""

    def words(self) -> list[str]:
        """The options that name them again."""
        ...

    def plain(self) -> dict[str, Any]:
        """What JSON can say of them; no keys and no passwords."""
        ...

    def prepare(self, reference: str | None, *, null: int | None, folder: Path, say: Callable[[str], None]) -> Prepared:
        """See that there are such models, and make those that have to be made.

        Args:
            reference: what names the model that the others are compared with; None for the usual one.
            null: requests that the null run will have under way at once; None where there is to be no null run.
            folder: where servers that are started leave their logs.
            say: told what is being done, in a few words.

        Raises:
            UserError: something that is named is not usable, or there is nothing to compare.
            RunError: something failed on the way.
        """
        ...
