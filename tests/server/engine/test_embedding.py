from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_bert import CONTEXT, WIDTH, write_random_bert

from server.engine.embedding import MAX_TEXTS, Embedder, PooledContext, batches, own_pooling
from server.engine.llama import Model
from server.engine.ticket import QueueFull, SequenceFailed, ShuttingDown

MANY_TEXTS = [[5, 6, 7]] * 20_000
"""Half a minute's work."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    model = Model(write_random_bert(tmp_path_factory.mktemp("bert") / "bert.gguf"), gpu_layers=0)
    yield model
    model.close()


@pytest.fixture(scope="module")
def context(model: Model) -> Iterator[PooledContext]:
    context = PooledContext(model, pooling="mean", size=CONTEXT, threads=1, flash_attention="auto")
    yield context
    context.close()


@pytest.fixture
def make(model: Model) -> Iterator[Callable[..., Embedder]]:
    """Embedders, closed at the end."""
    made: list[Embedder] = []

    def get(**options: Any) -> Embedder:
        defaults = {"pooling": "mean", "size": CONTEXT, "threads": 1, "flash_attention": "auto", "max_waiting": 30_000}
        made.append(Embedder(model, **defaults | options))
        return made[-1]

    yield get
    for embedder in made:
        embedder.close()


@pytest.mark.parametrize(("number", "name"), [(0, None), (1, "mean"), (2, "cls"), (3, "last"), (4, None), (77, None)])
def test_what_the_file_says(make_llama: Callable[..., Path], tmp_path: Path, number: int, name: str | None) -> None:
    model = Model(make_llama(tmp_path / "model.gguf", metadata={"llama.pooling_type": number}), gpu_layers=0)
    assert own_pooling(model) == name
    assert model.can_embed
    assert model.n_embd == 256
    model.close()


def test_a_file_that_says_nothing(bundled: Path, model: Model) -> None:
    other = Model(bundled, gpu_layers=0)
    assert own_pooling(other) is None
    other.close()
    assert (own_pooling(model), model.n_embd) == ("cls", WIDTH)


@pytest.mark.parametrize(
    "texts",
    [[], [[]], [[5], []], [[5] * (CONTEXT + 1)], [[5] * CONTEXT, [5]], [[5]] * (MAX_TEXTS + 1)],
    ids=["none", "empty", "one empty", "long", "two long", "many"],
)
def test_batches_that_would_end_the_process_are_refused(context: PooledContext, texts: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="a batch of"):
        context.embed(texts)
    assert context.embed([[5] * CONTEXT]).shape == (1, WIDTH)
    assert context.embed([[5]] * MAX_TEXTS).shape == (MAX_TEXTS, WIDTH)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(5, 15), min_size=1, max_size=CONTEXT), min_size=1, max_size=50))
def test_batches_are_full_and_keep_the_order(texts: list[list[int]]) -> None:
    found = list(batches(texts, CONTEXT))
    assert [text for batch in found for text in batch] == texts
    assert all(sum(map(len, batch)) <= CONTEXT and 0 < len(batch) <= MAX_TEXTS for batch in found)
    for batch, following in itertools.pairwise(found):
        assert sum(map(len, batch)) + len(following[0]) > CONTEXT or len(batch) == MAX_TEXTS


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(5, 15), min_size=1, max_size=20), min_size=1, max_size=40))
def test_neighbours_do_not_matter(context: PooledContext, texts: list[list[int]]) -> None:
    together = np.concatenate([context.embed(batch) for batch in batches(texts, CONTEXT)])
    alone = np.concatenate([context.embed([text]) for text in texts])
    # Keys and values are rounded to F16, to 11 bits; other neighbours are other sums before the rounding.
    assert np.abs(together - alone).max() < 2**-10 * np.abs(alone).max()


def test_nothing_is_made_before_it_is_needed(make: Callable[..., Embedder]) -> None:
    embedder = make()
    assert embedder._context is None
    found = asyncio.run(embedder.embed([[5, 6], [7]]))
    assert embedder._context is not None
    assert found.shape == (2, WIDTH)
    assert np.allclose(np.linalg.norm(found, axis=1), 1)


def test_more_than_may_wait_is_refused(make: Callable[..., Embedder]) -> None:
    embedder = make(max_waiting=2)

    async def run() -> None:
        first = asyncio.ensure_future(embedder.embed([[5], [6]]))
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await embedder.embed([[5]])
        assert len(await first) == 2
        assert len(await embedder.embed([[5]])) == 1

    asyncio.run(run())


def test_what_nobody_waits_for_is_not_computed(make: Callable[..., Embedder]) -> None:
    embedder = make()

    async def run() -> None:
        await embedder.embed([[5]])
        abandoned = asyncio.ensure_future(embedder.embed(MANY_TEXTS))
        await asyncio.sleep(0)
        abandoned.cancel()
        with pytest.raises(asyncio.CancelledError):
            await abandoned
        async with asyncio.timeout(10):
            assert len(await embedder.embed([[5]])) == 1

    asyncio.run(run())


def test_closing_fails_what_is_under_way(make: Callable[..., Embedder]) -> None:
    embedder = make()

    async def run() -> None:
        running, waiting = (asyncio.ensure_future(embedder.embed(MANY_TEXTS[:15_000])) for _ in range(2))
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await asyncio.to_thread(embedder.close)
            for each in (running, waiting):
                with pytest.raises(ShuttingDown):
                    await each
        with pytest.raises(ShuttingDown):
            await embedder.embed([[5]])

    asyncio.run(run())


def test_a_context_that_cannot_be_made_fails_the_request_alone(make: Callable[..., Embedder]) -> None:
    embedder = make(size=0)
    for _ in range(2):
        with pytest.raises(SequenceFailed, match="cannot make a context"):
            asyncio.run(embedder.embed([[5]]))
