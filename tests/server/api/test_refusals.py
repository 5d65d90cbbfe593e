"""What the server refuses: always with OpenAI's error object, never with FastAPI's 422."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from answers import error_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from server.protocol.sampling import UNSUPPORTED

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


NOT_HONOURED: dict[str, Any] = {
    "adaptive_target": 0.5,
    "allowed_token_ids": [1],
    "backend_sampling": True,
    "bad_words": ["a"],
    "dynamic_temperature": True,
    "grammar_lazy": True,
    "guided_choice": ["a", "b"],
    "guided_grammar": 'root ::= "a"',
    "guided_json": {},
    "guided_regex": "a+",
    "id_slot": 3,
    "image_data": [{"id": 1}],
    "include_stop_str_in_output": True,
    "length_penalty": 2,
    "logits_processors": ["a"],
    "logprob_token_ids": [1],
    "lora": [{"id": 0, "scale": 1}],
    "n_cache_reuse": 256,
    "n_discard": 5,
    "n_indent": 2,
    "n_keep": -1,
    "post_sampling_probs": True,
    "response_fields": ["content"],
    "return_progress": True,
    "samplers": ["top_k"],
    "skip_special_tokens": "no",
    "stop_token_ids": [2],
    "structured_outputs": {"json": {}},
    "t_max_predict_ms": 100,
    "timings_per_token": True,
    "use_beam_search": True,
}


def test_the_list_is_whole() -> None:
    assert NOT_HONOURED.keys() == UNSUPPORTED.keys()


@pytest.mark.parametrize("field", NOT_HONOURED)
def test_a_known_field_that_is_not_honoured_is_refused(bundled_server: ServerUnderTest, field: str) -> None:
    error = error_of(bundled_server.post({"prompt": "a", "max_tokens": 1, field: NOT_HONOURED[field]}))
    assert (error["param"], error["code"]) == (field, "unsupported_parameter")
    assert f"'{field}'" in error["message"]


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
NO_STRINGS = st.none() | st.booleans() | NUMBERS | st.dictionaries(st.text(max_size=2), st.none(), max_size=1)
ANYTHING = NO_STRINGS | st.text(max_size=3) | st.lists(st.none() | st.integers(), max_size=2)


def integers_outside(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(max_value=low - 1) | st.integers(min_value=high + 1)


def anything_but(*allowed: type) -> st.SearchStrategy[Any]:
    """JSON of other types than these; ``null`` means that a field is absent."""
    return ANYTHING.filter(lambda value: value is not None and type(value) not in allowed)


def numbers_outside(low: float, high: float) -> st.SearchStrategy[Any]:
    outside = st.floats(max_value=low, exclude_max=True) | st.floats(min_value=high, exclude_min=True)
    return outside | st.just(10**400) | anything_but(int, float)


BAD = {
    "model": anything_but(str),
    "prompt": st.sampled_from([[], [[]], ["a", []], [[1], []], [1, "a"], ["a", 1], [1, -1], [[1], [-1]], [True], [1.0]])
    | anything_but(str, list),
    "max_tokens": st.integers(max_value=-1) | anything_but(int),
    "temperature": st.floats(max_value=-1e-9) | st.floats(min_value=2.001) | anything_but(int, float),
    "top_p": st.floats(max_value=0) | st.floats(min_value=1.001) | anything_but(int, float),
    "n": integers_outside(1, 128) | anything_but(int),
    "best_of": integers_outside(1, 128) | anything_but(int),
    "logprobs": integers_outside(0, 20) | anything_but(int),
    "echo": anything_but(bool),
    "stop": st.sampled_from(["", [""], ["a", ""], ["a"] * 17, "a" * 1001, [1], [None], ["a", ["b"]]])
    | anything_but(str, list),
    "seed": integers_outside(-(2**63), 2**63 - 1) | anything_but(int),
    "user": anything_but(str),
    "suffix": anything_but(str),
    "stream": anything_but(bool),
    "stream_options": anything_but(dict),
    "prompt_logprobs": integers_outside(0, 20) | anything_but(int),
    "logprob_start_len": st.integers(max_value=-2) | anything_but(int),
    "logprob_start_offset": st.integers(max_value=-1) | anything_but(int),
    "truncate_prompt_tokens": st.integers(max_value=-2) | anything_but(int),
    "min_tokens": st.integers(max_value=-1) | anything_but(int),
    "presence_penalty": numbers_outside(-2, 2),
    "frequency_penalty": numbers_outside(-2, 2),
    "repeat_penalty": numbers_outside(0.01, 10),
    "repeat_last_n": integers_outside(-1, 1 << 20) | anything_but(int),
    "top_k": integers_outside(-1, 2**31 - 1) | anything_but(int),
    "min_p": numbers_outside(0, 1),
    "typical_p": st.just(0.0) | numbers_outside(0, 1),
    "top_n_sigma": numbers_outside(-1, 100),
    "xtc_probability": numbers_outside(0, 1),
    "xtc_threshold": numbers_outside(0, 1),
    "dynatemp_range": numbers_outside(0, 2),
    "dynatemp_exponent": numbers_outside(0, 10),
    "mirostat": integers_outside(0, 2) | anything_but(int),
    "mirostat_tau": numbers_outside(0, 100),
    "mirostat_eta": numbers_outside(0, 1),
    "dry_multiplier": numbers_outside(0, 100),
    "dry_base": numbers_outside(1, 100),
    "dry_allowed_length": integers_outside(0, 1 << 20) | anything_but(int),
    "dry_penalty_last_n": integers_outside(-1, 1 << 20) | anything_but(int),
    "dry_sequence_breakers": st.sampled_from([[""], ["a" * 41], ["a"] * 17, [1], [None]]) | anything_but(list),
    "min_keep": integers_outside(0, 1 << 20) | anything_but(int),
    "logit_bias": st.sampled_from(
        [
            *({"a": 1}, {"-1": 1}, {"1.0": 1}, {"": 1}, {"1": "1"}, {"1": None}, {"1": True}, {"1024": 1}, "1", [1]),
            *([[1]], [[1, 1, 1]], [[-1, 1]], ["ab"], [{"1": 1}], [[1.5, 1]], {"9" * 5000: 1}, {"1": float("nan")}),
            {str(token): 1 for token in range(1025)},
        ]
    ),
    **{name: anything_but(bool) for name in ("ignore_eos", "cache_prompt", "return_token_ids", "return_tokens")},
    **{name: anything_but(bool) for name in ("return_tokens_as_token_ids", "add_special_tokens", "oai_compat")},
    "cache_salt": st.sampled_from(["", "a" * 257]) | anything_but(str),
    "grammar": anything_but(str),
    "json_schema": anything_but(dict),
    "response_format": anything_but(dict),
}


@pytest.mark.parametrize("field", BAD)
def test_a_bad_value_is_refused_by_name(bundled_server: ServerUnderTest, field: str) -> None:
    @MANY
    @given(BAD[field])
    def refused(value: Any) -> None:
        error = error_of(bundled_server.post({"prompt": "a", "max_tokens": 1} | {field: value}))
        assert error["param"] == field
        assert f"'{field}'" in error["message"]

    refused()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 30) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
BODIES = st.dictionaries(st.sampled_from([*BAD, *UNSUPPORTED, "other"]), JSON_VALUES, max_size=4) | JSON_VALUES


@MANY
@given(BODIES)
@example({"prompt": "\ud800"})
@example({"prompt": ["a", "\udfff"]})
@example({"model": "\ud800"})
@example({"stop": "\ud800"})
@example({"user": "\ud800"})
@example({"temperature": float("nan")})
@example({"presence_penalty": float("nan")})
@example({"seed": 10**30, "max_tokens": 10**30})
@example({"prompt": [10**30]})
@example({"prompt": "a", "logit_bias": {"5": 10**400, "6": -(10**400)}, "max_tokens": 1})
@example({"prompt": "a", "dry_multiplier": 1, "dry_sequence_breakers": ["\0", "a\0b", "🙂"], "max_tokens": 1})
@example({"prompt": "a", "n_probs": False, "n_predict": -1.0, "max_tokens": 1})
@example({"prompt": "a", "\ud800": "\ud800", "max_tokens": 1})
def test_any_body_gets_an_answer_or_a_reason(bundled_server: ServerUnderTest, body: Any) -> None:
    answer = bundled_server.post(body)
    if answer.status_code != 200:
        error_of(answer, 404 if answer.status_code == 404 else 400)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "JSON object"),
        (b"{", "not valid JSON"),
        (b'{"prompt": "a",}', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b'{"prompt": "\xff"}', "not valid JSON"),
        (b'{"max_tokens": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"[" * 30_000, "not valid JSON"),
        (b"[]", "JSON object"),
        (b"null", "JSON object"),
        (b'"prompt"', "JSON object"),
        (b"7", "JSON object"),
    ],
)
def test_a_body_that_is_no_object_is_refused(bundled_server: ServerUnderTest, content: bytes, message: str) -> None:
    headers = {"content-type": "application/json"}
    error = error_of(bundled_server.http.post("/v1/completions", content=content, headers=headers))
    assert message in error["message"]
    assert error["param"] is None


def test_a_body_that_does_not_say_it_is_json_is_refused(bundled_server: ServerUnderTest) -> None:
    error_of(bundled_server.http.post("/v1/completions", content=b'{"prompt": "a"}'))
    error_of(bundled_server.http.post("/v1/completions", data={"prompt": "a"}))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 0, "logprobs": 1}, "max_tokens"),
        ({"n": 3, "best_of": 2, "temperature": 0}, "best_of"),
        ({"prompt": ["a"] * 1025}, "prompt"),
        ({"prompt": [[5]] * 1025}, "prompt"),
    ],
)
def test_contradictions_are_refused(bundled_server: ServerUnderTest, fields: dict[str, Any], param: str) -> None:
    assert error_of(bundled_server.post({"prompt": "a"} | fields))["param"] == param


@pytest.mark.parametrize("prompt", [[5, 1024], [[5], [6, 99999]], [10**12]])
def test_a_token_of_no_model_is_refused(server: ServerUnderTest, prompt: list[Any]) -> None:
    error = error_of(server.post({"prompt": prompt}))
    assert error["param"] == "prompt"
    assert "this model's ids end at 1023" in error["message"]


@pytest.mark.parametrize("prompt", [[5] * 3000, "word " * 3000, ["short", "word " * 3000]], ids=["ids", "text", "list"])
@pytest.mark.parametrize("fields", [{}, {"echo": True, "max_tokens": 0, "logprobs": 1}], ids=["complete", "score"])
def test_a_prompt_beyond_the_context_is_refused(server: ServerUnderTest, prompt: Any, fields: dict[str, Any]) -> None:
    error = error_of(server.post({"prompt": prompt} | fields))
    assert (error["code"], error["param"]) == ("context_length_exceeded", "prompt")
    context = server.http.get("/v1/models").json()["data"][0]["max_model_len"]
    assert error["message"].startswith(f"This model's maximum context length is {context} tokens, but the prompt has ")


def test_another_model_is_not_found(server: ServerUnderTest) -> None:
    error = error_of(server.post({"model": "gpt-4", "prompt": "a"}), 404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert f"'{server.id}'" in error["message"]


def test_more_than_can_ever_wait_is_refused_for_good(bundled_server: ServerUnderTest) -> None:
    error = error_of(bundled_server.post({"prompt": ["a"] * 33, "n": 128, "max_tokens": 1}))
    assert error["param"] == "n"


def test_more_than_may_wait_is_refused_for_now(serve: Callable[..., ServerUnderTest], no_bos: Path) -> None:
    server = serve(no_bos, "--slots=1", "--max-waiting=4")
    few: dict[str, Any] = {"prompt": "a", "n": 4, "max_tokens": 1}
    long = few | {"max_tokens": 900, "ignore_eos": True, "stream": True}
    with server.http.stream("POST", "/v1/completions", json=long) as answer:
        chunks = answer.iter_raw()
        assert next(chunks)  # one is running, three are waiting
        refused = server.post(few)
        error = error_of(refused, 429)
        assert (error["type"], error["code"]) == ("rate_limit_error", "queue_full")
        assert int(refused.headers["retry-after"]) >= 1
        with pytest.raises(openai.RateLimitError):
            server.complete("a", n=4, max_tokens=1)
    statuses = iter(lambda: server.post(few).status_code, None)
    assert next(status for status in statuses if status != 429) == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1", 404),
        ("GET", "/docs", 404),
        ("POST", "/v1/audio/speech", 404),
        ("GET", "/v1/completions", 405),
        ("DELETE", "/v1/models", 405),
    ],
)
def test_other_routes_are_refused_alike(bundled_server: ServerUnderTest, method: str, path: str, status: int) -> None:
    error = error_of(bundled_server.http.request(method, path), status)
    assert "see docs/server.md" in error["message"]


def test_openais_client_understands_what_it_is_told(bundled_server: ServerUnderTest) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        bundled_server.complete("a", logprobs=21)
    assert (caught.value.param, caught.value.type, caught.value.code) == ("logprobs", "invalid_request_error", None)
    with pytest.raises(openai.NotFoundError) as not_found:
        bundled_server.complete("a", model="gpt-4")
    assert not_found.value.code == "model_not_found"


def test_a_text_that_cannot_fit_is_refused_before_it_is_tokenized(bundled_server: ServerUnderTest) -> None:
    error = error_of(bundled_server.post({"prompt": "a" * (20 << 20)}))
    assert (error["code"], error["param"]) == ("context_length_exceeded", "prompt")
    assert "at least" in error["message"]


def test_an_answer_without_end_is_refused(bundled_server: ServerUnderTest) -> None:
    prompts = [[5] * 1000] * 500
    error = error_of(bundled_server.post({"prompt": prompts, "echo": True, "max_tokens": 0, "logprobs": 20}))
    assert error["param"] == "logprobs"
    assert "fewer prompts" in error["message"]


JSON = {"content-type": "application/json"}


def test_a_refusal_that_quotes_half_a_surrogate_pair_can_be_written(bundled_server: ServerUnderTest) -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "\ud800"}]}]}
    answer = bundled_server.http.post("/v1/chat/completions", content=json.dumps(body).encode(), headers=JSON)
    assert error_of(answer)["param"] == "messages"


def test_messages_are_no_prompt(bundled_server: ServerUnderTest) -> None:
    error = error_of(bundled_server.post({"messages": [{"role": "user", "content": "a"}]}))
    assert (error["param"], error["code"]) == ("messages", "unsupported_parameter")


def test_a_query_is_refused_by_name(bundled_server: ServerUnderTest) -> None:
    assert error_of(bundled_server.http.get("/slots?fail_on_no_slot=x"))["param"] == "fail_on_no_slot"
