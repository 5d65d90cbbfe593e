from __future__ import annotations

import threading
from concurrent.futures import Future

import numpy as np
import pytest
from engine_parts import TIMEOUT, job, prompts, run, scheduling
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.llama import Model
from server.engine.prefix_cache import Resident
from server.engine.scheduler import Scheduler
from server.engine.sequence import Sequence
from server.engine.snapshot import Occupant, Snapshot, take_snapshot
from server.engine.ticket import SequenceFailed

TOKENS = st.lists(st.integers(2, 4), max_size=8)


def prefixes(sequences: list[list[int]]) -> int:
    return len({tuple(tokens[:end]) for tokens in sequences for end in range(1, len(tokens) + 1)})


@settings(deadline=None)
@given(st.lists(TOKENS, max_size=5), st.lists(TOKENS, max_size=5))
def test_a_prefix_is_counted_once(world: Model, computed: list[list[int]], kept: list[list[int]]) -> None:
    active = []
    for slot, tokens in enumerate(computed):
        sequence = Sequence(job(*tokens, 9, 9, max_tokens=3), world)
        sequence.begin(slot, len(tokens))
        active.append(sequence)
    residents = [Resident(10 + i, np.array(tokens, np.int32), "", i) for i, tokens in enumerate(kept)]
    snapshot = take_snapshot(active, 7, residents, 256, 1234)
    assert snapshot.used == prefixes(computed + kept)
    assert snapshot.active == prefixes(computed)
    assert snapshot.running == len(computed)
    assert (snapshot.waiting, snapshot.cells, snapshot.score_bytes) == (7, 256, 1234)
    assert [occupant.tokens for occupant in snapshot.occupants] == list(map(len, computed + kept))


def test_nothing_is_in_an_empty_cache(model: Model) -> None:
    with scheduling(model, cells=512) as scheduler:
        assert scheduler.snapshot().result(TIMEOUT) == Snapshot((), 0, 512, 0, 0, 0)


def test_what_has_finished_is_kept_and_not_active(model: Model) -> None:
    a, b, c = prompts(3, 50, common=20)
    with scheduling(model) as scheduler:
        run(scheduler, job(*a), job(*b), job(*c, max_tokens=4), job(5, 6, max_tokens=2))
        snapshot = scheduler.snapshot().result(TIMEOUT)
        slots = {occupant.slot for occupant in snapshot.occupants}
    # The last token that was generated is not computed.
    assert snapshot.used == 20 + 30 + 30 + 33 + 3
    assert (snapshot.active, snapshot.running, snapshot.waiting) == (0, 0, 0)
    assert sorted(occupant.tokens for occupant in snapshot.occupants) == [3, 50, 50, 53]
    assert len(slots) == 4
    assert snapshot.score_bytes > 0


def paused(scheduler: Scheduler) -> Snapshot:
    """A snapshot after the first two tokens of one job of two, the other of which waits."""
    told, go_on = threading.Event(), threading.Event()
    snapshots: list[Future[Snapshot]] = []
    news = 0

    def notify() -> None:
        nonlocal news
        news += 1
        if news == 2:
            snapshots.append(scheduler.snapshot())
            told.set()
            assert go_on.wait(TIMEOUT)

    first, second = scheduler.submit([job(5, 6, 7, max_tokens=100, k=None)] * 2, notify)
    assert told.wait(TIMEOUT)
    go_on.set()
    snapshot = snapshots[0].result(TIMEOUT)
    scheduler.cancel([first, second])
    with pytest.raises(SequenceFailed):
        second.future.result(TIMEOUT)
    return snapshot


def test_what_is_being_computed_is_active(model: Model) -> None:
    with scheduling(model, slots=1) as scheduler:
        snapshot = paused(scheduler)
        after = scheduler.snapshot().result(TIMEOUT)
    # Three tokens of the prompt and the first that was generated; the second is not computed yet.
    assert snapshot.occupants == (Occupant(snapshot.occupants[0].slot, True, 4, 2, 98),)
    assert (snapshot.used, snapshot.active, snapshot.running, snapshot.waiting) == (4, 4, 1, 1)
    assert (after.active, after.running, after.waiting) == (0, 0, 0)
