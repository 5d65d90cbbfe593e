from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from harness.errors import RunError, UserError
from harness.models.bundled import BUNDLED_MODEL
from harness.models.gguf_facts import read_facts
from harness.serving.address import read_url
from harness.serving.dialects import (
    DETOKENIZE,
    LLAMA_SERVER,
    TOKENIZE,
    VLLM,
    Ask,
    Card,
    Detokenized,
    Size,
    Tokenized,
    choose_card,
    find_dialect,
    read_cards,
    read_context,
)
from harness.serving.process import ServerProcess

Body = Mapping[str, object] | None


def offering(**routes: Any) -> Ask:
    """An endpoint that answers some paths, named by their end; an answer may be a function of the body."""

    def ask(path: str, body: Body) -> object:
        found = routes.get(path.removeprefix("../"))
        return found(body) if callable(found) else found

    return ask


def tokens_of(field: str) -> Any:
    """What llama-server does: without the field that it knows, there are no tokens."""
    return lambda body: {"tokens": [7] * len(str(body.get(field, "")))}


@pytest.fixture
def asking(served: ServerProcess) -> Ask:
    """Asks the real server."""
    address = read_url(served.base_url)

    def ask(path: str, body: Body) -> object:
        response = httpx.request("GET" if body is None else "POST", address.at(path), json=body, trust_env=False)
        return response.json() if response.is_success else None

    return ask


def test_our_own_server_is_asked_as_vllm_is(asking: Ask) -> None:
    dialect = find_dialect(asking, "world")
    assert dialect == VLLM
    bare, whole = (
        Tokenized.model_validate(asking(TOKENIZE, dialect.to_tokenize("world", "One two", special=special))).tokens
        for special in (False, True)
    )
    assert whole[1:] == bare
    text = Detokenized.model_validate(asking(DETOKENIZE, dialect.to_detokenize("world", bare))).text
    assert text == "One two"


def test_our_own_server_says_how_large_its_model_is(asking: Ask) -> None:
    facts = read_facts(BUNDLED_MODEL)
    (card,) = read_cards(asking)
    assert (card.id, read_context(asking, card)) == ("world", 2048)
    assert card.meta is not None
    assert (card.meta.n_vocab, card.meta.n_params) == (facts.vocabulary_size, facts.parameters)
    assert card.meta.size is not None
    assert 8 * card.meta.size / facts.parameters == pytest.approx(facts.bits_per_weight)


DETOKENIZED = [{"prompt": "One two"}, {"content": "One two"}, {"text": "One two"}]


@pytest.mark.parametrize("detokenized", DETOKENIZED)
@pytest.mark.parametrize("dialect", [VLLM, LLAMA_SERVER], ids=lambda dialect: dialect.name)
def test_the_dialect_is_the_one_that_gives_tokens(dialect: Any, detokenized: dict[str, str]) -> None:
    ask = offering(tokenize=tokens_of(dialect.text), detokenize=detokenized)
    assert find_dialect(ask, "m") == dialect


@pytest.mark.parametrize(
    "routes",
    [
        {},
        {"tokenize": tokens_of("prompt")},
        {"tokenize": {"tokens": []}, "detokenize": {"prompt": "a"}},
        {"tokenize": {"tokens": "5 6"}, "detokenize": {"prompt": "a"}},
        {"tokenize": tokens_of("prompt"), "detokenize": {"words": "a"}},
        {"tokenize": [1, 2], "detokenize": {"prompt": "a"}},
    ],
    ids=["nothing", "no way back", "no tokens", "words", "other words back", "a list"],
)
def test_an_endpoint_that_does_not_do_both_has_no_tokenizer(routes: dict[str, Any]) -> None:
    assert find_dialect(offering(**routes), "m") is None


@pytest.mark.parametrize("name", ["max_model_len", "context_length", "context_window", "max_context_length"])
def test_the_list_of_models_may_say_the_context(name: str) -> None:
    ask = offering(models={"data": [{"id": "m", name: 64}]}, props={"default_generation_settings": {"n_ctx": 32}})
    assert read_context(ask, read_cards(ask)[0]) == 64


@pytest.mark.parametrize(
    ("props", "context"),
    [({"default_generation_settings": {"n_ctx": 32}}, 32), ({"n_ctx": 32}, None), (None, None)],
)
def test_llama_server_says_it_elsewhere(props: Any, context: int | None) -> None:
    ask = offering(models={"data": [{"id": "m", "meta": {"n_ctx_train": 99}}]}, props=props)
    assert read_context(ask, read_cards(ask)[0]) == context


def test_a_card_that_is_otherwise_than_expected_has_a_name_at_least() -> None:
    cards = [{"id": "a", "meta": {"n_vocab": "many"}}, {"id": "b", "meta": {"size": 5, "more": 1}}, {"name": "c"}, "d"]
    assert read_cards(offering(models={"data": cards})) == [Card(id="a"), Card(id="b", meta=Size(size=5))]


@pytest.mark.parametrize("body", [None, [], "text", {"data": None}, {"models": []}])
def test_an_endpoint_without_a_list_has_no_cards(body: object) -> None:
    assert read_cards(offering(models=body)) == []


ONE, TWO = [Card(id="a")], [Card(id="a"), Card(id="b")]
HOW = "name one with #MODEL"


@pytest.mark.parametrize(
    ("cards", "model", "chosen"), [(ONE, None, "a"), (ONE, "a", "a"), (TWO, "b", "b"), ([], "x", "x")]
)
def test_the_model_that_is_named_or_the_only_one_is_meant(cards: list[Card], model: str | None, chosen: str) -> None:
    assert choose_card(cards, model, "X", HOW).id == chosen


def test_else_it_is_said_which_there_are() -> None:
    with pytest.raises(UserError, match=r"^X has 2 models; name one with #MODEL: a, b\.$"):
        choose_card(TWO, None, "X", HOW)
    with pytest.raises(UserError, match=r"^X has no model 'c'; it has a, b\.$"):
        choose_card(TWO, "c", "X", HOW)
    with pytest.raises(RunError, match=r"^X does not say what models it has \(GET /v1/models\); name one with #MODEL"):
        choose_card([], None, "X", HOW)
