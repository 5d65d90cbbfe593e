from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from engine_parts import job, run, scheduling
from hypothesis import given, settings
from hypothesis import strategies as st

from server.engine.grammar import MAX_NESTING, BadGrammar, read_grammar
from server.engine.llama import Model
from server.engine.sampler import NothingAllowed, make_sampler
from server.engine.sampling import Sampling
from server.engine.ticket import SequenceFailed

LANGUAGES = {
    'root ::= "yes" | "no"': "yes|no",
    "root ::= [0-9]{1,6}": "[0-9]{1,6}",
    'root ::= [0-9]{2} "-" [a-f]+ "!"?': "[0-9]{2}-[a-f]+!?",
    'root ::= word (" " word){0,3} "."\nword ::= [a-z]{1,5}': r"[a-z]{1,5}( [a-z]{1,5}){0,3}\.",
    'root ::= "(" root? ")"': r"\(+\)+",
    'root ::= [ !#-Z^-~]{3} # no "quote"': r"[ !#-Z^-~]{3}",
}
"""Grammars, and a regular expression that matches all that they do."""


def completed(model: Model, parameters: Sampling, seed: int, limit: int = 60) -> str | None:
    """A text drawn from random logits until the model may end, which it wants to; None if that takes too long."""
    rng = np.random.default_rng(seed)
    sampler = make_sampler(model, parameters, np.empty(0, np.int32))
    pieces = []
    try:
        for _ in range(limit):
            row = rng.normal(0, 3, model.n_vocab).astype(np.float32)
            row[model.end_tokens] = 12
            token = sampler.sample(row)
            if model.ends_generation(token):
                return b"".join(pieces).decode(errors="replace")
            pieces.append(model.piece(token))
    finally:
        sampler.close()
    return None


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(LANGUAGES)), st.integers(0, 2**31), st.sampled_from([0.0, 1.0, 2.0]), st.booleans())
def test_every_completion_matches_its_grammar(
    world: Model, grammar: str, seed: int, temperature: float, narrow: bool
) -> None:
    others = {"top_k": 3, "presence_penalty": 1.0} if narrow else {}
    text = completed(world, Sampling(temperature=temperature, seed=seed, grammar=grammar, **others), seed)
    assert text is not None
    assert re.fullmatch(LANGUAGES[grammar], text)


@pytest.mark.parametrize("grammar", LANGUAGES)
def test_so_does_every_completion_of_a_model(grammar: str, world: Model) -> None:
    with scheduling(world) as scheduler:
        free = job(5, 6, 7, max_tokens=12, temperature=1.0)
        asked = [
            job(5, 6, 7, max_tokens=60, k=None, temperature=1.0, seed=seed, grammar=grammar, logit_bias=((1, 9.0),))
            for seed in range(6)
        ]
        alone = run(scheduler, free)
        *results, beside = run(scheduler, *asked, free)
    for result in results:
        text = b"".join(world.piece(token) for token in result.completion if not world.ends_generation(token)).decode()
        assert result.finish_reason == "stop"
        assert re.fullmatch(LANGUAGES[grammar], text)
    assert beside.completion == alone[0].completion


