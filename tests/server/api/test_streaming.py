"""Streamed answers: the framing, and that the pieces add up to the plain answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from answers import DONE, PROMPT, arrays, ask, ask_streaming, assert_close, events_of, summed
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
EMOJI = "a 🙂 b"
NO_CHARACTERS = {str(token): 30.0 for token in range(96, 190)}
"""Makes a model choose among tokens that are one byte of a character each."""

TEXTS = st.sampled_from(["The", PROMPT, EMOJI, "🙂👩‍👧", "  x", ""]) | st.text(max_size=12)
IDS = st.lists(st.integers(0, 1023), min_size=1, max_size=8)
FIELDS = st.fixed_dictionaries(
    {
        "prompt": TEXTS | IDS | st.lists(TEXTS, min_size=1, max_size=3) | st.lists(IDS, min_size=1, max_size=3),
        "max_tokens": st.integers(1, 12),
        "temperature": st.sampled_from([0, 0.7, 1.5]),
        "seed": st.integers(0, 99),
    },
    optional={
        "n": st.integers(1, 3),
        "echo": st.booleans(),
        "logprobs": st.none() | st.sampled_from([0, 5]),
        "stop": st.lists(st.sampled_from([" ", "a", "e ", "s", "th", " the", "\n", "an", "\ufffd"]), max_size=3),
        "prompt_logprobs": st.none() | st.sampled_from([0, 3]),
        "return_token_ids": st.booleans(),
        "return_tokens_as_token_ids": st.booleans(),
        "min_tokens": st.just(1),
        "logit_bias": st.just(NO_CHARACTERS),
    },
)


@MANY
@given(FIELDS)
@example({"prompt": [5, 6, 7], "max_tokens": 12, "seed": 1, "logprobs": 5, "logit_bias": NO_CHARACTERS})
@example({"prompt": ["The", EMOJI], "max_tokens": 9, "n": 2, "seed": 3, "echo": True, "logprobs": 5, "stop": ["a"]})
@example({"prompt": PROMPT, "max_tokens": 0, "echo": True, "logprobs": 2})
@example({"prompt": EMOJI, "max_tokens": 0, "echo": True})
@example({"prompt": EMOJI, "max_tokens": 0, "prompt_logprobs": 1})
def test_a_stream_adds_up_to_the_plain_answer(steady: ServerUnderTest, body: dict[str, Any]) -> None:
    plain = ask(steady, body)
    events, done = ask_streaming(steady, body | {"stream_options": {"include_usage": True}})
    assert done
    *chunks, last = events
    assert last["choices"] == []
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    assert [last["usage"][name] for name in counts] == [plain["usage"][name] for name in counts]
    assert all(chunk["usage"] is None for chunk in chunks)
    choices = summed(chunks)
    for streamed, whole in zip(choices, plain["choices"], strict=True):
        expected = {name: value for name, value in whole.items() if name in streamed and name not in BESIDE}
        assert expected.keys() >= {"index", "text", "logprobs", "finish_reason", "stop_reason"}
        assert_close({name: streamed[name] for name in expected}, expected)
        for field in ("token_ids", "prompt_token_ids", "prompt_logprobs"):
            assert (field in streamed) == (field in whole)


BESIDE = {"timings", "id_slot", "generation_settings", "tokens_cached"}
"""Fields of llama.cpp that say how an answer was computed."""


def test_the_framing_is_that_of_server_sent_events(server: ServerUnderTest) -> None:
    body = {"prompt": "The", "max_tokens": 5, "temperature": 0, "stream": True}
    with server.http.stream("POST", "/v1/completions", json=body) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-request-id"].startswith("req-")
        content = answer.read()
    assert content.endswith(b"}\n\n" + DONE)
    assert content.count(b"data: ") == content.count(b"\n\n") == len(events_of(content)) + 1


def test_chunks_have_one_envelope_and_end_once(server: ServerUnderTest) -> None:
    events, _ = ask_streaming(server, {"prompt": ["The", "Joo"], "n": 2, "max_tokens": 4, "seed": 1})
    assert len({(event["id"], event["created"], event["object"], event["model"]) for event in events}) == 1
    assert events[0]["id"].startswith("cmpl-")
    assert events[0]["object"] == "text_completion"
    assert all("usage" not in event for event in events)
    for i in range(4):
        reasons = [part["finish_reason"] for event in events for part in event["choices"] if part["index"] == i]
        assert reasons[-1] in ("stop", "length")
        assert set(reasons[:-1]) <= {None}


def test_tokens_come_as_they_are_made(steady_server: ServerUnderTest) -> None:
    body = {"prompt": "The", "max_tokens": 300, "temperature": 0, "logprobs": 0}
    events, _ = ask_streaming(steady_server, body)
    sizes = [len(event["choices"][0]["logprobs"]["tokens"]) for event in events]
    assert sum(sizes) == 300
    assert len(sizes) > 5  # not 300: a reader that is slow finds several at once


def test_the_first_chunk_of_an_echo_carries_the_whole_prompt(server: ServerUnderTest) -> None:
    long = PROMPT * 20  # more than one batch
    scored = server.score(long, logprobs=1)
    events, _ = ask_streaming(
        server, {"prompt": long, "max_tokens": 4, "echo": True, "logprobs": 1, "n": 2, "temperature": 0}
    )
    for i in range(2):
        first = next(part for event in events for part in event["choices"] if part["index"] == i)
        assert first["text"].startswith(long)
        n = len(arrays(scored)[0])
        assert first["logprobs"]["tokens"][:n] == arrays(scored)[0]
        assert first["logprobs"]["text_offset"][:n] == arrays(scored)[3]
        assert [value is None for value in first["logprobs"]["token_logprobs"][:n]] == [True] + [False] * (n - 1)


def test_without_echo_offsets_count_from_the_prompt_on(server: ServerUnderTest) -> None:
    events, _ = ask_streaming(server, {"prompt": EMOJI, "max_tokens": 6, "temperature": 0, "logprobs": 0})
    offsets = [offset for event in events for offset in event["choices"][0]["logprobs"]["text_offset"]]
    assert offsets[0] == len(EMOJI)
    assert offsets == sorted(offsets)


@MANY
@given(data=st.data())
def test_what_may_begin_a_stop_string_is_held_back(steady_server: ServerUnderTest, data: st.DataObject) -> None:
    body = {"prompt": "The", "max_tokens": 16, "seed": data.draw(st.integers(0, 30)), "temperature": 1}
    free = ask(steady_server, body)["choices"][0]["text"]
    if len(free) < 8:
        return
    begin = data.draw(st.integers(1, len(free) - 6))
    stop = free[begin : begin + data.draw(st.integers(2, 6))]
    almost = stop[:-1] + "\0"  # held back as long as the text goes on like it, and shown then
    events, _ = ask_streaming(steady_server, body | {"stop": [stop, almost]})
    expected, shown = free[: free.index(stop)], ""
    for event in events:
        shown += event["choices"][0]["text"]
        assert expected.startswith(shown)
    assert shown == expected
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    assert events[-1]["choices"][0]["stop_reason"] == stop


def test_openais_client_streams(steady_server: ServerUnderTest) -> None:
    plain = steady_server.complete("The", max_tokens=12)
    text, reasons, usages = "", [], []
    with steady_server.openai.completions.create(
        model=steady_server.id,
        prompt="The",
        max_tokens=12,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        for chunk in stream:
            usages.append(chunk.usage)
            for choice in chunk.choices:
                text += choice.text
                reasons.append(choice.finish_reason)
    assert text == plain.choices[0].text
    assert reasons[-1] == "length"
    assert set(reasons[:-1]) <= {None}
    assert usages[-1] is not None
    assert usages[-1].completion_tokens == 12
    assert set(usages[:-1]) <= {None}


def test_many_streams_at_once_are_what_each_is_alone(steady_server: ServerUnderTest) -> None:
    requests: list[dict[str, Any]] = [
        {"model": steady_server.id, "prompt": f"{i} is", "max_tokens": 16, "seed": i, "logprobs": 1} for i in range(24)
    ]
    alone = [steady_server.openai.completions.create(**request).choices[0].text for request in requests]

    async def read(client: openai.AsyncOpenAI, request: dict[str, Any]) -> str:
        stream = await client.completions.create(**request, stream=True)
        return "".join([choice.text async for chunk in stream for choice in chunk.choices])

    async def all_at_once() -> list[str]:
        async with openai.AsyncOpenAI(
            base_url=steady_server.url, api_key="none", http_client=httpx.AsyncClient(trust_env=False)
        ) as client:
            return await asyncio.gather(*(read(client, request) for request in requests))

    assert asyncio.run(all_at_once()) == alone


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stream": False, "stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": "yes"}}, "stream_options"),
        ({"stream": True, "n": 2, "best_of": 3}, "best_of"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_what_cannot_be_streamed_is_refused(server: ServerUnderTest, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        server.openai.completions.create(model=server.id, prompt="a", extra_body=fields)
    assert caught.value.param == param
