from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from engine_parts import (
    TIMEOUT,
    TOLERANCE,
    assert_same,
    assert_true,
    bits,
    job,
    logprobs,
    prompts,
    run,
    run_in_turn,
    scheduling,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.llama import Model
from server.engine.sequence import Job, Result

if TYPE_CHECKING:
    from tests.server.conftest import RawLlama

FLASH_TOLERANCE = 0.03
"""On a CPU, flash attention rounds its sums to F16 after so many tokens as happen to be decoded together."""

MIXED = [
    *(job(*prompt, k=3) for prompt in prompts(3, 90, common=40)),
    *(job(*prompt, k=None, max_tokens=9) for prompt in prompts(3, 33)),
    *(job(*prompt, k=1, max_tokens=7) for prompt in prompts(2, 70, common=69)),
    *(job(*prompt, k=2, score_from=None, max_tokens=8) for prompt in prompts(3, 20, common=15)),
    *(job(*prompt, k=2, score_from=first, max_tokens=2) for first, prompt in enumerate(prompts(3, 40, common=39), 38)),
    job(*prompts(1, 50)[0], k=1, max_tokens=6, temperature=1.0, top_p=0.9, presence_penalty=0.5),
    job(*prompts(1, 50)[0], k=1, score_from=25, cache=None),
    job(5, max_tokens=3),
    job(5, 6, k=None, score_from=None),
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
        ({"rows": 1}, TOLERANCE),
        ({"rows": 5, "batch_size": 512}, TOLERANCE),
        ({"cells": 256}, TOLERANCE),
        ({"score_cache": 0}, TOLERANCE),
        ({"overlap": True}, TOLERANCE),
        ({"overlap": True, "cells": 256, "rows": 3, "slots": 16}, TOLERANCE),
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


def test_scores_that_are_reduced_while_the_next_batch_is_decoded_have_the_same_bits(model: Model) -> None:
    with scheduling(model, overlap=False, batch_size=16) as scheduler:
        expected = run_in_turn(scheduler, *MIXED)
    with scheduling(model, overlap=True, batch_size=16) as scheduler:
        results = run_in_turn(scheduler, *MIXED)
    assert list(map(bits, results)) == list(map(bits, expected))


PROMPTS = st.lists(st.integers(2, 4), min_size=1, max_size=24).map(tuple)
JOBS = st.builds(
    lambda prompt, score_from, k, max_tokens, cache: job(
        *prompt, score_from=score_from, k=k, max_tokens=max_tokens, cache=cache
    ),
    PROMPTS,
    st.none() | st.sampled_from([1, 1, 2, 7, 30]),
    st.sampled_from([None, 0, 3]),
    st.integers(0, 4),
    st.sampled_from(["", "", "other", None]),
)


@settings(max_examples=40, deadline=None)
@given(
    batches=st.lists(st.lists(JOBS, min_size=1, max_size=6), min_size=1, max_size=6),
    slots=st.integers(1, 5),
    rows=st.sampled_from([1, 4, 16]),
    overlap=st.booleans(),
    score_cache=st.sampled_from([0, 9000, 1 << 20]),
)
def test_any_jobs_in_any_order_get_true_results(
    model: Model,
    steady_llama: RawLlama,
    batches: list[list[Job]],
    slots: int,
    rows: int,
    overlap: bool,
    score_cache: int,
) -> None:
    # Prompts of three different tokens share prefixes all the time, and 256 cells do not hold them all.
    options = {"slots": slots, "rows": rows, "overlap": overlap, "score_cache": score_cache}
    with scheduling(model, cells=256, batch_size=16, **options) as scheduler:
        for jobs in batches:
            for result in run(scheduler, *jobs):
                assert_true(result, steady_llama)


@pytest.mark.parametrize("first", [1, 2, 20, 39, 40, 41, 1000])
@pytest.mark.parametrize("max_tokens", [0, 3])
def test_scores_begin_where_they_are_wanted(first: int, max_tokens: int, model: Model, steady_llama: RawLlama) -> None:
    asked = job(*prompts(1, 40)[0], score_from=first, k=2, max_tokens=max_tokens)
    with scheduling(model) as scheduler:
        for result in run_in_turn(scheduler, asked, job(*asked.prompt[:30], 9), asked):
            assert_true(result, steady_llama)


def test_a_prompt_that_scores_nothing_is_computed_for_those_to_come(model: Model) -> None:
    prompt = prompts(1, 40)[0]
    with scheduling(model) as scheduler:
        warm, result = run_in_turn(
            scheduler, job(*prompt, score_from=None, k=None), job(*prompt, 5, max_tokens=1, k=None)
        )
    assert (warm.finish_reason, warm.completion, warm.scores) == ("length", (), None)
    assert result.reused == 40


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
        result = run(scheduler, job(5, 6, 7, k=2, max_tokens=12, temperature=2.0, top_p=0.5, logit_bias=((9, 5.0),)))[0]
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


def test_an_end_of_generation_token_ends_a_sequence(model: Model) -> None:
    end = int(model.end_tokens[0])
    with scheduling(model) as scheduler:
        result = run(scheduler, job(5, 6, 7, max_tokens=12, logit_bias=((end, 100.0),)))[0]
    assert (result.completion, result.finish_reason, result.stop) == ((end,), "stop", None)
    assert len(logprobs(result)) == 3


def test_timings_pass_the_stations_in_order(model: Model) -> None:
    with scheduling(model) as scheduler:
        timings = run(scheduler, job(*prompts(1, 90)[0], max_tokens=3))[0].timings
    assert 0 < timings.submitted < timings.admitted < timings.prompt_done < timings.finished


def test_an_engine_that_cannot_go_on_ends_the_process(no_bos: Path) -> None:
    program = f"""if True:
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from engine_parts import job, run, scheduling
        from server.engine.llama import Model
        with scheduling(Model(Path({str(no_bos)!r}), gpu_layers=0), cells=256) as scheduler:
            run(scheduler, job(*range(2, 400)))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 70
    assert "the engine failed and the server stops: the KV cache has no room for this batch." in done.stderr
    assert "Traceback" not in done.stderr
