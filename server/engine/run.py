"""The jobs of one request under way, as its coroutine sees them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import TracebackType

from server.engine.scheduler import Scheduler
from server.engine.sequence import Job, Result, Sequence
from server.engine.ticket import Ticket


class Run:
    """Jobs in the scheduler's hands. ``async with``: whatever way the block ends, nothing is left computing."""

    def __init__(self, scheduler: Scheduler, jobs: list[Job], *, stream: bool) -> None:
        """Queue the jobs; with ``stream``, :meth:`updates` tells of every token.

        Raises:
            QueueFull: too much is waiting already.
            ShuttingDown: the engine takes no more.
        """
        self._scheduler = scheduler
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._told = False
        self._tickets: list[Ticket] = scheduler.submit(jobs, self._notify if stream else None)

    async def __aenter__(self) -> Run:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        unfinished = [ticket for ticket in self._tickets if not ticket.future.done()]
        if unfinished:
            self._scheduler.cancel(unfinished)

    async def results(self) -> list[Result]:
        """All results, in the order of the jobs.

        Raises:
            SequenceFailed: at least one job failed.
        """
        # Not asyncio.wrap_future: cancelled with its reader, it would cancel the ticket's future, and a job that looks
        # finished stays in the queue.
        async for _ in self.updates():
            pass
        return [ticket.future.result() for ticket in self._tickets]

    async def updates(self) -> AsyncIterator[list[int]]:
        """Which sequences have more to read, each time some have, until all are finished.

        A reader that is slow finds more at once; nothing piles up for it.

        Raises:
            SequenceFailed: a job failed.
        """
        shown = [0] * len(self._tickets)
        running = set(range(len(self._tickets)))
        for ticket in self._tickets:
            ticket.future.add_done_callback(lambda _: self._notify())
        while running:
            await self._news.wait()
            self._news.clear()
            self._told = False  # before looking: what comes from here on is announced anew
            finished = {i for i in running if self._tickets[i].future.done()}
            for i in finished:
                self._tickets[i].future.result()
            ready = {i: self._tickets[i].sequence.ready for i in running}
            changed = [i for i in sorted(running) if ready[i] > shown[i] or i in finished]
            for i in changed:
                shown[i] = ready[i]
            running -= finished
            if changed:
                yield changed

    def sequence(self, i: int) -> Sequence:
        """The sequence of job ``i``; its tokens and scores before ``ready`` may be read."""
        return self._tickets[i].sequence

    def result(self, i: int) -> Result | None:
        """The result of job ``i``, once there is one."""
        future = self._tickets[i].future
        return future.result() if future.done() else None

    def _notify(self) -> None:
        """Wake the reader; called in the engine's thread. A wake-up that is still on its way is enough."""
        if not self._told:
            self._told = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
                self._loop.call_soon_threadsafe(self._news.set)
