from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from engine_parts import job, make_context
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.context import Batch, Context
from server.engine.llama import Model
from server.engine.prefix_cache import WORTH_WAITING, PrefixCache
from server.engine.sequence import Job, Sequence


class Cache:
    """A real cache, and the few steps of the scheduler that it needs."""

    def __init__(self, model: Model, context: Context, slots: int, *, share: bool = True, kept: int = 1 << 16) -> None:
        self.model = model
        self.context = context
        self.cache = PrefixCache(context, slots, share=share, kept=kept, shares_scores=True)
        self.active: list[Sequence] = []

    def place(self, asked: Job) -> Sequence | None:
        """Give a job a slot, or None where it had better wait."""
        sequence = Sequence(asked, self.model)
        assert sequence.first_row is not None
        placed = self.cache.place(sequence, sequence.first_row, self.active)
        if placed is None:
            return None
        sequence.begin(placed.slot, placed.start)
        assert placed.start <= sequence.first_row
        assert placed.slot not in {other.slot for other in self.active}
        self.active.append(sequence)
        return sequence

    def compute(self, sequence: Sequence, end: int) -> None:
        """Decode up to a position; llama.cpp refuses positions that do not follow on what is in the cache."""
        begin, sequence.computed = sequence.computed, end
        n = end - begin
        slots, flags = np.full(n, sequence.slot, np.int32), np.ones(n, np.int8)
        tokens = sequence.tokens[begin:end].copy()
        self.context.decode(Batch(tokens, np.arange(begin, end, dtype=np.int32), slots, flags))

    def end(self, sequence: Sequence) -> None:
        self.active.remove(sequence)
        self.cache.keep(sequence)

    def run(self, asked: Job) -> Sequence:
        """Place, compute and end a job; return it for its slot and what it reused."""
        sequence = self.place(asked)
        assert sequence is not None
        self.compute(sequence, len(asked.prompt))
        self.end(sequence)
        return sequence

    def reused(self, *prompt: int, cache: str | None = "") -> int:
        return self.run(generates(*prompt, cache=cache)).reused


def generates(*prompt: int, cache: str | None = "") -> Job:
    return job(*prompt, score_from=None, k=None, max_tokens=1, cache=cache)


