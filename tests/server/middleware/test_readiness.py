"""The application without a model: what it answers before there is one, and when there is none any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from server.api.state import Lifecycle, Served
from server.app import create_app
from server.engine.engine import Engine
from server.settings import Settings

Refusal = Callable[..., dict[str, Any]]


@pytest.fixture
def lifecycle() -> Lifecycle:
    return Lifecycle()


@pytest.fixture
def ask(lifecycle: Lifecycle) -> Callable[..., httpx.Response]:
    """Send the application a request."""
    app = create_app(Settings(model=Path("model.gguf")), lifecycle)

    def get(method: str, path: str) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, path)

        return asyncio.run(send())

    return get


def make_ready(lifecycle: Lifecycle) -> None:
    lifecycle.open(Served(cast("Engine", None), "model", 0, "none"))


ROUTES = [("GET", "/v1/models"), ("POST", "/v1/completions"), ("GET", "/metrics"), ("GET", "/no/such/route")]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_routes_say_that_the_model_loads(
    method: str, path: str, ask: Callable[..., httpx.Response], refusal: Refusal
) -> None:
    answer = ask(method, path)
    error = refusal(answer, 503)
    assert (error["type"], error["code"]) == ("unavailable_error", "unavailable")
    assert "is loading" in error["message"]
    assert 0 < int(answer.headers["retry-after"]) <= 120  # as long as OpenAI's client would wait


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_routes_say_that_the_server_stops(
    method: str, path: str, ask: Callable[..., httpx.Response], lifecycle: Lifecycle, refusal: Refusal
) -> None:
    make_ready(lifecycle)
    lifecycle.drain()
    assert "is shutting down" in refusal(ask(method, path), 503)["message"]


def test_health_follows_the_stages(ask: Callable[..., httpx.Response], lifecycle: Lifecycle) -> None:
    seen = [ask("GET", "/health")]
    make_ready(lifecycle)
    seen.append(ask("GET", "/health"))
    lifecycle.drain()
    seen.append(ask("GET", "/health"))
    assert [(answer.status_code, answer.content) for answer in seen] == [(503, b""), (200, b""), (503, b"")]
    assert ["retry-after" in answer.headers for answer in seen] == [True, False, True]
    assert all(answer.headers["x-request-id"].startswith("req-") for answer in seen)


def test_the_page_needs_no_model(ask: Callable[..., httpx.Response]) -> None:
    assert ask("GET", "/").headers["content-type"].startswith("text/html")
    assert ask("GET", "/playground/main.js").status_code == 200


def test_idle_is_waited_for() -> None:
    async def run() -> None:
        lifecycle = Lifecycle()
        assert await lifecycle.idle(0)
        with lifecycle.request(), lifecycle.request():
            assert not await lifecycle.idle(0)
            assert not await lifecycle.idle(0.01)
        assert await lifecycle.idle(0)
        waiting = asyncio.create_task(lifecycle.idle(30))
        with pytest.raises(ZeroDivisionError), lifecycle.request():
            raise ZeroDivisionError
        assert await waiting

    asyncio.run(run())
