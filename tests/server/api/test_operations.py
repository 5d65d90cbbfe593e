from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest


def test_health_is_an_empty_answer(bundled_server: ServerUnderTest) -> None:
    answer = bundled_server.http.get("/health")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-request-id"].startswith("req-")


def test_health_takes_no_body(bundled_server: ServerUnderTest) -> None:
    assert bundled_server.http.post("/health").status_code == 405
