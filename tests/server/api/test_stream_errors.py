"""Streams that break off: before the first token with a status, after it with an error event and no ``[DONE]``."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from answers import DONE, error_in, error_of, events_of

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

LONG: dict[str, Any] = {"prompt": "The", "max_tokens": 1000, "temperature": 0, "n": 50, "stream": True}
"""Takes a server with one slot many seconds."""
BROKEN = 197
"""The token of the byte 7, and of no other text."""


@pytest.fixture(scope="module")
def hasty(serve: Callable[..., ServerUnderTest], no_bos: Path) -> ServerUnderTest:
    """A server that gives a request too little time for ``LONG``, and enough for its first tokens."""
    return serve(no_bos, "--request-timeout=1", "--slots=1")


@pytest.fixture(scope="module")
def broken(
    serve: Callable[..., ServerUnderTest], make_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> ServerUnderTest:
    """A model for which one token is not a number."""
    path = make_llama(tmp_path_factory.mktemp("models") / "broken.gguf", broken_token=BROKEN)
    return serve(path, "--allow-grammars")


@pytest.fixture
def own(no_bos: Path, tmp_path: Path, server_type: type[ServerUnderTest]) -> Iterator[ServerUnderTest]:
    """A server that the test may stop."""
    server = server_type(no_bos, tmp_path / "log", "--slots=1")
    yield server
    server.stop()


@pytest.mark.parametrize("path", ["/v1/completions", "/completion"])
@pytest.mark.parametrize("oai_compat", [True, False])
def test_a_deadline_in_mid_stream_is_an_error_event(hasty: ServerUnderTest, path: str, oai_compat: bool) -> None:
    answer = hasty.http.post(path, json=LONG | {"oai_compat": oai_compat})
    assert answer.status_code == 200
    assert DONE not in answer.content
    *events, last = events_of(answer.content)
    assert events
    assert not any("error" in event for event in events)
    error = error_in(last, 504)
    assert (error["type"], error["code"]) == ("timeout_error", "deadline_exceeded")
    assert "--request-timeout" in error["message"]


def test_openais_client_raises_for_an_error_event(hasty: ServerUnderTest) -> None:
    with hasty.openai.completions.create(model=hasty.id, **LONG) as stream:
        assert next(stream).choices[0].text
        with pytest.raises(openai.APIError) as caught:
            list(stream)
    assert caught.value.code == "deadline_exceeded"


def test_a_deadline_of_a_plain_answer_is_a_status(hasty: ServerUnderTest) -> None:
    error = error_of(hasty.post(LONG | {"stream": False}), 504)
    assert (error["type"], error["code"]) == ("timeout_error", "deadline_exceeded")
    # What took too long does not go on: the only slot is free.
    assert hasty.complete("Joo", max_tokens=2).choices[0].text


@pytest.mark.parametrize("stream", [False, True])
def test_a_deadline_before_the_first_token_is_a_status(
    serve: Callable[..., ServerUnderTest], no_bos: Path, stream: bool
) -> None:
    server = serve(no_bos, "--request-timeout=0.001", "--batch-size=16")
    error = error_of(server.post({"prompt": [5] * 900, "stream": stream, "cache_prompt": False}), 504)
    assert error["code"] == "deadline_exceeded"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("oai_compat", [True, False])
def test_a_failure_before_the_first_token_is_a_status(broken: ServerUnderTest, stream: bool, oai_compat: bool) -> None:
    error = error_of(broken.post({"prompt": [5, BROKEN], "stream": stream, "oai_compat": oai_compat}), 500)
    assert error["type"] == "server_error"
    assert "could not be computed" in error["message"]
    assert broken.complete([5, 6], max_tokens=1).choices[0].text


def test_a_failure_in_mid_stream_is_an_error_event(broken: ServerUnderTest) -> None:
    body = {"prompt": "The", "grammar": r'root ::= [a-z]{400} "\x07a"', "max_tokens": 600, "stream": True}
    content = broken.post(body).content
    *events, last = events_of(content)
    assert DONE not in content
    assert 0 < sum(len(event["choices"][0]["text"]) for event in events) <= 401
    assert error_in(last, 500)["type"] == "server_error"
    assert error_of(broken.post(body | {"stream": False}), 500)["type"] == "server_error"
    assert broken.complete([5, 6], max_tokens=1).choices[0].text


def test_what_is_refused_is_refused_before_the_stream_begins(hasty: ServerUnderTest) -> None:
    assert error_of(hasty.post(LONG | {"model": "another"}), 404)["code"] == "model_not_found"
    assert error_of(hasty.post(LONG | {"prompt": [5] * 2000}))["code"] == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError):
        hasty.complete("The", stream=True, logprobs=99)


def test_a_server_that_is_stopped_says_so_in_mid_stream(own: ServerUnderTest) -> None:
    with own.http.stream("POST", "/v1/completions", json=LONG) as answer:
        assert answer.status_code == 200
        chunks = answer.iter_raw()
        content = next(chunks)
        own.process.send_signal(signal.SIGTERM)
        content += b"".join(chunks)
    assert DONE not in content
    error = error_in(events_of(content)[-1], 503)
    assert (error["type"], error["code"]) == ("unavailable_error", "unavailable")
    assert own.process.wait(30) == 0
