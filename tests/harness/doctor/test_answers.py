"""Answers are read as they are, and what is wrong with their shape is told."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.doctor.answers import Answer, Arrays, Broken, Choice, short
from harness.doctor.clients import CLIENTS, judge
from harness.doctor.diagnosis import GENERATED_LOGPROBS, GENERATION, SCORING, Check, Diagnosis, Outcome
from harness.doctor.likeness import differ, distance, sure_text
from harness.doctor.subjects import Subject

names = st.lists(st.text(min_size=1, max_size=4), max_size=6)


def _choice(**logprobs: object) -> Choice:
    return Choice({"text": "ab", "logprobs": logprobs})


@given(before=names, prompt=names.filter(bool), after=names)
@example(before=["0a"], prompt=["a"], after=[])
def test_the_parts_of_an_echo_are_all_of_it(before: list[str], prompt: list[str], after: list[str]) -> None:
    tokens = [*before, *prompt, *after]
    arrays = Arrays(tokens, [None] * len(tokens), [], [])
    parts = arrays.parts("".join(prompt))
    assert sum(parts) == len(tokens)
    assert "".join(tokens[parts.before : parts.before + parts.inside]).find("".join(prompt)) >= 0


def test_tokens_that_add_up_to_something_else() -> None:
    with pytest.raises(Broken, match="add up to 'xy'"):
        Arrays(["x", "y"], [None, -1], [], []).parts("ab")


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice({"text": "a", "logprobs": None}), "logprobs are None"),
        (_choice(content=[{"token": "a"}]), "shaped as those of chats"),
        (_choice(text_offset=[0]), "have no tokens or no token_logprobs, but text_offset"),
        (_choice(tokens=["a", "b"], token_logprobs=[None]), "have 2 and 1 entries"),
        (_choice(tokens=[7], token_logprobs=[None]), "^7 is an entry of tokens"),
        (_choice(tokens=["a"], token_logprobs=["-1"]), "'-1' is an entry of token_logprobs"),
        (_choice(tokens=["a"], token_logprobs=[True]), "True is an entry of token_logprobs"),
        (_choice(tokens=["a"], token_logprobs=[-1], top_logprobs=[[{"a": -1}]]), "is an entry of top_logprobs"),
        (_choice(tokens=["a"], token_logprobs=[-1], top_logprobs=[{"a": None}]), "is an entry of top_logprobs"),
        (_choice(tokens=["a"], token_logprobs=[-1], text_offset=[[0]]), r"\[0\] is an entry of text_offset"),
    ],
)
def test_arrays_of_another_shape(choice: Choice, words: str) -> None:
    with pytest.raises(Broken, match=words):
        _ = choice.arrays


@pytest.mark.parametrize("body", [None, [], {}, {"choices": []}, {"choices": [1]}])
def test_an_answer_without_choices(body: object) -> None:
    with pytest.raises(Broken, match="no choices"):
        Answer.read(body)


def test_distance_is_infinite_where_a_value_is_missing() -> None:
    assert distance([None, -1.0, -2.0], [None, -1.5, -2.0]) == 0.25
    assert math.isinf(distance([None, -1.0], [-1.0, -1.0]))
    assert math.isinf(distance([-1.0], [-1.0, -1.0]))


@pytest.mark.parametrize(
    ("tops", "sure"),
    [
        ([{"a": -0.1, "x": -3}, {"b": -0.1, "y": -3}], "ab"),
        ([{"a": -0.1, "x": -3}, {"b": -0.6, "y": -0.7}], "a"),
        ([{"a": -0.6, "x": -0.7}, {"b": -0.1, "y": -3}], ""),
    ],
)
def test_a_text_is_sure_up_to_a_near_tie_in_either_shape(tops: list[dict[str, float]], sure: str) -> None:
    assert sure_text(_choice(tokens=["a", "b"], token_logprobs=[-0.1, -0.1], top_logprobs=tops)) == sure
    content = [
        {"token": token, "top_logprobs": [{"token": other, "logprob": value} for other, value in top.items()]}
        for token, top in zip("ab", tops, strict=True)
    ]
    assert sure_text(_choice(content=content)) == sure
    assert sure_text(Choice({"text": "ab", "logprobs": None})) is None


@pytest.mark.parametrize(
    "content", [[None], ["a"], [{"token": "a", "top_logprobs": [{"token": "a", "logprob": None}]}]]
)
def test_what_cannot_be_read_makes_no_text_sure(content: list[object]) -> None:
    assert sure_text(_choice(content=content)) is None


def test_numbers_differ_on_average_or_at_one_token() -> None:
    assert differ([None, -1.0, -1.0], [None, -1.1, -1.2]) is None
    assert differ([-1.0, -1.0], [-1.3, -1.3]) == "0.30 nats off on average"
    assert differ([-1.0] * 20, [-1.0] * 19 + [-4.0]) == "3.00 nats off at one token"
    assert "inf" in (differ([-1.0], [None]) or "")


def test_what_was_skipped_is_not_right() -> None:
    fault = Check(Subject.GREEDY, Outcome.FAULT, "It varies.")
    skipped = Check(Subject.BATCH, Outcome.SKIPPED, "It was not looked at.", Subject.GREEDY)
    clients = {client.name: client for client in _diagnosis(fault, skipped).clients}
    assert clients["lm-eval local-completions, loglikelihood"].reasons == ("It was not looked at.",)
    assert clients[SCORING].verdict == "fails"
    assert clients[GENERATION].reasons == ("It varies.",)


def test_what_was_skipped_for_want_of_something_is_as_if_not_offered() -> None:
    no_tokenizer = Check(Subject.ROUND_TRIP, Outcome.ABSENT, "There is none.")
    bos = Check(Subject.BOS, Outcome.SKIPPED, "BOS was not looked at.", Subject.ROUND_TRIP)
    best_of = Check(Subject.BEST_OF, Outcome.SKIPPED, "best_of was not looked at.", Subject.ROUND_TRIP)
    verdicts = {client.name: client.verdict for client in _diagnosis(no_tokenizer, bos, best_of).clients}
    assert verdicts[GENERATION] == "right"
    assert verdicts["HELM, generation and joint choice"] == "fails"


def test_long_things_are_cut() -> None:
    assert short("a") == "'a'"
    assert len(short("a" * 100)) == 60


def _diagnosis(*checks: Check) -> Diagnosis:
    return Diagnosis("http://127.0.0.1/v1", "m", None, checks, judge(checks))


def test_no_check_no_client_is_in_doubt() -> None:
    assert {client.verdict for client in _diagnosis().clients} == {"right"}
    assert {SCORING, GENERATION, GENERATED_LOGPROBS} <= set(CLIENTS)


@pytest.mark.parametrize("subject", Subject)
def test_every_fault_is_somebodys(subject: Subject) -> None:
    diagnosis = _diagnosis(Check(str(subject), Outcome.FAULT, "It is wrong."))
    assert not diagnosis.is_sound
    hurt = [client for client in diagnosis.clients if client.verdict != "right"]
    assert hurt
    assert all(client.reasons for client in hurt)
    assert all(reason.endswith(".") for client in hurt for reason in client.reasons)


def test_a_client_that_fails_gets_no_wrong_numbers() -> None:
    diagnosis = _diagnosis(
        Check(Subject.ARRAYS, Outcome.FAULT, "Chat-shaped."), Check(Subject.ECHO, Outcome.FAULT, "echo is ignored.")
    )
    verdicts = {client.name: client.verdict for client in diagnosis.clients}
    assert verdicts["HELM, separate choices and language modeling"] == "fails"
    assert diagnosis.cannot_score == "echo is ignored."
    assert diagnosis.no_logprobs == "Chat-shaped."
    assert diagnosis.cannot_generate is None
    assert diagnosis.record()["clients"][0]["verdict"] == "fails"
    assert diagnosis.record()["checks"][0] == {
        "name": "shape of logprobs",
        "outcome": "fault",
        "finding": "Chat-shaped.",
        "rests_on": None,
    }


@pytest.mark.parametrize("outcome", Outcome)
def test_token_ids_are_usable_only_where_they_were_seen_to_be_right(outcome: Outcome) -> None:
    found = _diagnosis(Check(Subject.IDS, outcome, "Seen.")).no_token_ids
    assert found == (None if outcome is Outcome.GOOD else "Seen.")
    assert "could not be looked at" in (_diagnosis().no_token_ids or "")
