from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.llama import Model
from server.engine.prompt import Prompt

TOKENS = st.lists(st.integers(2, 600), max_size=12).map(tuple)


@settings(deadline=None)
@given(TOKENS, st.booleans(), st.integers(0, 15), st.data())
def test_the_last_tokens_keep_the_hidden_bos(tokens: tuple[int, ...], bos: bool, n: int, data: st.DataObject) -> None:
    head = (0,) if bos else ()
    spaces = data.draw(st.frozensets(st.sampled_from(range(len(tokens))) if tokens else st.nothing()))
    last = Prompt((*head, *tokens), int(bos), spaces).last(n)
    assert last.hidden == int(bos)
    assert last.tokens[: last.hidden] == head
    kept = last.tokens[last.hidden :]
    assert kept == tokens[len(tokens) - len(kept) :]
    assert len(kept) == min(len(tokens), max(n - int(bos), 1))
    dropped = len(tokens) - len(kept)
    assert last.added_spaces == {i - dropped for i in spaces if i >= dropped}


@pytest.mark.parametrize("hidden", [0, 1])
def test_pieces_are_what_the_client_sent(hidden: int, world: Model) -> None:
    assert world.bos is not None
    tokens = tuple(world.tokenize("The king lives."))
    prompt = Prompt((*[world.bos] * hidden, *tokens), hidden, frozenset({0}) if world.adds_spaces else frozenset())
    assert b"".join(prompt.pieces(world)) == b"The king lives."
    assert len(prompt.pieces(world)) == len(tokens)
