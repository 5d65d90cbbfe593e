from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adaptation.reading import best, continuation_bytes, continuation_logprobs, is_greedy, token_bytes
from harness.adaptation.table import ADAPTERS
from harness.errors import RunError
from harness.types import Answer, Completion, Instance, Prompt, Request

Asked = Callable[..., Instance]
Complete = Callable[..., Completion]


def read(name: str, instance: Instance, *completions: Completion, labels: tuple[str, ...] = ()) -> Answer:
    return ADAPTERS[name].read(instance, Request((Prompt("p"),), max_tokens=0, labels=labels), list(completions))


def test_generation_is_stripped_and_keeps_its_scores(asked: Asked, completion: Complete) -> None:
    answer = read("generation", asked("Who?", "*I"), completion([" Ab", "é \n"], [-1.0, -0.5], begin=9))
    assert (answer.text, answer.valid, answer.chosen, answer.is_greedy) == ("Abé", True, (), None)
    assert (answer.logprob, answer.token_logprobs, answer.n_bytes) == (-1.5, (-1.0, -0.5), 7)
    assert answer.tokens == (" Ab", "é \n")


def test_an_empty_generation_is_an_empty_answer(asked: Asked, completion: Complete) -> None:
    answer = read("generation", asked("Who?", "*I"), completion([], []))
    assert (answer.text, answer.logprob, answer.token_logprobs, answer.n_bytes) == ("", 0, (), 0)


def test_what_is_not_known_of_a_generation_is_not_taken_for_certain(asked: Asked) -> None:
    bare = Completion(" Ab", (), (), (), "stop", has_logprobs=False)
    for method in ("generation", "multiple_choice_joint"):
        answer = read(method, asked("Who?", "*Ab", "I"), bare, labels=("Ab", "I"))
        assert answer.text == "Ab"
        assert math.isnan(answer.logprob)
        assert (answer.token_logprobs, answer.tokens) == ((), ())


LETTERS = ("A", "B", "C")


@pytest.mark.parametrize(("given", "index"), [(" A", 0), ("B", 1), (" C \n", 2)], ids=["spaced", "bare", "end of line"])
def test_a_letter_becomes_its_choice(given: str, index: int, asked: Asked, completion: Complete) -> None:
    instance = asked("What?", "tea", "*oil", "tin")
    answer = read("multiple_choice_joint", instance, completion([given], [-0.25]), labels=LETTERS)
    assert (answer.text, answer.chosen, answer.valid) == (instance.references[index].text, (index,), True)
    assert (answer.logprob, answer.token_logprobs, answer.n_bytes) == (-0.25, (-0.25,), len(given))


@pytest.mark.parametrize("given", ["", " ", "D", "a", "AB", "A.", "oil", "Ä", "1"])
def test_anything_but_one_of_the_letters_is_kept_and_invalid(given: str, asked: Asked, completion: Complete) -> None:
    instance = asked("What?", "tea", "*oil", "tin")
    answer = read("multiple_choice_joint", instance, completion([given], [-0.25]), labels=LETTERS)
    assert (answer.text, answer.chosen, answer.valid) == (given.strip(), (), False)


def test_reasons_are_kept_whole_for_the_metric(asked: Asked, completion: Complete) -> None:
    instance = asked("What?", "tea", "*oil")
    said = completion([" It burns.", " The correct answer is (B)."], [-1.0, -2.0])
    answer = read("multiple_choice_joint_chain_of_thought", instance, said, labels=LETTERS[:2])
    assert (answer.text, answer.chosen) == ("It burns. The correct answer is (B).", ())
    assert (answer.valid, answer.logprob) == (True, -3.0)


def test_a_token_over_the_border_belongs_to_the_continuation(completion: Complete) -> None:
    prompt = Prompt("Q:", " tea")
    assert continuation_logprobs(completion(["Q", ": t", "ea"], [None, -3.0, -1.0]), prompt) == (-3.0, -1.0)
    assert continuation_logprobs(completion(["Q", ":", " ", "tea"], [None, -9.0, -1.0, -4.0]), prompt) == (-1.0, -4.0)


