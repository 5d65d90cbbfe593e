from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from engine_parts import BROKEN, TIMEOUT, job, logprobs, prompts, run, scheduling
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.llama import Model
from server.engine.run import Run
from server.engine.scheduler import Scheduler
from server.engine.sequence import Job
from server.engine.ticket import QueueFull, SequenceFailed, ShuttingDown, Ticket

pytestmark = pytest.mark.anyio
LONG = job(5, 6, 7, max_tokens=800, k=None, temperature=1.5)
JOBS = [
    job(5, 6, 7, max_tokens=20, k=2),
    job(*prompts(1, 90)[0], k=0),
    job(6, 7, max_tokens=9, k=None),
    job(7, max_tokens=0, k=1),
    job(*prompts(1, 90)[0], max_tokens=12, score_from=None, k=1),
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def scheduler(model: Model) -> Iterator[Scheduler]:
    with scheduling(model, batch_size=16) as scheduler:
        yield scheduler


async def running(scheduler: Scheduler) -> int:
    return (await asyncio.wrap_future(scheduler.snapshot())).running


async def read_all(run: Run, n: int) -> list[list[int]]:
    """How many tokens of each of ``n`` sequences were ready at each update that named it."""
    seen: list[list[int]] = [[] for _ in range(n)]
    async for changed in run.updates():
        for i in changed:
            seen[i].append(run.sequence(i).ready)
    return seen


async def test_results(scheduler: Scheduler) -> None:
    async with Run(scheduler, JOBS, stream=False) as asked:
        results = await asked.results()
    assert [result.job for result in results] == JOBS
    assert [len(result.completion) for result in results] == [each.max_tokens for each in JOBS]


@pytest.mark.parametrize("overlap", [False, True])
def test_updates_tell_of_all_tokens_in_order(overlap: bool, model: Model) -> None:
    async def main() -> None:
        async with Run(scheduler, JOBS, stream=True) as asked:
            tokens: list[list[int]] = [[] for _ in JOBS]
            scores: list[list[float]] = [[] for _ in JOBS]
            ended = set()
            async for changed in asked.updates():
                assert changed == sorted(set(changed))
                for i in changed:
                    assert i not in ended
                    sequence = asked.sequence(i)
                    ready = sequence.ready
                    assert ready > len(tokens[i]) or (ready == len(tokens[i]) and asked.result(i) is not None)
                    tokens[i] += sequence.tokens[len(tokens[i]) : ready].tolist()
                    if sequence.scores is not None:
                        first = sequence.scores.first + len(scores[i])
                        scores[i] += sequence.scores.logprob[first:ready].tolist()
                    if asked.result(i) is not None:
                        ended.add(i)
            results = await asked.results()
        assert ended == set(range(len(JOBS)))
        for i, result in enumerate(results):
            assert tokens[i] == [*result.job.prompt, *result.completion]
            assert result.scores is None or scores[i] == logprobs(result).tolist()

    with scheduling(model, batch_size=16, overlap=overlap) as scheduler:
        asyncio.run(main())


def test_a_reader_that_keeps_up_sees_each_token_on_its_own(model: Model) -> None:
    """The engine waits here for its reader, which it never does otherwise."""
    read = threading.Semaphore(0)
    seen: list[int] = []
    tickets: list[Ticket] = []
    handed_out = threading.Event()

    def notify() -> None:
        assert handed_out.wait(TIMEOUT)
        seen.append(tickets[0].sequence.ready)
        assert tickets[0].shown == seen[-1]
        read.release()

    with scheduling(model) as scheduler:
        tickets += scheduler.submit([job(5, 6, 7, max_tokens=20, k=1, score_from=None)], notify)
        handed_out.set()
        tickets[0].future.result(TIMEOUT)
    assert seen == list(range(4, 24))


async def test_a_slow_reader_sees_fewer_and_larger_updates(scheduler: Scheduler) -> None:
    asked = [job(5, 6, 7, max_tokens=60, k=None), job(6, 7, 8, max_tokens=60, k=None)]
    async with Run(scheduler, asked, stream=True) as slow:
        seen: list[list[int]] = [[], []]
        async for changed in slow.updates():
            for i in changed:
                seen[i].append(slow.sequence(i).ready)
            while slow.result(0) is None or slow.result(1) is None:  # it takes its time
                await asyncio.sleep(0)
    for ready in seen:
        assert len(ready) <= 2
        assert ready[-1] == 63


async def test_leaving_early_gives_up_what_is_not_finished(scheduler: Scheduler) -> None:
    async with Run(scheduler, [LONG, LONG, job(5, 6)], stream=True) as left:
        async for changed in left.updates():
            if 0 in changed:
                break
    assert await running(scheduler) == 0
    with pytest.raises(SequenceFailed, match="it was cancelled"):
        left.result(0)
    assert left.sequence(0).length < len(left.sequence(0).tokens)


async def test_so_does_an_error_and_a_deadline(scheduler: Scheduler) -> None:
    async def stumble() -> None:
        async with Run(scheduler, [LONG], stream=True) as failed:
            async for _ in failed.updates():
                raise KeyError

    with pytest.raises(KeyError):
        await stumble()
    with pytest.raises(TimeoutError):
        async with Run(scheduler, [LONG, LONG], stream=False) as late, asyncio.timeout(0.05):
            await late.results()
    assert await running(scheduler) == 0


async def test_a_request_that_is_given_up_while_it_waits_is_never_begun(model: Model) -> None:
    with scheduling(model, slots=1) as scheduler:
        async with Run(scheduler, [LONG], stream=False):
            async with Run(scheduler, [job(5, 6)], stream=False) as waiting:
                task = asyncio.create_task(waiting.results())
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert waiting.sequence(0).timings.admitted == 0
        async with Run(scheduler, [job(5, 6)], stream=False) as after:
            assert len(await after.results()) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_the_failure_of_one_job_is_that_of_all(stream: bool, broken_model: Model) -> None:
    with scheduling(broken_model) as scheduler:
        with pytest.raises(SequenceFailed, match="not numbers"):
            async with Run(scheduler, [LONG, job(5, BROKEN, 6, max_tokens=2)], stream=stream) as failed:
                await (read_all(failed, 2) if stream else failed.results())
        assert await running(scheduler) == 0


async def test_what_is_refused_does_not_begin(model: Model) -> None:
    with scheduling(model, max_waiting=1) as scheduler:
        with pytest.raises(QueueFull):
            Run(scheduler, [LONG, LONG], stream=False)
        scheduler.close()
        with pytest.raises(ShuttingDown):
            Run(scheduler, [LONG], stream=False)


async def test_closing_ends_a_stream(model: Model) -> None:
    with scheduling(model) as scheduler:
        async with Run(scheduler, [LONG], stream=True) as stopped:
            assert await anext(stopped.updates()) == [0]
            await asyncio.to_thread(scheduler.close)
            with pytest.raises(ShuttingDown):
                await read_all(stopped, 1)


def test_news_for_a_loop_that_is_closed_does_no_harm(scheduler: Scheduler) -> None:
    runs: list[Run] = []

    async def leave_behind() -> None:
        runs.append(Run(scheduler, [job(5, 6, 7, max_tokens=40, k=None)], stream=True))

    asyncio.run(leave_behind())
    while runs[0].result(0) is None:
        pass
    assert len(run(scheduler, job(5, 6, max_tokens=2))[0].completion) == 2


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(JOBS), min_size=1, max_size=6), st.integers(0, 3))
def test_any_reader_ends_with_everything(scheduler: Scheduler, jobs: list[Job], pauses: int) -> None:
    async def main() -> None:
        async with Run(scheduler, jobs, stream=True) as asked:
            seen = [0] * len(jobs)
            async for changed in asked.updates():
                for i in changed:
                    seen[i] = asked.sequence(i).ready
                for _ in range(pauses):
                    await asyncio.sleep(0)
            results = await asked.results()
        assert seen == [len(result.job.prompt) + len(result.completion) for result in results]

    asyncio.run(main())
