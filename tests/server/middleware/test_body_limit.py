from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.middleware.body_limit import MAX_PARTS, count_parts

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

Refusal = Callable[..., dict[str, Any]]
LIMIT = 1 << 20
JSON = {"content-type": "application/json"}


def body_of(size: int) -> bytes:
    """A request that is refused when its route has read it all."""
    front = b'{"max_tokens": -1, "prompt": "'
    return front + b"a" * (size - len(front) - 2) + b'"}'


def chunks(body: bytes) -> Iterator[bytes]:
    for at in range(0, len(body), 10_000):
        yield body[at : at + 10_000]


@pytest.mark.parametrize("send", [lambda body: body, chunks], ids=["announced", "streamed"])
def test_a_body_may_be_as_long_as_the_limit(
    guarded: ServerUnderTest, key: str, send: Callable[[bytes], Any], refusal: Refusal
) -> None:
    def post(size: int) -> Any:
        return guarded.http.post("/v1/completions", content=send(body_of(size)), headers=JSON | {"x-api-key": key})

    assert refusal(post(LIMIT), 400)["param"] == "max_tokens"
    for size in (LIMIT + 1, 3 * LIMIT):
        error = refusal(post(size), 413)
        assert (error["type"], error["code"]) == ("invalid_request_error", "body_too_large")
        assert "1 MiB that --max-body-mib allows" in error["message"]
    assert refusal(post(LIMIT), 400)["param"] == "max_tokens"  # the connection is still good


def exchange(server: ServerUnderTest, key: str, head: str, body: bytes = b"") -> bytes:
    """What comes back for a request of which no more than this is ever sent."""
    request = f"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\n{head}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.http.base_url.port or 0), 30) as client:
        client.sendall(request.encode() + body)
        return client.recv(12)


@pytest.mark.parametrize("length", [LIMIT + 1, 10**12, 10**19])
def test_an_announced_body_is_refused_before_it_comes(guarded: ServerUnderTest, key: str, length: int) -> None:
    assert exchange(guarded, key, f"content-length: {length}") == b"HTTP/1.1 413"


def test_a_streamed_body_is_refused_while_it_comes(guarded: ServerUnderTest, key: str) -> None:
    chunk = b"100001\r\n" + b"a" * (LIMIT + 1) + b"\r\n"
    assert exchange(guarded, key, "transfer-encoding: chunked", chunk) == b"HTTP/1.1 413"


def test_a_body_that_never_comes_harms_nobody(guarded: ServerUnderTest, key: str) -> None:
    head = f"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\ncontent-length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", guarded.http.base_url.port or 0), 30) as client:
        client.sendall(head.encode() + b"{")
        assert guarded.http.get("/v1/models", headers={"x-api-key": key}).status_code == 200
    assert guarded.http.get("/v1/models", headers={"x-api-key": key}).status_code == 200


BOMBS = {
    "lists": b'{"prompt": [' + b"[]," * 200_000 + b"[]]}",
    "strings": b'{"prompt": [' + b'"",' * 200_000 + b'""]}',
    "quotes": b'{"prompt": [' + b'"\\"",' * 150_000 + b'""]}',
    "nothing": b'{"stop": [' + b"null," * 150_000 + b"null]}",
    "fractions": b'{"prompt": [' + b"0.5," * 200_000 + b"1]}",
    "negative": b'{"prompt": [' + b"-1," * 200_000 + b"1]}",
    "objects": b'{"a":' * 150_000 + b"1" + b"}" * 150_000,
    "depth": b"[" * 500_000 + b"]" * 500_000,
    "no end": b"[" * 1_000_000,
    "keys": b"{" + b",".join(b'"%d":1' % i for i in range(80_000)) + b"}",
    "wide": json.dumps({"prompt": [[]] * 100_000}).encode("utf-16"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_body_of_countless_parts_is_refused(name: str, guarded: ServerUnderTest, key: str, refusal: Refusal) -> None:
    body = BOMBS[name]
    assert len(body) <= LIMIT
    answer = guarded.http.post("/v1/completions", content=body, headers=JSON | {"x-api-key": key})
    assert f"more than {MAX_PARTS:,}" in refusal(answer, 400)["message"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"prompt": "a", "temperature": NaN}',
        b'{"prompt": "a", "temperature": 1e999}',
        b'{"prompt": "a", "top_p": -1e999}',
        b'{"prompt": "a", "seed": 1e999}',
        b'{"prompt": [1e999]}',
        b'{"prompt": [NaN]}',
        b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}",
        b'{"prompt": ' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"user": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"unknown": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
        b'{"prompt": "a", "logit_bias": {"1": 1e999}}',
    ],
    ids=lambda body: body[:40].decode(),
)
def test_numbers_and_depths_that_json_has_not(
    body: bytes, guarded: ServerUnderTest, key: str, refusal: Refusal
) -> None:
    refusal(guarded.http.post("/v1/completions", content=body, headers=JSON | {"x-api-key": key}), 400)


def test_many_tokens_are_no_bomb(guarded: ServerUnderTest, key: str, refusal: Refusal) -> None:
    body = json.dumps({"prompt": [[5, 6, 7] * 300] * 150}).encode()
    assert len(body) > 400_000
    post = guarded.http.post(
        "/v1/completions", content=body.replace(b"]}", b", 5]}"), headers=JSON | {"x-api-key": key}
    )
    assert refusal(post, 400)["param"] == "prompt"  # its route has seen it
    text = json.dumps({"max_tokens": -1, "prompt": '[{"a": -0.5}, null]\\"' * 30_000}).encode()
    post = guarded.http.post("/v1/completions", content=text, headers=JSON | {"x-api-key": key})
    assert refusal(post, 400)["param"] == "max_tokens"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def parts(value: Any) -> int:
    """Values that are not natural numbers, keys among them."""
    if isinstance(value, list):
        return 1 + sum(map(parts, value))
    if isinstance(value, dict):
        return 1 + sum(1 + parts(inner) for inner in value.values())
    return int(not (type(value) is int and value >= 0))


@given(VALUES, st.booleans())
def test_every_part_counts(value: Any, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    assert parts(value) <= count_parts(body) <= 12 * parts(value)


@given(st.text())
def test_a_string_is_one_part_whatever_it_holds(text: str) -> None:
    assert count_parts(json.dumps(text).encode()) == 1
