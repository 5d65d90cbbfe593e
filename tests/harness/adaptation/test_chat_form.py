from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.adaptation.table import ADAPTERS, CHAT_ADAPTERS
from harness.errors import UserError
from harness.layout import RANKING, Layout
from harness.models.config import ServeConfig
from harness.scenarios.base import AdapterSpec
from harness.serving.endpoint import Endpoint
from harness.serving.process import ServerProcess
from harness.types import Instance, Prompt

Asked = Callable[..., Instance]
TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}<|assistant|>"


def ids(text: str) -> tuple[int, ...]:
    """A user's message as the bytes' model sees it."""
    return (300, *text.encode(), 301, 302)


def spec_of(method: str) -> AdapterSpec:
    return AdapterSpec(method=method, layout=RANKING if method == "ranking_binary" else Layout(), max_tokens=4)


def test_a_question_is_a_message_and_the_model_goes_on(window_of: Callable[..., Any], asked: Asked) -> None:
    request = CHAT_ADAPTERS["generation"].adapt(
        asked("Who?", "*I"), [asked("Which?", "*that")], spec_of("generation"), window_of()
    )
    text = "Question: Which?\nAnswer: that\n\nQuestion: Who?\nAnswer:"
    assert request.prompts == (Prompt(ids(text), ()),)
    assert (request.text, request.max_tokens, request.n_examples) == (text, 4, 1)


def test_choices_are_what_the_assistant_says(window_of: Callable[..., Any], asked: Asked) -> None:
    request = CHAT_ADAPTERS["multiple_choice_separate_calibrated"].adapt(
        asked("Who?", "*I", "é"), [], spec_of("multiple_choice_separate_calibrated"), window_of()
    )
    question = "Question: Who?\nAnswer:"
    assert request.prompts == (
        *(Prompt(ids(question), tuple(b"I")), Prompt(ids(question), tuple("é".encode()))),
        *(Prompt(ids("Answer:"), tuple(b"I")), Prompt(ids("Answer:"), tuple("é".encode()))),
    )
    assert (request.text, request.echo) == (question, True)


def test_without_a_question_the_message_is_empty(window_of: Callable[..., Any], asked: Asked) -> None:
    spec = AdapterSpec(
        method="multiple_choice_separate_original", layout=Layout(input_prefix="", input_suffix="", output_prefix="")
    )
    request = CHAT_ADAPTERS[spec.method].adapt(asked("", "*a b", "b a"), [], spec, window_of())
    assert request.prompts == (Prompt(ids(""), tuple(b"a b")), Prompt(ids(""), tuple(b"b a")))


def test_what_is_read_is_what_the_adapter_reads(
    completion: Callable[..., Any], window_of: Callable[..., Any], asked: Asked
) -> None:
    instance, spec = asked("Who?", "I", "*you"), spec_of("multiple_choice_separate_original")
    request = CHAT_ADAPTERS[spec.method].adapt(instance, [], spec, window_of())
    said = ["<", "Q", ">", "I"], ["<", "Q", ">", "y", "ou"]
    scores = [None, -9.0, -9.0, -3.0], [None, -9.0, -9.0, -1.0, -1.5]
    request = replace(request, prompts=(Prompt((1, 2, 3), (4,)), Prompt((1, 2, 3), (5, 6))))
    answer = CHAT_ADAPTERS[spec.method].read(instance, request, list(map(completion, said, scores)))
    assert (answer.text, answer.choice_logprobs, answer.n_bytes) == ("you", (-3.0, -2.5), 3)


def test_running_text_has_no_chat_form() -> None:
    assert set(ADAPTERS) - set(CHAT_ADAPTERS) == {"language_modeling", "language_modeling_chunks"}


def test_shortening_counts_the_tokens_of_the_template(window_of: Callable[..., Any], asked: Asked) -> None:
    instance, spec = asked("0123456789", "*a"), spec_of("generation")
    whole = CHAT_ADAPTERS["generation"].adapt(instance, [], spec, window_of())
    room = len(whole.prompts[0].whole) + spec.max_tokens
    fitted = [CHAT_ADAPTERS["generation"].adapt(instance, [], spec, window_of(context=room + n)) for n in (2, 0, -5)]
    assert [request.n_cut for request in fitted] == [0, 2, 7]
    assert fitted[0].prompts == whole.prompts


@pytest.fixture(scope="module")
def chatting(make_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A real server of a model with a chat template."""
    folder = tmp_path_factory.mktemp("chat")
    model = make_llama(folder / "chat.gguf", chat_template=TEMPLATE)
    with (
        ServerProcess(model, "chat", ServeConfig(), folder / "log", slots=2) as server,
        Endpoint(server.base_url, "chat") as endpoint,
    ):
        yield endpoint


@pytest.mark.parametrize("room", [90, 1024])
@pytest.mark.parametrize("method", CHAT_ADAPTERS)
def test_every_adapter_works_through_a_real_template(method: str, room: int, chatting: Endpoint, asked: Asked) -> None:
    chatting.room = room
    instance = asked("Who sold the rope to _ in Bristan?", "*tea and salt", "oil", name="x-1")
    examples = [asked(f"Did _ sell {i} ropes?", f"*tea {i}", "oil") for i in range(3)]
    adapter = CHAT_ADAPTERS[method]
    request = adapter.adapt(instance, examples, spec_of(method), chatting)
    assert max(len(prompt.whole) for prompt in request.prompts) + request.max_tokens <= room
    assert request.n_examples + request.n_dropped == 3
    for prompt in request.prompts[: len(instance.references)]:
        shown = chatting.detokenize([token for token in prompt.context if isinstance(token, int)])
        assert shown.startswith("<|user|>")
        assert shown.endswith("\n<|assistant|>")
    answer = adapter.read(instance, request, chatting.complete(request))
    assert answer.n_bytes >= (len("tea") if request.echo else 0)
    assert len(answer.choice_logprobs) == (2 if "separate" in method or "ranking" in method else 0)
    if method == "multiple_choice_separate_original":
        assert request.text.endswith("Question: Who sold the rope to _ in Bristan?\nAnswer:")


def test_a_model_without_a_template_is_said_in_one_sentence(endpoint: Endpoint, asked: Asked) -> None:
    said = r"^world cannot be asked with --chat, so leave that out: this model has no chat template\.$"
    with pytest.raises(UserError, match=said):
        CHAT_ADAPTERS["generation"].adapt(asked("Who?", "*I"), [], spec_of("generation"), endpoint)
