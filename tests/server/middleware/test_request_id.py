from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from server.api.state import Lifecycle, Served
from server.app import create_app
from server.engine.engine import Engine
from server.middleware.request_id import RequestId
from server.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest


def test_every_answer_has_a_name_of_its_own(bundled_server: ServerUnderTest) -> None:
    paths = ["/v1/models", "/health", "/", "/no/such/route", "/v1/completions", "/openapi.json"]
    answers = [bundled_server.http.get(path, headers={"x-request-id": "mine"}) for path in paths * 2]
    answers.append(bundled_server.http.get("/health", headers={"host": "evil.example"}))
    answers.append(bundled_server.post({"prompt": "a", "max_tokens": 1, "stream": True}))
    names = [answer.headers.get_list("x-request-id") for answer in answers]
    assert all(len(each) == 1 and each[0].startswith("req-") for each in names)
    assert len({each[0] for each in names}) == len(answers)


def test_a_defect_is_told_without_details(caplog: pytest.LogCaptureFixture) -> None:
    lifecycle = Lifecycle()
    lifecycle.open(Served(cast("Engine", None), "model", 0, "none"))  # nothing that needs the engine can work
    app = create_app(Settings(model=Path("model.gguf")), lifecycle)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await client.get("/v1/models", params={"secret": "s3cret"})

    with caplog.at_level(logging.ERROR, "server"):
        answer = asyncio.run(ask())
    assert answer.status_code == 500
    error: dict[str, Any] = answer.json()["error"]
    assert error == {
        "message": "The server failed on this request; its log says why.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    (record,) = caplog.records
    assert record.getMessage() == f"GET '/v1/models' failed as {answer.headers['x-request-id']}"
    assert record.exc_info


def run(app: Callable[[Scope, Receive, Send], Any]) -> list[Message]:
    """What an application behind the middleware sends, until it ends or fails."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(RequestId(app)({"type": "http", "method": "GET", "path": "/a\n" * 999}, receive, send))
    return sent


def test_an_answer_that_breaks_off_is_not_continued() -> None:
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        message: Message = {"type": "http.response.start", "status": 200, "headers": []}
        await send(message)
        sent.append(message)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(app)
    assert [name for name, _ in sent[0]["headers"]] == [b"x-request-id"]


def test_a_path_cannot_write_lines_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "server"):
        assert run(app)[0]["status"] == 500
    said = caplog.records[0].getMessage()
    assert "\n" not in said
    assert len(said) < 300
