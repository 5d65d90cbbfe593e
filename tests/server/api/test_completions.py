"""Plain answers: the four arrays, and prompts in all their forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from answers import PROMPT, TOLERANCE, arrays, assert_same
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest, Specials
    from tests.server.conftest import RawLlama

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize("max_tokens", [0, 1, 5])
@pytest.mark.parametrize("logprobs", [0, 1, 5])
def test_four_arrays_count_what_usage_counts(
    server: ServerUnderTest, echo: bool, max_tokens: int, logprobs: int
) -> None:
    if not echo and not max_tokens:
        return
    completion = server.complete(PROMPT, echo=echo, max_tokens=max_tokens, logprobs=logprobs)
    choice, usage = completion.choices[0], completion.usage
    tokens, token_logprobs, top_logprobs, text_offset = arrays(choice)
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert len(tokens) == echo * usage.prompt_tokens + usage.completion_tokens
    assert usage.completion_tokens == max_tokens or choice.finish_reason == "stop"
    assert [logprob is None for logprob in token_logprobs] == [i == 0 and echo for i in range(len(tokens))]
    assert [entry is None for entry in top_logprobs] == [logprob is None for logprob in token_logprobs]
    if not any(token.startswith("bytes:") for token in tokens):
        assert "".join(tokens) == choice.text
        begin = 0 if echo else len(PROMPT)
        assert text_offset == [begin + len("".join(tokens[:i])) for i in range(len(tokens))]
    for token, logprob, entry in list(zip(tokens, token_logprobs, top_logprobs, strict=True))[echo:]:
        assert entry[token] == logprob
        assert logprob <= max(entry.values()) <= 0
        assert max(logprobs, 1) <= len(entry) <= logprobs + 1


def test_the_chosen_likeliest_token_has_the_same_bits_among_the_alternatives(server: ServerUnderTest) -> None:
    tokens, token_logprobs, top_logprobs, _ = arrays(server.score(PROMPT, max_tokens=30, logprobs=2))
    generated = slice(len(arrays(server.score(PROMPT))[0]), None)
    for token, logprob, entry in zip(
        tokens[generated], token_logprobs[generated], top_logprobs[generated], strict=True
    ):
        assert logprob == max(entry.values())
        assert next(iter(entry)) == token
        assert len(entry) == 2


def test_without_logprobs_there_are_none(server: ServerUnderTest) -> None:
    body = server.post({"prompt": PROMPT, "max_tokens": 2, "echo": True}).json()
    assert body["choices"][0]["logprobs"] is None
    assert body["choices"][0]["text"].startswith(PROMPT)


def test_echo_alone_computes_nothing(server: ServerUnderTest) -> None:
    completion = server.complete(PROMPT, echo=True, max_tokens=0)
    assert completion.choices[0].text == PROMPT
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 0
    assert completion.usage.prompt_tokens == len(arrays(server.score(PROMPT))[0])


@MANY
@given(prompt=st.text(max_size=40))
@example("🙂")
@example("e\u0301<s>\r\n\0 </s>")
@example("  two spaces ")
def test_any_text_comes_back_as_it_was(server: ServerUnderTest, prompt: str) -> None:
    choice = server.score(prompt)
    tokens, _, _, text_offset = arrays(choice)
    assert choice.text == prompt
    assert text_offset == sorted(text_offset)
    for token, offset in zip(tokens, text_offset, strict=True):
        if not token.startswith("bytes:"):
            assert prompt[offset : offset + len(token)] == token


def test_tokens_that_are_no_character_are_named_by_their_bytes(server: ServerUnderTest) -> None:
    tokens, token_logprobs, top_logprobs, text_offset = arrays(server.score("a 🙂!", logprobs=1))
    partial = [i for i, token in enumerate(tokens) if token.startswith("bytes:")]
    assert len(partial) > 1
    assert b"".join(bytes.fromhex(tokens[i][6:].replace(r"\x", "")) for i in partial).strip() == "🙂".encode()
    assert len({text_offset[i] for i in partial[1:]}) == 1
    assert text_offset[-1] == 3
    assert all(top_logprobs[i][tokens[i]] == token_logprobs[i] for i in partial)


TEXTS = ["The capital of Joo is", "The ruler", "Question: Who?\nAnswer: Bilal"]


@pytest.mark.parametrize("fields", [{}, {"max_tokens": 4}, {"max_tokens": 4, "echo": False}], ids=str)
def test_lists_agree_with_single_requests(
    steady_server: ServerUnderTest, raw_llama: Callable[..., RawLlama], no_bos: Path, fields: dict[str, Any]
) -> None:
    fields = {"echo": True, "max_tokens": 0, "logprobs": 1} | fields
    token_ids = [raw_llama(no_bos).tokenize(text) for text in TEXTS]
    single = [steady_server.complete(text, **fields) for text in TEXTS]
    for prompt, one in zip(token_ids, single, strict=True):
        assert_same(steady_server.complete(prompt, **fields), one)
    for prompts in (TEXTS, token_ids):
        together = steady_server.complete(prompts, **fields)
        assert [choice.index for choice in together.choices] == [0, 1, 2]
        expected = single[0].model_copy(update={"choices": [one.choices[0] for one in single]})
        assert_same(together, expected)
        assert together.usage is not None
        assert together.usage.prompt_tokens == sum(one.usage.prompt_tokens for one in single if one.usage)
        assert together.usage.completion_tokens == sum(one.usage.completion_tokens for one in single if one.usage)


def test_token_ids_are_taken_as_they_are(bundled_server: ServerUnderTest) -> None:
    assert arrays(bundled_server.score([0, 0, 5, 1]))[0][:2] == arrays(bundled_server.score([0]))[0] * 2
    completion = bundled_server.complete([5, 6, 7], echo=True, max_tokens=0)
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 3


def test_bos_is_parsed_and_never_doubled(steady_bos_server: ServerUnderTest, specials: Specials) -> None:
    bare, given_bos = steady_bos_server.score("Joo is"), steady_bos_server.score(f"{specials.bos}Joo is")
    tokens, token_logprobs, _, text_offset = arrays(given_bos)
    assert tokens[0] == specials.bos
    assert tokens[1:] == arrays(bare)[0]
    assert text_offset[1] == len(specials.bos)
    # The BOS that the server adds has no entry; with it or with the client's, the model sees the same.
    assert token_logprobs[2:] == pytest.approx(arrays(bare)[1][1:], abs=TOLERANCE)
    assert token_logprobs[1] is not None


def test_bos_goes_before_a_prompt_where_the_model_says_so(
    bundled_server: ServerUnderTest, no_bos_server: ServerUnderTest, specials: Specials
) -> None:
    for server, hidden in ((bundled_server, 1), (no_bos_server, 0)):
        for text in ("Joo is", f"Joo{specials.bos}is"):
            body = server.post({"prompt": text, "max_tokens": 0, "echo": True}).json()
            assert body["tokens_evaluated"] == body["usage"]["prompt_tokens"] + hidden
        tokens = arrays(server.score(f"{specials.bos}Joo{specials.eos}"))[0]
        assert (tokens[0], tokens[-1]) == specials


@pytest.mark.parametrize("prompt", ["", None], ids=["empty", "absent"])
@pytest.mark.parametrize("echo", [True, False])
def test_an_empty_prompt_begins_a_document(server: ServerUnderTest, prompt: str | None, echo: bool) -> None:
    completion = server.complete(prompt, echo=echo, max_tokens=3, logprobs=1)
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 0
    tokens, token_logprobs, _, text_offset = arrays(completion.choices[0])
    assert len(tokens) == completion.usage.completion_tokens > 0
    # All tokens are generated, after a token that the client did not send: each has a log-probability.
    assert None not in token_logprobs
    assert text_offset[0] == 0


def test_a_document_begins_with_bos_even_where_prompts_do_not(
    steady_server: ServerUnderTest, specials: Specials
) -> None:
    empty, begun = (steady_server.complete(prompt, max_tokens=3, logprobs=1) for prompt in ("", specials.bos))
    assert_same(empty, begun)


def test_an_empty_prompt_that_is_only_echoed_is_nothing(server: ServerUnderTest) -> None:
    choice = server.score("", logprobs=2)
    assert (choice.text, arrays(choice)) == ("", ([], [], [], []))


def test_a_prompt_may_fill_the_context_but_not_leave_room_for_nothing(server: ServerUnderTest) -> None:
    context = server.http.get("/v1/models").json()["data"][0]["max_model_len"]
    assert len(arrays(server.score([5] * context))[0]) == context
    assert len(arrays(server.score([5] * (context - 1), max_tokens=1))[0]) == context
    completion = server.complete([5] * (context - 3), max_tokens=100)
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 3 or completion.choices[0].finish_reason == "stop"
    refused = server.post({"prompt": [5] * context, "max_tokens": 1, "echo": True, "logprobs": 1})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_request_ids_are_all_different(server: ServerUnderTest) -> None:
    answers = [server.post({"prompt": "a", "max_tokens": 1}) for _ in range(3)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3
    assert len({answer.json()["id"] for answer in answers}) == 3
    assert all(re.fullmatch("cmpl-[0-9a-f]{24}", answer.json()["id"]) for answer in answers)
