"""Errors as OpenAI's API words them, raised anywhere in the server and written out by :mod:`server.api.refusals`.

ApiError
|-- InvalidRequest       400  invalid_request_error
|   |-- ContextTooLong   400  context_length_exceeded
|   `-- NotSupported     400  unsupported_parameter
|-- Unauthorized         401  invalid_api_key
|-- ModelNotFound        404  model_not_found
|-- StoreNotFound        404  store_not_found
|-- StoreInUse           409  store_in_use
|-- BodyTooLarge         413  body_too_large
|-- UnknownHost          421  unknown_host
|-- Overloaded           429  queue_full
|-- EngineFailure        500  server_error
|-- StoreDamaged         500  store_damaged
|-- NotOffered           501  not_offered
|-- Unavailable          503  unavailable
|-- DeadlineExceeded     504  deadline_exceeded
`-- StorageFull          507  storage_full
"""

from __future__ import annotations

from pydantic import BaseModel

MAX_MESSAGE = 1000
"""Characters of a message. What a client sent may stand in it; an answer must not be longer than its question."""
MAX_PARAM = 100


class ErrorObject(BaseModel):
    """The value of ``error`` in an error response; clients read all four keys, so all four are always sent."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorResponse(BaseModel):
    """Body of every response that is not a success."""

    error: ErrorObject


class ApiError(Exception):
    """A failure that the client is told about. ``message`` is one sentence for a person."""

    status: int = 500
    type: str = "server_error"
    code: str | None = None
    retry_after: int | None = None
    """Seconds after which it is worth while to send the request again."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        # A request may quote half a surrogate pair, which cannot be written out again.
        self.message = _bounded(message.encode(errors="replace").decode(), MAX_MESSAGE)
        super().__init__(self.message)
        self.param = None if param is None else _bounded(param, MAX_PARAM)

    def body(self) -> ErrorResponse:
        """The error as it is written to the client."""
        return ErrorResponse(error=ErrorObject(message=self.message, type=self.type, param=self.param, code=self.code))


class InvalidRequest(ApiError):
    """The request itself is wrong; sending it again will not help."""

    status = 400
    type = "invalid_request_error"


class ContextTooLong(InvalidRequest):
    """The prompt does not fit the context. Clients look for this code or for the opening words of the message."""

    code = "context_length_exceeded"

    def __init__(self, tokens: int, context: int, *, at_least: bool = False, param: str = "prompt") -> None:
        has = f"at least {tokens}" if at_least else f"{tokens}"
        super().__init__(
            f"This model's maximum context length is {context} tokens, but the prompt has {has}; shorten it.",
            param=param,
        )


class NotSupported(InvalidRequest):
    """A field of OpenAI's API that this server knows and cannot honour. Never ignored: a wrong answer is worse."""

    code = "unsupported_parameter"


class Unauthorized(ApiError):
    """The request has none of the API keys that the operator gave out."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class ModelNotFound(ApiError):
    """The request names another model than the one served."""

    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class BodyTooLarge(ApiError):
    """The body of the request is longer than the operator allows."""

    status = 413
    type = "invalid_request_error"
    code = "body_too_large"


class UnknownHost(ApiError):
    """The request is for a name that this server does not go by: perhaps a web page that pretends it is ours."""

    status = 421
    type = "invalid_request_error"
    code = "unknown_host"


class Overloaded(ApiError):
    """More work is waiting than the server is willing to hold."""

    status = 429
    type = "rate_limit_error"
    code = "queue_full"
    retry_after = 1


class Unavailable(ApiError):
    """The server is loading its model, or stopping."""

    status = 503
    type = "unavailable_error"
    code = "unavailable"
    retry_after = 2


class DeadlineExceeded(ApiError):
    """The request took longer than the operator allows."""

    status = 504
    type = "timeout_error"
    code = "deadline_exceeded"


class EngineFailure(ApiError):
    """llama.cpp failed on this request."""


class StoreNotFound(ApiError):
    """The request names a store of distributions that is not there."""

    status = 404
    type = "invalid_request_error"
    code = "store_not_found"


class StoreInUse(ApiError):
    """The store is being recorded, or is to be recorded while others compare with it."""

    status = 409
    type = "invalid_request_error"
    code = "store_in_use"
    retry_after = 1


class StoreDamaged(ApiError):
    """The file of the store is not whole."""

    code = "store_damaged"


class NotOffered(ApiError):
    """The operator has not turned this on."""

    status = 501
    type = "invalid_request_error"
    code = "not_offered"


class StorageFull(ApiError):
    """The server's disk takes no more."""

    status = 507
    code = "storage_full"


def _bounded(text: str, limit: int) -> str:
    """The text, its middle left out where it is too long: its end often says what to do."""
    if len(text) <= limit:
        return text
    half = (limit - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"