@pytest.fixture
def make_cache(model: Model) -> Iterator[Callable[..., Cache]]:
    contexts: list[Context] = []

    def make(slots: int, **options: Any) -> Cache:
        contexts.append(make_context(model, slots=(slots + 1) // 2, cells=256))
        return Cache(model, contexts[-1], slots, **options)

    yield make
    for context in contexts:
        context.close()


PROMPT = tuple(range(10, 40))


def test_a_prompt_starts_from_the_longest_known_prefix(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(8)
    assert cache.reused(*PROMPT[:5]) == 0
    assert cache.reused(*PROMPT[:20]) == 5
    assert cache.reused(*PROMPT[:12], 99) == 12
    assert cache.reused(*PROMPT) == 20
    assert cache.reused(*PROMPT) == 29  # the last token's row is needed to generate
    assert cache.reused(99, *PROMPT) == 0


def test_a_prefix_is_taken_over_no_further_than_the_first_row_that_is_needed(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(8)
    cache.reused(*PROMPT)
    for first in (1, 2, 15, 29):
        assert cache.run(job(*PROMPT, score_from=first, k=0, max_tokens=1)).reused == first - 1


def test_a_model_whose_memory_cannot_be_copied_lends_nothing(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(4, share=False)
    slots = {cache.run(generates(*PROMPT)).slot for _ in range(4)}
    assert cache.reused(*PROMPT) == 0
    assert len(slots) == 1  # given back, not kept
    assert not cache.cache.make_room()


def test_namespaces_do_not_share(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(8)
    assert cache.reused(*PROMPT) == 0
    assert cache.reused(*PROMPT, cache="a") == 0
    assert cache.reused(*PROMPT, cache="b") == 0
    assert cache.reused(*PROMPT, cache="a") == 29
    assert cache.reused(*PROMPT) == 29


def test_a_job_of_no_namespace_takes_nothing_and_leaves_nothing(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(8)
    assert cache.reused(*PROMPT) == 0
    assert cache.reused(*PROMPT, cache=None) == 0
    assert len(cache.cache.residents) == 1
    first = cache.place(generates(99, *PROMPT, cache=None))
    assert first is not None
    cache.compute(first, 31)
    assert cache.reused(99, *PROMPT) == 0
    second = cache.place(generates(99, *PROMPT, cache=None))  # not even from one like it
    assert second is not None
    assert second.reused == 0


def test_a_prompt_waits_for_a_prefix_that_is_being_computed(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(8)
    first = cache.place(job(*PROMPT))
    assert first is not None
    assert cache.place(job(*PROMPT, 99)) is None
    assert cache.place(generates(*PROMPT, 99)) is None
    # Seven tokens are not worth waiting for; nor is a prompt that is being computed, but not scored as is wanted.
    assert WORTH_WAITING == 8
    for other in (job(*PROMPT[:7], 99), job(*PROMPT, k=2), job(*PROMPT, 99, cache="other"), job(*PROMPT, cache=None)):
        sequence = cache.place(other)
        assert sequence is not None
        assert sequence.reused == 0
        cache.end(sequence)
    cache.compute(first, 22)
    assert cache.place(generates(*PROMPT, 99)) is None
    cache.compute(first, 23)  # seven more are to come
    last = cache.place(generates(*PROMPT, 99))
    assert last is not None
    assert last.reused == 23


def test_nothing_waits_for_what_is_already_kept(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(8)
    cache.reused(*PROMPT)
    other = cache.place(generates(99, *PROMPT))
    again = cache.place(generates(*PROMPT, 98))
    assert other is not None
    assert again is not None
    assert again.reused == 30


def test_an_active_sequence_lends_what_it_has_computed(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(4)
    first = cache.place(generates(*PROMPT))
    assert first is not None
    cache.compute(first, len(PROMPT))
    second = cache.place(generates(*PROMPT, 99))
    assert second is not None
    assert second.reused == len(PROMPT)
    cache.compute(second, len(PROMPT) + 1)
    cache.end(first)
    cache.end(second)
    assert cache.reused(*PROMPT, 99) == len(PROMPT)


def test_the_prefix_that_was_unused_for_longest_goes_first(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(4)
    a, b, c, d = ((start, *PROMPT) for start in (1, 2, 3, 4))
    for prompt in (a, b, c, d):
        assert cache.reused(*prompt) == 0
    assert cache.reused(*a) > 0  # takes the slot of b
    assert cache.reused(*b) == 0
    assert cache.reused(*a) > 0


def test_to_lend_a_prefix_is_a_use(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(4)
    a, b, c, d = ((start, *PROMPT) for start in (1, 2, 3, 4))
    for prompt in (a, b, c):
        assert cache.reused(*prompt) == 0
    assert cache.reused(*a[:10], 99) == 10
    assert cache.reused(*d) == 0  # takes the slot of b, not that of a
    assert cache.reused(*a) == len(a) - 1


def test_the_only_slot_is_cut_back(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(1)
    assert cache.reused(*PROMPT) == 0
    assert cache.reused(*PROMPT[:10], 99, 98) == 10
    assert cache.reused(*PROMPT) == 10
    assert cache.reused(99) == 0


def test_only_so_many_tokens_are_kept(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(8, kept=70)
    prompts = [(start, *PROMPT) for start in range(1, 5)]  # 31 tokens each
    for prompt in prompts:
        cache.reused(*prompt)
        assert sum(len(resident.tokens) for resident in cache.cache.residents) <= 70
    assert [cache.reused(*prompt) for prompt in prompts[2:]] == [30, 30]
    assert cache.reused(*prompts[1]) == 0


def test_the_last_prompt_is_kept_however_long(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(8, kept=1)
    assert [cache.reused(*PROMPT), cache.reused(*PROMPT)] == [0, 29]
    assert [cache.reused(99, *PROMPT), cache.reused(*PROMPT)] == [0, 0]


def test_room_is_made_until_none_is_left(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(4)
    cache.reused(*PROMPT)
    cache.reused(99, *PROMPT)
    assert [cache.cache.make_room() for _ in range(3)] == [True, True, False]
    assert cache.reused(*PROMPT) == 0


def test_clearing_forgets_active_and_finished(make_cache: Callable[..., Cache]) -> None:
    cache = make_cache(2)
    cache.reused(*PROMPT)
    sequence = cache.place(generates(99, *PROMPT))
    assert sequence is not None
    cache.compute(sequence, len(PROMPT))
    cache.active.clear()
    cache.cache.clear()
    assert not cache.cache.make_room()
    assert [cache.reused(*prompt) for prompt in (PROMPT, (99, *PROMPT), PROMPT)] == [0, 0, 29]


NAMESPACES = st.sampled_from(["", "a", None])
SHORT = st.lists(st.integers(2, 3), min_size=1, max_size=10)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SHORT, NAMESPACES), max_size=20))
def test_the_longest_prefix_of_the_namespace_is_found_while_there_are_slots(
    world: Model, runs: list[tuple[list[int], str | None]]
) -> None:
    context = make_context(world, slots=10, cells=256)
    cache = Cache(world, context, 20)
    held: list[tuple[list[int], str]] = []
    try:
        for prompt, namespace in runs:
            prefixes = [
                n
                for n in range(len(prompt))
                if any(other == namespace and tokens[:n] == prompt[:n] and len(tokens) >= n for tokens, other in held)
            ]
            assert cache.reused(*prompt, cache=namespace) == max(prefixes, default=0)
            if namespace is not None:
                held.append((prompt, namespace))
    finally:
        context.close()
