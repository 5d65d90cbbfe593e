from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from server.engine.llama import Context, Model
from server.engine.scheduler import QueueFull, Scheduler, SequenceFailed
from server.engine.sequence import Job, Result

if TYPE_CHECKING:
    from tests.server.conftest import RawLlama

TOLERANCE = 1e-3
FLASH_TOLERANCE = 0.03
"""On a CPU, flash attention rounds its sums to F16 after so many tokens as happen to be decoded together."""
TIMEOUT = 60
BROKEN = 700
"""The token that has no embedding in the broken model."""


def job(*prompt: int, score: bool = True, k: int | None = 0, max_tokens: int = 0, **fields: Any) -> Job:
    fields = {"temperature": 0.0, "top_p": 1.0, "seed": 0, "stops": ()} | fields
    return Job(prompt, max_tokens, score, k, **fields)


def prompts(n: int, length: int, common: int = 0) -> list[tuple[int, ...]]:
    """Random prompts; the first ``common`` tokens are the same in all."""
    rng = np.random.default_rng(n)
    rows = rng.integers(2, 600, (n, length))
    rows[:, :common] = rows[0, :common]
    return [tuple(row.tolist()) for row in rows]


@contextlib.contextmanager
def scheduling(
    model: Model,
    *,
    slots: int = 4,
    cells: int = 2048,
    batch_size: int = 64,
    max_waiting: int = 1000,
    flash_attention: str = "off",
) -> Iterator[Scheduler]:
    """A scheduler over a context of its own, whose numbers depend as little as can be on what is decoded together."""
    context = Context(
        model,
        cells=cells,
        sequences=2 * slots,
        batch_size=batch_size,
        threads=1,
        cache_type_k="f32",
        cache_type_v="f32",
        flash_attention=flash_attention,
    )
    scheduler = Scheduler(model, context, slots=slots, max_waiting=max_waiting)
    try:
        yield scheduler
    finally:
        scheduler.close()
        context.close()


def run(scheduler: Scheduler, *jobs: Job) -> list[Result]:
    return [future.result(TIMEOUT) for future in scheduler.submit(list(jobs))]


def run_in_turn(scheduler: Scheduler, *jobs: Job) -> list[Result]:
    return [run(scheduler, each)[0] for each in jobs]


def logprobs(result: Result) -> NDArray[np.float64]:
    """Of every token that is scored."""
    assert result.scores is not None
    return result.scores.logprob[result.scores.first : result.scores.end]


def assert_same(results: list[Result], expected: list[Result], tolerance: float = TOLERANCE) -> None:
    for result, other in zip(results, expected, strict=True):
        assert result.completion == other.completion
        assert result.finish_reason == other.finish_reason
        if other.scores is not None:
            np.testing.assert_allclose(logprobs(result), logprobs(other), rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def model(no_bos: Path) -> Iterator[Model]:
    model = Model(no_bos, gpu_layers=0)
    yield model
    model.close()


@pytest.fixture(scope="module")
def steady_llama(raw_llama: Callable[..., RawLlama], no_bos: Path) -> RawLlama:
    return raw_llama(no_bos, cache_type="f32")


@pytest.fixture(scope="module")
def broken_model(make_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    path = make_llama(tmp_path_factory.mktemp("models") / "broken.gguf", broken_token=BROKEN)
    model = Model(path, gpu_layers=0)
    yield model
    model.close()


MIXED = [
    *(job(*prompt, k=3) for prompt in prompts(3, 90, common=40)),
    *(job(*prompt, k=None, max_tokens=9) for prompt in prompts(3, 33)),
    *(job(*prompt, k=1, max_tokens=7) for prompt in prompts(2, 70, common=69)),
    *(job(*prompt, k=2, score=False, max_tokens=8) for prompt in prompts(3, 20, common=15)),
    job(5, max_tokens=3),
    job(5, 6, k=None),
]


@pytest.fixture(scope="module")
def alone(model: Model) -> list[Result]:
    """Each job on its own, in a cache where nothing was before."""
    results = []
    for each in MIXED:
        with scheduling(model, slots=1) as scheduler:
            results += run(scheduler, each)
    return results


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"slots": 1}, TOLERANCE),
        ({"slots": 16}, TOLERANCE),
        ({"batch_size": 1}, TOLERANCE),
        ({"batch_size": 7}, TOLERANCE),
        ({"batch_size": 512}, TOLERANCE),
        ({"cells": 256}, TOLERANCE),
        ({"flash_attention": "on"}, FLASH_TOLERANCE),
    ],
    ids=str,
)
def test_results_do_not_depend_on_what_is_decoded_together(
    options: dict[str, Any], tolerance: float, model: Model, alone: list[Result]
) -> None:
    with scheduling(model, **options) as scheduler:
        assert_same(run(scheduler, *MIXED), alone, tolerance)
        assert_same(run(scheduler, *reversed(MIXED)), alone[::-1], tolerance)
        assert_same(run_in_turn(scheduler, *MIXED), alone, tolerance)


