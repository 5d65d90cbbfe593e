from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import ServerUnderTest

TEXTS = ["One two three, one two three, one two four.", "The country that", "One two three, five."]


def scores(server: ServerUnderTest, text: str) -> list[float | None] | None:
    logprobs = server.score(text).logprobs
    assert logprobs is not None
    return logprobs.token_logprobs


def test_after_it_all_is_as_on_a_new_server(serve: Callable[..., ServerUnderTest], bundled: Path) -> None:
    """To the last bit, which what lies in the cache moves."""
    server = serve(bundled, "--alias=forgetful")
    new = [scores(server, text) for text in TEXTS]
    server.complete("One two three, one two", max_tokens=20)
    scores(server, "The country that nobody knows")
    answer = server.http.post("/reset_prefix_cache")
    assert (answer.status_code, answer.content) == (200, b"")
    assert server.http.get("/slots").json() == []
    assert [scores(server, text) for text in TEXTS] == new


def test_what_is_under_way_goes_on(serve: Callable[..., ServerUnderTest], bundled: Path) -> None:
    server = serve(bundled, "--alias=forgetful")
    stream = server.openai.completions.create(
        model=server.id, prompt="One", max_tokens=200, temperature=0, stream=True, extra_body={"ignore_eos": True}
    )
    pieces = [next(stream)]
    assert server.http.post("/reset_prefix_cache", json={}).status_code == 200
    pieces += list(stream)
    assert pieces[-1].choices[0].finish_reason == "length"
    (usage,) = (server.complete("One", max_tokens=200, extra_body={"ignore_eos": True}).usage,)
    assert usage is not None
    assert usage.completion_tokens == 200
