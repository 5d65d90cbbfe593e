from __future__ import annotations

from collections import Counter

import numpy as np
from engine_parts import job
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.batching import Chunk, plan, to_batch
from server.engine.llama import Model
from server.engine.scoring import Scores
from server.engine.sequence import Job, Sequence

TOKEN = 5
"""What these sequences generate; no model is asked."""

JOBS = st.builds(
    lambda n, max_tokens, score_from, k: job(*[7] * n, max_tokens=max_tokens, score_from=score_from, k=k),
    n=st.integers(1, 12),
    max_tokens=st.integers(0, 3),
    score_from=st.none() | st.integers(1, 13),
    k=st.sampled_from([None, 0, 2]),
)


def begun(model: Model, asked: Job, slot: int, reused: int = 0) -> Sequence:
    """A sequence in its slot, as much of it reused as may be."""
    sequence = Sequence(asked, model)
    sequence.begin(slot, min(reused, sequence.first_row or 0))
    return sequence


def decode(chunks: list[Chunk]) -> list[tuple[Sequence, int]]:
    """Do what the reader of rows does, without rows: compute and generate. What is to be scored comes back."""
    scored = []
    for sequence, begin, end, flags in chunks:
        assert begin == sequence.computed
        sequence.computed = end
        if flags[-1] and end == sequence.length and sequence.job.max_tokens > 0:
            sequence.generate(TOKEN)
        if sequence.scores is not None:
            scored.append((sequence, int(flags.sum())))
        if sequence.job.max_tokens == 0 and end == sequence.length:
            sequence.finish_reason = "length"
    return scored


def append(scored: list[tuple[Sequence, int]]) -> None:
    for sequence, n in scored:
        assert sequence.scores is not None
        sequence.scores.append(Scores.empty(n, sequence.scores.k))


def rows_needed(asked: Job) -> set[int]:
    """Positions whose rows a job needs: those before scored tokens, and those that choose one."""
    n = len(asked.prompt)
    chosen = set(range(n - 1, n - 1 + asked.max_tokens))
    if asked.top_k is None or asked.score_from is None:
        return chosen
    return chosen | set(range(asked.score_from - 1, n - 1))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(JOBS, st.integers(0, 12)), min_size=1, max_size=6),
    st.integers(1, 20),
    st.integers(1, 6),
    st.booleans(),
)
def test_budgets_are_kept_and_every_row_is_computed_once(
    world: Model, jobs: list[tuple[Job, int]], tokens: int, rows: int, overlap: bool
) -> None:
    sequences = [begun(world, asked, slot, reused) for slot, (asked, reused) in enumerate(jobs)]
    sequences = [sequence for sequence in sequences if sequence.first_row is not None]
    flagged: Counter[tuple[int, int]] = Counter()
    late: list[tuple[Sequence, int]] = []
    while not all(sequence.done for sequence in sequences):
        chunks = plan([each for each in sequences if not each.done], tokens=tokens, rows=rows)
        assert chunks or late, "something is left to compute, and no batch computes it"
        assert sum(chunk.end - chunk.begin for chunk in chunks) <= tokens
        assert sum(int(chunk.flags.sum()) for chunk in chunks) <= rows
        assert all(0 < chunk.end - chunk.begin == len(chunk.flags) for chunk in chunks)
        assert len({chunk.sequence.slot for chunk in chunks}) == len(chunks)
        for sequence, begin, _, flags in chunks:
            flagged.update((sequence.slot, begin + int(i)) for i in np.flatnonzero(flags))
        scored = decode(chunks)
        append(late)
        late = scored if overlap else []
        append([] if overlap else scored)
    wanted = {(each.slot, position) for each in sequences for position in rows_needed(each.job)}
    assert flagged == Counter(dict.fromkeys(wanted, 1))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(1, 20), st.integers(1, 8))
def test_what_generates_comes_first_with_one_token_each(
    world: Model, generating: list[bool], tokens: int, rows: int
) -> None:
    sequences = []
    for slot, generates in enumerate(generating):
        sequence = begun(world, job(*[7] * 6, max_tokens=2, score_from=None, k=None), slot)
        if generates:
            decode([Chunk(sequence, 0, 6, sequence.wants(0, 6))])
        sequences.append(sequence)
    chunks = plan(sequences, tokens=tokens, rows=rows)
    first = chunks[: min(sum(generating), tokens, rows)]
    assert [(chunk.begin, chunk.end, chunk.flags.tolist()) for chunk in first] == [(6, 7, [1])] * len(first)
    order = [chunk.sequence.slot for chunk in chunks]
    assert order == [slot for slot in sorted(order, key=lambda slot: (not generating[slot], slot))]
    if len(first) == sum(generating) and tokens > len(first):  # what is left goes to prompts, which need no row yet
        assert sum(chunk.end - chunk.begin for chunk in chunks) >= min(
            tokens, len(first) + 5 * (len(generating) - len(first))
        )


def test_a_prompt_goes_on_where_the_last_batch_left_it(world: Model) -> None:
    sequence = begun(world, job(*range(10, 20), max_tokens=1), slot=3)
    chunks = plan([sequence], tokens=4, rows=9)
    assert [(chunk.begin, chunk.end, chunk.flags.tolist()) for chunk in chunks] == [(0, 4, [1] * 4)]
    append(decode(chunks))
    batch = to_batch(plan([sequence], tokens=20, rows=9))
    assert batch.tokens.tolist() == [14, 15, 16, 17, 18, 19]
    assert batch.positions.tolist() == [4, 5, 6, 7, 8, 9]
    assert batch.sequences.tolist() == [3] * 6
    assert batch.flags.tolist() == [1] * 6
    assert [array.dtype for array in batch] == [np.int32, np.int32, np.int32, np.int8]


def test_a_batch_ends_before_the_first_row_that_it_has_no_room_for(world: Model) -> None:
    scores = begun(world, job(*range(10, 20)), slot=0)
    plain = begun(world, job(*range(10, 20), score_from=None, k=None), slot=1)
    late = begun(world, job(*range(10, 20), score_from=8), slot=2)
    chunks = plan([scores, plain, late], tokens=64, rows=4)
    assert [(chunk.sequence.slot, chunk.begin, chunk.end) for chunk in chunks] == [(0, 0, 4), (1, 0, 10), (2, 0, 7)]


def test_the_arrays_of_several_sequences_lie_one_after_the_other(world: Model) -> None:
    sequences = [begun(world, job(10 + slot, 20 + slot, max_tokens=1), slot) for slot in range(3)]
    batch = to_batch(plan(sequences, tokens=5, rows=9))
    assert batch.tokens.tolist() == [10, 20, 11, 21, 12]
    assert batch.positions.tolist() == [0, 1, 0, 1, 0]
    assert batch.sequences.tolist() == [0, 0, 1, 1, 2]