PROMPTS = st.lists(st.integers(2, 4), min_size=1, max_size=24).map(tuple)
JOBS = st.builds(
    lambda prompt, score, k, max_tokens: job(*prompt, score=score, k=k, max_tokens=max_tokens),
    PROMPTS,
    st.booleans(),
    st.sampled_from([None, 0, 3]),
    st.integers(0, 4),
)


def assert_true(result: Result, raw: RawLlama) -> None:
    """Compare a result with llama.cpp driven by hand over the same tokens."""
    prompt, completion = result.job.prompt, result.completion
    expected = raw.logprobs([*prompt, *completion])
    for position, token in enumerate(completion, len(prompt)):
        assert expected[position - 1, token] >= expected[position - 1].max() - TOLERANCE
    assert (result.scores is None) == (result.job.top_k is None)
    if result.scores is None:
        return
    first = 1 if result.job.score_prompt else len(prompt)
    end = len(prompt) + len(completion)
    assert (result.scores.first, max(result.scores.end, first)) == (first, end)
    for position in range(first, end):
        row, token = expected[position - 1], (*prompt, *completion)[position]
        np.testing.assert_allclose(result.scores.logprob[position], row[token], rtol=0, atol=TOLERANCE)
        best = result.scores.top_ids[position]
        np.testing.assert_allclose(result.scores.top_logprobs[position], row[best], rtol=0, atol=TOLERANCE)
        assert sorted(row[best]) == pytest.approx(sorted(row)[len(row) - len(best) :], abs=TOLERANCE)


@settings(max_examples=25, deadline=None)
@given(batches=st.lists(st.lists(JOBS, min_size=1, max_size=6), min_size=1, max_size=6), slots=st.integers(1, 5))
def test_any_jobs_in_any_order_get_true_results(
    model: Model, steady_llama: RawLlama, batches: list[list[Job]], slots: int
) -> None:
    # Prompts of three different tokens share prefixes all the time, and 256 cells do not hold them all.
    with scheduling(model, slots=slots, cells=256, batch_size=16) as scheduler:
        for jobs in batches:
            for result in run(scheduler, *jobs):
                assert_true(result, steady_llama)


def test_the_same_prompt_again_costs_nothing(model: Model) -> None:
    asked = job(*prompts(1, 50)[0], k=2)
    with scheduling(model) as scheduler:
        first, second = run_in_turn(scheduler, asked, asked)
    assert (first.reused, second.reused) == (0, 49)
    assert logprobs(first).tobytes() == logprobs(second).tobytes()
    assert first.scores is not None
    assert second.scores is not None
    assert first.scores.top_ids[1:50].tolist() == second.scores.top_ids[1:50].tolist()


