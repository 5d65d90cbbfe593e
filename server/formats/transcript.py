"""A completion as it grows, cut into pieces that can be shown: text, and an entry for each token.

Every response is written through here, streamed or not, so that the pieces of a stream add up to the plain answer.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.engine.llama import Model
from server.engine.prompt import Prompt
from server.engine.score_log import ScoreLog
from server.engine.sequence import Result
from server.engine.text import text_and_offsets

LOWEST = -9999.0
"""Stands for minus infinity, which JSON cannot say."""


class Alternative(NamedTuple):
    """A token that could have come at a place."""

    token: int
    logprob: float


class Entry(NamedTuple):
    """One token."""

    token: int
    piece: bytes
    offset: int
    """Characters before it, from the beginning of the prompt."""
    logprob: float | None
    """None: it has none, being the first of a prompt or not asked for."""
    rank: int | None
    top: tuple[Alternative, ...]
    """The most likely tokens at its place, most likely first."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What can be shown of a completion beyond what was shown before."""

    text: str
    entries: list[Entry]
    prompt_text: str | None
    """The prompt, in the first piece."""
    prompt_entries: list[Entry]
    result: Result | None
    """What came of it, in the last piece."""


class Transcript:
    """One completion of one prompt."""

    def __init__(self, model: Model, prompt: Prompt, stops: tuple[str, ...]) -> None:
        self._model = model
        self._prompt = prompt
        self._prompt_pieces = prompt.pieces(model)
        self._prompt_text, self._prompt_offsets = text_and_offsets(self._prompt_pieces)
        self._stops = stops
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._tokens: list[int] = []
        self._offsets: list[int] = []
        self._shown_text = 0
        self._shown_tokens = 0
        self._began = False

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt that the client knows of."""
        return len(self._prompt_pieces)

    @property
    def hidden(self) -> int:
        """Tokens before those, which the client does not know of."""
        return self._prompt.hidden

    @property
    def prompt_text(self) -> str:
        """The prompt."""
        return self._prompt_text

    @property
    def completion_tokens(self) -> int:
        """Tokens shown so far; at the end, those of the answer."""
        return self._shown_tokens

    @property
    def text(self) -> str:
        """The completion shown so far."""
        return self._text[: self._shown_text]

    def grow(self, completion: Sequence[int] | NDArray[np.int32], scores: ScoreLog | None) -> Piece | None:
        """What can be shown of a completion that goes on; None: nothing yet.

        Text that may be the beginning of a stop string is held back, and so are bytes that are no whole character.
        """
        self._take(completion)
        return self._piece(len(self._text) - self._held_back(), scores, None)

    def finish(self, result: Result) -> Piece:
        """The rest."""
        ended = bool(result.completion) and self._model.ends_generation(result.completion[-1])
        self._take(result.completion[:-1] if ended else result.completion)
        self._text += self._decoder.decode(b"", final=True)
        end = len(self._text) if result.cut is None else result.cut
        if ended:  # it has an entry of its own, but it is no part of the text
            self._tokens.append(result.completion[-1])
            self._offsets.append(len(self._text))
        piece = self._piece(end, result.scores, result)
        assert piece is not None
        return piece

    def _take(self, completion: Sequence[int] | NDArray[np.int32]) -> None:
        for token in map(int, completion[len(self._tokens) :]):
            self._tokens.append(token)
            self._offsets.append(len(self._text))
            self._text += self._decoder.decode(self._model.piece(token))

    def _held_back(self) -> int:
        """Characters at the end of the text that a stop string may begin with."""
        longest = 0
        for stop in self._stops:
            at = max(0, len(self._text) - len(stop) + 1)
            while (at := self._text.find(stop[0], at)) >= 0:
                if stop.startswith(self._text[at:]):
                    longest = max(longest, len(self._text) - at)
                    break
                at += 1
        return longest

    def _piece(self, end: int, scores: ScoreLog | None, result: Result | None) -> Piece | None:
        # A token is shown with its first character, so a character split over tokens is shown with all of them.
        shown = self._shown_tokens
        while shown < len(self._tokens) and (self._offsets[shown] < end or (result and result.cut is None)):
            shown += 1
        if self._began and not result and end == self._shown_text and shown == self._shown_tokens:
            return None
        first = len(self._prompt.tokens)
        before = len(self._prompt_text)
        entries = [
            self._entry(
                first + i, self._tokens[i], self._model.piece(self._tokens[i]), before + self._offsets[i], scores
            )
            for i in range(self._shown_tokens, shown)
        ]
        piece = Piece(
            text=self._text[self._shown_text : end],
            entries=entries,
            prompt_text=None if self._began else self._prompt_text,
            prompt_entries=[] if self._began else self._prompt_entries(scores),
            result=result,
        )
        self._began, self._shown_text, self._shown_tokens = True, end, shown
        return piece

    def _prompt_entries(self, scores: ScoreLog | None) -> list[Entry]:
        hidden = self._prompt.hidden
        tokens = self._prompt.tokens[hidden:]
        rows = zip(tokens, self._prompt_pieces, self._prompt_offsets, strict=True)
        # The first token of a prompt has no log-probability; after a hidden one it has, but OpenAI's API says null.
        return [
            self._entry(hidden + i, token, piece, offset, scores if i > 0 else None)
            for i, (token, piece, offset) in enumerate(rows)
        ]

    @staticmethod
    def _entry(position: int, token: int, piece: bytes, offset: int, scores: ScoreLog | None) -> Entry:
        if scores is None or not scores.first <= position < scores.end:
            return Entry(token, piece, offset, None, None, ())
        ids, values = scores.top_ids[position].tolist(), scores.top_logprobs[position].tolist()
        top = tuple(Alternative(i, _finite(value)) for i, value in zip(ids, values, strict=True))
        return Entry(token, piece, offset, _finite(float(scores.logprob[position])), int(scores.rank[position]), top)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else LOWEST