def test_token_ids_know_their_border(completion: Complete) -> None:
    prompt = Prompt((1, 2), (3, 4))
    found = completion(["<s>", "a", b" \xc3", b"\xa9"], [None, -1.0, -2.0, -4.0])
    assert continuation_logprobs(found, prompt) == (-2.0, -4.0)
    assert continuation_bytes(found, prompt) == 3
    assert continuation_bytes(found, Prompt("a", " é")) == 3


def test_a_choice_of_characters_that_take_several_tokens(completion: Complete) -> None:
    # Each of the two characters is split over tokens, the last of them over three.
    pieces = ["Q:", b" \xc3", b"\xa9", b"\xe2", b"\x82", b"\xac"]
    scores = [None, -1.0, -2.0, -4.0, -8.0, -16.0]
    assert continuation_logprobs(completion(pieces, scores), Prompt("Q:", " é€")) == (-1.0, -2.0, -4.0, -8.0, -16.0)


@given(data=st.data())
def test_the_continuation_is_covered_by_its_tokens_and_at_most_one_straddles(
    completion: Complete, data: st.DataObject
) -> None:
    context = data.draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), label="context")
    choice = data.draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), label="choice")
    whole = (context + choice).encode()
    cuts = data.draw(st.sets(st.integers(1, len(whole) - 1)), label="cuts")
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(edges)]
    scores = [-float(i) for i in range(len(pieces))]
    found = continuation_logprobs(completion(pieces, scores), Prompt(context, choice))
    first = int(-found[0])
    border = len(context.encode())
    assert [-int(score) for score in found] == list(range(first, len(pieces)))  # everything to the end
    assert edges[first] <= border  # nothing beyond the border is left out
    assert first + 1 == len(pieces) or edges[first + 1] > border  # and no whole token before it is taken


@pytest.mark.parametrize(
    ("pieces", "scores"),
    [(["Q:", " tea"], [None, None]), (["Q:", " te", "a"], [None, -1.0, None]), (["Q: tea"], [None])],
    ids=["none at all", "one missing", "all in the first token"],
)
def test_a_continuation_without_scores_is_refused(
    pieces: list[str], scores: list[float | None], completion: Complete
) -> None:
    with pytest.raises(RunError, match=r"^The endpoint returned no log-probabilities for the continuation ' tea'\.$"):
        continuation_logprobs(completion(pieces, scores), Prompt("Q:", " tea"))


@pytest.mark.parametrize(
    ("name", "meant"), [("é ", "é ".encode()), (r"bytes:\xe2\x80", b"\xe2\x80"), ("bytes:", b"bytes:"), ("", b"")]
)
def test_a_name_says_what_bytes_its_token_has(name: str, meant: bytes) -> None:
    assert token_bytes(name) == meant


@pytest.mark.parametrize(
    ("tops", "judged"),
    [
        ((None, -0.1, -1.0, -2.0), True),  # what the context might have been instead does not matter
        ((None, -3.0, -0.9, -2.0), False),
        ((None, -3.0, -1.0, -0.5), False),
        ((), None),
        ((None, -3.0, -1.0, None), None),
    ],
)
def test_greedy_means_the_likeliest_token_at_every_place(
    tops: tuple[float | None, ...], judged: bool | None, completion: Complete
) -> None:
    found = replace(completion(["Q", ":", " t", "ea"], [None, -3.0, -1.0, -2.0]), top_logprobs=tops)
    assert is_greedy(found, Prompt("Q:", " tea")) is judged


def test_all_that_tie_for_the_best_are_chosen() -> None:
    assert best([-1.0, -2.0, -1.0], ["a", "b", "c"]) == (0, 2)
    assert best([-1.0, -1.0], ["a", "a"]) == (0, 1)
    assert best([-1.0], ["a"]) == (0,)


def test_choices_that_all_score_the_same_are_no_scores() -> None:
    with pytest.raises(RunError, match=r"^The endpoint gave all 3 choices the same log-probability \(0\)"):
        best([0.0, 0.0, 0.0], ["a", "b", "c"])
