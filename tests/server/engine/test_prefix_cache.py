from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from server.engine.llama import Batch, Context, Model
from server.engine.prefix_cache import WORTH_WAITING, Overlap, PrefixCache, common_prefix, overlap
from server.engine.scoring import Scores
from server.engine.sequence import Job, ScoreLog, Sequence

IDS = st.lists(st.integers(0, 2), max_size=12)


def array(*ids: int) -> NDArray[np.int32]:
    return np.array(ids, np.int32)


def job(*prompt: int, score: bool = True, k: int | None = 0, max_tokens: int = 0) -> Job:
    return Job(prompt, max_tokens, score, k, temperature=0, top_p=1, seed=0, stops=())


def known(until: int, k: int = 0, first: int = 1) -> ScoreLog:
    """Scores of the tokens from ``first`` up to ``until``, each one's own position as its log-probability."""
    log = ScoreLog(first, 50, k)
    n = until - first
    positions = np.arange(first, until)
    log.append(
        Scores(-positions.astype(float), positions.astype(np.int32), np.zeros((n, k), np.int32), np.zeros((n, k)))
    )
    return log


@given(IDS, IDS)
def test_common_prefix_is_as_long_as_can_be(a: list[int], b: list[int]) -> None:
    n = common_prefix(array(*a), array(*b))
    assert a[:n] == b[:n]
    assert n == min(len(a), len(b)) or a[n] != b[n]


@pytest.mark.parametrize(
    ("prompt", "tokens", "start"),
    [
        ((5, 6, 7), (5, 6, 8), 2),
        ((5, 6, 7), (5, 6, 7), 2),  # the last token's row is needed to generate
        ((5, 6, 7), (5, 6, 7, 8), 2),
        ((5, 6, 7), (5, 6), 2),
        ((5,), (5, 6), 0),
        ((5, 6), (6, 5), 0),
    ],
)
@pytest.mark.parametrize("scores", [None, known(2), known(3, k=5)])
def test_what_generates_takes_over_all_but_the_last_token(
    prompt: tuple[int, ...], tokens: tuple[int, ...], start: int, scores: ScoreLog | None
) -> None:
    for asked in (job(*prompt, score=False, k=None, max_tokens=1), job(*prompt, k=None), job(*prompt, score=False)):
        assert overlap(asked, array(*prompt), array(*tokens), scores, 0) == Overlap(start, 0)


@pytest.mark.parametrize(
    ("tokens", "scored", "expected"),
    [
        ((5, 6, 7, 8), 4, Overlap(3, 4)),  # everything is known
        ((5, 6, 7), 4, Overlap(2, 3)),  # the last score came with the last row, the token itself was not computed
        ((5, 6, 7, 9), 4, Overlap(2, 3)),
        ((5, 6, 7, 8), 2, Overlap(1, 2)),  # computed, but not scored as far
        ((9, 6, 7, 8), 4, Overlap(0, 0)),
        ((5, 9, 7, 8), 4, Overlap(0, 1)),
    ],
)
def test_what_scores_takes_over_only_what_is_scored(tokens: tuple[int, ...], scored: int, expected: Overlap) -> None:
    assert overlap(job(5, 6, 7, 8), array(5, 6, 7, 8), array(*tokens), known(scored), scored) == expected


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [
        (None, 0),
        (known(4, k=0), 1),  # scored with fewer alternatives
        (known(4, k=4), 5),
        (known(4, first=2), 0),  # the prompt itself was not scored
    ],
)
def test_scores_that_do_not_answer_are_not_taken_over(scores: ScoreLog | None, wanted: int) -> None:
    assert overlap(job(5, 6, 7, 8, k=wanted), array(5, 6, 7, 8), array(5, 6, 7, 8), scores, 4) == Overlap(0, 0)


@pytest.mark.parametrize(("have", "wanted"), [(0, 0), (5, 0), (5, 5)])
def test_more_alternatives_than_wanted_serve(have: int, wanted: int) -> None:
    found = overlap(job(5, 6, 7, k=wanted), array(5, 6, 7), array(5, 6, 7), known(3, k=have), 3)
    assert found == Overlap(2, 3)


@pytest.fixture(scope="module")
def model(no_bos: Path) -> Iterator[Model]:
    model = Model(no_bos, gpu_layers=0)
    yield model
    model.close()


@pytest.fixture
def make_cache(model: Model) -> Iterator[Callable[..., Cache]]:
    caches: list[Cache] = []

    def make(slots: int, *, share: bool = True) -> Cache:
        caches.append(Cache(model, slots, share=share))
        return caches[-1]

    yield make
    for cache in caches:
        cache.context.close()


