from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

Refusal = Callable[..., dict[str, Any]]

OURS = [
    *("localhost", "LOCALHOST:80", "localhost.", "127.0.0.1", "127.0.0.1:8080", "10.1.2.3:1", "[::1]", "[::1]:8080"),
    *("[fe80::1%25eth0]:8080", "models.example", "MODELS.example.:443", "other.example:8080"),
]
OTHERS = [
    *(
        "evil.example",
        "localhost.evil.example",
        "models.example.evil.example",
        "127.0.0.1.evil.example",
        "localhost:80:80",
    ),
    *(
        "",
        ":8080",
        "evil.example:8080",
        "sub.models.example",
        "0x7f.1",
        "2130706433",
        "[::1",
        "[evil]",
        "models.example@a",
    ),
]


@pytest.mark.parametrize("host", OURS)
def test_addresses_and_known_names_are_ours(guarded: ServerUnderTest, key: str, host: str) -> None:
    answer = guarded.http.get("/v1/models", headers={"host": host, "x-api-key": key})
    assert answer.status_code == 200


@pytest.mark.parametrize("host", OTHERS)
@pytest.mark.parametrize("path", ["/v1/models", "/", "/health"])
def test_other_names_are_refused(guarded: ServerUnderTest, key: str, host: str, path: str, refusal: Refusal) -> None:
    error = refusal(guarded.http.get(path, headers={"host": host, "x-api-key": key}), 421)
    assert error["code"] == "unknown_host"
    assert repr(host) in error["message"]
    assert "--allowed-hosts" in error["message"]


def test_a_long_name_is_not_sent_back_whole(guarded: ServerUnderTest, refusal: Refusal) -> None:
    refusal(guarded.http.get("/health", headers={"host": "h" * 30_000}), 421)


def test_names_are_refused_by_default(bundled_server: ServerUnderTest, refusal: Refusal) -> None:
    refusal(bundled_server.http.get("/v1/models", headers={"host": "models.example"}), 421)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/completions", "/", "/health", "/no/such/route"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_no_other_page_may_read_an_answer(bundled_server: ServerUnderTest, method: str, path: str) -> None:
    headers = {
        "origin": "http://evil.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    answer = bundled_server.http.request(method, path, headers=headers)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    if method == "OPTIONS":  # the preflight fails, so the browser does not send the request
        assert answer.status_code in (404, 405)
