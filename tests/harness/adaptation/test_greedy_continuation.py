from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.adaptation.table import ADAPTERS
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec
from harness.serving.endpoint import Endpoint
from harness.types import Answer, Instance, Prompt, Request

Asked = Callable[..., Instance]
PLAIN = Layout(input_prefix="", input_suffix="", output_prefix=" ", output_suffix="")
SPEC = AdapterSpec(method="continuation", layout=PLAIN)
CONTEXTS = ["Question: Who rules Bristan?\nAnswer:", "The capital of Hismendia", "12 + 30 ="]


def ask(instance: Instance, endpoint: Endpoint) -> Answer:
    adapter = ADAPTERS["continuation"]
    request = adapter.adapt(instance, [], SPEC, endpoint)
    return adapter.read(instance, request, endpoint.complete(request))


@pytest.mark.parametrize("context", CONTEXTS)
def test_what_the_model_says_is_greedy_and_anything_else_is_not(context: str, endpoint: Endpoint, asked: Asked) -> None:
    (said,) = endpoint.complete(Request((Prompt(context),), max_tokens=3))
    assert said.text.startswith(" ")
    same = ask(asked(context, f"*{said.text.removeprefix(' ')}"), endpoint)
    assert same.is_greedy is True
    assert same.token_logprobs == pytest.approx(said.token_logprobs, abs=0.02)
    assert same.n_bytes == len(said.text.encode())
    other = ask(asked(context, "*tea and tea"), endpoint)
    assert (other.is_greedy, other.text) == (False, "tea and tea")
    assert other.logprob < same.logprob
