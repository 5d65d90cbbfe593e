from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from openai.types import Completion, CompletionChoice

    from tests.conftest import ServerUnderTest, Specials
    from tests.server.conftest import RawLlama

TOLERANCE = 1e-3
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PROMPT = "Question: What is the capital of Susia?\nAnswer:"


def arrays(choice: CompletionChoice) -> tuple[list[str], list[float | None], list[Any], list[int]]:
    """The four parallel arrays."""
    found = choice.logprobs
    assert found is not None
    assert found.tokens is not None
    assert found.token_logprobs is not None
    assert found.top_logprobs is not None
    assert found.text_offset is not None
    assert len({*map(len, (found.tokens, found.token_logprobs, found.top_logprobs, found.text_offset))}) == 1
    return found.tokens, found.token_logprobs, found.top_logprobs, found.text_offset


def numbers(completion: Completion) -> list[list[float]]:
    """The log-probabilities of every choice, null as 0."""
    return [[logprob or 0 for logprob in arrays(choice)[1]] for choice in completion.choices]


def assert_same(found: Completion, expected: Completion) -> None:
    """Compare two answers but for what is new in each, and for rounding."""
    assert [choice.text for choice in found.choices] == [choice.text for choice in expected.choices]
    for ours, theirs in zip(numbers(found), numbers(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


# The arrays


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


# Prompts


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


def test_bos_is_parsed_and_never_doubled(bundled_server: ServerUnderTest, specials: Specials) -> None:
    bare, given_bos = bundled_server.score("Joo is"), bundled_server.score(f"{specials.bos}Joo is")
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


# Sampling


def test_seeded_choices_come_again_and_differ_from_each_other(steady_server: ServerUnderTest) -> None:
    server = steady_server
    fields = {"temperature": 1, "n": 3, "seed": 42, "max_tokens": 12, "logprobs": 0}
    first, second = (server.complete(["The", "Joo is"], **fields) for _ in range(2))
    texts = [choice.text for choice in first.choices]
    assert texts == [choice.text for choice in second.choices]
    assert [choice.index for choice in first.choices] == [0, 1, 2, 3, 4, 5]
    assert len(set(texts[:3])) == len(set(texts[3:])) == 3
    assert [choice.text for choice in server.complete("Joo is", **fields).choices] == texts[3:]
    assert server.complete("The", **fields | {"n": 1, "seed": 43}).choices[0].text == texts[1]
    usage, one = first.usage, server.complete(["The", "Joo is"], max_tokens=1).usage
    assert usage is not None
    assert one is not None
    assert usage.prompt_tokens == one.prompt_tokens  # counted once, whatever n is


def test_without_a_seed_choices_differ(server: ServerUnderTest) -> None:
    assert len({server.complete("The", temperature=1, max_tokens=12).choices[0].text for _ in range(4)}) > 1


def test_greedy_choices_are_all_the_same(steady_server: ServerUnderTest) -> None:
    choices = steady_server.complete("The", n=3, best_of=5, max_tokens=6).choices
    assert len(choices) == 3
    assert {choice.text for choice in choices} == {steady_server.complete("The", max_tokens=6).choices[0].text}


@pytest.mark.parametrize(("fields", "status"), [({"best_of": 2, "n": 2}, 200), ({"best_of": 3, "n": 2}, 400)])
def test_best_of_above_n_needs_temperature_0(server: ServerUnderTest, fields: dict[str, int], status: int) -> None:
    answer = server.post({"prompt": "The", "max_tokens": 1, "temperature": 0.5} | fields)
    assert answer.status_code == status
    assert status == 200 or answer.json()["error"]["param"] == "best_of"


# Where generation ends


def test_a_stop_string_cuts_text_and_arrays(steady_server: ServerUnderTest) -> None:
    server = steady_server
    free = server.complete(PROMPT, max_tokens=30, logprobs=0).choices[0]
    stop = free.text[len(free.text) // 2 :][:3]
    assert stop
    where = free.text.index(stop)
    for stops in (stop, [stop], ["never to be seen", stop, stop + "x"]):
        for echo in (False, True):
            completion = server.complete(PROMPT, max_tokens=30, logprobs=0, echo=echo, stop=stops)
            choice, extra = completion.choices[0], completion.model_extra
            assert choice.text == PROMPT * echo + free.text[:where]
            assert choice.finish_reason == "stop"
            tokens, *_, text_offset = arrays(choice)
            assert completion.usage is not None
            assert len(tokens) == echo * completion.usage.prompt_tokens + completion.usage.completion_tokens
            assert all(offset < len(PROMPT) + where for offset in text_offset)
            assert extra is not None
            assert (extra["stopped_word"], extra["stopping_word"], extra["stopped_limit"]) == (True, stop, False)


def test_a_stop_string_in_the_prompt_does_not_stop(server: ServerUnderTest) -> None:
    assert server.complete("Joo 77", stop=["77", "J"], echo=True, max_tokens=1).choices[0].text.startswith("Joo 77")


@pytest.fixture(scope="module")
def ending(
    make_llama: Callable[..., Path],
    server_type: type[ServerUnderTest],
    serve: Callable[..., ServerUnderTest],
    raw_llama: Callable[..., RawLlama],
    no_bos: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> ServerUnderTest:
    """A model that says after [5, 6, 7] that it has ended: the token it would generate means just that."""
    eos = int(raw_llama(no_bos, cache_type="f32").logprobs([5, 6, 7])[-1].argmax())
    return serve(make_llama(tmp_path_factory.mktemp("models") / "ending.gguf", eos=eos), *server_type.STEADY)


@pytest.mark.parametrize("max_tokens", [1, 5])
@pytest.mark.parametrize("echo", [True, False])
def test_the_token_that_ends_a_text_has_an_entry_and_no_text(
    ending: ServerUnderTest, max_tokens: int, echo: bool
) -> None:
    completion = ending.complete([5, 6, 7], max_tokens=max_tokens, logprobs=2, echo=echo)
    choice, prompt = completion.choices[0], ending.score([5, 6, 7])
    tokens, token_logprobs, _, text_offset = arrays(choice)
    assert len(tokens) == 3 * echo + 1
    assert token_logprobs[-1] is not None
    assert text_offset[-1] == len(prompt.text)
    assert choice.text == prompt.text * echo
    assert choice.finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 1
    assert completion.model_extra is not None
    assert (completion.model_extra["stopped_eos"], completion.model_extra["stopped_word"]) == (True, False)


def test_the_name_of_the_token_that_ends_a_text_is_no_stop_string(ending: ServerUnderTest) -> None:
    name = arrays(ending.complete([5, 6, 7], logprobs=0).choices[0])[0][-1]
    completion = ending.complete([5, 6, 7], logprobs=0, stop=[name])
    assert arrays(completion.choices[0])[0] == [name]
    assert completion.model_extra is not None
    assert (completion.model_extra["stopped_eos"], completion.model_extra["stopping_word"]) == (True, "")


# What clients send, and what they get


CLIENTS = {
    "helm scoring": {
        **{"prompt": PROMPT, "best_of": 1, "echo": True, "frequency_penalty": 0, "logprobs": 1, "max_tokens": 0},
        **{"n": 1, "presence_penalty": 0, "stop": None, "temperature": 0, "top_p": 1},
    },
    "helm generation": {
        **{"prompt": PROMPT, "best_of": 5, "echo": False, "frequency_penalty": 0, "logprobs": 5, "max_tokens": 5},
        **{"n": 1, "presence_penalty": 0, "stop": None, "temperature": 0.0, "top_p": 1},
    },
    "lm-eval": {
        **{"prompt": [[81, 117, 101]], "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True}
    },
    "lm-eval until": {"prompt": PROMPT, "max_tokens": 8, "temperature": 0.0, "stop": ["\n"], "seed": 1234},
    "lm-eval gguf": {"prompt": PROMPT, "logprobs": 10, "temperature": 0.0, "max_tokens": 1, "echo": True},
    "LangChain": {
        **{"prompt": [PROMPT], "temperature": 0.7, "top_p": 1, "frequency_penalty": 0, "presence_penalty": 0, "n": 1},
        **{"seed": None, "logprobs": None, "max_tokens": 25, "logit_bias": {}},
    },
    "promptfoo": {
        **{"prompt": PROMPT, "max_tokens": 24, "temperature": 0, "top_p": 1, "presence_penalty": 0, "best_of": 1},
        **{"frequency_penalty": 0, "stop": ["<|im_end|>", "<|endoftext|>"]},
    },
    "neutral values": {
        **{
            "prompt": PROMPT,
            "suffix": "",
            "stream": False,
            "top_k": -1,
            "min_p": 0,
            "typical_p": 1,
            "ignore_eos": False,
        },
        **{"repetition_penalty": 1, "response_format": {"type": "text"}, "add_special_tokens": True, "grammar": ""},
        **{"repeat_penalty": 1, "typ_p": 1, "top_n_sigma": -1, "xtc_probability": 0, "mirostat": 0, "lora": []},
        **{"user": "someone", "an unknown field": {"of": ["any", "kind"]}, "min_tokens": 0, "prompt_logprobs": None},
    },
    "nothing": {},
}


@pytest.mark.parametrize("name", CLIENTS)
def test_real_clients_are_understood(server: ServerUnderTest, name: str) -> None:
    answer = server.post(CLIENTS[name] | {"model": server.id})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-request-id"].startswith("req-")
    body = answer.json()
    assert body["id"].startswith("cmpl-")
    assert (body["object"], body["model"]) == ("text_completion", server.id)
    assert body["created"] > 1e9
    assert body["system_fingerprint"].startswith("llama-cpp-python-")
    (choice,) = body["choices"]
    assert choice.keys() == {"index", "text", "finish_reason", "logprobs"}


def test_by_default_sixteen_tokens_are_sampled(server: ServerUnderTest) -> None:
    settings = server.post({"prompt": "The"}).json()["generation_settings"]
    assert (settings["max_tokens"], settings["temperature"], settings["top_p"]) == (16, 1, 1)


COUNTS = {"tokens_predicted", "tokens_evaluated", "tokens_cached", "id_slot"}
FLAGS = {"has_new_line", "truncated", "stopped_eos", "stopped_word", "stopped_limit"}
RATES = {f"{part}_{what}" for part in ("prompt", "predicted") for what in ("n", "ms", "per_token_ms", "per_second")}


def assert_extended(fields: dict[str, Any]) -> None:
    """llama.cpp's own fields are there and make sense together."""
    assert all(isinstance(fields[name], int) and fields[name] >= 0 for name in COUNTS)
    assert all(isinstance(fields[name], bool) for name in FLAGS)
    assert [fields[name] for name in ("stopped_eos", "stopped_word", "stopped_limit")].count(True) == 1
    assert fields["timings"].keys() == RATES | {"cache_n"}
    timings = fields["timings"]
    assert timings["predicted_n"] == fields["tokens_predicted"]
    assert timings["prompt_n"] + timings["cache_n"] == fields["tokens_evaluated"]
    for part in ("prompt", "predicted"):
        n, milliseconds = timings[f"{part}_n"], timings[f"{part}_ms"]
        assert timings[f"{part}_per_token_ms"] * n == pytest.approx(milliseconds if n else 0)
        assert timings[f"{part}_per_second"] * milliseconds == pytest.approx(1000 * n)


def test_llama_cpp_fields_of_one_choice_stand_at_the_top(server: ServerUnderTest) -> None:
    body = server.post({"prompt": PROMPT, "max_tokens": 4, "temperature": 0, "seed": 5, "logprobs": 2}).json()
    assert_extended(body)
    assert body["generation_settings"]["seed"] == 5
    assert body["generation_settings"]["n_probs"] == 2
    assert body["tokens_predicted"] == body["usage"]["completion_tokens"]
    assert body["has_new_line"] == ("\n" in body["choices"][0]["text"])


def test_llama_cpp_fields_of_several_choices_stand_in_each(server: ServerUnderTest) -> None:
    body = server.post({"prompt": ["a", "b"], "max_tokens": 4, "n": 2, "temperature": 1, "seed": 5}).json()
    assert "timings" not in body
    for choice in body["choices"]:
        assert_extended(choice)
    assert [choice["generation_settings"]["seed"] for choice in body["choices"]] == [5, 6, 5, 6]


def test_many_threads_get_what_one_gets(steady_server: ServerUnderTest) -> None:
    common = PROMPT * 3
    requests: list[dict[str, Any]] = [
        *({"prompt": f"{common} {i}", "echo": True, "max_tokens": 0, "logprobs": i % 4} for i in range(12)),
        *({"prompt": f"{i} {PROMPT}", "max_tokens": 8, "logprobs": 0} for i in range(12)),
        *({"prompt": [f"{i}", common], "max_tokens": i, "logprobs": 2, "echo": True} for i in range(8)),
        *({"prompt": "The", "temperature": 1, "seed": i, "max_tokens": 9, "logprobs": 0} for i in range(8)),
    ]
    in_turn = [steady_server.complete(**request) for request in requests]
    with ThreadPoolExecutor(16) as pool:
        at_once = list(pool.map(lambda request: steady_server.complete(**request), requests))
    for found, expected in zip(at_once, in_turn, strict=True):
        assert_same(found, expected)


def test_request_ids_are_all_different(server: ServerUnderTest) -> None:
    answers = [server.post({"prompt": "a", "max_tokens": 1}) for _ in range(3)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3
    assert len({answer.json()["id"] for answer in answers}) == 3
    assert all(re.fullmatch("cmpl-[0-9a-f]{24}", answer.json()["id"]) for answer in answers)
