"""Where a completion ends, and what of it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from answers import PROMPT, arrays, ask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_a_stop_string_cuts_text_and_arrays(steady_server: ServerUnderTest) -> None:
    server = steady_server
    free = server.complete(PROMPT, max_tokens=30, logprobs=0).choices[0]
    stop = free.text[len(free.text) // 2 :][:3]
    assert stop
    where = free.text.index(stop)
    for stops in (stop, [stop], ["never to be seen", stop, stop + "x"]):
        for echo in (False, True):
            completion = server.complete(PROMPT, max_tokens=30, logprobs=0, echo=echo, stop=stops)
            choice, extra = completion.choices[0], completion.model_extra
            assert choice.text == PROMPT * echo + free.text[:where]
            assert choice.finish_reason == "stop"
            tokens, *_, text_offset = arrays(choice)
            assert completion.usage is not None
            assert len(tokens) == echo * completion.usage.prompt_tokens + completion.usage.completion_tokens
            assert all(offset < len(PROMPT) + where for offset in text_offset)
            assert extra is not None
            assert (extra["stopped_word"], extra["stopping_word"], extra["stopped_limit"]) == (True, stop, False)


def test_a_stop_string_in_the_prompt_does_not_stop(server: ServerUnderTest) -> None:
    assert server.complete("Joo 77", stop=["77", "J"], echo=True, max_tokens=1).choices[0].text.startswith("Joo 77")


@pytest.mark.parametrize("max_tokens", [1, 5])
@pytest.mark.parametrize("echo", [True, False])
def test_the_token_that_ends_a_text_has_an_entry_and_no_text(
    ending: ServerUnderTest, max_tokens: int, echo: bool
) -> None:
    completion = ending.complete([5, 6, 7], max_tokens=max_tokens, logprobs=2, echo=echo)
    choice, prompt = completion.choices[0], ending.score([5, 6, 7])
    tokens, token_logprobs, _, text_offset = arrays(choice)
    assert len(tokens) == 3 * echo + 1
    assert token_logprobs[-1] is not None
    assert text_offset[-1] == len(prompt.text)
    assert choice.text == prompt.text * echo
    assert choice.finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 1
    assert completion.model_extra is not None
    assert (completion.model_extra["stopped_eos"], completion.model_extra["stopped_word"]) == (True, False)


def test_the_name_of_the_token_that_ends_a_text_is_no_stop_string(ending: ServerUnderTest) -> None:
    name = arrays(ending.complete([5, 6, 7], logprobs=0).choices[0])[0][-1]
    completion = ending.complete([5, 6, 7], logprobs=0, stop=[name])
    assert arrays(completion.choices[0])[0] == [name]
    assert completion.model_extra is not None
    assert (completion.model_extra["stopped_eos"], completion.model_extra["stopping_word"]) == (True, "")


@MANY
@given(
    seed=st.integers(0, 50),
    min_tokens=st.integers(0, 8),
    stops=st.lists(st.text("aeinorst ", min_size=1, max_size=3), min_size=1, max_size=4),
)
def test_the_first_stop_string_that_counts_ends_a_text(
    steady_server: ServerUnderTest, seed: int, min_tokens: int, stops: list[str]
) -> None:
    body: dict[str, Any] = {"prompt": "The", "seed": seed, "logprobs": 0, "ignore_eos": True, "max_tokens": 20}
    free = ask(steady_server, body)["choices"][0]
    ends = [*free["logprobs"]["text_offset"][1:], len("The" + free["text"])]
    # A token's text counts once the token is whole; what is complete before min_tokens does not count.
    texts = [free["text"][: end - len("The")] for end in ends]
    found = None
    for n, text in enumerate(texts, start=1):
        before = texts[n - 2] if n > 1 else ""
        new = [(at, i) for i, stop in enumerate(stops) for at in _ends_after(text, stop, len(before))]
        if new and n >= min_tokens:
            found = min(new)
            break
    expected = free["text"] if found is None else free["text"][: found[0]]
    choice = ask(steady_server, body | {"stop": stops, "min_tokens": min_tokens})["choices"][0]
    assert choice["text"] == expected
    assert choice["stop_reason"] == (None if found is None else stops[found[1]])
    assert choice["finish_reason"] == ("length" if found is None else "stop")
    assert all(offset < len("The" + expected) for offset in choice["logprobs"]["text_offset"])


def _ends_after(text: str, stop: str, begin: int) -> list[int]:
    """Where ``stop`` stands in ``text`` so that it ends after ``begin``."""
    return [at for at in range(len(text)) if text.startswith(stop, at) and at + len(stop) > begin]


def test_a_limit_ends_a_text_without_a_reason(steady_server: ServerUnderTest) -> None:
    choice = ask(steady_server, {"prompt": "The", "max_tokens": 3, "temperature": 0})["choices"][0]
    assert (choice["finish_reason"], choice["stop_reason"]) == ("length", None)
