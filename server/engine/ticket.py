"""A job in the scheduler's hands, and the promise of its result."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from server.engine.sequence import Job, Result, Sequence


class SequenceFailed(Exception):
    """One job failed; the engine and all other jobs go on."""


class ShuttingDown(SequenceFailed):
    """The engine takes no more jobs, or gave this one up."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down")


class QueueFull(Exception):
    """The engine holds as much waiting work as it may."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One job on its way. The engine's thread changes it."""

    sequence: Sequence
    notify: Callable[[], None] | None = None
    """Called in the engine's thread when the sequence has grown."""
    future: Future[Result] = field(default_factory=Future)
    alone: bool = False
    """Whether it is to be decoded with no other, to see whether it is the one that fails."""
    shown: int = 0
    """Tokens that ``notify`` has announced."""
    counted: int = 0
    """Generated tokens that were counted, the last of them at the monotonic second ``counted_at``."""
    counted_at: float = 0.0

    @property
    def job(self) -> Job:
        """What is asked."""
        return self.sequence.job

    def claim(self) -> bool:
        """Whether the result is still wanted; from here on it cannot be cancelled."""
        return self.future.running() or self.future.set_running_or_notify_cancel()

    def announce(self) -> None:
        """Tell who listens that there is more to read, if there is."""
        if self.notify is not None and self.sequence.ready > self.shown:
            self.shown = self.sequence.ready
            self.notify()

    def fail(self, error: SequenceFailed) -> None:
        """End it without a result."""
        self.sequence.release()
        if self.claim():
            self.future.set_exception(error)
