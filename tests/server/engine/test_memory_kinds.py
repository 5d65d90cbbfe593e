"""Models whose memory is no plain KV cache: a prefix cannot be copied, and all else holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from engine_parts import TIMEOUT, assert_same, assert_true, bits, job, prompts, run, run_in_turn, scheduling
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import WINDOW, write_tiny

from server.engine.llama import Model
from server.engine.sequence import Job
from server.engine.ticket import SequenceFailed

if TYPE_CHECKING:
    from tests.server.conftest import RawLlama

MIXED = [
    *(job(*prompt, k=3) for prompt in prompts(3, 90, common=40)),
    *(job(*prompt, k=1, max_tokens=9) for prompt in prompts(3, 33)),
    *(job(*prompt, k=2, score_from=None, max_tokens=8) for prompt in prompts(3, 20, common=15)),
    job(*prompts(1, 50)[0], k=1, score_from=25),
    job(*prompts(1, WINDOW)[0], k=1, max_tokens=2 * WINDOW),
    job(5, max_tokens=3),
]


@pytest.fixture(scope="module", params=["gemma2", "mamba", "jamba"])
def path(request: pytest.FixtureRequest, bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sliding window, a running state, and layers of both kinds."""
    return write_tiny(tmp_path_factory.mktemp("models") / f"{request.param}.gguf", request.param, bundled)


@pytest.fixture(scope="module")
def tiny(path: Path) -> Iterator[Model]:
    tiny = Model(path, gpu_layers=0)
    yield tiny
    tiny.close()


@pytest.fixture(scope="module")
def hand(path: Path, raw_llama: Callable[..., RawLlama]) -> RawLlama:
    return raw_llama(path, cache_type="f32")


def test_prefixes_are_not_copied(tiny: Model) -> None:
    assert not tiny.can_share_prefix
    prompt = prompts(1, 50)[0]
    with scheduling(tiny) as scheduler:
        _, longer, again = run_in_turn(scheduler, *(job(*prompt, *end, k=0, max_tokens=1) for end in ((), (9,), ())))
        snapshot = scheduler.snapshot().result(TIMEOUT)
    assert longer.reused == 0
    assert again.reused == 0
    assert (snapshot.occupants, snapshot.used) == ((), 0)


@pytest.mark.parametrize(
    "options",
    [{"slots": 1}, {}, {"slots": 16}, {"batch_size": 7}, {"rows": 3, "batch_size": 512}, {"overlap": True}],
    ids=str,
)
def test_results_are_those_of_llama_cpp_alone(options: dict[str, Any], tiny: Model, hand: RawLlama) -> None:
    with scheduling(tiny, **options) as scheduler:
        for result in (*run(scheduler, *MIXED), *run_in_turn(scheduler, *reversed(MIXED))):
            assert_true(result, hand)


def test_scores_are_remembered_all_the_same(tiny: Model) -> None:
    asked = job(*prompts(1, 50)[0], k=2)
    with scheduling(tiny) as scheduler:
        first, second = run_in_turn(scheduler, asked, asked)
    assert (first.reused, second.reused) == (0, 50)
    assert bits(first) == bits(second)


def test_nothing_is_left_of_what_was_cancelled(tiny: Model, hand: RawLlama) -> None:
    began = threading.Event()
    with scheduling(tiny, slots=1) as scheduler:
        ticket = scheduler.submit([job(5, 6, 7, max_tokens=800, k=None, temperature=1.5)], began.set)[0]
        assert began.wait(TIMEOUT)
        scheduler.cancel([ticket])
        with pytest.raises(SequenceFailed):
            ticket.future.result(TIMEOUT)
        for result in run_in_turn(scheduler, *MIXED):
            assert_true(result, hand)


def test_a_full_cache_of_short_and_long_sequences(tiny: Model) -> None:
    jobs = [job(*prompt, k=0, max_tokens=4) for n in (10, 120) for prompt in prompts(6, n)]
    with scheduling(tiny, cells=256) as scheduler:
        assert_same(run(scheduler, *jobs), run_in_turn(scheduler, *jobs))


JOBS = st.builds(
    lambda prompt, score_from, k, max_tokens: job(*prompt, score_from=score_from, k=k, max_tokens=max_tokens),
    st.lists(st.integers(2, 4), min_size=1, max_size=24).map(tuple),
    st.none() | st.sampled_from([1, 1, 7]),
    st.sampled_from([None, 0, 3]),
    st.integers(0, 4),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(JOBS, min_size=1, max_size=6), min_size=1, max_size=4), st.integers(1, 5), st.booleans())
def test_any_jobs_in_any_order_get_true_results_from_any_memory(
    tiny: Model, hand: RawLlama, batches: list[list[Job]], slots: int, overlap: bool
) -> None:
    with scheduling(tiny, slots=slots, cells=256, batch_size=16, overlap=overlap) as scheduler:
        for jobs in batches:
            for result in run(scheduler, *jobs):
                assert_true(result, hand)
