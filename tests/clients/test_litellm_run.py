"""litellm is given what the server says without it, and raises its own errors for ours."""

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


@pytest.fixture(scope="module", params=[("text-completion-openai", "openai"), ("hosted_vllm", "hosted_vllm")])
def found(evals_python: Client, either_world: ServerUnderTest, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the script was given, by the providers for text and for chats."""
    words = (either_world.url, *request.param, either_world.id, PROMPT, QUESTION)
    answer: dict[str, Any] = evals_python.script_file("litellm_all.py", *words)
    return answer


@pytest.fixture(scope="module")
def expected(either_world: ServerUnderTest, ask: Ask) -> dict[str, Any]:
    return ask(either_world, prompt=PROMPT, max_tokens=8, logprobs=2)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_completion(found: dict[str, Any], expected: dict[str, Any], way: str) -> None:
    (choice,), answer = expected["choices"], found[way]["text"]
    (got,) = answer["choices"]
    assert (got["text"], got["finish_reason"]) == (choice["text"], choice["finish_reason"])
    assert got["logprobs"]["tokens"] == choice["logprobs"]["tokens"]
    assert got["logprobs"]["token_logprobs"] == pytest.approx(choice["logprobs"]["token_logprobs"], abs=1e-3)
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    assert [answer["usage"][name] for name in counts] == [expected["usage"][name] for name in counts]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_chat_is_the_completion_of_its_prompt(found: dict[str, Any], expected: dict[str, Any], way: str) -> None:
    (choice,), (got,) = expected["choices"], found[way]["chat"]["choices"]
    assert (got["message"]["content"], got["finish_reason"]) == (choice["text"], choice["finish_reason"])
    entries = got["logprobs"]["content"]
    assert [entry["token"] for entry in entries] == choice["logprobs"]["tokens"]
    logprobs = [entry["logprob"] for entry in entries]
    assert logprobs == pytest.approx(choice["logprobs"]["token_logprobs"], abs=1e-3)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_streams_add_up(found: dict[str, Any], expected: dict[str, Any], way: str) -> None:
    text = expected["choices"][0]["text"]
    assert (found[way]["stream"], found[way]["chat_stream"]) == (text, text)


def test_several_prompts(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found["batch"] == [expected["choices"][0]["text"]] * 2


def test_errors_are_typed(found: dict[str, Any]) -> None:
    assert found["errors"] == {
        "length": {"class": "ContextWindowExceededError", "status": 400},
        "model": {"class": "NotFoundError", "status": 404},
        "value": {"class": "BadRequestError", "status": 400},
    }
