from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.execution.concurrency import FIRST, Concurrency


class Server:
    """A clock that moves on by what answers take: ``capacity`` at once, the others wait."""

    def __init__(self, capacity: int) -> None:
        self.now = 0.0
        self._capacity = capacity

    def clock(self) -> float:
        return self.now

    def answer(self, gate: Concurrency, count: int) -> None:
        for _ in range(count):
            with gate.one():
                self.now += 1 / min(gate.limit, self._capacity)


GROWTH = [(64, 64, 64), (64, 10, 10), (8, 10, 8), (16, 64, 16), (1, 64, 4)]


@pytest.mark.parametrize(("capacity", "most", "reached"), GROWTH)
def test_it_grows_as_long_as_that_pays(capacity: int, most: int, reached: int) -> None:
    server = Server(capacity)
    gate = Concurrency(most, server.clock)
    assert gate.limit == min(FIRST, most)
    server.answer(gate, 1000)
    assert gate.limit == reached


def test_an_overloaded_server_gets_half_and_no_more() -> None:
    server = Server(64)
    gate = Concurrency(64, server.clock)
    server.answer(gate, 1000)
    gate.overloaded()
    assert gate.limit == 32
    gate.look_again()
    server.answer(gate, 1000)
    assert gate.limit == 32
    for _ in range(10):
        gate.overloaded()
    assert gate.limit == 1


def test_slower_requests_do_not_end_the_growth() -> None:
    server = Server(16)
    gate = Concurrency(16, server.clock)
    server.answer(gate, 3 * FIRST)
    assert gate.limit == 2 * FIRST
    server.now += 1000  # another task begins, whose answers take longer
    gate.look_again()
    assert gate.limit == FIRST
    server.answer(gate, 3 * FIRST + 6 * FIRST)
    assert gate.limit == 16


@given(most=st.integers(1, 6), answers=st.integers(1, 40), overloads=st.sets(st.integers(0, 40)))
def test_never_more_than_the_limit_are_under_way(most: int, answers: int, overloads: set[int]) -> None:
    gate = Concurrency(most)
    lock = threading.Lock()
    under_way, highest = 0, 0

    def request(number: int) -> None:
        nonlocal under_way, highest
        with gate.one():
            with lock:
                under_way += 1
                highest = max(highest, under_way)
            if number in overloads:
                gate.overloaded()
            with lock:
                under_way -= 1

    with ThreadPoolExecutor(2 * most) as pool:
        list(pool.map(request, range(answers)))
    assert 1 <= highest <= most
    assert 1 <= gate.limit <= most
    assert under_way == 0


def test_a_request_that_fails_makes_room_for_the_next() -> None:
    gate = Concurrency(1)

    def fail() -> None:
        with gate.one():
            raise ValueError

    calls: list[Callable[[], None]] = [fail, fail]
    for call in calls:
        with pytest.raises(ValueError, match=r"^$"):
            call()
    with gate.one():
        assert gate.limit == 1
