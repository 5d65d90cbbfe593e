"""Every refusal and failure written as OpenAI's error object."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from server.api.execution import ClientGone
from server.protocol.errors import ApiError, InvalidRequest, Unauthorized

_PROMPT_FORMS = (
    "must be a string, a list of strings, a list of token ids, or a list of lists of token ids (at most 1024 prompts)"
)


def error_response(error: ApiError) -> JSONResponse:
    """The error as a response, with the headers that belong to it."""
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    if isinstance(error, Unauthorized):
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(error.body().model_dump(), status_code=error.status, headers=headers)


def install(app: FastAPI) -> None:
    """Let all errors of ``app`` be written here."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(ClientGone, _client_gone)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


async def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_response(error)


async def _client_gone(_request: Request, _error: Exception) -> Response:
    """Nobody reads this; a status is needed all the same, and 499 is what proxies log in such a case."""
    return Response(status_code=499)


async def _validation_error(_request: Request, error: Exception) -> Response:
    """pydantic's first complaint in one sentence: 400, never FastAPI's own 422."""
    assert isinstance(error, RequestValidationError)
    return error_response(_explain(error.errors()[0]))


def _explain(problem: dict[str, Any]) -> InvalidRequest:
    field = next((str(part) for part in problem["loc"][1:]), None)
    if problem["type"] == "json_invalid":
        return InvalidRequest("The request body is not valid JSON.")
    if problem["type"] == "value_error" and field is None:
        return InvalidRequest(f"{problem['ctx']['error']}.")
    if problem["loc"][0] != "body":
        return InvalidRequest(f"'{field}' in the address: {str(problem['msg']).lower()}.", param=field)
    if field is None:
        return InvalidRequest(
            "The request body must be a JSON object, sent with the header 'Content-Type: application/json'."
        )
    if field == "prompt":
        return InvalidRequest(f"'prompt' {_PROMPT_FORMS}.", param="prompt")
    message = str(problem["msg"])
    return InvalidRequest(f"'{field}': {message[0].lower()}{message[1:]}.", param=field)


async def _http_error(_request: Request, error: Exception) -> Response:
    """Unknown routes and methods, and bodies that cannot even be decoded."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return error_response(InvalidRequest("The request body is not valid JSON."))
    answer = InvalidRequest(
        f"{HTTPStatus(error.status_code).phrase}: see docs/server.md for the routes of this server."
    )
    answer.status = error.status_code
    response = error_response(answer)
    response.headers.update(error.headers or {})
    return response
