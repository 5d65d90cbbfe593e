from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest
from engine_parts import TIMEOUT, job, logprobs, scheduling
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.llama import Model
from server.engine.sequence import Job, Sequence
from server.engine.ticket import SequenceFailed, ShuttingDown, Ticket

JOBS = st.builds(
    lambda prompt, score_from, k, max_tokens: job(*prompt, score_from=score_from, k=k, max_tokens=max_tokens),
    st.lists(st.integers(2, 4), min_size=1, max_size=30).map(tuple),
    st.none() | st.integers(1, 8),
    st.sampled_from([None, 0, 2]),
    st.integers(0, 6),
)


class Listener:
    """Notes at every announcement how much of each sequence may be read, and what is read there."""

    def __init__(self) -> None:
        self.tickets: list[Ticket] = []
        self.handed_out = threading.Event()
        self.ready: list[list[int]] = []
        self.read: list[list[list[int]]] = []

    def notify(self) -> None:
        assert self.handed_out.wait(TIMEOUT)
        sequences = [ticket.sequence for ticket in self.tickets]
        self.ready.append([sequence.ready for sequence in sequences])
        self.read.append([sequence.tokens[: sequence.ready].tolist() for sequence in sequences])


@settings(max_examples=30, deadline=None)
@given(st.lists(JOBS, min_size=1, max_size=6), st.booleans(), st.sampled_from([3, 64]), st.integers(1, 4))
def test_every_token_is_announced_and_stays_what_it_was(
    model: Model, jobs: list[Job], overlap: bool, batch_size: int, slots: int
) -> None:
    listener = Listener()
    with scheduling(model, slots=slots, cells=256, batch_size=batch_size, overlap=overlap) as scheduler:
        listener.tickets = scheduler.submit(jobs, listener.notify)
        listener.handed_out.set()
        results = [ticket.future.result(TIMEOUT) for ticket in listener.tickets]
    for i, result in enumerate(results):
        tokens = [*result.job.prompt, *result.completion]
        announced = [ready[i] for ready in listener.ready]
        assert announced == sorted(announced)
        assert all(read[i] == tokens[: len(read[i])] for read in listener.read)
        assert listener.tickets[i].sequence.ready == len(tokens)
        if result.slot >= 0 and len(tokens) > 1:  # where nothing is computed, the result is the announcement
            assert listener.tickets[i].shown == announced[-1] == len(tokens)
        if result.job.max_tokens > 0 and not overlap:  # one at a time, and at once
            generated = sorted({n for n in announced if n > len(result.job.prompt)})
            assert generated == list(range(len(result.job.prompt) + 1, len(tokens) + 1))


def test_only_news_is_announced(world: Model) -> None:
    told: list[int] = []
    ticket = Ticket(Sequence(job(5, 6, 7, max_tokens=2, score_from=None, k=None), world), lambda: told.append(1))
    ticket.announce()
    ticket.announce()
    assert (len(told), ticket.shown) == (1, 3)
    ticket.sequence.generate(9)
    ticket.announce()
    ticket.announce()
    assert (len(told), ticket.shown) == (2, 4)


def test_without_a_listener_nothing_is_shown(world: Model) -> None:
    ticket = Ticket(Sequence(job(5, 6, 7, k=None), world))
    ticket.announce()
    assert ticket.shown == 0


def test_a_token_is_not_ready_before_its_score_is(model: Model) -> None:
    listener = Listener()
    with scheduling(model, overlap=True) as scheduler:
        listener.tickets = scheduler.submit([job(5, 6, 7, max_tokens=5, k=0)], listener.notify)
        listener.handed_out.set()
        result = listener.tickets[0].future.result(TIMEOUT)
    assert len(logprobs(result)) == 7
    assert listener.ready[-1] == [8]


def test_what_is_claimed_can_no_longer_be_cancelled(world: Model) -> None:
    ticket = Ticket(Sequence(job(5, 6), world))
    assert ticket.claim()
    assert ticket.claim()
    assert not ticket.future.cancel()
    ticket.fail(SequenceFailed("why"))
    with pytest.raises(SequenceFailed, match="why"):
        ticket.future.result(0)


def test_failing_what_was_cancelled_is_nothing(world: Model) -> None:
    ticket = Ticket(Sequence(job(5, 6), world))
    assert ticket.future.cancel()
    ticket.fail(ShuttingDown())
    with pytest.raises(CancelledError):
        ticket.future.result(0)
