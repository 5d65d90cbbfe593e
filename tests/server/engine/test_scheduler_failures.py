from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest
from engine_parts import BROKEN, TIMEOUT, TOLERANCE, assert_same, job, logprobs, prompts, run, run_in_turn, scheduling

from server.engine.llama import Model
from server.engine.ticket import QueueFull, SequenceFailed, ShuttingDown

FLASH_TOLERANCE = 0.03
LONG = job(5, 6, 7, max_tokens=800, k=None, temperature=1.5)


@pytest.mark.parametrize(("flash_attention", "tolerance"), [("on", FLASH_TOLERANCE), ("off", TOLERANCE)])
@pytest.mark.parametrize("overlap", [False, True])
def test_a_failure_stays_with_its_job(
    flash_attention: str, tolerance: float, overlap: bool, broken_model: Model
) -> None:
    whole = [job(*prompt, k=1, max_tokens=3) for prompt in prompts(4, 30)]
    bad = [
        job(5, BROKEN, 6, k=1, max_tokens=3),
        job(5, BROKEN, 6, k=None, max_tokens=3),
        job(5, 6, BROKEN, 7),
        job(5, 6, BROKEN, temperature=1.0, max_tokens=3),
    ]
    with scheduling(broken_model, slots=16) as scheduler:
        expected = run_in_turn(scheduler, *whole)
    with scheduling(broken_model, slots=16, flash_attention=flash_attention, overlap=overlap) as scheduler:
        for _ in range(2):
            *tickets, last = scheduler.submit([*bad, *whole, job(*whole[0].prompt, 9)])
            for ticket in tickets[: len(bad)]:
                with pytest.raises(SequenceFailed, match="not numbers"):
                    ticket.future.result(TIMEOUT)
            assert_same([ticket.future.result(TIMEOUT) for ticket in tickets[len(bad) :]], expected, tolerance)
            assert np.isfinite(logprobs(last.future.result(TIMEOUT))).all()
        assert scheduler.snapshot().result(TIMEOUT).active == 0


def test_what_a_client_has_seen_is_not_begun_again(broken_model: Model) -> None:
    """It fails with the one that is broken, rather than say something else."""
    began = threading.Event()
    with scheduling(broken_model) as scheduler:
        shown = scheduler.submit([job(5, 6, 7, max_tokens=200, k=None)], began.set)[0]
        assert began.wait(TIMEOUT)
        unseen, broken = scheduler.submit([job(7, 8, max_tokens=3), job(5, BROKEN, 6, max_tokens=3)])
        for ticket in (shown, broken):
            with pytest.raises(SequenceFailed, match="not numbers"):
                ticket.future.result(TIMEOUT)
        assert len(unseen.future.result(TIMEOUT).completion) == 3


def test_too_much_waiting_is_refused_as_a_whole(model: Model) -> None:
    with scheduling(model, max_waiting=3) as scheduler:
        with pytest.raises(QueueFull):
            scheduler.submit([job(5, 6)] * 4)
        assert len(run(scheduler, *[job(5, 6)] * 3)) == 3
        assert len(run(scheduler, *[job(5, 6)] * 3)) == 3


def test_what_waits_counts_against_what_comes(model: Model) -> None:
    with scheduling(model, slots=1, max_waiting=4) as scheduler:
        active = scheduler.submit([LONG])
        while scheduler.snapshot().result(TIMEOUT).running == 0:
            pass
        waiting = scheduler.submit([LONG] * 3)
        with pytest.raises(QueueFull):
            scheduler.submit([LONG] * 2)
        last = scheduler.submit([job(5, 6)])
        assert scheduler.snapshot().result(TIMEOUT).waiting == 4
        scheduler.cancel([*active, *waiting])
        assert last[0].future.result(TIMEOUT).finish_reason == "length"


def test_closing_fails_what_is_not_finished(model: Model) -> None:
    with scheduling(model, slots=1) as scheduler:
        tickets = scheduler.submit([LONG, LONG])
        scheduler.close()
        for ticket in tickets:
            with pytest.raises(ShuttingDown, match="shutting down"):
                ticket.future.result(TIMEOUT)


def test_what_is_closed_takes_nothing_more(model: Model) -> None:
    with scheduling(model) as scheduler:
        done = scheduler.submit([job(5, 6)])
        done[0].future.result(TIMEOUT)
        scheduler.close()
        with pytest.raises(ShuttingDown):
            scheduler.submit([job(5, 6)])
        scheduler.cancel(done)  # nobody is there to do it, and nothing is to be done
        with pytest.raises(ShuttingDown):
            scheduler.snapshot().result(TIMEOUT)


def test_jobs_from_many_threads_end_whenever_it_is_closed(model: Model) -> None:
    """Each has a result, or was refused, or failed: none is left without an answer."""
    ended: list[str] = []
    started = threading.Barrier(5)

    def ask() -> None:
        started.wait(TIMEOUT)
        for i in range(40):
            try:
                ticket = scheduler.submit([job(5, 6, 7 + i, max_tokens=1)])[0]
                ended.append(ticket.future.result(TIMEOUT).finish_reason)
            except ShuttingDown:
                ended.append("refused")

    with scheduling(model) as scheduler:
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        started.wait(TIMEOUT)
        run(scheduler, job(9, 8, 7, max_tokens=5))
        scheduler.close()
        for thread in threads:
            thread.join(TIMEOUT)
    assert len(ended) == 160
    assert set(ended) <= {"length", "stop", "refused"}
    assert ended[-1] == "refused"


def test_a_snapshot_that_nobody_waits_for_any_more_does_no_harm(model: Model) -> None:
    go_on = threading.Event()
    with scheduling(model) as scheduler:
        ticket = scheduler.submit([job(5, 6, max_tokens=3, k=None)], lambda: go_on.wait(TIMEOUT) and None)[0]
        snapshot = scheduler.snapshot()
        assert snapshot.cancel()
        go_on.set()
        assert len(ticket.future.result(TIMEOUT).completion) == 3
        with pytest.raises(CancelledError):
            snapshot.result(TIMEOUT)
        assert scheduler.snapshot().result(TIMEOUT).running == 0
