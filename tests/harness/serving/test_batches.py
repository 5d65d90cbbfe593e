from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.serving.batches import MOST_TOKENS, in_batches
from harness.serving.endpoint import Endpoint
from harness.types import Prompt, Request

SIZES = st.lists(st.integers(1, 20), min_size=1, max_size=30)


@given(sizes=SIZES, most=st.integers(1, 40))
def test_windows_go_in_order_and_in_bounded_parts(sizes: list[int], most: int) -> None:
    prompts = tuple(Prompt((i,), tuple(range(size - 1))) for i, size in enumerate(sizes))
    batches = list(in_batches(Request(prompts, max_tokens=0, echo=True), most))
    assert tuple(prompt for batch in batches for prompt in batch.prompts) == prompts
    for batch, following in zip(batches, [*batches[1:], None], strict=True):
        size = sum(len(prompt.whole) for prompt in batch.prompts)
        assert size <= most or len(batch.prompts) == 1
        # As many as there is room for: no request is sent for less than it could hold.
        assert following is None or size + len(following.prompts[0].whole) > most
        assert batch.echo


@given(sizes=SIZES)
def test_choices_of_text_stay_together(sizes: list[int]) -> None:
    request = Request(tuple(Prompt("context " * size, "a") for size in sizes), max_tokens=0)
    assert list(in_batches(request, 1)) == [request]


def test_a_server_answers_many_windows_in_order(endpoint: Endpoint) -> None:
    tokens = endpoint.tokenize("Bristan sells tea. " * 400)
    windows = [tuple(tokens[at : at + 900]) for at in range(MOST_TOKENS // 900 + 2)]
    request = Request(tuple(Prompt(ids[:899], ids[899:]) for ids in windows), max_tokens=0, echo=True)
    assert len(list(in_batches(request))) == 2
    found = endpoint.complete(request)
    assert [completion.text for completion in found] == [endpoint.detokenize(list(ids)) for ids in windows]