def test_a_common_prefix_is_computed_once(model: Model) -> None:
    first, *others = (job(*prompt, k=1) for prompt in prompts(5, 60, common=50))
    with scheduling(model) as scheduler:
        results = run(scheduler, first, *others)
    # Position 49 is computed again: its row scores token 50, which differs.
    assert [result.reused for result in results] == [0, 49, 49, 49, 49]


def test_a_prompt_that_waits_for_a_prefix_does_not_hold_up_others(model: Model) -> None:
    a, b = prompts(2, 100)
    with scheduling(model, slots=2, batch_size=8) as scheduler:
        _, second, other = run(scheduler, job(*a), job(*a, 9), job(*b[:8]))
    assert second.reused > 0
    assert other.timings.admitted < second.timings.admitted


def test_a_full_cache_forgets_what_is_finished(model: Model) -> None:
    jobs = [job(*prompt, k=0, max_tokens=4) for prompt in prompts(12, 100)]
    with scheduling(model, cells=256) as scheduler:
        results = run_in_turn(scheduler, *jobs)
        assert_same(run(scheduler, *jobs), results)
        assert run(scheduler, jobs[-1])[0].reused > 0


def test_a_job_that_takes_the_whole_cache_runs_alone(model: Model) -> None:
    long = job(*prompts(1, 250)[0], max_tokens=6)
    short = job(7, 8, 9, max_tokens=2)
    with scheduling(model, cells=256) as scheduler:
        results = run(scheduler, short, long, short)
    assert [len(result.completion) for result in results] == [2, 6, 2]


@pytest.mark.parametrize(("flash_attention", "tolerance"), [("on", FLASH_TOLERANCE), ("off", TOLERANCE)])
def test_a_failure_stays_with_its_job(flash_attention: str, tolerance: float, broken_model: Model) -> None:
    whole = [job(*prompt, k=1, max_tokens=3) for prompt in prompts(4, 30)]
    bad = [
        job(5, BROKEN, 6, k=1, max_tokens=3),
        job(5, BROKEN, 6, k=None, max_tokens=3),
        job(5, 6, BROKEN, 7),
        job(5, 6, BROKEN, temperature=1.0, max_tokens=3),
    ]
    with scheduling(broken_model, slots=16) as scheduler:
        expected = run_in_turn(scheduler, *whole)
    with scheduling(broken_model, slots=16, flash_attention=flash_attention) as scheduler:
        for _ in range(2):
            *futures, last = scheduler.submit([*bad, *whole, job(*whole[0].prompt, 9)])
            for future in futures[: len(bad)]:
                with pytest.raises(SequenceFailed, match="not numbers"):
                    future.result(TIMEOUT)
            assert_same([future.result(TIMEOUT) for future in futures[len(bad) :]], expected, tolerance)
            assert np.isfinite(logprobs(last.result(TIMEOUT))).all()


def test_too_much_waiting_is_refused_as_a_whole(model: Model) -> None:
    with scheduling(model, max_waiting=3) as scheduler:
        with pytest.raises(QueueFull):
            scheduler.submit([job(5, 6)] * 4)
        assert len(run(scheduler, *[job(5, 6)] * 3)) == 3
        assert len(run(scheduler, *[job(5, 6)] * 3)) == 3


LONG = job(5, 6, 7, max_tokens=800, k=None, temperature=1.5)


def test_closing_fails_what_is_not_finished(model: Model) -> None:
    with scheduling(model, slots=1) as scheduler:
        futures = scheduler.submit([LONG, LONG])
        scheduler.close()
        for future in futures:
            with pytest.raises(SequenceFailed, match="shutting down"):
                future.result(TIMEOUT)


@pytest.mark.parametrize("which", [0, 1], ids=["active", "waiting"])
def test_a_cancelled_job_does_no_harm(which: int, model: Model) -> None:
    with scheduling(model, slots=1) as scheduler:
        warm = scheduler.submit([job(5, 6)])[0]
        warm.result(TIMEOUT)
        futures: list[Future[Result]] = scheduler.submit([job(5, 6, max_tokens=200), job(6, 7), job(7, 8)])
        futures[which].cancel()
        with contextlib.suppress(CancelledError):
            futures[which].result(TIMEOUT)
        assert futures[2].result(TIMEOUT).finish_reason == "length"
        late = scheduler.submit([LONG])[0]
        late.cancel()
    assert late.done()


