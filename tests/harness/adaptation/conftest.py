from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from harness.adaptation.window import ByteWindow
from harness.types import Completion, Prompt

BOS = 256
TEMPLATE = 300, 301, 302


@dataclass(frozen=True, slots=True)
class TemplateWindow(ByteWindow):
    """A model of bytes with a BOS. The template puts one token before a message and two after it."""

    context: int = 10_000
    bos: tuple[int, ...] = (BOS,)

    def tokenize_chat(self, message: str) -> list[int]:
        return [TEMPLATE[0], *self.tokenize(message), *TEMPLATE[1:]]

    def length(self, prompt: Prompt) -> int:
        """Tokens of a prompt, as a server counts them."""
        if isinstance(prompt.whole, str):
            return len(self.bos) + len(self.tokenize(prompt.whole))
        return len(prompt.whole)


@pytest.fixture(scope="session")
def window_of() -> Callable[..., TemplateWindow]:
    """A model of bytes with a context of so many tokens."""
    return TemplateWindow


@pytest.fixture(scope="session")
def completion() -> Callable[..., Completion]:
    """What an endpoint returns for these tokens; an offset counts the whole characters before a token."""

    def make(pieces: list[str | bytes], logprobs: list[float | None], begin: int = 0) -> Completion:
        tokens = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
        before = [b"".join(tokens[:i]).decode(errors="ignore") for i in range(len(tokens))]
        return Completion(
            text=b"".join(tokens).decode(),
            tokens=tuple(map(name, tokens)),
            token_logprobs=tuple(logprobs),
            text_offset=tuple(begin + len(text) for text in before),
            finish_reason="stop",
        )

    return make


def name(token: bytes) -> str:
    """A token's name in an answer."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token)
