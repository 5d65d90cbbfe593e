"""``/v1/chat/completions``: what a client says in messages is what the model sees in a prompt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

    from tests.conftest import ServerUnderTest

TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who rules Joo?"}]
PROMPT = "system: Be brief.\nuser: Who rules Joo?\nassistant:"
FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="session")
def chat_server(
    serve: Callable[..., ServerUnderTest],
    make_llama: Callable[..., Path],
    server_type: type[ServerUnderTest],
    tmp_path_factory: pytest.TempPathFactory,
) -> ServerUnderTest:
    path = make_llama(tmp_path_factory.mktemp("models") / "chat.gguf", chat_template=TEMPLATE)
    return serve(path, *server_type.STEADY)


def ask(server: ServerUnderTest, **fields: Any) -> ChatCompletion:
    return server.openai.chat.completions.create(
        **{"model": server.id, "messages": MESSAGES, "temperature": 0, "max_tokens": 12} | fields
    )


def refused(server: ServerUnderTest, **fields: Any) -> dict[str, Any]:
    answer = server.http.post("/v1/chat/completions", json={"messages": MESSAGES, "max_tokens": 3} | fields)
    assert answer.status_code == 400, answer.text
    error: dict[str, Any] = answer.json()["error"]
    return error


def test_an_answer_is_the_completion_of_the_rendered_prompt(chat_server: ServerUnderTest) -> None:
    chat = ask(chat_server, logprobs=True, top_logprobs=3)
    plain = chat_server.complete(PROMPT, max_tokens=12, logprobs=3)
    (choice,) = chat.choices
    assert (chat.object, chat.model, chat.id[:9]) == ("chat.completion", chat_server.id, "chatcmpl-")
    assert (choice.message.role, choice.message.content) == ("assistant", plain.choices[0].text)
    assert choice.finish_reason == plain.choices[0].finish_reason
    assert chat.usage is not None
    assert plain.usage is not None
    assert chat.usage.prompt_tokens == plain.usage.prompt_tokens
    assert chat.usage.completion_tokens == plain.usage.completion_tokens
    expected = plain.choices[0].logprobs
    assert expected is not None
    assert choice.logprobs is not None
    content = choice.logprobs.content
    assert content is not None
    assert [entry.token for entry in content] == expected.tokens
    assert [entry.logprob for entry in content] == pytest.approx(expected.token_logprobs, abs=1e-3)
    assert all(len(entry.top_logprobs) == 3 for entry in content)
    assert b"".join(bytes(entry.bytes or []) for entry in content).decode(errors="replace") == choice.message.content


def test_without_logprobs_there_are_none(chat_server: ServerUnderTest) -> None:
    assert ask(chat_server).choices[0].logprobs is None
    content = ask(chat_server, logprobs=True).choices[0].logprobs
    assert content is not None
    assert all(entry.top_logprobs == [] for entry in content.content or ())


@FEW
@given(
    content=st.text(min_size=1, max_size=30),
    n=st.integers(1, 3),
    logprobs=st.booleans(),
    stop=st.lists(st.sampled_from(["a", " ", "e ", "the"]), max_size=2),
)
def test_a_stream_adds_up_to_the_plain_answer(
    chat_server: ServerUnderTest, content: str, n: int, logprobs: bool, stop: list[str]
) -> None:
    fields: dict[str, Any] = {
        "messages": [{"role": "user", "content": content}],
        "n": n,
        "logprobs": logprobs,
        "stop": stop,
        "temperature": 0.7,
        "seed": 5,
    }
    plain = ask(chat_server, **fields)
    texts, finished, entries = [""] * n, [""] * n, [[] for _ in range(n)]
    roles: list[str | None] = [None] * n
    ids = set()
    for chunk in ask(chat_server, **fields, stream=True):
        ids.add((chunk.id, chunk.created, chunk.object))
        for choice in chunk.choices:
            assert not finished[choice.index]
            roles[choice.index] = roles[choice.index] or choice.delta.role
            texts[choice.index] += choice.delta.content or ""
            finished[choice.index] = choice.finish_reason or ""
            if choice.logprobs is not None:
                entries[choice.index] += choice.logprobs.content or []
    assert len(ids) == 1
    assert roles == ["assistant"] * n
    assert texts == [choice.message.content for choice in plain.choices]
    assert finished == [choice.finish_reason for choice in plain.choices]
    for streamed, choice in zip(entries, plain.choices, strict=True):
        whole = (choice.logprobs.content or []) if choice.logprobs else []
        assert [entry.token for entry in streamed] == [entry.token for entry in whole]


def test_usage_is_streamed_if_asked_for(chat_server: ServerUnderTest) -> None:
    plain = ask(chat_server)
    *chunks, last = list(ask(chat_server, stream=True, stream_options={"include_usage": True}))
    assert all(chunk.usage is None for chunk in chunks)
    assert last.choices == []
    assert plain.usage is not None
    assert last.usage is not None
    assert last.usage.total_tokens == plain.usage.total_tokens


def test_text_parts_are_text(chat_server: ServerUnderTest) -> None:
    parts = [{"type": "text", "text": "Who rules"}, {"type": "text", "text": "Joo?"}]
    whole = ask(chat_server, messages=[{"role": "user", "content": "Who rules\nJoo?"}])
    assert (
        ask(chat_server, messages=[{"role": "user", "content": parts}]).choices[0].message == whole.choices[0].message
    )


def test_a_seed_and_its_followers_give_the_choices(chat_server: ServerUnderTest) -> None:
    three = ask(chat_server, n=3, seed=7, temperature=1).choices
    alone = [ask(chat_server, seed=7 + j, temperature=1).choices[0].message.content for j in range(3)]
    assert [choice.message.content for choice in three] == alone


def test_the_prompt_can_be_scored_as_vllm_does(chat_server: ServerUnderTest) -> None:
    answer = chat_server.http.post(
        "/v1/chat/completions", json={"messages": MESSAGES, "max_tokens": 1, "prompt_logprobs": 1}
    ).json()
    scored = chat_server.score(PROMPT, logprobs=1)
    assert scored.logprobs is not None
    first, *rest = answer["prompt_logprobs"]
    assert first is None
    found = [next(iter(entry.values())) for entry in rest]
    assert [entry["decoded_token"] for entry in found] == (scored.logprobs.tokens or [])[1:]
    assert [entry["logprob"] for entry in found] == pytest.approx((scored.logprobs.token_logprobs or [])[1:], abs=1e-3)


def test_a_conversation_can_be_scored_alone(chat_server: ServerUnderTest) -> None:
    body = {"messages": MESSAGES, "max_tokens": 0, "prompt_logprobs": 0}
    answer = chat_server.http.post("/v1/chat/completions", json=body).json()
    assert (answer["choices"][0]["message"]["content"], answer["usage"]["completion_tokens"]) == ("", 0)
    assert len(answer["prompt_logprobs"]) == answer["usage"]["prompt_tokens"]


def test_an_answer_takes_all_the_room_unless_told(chat_server: ServerUnderTest) -> None:
    answer = ask(chat_server, max_tokens=openai.NOT_GIVEN, max_completion_tokens=5, logit_bias={"2": -100})
    assert answer.usage is not None
    assert answer.usage.completion_tokens <= 5
    context = chat_server.http.get("/v1/models").json()["data"][0]["max_model_len"]
    free = chat_server.http.post(
        "/v1/chat/completions", json={"messages": MESSAGES, "ignore_eos": True, "temperature": 0}
    ).json()
    assert free["usage"]["total_tokens"] == context
    assert free["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "a"}]}, "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]},
            "messages",
        ),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logprobs": 5}, "logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"chat_template": "{{ 1 }}"}, "chat_template"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"n": 129}, "n"),
        ({"best_of": 3}, "best_of"),
    ],
    ids=json.dumps,
)
def test_what_cannot_be_honoured_is_refused(chat_server: ServerUnderTest, fields: dict[str, Any], param: str) -> None:
    assert refused(chat_server, **fields)["param"] == param


def test_a_conversation_beyond_the_context_is_refused(chat_server: ServerUnderTest) -> None:
    error = refused(chat_server, messages=[{"role": "user", "content": "word " * 2000}])
    assert error["code"] == "context_length_exceeded"
    assert "This model's maximum context length is" in error["message"]


def test_a_model_without_a_template_says_so(no_bos_server: ServerUnderTest) -> None:
    error = refused(no_bos_server)
    assert "--chat-template" in error["message"]
