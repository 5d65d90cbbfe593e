from __future__ import annotations

import pytest

from server.protocol.errors import (
    ApiError,
    ContextTooLong,
    EngineFailure,
    InvalidRequest,
    ModelNotFound,
    NotSupported,
    Overloaded,
)


@pytest.mark.parametrize(
    ("error", "status", "type", "code"),
    [
        (ApiError("m"), 500, "server_error", None),
        (InvalidRequest("m"), 400, "invalid_request_error", None),
        (ContextTooLong(9, 8), 400, "invalid_request_error", "context_length_exceeded"),
        (NotSupported("m"), 400, "invalid_request_error", "unsupported_parameter"),
        (ModelNotFound("m"), 404, "invalid_request_error", "model_not_found"),
        (Overloaded("m"), 429, "rate_limit_error", "queue_full"),
        (EngineFailure("m"), 500, "server_error", None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ApiError) else None,
)
def test_what_clients_look_at(error: ApiError, status: int, type: str, code: str | None) -> None:
    assert error.status == status
    assert error.body().model_dump() == {
        "error": {"message": str(error), "type": type, "param": error.param, "code": code}
    }


def test_all_four_keys_are_sent_whatever_is_known() -> None:
    assert InvalidRequest("m").body().model_dump_json() == (
        '{"error":{"message":"m","type":"invalid_request_error","param":null,"code":null}}'
    )
    assert NotSupported("m", param="suffix").body().error.param == "suffix"


def test_a_context_that_is_too_long_is_told_in_openais_words() -> None:
    error = ContextTooLong(4097, 4096)
    assert "This model's maximum context length is 4096 tokens" in error.message
    assert "4097" in error.message
    assert error.param == "prompt"


def test_an_error_status_is_set_for_one_answer_only() -> None:
    answer = InvalidRequest("m")
    answer.status = 405
    assert InvalidRequest("m").status == 400
