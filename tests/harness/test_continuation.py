from __future__ import annotations

import pytest

from harness.continuation import first_of_continuation, token_bytes
from harness.types import Completion, Prompt


def completion(tokens: list[str], offsets: list[int], text: str) -> Completion:
    return Completion(text, tuple(tokens), (None,) * len(tokens), tuple(offsets), "stop")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (" tea", b" tea"),
        ("€", b"\xe2\x82\xac"),
        (r"bytes:\xe2\x82", b"\xe2\x82"),
        (r"bytes:\xE2", b"\xe2"),
        ("bytes:", b"bytes:"),
        (r"bytes:\xe", rb"bytes:\xe"),
        (r"bytes:\xe2 or so", rb"bytes:\xe2 or so"),
        ("", b""),
    ],
)
def test_a_name_says_which_bytes_are_meant(name: str, meant: bytes) -> None:
    assert token_bytes(name) == meant


def test_a_character_that_tokens_share_begins_with_the_first_of_them() -> None:
    tokens = ["A", ":", r"bytes:\xe6", r"bytes:\x9c", r"bytes:\xac", "x"]
    echoed = completion(tokens, [0, 1, 2, 2, 2, 3], "A:本x")
    assert first_of_continuation(echoed, Prompt("A:", "本x")) == 2


def test_a_token_with_a_byte_of_the_continuation_belongs_to_it() -> None:
    tokens = ["A", r"bytes:\x3a\xe6", r"bytes:\x9c\xac", "x"]
    echoed = completion(tokens, [0, 1, 2, 3], "A:本x")
    assert first_of_continuation(echoed, Prompt("A:", "本x")) == 1


@pytest.mark.parametrize(
    ("tokens", "offsets", "first"),
    [
        (["A", ":", "Ġtea"], [0, 1, 2], 2),
        (["A", ":Ġ", "tea"], [0, 1, 3], 1),
        (["A", ":", "æ", "ľ", "¬"], [0, 1, 2, 2, 2], 2),
    ],
    ids=["clean", "straddling", "shared"],
)
def test_offsets_decide_where_names_are_no_text(tokens: list[str], offsets: list[int], first: int) -> None:
    text = "A:本" if len(tokens) == 5 else "A: tea"
    assert first_of_continuation(completion(tokens, offsets, text), Prompt("A:", text[2:])) == first


def test_of_token_ids_the_last_ones_are_the_continuation() -> None:
    echoed = completion(["a", "b", "c", "d"], [0, 1, 2, 3], "abcd")
    assert first_of_continuation(echoed, Prompt((5, 6), (7, 8))) == 2
    assert first_of_continuation(echoed, Prompt((), (5, 6, 7, 8))) == 0


def test_nothing_to_score_is_behind_the_last_token() -> None:
    assert first_of_continuation(completion(["A", ":"], [0, 1], "A:"), Prompt("A:", "")) == 2
