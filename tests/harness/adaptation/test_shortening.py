from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.adaptation.base import Adapter
from harness.adaptation.table import ADAPTERS, CHAT_ADAPTERS
from harness.errors import DoesNotFit
from harness.layout import RANKING, Layout
from harness.scenarios.base import AdapterSpec
from harness.serving.endpoint import Endpoint
from harness.types import Instance, Reference, Request

QUESTIONS = [name for name in ADAPTERS if not name.startswith("language_modeling")]
WORDS = st.text(st.sampled_from("ab é€\n"), max_size=30)
INSTANCES = st.builds(
    lambda text, choices, gold: Instance(
        "x", f"{text}_ and {text}", tuple(Reference(c, i == gold % len(choices)) for i, c in enumerate(choices))
    ),
    WORDS,
    st.lists(WORDS, min_size=1, max_size=3),
    st.integers(0, 5),
)


def spec_of(method: str) -> AdapterSpec:
    return AdapterSpec(method=method, layout=RANKING if method == "ranking_binary" else Layout(), max_tokens=6)


def check(request: Request, n_examples: int, longest: int, context: int) -> None:
    """What holds of every request: it fits, nothing is lost uncounted, and examples go before words do."""
    assert longest + request.max_tokens <= context
    assert request.n_examples + request.n_dropped == n_examples
    if request.n_cut:
        assert request.n_examples == 0


@pytest.mark.parametrize("adapters", [ADAPTERS, CHAT_ADAPTERS], ids=["plain", "chat"])
@pytest.mark.parametrize("method", QUESTIONS)
@given(data=st.data())
@settings(max_examples=40)
def test_prompts_never_exceed_the_window(
    method: str, adapters: dict[str, Adapter], window_of: Callable[..., Any], data: st.DataObject
) -> None:
    instance = data.draw(INSTANCES)
    examples = data.draw(st.lists(INSTANCES, max_size=4))
    window = window_of(context=data.draw(st.integers(20, 400)))
    try:
        request = adapters[method].adapt(instance, examples, spec_of(method), window)
    except DoesNotFit:
        assert window.context < 250  # even the longest choices leave room for words without the input
        return
    check(request, len(examples), max(map(window.length, request.prompts)), window.context)


@pytest.mark.parametrize("size", [60, 90, 150, 400])
@pytest.mark.parametrize("method", [name for name in QUESTIONS if "partial" not in name])
def test_the_server_takes_every_prompt(method: str, size: int, endpoint: Endpoint, asked: Callable[..., Any]) -> None:
    endpoint.room = size
    words = " ".join(f"Qüestion {i} 😀" for i in range(30))
    instance = asked(words, "*" + "tea €" * 4, "oil\n\n\u3042")
    if method == "ranking_binary":  # of which the passages may be long, and not the query
        instance = asked("Qüestion 😀", f"*{words}", f"{words} oil")
    examples = [asked(f"{i} {words[:40]}", f"*{i} tea", "oil") for i in range(4)]
    request = ADAPTERS[method].adapt(instance, examples, spec_of(method), endpoint)
    wholes = [str(prompt.whole) for prompt in request.prompts]
    longest = max(len(endpoint.bos) + len(endpoint.tokenize(whole)) for whole in wholes)
    check(request, len(examples), longest, size)
    assert len(endpoint.complete(request)) == len(wholes)


def test_the_last_examples_are_dropped_first(window_of: Callable[..., Any], asked: Callable[..., Any]) -> None:
    examples = [asked(f"{i}" * 20, "*a") for i in range(4)]
    adapter, spec, instance = ADAPTERS["generation"], spec_of("generation"), asked("q" * 20, "*a")
    whole = adapter.adapt(instance, examples, spec, window_of())
    room = len(str(whole.prompts[0].context)) + spec.max_tokens + 2
    just = adapter.adapt(instance, examples, spec, window_of(context=room))
    less = adapter.adapt(instance, examples, spec, window_of(context=room - 1))
    assert (just.prompts, just.n_dropped) == (whole.prompts, 0)
    assert (less.n_examples, less.n_dropped, less.n_cut) == (3, 1, 0)
    assert "2" * 20 in str(less.prompts[0].context)
    assert "3" * 20 not in str(less.prompts[0].context)


@pytest.mark.parametrize(
    ("method", "left"), [("generation", "Question: 01234567\nAnswer:"), ("continuation", "Question: 23456789\nAnswer:")]
)
def test_a_question_loses_its_end_and_a_text_that_goes_on_its_beginning(
    method: str, left: str, window_of: Callable[..., Any], asked: Callable[..., Any]
) -> None:
    instance = asked("0123456789", "*abc")
    room = len(left) + len(" abc") + 2
    spec = AdapterSpec(method=method, max_tokens=4)
    request = ADAPTERS[method].adapt(instance, [asked("e", "*f")], spec, window_of(context=room))
    assert (request.prompts[0].context, request.n_cut, request.n_dropped) == (left, 2, 1)


def test_a_character_is_not_cut_in_two(window_of: Callable[..., Any], asked: Callable[..., Any]) -> None:
    left = "Question: \nAnswer:"
    for room in range(len(left) + 6, len(left) + 20):
        request = ADAPTERS["generation"].adapt(
            asked("€€€€€", "*a"), [], AdapterSpec(method="generation", max_tokens=4), window_of(context=room)
        )
        assert "\ufffd" not in request.text
        assert request.text.count("€") == min(5, (room - len(left) - 6) // 3)


def test_all_passages_are_asked_after_the_same_examples(
    window_of: Callable[..., Any], asked: Callable[..., Any]
) -> None:
    examples = [asked("e", "*f", "g") for _ in range(3)]
    instance = asked("q", "*short", "long " * 40)
    whole = ADAPTERS["ranking_binary"].adapt(instance, examples, spec_of("ranking_binary"), window_of())
    room = max(len(str(prompt.context)) for prompt in whole.prompts)
    less = ADAPTERS["ranking_binary"].adapt(instance, examples, spec_of("ranking_binary"), window_of(context=room))
    assert {str(prompt.context).count("Query: e") for prompt in less.prompts} == {4}
    assert (less.n_examples, less.n_dropped, less.n_cut) == (2, 1, 0)


def test_what_cannot_fit_is_said(window_of: Callable[..., Any], asked: Callable[..., Any]) -> None:
    with pytest.raises(DoesNotFit, match=r"^The context of 20 tokens does not even hold the question without its text"):
        ADAPTERS["generation"].adapt(asked("q", "*a"), [], spec_of("generation"), window_of(context=20))