class Cache:
    """A real cache, and the few steps of the scheduler that it needs."""

    def __init__(self, model: Model, slots: int, *, share: bool) -> None:
        self.model = model
        self.context = Context(
            model,
            cells=256,
            sequences=slots,
            batch_size=64,
            threads=1,
            cache_type_k="f16",
            cache_type_v="f16",
            flash_attention="auto",
        )
        self.cache = PrefixCache(self.context, slots, share=share)
        self.active: list[Sequence] = []

    def place(self, asked: Job) -> Sequence | None:
        """Give a job a slot, or None where it had better wait."""
        placed = self.cache.place(asked, self.active)
        if placed is None:
            return None
        slot, found, scores = placed
        sequence = Sequence(asked, self.model, slot, computed=found.start, reused=found.start)
        if sequence.scores is not None and scores is not None and found.scored:
            sequence.scores.copy_from(scores, found.scored)
        self.active.append(sequence)
        return sequence

    def compute(self, sequence: Sequence, until: int) -> None:
        begin, sequence.computed = sequence.computed, until
        n = until - begin
        slots, flags = np.full(n, sequence.slot, np.int32), np.ones(n, np.int8)
        tokens = sequence.tokens[begin:until].copy()
        self.context.decode(Batch(tokens, np.arange(begin, until, dtype=np.int32), slots, flags))
        if sequence.scores is not None:
            sequence.scores.end = until

    def end(self, sequence: Sequence) -> None:
        self.active.remove(sequence)
        self.cache.keep(sequence)

    def run(self, asked: Job) -> Sequence:
        """Place, compute and end a job; return it for its slot and what it reused."""
        sequence = self.place(asked)
        assert sequence is not None
        if sequence.computed < len(asked.prompt):
            self.compute(sequence, len(asked.prompt))
        self.end(sequence)
        return sequence


PROMPT = tuple(range(10, 40))
GENERATES = {"score": False, "k": None, "max_tokens": 1}


def test_a_prompt_starts_from_the_longest_known_prefix(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(8)
    assert cache.run(job(*PROMPT[:5], **GENERATES)).reused == 0
    assert cache.run(job(*PROMPT[:20], **GENERATES)).reused == 5
    assert cache.run(job(*PROMPT[:12], 99, **GENERATES)).reused == 12
    assert cache.run(job(*PROMPT, **GENERATES)).reused == 20
    assert cache.run(job(99, *PROMPT, **GENERATES)).reused == 0


def test_a_model_whose_memory_cannot_be_copied_lends_nothing(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(4, share=False)
    slots = {cache.run(job(*PROMPT, **GENERATES)).slot for _ in range(4)}
    assert cache.run(job(*PROMPT, **GENERATES)).reused == 0
    assert len(slots) == 1  # given back, not kept
    assert not cache.cache.make_room()


def test_a_prompt_waits_for_a_prefix_that_is_being_computed(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(4)
    first = cache.place(job(*PROMPT))
    assert first is not None
    assert cache.place(job(*PROMPT, 99)) is None
    # Seven tokens are not worth waiting for; nor is a prompt that is being computed, but not scored as is wanted.
    assert WORTH_WAITING == 8
    for other in (job(*PROMPT[:8], 99), job(*PROMPT, k=2)):
        sequence = cache.place(other)
        assert sequence is not None
        assert sequence.reused == 0
        cache.end(sequence)
    cache.compute(first, 25)
    assert cache.place(job(*PROMPT, 99)) is not None  # six more are to come, 24 are there


def test_an_active_sequence_lends_what_it_has_computed(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(4)
    first = cache.place(job(*PROMPT))
    assert first is not None
    cache.compute(first, len(PROMPT))
    second = cache.place(job(*PROMPT, 99))
    assert second is not None
    assert second.reused == len(PROMPT) - 1
    assert second.scores is not None
    assert second.scores.end == len(PROMPT)


def test_the_prefix_that_was_unused_for_longest_goes_first(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(3)
    a, b, c = ((start, *PROMPT) for start in (1, 2, 3))
    for prompt in (a, b, c):
        cache.run(job(*prompt, **GENERATES))
    assert cache.run(job(*a, **GENERATES)).reused > 0  # takes the slot of b
    assert cache.run(job(*b, **GENERATES)).reused == 0
    assert cache.run(job(*a, **GENERATES)).reused > 0


def test_the_only_slot_is_cut_back(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(1)
    assert cache.run(job(*PROMPT, **GENERATES)).reused == 0
    assert cache.run(job(*PROMPT[:10], 99, 98, **GENERATES)).reused == 10
    assert cache.run(job(*PROMPT, **GENERATES)).reused == 10
    assert cache.run(job(99, **GENERATES)).reused == 0


def test_room_is_made_until_none_is_left(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(4)
    cache.run(job(*PROMPT, **GENERATES))
    cache.run(job(99, *PROMPT, **GENERATES))
    assert [cache.cache.make_room() for _ in range(3)] == [True, True, False]
    assert cache.run(job(*PROMPT, **GENERATES)).reused == 0


def test_clearing_forgets_active_and_finished(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(2)
    cache.run(job(*PROMPT, **GENERATES))
    sequence = cache.place(job(99, *PROMPT, **GENERATES))
    assert sequence is not None
    cache.compute(sequence, len(PROMPT))
    cache.active.clear()
    cache.cache.clear()
    assert not cache.cache.make_room()
    assert [cache.run(job(*prompt, **GENERATES)).reused for prompt in (PROMPT, (99, *PROMPT), PROMPT)] == [0, 0, 29]
