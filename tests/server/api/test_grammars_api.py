"""Grammars and JSON schemas: every answer follows them, and nobody can bring one unless the operator allows it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import openai
import pytest
from answers import PROMPT, ask, ask_streaming, error_of, summed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

FEW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NO_PART_OF_UTF8 = [[token, False] for token in (*range(96, 190), *range(223, 258))]
"""Bans bytes above 127: a random model writes some that are no UTF-8, and llama.cpp's grammars count them otherwise."""
OBJECT = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "city": {"enum": ["Oopolis", "Macoldam"]},
        "size": {"type": "integer"},
        "open": {"type": "boolean"},
    },
    "required": ["name", "city", "size", "open"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module", params=["bundled", "no_bos"])
def allowing(request: pytest.FixtureRequest, serve: Callable[..., ServerUnderTest]) -> ServerUnderTest:
    """Each of the two models, served by an operator who allows grammars."""
    return serve(request.getfixturevalue(request.param), "--allow-grammars")


ASKED: dict[str, dict[str, Any]] = {
    "grammar": {"grammar": 'root ::= "yes"'},
    "json_schema": {"json_schema": {"type": "boolean"}},
    "any JSON": {"json_schema": {}},
    "json_object": {"response_format": {"type": "json_object"}},
    "response_format": {"response_format": {"type": "json_schema", "json_schema": {"schema": OBJECT}}},
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("stream", [False, True])
def test_they_are_off_unless_the_operator_allows_them(server: ServerUnderTest, name: str, stream: bool) -> None:
    error = error_of(server.post({"prompt": "a", "stream": stream} | ASKED[name]))
    assert error["code"] == "unsupported_parameter"
    assert error["param"] in ASKED[name]
    assert "--allow-grammars" in error["message"]


def test_what_asks_for_nothing_is_always_allowed(steady_server: ServerUnderTest) -> None:
    body = {"prompt": "The", "max_tokens": 5, "temperature": 0}
    for nothing in ({"response_format": {"type": "text"}}, {"grammar": ""}, {"json_schema": None}):
        assert (
            ask(steady_server, body | nothing)["choices"][0]["text"] == ask(steady_server, body)["choices"][0]["text"]
        )


GRAMMARS = {
    r'root ::= "yes" | "no"': r"yes|no",
    r'root ::= ("ab" [0-9]){2,3} "."': r"(ab[0-9]){2,3}\.",
    r'root ::= item ("," item){0,4}' + "\n" + r'item ::= [a-f]{1,3} | "🙂"': r"([a-f]{1,3}|🙂)(,([a-f]{1,3}|🙂)){0,4}",
}


@pytest.mark.parametrize("grammar", GRAMMARS)
@MANY
@given(seed=st.integers(0, 10**6), temperature=st.sampled_from([0, 1, 2]), prompt=st.sampled_from(["", "The", PROMPT]))
def test_every_completion_follows_the_grammar(
    allowing: ServerUnderTest, grammar: str, seed: int, temperature: float, prompt: str
) -> None:
    body = {"prompt": prompt, "seed": seed, "temperature": temperature, "grammar": grammar, "n": 2, "max_tokens": 60}
    choices = ask(allowing, body)["choices"]
    for choice in choices:
        assert choice["finish_reason"] == "stop"
        assert re.fullmatch(GRAMMARS[grammar], choice["text"])
    streamed = summed(ask_streaming(allowing, body)[0])
    assert all(re.fullmatch(GRAMMARS[grammar], choice["text"]) for choice in streamed)


SCHEMAS: dict[str, dict[str, Any]] = {
    "object": OBJECT,
    "array": {"type": "array", "items": {"enum": [1, "a", "ä"]}, "minItems": 1, "maxItems": 4},
    "choice": {"anyOf": [{"type": "null"}, {"const": "none"}, {"type": "boolean"}]},
    "reference": {
        "$defs": {"leaf": {"type": "object", "properties": {"x": {"enum": [1, "two"]}}, "required": ["x"]}},
        "type": "object",
        "properties": {"left": {"$ref": "#/$defs/leaf"}, "right": {"$ref": "#/$defs/leaf"}},
        "required": ["left", "right"],
        "additionalProperties": False,
    },
}


@pytest.mark.parametrize("name", SCHEMAS)
@FEW
@given(seed=st.integers(0, 10**6), temperature=st.sampled_from([0, 1]), prompt=st.sampled_from(["", "The", PROMPT]))
def test_every_answer_is_valid_json_by_its_schema(
    allowing: ServerUnderTest, name: str, seed: int, temperature: float, prompt: str
) -> None:
    schema = SCHEMAS[name]
    body = {"prompt": prompt, "seed": seed, "temperature": temperature, "max_tokens": 400}
    body["logit_bias"] = NO_PART_OF_UTF8
    for asked in ({"response_format": wrapped(schema)}, {"json_schema": schema}):
        (choice,) = ask(allowing, body | asked)["choices"]
        assert choice["finish_reason"] == "stop"
        jsonschema_rs.validate(schema, json.loads(choice["text"]))


NOISE = st.dictionaries(
    st.sampled_from(["minimum", "minLength", "maxItems", "minProperties", "uniqueItems", "required", "not"]),
    st.sampled_from([0, 2, True, {"type": "null"}, ["a"], "words"]),
    max_size=1,
)
LEAVES = st.sampled_from(
    [
        {"type": "boolean"},
        {"type": ["boolean", "null"]},
        {"type": "integer"},
        {"type": "string", "maxLength": 3},
        {"type": "string", "minLength": 2, "maxLength": 2},
        {"type": "string", "pattern": "^[a-c]{2}$"},
        {"enum": ["a", 7, None]},
        {"const": {"a": [1]}},
    ]
)


def _nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["a", "b"])
    return st.one_of(
        st.builds(
            lambda one, n: {"type": "array", "items": one, "minItems": 1, "maxItems": n}, inner, st.integers(1, 2)
        ),
        st.builds(lambda several: {"prefixItems": several}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda several: {"anyOf": several}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(
            lambda parts, required: {"type": "object", "properties": parts, "required": required},
            st.dictionaries(names, inner, min_size=1),
            st.lists(names, unique=True),
        ),
    )


JSON_SCHEMAS = st.recursive(st.builds(lambda schema, noise: noise | schema, LEAVES, NOISE), _nested, max_leaves=4)


@MANY
@given(schema=st.builds(lambda schema, noise: noise | schema, JSON_SCHEMAS, NOISE), seed=st.integers(0, 99))
def test_a_schema_is_followed_or_refused(
    serve: Callable[..., ServerUnderTest], no_bos: Path, schema: dict[str, Any], seed: int
) -> None:
    server = serve(no_bos, "--allow-grammars")
    body = {"prompt": "", "seed": seed, "temperature": 0.5, "max_tokens": 300, "logit_bias": NO_PART_OF_UTF8}
    answer = server.post(body | {"json_schema": schema})
    if answer.status_code != 200:
        assert error_of(answer)["param"] == "json_schema"
    elif answer.json()["choices"][0]["finish_reason"] == "stop":
        jsonschema_rs.validate(schema, json.loads(answer.json()["choices"][0]["text"]))


@pytest.mark.parametrize("keyword", ["minimum", "uniqueItems", "not", "allOf", "patternProperties"])
def test_what_a_grammar_does_not_follow_is_refused_by_name(allowing: ServerUnderTest, keyword: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", keyword: 1}}}
    error = error_of(allowing.post({"prompt": "a", "response_format": wrapped(schema)}))
    assert (error["param"], error["code"]) == ("response_format", "unsupported_parameter")
    assert f"'{keyword}'" in error["message"]


def wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema as OpenAI's API takes it."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def test_a_json_object_is_one(allowing: ServerUnderTest) -> None:
    found = 0
    for seed in range(12):
        completion = allowing.complete(
            PROMPT, temperature=0.8, seed=seed, max_tokens=300, extra_body={"response_format": {"type": "json_object"}}
        )
        text = completion.choices[0].text
        assert text.lstrip().startswith("{")
        if completion.choices[0].finish_reason == "stop":
            assert isinstance(json.loads(text), dict)
            found += 1
    assert found


BAD: list[tuple[dict[str, Any], str]] = [
    ({"grammar": "root ::= nothing"}, "grammar"),
    ({"grammar": 'other ::= "a"'}, "grammar"),
    ({"grammar": "root ::= ("}, "grammar"),
    ({"grammar": 'root ::= root "a"'}, "grammar"),
    ({"grammar": "\0"}, "grammar"),
    ({"grammar": "a" * 70_000}, "grammar"),
    ({"json_schema": {"$ref": "#/nowhere"}}, "json_schema"),
    ({"json_schema": {"type": "no type"}}, "json_schema"),
    ({"json_schema": {"type": "string", "pattern": "no anchors ("}}, "json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": 3}}}}, "response_format"),
    ({"response_format": {"type": "json_schema"}}, "response_format"),
    ({"response_format": {"type": "json_schema", "json_schema": {"schema": True}}}, "response_format"),
    ({"response_format": {"type": "xml"}}, "response_format"),
    ({"response_format": {}}, "response_format"),
    ({"grammar": 'root ::= "a"', "json_schema": {}}, "grammar"),
    ({"grammar": 'root ::= "a"', "response_format": {"type": "json_object"}}, "grammar"),
    ({"json_schema": {}, "response_format": {"type": "json_object"}}, "grammar"),
]


