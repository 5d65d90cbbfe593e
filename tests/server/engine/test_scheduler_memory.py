"""What the scheduler remembers: keys and values while there is room, scores long after."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from engine_parts import assert_same, assert_true, bits, job, logprobs, prompts, run, run_in_turn, scheduling
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.llama import Model
from server.engine.scheduler import Scheduler
from server.engine.sequence import Job, Result

if TYPE_CHECKING:
    from tests.server.conftest import RawLlama


def forget_keys(scheduler: Scheduler, cells: int) -> None:
    """Fill the KV cache with other prompts."""
    for prompt in prompts(7, cells - 8):
        run(scheduler, job(*prompt, score_from=None, k=None))


def test_the_same_prompt_again_costs_nothing(model: Model) -> None:
    asked = job(*prompts(1, 50)[0], k=2)
    with scheduling(model) as scheduler:
        first, second = run_in_turn(scheduler, asked, asked)
    assert (first.reused, second.reused) == (0, 50)
    assert (first.slot >= 0, second.slot) == (True, -1)
    assert bits(first) == bits(second)


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


def test_those_that_wait_for_a_prefix_keep_their_order(model: Model) -> None:
    prompt = prompts(1, 100)[0]
    with scheduling(model, slots=3, batch_size=8) as scheduler:
        first, *others = run(scheduler, job(*prompt), *(job(*prompt, 9, n) for n in range(5, 10)))
    admitted = [result.timings.admitted for result in others]
    assert admitted == sorted(admitted)
    assert admitted[0] > first.timings.admitted


def test_the_same_prompt_asked_many_times_at_once_is_computed_once(model: Model) -> None:
    asked = job(*prompts(1, 80)[0], k=1)
    with scheduling(model, slots=4, batch_size=16) as scheduler:
        results = run(scheduler, *[asked] * 10)
    assert [result.reused for result in results] == [0] + [80] * 9
    assert len(set(map(bits, results))) == 1


def test_what_generates_lends_its_prompt_before_it_has_finished(model: Model) -> None:
    prompt = prompts(1, 40)[0]
    with scheduling(model, slots=2) as scheduler:
        long, short = run(scheduler, job(*prompt, max_tokens=200, k=0), job(*prompt, k=0))
    assert short.reused == 40
    assert short.timings.finished < long.timings.finished
    assert logprobs(short).tobytes() == logprobs(long)[:39].tobytes()


@pytest.mark.parametrize("overlap", [False, True])
def test_scores_outlive_the_kv_cache(overlap: bool, model: Model) -> None:
    asked = job(*prompts(1, 90)[0], k=3)
    tail = job(*asked.prompt, score_from=60, k=1)
    with scheduling(model, cells=256, overlap=overlap) as scheduler:
        first = run(scheduler, asked)[0]
        forget_keys(scheduler, 256)
        continued = run(scheduler, job(*asked.prompt, 9, score_from=None, k=None))[0]
        assert continued.reused == 0, "its keys and values are gone"
        again, part = run_in_turn(scheduler, asked, tail)
    assert (again.reused, again.slot) == (90, -1)
    assert bits(again) == bits(first)
    assert part.reused == 90
    assert logprobs(part).tobytes() == logprobs(first)[59:].tobytes()


def test_scores_of_what_was_generated_are_remembered_too(model: Model) -> None:
    with scheduling(model) as scheduler:
        written = run(scheduler, job(5, 6, 7, max_tokens=20, k=2))[0]
        read = run(scheduler, job(5, 6, 7, *written.completion, k=2))[0]
    assert read.reused == 23
    assert logprobs(read).tobytes() == logprobs(written).tobytes()


def test_without_memory_for_scores_they_are_computed_again(model: Model) -> None:
    asked = job(*prompts(1, 50)[0], k=1)
    with scheduling(model, score_cache=0) as scheduler:
        first, second = run_in_turn(scheduler, asked, asked)
    assert (first.reused, second.reused) == (0, 0)
    assert_same([second], [first], tolerance=1e-5)


def test_scores_with_fewer_alternatives_serve_until_more_are_wanted(model: Model) -> None:
    prompt = prompts(1, 50)[0]
    wanted = [(1, 0), (1, 0), (1, 2), (1, 1), (20, 5), (30, 5), (1, 2), (1, 0)]
    jobs = [job(*prompt, score_from=first, k=k) for first, k in wanted]
    with scheduling(model) as scheduler:
        results = run_in_turn(scheduler, *jobs)
    assert [result.reused == 50 for result in results] == [False, True, False, True, False, True, True, True]


def test_namespaces_share_neither_keys_nor_scores(model: Model) -> None:
    prompt = prompts(1, 50)[0]
    with scheduling(model) as scheduler:
        results = run_in_turn(
            scheduler, *(job(*prompt, k=0, cache=cache) for cache in ("", "a", "b", "a", "", None, "b"))
        )
        others = run_in_turn(
            scheduler, *(job(*prompt, 9, score_from=None, k=None, cache=cache) for cache in ("", "c", "a", None))
        )
    assert [result.reused for result in results] == [0, 0, 0, 50, 50, 0, 50]
    assert [result.reused for result in others] == [50, 0, 50, 0]


def test_namespaces_are_not_shared_while_both_are_computed(model: Model) -> None:
    prompt = prompts(1, 100)[0]
    with scheduling(model, batch_size=16) as scheduler:
        results = run(scheduler, *(job(*prompt, cache=cache) for cache in ("", "a", None, None, "a", "")))
    assert [result.reused for result in results] == [0, 0, 0, 0, 100, 100]


def test_a_job_outside_the_cache_leaves_nothing(model: Model) -> None:
    asked = job(*prompts(1, 50)[0], k=1, max_tokens=5, cache=None)
    with scheduling(model) as scheduler:
        run(scheduler, asked)
        snapshot = scheduler.snapshot().result(60)
        assert (snapshot.occupants, snapshot.used, snapshot.score_bytes) == ((), 0, 0)
        run(scheduler, job(*asked.prompt, k=1))
        before = scheduler.snapshot().result(60)
        result = run(scheduler, asked)[0]
        after = scheduler.snapshot().result(60)
    assert result.reused == 0
    assert (after.used, after.score_bytes) == (before.used, before.score_bytes)


def again(result: Result) -> Job:
    """A job that asks for the same tokens to be scored, those that were generated included."""
    return job(*result.job.prompt, *result.completion, score_from=first_of(result.job), k=result.job.top_k)


def first_of(asked: Job) -> int:
    """Position of the first token that is scored."""
    return min(asked.score_from or 1, len(asked.prompt))


SCORED = st.builds(
    lambda prompt, score_from, k, max_tokens: job(*prompt, score_from=score_from, k=k, max_tokens=max_tokens),
    st.lists(st.integers(2, 4), min_size=1, max_size=24).map(tuple),
    st.integers(1, 8),
    st.sampled_from([0, 2]),
    st.integers(0, 3),
)


@settings(max_examples=25, deadline=None)
@given(
    jobs=st.lists(SCORED, min_size=1, max_size=8),
    overlap=st.booleans(),
    which=st.sampled_from(["model", "world"]),
)
def test_every_request_twice_in_a_row_has_the_same_bits(
    model: Model, world: Model, jobs: list[Job], overlap: bool, which: str
) -> None:
    with scheduling({"model": model, "world": world}[which], cells=256, overlap=overlap) as scheduler:
        for asked in jobs:
            first, second = run_in_turn(scheduler, asked, asked)
            n = len(asked.prompt) - first_of(asked)
            assert logprobs(first)[:n].tobytes() == logprobs(second)[:n].tobytes()
            if asked.max_tokens == 0:  # the rows of generated tokens are computed anew
                assert bits(first) == bits(second)
            read = run(scheduler, again(second))[0]
            assert logprobs(read).tobytes() == logprobs(second).tobytes()


@settings(max_examples=25, deadline=None)
@given(
    a=st.lists(st.integers(2, 600), min_size=1, max_size=60).map(tuple),
    b=st.lists(st.integers(2, 600), min_size=1, max_size=60).map(tuple),
    batch_size=st.sampled_from([7, 64]),
    which=st.sampled_from(["no_bos", "bundled"]),
)
def test_scoring_at_once_is_scoring_after_the_first_part_is_cached(
    model: Model,
    world: Model,
    hand: Callable[[str], RawLlama],
    a: tuple[int, ...],
    b: tuple[int, ...],
    batch_size: int,
    which: str,
) -> None:
    prefix = (world.bos,) if which == "bundled" else ()
    whole = job(*prefix, *a, *b, k=2)
    tested = {"no_bos": model, "bundled": world}[which]
    tolerance = 2e-3 if which == "no_bos" else 0.1  # the bundled model's weights are F16, see `write_random_llama`
    with scheduling(tested, batch_size=batch_size) as scheduler:
        at_once = run(scheduler, whole)[0]
    with scheduling(tested, batch_size=batch_size) as scheduler:
        first, after = run_in_turn(scheduler, job(*prefix, *a, k=2), whole)
    n = len(prefix) + len(a)
    assert after.reused == n - 1
    assert logprobs(after)[: n - 1].tobytes() == logprobs(first).tobytes()
    np.testing.assert_allclose(logprobs(after), logprobs(at_once), rtol=0, atol=tolerance)
    assert_true(after, hand(which), tolerance)


@pytest.fixture(scope="module")
def hand(raw_llama: Callable[..., RawLlama], request: pytest.FixtureRequest) -> Callable[[str], RawLlama]:
    """Either model, driven by hand."""
    return lambda name: raw_llama(request.getfixturevalue(name), cache_type="f32")
