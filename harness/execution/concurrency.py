"""How many requests are under way at once: more while that pays, fewer when the server is overloaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FIRST = 4
GAIN = 1.05
"""More requests at once must bring 5% more answers a second, or they only wait in the server's queue."""
WINDOW = 3
"""Answers to each of the requests under way before the rate is looked at; fewer say more of chance than of load."""


class Concurrency:
    """A gate that lets so many through; safe to use from many threads."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Let ``most`` through at once, at most; begin with a few."""
        self.most = most
        """How many are let through at once, at most."""
        self._clock = clock
        self._condition = threading.Condition()
        self.limit = min(FIRST, most)
        """How many are let through now."""
        self._under_way = 0
        self._growing = True
        self._overloaded = False
        self._best = 0.0
        self._before = self.limit
        self._answered = 0
        self._since = clock()

    def look_again(self) -> None:
        """Other requests are coming, longer or shorter ones: what was measured says nothing about them. Begin again."""
        with self._condition:
            if not self._overloaded:
                self.limit = self._before = min(FIRST, self.most)
                self._growing = True
            self._best, self._answered, self._since = 0.0, 0, self._clock()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Around one request: waits until there is room for it."""
        with self._condition:
            self._condition.wait_for(lambda: self._under_way < self.limit)
            self._under_way += 1
        try:
            yield
        finally:
            with self._condition:
                self._under_way -= 1
                self._answered += 1
                if self._growing and self._answered >= WINDOW * self.limit:
                    self._look_at_rate()
                self._condition.notify_all()

    def overloaded(self) -> None:
        """The server has said that it cannot keep up: half as many from now on, and no growth."""
        with self._condition:
            self.limit = max(1, self.limit // 2)
            self._growing, self._overloaded = False, True

    def _look_at_rate(self) -> None:
        """Double what is let through, as long as the last doubling paid; take back one that did not."""
        now = self._clock()
        rate = self._answered / max(now - self._since, 1e-9)
        if rate < GAIN * self._best:
            # Back to what was as good: more sequences in one cache cost each of them something.
            self.limit, self._growing = self._before, False
        elif self.limit == self.most:
            self._growing = False
        else:
            self._best, self._before = rate, self.limit
            self.limit = min(2 * self.limit, self.most)
        self._answered, self._since = 0, now
