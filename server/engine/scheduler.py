"""The one thread that owns the llama.cpp context: admit, build a batch, decode, score, emit.

All sequences of all requests are decoded together: single tokens of those that generate, then prompt chunks, up to
``n_batch`` tokens a call. Requests come in through a queue and leave as futures: the HTTP side never waits on a lock.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.engine.llama import Batch, Context, LlamaError, Model, NoRoom
from server.engine.prefix_cache import PrefixCache
from server.engine.scoring import NotNumbersError, score_rows
from server.engine.sequence import Job, Result, Sequence

logger = logging.getLogger("server.engine")

EXIT_ENGINE = 70
"""Exit status of a process whose engine failed (``EX_SOFTWARE``)."""
LOOK_AHEAD = 32
"""How many waiting jobs are considered for a free slot, so that one waiting for a prefix does not hold up the rest."""


class SequenceFailed(Exception):
    """One job failed; the engine and all other jobs go on."""


class QueueFull(Exception):
    """The engine holds as much waiting work as it may."""


@dataclass(eq=False, slots=True)
class _Ticket:
    """A job and the promise of its result."""

    job: Job
    future: Future[Result]
    alone: bool = False
    """Whether it is to be decoded with no other, to see whether it is the one that fails."""

    def claim(self) -> bool:
        """Whether the result is still wanted; from here on it cannot be cancelled."""
        return self.future.running() or self.future.set_running_or_notify_cancel()


class _Chunk(NamedTuple):
    """The part of a batch that belongs to one sequence."""

    sequence: Sequence
    begin: int
    end: int
    flags: NDArray[np.int8]


class Scheduler:
    """Runs jobs on one model; thread-safe from the outside."""

    def __init__(self, model: Model, context: Context, *, slots: int, max_waiting: int) -> None:
        """Start the thread.

        Args:
            model: vocabulary and kind of memory.
            context: used by the new thread alone from here on; made for twice ``slots`` sequences.
            slots: sequences decoded together.
            max_waiting: jobs that may wait.
        """
        self._model = model
        self._context = context
        self._slots = slots
        self._max_waiting = max_waiting
        self._cache = PrefixCache(context, 2 * slots, share=model.can_share_prefix)
        self._inbox: queue.SimpleQueue[_Ticket | None] = queue.SimpleQueue()
        self._waiting: deque[_Ticket] = deque()
        self._active: dict[Sequence, _Ticket] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(self, jobs: list[Job]) -> list[Future[Result]]:
        """Queue jobs; each future ends in a result or in :class:`SequenceFailed`.

        Raises:
            QueueFull: so many jobs would wait that the request is to be refused.
        """
        if self._inbox.qsize() + len(self._waiting) + len(jobs) > self._max_waiting:
            raise QueueFull
        tickets = [_Ticket(job, Future()) for job in jobs]
        for ticket in tickets:
            self._inbox.put(ticket)
        return [ticket.future for ticket in tickets]

    def close(self) -> None:
        """Stop after the current batch; what has not finished fails."""
        self._inbox.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._closing:
                self._drain()
                self._admit()
                if self._active:
                    self._step()
        except BaseException as error:
            # The context is in an unknown state: a clear last word, and an end that no handler can swallow.
            logger.critical(
                "the engine failed and the server stops: %s", error, exc_info=not isinstance(error, LlamaError)
            )
            os._exit(EXIT_ENGINE)
        for ticket in filter(_Ticket.claim, (*self._active.values(), *self._waiting)):
            ticket.future.set_exception(SequenceFailed("the server is shutting down"))

    def _drain(self) -> None:
        """Take in new jobs; sleep only when there is nothing else to do."""
        idle = not self._active and not self._waiting
        while True:
            try:
                ticket = self._inbox.get(block=idle)
            except queue.Empty:
                return
            idle = False
            if ticket is None:
                self._closing = True
            else:
                self._waiting.append(ticket)

    def _admit(self) -> None:
        """Give free slots to waiting jobs.

        Every active sequence could grow to its full length without another being stopped: lengths are reserved, shared
        prefixes counted twice, so that the cache can always be made to hold the active ones by evicting the rest.
        """
        reserved = sum(len(sequence.tokens) for sequence in self._active)
        deferred: list[_Ticket] = []
        while self._waiting and len(deferred) < LOOK_AHEAD:
            ticket = self._waiting[0]
            needed = len(ticket.job.prompt) + ticket.job.max_tokens
            if self._active and (reserved + needed > self._context.cells or not self._fits_beside(ticket)):
                break
            if not ticket.claim():
                self._waiting.popleft()
                continue
            placed = self._cache.place(ticket.job, list(self._active))
            self._waiting.popleft()
            if placed is None:
                deferred.append(ticket)
                continue
            slot, found, scores = placed
            sequence = Sequence(ticket.job, self._model, slot, computed=found.start, reused=found.start)
            if sequence.scores is not None and scores is not None and found.scored > 0:
                sequence.scores.copy_from(scores, found.scored)
            self._active[sequence] = ticket
            reserved += needed
            if not self._needs_rows(sequence):
                sequence.finish_reason = "length"
                self._finish(sequence)
        self._waiting.extendleft(reversed(deferred))

    def _fits_beside(self, ticket: _Ticket) -> bool:
        """Whether a job may be decoded together with the active ones."""
        alone = ticket.alone or any(other.alone for other in self._active.values())
        return len(self._active) < self._slots and not alone

    @staticmethod
    def _needs_rows(sequence: Sequence) -> bool:
        """Whether anything is left to compute: not for a prompt that is known already or whose scores nobody wants."""
        unscored = (
            sequence.job.score_prompt and sequence.scores is not None and sequence.scores.end < len(sequence.job.prompt)
        )
        return unscored or sequence.job.max_tokens > 0

    def _step(self) -> None:
        chunks = self._plan()
        logits = self._decode(chunks)
        try:
            self._read(chunks, logits)
        except NotNumbersError as error:
            self._isolate(str(error))
        for sequence in [sequence for sequence in self._active if sequence.finish_reason]:
            self._finish(sequence)

    def _plan(self) -> list[_Chunk]:
        """Fill one batch: those that generate first (a token each), then prompts in order of admission."""
        room = self._context.batch_size
        chunks: list[_Chunk] = []
        for sequence in sorted(self._active, key=lambda sequence: sequence.in_prompt):
            end = min(sequence.length, sequence.computed + room)
            if end > sequence.computed:
                chunks.append(_Chunk(sequence, sequence.computed, end, sequence.wants(sequence.computed, end)))
                room -= end - sequence.computed
        return chunks

    def _decode(self, chunks: list[_Chunk]) -> NDArray[np.float32]:
        batch = Batch(
            np.concatenate([chunk.sequence.tokens[chunk.begin : chunk.end] for chunk in chunks]),
            np.concatenate([np.arange(chunk.begin, chunk.end, dtype=np.int32) for chunk in chunks]),
            np.concatenate([np.full(chunk.end - chunk.begin, chunk.sequence.slot, np.int32) for chunk in chunks]),
            np.concatenate([chunk.flags for chunk in chunks]),
        )
        while True:
            try:
                return self._context.decode(batch)
            except NoRoom:
                if not self._cache.make_room():
                    raise

    def _read(self, chunks: list[_Chunk], logits: NDArray[np.float32]) -> None:
        """Turn rows into generated tokens and scores.

        Raises:
            NotNumbersError: a row is not numbers.
        """
        row = tokens = 0
        for sequence, begin, end, flags in chunks:
            tokens += end - begin
            sequence.computed = end
            positions = begin + np.flatnonzero(flags)
            rows = logits[row : row + len(positions)]
            row += len(positions)
            if len(positions) and end == sequence.length and sequence.job.max_tokens > 0:
                self._generate(sequence, rows[-1], tokens - 1)
            if len(positions) and sequence.scores is not None:
                sequence.scores.append(score_rows(rows, sequence.tokens[positions + 1], sequence.scores.k))
            if end == len(sequence.job.prompt) and sequence.job.max_tokens == 0:
                sequence.finish_reason = "length"

    def _generate(self, sequence: Sequence, row: NDArray[np.float32], batch_index: int) -> None:
        """Choose the next token of a sequence from its last row."""
        if sequence.length == len(sequence.job.prompt):
            sequence.timings.prompt_done = time.monotonic()
        if not np.isfinite(row.max()):  # NaN if any is
            raise NotNumbersError
        # Greedy is the first of equals: the lowest id.
        token = sequence.sampler.sample(self._context, batch_index) if sequence.sampler else int(np.argmax(row))
        sequence.generate(token)

    def _finish(self, sequence: Sequence) -> None:
        ticket = self._active.pop(sequence)
        result = sequence.result()
        self._cache.keep(sequence)
        ticket.future.set_result(result)

    def _isolate(self, why: str) -> None:
        """Fail the sequence whose logits are not numbers; if several are active, begin them again one at a time.

        Which one it is does not show: attention gives the others weight 0 in its NaN, and 0 times NaN is NaN. Nor may
        its keys and values stay behind in the cache.
        """
        tickets = list(self._active.values())
        for sequence in self._active:
            sequence.release()
        self._active.clear()
        self._cache.clear()
        if len(tickets) == 1:
            tickets[0].future.set_exception(SequenceFailed(why))
            return
        for ticket in tickets:
            ticket.alone = True
        self._waiting.extendleft(reversed(tickets))
