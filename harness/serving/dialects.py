"""What servers call the same things: their tokenizer routes, their context length, the size of their models.

OpenAI's API has none of these. Everything here asks through an :data:`Ask`, so that it needs no client library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from harness.errors import RunError, UserError

Ask = Callable[[str, Mapping[str, object] | None], object]
"""Sends a body to a path (``models``, or ``../tokenize`` beside ``/v1``), or without one asks for what is there.

Gives the JSON of the answer; None where the endpoint has no such route, refuses, or answers with something else.
"""
SAMPLE = "One two"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server wants to be asked for tokens."""

    name: str
    text: str
    """Field of the text."""
    special: str
    """Field that says whether BOS is to stand before it, as before a prompt."""
    template: str | None = None
    """Route that puts messages into the chat template; None where ``/tokenize`` itself takes messages."""

    def to_tokenize(self, model: str, text: str, *, special: bool) -> dict[str, object]:
        """Body for :data:`TOKENIZE`; the answer is :class:`Tokenized`."""
        return {"model": model, self.text: text, self.special: special}

    def to_detokenize(self, model: str, tokens: list[int]) -> dict[str, object]:
        """Body for :data:`DETOKENIZE`; the answer is :class:`Detokenized`."""
        return {"model": model, "tokens": tokens}


TOKENIZE, DETOKENIZE = "../tokenize", "../detokenize"
VLLM = Dialect("vLLM", "prompt", "add_special_tokens")
"""Our own server's too, and SGLang's."""
LLAMA_SERVER = Dialect("llama-server", "content", "add_special", "../apply-template")
DIALECTS = (VLLM, LLAMA_SERVER)


class Tokenized(BaseModel):
    """The answer to ``/tokenize``."""

    tokens: list[int]


class Detokenized(BaseModel):
    """The answer to ``/detokenize``: ``prompt`` of vLLM, ``content`` of llama-server, ``text`` of SGLang."""

    text: str = Field(validation_alias=AliasChoices("prompt", "content", "text"))


class Templated(BaseModel):
    """The answer to ``/apply-template``."""

    prompt: str


def find_dialect(ask: Ask, model: str) -> Dialect | None:
    """The dialect in which the endpoint gives tokens, and text for them; None where it does neither or but one."""
    for dialect in DIALECTS:
        body = ask(TOKENIZE, dialect.to_tokenize(model, SAMPLE, special=False))
        # llama-server gives no tokens, and no error, for a field that it does not know.
        if not (tokens := _tokens(body)):
            continue
        try:
            Detokenized.model_validate(ask(DETOKENIZE, dialect.to_detokenize(model, tokens)))
        except ValidationError:
            continue
        return dialect
    return None


def _tokens(body: object) -> list[int]:
    try:
        return Tokenized.model_validate(body).tokens
    except ValidationError:
        return []


class Size(BaseModel):
    """``meta`` of a model's card: what llama-server and our own server say of the model."""

    n_vocab: int | None = None
    n_params: int | None = None
    size: int | None = None
    """Bytes of all tensors."""
    n_ctx_train: int | None = None


class Card(BaseModel):
    """A model in the list of ``/v1/models``."""

    id: str
    context: int | None = Field(
        default=None,
        validation_alias=AliasChoices("max_model_len", "context_length", "context_window", "max_context_length"),
    )
    """Tokens that a prompt and its answer may have together, where the list says so: as vLLM or some host calls it."""
    meta: Size | None = None


class _Cards(BaseModel):
    data: list[Any]


def read_cards(ask: Ask) -> list[Card]:
    """The models of an endpoint; none where it has no list of them."""
    try:
        found = _Cards.model_validate(ask("models", None)).data
    except ValidationError:
        return []
    return [card for one in found if (card := _card(one))]


def _card(body: object) -> Card | None:
    """A model of the list; of what is not as expected, its name is enough."""
    try:
        return Card.model_validate(body)
    except ValidationError:
        name = body.get("id") if isinstance(body, dict) else None
        return Card(id=name) if isinstance(name, str) else None


def choose_card(cards: list[Card], model: str | None, endpoint: str, how: str) -> Card:
    """The model that is meant.

    Args:
        cards: what the endpoint has.
        model: its name, where one is named.
        endpoint: what errors call the endpoint.
        how: what to do where one has to be named, such as "name one with #MODEL".

    Raises:
        UserError: there is no such model, or more than one and none is named.
        RunError: the endpoint does not say, and none is named.
    """
    names = ", ".join(card.id for card in cards)
    if model is None:
        if not cards:
            raise RunError(f"{endpoint} does not say what models it has (GET /v1/models); {how}.")
        if len(cards) > 1:
            raise UserError(f"{endpoint} has {len(cards)} models; {how}: {names}.")
        return cards[0]
    found = next((card for card in cards if card.id == model), None)
    if cards and found is None:
        raise UserError(f"{endpoint} has no model {model!r}; it has {names}.")
    return found or Card(id=model)


class _Defaults(BaseModel):
    n_ctx: int


class _Props(BaseModel):
    default_generation_settings: _Defaults


def read_context(ask: Ask, card: Card) -> int | None:
    """Tokens that a prompt and its answer may have together; None where the endpoint does not say.

    Not ``meta.n_ctx_train``: that is what the model was trained for, and a server may have room for less.
    """
    if card.context is not None:
        return card.context
    try:
        return _Props.model_validate(ask("../props", None)).default_generation_settings.n_ctx
    except ValidationError:
        return None
