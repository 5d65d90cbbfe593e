"""The application: routes, and every failure written as OpenAI's error object."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from server.api import completions, embeddings, introspection, models, operations, playground, templates, tokens
from server.api.execution import ClientGone
from server.api.state import Served
from server.engine.engine import Engine
from server.engine.llama import VERSION
from server.protocol.errors import ApiError, InvalidRequest, Overloaded

logger = logging.getLogger("server")

_PROMPT_FORMS = (
    "must be a string, a list of strings, a list of token ids, or a list of lists of token ids (at most 1024 prompts)"
)


def create_app(engine: Engine, model_id: str) -> FastAPI:
    """The server over a loaded engine; it answers to ``model_id``."""
    app = FastAPI(title="quant-harness server", docs_url=None, redoc_url=None)
    app.state.served = Served(engine, model_id, int(time.time()), VERSION)
    for module in (completions, embeddings, introspection, models, operations, playground, templates, tokens):
        app.include_router(module.router)
    app.middleware("http")(_with_request_id)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(ClientGone, _client_gone)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    return app


async def _with_request_id(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    try:
        response = await call_next(request)
    except Exception:  # a defect of ours: the details go to the log, not to the client
        logger.exception("%s %s failed", request.method, request.url.path)
        response = _write(ApiError("The server failed on this request; its log says why."))
    response.headers["x-request-id"] = f"req-{secrets.token_hex(12)}"
    return response


def _write(error: ApiError) -> JSONResponse:
    headers = {"retry-after": "1"} if isinstance(error, Overloaded) else None
    return JSONResponse(error.body().model_dump(), status_code=error.status, headers=headers)


async def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _write(error)


async def _client_gone(_request: Request, _error: Exception) -> Response:
    """Nobody reads this; a status is needed all the same, and 499 is what proxies log in such a case."""
    return Response(status_code=499)


async def _validation_error(_request: Request, error: Exception) -> Response:
    """pydantic's first complaint in one sentence: 400, never FastAPI's own 422."""
    assert isinstance(error, RequestValidationError)
    return _write(_explain(error.errors()[0]))


def _explain(problem: dict[str, Any]) -> InvalidRequest:
    field = next((str(part) for part in problem["loc"][1:]), None)
    if problem["type"] == "json_invalid":
        return InvalidRequest("The request body is not valid JSON.")
    if problem["type"] == "value_error" and field is None:
        return InvalidRequest(f"{problem['ctx']['error']}.")
    if field is None or problem["loc"][0] != "body":
        return InvalidRequest("The request body must be a JSON object.")
    if field == "prompt":
        return InvalidRequest(f"'prompt' {_PROMPT_FORMS}.", param="prompt")
    message = str(problem["msg"])
    return InvalidRequest(f"'{field}': {message[0].lower()}{message[1:]}.", param=field)


async def _http_error(_request: Request, error: Exception) -> Response:
    """Unknown routes and methods, and bodies that cannot even be decoded."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return _write(InvalidRequest("The request body is not valid JSON."))
    answer = InvalidRequest(
        f"{HTTPStatus(error.status_code).phrase}: see docs/server.md for the routes of this server."
    )
    answer.status = error.status_code
    return _write(answer)
