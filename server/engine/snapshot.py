"""Who is in the KV cache at one moment, for ``/slots`` and ``/metrics``."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from server.engine.prefix_cache import Resident
from server.engine.score_tree import common_prefix
from server.engine.sequence import Sequence


@dataclass(frozen=True, slots=True)
class Occupant:
    """One sequence in the cache."""

    slot: int
    active: bool
    """Whether it is being computed; else it is kept for its prefix."""
    tokens: int
    """How many of its tokens are in the cache."""
    generated: int
    remaining: int
    """Tokens that it may still generate."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The engine between two batches."""

    occupants: tuple[Occupant, ...]
    waiting: int
    cells: int
    """Size of the KV cache in tokens."""
    used: int
    """Cells in use; a prefix that several sequences share is counted once."""
    active: int
    """Cells in use by sequences that are being computed."""
    score_bytes: int

    @property
    def running(self) -> int:
        """Sequences that are being computed."""
        return sum(occupant.active for occupant in self.occupants)


def take_snapshot(
    active: list[Sequence], waiting: int, residents: list[Resident], cells: int, score_bytes: int
) -> Snapshot:
    """Count; called between two batches, in the engine's thread."""
    computed = [tuple(sequence.tokens[: sequence.computed].tolist()) for sequence in active]
    kept = [tuple(resident.tokens.tolist()) for resident in residents]
    occupants = [
        Occupant(
            sequence.slot,
            True,
            sequence.computed,
            sequence.length - len(sequence.prompt),
            len(sequence.tokens) - sequence.length,
        )
        for sequence in active
    ]
    occupants += [Occupant(resident.slot, False, len(resident.tokens), 0, 0) for resident in residents]
    return Snapshot(
        occupants=tuple(occupants),
        waiting=waiting,
        cells=cells,
        used=_distinct(computed + kept),
        active=_distinct(computed),
        score_bytes=score_bytes,
    )


def _distinct(sequences: list[tuple[int, ...]]) -> int:
    """Tokens in all sequences, those of a common prefix once: in sorted order, neighbours share the most."""
    ordered = [np.array(tokens, np.int32) for tokens in sorted(sequences)]
    shared = sum(common_prefix(a, b) for a, b in itertools.pairwise(ordered))
    return sum(map(len, ordered)) - shared
