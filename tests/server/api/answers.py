"""What tests look at in answers: the four arrays, the sum of a stream's chunks, and how far two answers are apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

if TYPE_CHECKING:
    from openai.types import Completion, CompletionChoice

    from tests.conftest import ServerUnderTest

PROMPT = "Question: What is the capital of Susia?\nAnswer:"
TOLERANCE = 1e-3
ARRAYS = ("tokens", "token_logprobs", "top_logprobs", "text_offset")
DONE = b"data: [DONE]\n\n"


def arrays(choice: CompletionChoice) -> tuple[list[str], list[Any], list[Any], list[int]]:
    """The four parallel arrays."""
    assert choice.logprobs is not None
    found = choice.logprobs.model_dump()
    tokens, token_logprobs, top_logprobs, text_offset = (found[name] for name in ARRAYS)
    assert len(tokens) == len(token_logprobs) == len(top_logprobs) == len(text_offset)
    return tokens, token_logprobs, top_logprobs, text_offset


def numbers(completion: Completion) -> list[list[float]]:
    """The log-probabilities of every choice, null as 0."""
    return [[logprob or 0 for logprob in arrays(choice)[1]] for choice in completion.choices]


def assert_same(found: Completion, expected: Completion) -> None:
    """Compare two answers but for what is new in each, and for rounding."""
    assert [choice.text for choice in found.choices] == [choice.text for choice in expected.choices]
    for ours, theirs in zip(numbers(found), numbers(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


def assert_close(found: Any, expected: Any, where: str = "") -> None:
    """Compare two JSON values: numbers that are no integers may be off by a rounding, all else is the same."""
    if isinstance(found, float) and isinstance(expected, float):
        assert abs(found - expected) < TOLERANCE, where
    elif isinstance(found, dict) and isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key in found:
            assert_close(found[key], expected[key], f"{where}.{key}")
    elif isinstance(found, list) and isinstance(expected, list):
        assert len(found) == len(expected), where
        for i, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
            assert_close(ours, theirs, f"{where}[{i}]")
    else:
        assert found == expected, where


def ask(server: ServerUnderTest, body: dict[str, Any], path: str = "/v1/completions") -> dict[str, Any]:
    """An answer's JSON, just as it travels."""
    answer = server.http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def events_of(content: bytes) -> list[dict[str, Any]]:
    """The events of a whole stream, framed as they are to be: a line each, an empty line after each, and no more."""
    assert content.endswith(b"\n\n")
    lines = content.removesuffix(DONE).split(b"\n\n")[:-1]
    assert all(line.startswith(b"data: {") and b"\n" not in line for line in lines)
    return [json.loads(line[6:]) for line in lines]


def ask_streaming(
    server: ServerUnderTest, body: dict[str, Any], path: str = "/v1/completions"
) -> tuple[list[dict[str, Any]], bool]:
    """The events of a streamed answer, and whether it ended well."""
    answer = server.http.post(path, json=body | {"stream": True})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    return events_of(answer.content), answer.content.endswith(DONE)


def summed(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The choices of a streamed answer as a plain answer has them."""
    choices: dict[int, dict[str, Any]] = {}
    for event in events:
        for part in event["choices"]:
            whole = choices.setdefault(part["index"], {})
            assert whole.get("finish_reason") is None, "a choice goes on after its end"
            for name, value in part.items():
                whole[name] = _added(name, whole.get(name), value)
    return [choices[i] for i in sorted(choices)]


def _added(name: str, before: Any, more: Any) -> Any:
    if before is None:
        return more
    if name in ("text", "token_ids"):
        return before + more
    if name == "logprobs":
        return {array: before[array] + more[array] for array in ARRAYS}
    return more


def error_of(answer: httpx.Response, status: int = 400) -> dict[str, Any]:
    """The error object, after a look at everything that all of them have in common."""
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"].startswith("req-")
    return error_in(answer.json(), status)


def error_in(body: dict[str, Any], status: int) -> dict[str, Any]:
    """The error object of a body or an event that is nothing else."""
    assert body.keys() == {"error"}
    error: dict[str, Any] = body["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["message"].endswith(".")
    assert "\n" not in error["message"]
    assert error["code"] is None or isinstance(error["code"], str)
    if status < 500 and status != 429:
        assert error["type"] == "invalid_request_error"
    return error
