"""The tokenizer behind an endpoint; and counting bytes, where there is none."""

from __future__ import annotations

import functools
from typing import Protocol

import openai

from harness.errors import RunError, UserError
from harness.serving.dialects import DETOKENIZE, TOKENIZE, Detokenized, Dialect, Templated, Tokenized
from harness.serving.transport import Transport


class Tokenizer(Protocol):
    """What :class:`harness.adaptation.window.Window` wants to know of tokens."""

    @property
    def bos(self) -> tuple[int, ...]:
        """What the server puts before a text: a BOS, or nothing."""
        ...

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a text, as a prompt gets them but without BOS."""
        ...

    def detokenize(self, tokens: list[int]) -> str:
        """The text of tokens."""
        ...

    def tokenize_chat(self, message: str) -> list[int]:
        """A user's message in the model's chat template, up to where the assistant is to speak."""
        ...


class RemoteTokenizer:
    """The endpoint's own."""

    def __init__(self, transport: Transport, model: str, dialect: Dialect) -> None:
        self._transport = transport
        self._model = model
        self._dialect = dialect

    @functools.cached_property
    def bos(self) -> tuple[int, ...]:
        """What it puts before an empty text."""
        return tuple(self._tokens(self._dialect.to_tokenize(self._model, "", special=True)))

    def tokenize(self, text: str) -> list[int]:
        """Its tokens of a text."""
        return self._tokens(self._dialect.to_tokenize(self._model, text, special=False))

    def detokenize(self, tokens: list[int]) -> str:
        """Its text of tokens."""
        with self._transport.failures():
            body = self._transport.post(DETOKENIZE, self._dialect.to_detokenize(self._model, tokens))
            return Detokenized.model_validate(body).text

    def tokenize_chat(self, message: str) -> list[int]:
        """What its chat template makes of a message.

        Raises:
            UserError: the model has no chat template, or none that takes the message.
        """
        conversation: dict[str, object] = {"model": self._model, "messages": [{"role": "user", "content": message}]}
        try:
            if self._dialect.template is None:
                return self._tokens(conversation)
            with self._transport.failures():
                found = Templated.model_validate(self._transport.post(self._dialect.template, conversation))
        except RunError as error:
            if not isinstance(error.__cause__, openai.BadRequestError):
                raise
            body = error.__cause__.body
            said = str(body["message"] if isinstance(body, dict) and "message" in body else error)
            why = said[:1].lower() + said[1:].partition(";")[0].removesuffix(".")  # the rest is for its operator
            raise _no_chat(self._transport.label, why) from error
        # It takes BOS off what its template wrote, and puts it before the prompt again.
        return self._tokens(self._dialect.to_tokenize(self._model, found.prompt, special=True))

    def _tokens(self, body: dict[str, object]) -> list[int]:
        with self._transport.failures():
            return Tokenized.model_validate(self._transport.post(TOKENIZE, body)).tokens


class ByteCounter:
    """In place of a tokenizer that nobody can ask: a token stands for a byte at least, so what fits so does fit.

    Its "tokens" are for counting and cutting. They are no ids, and must never be sent.
    """

    bos: tuple[int, ...] = ()

    def __init__(self, label: str) -> None:
        self._label = label

    def tokenize(self, text: str) -> list[int]:
        """Its bytes."""
        return list(text.encode())

    def detokenize(self, tokens: list[int]) -> str:
        """The text of bytes; a character that was cut in two is U+FFFD."""
        return bytes(tokens).decode(errors="replace")

    def tokenize_chat(self, message: str) -> list[int]:  # noqa: ARG002
        """Not without a tokenizer: what is in a chat template goes to an endpoint as token ids.

        Raises:
            UserError: always.
        """
        raise _no_chat(self._label, "it has no tokenizer that can be asked")


def _no_chat(label: str, why: str) -> UserError:
    return UserError(f"{label} cannot be asked with --chat, so leave that out: {why}.")
