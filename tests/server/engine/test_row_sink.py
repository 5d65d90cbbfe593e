from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_parts import BROKEN, TIMEOUT, TOLERANCE, assert_same, job, logprobs, prompts, run, scheduling
from numpy.typing import NDArray

from server.engine.llama import Model
from server.engine.sequence import Job, SinkFailed
from server.engine.ticket import SequenceFailed


class Notebook:
    """Keeps what it is given, by position; fails from a position on if told so."""

    def __init__(self, tokens: tuple[int, ...], fails_at: int | None = None) -> None:
        self._tokens = np.array(tokens)
        self._fails_at = fails_at
        self.seen: dict[int, NDArray[np.float32]] = {}

    def take(self, logits: NDArray[np.float32], rows: NDArray[np.intp], first: int) -> NDArray[np.float64]:
        if self._fails_at is not None and first + len(rows) > self._fails_at:
            raise SinkFailed("the notebook is full")
        chosen = logits[rows].astype(np.float64)
        self.seen |= {first + i: logits[row].copy() for i, row in enumerate(rows)}
        positions = np.arange(first, first + len(rows))
        log_total = np.log(np.exp(chosen - chosen.max(axis=1, keepdims=True)).sum(axis=1)) + chosen.max(axis=1)
        found: NDArray[np.float64] = chosen[np.arange(len(rows)), self._tokens[positions]] - log_total
        return found


def noted(plain: Job, **options: int) -> tuple[Job, Notebook]:
    """The same job with a sink."""
    notebook = Notebook(plain.prompt, **options)
    return replace(plain, cache=None, sink=notebook), notebook


@pytest.mark.parametrize("overlap", [False, True])
def test_every_scored_row_reaches_the_sink(model: Model, overlap: bool) -> None:
    """Beside jobs without one, over more batches than one, and again where all of it was scored before."""
    plain = [job(*prompt, score_from=score_from) for score_from, prompt in enumerate(prompts(4, 90, common=20), 1)]
    with scheduling(model, overlap=overlap) as scheduler:
        expected = run(scheduler, *plain)
        pairs = [noted(each) for each in plain]
        results = run(scheduler, *(pair[0] for pair in pairs), *plain)
    assert_same(results[:4], expected)
    assert_same(results[4:], expected)
    for each, (_, notebook) in zip(plain, pairs, strict=True):
        assert sorted(notebook.seen) == list(range(each.score_from or 0, 90))
        assert {row.shape for row in notebook.seen.values()} == {(model.n_vocab,)}


@pytest.mark.parametrize("overlap", [False, True])
def test_a_sink_that_fails_ends_its_job_alone(model: Model, overlap: bool) -> None:
    plain = [job(*prompt) for prompt in prompts(3, 100)]
    with scheduling(model, overlap=overlap) as scheduler:
        expected = run(scheduler, *plain)
        full, _ = noted(plain[0], fails_at=70)
        ticket, *others = scheduler.submit([full, noted(plain[1])[0], plain[2]])
        with pytest.raises(SequenceFailed, match="the notebook is full"):
            ticket.future.result(TIMEOUT)
        assert_same([other.future.result(TIMEOUT) for other in others], expected[1:])


def test_rows_come_again_where_another_job_is_broken(broken_model: Model) -> None:
    prompt = prompts(1, 60)[0]
    with scheduling(broken_model) as scheduler:
        expected = run(scheduler, job(*prompt))
        mine, notebook = noted(job(*prompt))
        broken, good = scheduler.submit([job(5, BROKEN, 6), mine])
        with pytest.raises(SequenceFailed, match="not numbers"):
            broken.future.result(TIMEOUT)
        result = good.future.result(TIMEOUT)
    np.testing.assert_allclose(logprobs(result), logprobs(expected[0]), rtol=0, atol=TOLERANCE)
    assert sorted(notebook.seen) == list(range(1, 60))
