"""A prompt, tokenized."""

from __future__ import annotations

from dataclasses import dataclass

from server.engine.llama import Model


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as the model sees it, and as the client sees it."""

    tokens: tuple[int, ...]
    hidden: int
    """1 if the first token is a BOS that the server added: the client sees no entry and no character of it."""
    added_spaces: frozenset[int] = frozenset()
    """Which of the client's tokens begin with a space that it did not send (SentencePiece adds them)."""

    def pieces(self, model: Model) -> list[bytes]:
        """Bytes of each token that the client sees."""
        pieces = [model.piece(token) for token in self.tokens[self.hidden :]]
        return [piece[1:] if i in self.added_spaces else piece for i, piece in enumerate(pieces)]
