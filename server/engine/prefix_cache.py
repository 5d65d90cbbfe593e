"""Who is in the KV cache: active sequences, and finished ones kept for their prefix until the room is needed.

A prompt that begins like another, active or finished, starts from a copy of the common part, which takes no memory in
a unified cache: llama.cpp keeps for each cell the set of sequences that hold it, and frees it with the last of them. So
the tree of prefixes is in the cells themselves. Evicting a sequence, least recently used first, frees what it alone
holds, and with a few dozen sequences to compare, a scan finds the longest prefix in microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.engine.context import Context
from server.engine.score_tree import common_prefix
from server.engine.sequence import Sequence

WORTH_WAITING = 8
"""Tokens that must be saved before a prompt waits for another one to be computed."""


class Place(NamedTuple):
    """Where a sequence begins."""

    slot: int
    start: int
    """Leading tokens that are in the slot already."""


@dataclass(eq=False, slots=True)
class Resident:
    """A finished sequence whose keys and values are still in the cache."""

    slot: int
    tokens: NDArray[np.int32]
    """The tokens in the cache."""
    namespace: str
    used_at: int
    """Tick of the last use; the lowest is evicted first."""


class PrefixCache:
    """Slots of the KV cache, free or resident, and the search for common prefixes."""

    def __init__(self, context: Context, slots: int, *, share: bool, kept: int, shares_scores: bool) -> None:
        """Hold up to ``slots`` sequences, finished ones with ``kept`` tokens in all, or the last one alone.

        More could be kept, but attention passes over every cell that is in use: with 8,192 cells of others a prompt of
        512 tokens took 1.4 times as long as in an empty cache (125M parameters, flash attention, one core).
        """
        self._context = context
        self._kept = kept
        self._shares_scores = shares_scores
        """Whether what one prompt is scored for, another can read; else there is no use in waiting for it."""
        self._slots = slots
        self._free = list(range(slots))
        self._residents: list[Resident] = []
        self._share = share
        self._tick = 0

    def place(self, sequence: Sequence, limit: int, active: list[Sequence]) -> Place | None:
        """A slot for a new sequence, already holding the longest known prefix of its first ``limit`` tokens.

        Returns None where an active sequence is about to compute a longer common prefix: waiting is cheaper.
        """
        best, donor = 0, -1
        if self._share and sequence.job.cache is not None:
            best, donor = self._longest_kept(sequence, limit)
            for other in active:
                if other.job.cache != sequence.job.cache:
                    continue
                now = min(common_prefix(sequence.prompt, other.tokens[: other.computed]), limit)
                later = min(common_prefix(sequence.prompt, other.prompt), self._limit_after(sequence, limit, other))
                if other.in_prompt and later - max(now, best) >= WORTH_WAITING:
                    return None
                if now > best:
                    best, donor = now, other.slot
        self._tick += 1
        for resident in self._residents:
            if resident.slot == donor:
                resident.used_at = self._tick
        slot = self._take_slot(keep=donor)
        if slot == donor:  # the last idle slot is the donor itself: cut it back instead of copying
            self._context.truncate(slot, best)
        elif best > 0:
            self._context.copy(donor, slot, best)
        return Place(slot, best)

    def _longest_kept(self, sequence: Sequence, limit: int) -> tuple[int, int]:
        """The longest prefix that a finished sequence holds, and that sequence's slot."""
        best, donor = 0, -1
        for resident in self._residents:
            if resident.namespace != sequence.job.cache:
                continue
            shared = min(common_prefix(sequence.prompt, resident.tokens), limit)
            if shared > best:
                best, donor = shared, resident.slot
        return best, donor

    def _limit_after(self, sequence: Sequence, limit: int, other: Sequence) -> int:
        """What ``limit`` will be once ``other`` has computed its prompt, and its scores are known."""
        mine, theirs = sequence.scores, other.scores
        if mine is None or sequence.job.score_from is None or not self._shares_scores:
            return limit
        scored_too = theirs is not None and theirs.first <= mine.end and theirs.k >= mine.k
        return len(sequence.prompt) - 1 if scored_too else limit

    def _take_slot(self, keep: int) -> int:
        if self._free:
            return self._free.pop()
        others = [resident for resident in self._residents if resident.slot != keep]
        if others:
            self._evict(min(others, key=lambda resident: resident.used_at))
            return self._free.pop()
        self._residents = [resident for resident in self._residents if resident.slot != keep]
        return keep

    def keep(self, sequence: Sequence) -> None:
        """A sequence has ended; hold on to what it computed."""
        if not self._share or sequence.job.cache is None or sequence.computed == 0:
            self._context.truncate(sequence.slot, 0)
            self._free.append(sequence.slot)
            return
        self._tick += 1
        tokens = sequence.tokens[: sequence.computed].copy()
        for resident in list(self._residents):  # the new one holds all that such a one holds
            if resident.namespace == sequence.job.cache and _begins_with(tokens, resident.tokens):
                self._evict(resident)
        self._residents.append(Resident(sequence.slot, tokens, sequence.job.cache, self._tick))
        while len(self._residents) > 1 and sum(len(resident.tokens) for resident in self._residents) > self._kept:
            self.make_room()

    def clear(self) -> None:
        """Forget everything, active sequences too."""
        self._context.clear()
        self._free = list(range(self._slots))
        self._residents.clear()

    def forget(self, *, anyone_active: bool) -> None:
        """Give up all finished sequences; where nobody is active, the next one finds all as in a new cache."""
        while self.make_room():
            pass
        if not anyone_active:
            self.clear()

    def make_room(self) -> bool:
        """Evict the resident that was unused for longest; False if there is none."""
        if not self._residents:
            return False
        self._evict(min(self._residents, key=lambda resident: resident.used_at))
        return True

    def _evict(self, resident: Resident) -> None:
        self._residents.remove(resident)
        self._context.truncate(resident.slot, 0)
        self._free.append(resident.slot)

    @property
    def residents(self) -> list[Resident]:
        """The finished sequences, oldest use last."""
        return sorted(self._residents, key=lambda resident: -resident.used_at)


def _begins_with(tokens: NDArray[np.int32], others: NDArray[np.int32]) -> bool:
    return len(others) <= len(tokens) and common_prefix(tokens, others) == len(others)
