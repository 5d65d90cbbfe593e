from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import openai
import pytest
from guards import KEYS

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

Refusal = Callable[..., dict[str, Any]]


def bearer(key: str, scheme: str = "Bearer") -> dict[str, bytes]:
    return {"authorization": f"{scheme} {key}".encode()}


@pytest.mark.parametrize("key", KEYS)
def test_each_key_opens(guarded: ServerUnderTest, key: str) -> None:
    for headers in (bearer(key), bearer(key, "bearer"), {"x-api-key": key.encode()}):
        assert guarded.http.get("/v1/models", headers=headers).status_code == 200
    both = bearer("none of them") | {"x-api-key": key.encode()}
    assert guarded.http.get("/v1/models", headers=both).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        bearer("first-ke"),
        bearer("first-keyy"),
        bearer("First-key"),
        bearer("first-key,schl\u00fcssel"),
        bearer(hashlib.sha256(b"first-key").hexdigest()),
        bearer("x" * 30_000),
        {"x-api-key": b"\xff\xfe"},
    ],
    ids=["shorter", "longer", "case", "all", "digest", "long", "bytes"],
)
def test_other_keys_do_not(guarded: ServerUnderTest, headers: dict[str, bytes], refusal: Refusal) -> None:
    answer = guarded.http.get("/v1/models", headers=headers)
    error = refusal(answer, 401)
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    assert error["message"].startswith("The API key is none of this server's; ")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": b"Bearer"}, {"authorization": b"Basic Zmlyc3Qta2V5Og=="}, {"cookie": b"a=b"}]
)
def test_no_key_is_told_apart(guarded: ServerUnderTest, headers: dict[str, bytes], refusal: Refusal) -> None:
    error = refusal(guarded.http.get("/v1/models", headers=headers), 401)
    assert error["message"].startswith("This server asks for an API key; ")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/completions"),
        ("GET", "/v1/models/world-f16"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/no/such/route"),
        ("GET", "/health/"),
        ("GET", "/playground/no.js"),
        ("OPTIONS", "/v1/completions"),
    ],
)
def test_every_other_route_asks(guarded: ServerUnderTest, method: str, path: str, refusal: Refusal) -> None:
    refusal(guarded.http.request(method, path), 401)


def test_what_holds_no_data_is_free(guarded: ServerUnderTest) -> None:
    for path in ("/health", "/", "/playground/main.js"):
        assert guarded.http.get(path).status_code == 200


def test_openais_client(guarded: ServerUnderTest, key: str) -> None:
    assert guarded.openai.with_options(api_key=key).models.list().data
    with pytest.raises(openai.AuthenticationError) as caught:
        guarded.openai.models.list()
    assert caught.value.code == "invalid_api_key"


def test_without_keys_any_is_taken(bundled_server: ServerUnderTest) -> None:
    for headers in (
        {},
        {"authorization": b"Bearer"},
        bearer("whatever"),
        {"authorization": b"Basic nonsense"},
        {"x-api-key": b"k"},
    ):
        assert bundled_server.http.get("/v1/models", headers=headers).status_code == 200