def test_a_seed_draws_the_same_tokens_whatever_runs_beside(model: Model) -> None:
    def seeded(seed: int) -> Job:
        return job(5, 6, 7, k=None, max_tokens=12, temperature=1.0, seed=seed)

    seeds = [*range(6), 2**32 + 1, 2**63 - 1, -1, -(2**63), 2**32 - 1]
    with scheduling(model) as scheduler:
        one_by_one = run_in_turn(scheduler, *map(seeded, seeds))
        together = run(scheduler, *map(seeded, seeds))
    assert [result.completion for result in together] == [result.completion for result in one_by_one]
    assert len({result.completion for result in one_by_one[:6]}) == 6


@pytest.mark.parametrize("narrow", [{"temperature": 1e-40}, {"temperature": 1e-3}, {"top_p": 1e-9}], ids=str)
def test_sampling_that_leaves_one_token_is_greedy(narrow: dict[str, float], model: Model) -> None:
    with scheduling(model) as scheduler:
        greedy, sampled = run(
            scheduler,
            job(5, 6, 7, max_tokens=12),
            job(5, 6, 7, max_tokens=12, **{"temperature": 1.0} | narrow),
        )
    assert_same([sampled], [greedy])


def test_what_samples_reports_raw_log_probabilities(model: Model, steady_llama: RawLlama) -> None:
    with scheduling(model) as scheduler:
        result = run(scheduler, job(5, 6, 7, k=2, max_tokens=12, temperature=2.0, top_p=0.5))[0]
    expected = steady_llama.logprobs([5, 6, 7, *result.completion])
    tokens = np.array([6, 7, *result.completion])
    np.testing.assert_allclose(logprobs(result), expected[np.arange(len(tokens)), tokens], rtol=0, atol=TOLERANCE)


def test_a_stop_string_ends_a_sequence(model: Model) -> None:
    with scheduling(model) as scheduler:
        free = run(scheduler, job(5, 6, 7, max_tokens=12))[0]
        text = b"".join(map(model.piece, free.completion)).decode(errors="replace")
        stop = text[len(text) // 2 :][:3]
        stopped = run(scheduler, job(5, 6, 7, max_tokens=12, stops=("no such thing", stop)))[0]
    assert (stopped.finish_reason, stopped.stop, stopped.cut) == ("stop", stop, text.find(stop))
    assert (free.finish_reason, free.stop, free.cut) == ("length", None, None)
    assert stopped.completion == free.completion[: len(stopped.completion)]
    assert len(stopped.completion) < len(free.completion)


def test_timings_pass_the_stations_in_order(model: Model) -> None:
    with scheduling(model) as scheduler:
        timings = run(scheduler, job(*prompts(1, 90)[0], max_tokens=3))[0].timings
    assert 0 < timings.admitted < timings.prompt_done < timings.finished


def test_an_engine_that_cannot_go_on_ends_the_process(no_bos: Path) -> None:
    program = f"""if True:
        from pathlib import Path
        from server.engine.llama import Context, Model
        from server.engine.scheduler import Scheduler
        from server.engine.sequence import Job
        model = Model(Path({str(no_bos)!r}), gpu_layers=0)
        context = Context(model, cells=256, sequences=2, batch_size=64, threads=1, cache_type_k="f16",
                          cache_type_v="f16", flash_attention="auto")
        job = Job(tuple(range(2, 400)), 0, True, 0, temperature=0, top_p=1, seed=0, stops=())
        Scheduler(model, context, slots=1, max_waiting=9).submit([job])[0].result(60)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 70
    assert "the engine failed and the server stops: the KV cache has no room for this batch." in done.stderr
    assert "Traceback" not in done.stderr
