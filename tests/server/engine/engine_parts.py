"""What the tests of the engine are made of: jobs, a scheduler over a cache of its own, and results compared."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from server.engine.context import Context
from server.engine.llama import Model
from server.engine.meter import Meter
from server.engine.row_reader import RowReader
from server.engine.sampling import Sampling
from server.engine.scheduler import Scheduler
from server.engine.scoring import Scorer
from server.engine.sequence import Job, Result

if TYPE_CHECKING:
    from tests.server.conftest import RawLlama

TOLERANCE = 1e-3
TIMEOUT = 60
BROKEN = 700
"""The token that has no embedding in the broken model."""
GREEDY = Sampling(temperature=0.0)
JOB = frozenset(Job.__slots__)


def job(*prompt: int, max_tokens: int = 0, score_from: int | None = 1, k: int | None = 0, **fields: Any) -> Job:
    """A job, greedy unless told otherwise; ``fields`` are those of a job and of its sampling."""
    sampling = replace(GREEDY, **{name: value for name, value in fields.items() if name not in JOB})
    others = {name: value for name, value in fields.items() if name in JOB}
    return Job(prompt, max_tokens, score_from, k, sampling, **others)


def prompts(n: int, length: int, common: int = 0) -> list[tuple[int, ...]]:
    """Random prompts; the first ``common`` tokens are the same in all."""
    rng = np.random.default_rng(n)
    rows = rng.integers(2, 600, (n, length))
    rows[:, :common] = rows[0, :common]
    return [tuple(row.tolist()) for row in rows]


def make_context(
    model: Model,
    *,
    slots: int = 4,
    cells: int = 2048,
    batch_size: int = 64,
    rows: int = 64,
    flash_attention: str = "off",
) -> Context:
    """A context whose numbers depend as little as can be on what is decoded together."""
    return Context(
        model,
        cells=cells,
        sequences=2 * slots,
        batch_size=batch_size,
        rows=rows,
        threads=1,
        cache_type_k="f32",
        cache_type_v="f32",
        flash_attention=flash_attention,
    )


@contextlib.contextmanager
def scheduling(
    model: Model,
    *,
    slots: int = 4,
    max_waiting: int = 1000,
    overlap: bool = False,
    prefix_cache: int = 1 << 16,
    score_cache: int = 1 << 24,
    meter: Meter | None = None,
    epsilon: float = math.inf,
    **options: Any,
) -> Iterator[Scheduler]:
    """A scheduler over a context of its own; ``options`` are the context's."""
    context = make_context(model, slots=slots, **options)
    scheduler = Scheduler(
        model,
        context,
        RowReader(Scorer(1), overlap=overlap, epsilon=epsilon),
        slots=slots,
        max_waiting=max_waiting,
        prefix_cache=prefix_cache,
        score_cache=score_cache,
        meter=meter or Meter("tested"),
    )
    try:
        yield scheduler
    finally:
        scheduler.close()
        context.close()


def run(scheduler: Scheduler, *jobs: Job) -> list[Result]:
    """Results of jobs that are there at once."""
    return [ticket.future.result(TIMEOUT) for ticket in scheduler.submit(list(jobs))]


def run_in_turn(scheduler: Scheduler, *jobs: Job) -> list[Result]:
    """Results of jobs each of which waits for the one before."""
    return [run(scheduler, each)[0] for each in jobs]


def logprobs(result: Result) -> NDArray[np.float64]:
    """Of every token that is scored."""
    assert result.scores is not None
    return result.scores.logprob[result.scores.first : result.scores.end]


def bits(result: Result) -> tuple[object, ...]:
    """All figures of a result, for comparisons to the last bit."""
    scores = result.scores
    if scores is None:
        return result.completion, result.finish_reason
    which = slice(scores.first, scores.end)
    columns = (scores.logprob, scores.rank, scores.top_ids, scores.top_logprobs)
    return result.completion, result.finish_reason, scores.first, *(column[which].tobytes() for column in columns)


def assert_same(results: list[Result], expected: list[Result], tolerance: float = TOLERANCE) -> None:
    """Compare with the results of the same jobs under other circumstances."""
    for result, other in zip(results, expected, strict=True):
        assert result.completion == other.completion
        assert result.finish_reason == other.finish_reason
        assert (result.scores is None) == (other.scores is None)
        if result.scores is not None:
            np.testing.assert_allclose(logprobs(result), logprobs(other), rtol=0, atol=tolerance)


def assert_true(result: Result, raw: RawLlama, tolerance: float = TOLERANCE) -> None:
    """Compare the result of a greedy job with llama.cpp driven by hand over the same tokens."""
    prompt, completion = result.job.prompt, result.completion
    tokens = (*prompt, *completion)
    expected = raw.logprobs(tokens)
    assert len(completion) == result.job.max_tokens or result.finish_reason == "stop"
    for position, token in enumerate(completion, len(prompt)):
        assert expected[position - 1, token] >= expected[position - 1].max() - tolerance
    assert (result.scores is None) == (result.job.top_k is None)
    if result.scores is None:
        return
    first = len(prompt) if result.job.score_from is None else min(result.job.score_from, len(prompt))
    assert (result.scores.first, result.scores.end) == (first, len(tokens))
    for position in range(first, len(tokens)):
        row = expected[position - 1]
        assert result.scores.logprob[position] == pytest.approx(row[tokens[position]], abs=tolerance)
        best = result.scores.top_ids[position]
        assert len(best) == result.job.top_k
        np.testing.assert_allclose(result.scores.top_logprobs[position], row[best], rtol=0, atol=tolerance)
        assert sorted(row[best]) == pytest.approx(sorted(row)[len(row) - len(best) :], abs=tolerance)
