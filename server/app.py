"""The application: its routes, and what every request passes before it comes to one."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from server.api import (
    chat,
    completions,
    divergence,
    embeddings,
    introspection,
    models,
    operations,
    playground,
    refusals,
    templates,
    tokens,
)
from server.api.state import Lifecycle
from server.middleware.api_keys import ApiKeys
from server.middleware.body_limit import BodyLimit
from server.middleware.hosts import Hosts
from server.middleware.readiness import Readiness
from server.middleware.request_id import RequestId
from server.protocol.errors import ErrorResponse
from server.settings import Settings

ROUTES = (
    *(chat, completions, divergence, embeddings, introspection),
    *(models, operations, playground, templates, tokens),
)
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": "The error as OpenAI words it."} for status in ("4XX", "5XX")
}


def create_app(settings: Settings, lifecycle: Lifecycle) -> FastAPI:
    """The server in front of the model that ``lifecycle`` has, or will have."""
    app = FastAPI(title="quant-harness server", docs_url=None, redoc_url=None, responses=REFUSALS)
    app.state.lifecycle = lifecycle
    for module in ROUTES:
        app.include_router(module.router)
    refusals.install(app)
    # The page holds no data. Whoever opens it in a browser can send no key with that; it asks for one by itself.
    public = {
        route.path for each in (operations, playground) for route in each.router.routes if isinstance(route, APIRoute)
    }
    # From the inside to the outside.
    app.add_middleware(BodyLimit, limit=settings.max_body_mib << 20)
    app.add_middleware(Readiness, lifecycle=lifecycle, public=public)
    app.add_middleware(ApiKeys, digests=settings.key_digests, public=public)
    app.add_middleware(Hosts, allowed=(settings.host, *settings.allowed_hosts))
    app.add_middleware(RequestId)
    return app
