"""A prompt, tokenized."""

from __future__ import annotations

import bisect
import itertools
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

    def last(self, n: int) -> Prompt:
        """The last ``n`` tokens, at least one, a BOS that the server added kept before them."""
        head, tail = self.tokens[: self.hidden], self.tokens[self.hidden :]
        dropped = max(0, len(tail) - max(n - self.hidden, 1))
        spaces = frozenset(i - dropped for i in self.added_spaces if i >= dropped)
        return Prompt((*head, *tail[dropped:]), self.hidden, spaces)

    def first_beyond(self, model: Model, characters: int) -> int:
        """Which of the client's tokens is the first with a byte beyond so many characters; their number if none has.

        Token ids may stand for bytes that are no text; each of these counts as one character.
        """
        pieces = self.pieces(model)
        text = b"".join(pieces).decode(errors="surrogateescape")
        border = len(text[:characters].encode(errors="surrogateescape"))
        return bisect.bisect_right(list(itertools.accumulate(map(len, pieces))), border)

    def pieces(self, model: Model) -> list[bytes]:
        """Bytes of each token that the client sees."""
        pieces = [model.piece(token) for token in self.tokens[self.hidden :]]
        return [piece[1:] if i in self.added_spaces else piece for i, piece in enumerate(pieces)]
