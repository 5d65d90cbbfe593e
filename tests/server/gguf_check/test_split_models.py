from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from server.gguf_check import BadGguf, check_gguf

Split = Callable[..., list[Path]]


@pytest.fixture
def parts(split_gguf: Split, bundled: Path, tmp_path: Path) -> list[Path]:
    """The bundled model in several files, and not one tensor in the first."""
    return split_gguf(bundled, tmp_path, 20)


def test_a_first_part_stands_for_all(parts: list[Path]) -> None:
    assert len(parts) > 2
    check_gguf(parts[0])


def test_a_part_that_is_missing_is_told(parts: list[Path]) -> None:
    parts[-1].unlink()
    with pytest.raises(BadGguf, match=rf"{parts[-1].name}: there is no such file\.$"):
        check_gguf(parts[0])


def test_a_part_that_is_cut_is_told(parts: list[Path]) -> None:
    parts[1].write_bytes(parts[1].read_bytes()[:-100])
    with pytest.raises(BadGguf, match=rf"{parts[1].name} is cut short: "):
        check_gguf(parts[0])


def test_a_split_model_answers_like_the_whole_one(parts: list[Path], bundled_server, server_type, tmp_path) -> None:
    server = server_type(parts[0], tmp_path / "log")
    try:
        split = server.score("One two three").logprobs
    finally:
        server.stop()
    whole = bundled_server.score("One two three").logprobs
    assert (split.tokens, split.text_offset) == (whole.tokens, whole.text_offset)
    # What else is in the other server's cache moves its figures a little.
    assert split.token_logprobs[1:] == pytest.approx(whole.token_logprobs[1:], abs=0.02)
