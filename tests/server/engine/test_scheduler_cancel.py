from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from engine_parts import TIMEOUT, assert_same, assert_true, job, prompts, run, scheduling
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.llama import Model
from server.engine.meter import Meter
from server.engine.scheduler import Scheduler
from server.engine.ticket import SequenceFailed, Ticket

if TYPE_CHECKING:
    from tests.server.conftest import RawLlama

LONG = job(5, 6, 7, max_tokens=800, k=None, temperature=1.5)


def assert_cancelled(*tickets: Ticket) -> None:
    for ticket in tickets:
        with pytest.raises(SequenceFailed, match="it was cancelled"):
            ticket.future.result(TIMEOUT)


def begin(scheduler: Scheduler, n: int = 1) -> list[Ticket]:
    """Jobs that are being computed, and take so long that they would not end by themselves."""
    began = threading.Event()
    tickets = scheduler.submit([LONG] * n, began.set)
    assert began.wait(TIMEOUT)
    return tickets


def test_what_is_active_ends_at_once(model: Model) -> None:
    with scheduling(model, slots=2) as scheduler:
        tickets = begin(scheduler, 2)
        waiting = scheduler.submit([job(6, 7, max_tokens=2)])[0]
        assert scheduler.snapshot().result(TIMEOUT).waiting == 1
        scheduler.cancel(tickets)
        after = scheduler.snapshot().result(TIMEOUT)
        assert_cancelled(*tickets)
        assert all(each.tokens < 800 for each in after.occupants)
        assert waiting.future.result(TIMEOUT).finish_reason == "length"
        end = scheduler.snapshot().result(TIMEOUT)
    assert (after.active, after.running) == (0, 0)
    assert (end.active, end.running, end.waiting) == (0, 0, 0)


def test_what_it_had_computed_serves_others(model: Model) -> None:
    with scheduling(model) as scheduler:
        ticket = begin(scheduler)[0]
        scheduler.cancel([ticket])
        assert_cancelled(ticket)
        prompt = ticket.sequence.tokens[: ticket.sequence.computed].tolist()
        assert len(prompt) > 3
        assert run(scheduler, job(*prompt, 9, max_tokens=1, k=None))[0].reused == len(prompt)


def test_what_waits_is_never_begun(model: Model) -> None:
    with scheduling(model, slots=1) as scheduler:
        active = begin(scheduler)
        waiting = scheduler.submit([job(6, 7), job(7, 8), job(8, 9)])
        scheduler.cancel(waiting[:2])
        assert_cancelled(*waiting[:2])
        assert scheduler.snapshot().result(TIMEOUT).waiting == 1
        scheduler.cancel(active)
        assert waiting[2].future.result(TIMEOUT).finish_reason == "length"
        assert [ticket.sequence.timings.admitted for ticket in waiting[:2]] == [0, 0]


def test_what_waits_for_a_prefix_can_be_cancelled(model: Model) -> None:
    prompt = prompts(1, 200)[0]
    with scheduling(model, batch_size=4) as scheduler:
        first, second, third = scheduler.submit([job(*prompt), job(*prompt, 8), job(*prompt, 9)])
        scheduler.cancel([second])
        assert_cancelled(second)
        assert third.future.result(TIMEOUT).reused > 0
        assert first.future.done()


def test_what_another_waits_for_can_be_cancelled(model: Model, steady_llama: RawLlama) -> None:
    prompt = prompts(1, 200)[0]
    with scheduling(model, batch_size=4) as scheduler:
        first, second = scheduler.submit([job(*prompt), job(*prompt, 8, k=0)])
        while scheduler.snapshot().result(TIMEOUT).running == 0:
            pass
        scheduler.cancel([first])
        assert_true(second.future.result(TIMEOUT), steady_llama)


def test_what_has_finished_stays_finished(model: Model) -> None:
    with scheduling(model) as scheduler:
        ticket = scheduler.submit([job(5, 6, max_tokens=2)])[0]
        result = ticket.future.result(TIMEOUT)
        for _ in range(2):
            scheduler.cancel([ticket])
        assert run(scheduler, job(5, 6, max_tokens=2))[0].completion == result.completion
        assert ticket.future.result(TIMEOUT) is result


def test_twice_is_once(model: Model) -> None:
    meter = Meter("tested")
    with scheduling(model, meter=meter) as scheduler:
        tickets = begin(scheduler, 2)
        scheduler.cancel(tickets)
        scheduler.cancel(tickets)
        assert_cancelled(*tickets)
        scheduler.snapshot().result(TIMEOUT)
    labels = {"model_name": "tested", "finished_reason": "abort"}
    assert meter.registry.get_sample_value("vllm:request_success_total", labels) == 2


@pytest.mark.parametrize("which", [0, 1], ids=["active", "waiting"])
def test_a_future_that_nobody_waits_for_does_no_harm(which: int, model: Model) -> None:
    with scheduling(model, slots=1) as scheduler:
        tickets = [*begin(scheduler), *scheduler.submit([LONG, job(7, 8)])]
        assert tickets[which].future.cancel() == (which == 1)  # what is active goes on until it is cancelled
        scheduler.cancel(tickets[:2])
        assert tickets[2].future.result(TIMEOUT).finish_reason == "length"


JOBS = st.builds(
    lambda prompt, k, max_tokens: job(*prompt, k=k, max_tokens=max_tokens),
    st.lists(st.integers(2, 4), min_size=1, max_size=24).map(tuple),
    st.sampled_from([None, 0, 2]),
    st.integers(0, 6),
)


@settings(max_examples=25, deadline=None)
@given(
    jobs=st.lists(st.tuples(JOBS, st.booleans()), min_size=2, max_size=14),
    slots=st.integers(1, 4),
    overlap=st.booleans(),
    after=st.integers(0, 6),
)
def test_random_cancels_do_not_change_what_the_others_get(
    model: Model, steady_llama: RawLlama, jobs: list[tuple[object, bool]], slots: int, overlap: bool, after: int
) -> None:
    news = threading.Semaphore(0)
    with scheduling(model, slots=slots, cells=256, batch_size=16, overlap=overlap) as scheduler:
        tickets = scheduler.submit([asked for asked, _ in jobs], news.release)
        for _ in range(after):
            news.acquire(timeout=0.01)  # not all jobs have so much news
        cancelled = [ticket for ticket, (_, cancels) in zip(tickets, jobs, strict=True) if cancels]
        scheduler.cancel(cancelled)
        for ticket in tickets:
            try:
                assert_true(ticket.future.result(TIMEOUT), steady_llama)
            except SequenceFailed:
                assert ticket in cancelled
        snapshot = scheduler.snapshot().result(TIMEOUT)
        assert (snapshot.running, snapshot.active, snapshot.waiting) == (0, 0, 0)
        asked = [asked for asked, _ in jobs]
        assert_same(run(scheduler, *asked), [run(scheduler, each)[0] for each in asked])
