from __future__ import annotations

import pytest

from server.protocol.errors import (
    MAX_MESSAGE,
    ApiError,
    BodyTooLarge,
    ContextTooLong,
    DeadlineExceeded,
    EngineFailure,
    InvalidRequest,
    ModelNotFound,
    NotOffered,
    NotSupported,
    Overloaded,
    StorageFull,
    StoreDamaged,
    StoreInUse,
    StoreNotFound,
    Unauthorized,
    Unavailable,
    UnknownHost,
)


@pytest.mark.parametrize(
    ("error", "status", "type", "code"),
    [
        (ApiError("m"), 500, "server_error", None),
        (InvalidRequest("m"), 400, "invalid_request_error", None),
        (ContextTooLong(9, 8), 400, "invalid_request_error", "context_length_exceeded"),
        (NotSupported("m"), 400, "invalid_request_error", "unsupported_parameter"),
        (ModelNotFound("m"), 404, "invalid_request_error", "model_not_found"),
        (Unauthorized("m"), 401, "invalid_request_error", "invalid_api_key"),
        (BodyTooLarge("m"), 413, "invalid_request_error", "body_too_large"),
        (UnknownHost("m"), 421, "invalid_request_error", "unknown_host"),
        (Overloaded("m"), 429, "rate_limit_error", "queue_full"),
        (EngineFailure("m"), 500, "server_error", None),
        (StoreNotFound("m"), 404, "invalid_request_error", "store_not_found"),
        (StoreInUse("m"), 409, "invalid_request_error", "store_in_use"),
        (StoreDamaged("m"), 500, "server_error", "store_damaged"),
        (NotOffered("m"), 501, "invalid_request_error", "not_offered"),
        (StorageFull("m"), 507, "server_error", "storage_full"),
        (Unavailable("m"), 503, "unavailable_error", "unavailable"),
        (DeadlineExceeded("m"), 504, "timeout_error", "deadline_exceeded"),
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


@pytest.mark.parametrize(
    "error", [Overloaded("m"), Unavailable("m"), StoreInUse("m")], ids=lambda error: type(error).__name__
)
def test_who_may_come_again_is_told_when(error: ApiError) -> None:
    assert error.retry_after is not None
    assert 0 < error.retry_after <= 120  # as long as OpenAI's client would wait
    assert InvalidRequest("m").retry_after is None


def test_what_a_client_sent_does_not_come_back_at_any_length() -> None:
    assert InvalidRequest("m" * MAX_MESSAGE).message == "m" * MAX_MESSAGE
    error = InvalidRequest(f"'{'m' * 10**6}' is not served here.", param="p" * 10**6)
    assert len(error.message) <= MAX_MESSAGE
    assert error.message.startswith("'mmm")
    assert error.message.endswith("mmm' is not served here.")
    assert error.param is not None
    assert len(error.param) <= 100
    assert str(error) == error.message
