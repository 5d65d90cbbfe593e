"""The one thread that owns the llama.cpp context: admit, build a batch, decode, read its rows, announce.

All sequences of all requests are decoded together: single tokens of those that generate, then prompt chunks, up to
``n_batch`` tokens a call. What other threads want done comes in through one queue; the engine waits for nobody but an
embedding that is being computed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.engine.batching import plan, to_batch
from server.engine.context import Batch, Context
from server.engine.grammar import BadGrammar
from server.engine.llama import LlamaError, Model, NoRoom
from server.engine.meter import Meter
from server.engine.prefix_cache import PrefixCache
from server.engine.row_reader import RowReader
from server.engine.score_tree import ScoreTree
from server.engine.scoring import NotNumbersError
from server.engine.sequence import Job, Sequence, Timings
from server.engine.snapshot import Snapshot, take_snapshot
from server.engine.ticket import QueueFull, SequenceFailed, ShuttingDown, Ticket

logger = logging.getLogger("server.engine")

EXIT_ENGINE = 70
"""Exit status of a process whose engine failed (``EX_SOFTWARE``)."""
LOOK_AHEAD = 32
"""How many waiting jobs are considered for a free slot, so that one waiting for a prefix does not hold up the rest."""


class Scheduler:
    """Runs jobs on one model; thread-safe from the outside."""

    def __init__(
        self,
        model: Model,
        context: Context,
        reader: RowReader,
        *,
        slots: int,
        max_waiting: int,
        prefix_cache: int,
        score_cache: int,
        meter: Meter,
    ) -> None:
        """Start the thread.

        Args:
            model: vocabulary and kind of memory.
            context: used by the new thread alone from here on; made for twice ``slots`` sequences.
            reader: what rows are read by; closed with the scheduler.
            slots: sequences decoded together.
            max_waiting: jobs that may wait.
            prefix_cache: tokens of finished sequences to keep for their prefixes.
            score_cache: bytes for remembered scores.
            meter: what is counted.
        """
        self._model = model
        self._context = context
        self._reader = reader
        self._slots = slots
        self._max_waiting = max_waiting
        self._meter = meter
        self._cache = PrefixCache(
            context, 2 * slots, share=model.can_share_prefix, kept=prefix_cache, shares_scores=score_cache > 0
        )
        self._tree = ScoreTree(score_cache)
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._door = threading.Lock()
        self._open = True
        self._arriving = 0
        """Jobs in the inbox."""
        self._running = True
        self._waiting: deque[Ticket] = deque()
        self._active: dict[Sequence, Ticket] = {}
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(self, jobs: list[Job], notify: Callable[[], None] | None = None) -> list[Ticket]:
        """Queue jobs; each ticket's future ends in a result or in :class:`SequenceFailed`.

        ``notify`` is called, in the engine's thread, whenever one of the sequences has grown.

        Raises:
            QueueFull: so many jobs would wait that the request is to be refused.
            ShuttingDown: the scheduler was closed.
        """
        now = time.monotonic()
        tickets = [Ticket(Sequence(job, self._model, Timings(submitted=now)), notify) for job in jobs]
        with self._door:
            if not self._open:
                raise ShuttingDown
            if self._arriving + len(self._waiting) + len(jobs) > self._max_waiting:
                raise QueueFull
            self._arriving += len(jobs)
            self._inbox.put(partial(self._take_in, tickets))
        return tickets

    def cancel(self, tickets: list[Ticket]) -> None:
        """Give up what has not finished; its slot is free before the next batch."""
        self._inbox.put(partial(self._drop, tickets))

    def snapshot(self) -> Future[Snapshot]:
        """Who is where, as soon as the current batch is done; ShuttingDown if the scheduler has been closed."""
        answer: Future[Snapshot] = Future()
        self._ask_thread(partial(self._tell, answer), answer)
        return answer

    def forget(self) -> Future[None]:
        """Give up what finished jobs left behind, in the KV cache and of scores, once the current batch is done.

        ShuttingDown if the scheduler has been closed.
        """
        answer: Future[None] = Future()
        self._ask_thread(partial(self._forget, answer), answer)
        return answer

    def close(self) -> None:
        """Stop after the current batch; what has not finished fails."""
        with self._door:
            self._open = False
        self._inbox.put(self._stop)
        self._thread.join()

    def _ask_thread(self, call: Callable[[], None], answer: Future[Any]) -> None:
        with self._door:
            if self._open:
                self._inbox.put(call)
            else:
                answer.set_exception(ShuttingDown())

    def _run(self) -> None:
        try:
            while self._running:
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
        self._do_all_asked()
        for ticket in (*self._active.values(), *self._waiting):
            ticket.fail(ShuttingDown())
        self._reader.close()

    def _drain(self) -> None:
        """Do what other threads asked for; sleep only when there is nothing else to do."""
        if not self._active and not self._waiting:
            self._inbox.get()()
        self._do_all_asked()

    def _do_all_asked(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._inbox.get_nowait()()

    def _stop(self) -> None:
        self._running = False

    def _take_in(self, tickets: list[Ticket]) -> None:
        with self._door:
            self._waiting.extend(tickets)
            self._arriving -= len(tickets)

    def _tell(self, answer: Future[Snapshot]) -> None:
        if not answer.set_running_or_notify_cancel():  # who asked is gone
            return
        answer.set_result(
            take_snapshot(
                list(self._active), len(self._waiting), self._cache.residents, self._context.cells, self._tree.nbytes
            )
        )

    def _forget(self, answer: Future[None]) -> None:
        if not answer.set_running_or_notify_cancel():
            return
        self._cache.forget(anyone_active=bool(self._active))
        self._tree.clear()
        answer.set_result(None)

    def _drop(self, tickets: list[Ticket]) -> None:
        for ticket in tickets:
            if ticket.sequence in self._active:
                self._leave(ticket.sequence)
                ticket.fail(SequenceFailed("it was cancelled"))
                self._meter.aborted()
            elif not ticket.future.done():
                self._waiting.remove(ticket)
                ticket.fail(SequenceFailed("it was cancelled"))
                self._meter.aborted()

    def _admit(self) -> None:
        """Give free slots to waiting jobs.

        Every active sequence could grow to its full length without another being stopped: lengths are reserved, shared
        prefixes counted twice, so that the cache can always be made to hold the active ones by evicting the rest.
        """
        reserved = sum(len(sequence.tokens) for sequence in self._active)
        deferred: list[Ticket] = []
        while self._waiting and len(deferred) < LOOK_AHEAD:
            ticket = self._waiting[0]
            needed = len(ticket.sequence.tokens)
            if self._active and (reserved + needed > self._context.cells or not self._fits_beside(ticket)):
                break
            self._waiting.popleft()
            if not ticket.claim():
                continue
            if not self._place(ticket):
                deferred.append(ticket)
            elif ticket.sequence in self._active:
                reserved += needed
        self._waiting.extendleft(reversed(deferred))

    def _fits_beside(self, ticket: Ticket) -> bool:
        """Whether a job may be decoded together with the active ones."""
        alone = ticket.alone or any(other.alone for other in self._active.values())
        return len(self._active) < self._slots and not alone

    def _place(self, ticket: Ticket) -> bool:
        """Make a job active, or end it where nothing has to be computed; False: it had better wait for a prefix."""
        sequence, cache = ticket.sequence, ticket.job.cache
        if cache is not None and sequence.scores is not None:
            self._tree.fill(sequence.scores, sequence.prompt, cache)
        limit = sequence.first_row
        sequence.timings.admitted = time.monotonic()
        if limit is None:
            sequence.finish_reason = "length"
            sequence.reused = len(sequence.prompt)
            self._succeed(ticket)
            return True
        place = self._cache.place(sequence, limit, list(self._active))
        if place is None:
            return False
        self._active[sequence] = ticket
        try:
            sequence.begin(place.slot, place.start)
        except BadGrammar:
            self._fail(sequence, SequenceFailed("llama.cpp does not understand the grammar"))
        return True

    def _step(self) -> None:
        chunks = plan(self._active, tokens=self._context.batch_size, rows=self._context.rows)
        logits = self._decode(to_batch(chunks)) if chunks else None
        try:
            self._reader.collect()
            if logits is not None:
                self._reader.read(chunks, logits)
        except NotNumbersError as error:
            self._isolate(str(error))
            return
        for chunk in chunks:
            if chunk.sequence.computed < chunk.end:  # what a draft had wrong, or has to prove
                self._context.truncate(chunk.sequence.slot, chunk.sequence.computed)
            self._remember_prompt(chunk.sequence, chunk.begin)
        for sequence, ticket in list(self._active.items()):
            if sequence.failure is not None:
                self._fail(sequence, SequenceFailed(sequence.failure))
                continue
            self._meter.progressed(ticket)
            ticket.announce()
            if sequence.done:
                self._leave(sequence)
                self._succeed(ticket)

    def _decode(self, batch: Batch) -> NDArray[np.float32]:
        while True:
            try:
                return self._context.decode(batch)
            except NoRoom:
                if not self._cache.make_room():
                    raise

    def _remember_prompt(self, sequence: Sequence, begin: int) -> None:
        """Let those that wait for the scores of this prompt have them before it has finished generating."""
        if begin < len(sequence.prompt) <= sequence.computed and sequence.job.max_tokens > 0:
            self._remember(sequence)

    def _remember(self, sequence: Sequence) -> None:
        if sequence.scores is not None and sequence.job.cache is not None:
            self._tree.insert(sequence.scores, sequence.tokens, sequence.job.cache)

    def _leave(self, sequence: Sequence) -> None:
        """Take a sequence out of the batch; what it computed stays for others until the room is needed."""
        del self._active[sequence]
        self._remember(sequence)
        self._cache.keep(sequence)

    def _fail(self, sequence: Sequence, error: SequenceFailed) -> None:
        ticket = self._active[sequence]
        self._leave(sequence)
        ticket.fail(error)
        self._meter.failed()

    def _succeed(self, ticket: Ticket) -> None:
        result = ticket.sequence.result()
        self._meter.finished(result)
        ticket.future.set_result(result)

    def _isolate(self, why: str) -> None:
        """Fail the sequence whose logits are not numbers; if several are active, begin them again one at a time.

        Which one it is does not show: attention gives the others weight 0 in its NaN, and 0 times NaN is NaN. Nor may
        its keys and values stay behind in the cache. One whose beginning was shown to a client cannot begin again,
        unless it is as it would be after any trial that failed. None tries its draft again: that may be what is broken.
        """
        tickets = list(self._active.values())
        self._active.clear()
        self._cache.clear()
        self._reader.discard()
        alone = len(tickets) == 1
        for ticket in reversed(tickets):
            is_tried = ticket.sequence.trial is not None
            if not is_tried and (alone or ticket.shown > len(ticket.sequence.prompt)):
                ticket.fail(SequenceFailed(why))
                self._meter.failed()
                continue
            ticket.sequence.release()
            ticket.sequence = Sequence(ticket.job, self._model, ticket.sequence.timings)
            ticket.sequence.draft = ()
            ticket.alone = True
            self._waiting.appendleft(ticket)