@pytest.mark.parametrize(("fields", "param"), BAD, ids=lambda value: str(value)[:40])
def test_what_cannot_be_followed_is_refused(allowing: ServerUnderTest, fields: dict[str, Any], param: str) -> None:
    assert error_of(allowing.post({"prompt": "a", "max_tokens": 4} | fields))["param"] == param
    assert allowing.complete("a", max_tokens=1).choices


def test_deep_schemas_are_refused_and_the_server_goes_on(allowing: ServerUnderTest) -> None:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(150):
        schema = {"type": "array", "items": schema}
    answer = allowing.post({"prompt": "a", "max_tokens": 4, "json_schema": schema})
    if answer.status_code != 200:
        error_of(answer)
    assert allowing.complete("a", max_tokens=1).choices


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """What a schema could point to."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        found.setblocking(False)
        yield found


@pytest.mark.parametrize("scheme", ["http", "https", "file", "ftp", ""])
def test_a_reference_to_elsewhere_is_never_opened(
    allowing: ServerUnderTest, listener: socket.socket, scheme: str
) -> None:
    host, port = listener.getsockname()
    reference = {"$ref": f"{scheme}://{host}:{port}/schema.json#/definitions/a"}
    for schema in (reference, {"type": "object", "properties": {"a": reference}, "required": ["a"]}):
        with pytest.raises(openai.BadRequestError) as caught:
            allowing.complete("a", extra_body={"json_schema": schema})
        assert caught.value.param == "json_schema"
    with pytest.raises(BlockingIOError):
        listener.accept()
