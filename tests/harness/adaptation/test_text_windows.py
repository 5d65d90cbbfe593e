from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adaptation.text_windows import chunks, sliding
from harness.types import Prompt

TOKENS = st.integers(1, 200).map(lambda count: list(range(count)))
BOS = st.sampled_from([(), (999,)])


@given(tokens=TOKENS, bos=BOS, size=st.integers(2, 60))
def test_sliding_windows_score_every_token_once_in_order(tokens: list[int], bos: tuple[int, ...], size: int) -> None:
    prompts = sliding(tokens, bos, size)
    scored = [token for prompt in prompts for token in prompt.continuation]
    assert scored == (tokens if bos else tokens[1:])
    stream = [*bos, *tokens]
    end = 0
    for prompt in prompts:
        assert prompt.context
        end += len(prompt.continuation) + (len(prompt.context) if end == 0 else 0)
        assert prompt.whole == stream[max(0, end - size) : end][-len(prompt.whole) :]  # a piece of the text
        assert len(prompt.whole) == min(size, len(stream))


def test_sliding_windows_go_on_from_the_last_token_and_the_last_from_all_there_is_room_for() -> None:
    assert sliding(list(range(9)), (99,), 4) == [
        Prompt((99,), (0, 1, 2)),
        Prompt((2,), (3, 4, 5)),
        Prompt((5,), (6, 7, 8)),
    ]
    assert sliding(list(range(7)), (), 4) == [
        Prompt((0,), (1, 2, 3)),
        Prompt((3,), (4, 5, 6)),
    ]
    assert sliding(list(range(6)), (), 4)[1] == Prompt((2, 3), (4, 5))


def test_chunks_are_those_of_llama_perplexity() -> None:
    # BOS replaces a token of every window but the first, in which it is one more.
    assert chunks(list(range(100, 117)), (1,), 6) == [
        Prompt((1, 100, 101, 102), (103, 104)),
        Prompt((1, 106, 107, 108), (109, 110)),
        Prompt((1, 112, 113, 114), (115, 116)),
    ]
    assert chunks(list(range(11)), (), 5) == [Prompt((0, 1, 2), (3, 4)), Prompt((5, 6, 7), (8, 9))]


@given(tokens=TOKENS, bos=BOS, size=st.integers(2, 60))
def test_chunks_have_one_size_and_score_the_second_half(tokens: list[int], bos: tuple[int, ...], size: int) -> None:
    prompts = chunks(tokens, bos, size)
    n_stream = len(bos) + len(tokens)
    assert len(prompts) == max(1, n_stream // size)
    size = min(size, n_stream)
    stream = [*bos, *tokens]
    for number, prompt in enumerate(prompts):
        assert prompt.whole == [*bos, *stream[number * size + len(bos) : (number + 1) * size]]
        assert len(prompt.continuation) == size - size // 2 - 1


@pytest.mark.parametrize("windows", [sliding, chunks])
def test_one_token_without_anything_before_it_has_nothing_to_score(windows: object) -> None:
    assert callable(windows)
    assert windows([5], (), 8) == [Prompt((5,), ())]
