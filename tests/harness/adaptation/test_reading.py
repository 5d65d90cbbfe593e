from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adaptation.multiple_choice_separate import continuation_logprobs
from harness.adaptation.table import ADAPTERS
from harness.errors import RunError
from harness.types import Answer, Completion, Instance, Request

Asked = Callable[..., Instance]


def completion(pieces: Sequence[str | bytes], logprobs: Sequence[float | None], begin: int = 0) -> Completion:
    """What an endpoint returns for these tokens; an offset counts the whole characters before a token."""
    tokens = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
    before = [b"".join(tokens[:i]).decode(errors="ignore") for i in range(len(tokens))]
    return Completion(
        text=b"".join(tokens).decode(),
        tokens=tuple(token.decode(errors="replace") for token in tokens),
        token_logprobs=tuple(logprobs),
        text_offset=tuple(begin + len(text) for text in before),
        finish_reason="stop",
    )


def read(name: str, instance: Instance, *completions: Completion, prompts: tuple[str, ...] = ("p",)) -> Answer:
    return ADAPTERS[name].read(instance, Request(prompts, max_tokens=0), list(completions))


def test_generation_is_stripped_and_keeps_its_scores(asked: Asked) -> None:
    answer = read("generation", asked("Who?", "*I"), completion([" Ab", "é \n"], [-1.0, -0.5], begin=9))
    assert (answer.text, answer.valid, answer.prompt) == ("Abé", True, "p")
    assert (answer.logprob, answer.token_logprobs, answer.n_bytes) == (-1.5, (-1.0, -0.5), 7)


def test_an_empty_generation_is_an_empty_answer(asked: Asked) -> None:
    answer = read("generation", asked("Who?", "*I"), completion([], []))
    assert (answer.text, answer.logprob, answer.token_logprobs, answer.n_bytes) == ("", 0, (), 0)


@pytest.mark.parametrize(
    ("given", "taken"), [(" A", "tea"), ("B", "oil"), (" C \n", "tin")], ids=["spaced", "bare", "end of line"]
)
def test_a_letter_becomes_its_choice(given: str, taken: str, asked: Asked) -> None:
    answer = read("multiple_choice_joint", asked("What?", "tea", "*oil", "tin"), completion([given], [-0.25]))
    assert (answer.text, answer.valid) == (taken, True)
    assert (answer.logprob, answer.token_logprobs, answer.n_bytes) == (-0.25, (-0.25,), len(given))


@pytest.mark.parametrize("given", ["", " ", "D", "a", "AB", "A.", "oil", "Ä", "1"])
def test_anything_but_one_of_the_letters_is_kept_and_invalid(given: str, asked: Asked) -> None:
    answer = read("multiple_choice_joint", asked("What?", "tea", "*oil", "tin"), completion([given], [-0.25]))
    assert (answer.text, answer.valid) == (given.strip(), False)


def separate(asked: Asked, *scored: tuple[list[str], list[float | None]]) -> Answer:
    """The answer when the choices of one question, each after ``Q:``, got these tokens and scores."""
    texts = ["".join(pieces).removeprefix("Q: ") for pieces, _ in scored]
    instance = asked("Q", *texts)
    completions = [completion(pieces, logprobs) for pieces, logprobs in scored]
    prompts = tuple(f"Q: {text}" for text in texts)
    return read("multiple_choice_separate_original", instance, *completions, prompts=prompts)


def test_the_choice_of_the_highest_mean_is_taken(asked: Asked) -> None:
    answer = separate(
        asked,
        (["Q", ":", " tea"], [None, -9.0, -2.0]),
        (["Q", ":", " o", "il"], [None, -9.0, -1.0, -1.5]),  # the lower sum, and the higher mean
    )
    assert answer.text == "oil"
    assert answer.choice_logprobs == (-2.0, -2.5)
    assert (answer.logprob, answer.token_logprobs, answer.n_bytes) == (-2.5, (-1.0, -1.5), 4)
    assert answer.prompt == "Q: tea"


def test_the_first_of_equals_is_taken(asked: Asked) -> None:
    answer = separate(asked, (["Q:", " tea"], [None, -2.0]), (["Q:", " oil"], [None, -2.0]))
    assert answer.text == "tea"


def test_a_token_over_the_border_belongs_to_the_choice(asked: Asked) -> None:
    answer = separate(
        asked, (["Q", ": t", "ea"], [None, -3.0, -1.0]), (["Q", ":", " ", "oil"], [None, -9.0, -1.0, -4.0])
    )
    assert answer.choice_logprobs == (-4.0, -5.0)


def test_a_choice_of_characters_that_take_several_tokens(asked: Asked) -> None:
    # Each of the two characters is split over tokens, the last of them over three.
    pieces = ["Q:", b" \xc3", b"\xa9", b"\xe2", b"\x82", b"\xac"]
    scores = [None, -1.0, -2.0, -4.0, -8.0, -16.0]
    found = continuation_logprobs(completion(pieces, scores), len("Q:"))
    assert found == (-1.0, -2.0, -4.0, -8.0, -16.0)


@given(data=st.data())
def test_the_continuation_is_covered_by_its_tokens_and_at_most_one_straddles(data: st.DataObject) -> None:
    context = data.draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), label="context")
    choice = " " + data.draw(st.text(st.characters(codec="utf-8"), max_size=8), label="choice")
    whole = (context + choice).encode()
    cuts = data.draw(st.sets(st.integers(1, len(whole) - 1)), label="cuts")
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(edges)]
    scores = [-float(i) for i in range(len(pieces))]
    found = continuation_logprobs(completion(pieces, scores), len(context))
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
def test_a_choice_without_scores_is_refused(pieces: list[str], scores: list[float | None]) -> None:
    with pytest.raises(RunError, match=r"^The endpoint returned no log-probabilities for the choice ' tea'\.$"):
        continuation_logprobs(completion(pieces, scores), 2)


def test_running_text_counts_neither_the_first_token_nor_its_bytes(asked: Asked) -> None:
    text = "Änne sells tea"
    answer = read("language_modeling", asked(text), completion(["Än", "ne", " sells tea"], [None, -1.0, -2.0]))
    assert (answer.text, answer.logprob, answer.token_logprobs) == ("", -3.0, (-1.0, -2.0))
    assert answer.n_bytes == len("ne sells tea")


def test_running_text_counts_bytes_and_not_characters(asked: Asked) -> None:
    answer = read("language_modeling", asked("a €é"), completion(["a", " €", "é"], [None, -1.0, -2.0]))
    assert answer.n_bytes == 1 + 3 + 2


def test_running_text_of_one_token_has_nothing_to_score(asked: Asked) -> None:
    answer = read("language_modeling", asked("tea"), completion(["tea"], [None]))
    assert (answer.logprob, answer.token_logprobs, answer.n_bytes) == (0, (), 0)


def test_sums_of_many_small_scores_are_exact(asked: Asked) -> None:
    scores = [-0.1] * 1000
    answer = read("language_modeling", asked("x" * 1001), completion(["x"] * 1001, [None, *scores]))
    assert answer.logprob == math.fsum(scores)
