from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from server.app import create_app
from server.engine.engine import Engine


def get(app: FastAPI, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_a_defect_is_told_without_details(caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(cast("Engine", None), "model")  # nothing that needs the engine can work
    with caplog.at_level(logging.ERROR, "server"):
        answer = get(app, "/v1/models")
    assert answer.status_code == 500
    error: dict[str, Any] = answer.json()["error"]
    assert error == {
        "message": "The server failed on this request; its log says why.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    assert answer.headers["x-request-id"].startswith("req-")
    (record,) = caplog.records
    assert record.getMessage() == "GET /v1/models failed"
    assert record.exc_info
    assert get(app, "/health").status_code == 200
