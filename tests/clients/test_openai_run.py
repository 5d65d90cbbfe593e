"""openai's own package, in the two versions that other clients bring, is given what the server says without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Client

    from tests.conftest import ServerUnderTest

QUESTION = "What is the capital of Broomland?"
PROMPT = f"Question: {QUESTION}\nAnswer:"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module", params=["evals_python", "clients_python"])
def python(request: pytest.FixtureRequest) -> Client:
    """Two environments: one has openai 2, the other openai 3."""
    found: Client = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def found(python: Client, either_world: ServerUnderTest) -> dict[str, Any]:
    """What the script was given."""
    answer: dict[str, Any] = python.script_file("openai_all.py", either_world.url, either_world.id, PROMPT, QUESTION)
    return answer


@pytest.fixture(scope="module")
def completion(either_world: ServerUnderTest, ask: Ask) -> dict[str, Any]:
    choice: dict[str, Any] = ask(either_world, prompt=PROMPT, max_tokens=8, logprobs=2)["choices"][0]
    return choice


def assert_same_arrays(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare the four arrays."""
    assert (found["tokens"], found["text_offset"]) == (expected["tokens"], expected["text_offset"])
    assert found["token_logprobs"] == pytest.approx(expected["token_logprobs"], abs=1e-3)
    assert len(found["top_logprobs"]) == len(expected["top_logprobs"])
    for ours, theirs in zip(found["top_logprobs"], expected["top_logprobs"], strict=True):
        assert ours == (theirs and pytest.approx(theirs, abs=1e-3))


def test_the_two_versions_differ(evals_python: Client, clients_python: Client) -> None:
    script = "import openai; print(openai.__version__.split('.')[0])"
    assert [client.script(script) for client in (evals_python, clients_python)] == [2, 3]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_completion(found: dict[str, Any], completion: dict[str, Any], way: str) -> None:
    (choice,) = found[way]["completion"]["choices"]
    assert (choice["text"], choice["finish_reason"]) == (completion["text"], completion["finish_reason"])
    assert_same_arrays(choice["logprobs"], completion["logprobs"])


def test_log_probabilities_of_a_prompt(found: dict[str, Any], either_world: ServerUnderTest, ask: Ask) -> None:
    (expected,) = ask(either_world, prompt=PROMPT, max_tokens=0, echo=True, logprobs=2)["choices"]
    (choice,) = found["sync"]["scored"]["choices"]
    assert choice["text"] == PROMPT
    assert choice["logprobs"]["token_logprobs"][0] is None
    assert_same_arrays(
        {name: values[1:] for name, values in choice["logprobs"].items()},
        {name: values[1:] for name, values in expected["logprobs"].items()},
    )


def test_several_prompts_and_completions(found: dict[str, Any], completion: dict[str, Any]) -> None:
    choices = found["sync"]["several"]["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2, 3]
    assert [choice["text"] == completion["text"] for choice in choices] == [True, True, False, False]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_stream_adds_up(found: dict[str, Any], completion: dict[str, Any], way: str) -> None:
    *chunks, last = found[way]["stream"]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert "".join(choice["text"] for choice in choices) == completion["text"]
    assert [c["finish_reason"] for c in choices if c["finish_reason"]] == [completion["finish_reason"]]
    parts = [choice["logprobs"] for choice in choices if choice["logprobs"]]
    joined = {name: [entry for part in parts for entry in part[name]] for name in parts[0]}
    assert_same_arrays(joined, completion["logprobs"])
    assert last["choices"] == []
    usage, plain = last["usage"], found[way]["completion"]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (plain["prompt_tokens"], plain["completion_tokens"])


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_chat_is_the_completion_of_its_prompt(found: dict[str, Any], completion: dict[str, Any], way: str) -> None:
    (choice,) = found[way]["chat"]["choices"]
    assert (choice["message"]["role"], choice["message"]["content"]) == ("assistant", completion["text"])
    assert choice["finish_reason"] == completion["finish_reason"]
    entries = choice["logprobs"]["content"]
    n = len(entries)
    assert [entry["token"] for entry in entries] == completion["logprobs"]["tokens"][:n]
    expected = completion["logprobs"]["token_logprobs"][:n]
    assert [entry["logprob"] for entry in entries] == pytest.approx(expected, abs=1e-3)
    assert all(len(entry["top_logprobs"]) == 2 for entry in entries)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_stream_of_a_chat_adds_up(found: dict[str, Any], completion: dict[str, Any], way: str) -> None:
    *chunks, last = found[way]["chat_stream"]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert "".join(choice["delta"]["content"] or "" for choice in choices) == completion["text"]
    streamed = [entry for choice in choices if choice["logprobs"] for entry in choice["logprobs"]["content"]]
    plain = found[way]["chat"]["choices"][0]["logprobs"]["content"]
    assert [entry["token"] for entry in streamed] == [entry["token"] for entry in plain]
    assert last["usage"]["completion_tokens"] == found[way]["chat"]["usage"]["completion_tokens"]


def test_requests_at_once_are_not_mixed_up(found: dict[str, Any], either_world: ServerUnderTest, ask: Ask) -> None:
    expected = [
        ask(either_world, prompt=f"{PROMPT} {i}", max_tokens=2, logprobs=2)["choices"][0]["text"] for i in range(8)
    ]
    assert found["async"]["others"] == expected


def test_models(found: dict[str, Any], either_world: ServerUnderTest) -> None:
    assert found["sync"]["models"] == [either_world.id]
    assert found["sync"]["model"] == either_world.id


def test_errors_are_typed_and_retried(python: Client, guarded_world: ServerUnderTest) -> None:
    found = python.script_file("openai_errors.py", guarded_world.url, "secret", guarded_world.id)
    errors = {
        name: tuple(error[key] for key in ("class", "status_code", "code", "param"))
        for name, error in found["errors"].items()
    }
    assert errors == {
        "key": ("AuthenticationError", 401, "invalid_api_key", None),
        "value": ("BadRequestError", 400, None, "max_tokens"),
        "model": ("NotFoundError", 404, "model_not_found", "model"),
        "length": ("BadRequestError", 400, "context_length_exceeded", "prompt"),
        "unsupported": ("BadRequestError", 400, "unsupported_parameter", "stop_token_ids"),
        "full": ("RateLimitError", 429, "queue_full", None),
    }
    assert all(error["message"] and error["request_id"].startswith("req-") for error in found["errors"].values())
    assert found["statuses"][0] == 429
    assert found["statuses"][-1] == 200
