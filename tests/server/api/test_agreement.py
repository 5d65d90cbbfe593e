"""The same question asked in another way, or at another time, has the same answer."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from answers import ARRAYS, PROMPT, TOLERANCE, arrays, ask, assert_close, assert_same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NOISE = {"steady_server": TOLERANCE, "steady_bos_server": TOLERANCE, "bundled_server": 0.25}
"""How far results may be off that were computed beside others; with F16 weights and caches that is far more."""

TEXTS = st.sampled_from(["The", PROMPT, "a 🙂 b", "🙂👩‍👧", ""]) | st.text(max_size=20)
IDS = st.lists(st.integers(0, 1023), min_size=1, max_size=12)
PROMPTS = TEXTS | IDS | st.lists(TEXTS, min_size=1, max_size=4) | st.lists(IDS, min_size=1, max_size=4)
FIELDS = st.fixed_dictionaries(
    {"max_tokens": st.integers(1, 8), "seed": st.integers(0, 99), "logprobs": st.sampled_from([0, 1, 5])},
    optional={
        "n": st.integers(1, 3),
        "echo": st.booleans(),
        "temperature": st.sampled_from([0, 0.7]),
        "stop": st.lists(st.sampled_from(["a", "e ", " ", "th"]), max_size=2),
    },
)
_salts = itertools.count()


def salt() -> dict[str, str]:
    """Begin with an empty cache."""
    return {"cache_salt": f"test {next(_salts)}"}


@MANY
@given(prompt=PROMPTS, fields=FIELDS)
def test_the_arrays_count_what_usage_counts(server: ServerUnderTest, prompt: Any, fields: dict[str, Any]) -> None:
    answer = ask(server, {"prompt": prompt} | fields)
    usage, n, echo = answer["usage"], fields.get("n", 1), fields.get("echo", False)
    several = isinstance(prompt, list) and not isinstance(prompt[0], int)
    assert [choice["index"] for choice in answer["choices"]] == list(range(n * (len(prompt) if several else 1)))
    entries = 0
    for choice in answer["choices"]:
        (length,) = {len(choice["logprobs"][array]) for array in ARRAYS}
        entries += length
    assert entries == echo * n * usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("name", NOISE)
@MANY
@given(a=IDS, b=IDS, fields=st.sampled_from([{"max_tokens": 0}, {"max_tokens": 1}, {"max_tokens": 0, "logprobs": 5}]))
def test_a_prompt_is_scored_alike_when_its_beginning_is_known(
    request: pytest.FixtureRequest, name: str, a: list[int], b: list[int], fields: dict[str, Any]
) -> None:
    server: ServerUnderTest = request.getfixturevalue(name)
    fresh, warm = salt(), salt()
    at_once = server.score([*a, *b], **fields, extra_body=fresh)
    server.score(a, **fields, extra_body=warm)
    in_turn = server.score([*a, *b], **fields, extra_body=warm)
    n = len(a) + len(b)
    assert arrays(in_turn)[0][:n] == arrays(at_once)[0][:n]
    for ours, theirs in zip(arrays(in_turn)[1][:n], arrays(at_once)[1][:n], strict=True):
        assert (ours is None) == (theirs is None)
        assert abs((ours or 0) - (theirs or 0)) <= NOISE[name]


@MANY
@given(prompt=PROMPTS, logprobs=st.sampled_from([0, 5]))
def test_a_prompt_scored_twice_has_the_same_bits(server: ServerUnderTest, prompt: Any, logprobs: int) -> None:
    body = {"prompt": prompt, "echo": True, "max_tokens": 0, "logprobs": logprobs}
    first, second = (ask(server, body) for _ in range(2))
    assert [choice["logprobs"] for choice in first["choices"]] == [choice["logprobs"] for choice in second["choices"]]


@MANY
@given(prompt=PROMPTS, fields=FIELDS)
def test_every_request_has_the_same_answer_twice(steady: ServerUnderTest, prompt: Any, fields: dict[str, Any]) -> None:
    first, second = (ask(steady, {"prompt": prompt} | fields) for _ in range(2))
    assert [choice["text"] for choice in first["choices"]] == [choice["text"] for choice in second["choices"]]
    for ours, theirs in zip(first["choices"], second["choices"], strict=True):
        assert_close(ours["logprobs"], theirs["logprobs"])


@MANY
@given(prompts=st.lists(TEXTS, min_size=2, max_size=6) | st.lists(IDS, min_size=2, max_size=6), fields=FIELDS)
def test_a_list_of_prompts_agrees_with_single_ones(
    steady: ServerUnderTest, prompts: list[Any], fields: dict[str, Any]
) -> None:
    together = ask(steady, {"prompt": prompts} | fields)
    single = [ask(steady, {"prompt": prompt} | fields) for prompt in prompts]
    choices = [choice for one in single for choice in one["choices"]]
    for ours, theirs in zip(together["choices"], choices, strict=True):
        assert ours["text"] == theirs["text"]
        assert ours["finish_reason"] == theirs["finish_reason"]
        assert_close(ours["logprobs"], theirs["logprobs"])
    for count in ("prompt_tokens", "completion_tokens"):
        assert together["usage"][count] == sum(one["usage"][count] for one in single)


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


def test_a_long_prompt_scored_in_parts_agrees_with_one_that_was_not(steady_server: ServerUnderTest) -> None:
    long = np.random.default_rng(0).integers(0, 1024, 700).tolist()  # more than one batch
    at_once = arrays(steady_server.score(long, extra_body=salt()))[1][1:]
    parts = salt()
    for end in range(50, 701, 50):
        in_parts = arrays(steady_server.score(long[:end], extra_body=parts))[1][1:]
    np.testing.assert_allclose(np.array(in_parts, float), np.array(at_once, float), rtol=0, atol=TOLERANCE)
