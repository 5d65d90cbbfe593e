"""langchain-openai is given what the server says without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Client

    from tests.conftest import ServerUnderTest

QUESTIONS = "What is the capital of Broomland?", "Who rules Broomland?"
PROMPTS = f"Question: {QUESTIONS[0]}\nAnswer:", "The capital of"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def found(clients_python: Client, either_world: ServerUnderTest) -> dict[str, Any]:
    """What the script was given."""
    words = (either_world.url, either_world.id, PROMPTS[0], QUESTIONS[0])
    answer: dict[str, Any] = clients_python.script_file("langchain_all.py", *words)
    return answer


@pytest.mark.parametrize("way", ["sync", "async"])
def test_every_way_of_asking(found: dict[str, Any], either_world: ServerUnderTest, ask: Ask, way: str) -> None:
    completions = [choice["text"] for choice in ask(either_world, prompt=PROMPTS, max_tokens=8)["choices"]]
    asked = [f"Question: {question}\nAnswer:" for question in QUESTIONS]
    chats = [choice["text"] for choice in ask(either_world, prompt=asked, max_tokens=8)["choices"]]
    assert found[way] == {
        **{"invoke": completions[0], "batch": completions, "stream": completions[0]},
        **{"chat": chats[0], "chat_batch": chats, "chat_stream": chats[0]},
    }


def test_log_probabilities_and_usage(found: dict[str, Any], either_world: ServerUnderTest, ask: Ask) -> None:
    expected = ask(either_world, prompt=PROMPTS, max_tokens=8, logprobs=2, stop=["\n"])
    info, choice = found["generation_info"], expected["choices"][0]
    assert info["finish_reason"] == choice["finish_reason"] == "stop"
    assert info["logprobs"]["tokens"] == choice["logprobs"]["tokens"]
    assert info["logprobs"]["token_logprobs"] == pytest.approx(choice["logprobs"]["token_logprobs"], abs=1e-3)
    counts = {name: expected["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    assert found["token_usage"] == counts


def test_log_probabilities_and_usage_of_a_chat(found: dict[str, Any], either_world: ServerUnderTest, ask: Ask) -> None:
    expected = ask(either_world, prompt=PROMPTS[0], max_tokens=8, logprobs=2)
    metadata, choice = found["chat_metadata"], expected["choices"][0]
    assert (metadata["finish_reason"], metadata["model_name"]) == (choice["finish_reason"], either_world.id)
    entries = metadata["logprobs"]["content"]
    assert [entry["token"] for entry in entries] == choice["logprobs"]["tokens"]
    logprobs = [entry["logprob"] for entry in entries]
    assert logprobs == pytest.approx(choice["logprobs"]["token_logprobs"], abs=1e-3)
    assert found["chat_usage"]["output_tokens"] == expected["usage"]["completion_tokens"]


def test_a_prompt_that_is_too_long_is_an_error(found: dict[str, Any]) -> None:
    assert found["refused"] == {"class": "BadRequestError", "status": 400, "code": "context_length_exceeded"}
