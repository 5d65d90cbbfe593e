"""Fields that OpenAI does not have: vLLM's, SGLang's and llama.cpp's, of prompts, tokens and the cache."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from answers import PROMPT, ask, ask_streaming, error_of, summed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest, Specials

MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SCORE: dict[str, Any] = {"prompt": PROMPT, "echo": True, "max_tokens": 0, "logprobs": 3}
_fresh = itertools.count()


def fresh() -> str:
    """A prompt that nothing else begins like."""
    return f"{next(_fresh)} of those that were never asked before this: "


def one(server: ServerUnderTest, **fields: Any) -> dict[str, Any]:
    """The choice of an answer that has one."""
    (choice,) = ask(server, fields)["choices"]
    found: dict[str, Any] = choice
    return found


# prompt_logprobs


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("max_tokens", [0, 1])
@pytest.mark.parametrize("k", [0, 1, 5])
def test_prompt_logprobs_are_those_of_an_echo(steady: ServerUnderTest, k: int, max_tokens: int, stream: bool) -> None:
    body = {"prompt": PROMPT, "max_tokens": max_tokens, "temperature": 0, "prompt_logprobs": k}
    choice = summed(ask_streaming(steady, body)[0])[0] if stream else ask(steady, body)["choices"][0]
    assert choice["logprobs"] is None
    echoed = one(steady, **SCORE | {"logprobs": k, "return_token_ids": True})
    found, expected = choice["prompt_logprobs"], echoed["logprobs"]
    assert found[0] is None
    assert len(found) == len(expected["tokens"])
    for i, ranked in enumerate(found[1:], start=1):
        actual, *others = ranked.items()
        assert (actual[0], actual[1]["decoded_token"]) == (str(echoed["prompt_token_ids"][i]), expected["tokens"][i])
        assert actual[1]["logprob"] == pytest.approx(expected["token_logprobs"][i], abs=1e-3)
        best = sorted([entry for entry in ranked.values() if entry["rank"] <= k], key=lambda entry: entry["rank"])
        assert [entry["rank"] for entry in best] == list(range(1, k + 1))
        assert len(ranked) == k + (actual[1]["rank"] > k)
        names = [entry["decoded_token"] for entry in best]
        assert k == 0 or set(names) | {expected["tokens"][i]} == expected["top_logprobs"][i].keys()
        assert all(entry["logprob"] <= 0 for _, entry in others)


def test_prompt_logprobs_of_every_choice(steady_server: ServerUnderTest) -> None:
    choices = ask(
        steady_server, {"prompt": ["The", PROMPT], "n": 2, "max_tokens": 1, "prompt_logprobs": 0, "logprobs": 2}
    )["choices"]
    assert [len(choice["prompt_logprobs"]) for choice in choices] == [1, 1] + [len(choices[2]["prompt_logprobs"])] * 2
    assert all(len(choice["logprobs"]["tokens"]) == 1 for choice in choices)
    assert all(len(choice["logprobs"]["top_logprobs"][0]) in (2, 3) for choice in choices)


def test_the_rank_counts_likelier_tokens(steady_server: ServerUnderTest) -> None:
    body = {"prompt": [5, 6, 7, 8], "max_tokens": 0, "prompt_logprobs": 20}
    for ranked in one(steady_server, **body)["prompt_logprobs"][1:]:
        actual = next(iter(ranked.values()))
        above = sum(entry["logprob"] > actual["logprob"] for entry in ranked.values())
        assert actual["rank"] == above + 1 or actual["rank"] > 20 == above


# Token ids


@MANY
@given(prompt=st.text(max_size=20) | st.lists(st.integers(0, 1023), min_size=1, max_size=10), echo=st.booleans())
def test_token_ids_are_those_of_the_text(steady: ServerUnderTest, prompt: Any, echo: bool) -> None:
    body = {"prompt": prompt, "max_tokens": 5, "seed": 1, "logprobs": 0, "echo": echo, "return_token_ids": True}
    found = ask(steady, body)
    (choice,) = found["choices"]
    assert len(choice["prompt_token_ids"]) == found["usage"]["prompt_tokens"]
    assert len(choice["token_ids"]) == found["usage"]["completion_tokens"]
    if isinstance(prompt, list):
        assert choice["prompt_token_ids"] == prompt
    named = one(steady, **body | {"return_tokens_as_token_ids": True})
    ids = (choice["prompt_token_ids"] if echo else []) + choice["token_ids"]
    assert named["logprobs"]["tokens"] == [f"token_id:{token}" for token in ids]
    for field in ("text", "token_ids"):
        assert named[field] == choice[field]
    assert named["logprobs"]["text_offset"] == choice["logprobs"]["text_offset"]
    assert all(
        f"token_id:{token}" in (top or {f"token_id:{token}"}) for token, top in zip(ids, tops(named), strict=True)
    )


def tops(choice: dict[str, Any]) -> list[Any]:
    found: list[Any] = choice["logprobs"]["top_logprobs"]
    return found


def test_token_ids_are_left_out_unless_asked_for(server: ServerUnderTest) -> None:
    assert not one(server, prompt="The", max_tokens=1).keys() & {"token_ids", "prompt_token_ids", "prompt_logprobs"}


# Prompts


def test_special_tokens_are_added_unless_told_otherwise(bundled_server: ServerUnderTest, specials: Specials) -> None:
    with_bos, without, by_hand = (
        ask(bundled_server, SCORE | fields)
        for fields in (
            {},
            {"add_special_tokens": False},
            {"prompt": specials.bos + PROMPT, "add_special_tokens": False},
        )
    )
    n = with_bos["usage"]["prompt_tokens"]
    assert [answer["tokens_evaluated"] for answer in (with_bos, without, by_hand)] == [n + 1, n, n + 1]
    values = [answer["choices"][0]["logprobs"]["token_logprobs"] for answer in (with_bos, without, by_hand)]
    assert values[2][2:] == pytest.approx(values[0][1:], abs=0.25)
    assert max(abs(a - b) for a, b in zip(values[0][1:], values[1][1:], strict=True)) > 0.25


@pytest.mark.parametrize(
    "prompt", [PROMPT, [5, 6, 7, 8, 9, 10], ["a b c d e f g", PROMPT]], ids=["text", "ids", "list"]
)
@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_truncated_prompt_is_its_end(steady: ServerUnderTest, prompt: Any, n: int) -> None:
    whole = ask(steady, SCORE | {"prompt": prompt, "return_token_ids": True})
    cut = ask(steady, SCORE | {"prompt": prompt, "return_token_ids": True, "truncate_prompt_tokens": n})
    adds_bos = whole["tokens_evaluated"] > whole["usage"]["prompt_tokens"] if len(whole["choices"]) == 1 else None
    for before, after in zip(whole["choices"], cut["choices"], strict=True):
        kept = after["prompt_token_ids"]
        assert kept == before["prompt_token_ids"][-len(kept) :]
        assert len(kept) in ({n, max(n - 1, 1)} if adds_bos is None else {max(n - adds_bos, 1)})
        assert before["text"].endswith(after["text"])
        assert len(after["text"]) < len(before["text"])
    if adds_bos is not None:
        assert cut["tokens_evaluated"] == len(cut["choices"][0]["prompt_token_ids"]) + adds_bos


@pytest.mark.parametrize("max_tokens", [0, 1, 30])
def test_a_prompt_is_truncated_to_what_fits(server: ServerUnderTest, max_tokens: int) -> None:
    context = server.http.get("/v1/models").json()["data"][0]["max_model_len"]
    body = {"prompt": "word " * 3000, "max_tokens": max_tokens, "echo": True, "return_token_ids": True}
    assert error_of(server.post(body))["code"] == "context_length_exceeded"
    found = ask(server, body | {"truncate_prompt_tokens": -1})
    assert found["tokens_evaluated"] == context - (max_tokens > 0)
    assert found["usage"]["completion_tokens"] == min(max_tokens, 1)
    assert error_of(server.post(body | {"truncate_prompt_tokens": context + 1}))["code"] == "context_length_exceeded"


@pytest.mark.parametrize("start", [-1, 0, 1, 5, 1000])
@pytest.mark.parametrize("max_tokens", [0, 2])
def test_only_the_end_of_a_prompt_is_scored(steady: ServerUnderTest, start: int, max_tokens: int) -> None:
    body = SCORE | {"max_tokens": max_tokens, "temperature": 0}
    whole, part = one(steady, **body)["logprobs"], one(steady, **body, logprob_start_len=start)["logprobs"]
    assert (part["tokens"], part["text_offset"]) == (whole["tokens"], whole["text_offset"])
    n = len(whole["tokens"]) - max_tokens
    first = min(max(start, 1), n)
    for name in ("token_logprobs", "top_logprobs"):
        assert part[name][:first] == [None] * first
    assert part["token_logprobs"][first:] == pytest.approx(whole["token_logprobs"][first:], abs=1e-3)
    assert [top.keys() for top in part["top_logprobs"][first:]] == [top.keys() for top in whole["top_logprobs"][first:]]


@pytest.mark.parametrize("prompt", ["One two three, one two three.", "Änne: 3 € — 漢字!", [5, 6, 7, 8]], ids=str)
def test_tokens_are_scored_from_a_character_on(steady: ServerUnderTest, prompt: str | list[int]) -> None:
    body = SCORE | {"prompt": prompt, "max_tokens": 0}
    whole = one(steady, **body)
    n = len(whole["logprobs"]["tokens"])
    tokens = whole["logprobs"]["tokens"]
    sizes = [token.count("\\x") if token.startswith("bytes:") else len(token.encode()) for token in tokens]
    ends = list(itertools.accumulate(sizes))
    assert ends[-1] == len(whole["text"].encode())
    for offset in range(len(whole["text"]) + 2):
        part = one(steady, **body, logprob_start_offset=offset)["logprobs"]
        needed = [i for i in range(1, n) if ends[i] > len(whole["text"][:offset].encode())]
        assert [i for i in range(n) if part["token_logprobs"][i] is not None] == needed
        for i in needed:
            assert part["token_logprobs"][i] == pytest.approx(whole["logprobs"]["token_logprobs"][i], abs=1e-3)


# The cache


def test_what_was_computed_is_used_again_and_counted(server: ServerUnderTest) -> None:
    body = {"prompt": fresh(), "max_tokens": 1}
    first, second = (ask(server, body) for _ in range(2))
    n = first["usage"]["prompt_tokens"]
    assert first["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert second["usage"]["prompt_tokens_details"]["cached_tokens"] == n - 1  # the last row is needed
    assert (second["timings"]["cache_n"], second["timings"]["prompt_n"]) == (second["tokens_evaluated"] - 1, 1)


def test_without_the_cache_nothing_is_used_and_nothing_is_left(server: ServerUnderTest) -> None:
    body = {"prompt": fresh(), "max_tokens": 1}
    alone = body | {"cache_prompt": False}
    for request in (alone, alone, body, alone):
        answer = ask(server, request)
        assert answer["timings"]["prompt_n"] == answer["tokens_evaluated"] or request is body
    used = ask(server, body)
    assert used["timings"]["prompt_n"] == 1
    scored = SCORE | {"prompt": fresh(), "cache_prompt": False}
    for _ in range(2):
        assert ask(server, scored)["usage"]["prompt_tokens_details"]["cached_tokens"] == 0


@pytest.mark.parametrize("fields", [{"max_tokens": 1}, {"echo": True, "max_tokens": 0, "logprobs": 0}], ids=str)
def test_only_requests_with_the_same_salt_share(server: ServerUnderTest, fields: dict[str, Any]) -> None:
    body = {"prompt": fresh()} | fields

    def computed(**salt: str) -> bool:
        return bool(ask(server, body | salt)["usage"]["prompt_tokens_details"]["cached_tokens"] == 0)

    assert computed(cache_salt="one")
    assert computed(cache_salt="two")
    assert computed()
    assert not computed(cache_salt="one")
    assert not computed(cache_salt="two")
    assert not computed()


@pytest.mark.parametrize("field", ["user", "an_unknown_one"])
def test_fields_that_mean_nothing_here_are_ignored(steady_server: ServerUnderTest, field: str) -> None:
    body = {"prompt": "The", "max_tokens": 4, "temperature": 0}
    assert one(steady_server, **body, **{field: "x"})["text"] == one(steady_server, **body)["text"]
