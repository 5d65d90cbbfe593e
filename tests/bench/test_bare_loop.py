from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.bare_loop import batches, run_bare_loop
from bench.setup import BenchError, Setup
from bench.vocabulary import Vocabulary

prompts = st.lists(st.lists(st.integers(0, 31999), min_size=1, max_size=30), min_size=1, max_size=8)


def test_a_prompt_as_long_as_a_batch_is_a_batch() -> None:
    made = list(batches([[1] * 512, [2] * 512], tokens=512, rows=512))
    assert [len(batch) for batch in made] == [512, 512]
    assert [sum(token.scores for token in batch) for batch in made] == [511, 511]


@given(prompts, st.integers(1, 40), st.integers(1, 40))
def test_batches_keep_to_both_budgets_and_lose_nothing(given: list[list[int]], tokens: int, rows: int) -> None:
    made = list(batches(given, tokens=tokens, rows=rows))
    assert all(0 < len(batch) <= tokens for batch in made)
    assert all(sum(token.scores for token in batch) <= rows for batch in made)
    flat = [token for batch in made for token in batch]
    again = [[token.id for token in flat if token.prompt == number] for number in range(len(given))]
    assert again == given
    for number, prompt in enumerate(given):
        own = [token for token in flat if token.prompt == number]
        assert [token.position for token in own] == list(range(len(prompt)))
        assert [token.scores for token in own] == [True] * (len(prompt) - 1) + [False]


@pytest.mark.parametrize("rows", [None, 50])
def test_decodes_more_than_the_cache_holds(bundled: Path, rows: int | None) -> None:
    made = Vocabulary(bundled, seed=0).random_prompts(6, 128)
    assert run_bare_loop(bundled, Setup(threads=1, batch=128, cells=256), made, rows=rows) > 0


def test_what_llama_cpp_refuses_is_an_error(bundled: Path) -> None:
    made = Vocabulary(bundled, seed=0).random_prompts(1, 512)
    with pytest.raises(BenchError, match="llama_decode failed with status 1"):
        run_bare_loop(bundled, Setup(threads=1, batch=128, cells=256), made)