SCHEMAS: list[tuple[dict[str, Any], Callable[[Any], bool]]] = [
    ({"type": "boolean"}, lambda value: isinstance(value, bool)),
    ({"enum": ["red", 7, None]}, lambda value: value in ("red", 7, None)),
    (
        {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
        lambda value: 1 <= len(value) <= 3 and all(isinstance(item, int) for item in value),
    ),
    (
        {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 5}, "ok": {"type": "boolean"}},
            "required": ["name", "ok"],
            "additionalProperties": False,
        },
        lambda value: sorted(value) == ["name", "ok"] and len(value["name"]) <= 5 and isinstance(value["ok"], bool),
    ),
    (
        {"$ref": "#/$defs/pair", "$defs": {"pair": {"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}}},
        lambda value: value == [1, 2],
    ),
]


@pytest.mark.parametrize(("schema", "holds"), SCHEMAS, ids=[json.dumps(schema) for schema, _ in SCHEMAS])
def test_every_completion_under_a_json_schema_is_such_json(
    schema: dict[str, Any], holds: Callable[[Any], bool], world: Model
) -> None:
    grammar = read_grammar(world, "", schema)
    for seed in range(5):
        text = completed(world, Sampling(seed=seed, grammar=grammar), seed, limit=400)
        assert text is not None
        assert holds(json.loads(text))


def test_any_json_object_is_one(world: Model) -> None:
    grammar = read_grammar(world, "", {"type": "object"})
    texts = [completed(world, Sampling(seed=seed, grammar=grammar), seed, limit=300) for seed in range(10)]
    values = [json.loads(text) for text in texts if text is not None]
    assert values
    assert all(isinstance(value, dict) for value in values)


def test_a_string_of_json_has_no_control_characters(world: Model) -> None:
    """Other than by an escape: what a model likes best to begin with here is a line break."""
    sampler = make_sampler(world, Sampling(grammar=read_grammar(world, "", {"type": "string"})), np.empty(0, np.int32))
    row = np.zeros(world.n_vocab, np.float32)
    row[world.tokenize("\n")] = 50
    assert world.piece(sampler.sample(row)) == b'"'
    for _ in range(20):
        assert b"\n" not in world.piece(sampler.sample(row))
    sampler.close()


def test_no_grammar_is_none(world: Model) -> None:
    assert read_grammar(world, "", None) == ""
    assert read_grammar(world, 'root ::= "a"', None) == 'root ::= "a"'


BAD = {
    "no rule": "what is this",
    "no root": 'rule ::= "a"',
    "no such rule": "root ::= rule",
    "left recursion": 'root ::= root "a"',
    "indirect left recursion": "root ::= a\na ::= b\nb ::= a | [0-9]",
    "unclosed parenthesis": 'root ::= ("a"',
    "unclosed string": 'root ::= "a',
    "unclosed class": "root ::= [a-z",
    "unknown escape": r'root ::= "\q"',
    "nothing to repeat": "root ::= *",
    "repeated too often": 'root ::= "a"{99999999}',
    "repeated beyond any number": f'root ::= "a"{{1,{"9" * 5000}}}' + "(",
    "text after a NUL": 'root ::= "a"\0 and this',
    "limits the wrong way round": 'root ::= "a"{3,1}',
    "limits the wrong way round, spaced out": 'root ::= "a"{ 0003 #more\n, 1 }',
    "deep": f"root ::= {'(' * 30_000}{')' * 30_000}",
    "deep after a quote in a class": f'root ::= [^"] {"(" * 30_000}"a"{")" * 30_000}',
    "deep after a quote in a comment": f'root ::= #"\n{"(" * 30_000}"a"{")" * 30_000} #"',
    "unclosed and deep": f'root ::= " {"(" * 30_000}',
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_grammar_is_refused(name: str, world: Model) -> None:
    with pytest.raises(BadGrammar):
        read_grammar(world, BAD[name], None)


@pytest.mark.parametrize(
    "grammar",
    [
        'root ::= "{3,1}"',
        r'root ::= "\"{3,1}"',
        "root ::= [{3,1}]",
        'root ::= "a" # {3,1}',
        'root ::= "a"{1,1}',
        'root ::= "a"{0,2}',
        f'root ::= {"(" * MAX_NESTING}"a"{")" * MAX_NESTING}',
        f'root ::= "{"(" * 5000}"',
        "root ::= " + '("a")' * 5000,
    ],
    ids=lambda grammar: grammar[:30],
)
def test_what_only_looks_bad_is_not(grammar: str, world: Model) -> None:
    assert read_grammar(world, grammar, None) == grammar


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "https://example.com/schema.json"},
        {"type": "string", "pattern": "not anchored"},
        {"type": 5},
        {"allOf": 3},
    ],
    ids=json.dumps,
)
def test_a_schema_that_cannot_be_followed_is_refused(schema: dict[str, Any], world: Model) -> None:
    with pytest.raises(BadGrammar):
        read_grammar(world, "", schema)


def test_a_schema_deeper_than_python_goes_is_refused(world: Model) -> None:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(5000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(BadGrammar):
        read_grammar(world, "", schema)


def test_a_grammar_that_leaves_no_token_fails(world: Model) -> None:
    parameters = Sampling(grammar='root ::= "a"', ignore_eos=True)
    sampler = make_sampler(world, parameters, np.empty(0, np.int32))
    row = np.zeros(world.n_vocab, np.float32)
    assert world.piece(sampler.sample(row)) == b"a"
    for _ in range(2):  # and does not crash when asked again
        with pytest.raises(NothingAllowed, match="allow no token"):
            sampler.sample(row)
    sampler.close()


def test_a_grammar_that_leaves_no_token_fails_its_job_alone(world: Model) -> None:
    free = [job(5, 6, 7, max_tokens=12, k=2), job(5, 6, 8, max_tokens=12, temperature=1.0)]
    stuck = job(5, 6, 9, max_tokens=12, grammar='root ::= "a"', ignore_eos=True)
    bad = job(5, 6, 9, max_tokens=12, grammar="root ::= nothing")
    with scheduling(world) as scheduler:
        expected = [run(scheduler, each)[0].completion for each in free]
        for _ in range(2):
            tickets = scheduler.submit([free[0], stuck, bad, free[1]])
            with pytest.raises(SequenceFailed, match="the grammar or the biases allow no token here"):
                tickets[1].future.result(60)
            with pytest.raises(SequenceFailed, match="does not understand the grammar"):
                tickets[2].future.result(60)
            assert [tickets[i].future.result(60).completion for i in (0, 3)] == expected
        assert scheduler.snapshot().result(60).running == 0
