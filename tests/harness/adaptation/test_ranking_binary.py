from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.adaptation.table import ADAPTERS
from harness.types import Answer, Completion, Instance, Prompt, Reference, Request

SAID = st.tuples(
    st.sampled_from([" Yes", "yes\n", " No", "NO", " maybe", ""]), st.floats(-40, 0).map(lambda value: round(value, 6))
)


def read(said: list[tuple[str, float]]) -> Answer:
    """The answer when the model said this, so probably, of passages named 0, 1, 2 ..."""
    instance = Instance("x", "q", tuple(Reference(str(i), False) for i in range(len(said))))
    request = Request((Prompt("p"),) * len(said), max_tokens=5)
    completions = [Completion(text, (text,), (logprob,), (0,), "stop") for text, logprob in said]
    return ADAPTERS["ranking_binary"].read(instance, request, completions)


def order(answer: Answer) -> list[int]:
    """Passages, best first; of equals the first stays first."""
    return sorted(range(len(answer.choice_logprobs)), key=lambda i: -answer.choice_logprobs[i])


def test_yes_by_falling_probability_then_no_by_rising_then_the_rest() -> None:
    answer = read([(" No", -0.1), (" Yes", -2.0), ("perhaps", -0.5), (" No", -3.0), ("YES ", -0.5), ("hm", -4.0)])
    assert order(answer) == [4, 1, 3, 0, 5, 2]
    assert (answer.text, answer.chosen, answer.valid) == ("4", (4,), True)
    assert (answer.logprob, answer.token_logprobs, answer.n_bytes) == (-0.5, (-0.5,), 4)


@given(said=st.lists(SAID, min_size=1, max_size=10))
def test_the_order_is_that_of_helm(said: list[tuple[str, float]]) -> None:
    def key(i: int) -> tuple[int, float]:
        text, logprob = said[i]
        rank = {"yes": 2, "no": 1}.get(text.strip().lower(), 0)
        return rank, logprob if rank == 2 else -logprob

    assert order(read(said)) == sorted(range(len(said)), key=key, reverse=True)


def test_passages_that_tie_are_all_first() -> None:
    answer = read([(" No", -1.0), (" Yes", -0.5), (" Yes", -0.5)])
    assert (answer.chosen, answer.text) == ((1, 2), "1")


def test_an_answer_without_yes_and_no_is_invalid_and_still_ranked() -> None:
    answer = read([("tea", -1.0), ("oil", -2.0)])
    assert (answer.text, answer.chosen, answer.valid) == ("oil", (), False)
    assert order(answer) == [1, 0]
    assert read([("tea", -1.0), (" No", -0.1)]).valid
