from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest


def test_health_is_an_empty_answer(bundled_server: ServerUnderTest) -> None:
    answer = bundled_server.http.get("/health")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-request-id"].startswith("req-")
