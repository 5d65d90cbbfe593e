"""The context window that prompts have to fit, measured by the tokenizer of the server that will read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Window(Protocol):
    """What adapters may know of a model: its tokenizer and how much it can hold. Implemented by the endpoint."""

    @property
    def context(self) -> int:
        """Tokens that prompt and answer may have together, at most."""
        ...

    @property
    def bos(self) -> tuple[int, ...]:
        """What the server puts before a text: a BOS, or nothing."""
        ...

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a text, as a prompt gets them but without special tokens around it."""
        ...

    def detokenize(self, tokens: list[int]) -> str:
        """The text of tokens."""
        ...

    def tokenize_chat(self, message: str) -> list[int]:
        """A user's message in the model's chat template, up to where the assistant is to speak."""
        ...


@dataclass(frozen=True, slots=True)
class ByteWindow:
    """A model whose tokens are bytes: to see a prompt, or to test how it is shortened, without a server."""

    context: int = 1_000_000_000
    """Room for everything, unless it is told otherwise."""
    bos: tuple[int, ...] = ()

    def tokenize(self, text: str) -> list[int]:
        """Its bytes."""
        return list(text.encode())

    def detokenize(self, tokens: list[int]) -> str:
        """The text of bytes; a character that was cut in two is U+FFFD."""
        return bytes(tokens).decode(errors="replace")

    def tokenize_chat(self, message: str) -> list[int]:
        """The message between two marks."""
        return self.tokenize(f"<user>{message}</user>")


SPECIAL = 2
"""Tokens that a server may add to a text: a BOS, and the space that some vocabularies put before it."""


def fits(window: Window, text: str, n_answer: int) -> bool:
    """Whether a prompt and an answer of ``n_answer`` tokens fit the context.

    A token stands for a byte at least, so that most prompts are known to fit without asking the server.
    """
    room = window.context - n_answer - SPECIAL
    return len(text.encode()) <= room or len(window.tokenize(text)) <= room
