from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.divergence.windows import SMALLEST, USUAL, cut
from harness.errors import UserError

BOS = 1


def llama_windows(tokens: list[int], n_ctx: int, *, bos: bool) -> list[list[int]]:
    """As llama-perplexity has them: the text with BOS in chunks, and BOS over the first token of every one."""
    stream = [BOS, *tokens] if bos else tokens
    found = []
    for chunk in range(len(stream) // n_ctx):
        window = stream[chunk * n_ctx : (chunk + 1) * n_ctx]
        found.append([BOS, *window[1:]] if bos else window)
    return found


@given(
    n_tokens=st.integers(2 * USUAL, 5 * USUAL),
    bos=st.booleans(),
    context=st.integers(SMALLEST, 2 * USUAL),
    most=st.none() | st.integers(1, 9),
)
def test_windows_are_those_of_llama_perplexity(n_tokens: int, bos: bool, context: int, most: int | None) -> None:
    tokens = list(range(100, 100 + n_tokens))
    found = cut(tokens, (BOS,) if bos else (), context, most)
    expected = llama_windows(tokens, min(USUAL, context), bos=bos)
    assert found.tokens == expected[:most]
    assert (found.n_ctx, found.n_whole) == (min(USUAL, context), len(expected))


@pytest.mark.parametrize(("n_ctx", "scored"), [(512, range(257, 512)), (128, range(65, 128)), (33, range(17, 33))])
def test_the_second_half_of_a_window_is_scored_without_its_first_token(n_ctx: int, scored: range) -> None:
    found = cut(list(range(10_000)), (BOS,), n_ctx, 3)
    assert found.score_from == scored.start
    assert found.n_scored == 3 * len(scored)


@given(n_tokens=st.integers(0, 2 * USUAL), bos=st.booleans())
def test_a_short_text_makes_two_shorter_windows_or_one(n_tokens: int, bos: bool) -> None:
    tokens, begin = list(range(100, 100 + n_tokens)), (BOS,) if bos else ()
    length = n_tokens + len(begin)
    if length < SMALLEST:
        with pytest.raises(UserError, match=rf"^--divergence-text: the text has {n_tokens} of the 32 tokens "):
            cut(tokens, begin, 4096, None)
        return
    found = cut(tokens, begin, 4096, None)
    assert len(found.tokens) == (1 if length < 2 * SMALLEST else 2)
    assert found.n_ctx == max(SMALLEST, length // 2)
    assert found.tokens == llama_windows(tokens, found.n_ctx, bos=bos)


def test_a_context_that_holds_no_window_is_refused() -> None:
    with pytest.raises(UserError, match=r"^A context of 31 tokens is too small .* leave that out with --no-divergence"):
        cut(list(range(1000)), (), 31, None)
