"""Who is in the KV cache: active sequences, and finished ones kept for their prefix until the room is needed.

A prompt that begins like another, active or finished, starts from a copy of the common part. Scored rows travel with
the tokens, so a scored prefix costs nothing the second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.engine.llama import Context
from server.engine.sequence import Job, ScoreLog, Sequence

WORTH_WAITING = 8
"""Tokens that must be saved before a prompt waits for another one to be computed."""


class Overlap(NamedTuple):
    """What a job could take over from a sequence."""

    start: int
    """First position that must be computed."""
    scored: int
    """Leading tokens whose scores are known."""


@dataclass(eq=False, slots=True)
class Resident:
    """A finished sequence whose keys and values are still in the cache."""

    slot: int
    tokens: NDArray[np.int32]
    """The tokens in the cache."""
    scores: ScoreLog | None
    used_at: int
    """Tick of the last use; the lowest is evicted first."""


def common_prefix(a: NDArray[np.int32], b: NDArray[np.int32]) -> int:
    """How many leading tokens two sequences share."""
    n = min(len(a), len(b))
    differs = np.flatnonzero(a[:n] != b[:n])
    return int(differs[0]) if len(differs) else n


def overlap(
    job: Job, prompt: NDArray[np.int32], tokens: NDArray[np.int32], scores: ScoreLog | None, scored: int
) -> Overlap:
    """What ``job`` saves by starting from ``tokens``, of which the first ``scored`` are (or will be) scored.

    At most n - 1 tokens of a prompt are taken over, because the row of the last one is needed to generate; and a
    scoring job takes over only what is scored with as many alternatives as it wants.
    """
    shared = common_prefix(prompt, tokens)
    if not job.score_prompt or job.top_k is None:
        return Overlap(min(shared, len(prompt) - 1), 0)
    if scores is None or scores.first > 1 or scores.k < job.top_k:
        return Overlap(0, 0)
    known = min(shared, scored)
    return Overlap(max(known - 1, 0), known)


class PrefixCache:
    """Slots of the KV cache, free or resident, and the search for common prefixes."""

    def __init__(self, context: Context, slots: int, *, share: bool) -> None:
        self._context = context
        self._slots = slots
        self._free = list(range(slots))
        self._residents: list[Resident] = []
        self._share = share
        self._tick = 0

    def place(self, job: Job, active: list[Sequence]) -> tuple[int, Overlap, ScoreLog | None] | None:
        """A slot for a new sequence, already holding the longest known prefix of its prompt.

        Returns None where an active sequence is about to compute a longer common prefix: waiting is cheaper.
        """
        prompt = np.array(job.prompt, np.int32)
        best, donor, scores = Overlap(0, 0), -1, None
        if self._share:
            for resident in self._residents:
                scored = resident.scores.end if resident.scores else 0
                found = overlap(job, prompt, resident.tokens, resident.scores, scored)
                if found > best:
                    best, donor, scores = found, resident.slot, resident.scores
                    self._tick += 1
                    resident.used_at = self._tick
            for other in active:
                now = other.tokens[: other.computed]
                scored = other.scores.end if other.scores else 0
                found = overlap(job, prompt, now, other.scores, scored)
                later = overlap(job, prompt, other.tokens[: len(other.job.prompt)], other.scores, len(other.job.prompt))
                if other.in_prompt and later.start - max(found.start, best.start) >= WORTH_WAITING:
                    return None
                if found > best:
                    best, donor, scores = found, other.slot, other.scores
        slot = self._take_slot(keep=donor)
        if slot == donor:  # the last idle slot is the donor itself: cut it back instead of copying
            self._context.truncate(slot, best.start)
        elif best.start > 0:
            self._context.copy(donor, slot, best.start)
        return slot, best, scores

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
        if not self._share or sequence.computed == 0:
            self.drop(sequence)
            return
        self._tick += 1
        tokens = sequence.tokens[: sequence.computed].copy()
        self._residents.append(Resident(sequence.slot, tokens, sequence.scores, self._tick))

    def drop(self, sequence: Sequence) -> None:
        """A sequence has ended and its memory cannot be copied; forget it."""
        self._context.truncate(sequence.slot, 0)
        self._free.append(sequence.slot)

    def clear(self) -> None:
        """Forget everything, active sequences too."""
        self._context.clear()
        self._free = list(range(self._slots))
        self._residents.clear()

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
