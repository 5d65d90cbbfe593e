from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from engine_parts import TOLERANCE, make_context, prompts
from numpy.typing import NDArray

from server.engine.context import Batch, Context
from server.engine.llama import LlamaError, Model, NoRoom

if TYPE_CHECKING:
    from tests.server.conftest import RawLlama

PROMPT = prompts(1, 20)[0]


@pytest.fixture
def context(model: Model) -> Iterator[Context]:
    context = make_context(model, cells=256, batch_size=64, rows=32)
    yield context
    context.close()


def batch(tokens: tuple[int, ...], begin: int = 0, slot: int = 0, rows: int | None = None) -> Batch:
    """Tokens of one sequence, of which the last ``rows`` want their logits."""
    n = len(tokens)
    flags = np.zeros(n, np.int8)
    flags[n - (n if rows is None else rows) :] = 1
    return Batch(
        np.array(tokens, np.int32), np.arange(begin, begin + n, dtype=np.int32), np.full(n, slot, np.int32), flags
    )


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def test_rows_come_in_the_order_of_the_batch(context: Context, model: Model, steady_llama: RawLlama) -> None:
    expected = steady_llama.logprobs(PROMPT)
    logits = context.decode(batch(PROMPT, rows=5))
    assert (logits.shape, logits.dtype) == ((5, model.n_vocab), np.float32)
    np.testing.assert_allclose(log_softmax(logits), expected[-5:], rtol=0, atol=TOLERANCE)
    assert context.decode(batch(PROMPT, slot=1, rows=0)).shape == (0, model.n_vocab)


def test_a_copied_prefix_goes_on_like_its_source(context: Context, steady_llama: RawLlama) -> None:
    context.decode(batch(PROMPT, rows=0))
    context.copy(0, 2, 12)
    row = context.decode(batch((9, 8), begin=12, slot=2))
    np.testing.assert_allclose(
        log_softmax(row), steady_llama.logprobs((*PROMPT[:12], 9, 8))[-2:], rtol=0, atol=TOLERANCE
    )
    row = context.decode(batch((9,), begin=20))  # the source is as it was
    np.testing.assert_allclose(log_softmax(row), steady_llama.logprobs((*PROMPT, 9))[-1:], rtol=0, atol=TOLERANCE)


def test_what_is_cut_off_is_forgotten(context: Context, steady_llama: RawLlama) -> None:
    context.decode(batch(PROMPT, rows=0))
    assert context.truncate(0, 7)
    row = context.decode(batch((9,), begin=7))
    np.testing.assert_allclose(log_softmax(row), steady_llama.logprobs((*PROMPT[:7], 9))[-1:], rtol=0, atol=TOLERANCE)


def test_what_would_end_the_process_is_refused_before(context: Context) -> None:
    with pytest.raises(ValueError, match="a batch of 65 tokens, not 1 to 64"):
        context.decode(batch((5,) * 65, rows=0))
    with pytest.raises(ValueError, match="a batch of 0 tokens"):
        context.decode(batch(()))
    with pytest.raises(ValueError, match="a batch with 33 rows, not at most 32"):
        context.decode(batch((5,) * 40, rows=33))


def test_a_full_cache_says_so_and_decodes_nothing(context: Context, steady_llama: RawLlama) -> None:
    for begin in range(0, 256, 64):
        context.decode(batch((5,) * 64, begin=begin, rows=0))
    with pytest.raises(NoRoom):
        context.decode(batch(PROMPT, slot=1, rows=1))
    context.clear()
    row = context.decode(batch(PROMPT, slot=1, rows=1))
    np.testing.assert_allclose(log_softmax(row), steady_llama.logprobs(PROMPT)[-1:], rtol=0, atol=TOLERANCE)


def test_a_token_that_is_none_fails_and_says_so(context: Context, model: Model) -> None:
    with pytest.raises(LlamaError, match="llama_decode failed with status -1"):
        context.decode(batch((model.n_vocab,)))


def test_fewer_rows_than_sequences_are_allowed(model: Model) -> None:
    """llama.cpp would end the process where it is told so."""
    context = make_context(model, slots=16, cells=256, rows=1)
    assert context.decode(batch(PROMPT, rows=1)).shape == (1, model.n_vocab)
    with pytest.raises(ValueError, match="not at most 1"):
        context.decode(batch(PROMPT, rows=2))
    context.close()
