"""How a request says which tokens to draw: every field changes what it is said to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from answers import ARRAYS, ask, ask_streaming, summed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BODY: dict[str, Any] = {"prompt": "The", "max_tokens": 12, "logprobs": 0, "return_token_ids": True}


def draw(server: ServerUnderTest, **fields: Any) -> list[list[int]]:
    """Token ids of each choice."""
    return [choice["token_ids"] for choice in ask(server, BODY | fields)["choices"]]


def draw_with_seeds(server: ServerUnderTest, **fields: Any) -> list[list[int]]:
    """Token ids for each of six seeds."""
    return draw(server, **{"n": 6, "seed": 100} | fields)


# Seeds and choices


@FEW
@given(seed=st.integers(-(2**63), 2**63 - 1), n=st.integers(2, 4), temperature=st.sampled_from([0.5, 1, 2]))
def test_choice_j_is_what_seed_plus_j_gives(
    steady_server: ServerUnderTest, seed: int, n: int, temperature: float
) -> None:
    body = BODY | {"seed": seed, "temperature": temperature}
    found = draw(steady_server, **body, n=n)
    if seed + n < 2**63:
        assert found == [draw(steady_server, **body | {"seed": seed + j})[0] for j in range(n)]
    events, _ = ask_streaming(steady_server, body | {"n": n})
    assert [choice["token_ids"] for choice in summed(events)] == found


def test_seeded_choices_differ_from_each_other_and_not_between_prompts(steady_server: ServerUnderTest) -> None:
    fields = {"n": 3, "seed": 42}
    both = draw(steady_server, prompt=["The", "Joo is"], **fields)
    assert len({*map(tuple, both[:3])}) == len({*map(tuple, both[3:])}) == 3
    assert draw(steady_server, prompt="Joo is", **fields) == both[3:]


def test_without_a_seed_choices_differ(server: ServerUnderTest) -> None:
    assert len({tuple(draw(server)[0]) for _ in range(4)}) > 1


def test_a_seed_that_was_not_given_is_reported(steady_server: ServerUnderTest) -> None:
    answer = ask(steady_server, BODY)
    seed = answer["generation_settings"]["seed"]
    assert draw(steady_server, seed=seed)[0] == answer["choices"][0]["token_ids"]


def test_greedy_choices_are_all_the_same(steady_server: ServerUnderTest) -> None:
    found = draw(steady_server, temperature=0, n=3, best_of=5)
    assert found == draw(steady_server, temperature=0) * 3


@pytest.mark.parametrize("logprobs", [None, 2])
def test_the_best_have_the_highest_mean_log_probability(ending: ServerUnderTest, logprobs: int | None) -> None:
    prompts = [[5, 6, 7], [40, 41]]  # after the first, some candidates end at once
    body = BODY | {"prompt": prompts, "seed": 9, "temperature": 1.5, "max_tokens": 6}
    everything = ask(ending, body | {"n": 8})["choices"]
    found = ask(ending, body | {"n": 3, "best_of": 8, "logprobs": logprobs})

    def mean(choice: dict[str, Any]) -> float:
        values: list[float] = choice["logprobs"]["token_logprobs"]
        return sum(values) / len(values)

    expected = [
        sorted(everything[begin : begin + 8], key=mean, reverse=True)[:3] for begin in range(0, len(everything), 8)
    ]
    assert [choice["token_ids"] for choice in found["choices"]] == [
        choice["token_ids"] for best in expected for choice in best
    ]
    assert [choice["index"] for choice in found["choices"]] == list(range(6))
    assert found["usage"]["completion_tokens"] == sum(len(choice["token_ids"]) for choice in found["choices"])
    for choice in found["choices"]:
        assert (choice["logprobs"] is None) == (logprobs is None)


# Fields that narrow the choice to one token, whatever the seed


@pytest.mark.parametrize(
    "field", [{"temperature": 0}, {"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1}, {"top_n_sigma": 1e-6}]
)
def test_only_the_likeliest_token_is_left(steady_server: ServerUnderTest, field: dict[str, Any]) -> None:
    greedy = draw(steady_server, temperature=0)[0]
    assert draw_with_seeds(steady_server) != [greedy] * 6
    assert draw_with_seeds(steady_server, **field) == [greedy] * 6


@pytest.mark.parametrize("name", ["typical_p", "typ_p"])
def test_only_the_most_typical_token_is_left(steady_server: ServerUnderTest, name: str) -> None:
    first, *others = draw_with_seeds(steady_server, **{name: 1e-6})
    assert others == [first] * 5


@pytest.mark.parametrize("field", [{"top_p": 1e-6}, {"min_p": 1}, {"typical_p": 1e-6}])
def test_min_keep_keeps_tokens_that_would_be_left_out(steady_server: ServerUnderTest, field: dict[str, Any]) -> None:
    assert len({*map(tuple, draw_with_seeds(steady_server, **field))}) == 1
    assert len({*map(tuple, draw_with_seeds(steady_server, **field, min_keep=1024))}) == 6


def test_neutral_values_change_nothing(steady_server: ServerUnderTest) -> None:
    neutral = {
        **{"temperature": 1, "top_p": 1, "top_k": -1, "min_p": 0, "typical_p": 1, "top_n_sigma": 0, "mirostat": 0},
        **{"xtc_probability": 0, "dynatemp_range": 0, "repeat_penalty": 1, "presence_penalty": 0, "logit_bias": {}},
        **{"frequency_penalty": 0, "dry_multiplier": 0, "min_keep": 0, "min_tokens": 0, "ignore_eos": False},
    }
    assert draw_with_seeds(steady_server, **neutral) == draw_with_seeds(steady_server)


CHANGED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"temperature": 1.5}),
    ({}, {"top_k": 3}),
    ({}, {"xtc_probability": 1, "xtc_threshold": 0.01}),
    ({"xtc_probability": 1, "xtc_threshold": 0.01}, {"xtc_threshold": 0.2}),
    ({"xtc_probability": 1, "xtc_threshold": 0.01}, {"xtc_probability": 0.2}),
    ({}, {"dynatemp_range": 1}),
    ({"dynatemp_range": 1}, {"dynatemp_exponent": 8}),
    ({}, {"mirostat": 1}),
    ({}, {"mirostat": 2}),
    ({"mirostat": 2}, {"mirostat_tau": 1}),
    ({"mirostat": 2, "mirostat_tau": 2}, {"mirostat_eta": 1}),
    ({}, {"presence_penalty": 2}),
    ({}, {"frequency_penalty": 2}),
    ({}, {"repeat_penalty": 5}),
    ({"repeat_penalty": 5}, {"repeat_last_n": 1}),
    ({"repeat_penalty": 5}, {"repeat_last_n": 0}),
    ({"frequency_penalty": -2}, {"frequency_penalty": 2}),
]


@pytest.mark.parametrize(("before", "change"), CHANGED, ids=lambda fields: ",".join(fields) or "neutral")
def test_a_field_changes_what_is_drawn(
    steady_server: ServerUnderTest, before: dict[str, Any], change: dict[str, Any]
) -> None:
    fields = {"prompt": "The ruler of Joo is the ruler of Joo", "max_tokens": 40, **before}
    assert draw_with_seeds(steady_server, **fields | change) != draw_with_seeds(steady_server, **fields)


def test_penalties_look_at_the_prompt_as_far_back_as_they_are_told(steady_server: ServerUnderTest) -> None:
    """Two tokens are likely, the first of them more so, and the prompt holds it."""
    fields: dict[str, Any] = {"temperature": 0, "max_tokens": 1, "logit_bias": {"10": 60, "11": 50}}
    for name, amount in (("repeat_penalty", 10), ("repetition_penalty", 10)):
        penalty = {name: amount, "prompt": [10, 5, 5, 5, 5, 5, 5, 5]}
        assert draw(steady_server, **fields | {"prompt": penalty["prompt"]}) == [[10]]
        assert draw(steady_server, **fields | penalty) == [[11]]
        assert draw(steady_server, **fields | penalty | {"repeat_last_n": 3}) == [[10]]
        assert draw(steady_server, **fields | penalty | {"repeat_last_n": -1}) == [[11]]


def test_dry_breaks_a_repetition(steady_server: ServerUnderTest) -> None:
    run = [40, 41, 42, 43, 44]
    fields: dict[str, Any] = {"prompt": run * 3 + run[:3], "temperature": 0, "max_tokens": 1, "logit_bias": {"43": 40}}
    assert draw(steady_server, **fields) == [[43]]
    dry = fields | {"dry_multiplier": 100}
    assert draw(steady_server, **dry) != [[43]]
    breaker = ask(steady_server, {"prompt": [42], "echo": True, "max_tokens": 0})["choices"][0]["text"]
    for change in (
        {"dry_allowed_length": 50},
        {"dry_penalty_last_n": 2},
        {"dry_sequence_breakers": [breaker]},
        {"dry_multiplier": 1, "dry_base": 1.0},
    ):
        assert draw(steady_server, **dry | change) == [[43]], change
    assert draw(steady_server, **dry | {"dry_multiplier": 1, "dry_base": 4.0}) != [[43]]


# Single tokens


def test_a_bias_forces_a_token(steady_server: ServerUnderTest) -> None:
    for biases in ({"77": 100}, {"77": 1e9}, [[77, 100]], [["77", 100.0]]):
        assert draw(steady_server, logit_bias=biases, temperature=0) == [[77] * 12]


def test_a_bias_bans_a_token(steady_server: ServerUnderTest) -> None:
    (greedy,) = draw(steady_server, temperature=0)
    for biases in ({str(greedy[0]): -100}, {str(greedy[0]): -1e300}, [[greedy[0], False]]):
        assert greedy[0] not in draw(steady_server, logit_bias=biases, temperature=0)[0]


@pytest.mark.parametrize("fields", [{"logit_bias": [[5, False]]}, {"ignore_eos": True}, {"top_n_sigma": 1}], ids=str)
def test_the_unlikeliest_token_is_one_that_can_come(steady_server: ServerUnderTest, fields: dict[str, Any]) -> None:
    drawn = draw_with_seeds(steady_server, **fields, xtc_probability=1, xtc_threshold=0)
    assert drawn == [drawn[0]] * 6
    assert 5 not in drawn[0] or "logit_bias" not in fields


def test_a_bias_does_not_show_in_log_probabilities(steady_server: ServerUnderTest) -> None:
    choice = ask(steady_server, BODY | {"logit_bias": {"77": 100}, "logprobs": 2, "temperature": 0})["choices"][0]
    for logprob, top in zip(*(choice["logprobs"][array] for array in ARRAYS[1:3]), strict=True):
        assert logprob < -1
        assert logprob < max(top.values()) < 0


@pytest.mark.parametrize("stream", [False, True])
def test_where_a_model_may_end(ending: ServerUnderTest, stream: bool) -> None:
    """After [5, 6, 7] the model ends, if it may."""

    def tokens(**fields: Any) -> list[int]:
        body = BODY | {"prompt": [5, 6, 7], "temperature": 0} | fields
        choices = summed(ask_streaming(ending, body)[0]) if stream else ask(ending, body)["choices"]
        found: list[int] = choices[0]["token_ids"]
        return found

    (end,) = tokens()
    assert len(tokens(min_tokens=5)) >= 5
    assert end not in tokens(min_tokens=5)[:5]
    assert len(tokens(ignore_eos=True)) == 12
    assert end not in tokens(ignore_eos=True)


@pytest.mark.parametrize(
    ("other", "name", "value"),
    [
        ("max_completion_tokens", "max_tokens", 3),
        ("n_predict", "max_tokens", 3),
        ("n_cmpl", "n", 2),
        ("n_probs", "logprobs", 3),
        ("repetition_penalty", "repeat_penalty", 3.5),
        ("typ_p", "typical_p", 0.3),
    ],
)
def test_other_names_of_fields(steady_server: ServerUnderTest, other: str, name: str, value: float) -> None:
    body = {"prompt": "The", "seed": 3, "max_tokens": 40}
    body.pop(name, None)
    plain, named, both = (
        ask(steady_server, body | fields)["choices"]
        for fields in ({name: value}, {other: value}, {name: value, other: value})
    )
    assert [choice["text"] for choice in plain] == [choice["text"] for choice in named]
    assert (plain[0]["logprobs"] is None) == (named[0]["logprobs"] is None)
    assert len(plain) == len(named) == len(both)
    assert ask(steady_server, body)["choices"] != plain
    refused = steady_server.post(body | {name: value, other: value + 1})
    assert (refused.status_code, f"'{other}' and '{name}'" in refused.json()["error"]["message"]) == (400, True)
